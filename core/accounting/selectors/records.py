"""Each record's own footprint, quantified when it is asked for: no impact is stored on a record (architecture, section 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting.aggregate import TOTAL
from core.accounting.by_hour import spread
from core.accounting.columns import EMBODIED, ENERGY_FACILITY, LOCATION, SUFFIXES, UPSTREAM
from core.accounting.derive import DIMENSIONS, Derived, figures
from core.accounting.figures import ROLES, Filter
from core.accounting.models import View
from core.accounting.rows import numbers_of
from core.accounting.rules import Rules
from core.accounting.selectors.conditions import matches, source_names
from core.accounting.selectors.on_read import derived_on_read, record_hours
from core.accounting.selectors.rules import rules_of
from core.factors.selectors import pack_of
from core.ledger.selectors import series_by_id
from core.ledger.windows import SHOWN, record_blocks
from core.quantification.activity import MEASURE_COLUMNS
from core.quantification.cells import DAY_US, to_units
from core.quantification.pack import FactorPack
from core.quantification.quantify import COLUMNS
from core.quantification.records import to_activity

IN_TOTAL: Final = (LOCATION, UPSTREAM, EMBODIED)
FIGURES: Final = (*(TOTAL + suffix for suffix in SUFFIXES), ENERGY_FACILITY.name)
"""What is quantified of a record: location-based with upstream and embodied where they are known, with its bounds; energy."""
ABOUT: Final = ("source_id", "role", *DIMENSIONS, "techniques", "method", "scope")
PLACE: Final = ("series_id", "key_high", "key_low", "started_us", "ended_us", "counted")


def record_figures(organization_id: int, view: View, records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """
    Quantify records one by one, by the rules in force and the view's factors.

    Args:
        records: as `core.ledger.selectors.records_page` lists them.

    Returns:
        In their order, each whole, whatever else describes the same use: ``FIGURES``, NaN is not known; and what it is about
        by the rules in force, ``ABOUT``.
    """
    if not records:
        return pd.DataFrame(columns=[*FIGURES, *ABOUT], dtype=object)
    activity = to_activity([{name: value for name, value in row.items() if value is not None} for row in records])
    rows = pd.DataFrame(to_units(activity), columns=list(MEASURE_COLUMNS)).assign(
        series_id=[int(row["series_id"]) for row in records],
        records=[0 if row["corrects"] else 1 for row in records],
        day=numbers_of([row["started_at"].date() for row in records]),
    )
    rules = rules_of(organization_id)
    rows["record"] = np.arange(len(records))
    if rules.profiles:
        times = {name: activity[name].to_numpy() for name in ("started_at", "ended_at")}
        rows = record_hours(organization_id, rows.assign(**times))
    derived = derived_on_read(organization_id, view, rows, rules, whole=False, divided=False, sampled=False)
    found, position = _of_records(derived, len(records))
    names = _names_of(derived).iloc[position].reset_index(drop=True)
    return pd.concat([found, names[list(ABOUT)]], axis=1)


@dataclass(frozen=True)
class Window:
    """
    Records of a time, each quantified by itself.

    Args:
        records: ``PLACE``, ``SHOWN``, ``FIGURES`` (NaN: not known), and ``name``, the position in names. One row a record.
        names: what records are about by the rules in force: series_id and ``ABOUT``.
    """

    records: pd.DataFrame
    names: pd.DataFrame

    def named(self, dim: str) -> npt.NDArray[np.object_]:
        """Give a dimension of each record. [records]"""
        return np.asarray(self.names[dim].to_numpy(dtype=object)[self.records["name"].to_numpy(dtype=np.int64)])


def quantified_window(
    organization_id: int,
    view: View,
    series_ids: Sequence[int],
    from_time: datetime,
    to_time: datetime,
    asked: Filter,
    folded: frozenset[str],
    *,
    sample_percent: float | None = None,
) -> Window:
    """
    Quantify every record of some series in [from_time, to_time), or a block sample, inside the organization's scope.

    Args:
        asked: its dimensions keep the records whose names in force match; a record is shown whole, whatever its role.
        folded: teams that are not told apart.
        sample_percent: see `core.ledger.windows.record_blocks`.
    """
    rules, pack = rules_of(organization_id), pack_of(view.factor_set.content_hash)
    series = series_by_id(organization_id, series_ids)
    sources, every = source_names(organization_id), any_role(asked)
    run = asked.dims.get("run", (None,))[0]
    records, names, seen = [], [], 0
    for block in record_blocks(organization_id, series_ids, from_time, to_time, run=run, sample_percent=sample_percent):
        derived = _derived(block, series, rules, pack, view.methodology)
        found, position = _of_records(derived, len(block))
        own = _names_of(derived)
        kept = matches(own, every, sources, folded).to_numpy(dtype=bool)[position]
        shown = pd.concat([block[[*PLACE, *SHOWN]], found], axis=1).assign(name=position + seen)
        records.append(shown[kept])
        names.append(own)
        seen += len(own)
    if not records:
        empty: dict[str, Any] = {name: np.empty(0, dtype=np.int64) for name in (*PLACE, *SHOWN, "name")}
        empty |= {name: np.empty(0) for name in FIGURES}
        return Window(pd.DataFrame(empty), pd.DataFrame(columns=["series_id", *ABOUT], dtype=object))
    return Window(pd.concat(records, ignore_index=True), pd.concat(names, ignore_index=True))


def series_weights(
    organization_id: int, view: View, series_ids: Sequence[int], day: date
) -> dict[int, dict[str, float]]:
    """
    Tell what one stored integer of each measure weighs in each series on a day, in the figures of a record. [kg CO2e]

    Measures that weigh nothing are left out; so are series of which nothing is known.
    """
    series = series_by_id(organization_id, series_ids)
    rows = pd.DataFrame(0, index=range(len(series)), columns=list(MEASURE_COLUMNS)).assign(
        series_id=series.index.to_numpy(), records=0, day=numbers_of([day])[0]
    )
    rules = replace(rules_of(organization_id), profiles={})  # the mean of its hours stands for a grid
    pack = pack_of(view.factor_set.content_hash)
    frame = series.rename_axis("series_id").reset_index()
    derived = figures(rows, frame, rules, pack, view.methodology, overlap=None, sampled=False)
    at = [COLUMNS.index(part.name) for part in IN_TOTAL]
    weights = {}
    for series_id, position in zip(*(derived.rows[name].tolist() for name in ("series_id", "resolved")), strict=True):
        own = {measure: float(np.nansum(each[at])) for measure, each in derived.plans[position].coefficients.items()}
        weights[int(series_id)] = {measure: kg for measure, kg in own.items() if kg}
    return {each: own for each, own in weights.items() if own}


def any_role(asked: Filter) -> Filter:
    """Ask for the same records whatever counts in sums: a record is shown whole."""
    return Filter(asked.from_day, asked.to_day, dims=asked.dims, role=ROLES)


def _derived(block: pd.DataFrame, series: pd.DataFrame, rules: Rules, pack: FactorPack, methodology: str) -> Derived:
    """Derive a block of records, each whole, without a question to the database."""
    measures = block[list(MEASURE_COLUMNS)]
    rows = measures.assign(
        series_id=block["series_id"],
        records=block["counted"].astype("int64"),
        day=block["started_us"] // DAY_US,
        record=np.arange(len(block)),
    )
    if rules.profiles:
        by_day = (block["series_id"].map(series["grain"]) == "day").to_numpy(dtype=bool)
        times = {f"{end}_at": pd.to_datetime(block[f"{end}_us"], unit="us", utc=True) for end in ("started", "ended")}
        rows = spread(rows.assign(**times), by_day)
    own = series.loc[np.unique(rows["series_id"].to_numpy())].rename_axis("series_id").reset_index()
    return figures(rows, own, rules, pack, methodology, overlap=None, sampled=False)


def _of_records(derived: Derived, count: int) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """Give ``FIGURES`` of each record, and the position of its names; where hours were derived they are added up again."""
    columns = [*(part.column + suffix for part in IN_TOTAL for suffix in SUFFIXES), ENERGY_FACILITY.column]
    rows, position = derived.rows[columns], derived.rows["resolved"].to_numpy(dtype=np.int64)
    record = derived.rows["record"].to_numpy(dtype=np.int64)
    if len(record) != count or not np.array_equal(record, np.arange(count)):
        rows = rows.groupby(record)[columns].sum(min_count=1)
        position = pd.Series(position).groupby(record).first().to_numpy(dtype=np.int64)
    found = {}
    for name, suffix in zip(FIGURES, SUFFIXES, strict=False):
        parts = np.vstack([_units(rows[part.column + suffix], part.per_unit) for part in IN_TOTAL])
        found[name] = np.where(np.isnan(parts).all(axis=0), np.nan, np.nansum(parts, axis=0))
    found[ENERGY_FACILITY.name] = _units(rows[ENERGY_FACILITY.column], ENERGY_FACILITY.per_unit)
    return pd.DataFrame(found), position


def _names_of(derived: Derived) -> pd.DataFrame:
    return derived.resolved.assign(
        method=np.array([plan.method for plan in derived.plans], dtype=object),
        scope=np.array([plan.scope for plan in derived.plans], dtype=object),
    )


def _units(column: pd.Series, per_unit: int) -> npt.NDArray[np.float64]:
    return np.asarray(column.to_numpy(dtype=float, na_value=np.nan) / per_unit)
