"""Quantify activity: choose factors once per distinct use, then multiply measures by linear coefficients.

The law of the product: ``aggregate(quantify(records)) == quantify(aggregate(records))`` for every grouping that keeps
what a factor depends on. It holds because a plan is a list of terms, each one measure times constants.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification import units
from core.quantification.activity import MASK_BITS, MEASURE_COLUMNS
from core.quantification.keys import fuse
from core.quantification.methods import LATEST, Methodology, methodology_of
from core.quantification.overrides import UNITS as OVERRIDES
from core.quantification.overrides import Given, Override, parse_overrides
from core.quantification.pack import FactorPack
from core.quantification.plan import Plan, make_plan
from core.quantification.terms import IMPACTS
from core.quantification.use import USE_TEXT, Use

BOUNDS: Final = ("", "_low", "_high")
COLUMNS: Final = tuple(f"{impact}{bound}" for impact in IMPACTS for bound in BOUNDS)
"""Columns of the impacts: each impact with its low and high."""

_BLOCK_ROWS: Final = 2048  # a block and its products stay in the second-level cache: 0.9 MB
_MASK_NAMES: Final = {bit: name for name, bit in MASK_BITS.items()}

INTEGERS: Final = {
    "energy_it_kwh": ("energy_it_pkwh", units.PER_KWH),
    "energy_facility_kwh": ("energy_facility_pkwh", units.PER_KWH),
    "location_kg_co2e": ("location_nkg", units.PER_KG),
    "upstream_kg_co2e": ("upstream_nkg", units.PER_KG),
    "embodied_kg_co2e": ("embodied_nkg", units.PER_KG),
    "water_l": ("water_nl", units.PER_L),
    "primary_energy_mj": ("primary_energy_nmj", units.PER_MJ),
    "adpe_kg_sbeq": ("adpe_nkg", units.PER_KG),
}
"""Stored impacts: column and integers per unit. Market figures are never stored per row."""

INTEGER_COLUMNS: Final = tuple(f"{column}{bound}" for column, _ in INTEGERS.values() for bound in BOUNDS)


@dataclass(frozen=True)
class Quantified:
    """
    Hold the answer of `quantify`.

    Attributes:
        impacts: float64, same index as the activity, columns ``COLUMNS``; NaN is null. Nulls belong to the plan: one
            plan's impact is null in every row or in none.
        code: int64, one per row: position in ``plans``.
        plans: one per distinct combination of what factors depend on, in order of first appearance.
    """

    impacts: pd.DataFrame
    code: npt.NDArray[np.int64]
    plans: tuple[Plan, ...]


def quantify(
    activity: pd.DataFrame,
    pack: FactorPack,
    methodology: str | Methodology = LATEST,
    overrides: pd.DataFrame | None = None,
    *,
    key: Sequence[str] | None = None,
) -> Quantified:
    """
    Turn activity into impacts. One row in, one row out; nothing depends on the order or number of rows.

    Args:
        activity: one row per cell or record, with
            - ``USE_TEXT`` (stage, hosting, provider, region, zone, model, hardware, instance_type, evidence,
              energy_boundary, reported_basis): text as reported or resolved, null where unknown; a column may be absent;
            - ``techniques``: tuples of text (may be absent);
            - ``given``: the organization's own factors as `own_factors.given_of` chooses them (may be absent);
            - ``mask``: presence mask of ``activity.MASK_BITS``;
            - ``year`` (int) or ``hour`` or ``started_at`` (UTC times): year of the use;
            - ``MEASURE_COLUMNS``: the summed integers of cells, absent measures 0 (a column may be absent). Floats are
              taken as well, for one record whose figures are finer than the integers.
        pack: the factors.
        methodology: version, or settings.
        overrides: same index as the activity; columns named like the overrides of contracts.md section 5 (``pue``,
            ``grid_g_co2e_per_kwh``, ...) with NaN for none, and ``<name>_low``, ``<name>_high`` where an interval is
            given.
        key: columns that determine all of the above but the measures, such as ``["series_id", "year"]``: distinct
            uses are then found by these alone. Without it they are found by their values.

    Returns:
        Impacts [kWh, kg CO2e, L, MJ, kg Sb-eq], code and plans; see `Quantified` and `Plan`.

    Raises:
        UnknownMethodology: for a version that does not exist.
        ImpossibleFactor: for an override that cannot be.
    """
    method = methodology_of(methodology)
    frame = activity if "year" in activity.columns else activity.assign(year=_years(activity))
    code, first = distinct_uses(frame, overrides, key)
    given = None if overrides is None else overrides.iloc[first]
    chosen = frame[[name for name in (*USE_TEXT, "techniques", "mask", "year", "given") if name in frame.columns]].iloc[
        first
    ]
    plans = tuple(make_plan(pack, method, use) for use in uses_of(chosen, given))
    measures = {name: frame[name].to_numpy() for name in MEASURE_COLUMNS if name in frame.columns}
    values = apply_plans(plans, code, measures, len(frame))
    return Quantified(pd.DataFrame(values, index=activity.index, columns=list(COLUMNS), copy=False), code, plans)


def out_of_range(impacts: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """
    Tell which rows have an impact that leaves the 64 bits of the stored integers.

    Args:
        impacts: columns ``COLUMNS`` or more.
    """
    return np.asarray((np.abs(impacts[list(COLUMNS)].to_numpy(float)) >= _LIMITS).any(axis=1))


_LIMITS: Final = np.array(
    [2.0**63 / float(INTEGERS.get(impact, ("", units.PER_KG))[1]) for impact in IMPACTS for _ in BOUNDS]
) * (1 - 2.0**-50)  # a few steps of a float below, so that no rounding of the product reaches the limit


def to_integers(impacts: pd.DataFrame) -> pd.DataFrame:
    """
    Round impacts to the fixed integer units in which they are stored, per row and before any sum.

    Args:
        impacts: columns ``COLUMNS`` or more.

    Returns:
        Same index, columns ``INTEGER_COLUMNS`` as nullable ``Int64``; null stays null.

    Raises:
        OverflowError: when a value does not fit 64 bits, naming the column; `out_of_range` tells beforehand.
    """
    columns = {}
    for impact, (column, per_unit) in INTEGERS.items():
        for bound in BOUNDS:
            values = np.rint(impacts[f"{impact}{bound}"].to_numpy(float) * float(per_unit))
            null = np.isnan(values)
            if np.any(np.abs(values[~null]) >= 2.0**63):
                raise OverflowError(f"{impact}{bound} does not fit the stored integers")
            columns[f"{column}{bound}"] = pd.arrays.IntegerArray(np.where(null, 0.0, values).astype(np.int64), null)
    return pd.DataFrame(columns, index=impacts.index)


def _years(activity: pd.DataFrame) -> pd.Series:
    times = activity["hour" if "hour" in activity.columns else "started_at"]
    return pd.to_datetime(times, utc=True).dt.year


def distinct_uses(
    frame: pd.DataFrame, overrides: pd.DataFrame | None, key: Sequence[str] | None
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """
    Number the distinct combinations of what a plan depends on.

    Returns:
        ``(code, first)``: one code per row in order of first appearance, and each code's first row.
    """
    names = (
        list(key) if key is not None else [c for c in (*USE_TEXT, "techniques", "mask", "given") if c in frame.columns]
    )
    columns = [frame[name] for name in dict.fromkeys([*names, "year"])]
    if overrides is not None:
        columns += [overrides[name] for name in overrides.columns]
    fused = fuse([np.asarray(pd.factorize(column)[0], dtype=np.int64) for column in columns])
    code = np.asarray(pd.factorize(fused)[0], dtype=np.int64)
    first = np.empty(int(code.max(initial=-1)) + 1, dtype=np.int64)
    first[code[::-1]] = np.arange(len(code) - 1, -1, -1)  # the last to be written is the first row of its code
    return code, first


def uses_of(frame: pd.DataFrame, overrides: pd.DataFrame | None) -> list[Use]:
    """Read each row of distinct combinations as a use."""
    given: list[Given] = (
        [()] * len(frame) if overrides is None else [_overrides(row) for row in overrides.to_dict("records")]
    )
    uses = []
    for row, own in zip(frame.to_dict("records"), given, strict=True):
        text = {name: value if isinstance(value := row.get(name), str) and value else None for name in USE_TEXT}
        techniques = row.get("techniques")
        rules = row.get("given")
        mask = int(row["mask"])
        uses.append(
            Use(
                **text,
                techniques=tuple(sorted(techniques)) if isinstance(techniques, tuple | list | frozenset | set) else (),
                present=frozenset(name for bit, name in _MASK_NAMES.items() if mask >> bit & 1),
                year=int(row["year"]),
                given=tuple(sorted((dict(rules) | dict(own)).items())) if isinstance(rules, tuple) else own,
            )
        )
    return uses


def _overrides(row: Mapping[Hashable, float]) -> Given:
    given: dict[str, object] = {}
    for name in OVERRIDES:
        value = row.get(name)
        if value is None or pd.isna(value):
            continue
        low, high = row.get(f"{name}_low"), row.get(f"{name}_high")
        interval = low is not None and high is not None and not pd.isna(low) and not pd.isna(high)
        given[name] = {"value": float(value), "low": float(low), "high": float(high)} if interval else float(value)  # type: ignore[arg-type]
    return tuple(sorted((name, Override(*values)) for name, values in parse_overrides(given).items()))


def apply_plans(
    plans: Sequence[Plan], code: npt.NDArray[np.int64], measures: dict[str, npt.NDArray[np.generic]], rows: int
) -> npt.NDArray[np.float64]:
    """
    Multiply measures by the coefficients of each row's plan.

    Every element is the same sum in the same order whatever rows stand around it, so results are bit-identical under
    any order and chunking.

    Returns:
        ``rows x len(COLUMNS)``, NaN where the plan has a null.
    """
    names, count, source, tables = _slots(plans, measures)
    base = np.array([plan.base for plan in plans])
    out = np.empty((rows, len(COLUMNS)))
    values = np.zeros((len(names) + 1, _BLOCK_ROWS))  # the last row stays 0: what an empty slot multiplies
    products, column = np.empty((_BLOCK_ROWS, len(COLUMNS))), np.arange(_BLOCK_ROWS)
    for start in range(0, rows, _BLOCK_ROWS):
        own = code[start : start + _BLOCK_ROWS]
        size = len(own)
        for at, name in enumerate(names):
            values[at, :size] = measures[name][start : start + size]
        total, product = out[start : start + size], products[:size]
        np.take(base, own, axis=0, out=total, mode="clip")  # any other mode copies through a buffer of its own
        for slot in range(count[own].max()):
            np.take(tables[slot], own, axis=0, out=product, mode="clip")
            product *= values[source[slot][own], column[:size]][:, None]
            total += product
    return out


def _slots(
    plans: Sequence[Plan], measures: dict[str, npt.NDArray[np.generic]]
) -> tuple[list[str], npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """
    Number the measures of each plan: a plan multiplies three or four of the twenty, each in a slot of its own.

    Returns:
        The measures that any plan uses; how many slots each plan fills [plans]; the position of a slot's measure among
        the former, one beyond them where the slot is empty [slots, plans]; coefficients, 0 where the slot is empty
        [slots, plans, len(COLUMNS)].
    """
    own = [[name for name in MEASURE_COLUMNS if name in plan.coefficients and name in measures] for plan in plans]
    names = [name for name in MEASURE_COLUMNS if any(name in each for each in own)]
    count = np.array([len(each) for each in own], dtype=np.intp)
    slots = int(count.max(initial=0))
    source = np.full((slots, len(plans)), len(names), dtype=np.intp)
    tables = np.zeros((slots, len(plans), len(COLUMNS)))
    for position, (plan, used) in enumerate(zip(plans, own, strict=True)):
        for slot, name in enumerate(used):
            source[slot, position] = names.index(name)
            tables[slot, position] = plan.coefficients[name]
    return names, count, source, tables
