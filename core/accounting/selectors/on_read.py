"""Figures that no daily row holds, quantified when they are asked for: hours from cells, runs and records from the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from itertools import product
from typing import Any, Final

import numpy as np
import pandas as pd

from core.accounting.aggregate import Rate, SharedErrors
from core.accounting.by_hour import spread
from core.accounting.columns import EMBODIED, IMPACTS, SUFFIXES, Impact
from core.accounting.covering import Overlap
from core.accounting.derive import Derived, facts_of, figures, market_rates
from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.pools import pools_of
from core.accounting.rows import SUMMED, hour_cells, numbers_of
from core.accounting.rules import Rules
from core.accounting.selectors.conditions import matches, sources_asked
from core.accounting.selectors.covering import overlap_of_hours, overlap_of_records
from core.accounting.selectors.market import pool_rates
from core.accounting.selectors.rules import rules_of
from core.catalog.selectors import sites_not_controlled
from core.factors.selectors import pack_of
from core.ledger.runs import records_of_runs, runs
from core.ledger.selectors import series_by_id
from core.quantification.activity import MEASURES

RUNS_AT_MOST: Final = 1_000
OWN_HARDWARE: Final = "3.2"
"""Scope of the embodied share of own hardware: as disclosed, it is booked in the year of purchase instead."""

MEASURED: Final = {
    measure.source: measure for measure in reversed(MEASURES) if not measure.source.endswith("utilization")
}
"""Measures that can be asked for beside the figures, by their name in the activity table."""


@dataclass(frozen=True)
class OnRead:
    """Sums as the database would give them, with what they share and the rates of their markets."""

    sums: pd.DataFrame
    errors: SharedErrors
    rates: Mapping[tuple[str, str, int], Rate]


def sums_on_read(
    organization_id: int,
    view: View,
    asked: Filter,
    measures: Sequence[str],
    impacts: Sequence[Impact],
    folded: frozenset[str],
    known: Sequence[str] = (),
) -> OnRead:
    """
    Quantify the cells of hours, or the records of runs, and filter and shape them like sums of daily rows.

    Limit: rates without instruments follow from plans that are made now, those with instruments are as derive stored them last,
    since they depend on a whole year's consumption. While derive has a change of cells, rules or instruments still to work off
    (until `watermark` is past it), market figures of hours and runs use the former cover: electricity whose rate or pool derive
    has not met yet counts as not covered. A change that is committed between the reads does the same; afterwards they agree.
    """
    rules = rules_of(organization_id)
    of_runs = asks_for_runs(asked)
    rows = run_sums(organization_id, asked, by_hour=bool(rules.profiles)) if of_runs else _hours(organization_id, asked)
    derived = derived_on_read(organization_id, view, rows, rules, whole=not of_runs)
    frame, errors = _as_sums(derived, view, asked, measures, impacts)
    kept = matches(frame, asked, sources_asked(organization_id, asked), folded)
    for name in known:
        kept &= derived.rows[known_column(name)].notna().to_numpy()
    frame = frame[kept]
    covered = pool_rates(organization_id, view.id)
    frame = frame.assign(pool=pools_of(frame, covered.pools, sites_not_controlled(organization_id)))
    rates = {
        (each.market, "", each.year): (each.rate.value, each.rate.low, each.rate.high)
        for each in market_rates(derived.plans)
    } | {key: (factor["value"], factor["low"], factor["high"]) for key, factor in covered.factors.items()}
    return OnRead(frame.reset_index(drop=True), errors, rates)


def known_column(name: str) -> str:
    """Name the column of a measure, or of a figure, whose null says that it is not known. Raises KeyError."""
    return MEASURED[name].column if name in MEASURED else _FIGURES[name]


_FIGURES: Final = {impact.name: impact.column for impact in IMPACTS}


def asks_for_runs(asked: Filter) -> bool:
    """Tell whether the answer comes from the ledger's records."""
    return "run" in asked.by or "run" in asked.dims


def derived_on_read(
    organization_id: int,
    view: View,
    rows: pd.DataFrame,
    rules: Rules,
    *,
    whole: bool,
    divided: bool = True,
    sampled: bool = True,
) -> Derived:
    """
    Derive rows of series_id, day and sums by the rules in force and the view's factors, without storing anything.

    Where some grid has hourly factors (``rules.profiles``), every row must be one hour and say which.

    Args:
        whole: the rows are every cell of whole days, by the hour; False: some records, of which then the share is taken
            that is covered of their cells.
        divided: part what better evidence covers from the rest; False: every row stays whole and counted, as one record's own
            footprint is.
        sampled: rows are sums; False: records by themselves, which stand for no other.
    """
    series = series_by_id(organization_id, rows["series_id"].unique().tolist()).rename_axis("series_id").reset_index()
    pack = pack_of(view.factor_set.content_hash)
    overlap: Overlap | None = None
    if divided:
        overlap = (overlap_of_hours if whole else overlap_of_records)(organization_id, rows, series, rules)
    return figures(rows, series, rules, pack, view.methodology, overlap=overlap, sampled=sampled)


def _hours(organization_id: int, asked: Filter) -> pd.DataFrame:
    rows = hour_cells(organization_id, asked.starts_at, asked.ends_at)
    return rows.assign(day=rows["hour"] // 24, start=pd.to_datetime(rows["hour"] * 3600, unit="s", utc=True))


def run_sums(organization_id: int, asked: Filter, *, by_hour: bool = False) -> pd.DataFrame:
    """
    Add the records of runs up by run, series and day of their start.

    Args:
        by_hour: where some grid has hourly factors: share the records out over the hours that they touch first.

    Returns:
        run, start (of the slot), day (days since 1970), series_id, ``SUMMED``; and hour (since 1970) where asked for, day being
        that of the hour then.
    """
    if "run" in asked.dims:
        names = list(asked.dims["run"])
    else:
        names = runs(organization_id, asked.starts_at, asked.ends_at, RUNS_AT_MOST)["run"].tolist()
    records = records_of_runs(organization_id, names, asked.starts_at, asked.ends_at)
    frame = records.assign(
        start=slot_of(records["started_at"].dt.floor("h" if asked.grain == "hour" else "D"), asked.grain),
        day=numbers_of(records["started_at"].dt.date.tolist()),
        records=records["counted"].astype("int64"),
    )
    keys = ["run", "start", "day", "series_id"]
    if by_hour:
        frame = record_hours(organization_id, frame)
        keys.append("hour")
    return frame.groupby(keys, sort=False)[list(SUMMED)].sum().reset_index()


def record_hours(organization_id: int, records: pd.DataFrame) -> pd.DataFrame:
    """
    Share records out over the hours that they touch, as cells hold them.

    Args:
        records: series_id, started_at, ended_at, ``SUMMED``, and what else is to be kept.

    Returns:
        One row an hour: the same but the times, with hour and day (since 1970).
    """
    grain = series_by_id(organization_id, records["series_id"].unique().tolist())["grain"]
    return spread(records, (records["series_id"].map(grain) == "day").to_numpy(dtype=bool))


def slot_of(times: pd.Series, grain: str) -> pd.Series:
    """Return the start of the slot that each time lies in; for the total, one instant for all."""
    if grain == "total":
        return pd.Series(pd.Timestamp(0, tz=UTC), index=times.index)
    if grain in ("hour", "day"):
        return times
    if grain == "week":
        return pd.Series(times - pd.to_timedelta(times.dt.day_of_week, unit="D"))
    frequency = {"month": "M", "quarter": "Q", "year": "Y"}[grain]
    return pd.Series(times.dt.tz_localize(None).dt.to_period(frequency).dt.start_time.dt.tz_localize(UTC))


def _as_sums(
    derived: Derived, view: View, asked: Filter, measures: Sequence[str], impacts: Sequence[Impact]
) -> tuple[pd.DataFrame, SharedErrors]:
    """Shape derived rows like the sums of the database: floats in kWh, kg and L beside their dimensions."""
    rows = derived.rows
    of_row = rows["resolved"].to_numpy()
    facts = [facts_of(plan, view.methodology) for plan in derived.plans]
    error_keys = pd.factorize(np.array([fact.shared_error_key for fact in facts], dtype=object))[0]
    columns: dict[str, Any] = {
        "start": rows["start"].to_numpy(),
        "year": np.array([plan.use.year for plan in derived.plans], dtype=np.int64)[of_row],
        "shared_error_id": error_keys[of_row],
        "records": rows["records"].to_numpy(dtype=float),
        "requests": rows["requests"].to_numpy(dtype=float, na_value=0.0),
        **{name: derived.resolved[name].to_numpy()[of_row] for name in derived.resolved.columns},
        **{
            name: np.array([getattr(plan, name) for plan in derived.plans], dtype=object)[of_row]
            for name in ("method", "scope", "scope_upstream", "scope_embodied")
        },
    }
    if "run" in rows:
        columns["run"] = rows["run"].to_numpy()
    for name in measures:
        column = rows[MEASURED[name].column].to_numpy(dtype=float, na_value=np.nan)
        columns[name] = column / MEASURED[name].per_unit
    for impact, suffix in product(impacts, SUFFIXES):
        values = rows[impact.column + suffix].to_numpy(dtype=float, na_value=np.nan) / impact.per_unit
        if impact is EMBODIED and asked.booking == "disclosed":
            values = np.where(columns["scope_embodied"] == OWN_HARDWARE, np.nan, values)
        columns[impact.name + suffix] = values
    frame = pd.DataFrame(columns)
    frame["start"] = pd.to_datetime(frame["start"], utc=True)
    by_error = dict(zip(error_keys.tolist(), (fact.shared_error for fact in facts), strict=True))
    names = ("group", "zone_group", "market", "widths")
    return frame, SharedErrors(*({key: each[name] for key, each in by_error.items()} for name in names))
