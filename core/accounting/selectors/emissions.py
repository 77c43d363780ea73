"""
The aggregates behind every page, the API and the command: daily rows of the current view, added up.

Sums are of integers, in the database; they become kWh, kg and L at its edge. Hours are quantified from cells on read, and
runs from the ledger's records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
import pandas as pd
from django.db import connection

from core.accounting.aggregate import (
    REPORTED,
    Rate,
    SharedErrors,
    by_scope,
    named_unattributed,
    plain_rows,
    reported,
    with_market,
)
from core.accounting.columns import EMBODIED, SUFFIXES
from core.accounting.derive import Derived, facts_of, figures, market_rates
from core.accounting.figures import ATTRIBUTION, UNATTRIBUTED, Filter, FilterError
from core.accounting.models import MarketRate, SharedError, View
from core.accounting.rows import SUMMED, hour_cells, numbers_of
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.views import current_view, watermark
from core.accounting.small_groups import SMALL_GROUPS, folded_teams, unfolded_filter
from core.factors.selectors import pack_of
from core.ledger.models import Source
from core.ledger.selectors import records_of_run, runs, series_by_id
from core.organizations.models import Organization, Team
from core.organizations.tenancy import organization_scope
from core.quantification.activity import MEASURES

HOURS_AT_MOST: Final = timedelta(days=62)
RUNS_AT_MOST: Final = 1_000
MONTHLY_GRAINS: Final = ("total", "month", "quarter", "year")
OWN_HARDWARE: Final = "3.2"
"""Scope of the embodied share of own hardware: as disclosed, it is booked in the year of purchase instead."""

MEASURED: Final = {
    measure.source: measure for measure in reversed(MEASURES) if not measure.source.endswith("utilization")
}
"""Measures that can be asked for beside the figures, by their name in the activity table."""

_FLOATS: Final = tuple((impact, suffix) for impact in REPORTED for suffix in SUFFIXES)


@dataclass(frozen=True)
class EmissionsResult:
    """
    Aggregated figures.

    Args:
        rows: one per slot of time and combination of ``filter.by``, ordered by them (nulls last). Columns:

            - ``start`` (datetime64, UTC), unless the grain is total: first instant of the slot;
            - one per dimension of ``filter.by``, named as it: text, ``unattributed`` where nobody is known (team, project,
              application, task, environment), None for any other unknown, ``small groups`` for folded teams;
            - ``records``, ``requests`` (int64), then the measures that were asked for (float64, in their unit);
            - float64, NaN where not known: ``energy_it_kwh``, ``energy_facility_kwh``, ``location_kg_co2e``,
              ``market_kg_co2e``, ``upstream_kg_co2e``, ``embodied_kg_co2e``, ``total_kg_co2e``, ``water_l``, each followed
              by ``<name>_low`` and ``<name>_high``: the reported interval (methodology 9.4), unless ``bounds=False``.

            No row where there are no records: an empty period has no rows, with grain total too.
        as_of: every record that was written before is in the figures; UTC.
        filter: what was asked for.
        view_id: the view that was read; None before anything was derived.
    """

    rows: pd.DataFrame
    as_of: datetime
    filter: Filter
    view_id: int | None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON of contracts.md section 3: plain values, null for what is not known."""
        return {
            "filter": self.filter.as_dict(),
            "as_of": self.as_of.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "rows": plain_rows(self.rows),
        }


def emissions(
    organization_id: int,
    asked: Filter,
    *,
    measures: Sequence[str] = (),
    bounds: bool = True,
    view: View | None = None,
) -> EmissionsResult:
    """
    Add the figures of the current view up.

    Args:
        asked: period, dimensions, grouping, basis, parts, role and booking.
        measures: further measures to add up, by their name in the activity table: ``output_tokens``, ``device_hours``, ...
        bounds: False leaves the intervals out, which cost more than the sums; for charts and shares that show none.
        view: another view than the current one, such as a rehearsal.

    Returns:
        See `EmissionsResult`.

    Raises:
        FilterError: hours over more than 62 days.
    """
    if asked.grain == "hour" and asked.ends_at - asked.starts_at > HOURS_AT_MOST:
        raise FilterError("grain", f"Hours are answered for up to {HOURS_AT_MOST.days} days; choose a shorter period.")
    with organization_scope(organization_id):
        as_of = watermark(organization_id)
        view = view or current_view(organization_id)
        if view is None:
            return EmissionsResult(_empty(asked, measures, bounds=bounds), as_of, asked, None)
        folded = _folded(organization_id)
        widened = _unfolded(asked, folded)
        if asked.grain == "hour" or "run" in asked.by or "run" in asked.dims:
            sums, errors, rates = _on_read(organization_id, view, widened, measures)
        else:
            sums = _sums(organization_id, view, widened, measures)
            errors = _errors(organization_id, sums["shared_error_id"].unique().tolist())
            rates = {}
        rates = rates | _rates(organization_id, view, widened)
        sources = _source_names(organization_id)
    rows = _reported(sums, asked, folded, errors, rates, sources, measures, bounds=bounds)
    return EmissionsResult(rows, as_of, asked, view.id)


def _reported(
    sums: pd.DataFrame,
    asked: Filter,
    folded: frozenset[str],
    errors: SharedErrors,
    rates: Mapping[tuple[str, str, int], Rate],
    sources: dict[int, str],
    measures: Sequence[str],
    *,
    bounds: bool,
) -> pd.DataFrame:
    sums = with_market(sums, errors, rates)
    if "team" in asked.by and folded:
        sums["team"] = sums["team"].map(lambda team: SMALL_GROUPS if team in folded else team)
        if "project" in asked.by:
            sums.loc[sums["team"] == SMALL_GROUPS, "project"] = SMALL_GROUPS
    if "source" in asked.by:
        sums["source"] = sums["source_id"].map(sources)
    if "scope" in (*asked.by, *asked.dims):
        sums = by_scope(sums)
        if "scope" in asked.dims:
            sums = sums[sums["scope"].isin(asked.dims["scope"])]
    keys = [*(["start"] if asked.grain != "total" else []), *asked.by]
    rows = reported(
        sums.reset_index(drop=True),
        keys,
        errors,
        basis=asked.basis,
        include=asked.include,
        measures=measures,
        bounds=bounds,
    )
    return named_unattributed(rows, asked.by)


def _empty(asked: Filter, measures: Sequence[str], *, bounds: bool) -> pd.DataFrame:
    """Answer without rows, in the columns of an answer with rows."""
    names = ["shared_error_id", "year", "start", *asked.by, "records", "requests", *measures]
    sums = pd.DataFrame(columns=[*names, *(impact.name + suffix for impact, suffix in _FLOATS)], dtype=float)
    sums["start"] = pd.to_datetime(sums["start"], utc=True)
    nothing = SharedErrors({}, {}, {}, {}, {})
    keys = [*(["start"] if asked.grain != "total" else []), *asked.by]
    return reported(sums, keys, nothing, basis=asked.basis, include=asked.include, measures=measures, bounds=bounds)


# --- sums in the database ---------------------------------------------------------------------------------------------


def _sums(organization_id: int, view: View, asked: Filter, measures: Sequence[str]) -> pd.DataFrame:
    """Add integers up by slot, dimensions, shared error and year of the market rate; convert to kWh, kg and L."""
    table, day = _table(asked)
    start = _START[asked.grain].format(day=f"d.{day}")
    groups = {
        "start": start,
        **{name: f"r.{name}" for name in _columns_of(asked)},
        "shared_error_id": "r.shared_error_id",
        "year": f"extract(year from d.{day})::int",
    }
    sums = {
        "records": "sum(d.records)::float8",
        "requests": "coalesce(sum(d.requests), 0)::float8",
        **{name: f"sum(d.{MEASURED[name].column})::float8 / {MEASURED[name].per_unit}" for name in measures},
    }
    for impact, suffix in _FLOATS:
        column = f"sum(d.{impact.column}{suffix})"
        if impact is EMBODIED and asked.booking == "disclosed":
            column += f" filter (where r.scope_embodied is distinct from '{OWN_HARDWARE}')"
        sums[impact.name + suffix] = f"{column}::float8 / {impact.per_unit}"
    conditions, values = _conditions(organization_id, asked)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {', '.join(groups.values())}, {', '.join(sums.values())} from {table} d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            f" where d.organization_id = %s and d.view_id = %s and d.{day} >= %s and d.{day} <= %s and {conditions}"
            f" group by {', '.join(str(position) for position in range(1, len(groups) + 1))}",
            [organization_id, view.id, asked.from_day, asked.to_day, *values],
        )
        frame = pd.DataFrame(cursor.fetchall(), columns=[*groups, *sums])
    frame[list(sums)] = frame[list(sums)].astype(float)
    frame["start"] = pd.to_datetime(frame["start"], utc=True)
    return frame


_START: Final = {
    "total": "null::date",
    "day": "{day}",
    "week": "date_trunc('week', {day}::timestamp)::date",
    "month": "date_trunc('month', {day}::timestamp)::date",
    "quarter": "date_trunc('quarter', {day}::timestamp)::date",
    "year": "date_trunc('year', {day}::timestamp)::date",
}


def _table(asked: Filter) -> tuple[str, str]:
    """Choose the monthly sums where the period is of whole months and no slot is shorter than one."""
    whole = asked.from_day.day == 1 and (asked.to_day + timedelta(days=1)).day == 1
    return ("accounting_monthly", "month") if whole and asked.grain in MONTHLY_GRAINS else ("accounting_daily", "day")


def _columns_of(asked: Filter) -> list[str]:
    """Name the columns of resolved series that an answer is grouped by."""
    columns = ["source_id" if name == "source" else name for name in asked.by if name not in ("scope", "run")]
    if "scope" in (*asked.by, *asked.dims):
        columns += ["scope", "scope_upstream", "scope_embodied"]
    return columns


def _conditions(organization_id: int, asked: Filter) -> tuple[str, list[Any]]:
    """Write the filters on resolved series as SQL."""
    conditions, values = ["r.role = any(%s)"], [list(asked.role)]
    for name, allowed in asked.dims.items():
        if name in ("scope", "run"):
            continue
        known, nobody = _known_values(name, allowed)
        if name == "source":
            condition = "r.source_id in (select id from ledger_source where organization_id = %s and name = any(%s))"
            conditions.append(condition)
            values += [organization_id, known]
        elif name == "technique":
            conditions.append("r.techniques && %s::text[]")
            values.append(known)
        else:
            conditions.append(f"(r.{name} = any(%s)" + (f" or r.{name} is null)" if nobody else ")"))
            values.append(known)
    return " and ".join(conditions), values


def _known_values(name: str, allowed: Sequence[str]) -> tuple[list[str], bool]:
    """Part a filter's values into names and nobody; nobody is ``unattributed``, elsewhere the empty text."""
    nobody = UNATTRIBUTED if name in ATTRIBUTION else ""
    return [value for value in allowed if value != nobody], nobody in allowed


def _errors(organization_id: int, ids: list[int]) -> SharedErrors:
    rows = list(SharedError.objects.filter(organization_id=organization_id, id__in=ids))
    return SharedErrors(
        group={row.id: row.group for row in rows},
        zone_group={row.id: row.zone_group for row in rows},
        market={row.id: row.market for row in rows},
        pool={row.id: row.pool for row in rows},
        widths={row.id: row.widths for row in rows},
    )


def _rates(organization_id: int, view: View, asked: Filter) -> dict[tuple[str, str, int], Rate]:
    """Read the market rates of the period's years, by market, pool and year."""
    found = MarketRate.objects.filter(
        organization_id=organization_id,
        view_id=view.id,
        period_start__lte=asked.to_day,
        period_end__gt=date(asked.from_day.year, 1, 1),
        g_per_kwh__isnull=False,
    )
    columns = ("market", "pool", "period_start", "g_per_kwh", "g_per_kwh_low", "g_per_kwh_high")
    return {
        (market, pool, start.year): (value, low, high)
        for market, pool, start, value, low, high in found.values_list(*columns)
    }


def _source_names(organization_id: int) -> dict[int, str]:
    return dict(Source.objects.filter(organization_id=organization_id).values_list("id", "name"))


# --- small groups -----------------------------------------------------------------------------------------------------


def _folded(organization_id: int) -> frozenset[str]:
    minimum = Organization.objects.values_list("minimum_group_size", flat=True).get(id=organization_id)
    return folded_teams(
        dict(Team.objects.filter(organization_id=organization_id).values_list("name", "head_count")), minimum
    )


def _unfolded(asked: Filter, folded: frozenset[str]) -> Filter:
    if "team" not in asked.dims:
        return asked
    return replace(asked, dims={**asked.dims, "team": unfolded_filter(asked.dims["team"], folded)})


# --- figures on read --------------------------------------------------------------------------------------------------


def _on_read(
    organization_id: int, view: View, asked: Filter, measures: Sequence[str]
) -> tuple[pd.DataFrame, SharedErrors, dict[tuple[str, str, int], Rate]]:
    """Quantify cells by the hour, or the records of runs, and filter and shape them like `_sums`."""
    if "run" in asked.by or "run" in asked.dims:
        rows = _run_sums(organization_id, asked)
    else:
        rows = hour_cells(organization_id, asked.starts_at, asked.ends_at)
        rows["day"] = rows["hour"] // 24
        rows["start"] = pd.to_datetime(rows["hour"] * 3600, unit="s", utc=True)
    series = series_by_id(organization_id, rows["series_id"].unique().tolist()).rename_axis("series_id").reset_index()
    pack = pack_of(view.factor_set.content_hash)
    derived = figures(rows, series, rules_of(organization_id), pack, view.methodology)
    frame, errors = _as_sums(derived, view, asked, measures)
    frame = frame[_matches(frame, asked, _source_names(organization_id))]
    rates = {
        (each.market, "", each.year): (each.rate.value, each.rate.low, each.rate.high)
        for each in market_rates(derived.plans)
    }
    return frame.reset_index(drop=True), errors, rates


def _run_sums(organization_id: int, asked: Filter) -> pd.DataFrame:
    """Add the records of runs up by run, series and day of their start."""
    if "run" in asked.dims:
        names = list(asked.dims["run"])
    else:
        names = runs(organization_id, asked.starts_at, asked.ends_at, RUNS_AT_MOST)["run"].tolist()
    parts = []
    for name in names:
        records = records_of_run(organization_id, name)
        records = records[(records["started_at"] >= asked.starts_at) & (records["started_at"] < asked.ends_at)]
        hours = records["started_at"].dt.floor("h" if asked.grain == "hour" else "D")
        frame = records.assign(
            run=name,
            start=_slot(hours, asked.grain),
            day=numbers_of(records["started_at"].dt.date.tolist()),
            records=records["counted"].astype("int64"),
        )
        grouped = frame.groupby(["run", "start", "day", "series_id"], sort=False)
        parts.append(grouped[list(SUMMED)].sum().reset_index())
    columns = ["run", "start", "day", "series_id", *SUMMED]
    if not parts:
        empty = pd.DataFrame({name: pd.Series(dtype="int64") for name in columns})
        empty["start"] = pd.to_datetime(empty["start"], utc=True)
        return empty
    return pd.concat(parts, ignore_index=True)


def _slot(times: pd.Series, grain: str) -> pd.Series:
    """Return the start of the slot that each time lies in; for the total, one instant for all."""
    if grain == "total":
        return pd.Series(pd.Timestamp(0, tz=UTC), index=times.index)
    if grain in ("hour", "day"):
        return times
    if grain == "week":
        return times - pd.to_timedelta(times.dt.weekday, unit="D")
    frequency = {"month": "M", "quarter": "Q", "year": "Y"}[grain]
    return times.dt.tz_localize(None).dt.to_period(frequency).dt.start_time.dt.tz_localize(UTC)


def _as_sums(derived: Derived, view: View, asked: Filter, measures: Sequence[str]) -> tuple[pd.DataFrame, SharedErrors]:
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
    for impact, suffix in _FLOATS:
        values = rows[impact.column + suffix].to_numpy(dtype=float, na_value=np.nan) / impact.per_unit
        if impact is EMBODIED and asked.booking == "disclosed":
            values = np.where(columns["scope_embodied"] == OWN_HARDWARE, np.nan, values)
        columns[impact.name + suffix] = values
    frame = pd.DataFrame(columns)
    frame["start"] = pd.to_datetime(frame["start"], utc=True)
    by_error = dict(zip(error_keys.tolist(), (fact.shared_error for fact in facts), strict=True))
    names = ("group", "zone_group", "market", "pool", "widths")
    return frame, SharedErrors(*({key: each[name] for key, each in by_error.items()} for name in names))


def _matches(frame: pd.DataFrame, asked: Filter, sources: dict[int, str]) -> pd.Series:
    """Apply the filters of `_conditions` to rows derived on read."""
    kept = frame["role"].isin(asked.role)
    for name, allowed in asked.dims.items():
        if name in ("scope", "run"):
            continue
        known, nobody = _known_values(name, allowed)
        if name == "technique":
            kept &= frame["techniques"].map(lambda own, known=known: not set(known).isdisjoint(own)).astype(bool)
        elif name == "source":
            kept &= frame["source_id"].map(sources).isin(known)
        else:
            kept &= frame[name].isin(known) | (frame[name].isna() if nobody else False)
    return kept
