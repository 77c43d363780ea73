"""
Money of a source that exports use and costs as two reports: it counts only where it says no use.

A provider's cost report states in money what its usage report states in tokens. Of one source, project and day the use counts,
by a physical method, and the money is a cross-check; where the source says no use, the spend is all that is known.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification.activity import MASK_BITS, MEASURES
from core.quantification.likeness import alike_in_money
from core.quantification.plan import PHYSICAL

TWO_REPORTS: Final = ("openai_usage", "anthropic_usage")
"""Kinds of sources that export usage and costs of the same calls apart."""
SPEND_FACTOR: Final = "spend_kg_co2e"
"""Without a factor of this name no money becomes kilograms, so nothing has to be decided."""
BESIDE_USE: Final = "money_beside_use"
"""Note of money that is a cross-check because its source says the use."""

_PHYSICAL_COLUMNS: Final = [measure.column for measure in MEASURES if measure.source in PHYSICAL]
_HOURS_A_DAY: Final = 24


def says_money(series: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell which series hold money and no measure of use; columns as `likeness.alike_in_money` takes them. [n]"""
    return alike_in_money(series)["money_key"].notna().to_numpy(dtype=bool)


def says_use(series: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Tell which series hold a measure of use. [n]"""
    physical = sum(1 << MASK_BITS[name] for name in PHYSICAL)
    return np.asarray(series["mask"].to_numpy(dtype=np.int64) & physical != 0, dtype=bool)


def beside_use(cells: pd.DataFrame, series: pd.DataFrame, sources: frozenset[int]) -> npt.NDArray[np.bool_]:
    """
    Find the cells of money whose source says the use of the same account, project and day.

    Args:
        cells: series_id, hour (since 1970), ``MEASURE_COLUMNS``; every cell of the sources on whole days. [n]
        series: as reported: series_id, source_id, account, project, and what `says_money` looks at.
        sources: that have two reports.

    Reported is what is compared: rules may give money and use to different teams. What names no project is of all of them. Use
    that was corrected to nothing is none.

    Returns:
        A mask. [n]
    """
    found = np.zeros(len(cells), dtype=bool)
    own = series[series["source_id"].isin(sources)].reset_index(drop=True)
    money, use = says_money(own), says_use(own)
    if not money.any() or not use.any():
        return found
    at = pd.Index(own["series_id"]).get_indexer(cells["series_id"])
    inside = np.flatnonzero(at >= 0)
    where = own.loc[at[inside], ["source_id", "account", "project"]].astype(object).reset_index(drop=True)
    where["day"] = cells["hour"].to_numpy(dtype=np.int64)[inside] // _HOURS_A_DAY
    amounts = cells[_PHYSICAL_COLUMNS].to_numpy(dtype=np.int64)[inside]
    used = where[use[at[inside]] & (amounts != 0).any(axis=1)]
    if used.empty:
        return found
    whole = _keys(where, "source_id", "account", "day")
    single = _keys(where, "source_id", "account", "day", "project")
    everywhere = np.isin(whole, whole[used.index[used["project"].isna()]])
    anywhere = np.isin(whole, whole[used.index]) & where["project"].isna().to_numpy(dtype=bool)
    same = np.isin(single, single[used.index])
    found[inside] = money[at[inside]] & (everywhere | anywhere | same)
    return found


def _keys(frame: pd.DataFrame, *names: str) -> npt.NDArray[np.int64]:
    return np.asarray(frame.groupby(list(names), dropna=False, sort=False).ngroup(), dtype=np.int64)
