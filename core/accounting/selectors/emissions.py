"""
The aggregates behind every page, the API and the command: daily rows of the current view, added up.

Sums are of integers, in the database; they become kWh, kg and L at its edge. Hours are quantified from cells on read, and
runs from the ledger's records.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from typing import Any, Final

import pandas as pd
from django.db import connection

from core.accounting.aggregate import (
    REPORTED,
    RESOURCES,
    Bounds,
    Rate,
    SharedErrors,
    added_up,
    by_scope,
    named_unattributed,
    plain_rows,
    rebooked,
    reported,
    with_interval,
    with_market,
)
from core.accounting.columns import EMBODIED, ENERGY_FACILITY, LOCATION, MARKET, SUFFIXES, Impact
from core.accounting.figures import Filter, FilterError
from core.accounting.models import MarketRate, SharedError, View
from core.accounting.pools import pool_sql
from core.accounting.selectors.conditions import (
    columns_of,
    conditions,
    folded_teams_of,
    needs_scopes,
    source_names,
    unfolded,
)
from core.accounting.selectors.disclosed import as_sums, bridge_of, joined, lines_of, scope_3_once
from core.accounting.selectors.on_read import MEASURED, OWN_HARDWARE, asks_for_runs, known_column, sums_on_read
from core.accounting.selectors.remembered import remembered
from core.accounting.selectors.views import current_view, watermark
from core.accounting.small_groups import SMALL_GROUPS
from core.catalog.selectors import sites_not_controlled
from core.organizations.tenancy import once_a_snapshot, organization_snapshot
from core.quantification.booking import Bridge
from core.quantification.register_lines import Line

HOURS_AT_MOST: Final = timedelta(days=62)
MONTHLY_GRAINS: Final = ("total", "month", "quarter", "year")


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

            No row where there are no records: an empty period has no rows, with grain total too. Booked as disclosed, entries
            of the register are rows as well: scope 1 as electricity is, purchases and retirements as embodied; and what is
            not scope 2 has its location-based figure as ``market_kg_co2e`` too, as an inventory has scope 3 once.
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
    resources: bool = False,
    bounds: Bounds = True,
    known: Sequence[str] = (),
    view: View | None = None,
) -> EmissionsResult:
    """
    Add the figures of the current view up.

    Args:
        asked: period, dimensions, grouping, basis, parts, role and booking.
        measures: further measures to add up, by their name in the activity table: ``output_tokens``, ``device_hours``, ...
        resources: answer ``primary_energy_mj`` and ``adpe_kg_sbeq`` too, after the water.
        bounds: which figures get an interval: all, none, or those of these names. Intervals cost more than the sums, so charts,
            shares and tables ask for those that they show.
        known: count only what knows all of these measures (as above) and figures: an intensity divides by them.
        view: another view than the current one, such as a rehearsal.

    Returns:
        See `EmissionsResult`.

    Raises:
        FilterError: hours over more than 62 days.
    """
    if asked.grain == "hour" and asked.ends_at - asked.starts_at > HOURS_AT_MOST:
        raise FilterError("grain", f"Hours are answered for up to {HOURS_AT_MOST.days} days; choose a shorter period.")
    impacts = (*REPORTED, *RESOURCES) if resources else REPORTED
    with organization_snapshot(organization_id):
        as_of = watermark(organization_id)
        view = view or current_view(organization_id)
        if view is None:
            return EmissionsResult(_empty(asked, measures, impacts, bounds=bounds), as_of, asked, None)
        answer = partial(_rows, organization_id, view, asked, measures, impacts, known, bounds=bounds)
        if asked.grain == "hour" or asks_for_runs(asked) or asked.booking == "disclosed":
            return EmissionsResult(answer(), as_of, asked, view.id)  # from cells, records and the register as well
        question = {
            "emissions": asked.as_dict(),
            "measures": list(measures),
            "impacts": [impact.name for impact in impacts],
            "known": list(known),
            "bounds": bounds if isinstance(bounds, bool) else sorted(bounds),
            "folded": sorted(folded_teams_of(organization_id)),
            "sources": source_names(organization_id),
            "not controlled": sorted(sites_not_controlled(organization_id)),
        }
        rows = remembered(organization_id, view, (asked.from_day, asked.to_day), question, answer)
    return EmissionsResult(rows, as_of, asked, view.id)


def _rows(
    organization_id: int,
    view: View,
    asked: Filter,
    measures: Sequence[str],
    impacts: Sequence[Impact],
    known: Sequence[str],
    *,
    bounds: Bounds,
) -> pd.DataFrame:
    """Find the rows of the answer in the database."""
    folded = folded_teams_of(organization_id)
    widened = unfolded(asked, folded)
    if asked.grain == "hour" or asks_for_runs(asked):
        read = sums_on_read(organization_id, view, widened, measures, impacts, folded, known)
        sums, errors, rates = read.sums, read.errors, read.rates
    else:
        sided = _sided(bounds, asked, impacts)
        sums, rates = sums_of_days(organization_id, view, widened, measures, impacts, folded, known, sided)
        errors = shared_errors(organization_id, sums["shared_error_id"].unique().tolist())
    if asked.booking == "disclosed" and not known and (lines := lines_of(organization_id, view, widened, folded)):
        of_register, own = as_sums(organization_id, lines, asked, measures, impacts, folded)
        sums = pd.concat([sums, of_register], ignore_index=True) if len(sums) else of_register
        errors = joined(errors, own)
    if needs_scopes(widened):
        sums = rebooked(sums, sites_not_controlled(organization_id))
    sources = source_names(organization_id)
    return _reported(sums, asked, folded, errors, rates, sources, measures, impacts, bounds=bounds)


def disclosure_bridge(
    organization_id: int, asked: Filter, *, view: View | None = None
) -> tuple[Bridge, list[Line]] | None:
    """
    Lead from one booking of a period to the other, summing exactly in integers; None before anything was derived.

    Args:
        asked: period, dimensions and basis; its grouping, parts and booking are not looked at.
        view: another view than the current one.

    Returns:
        The bridge and the lines of the register that are in it, both of one moment.
    """
    with organization_snapshot(organization_id):
        view = view or current_view(organization_id)
        if view is None:
            return None
        folded = folded_teams_of(organization_id)
        widened = unfolded(asked, folded)
        return bridge_of(organization_id, view, widened, folded=folded)


def _reported(
    sums: pd.DataFrame,
    asked: Filter,
    folded: frozenset[str],
    errors: SharedErrors,
    rates: Mapping[tuple[str, str, int], Rate],
    sources: dict[int, str],
    measures: Sequence[str],
    impacts: Sequence[Impact],
    *,
    bounds: Bounds,
) -> pd.DataFrame:
    sums = with_market(sums, errors, rates).assign(kept_records=sums["records"])  # which each scope will need
    if asked.booking == "disclosed":
        sums = scope_3_once(sums, errors)
    if folded and not {"team", "project"}.isdisjoint(asked.by):
        for name in ("project", "team"):
            if name in asked.by:
                sums[name] = sums[name].mask(sums["team"].isin(folded), SMALL_GROUPS)
    if "source" in asked.by:
        sums["source"] = sums["source_id"].map(sources)
    if "scope" in (*asked.by, *asked.dims):
        sums = by_scope(sums, impacts, measures)
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
        impacts=impacts,
        bounds=bounds,
    )
    return named_unattributed(rows, asked.by)


def _sided(bounds: Bounds, asked: Filter, impacts: Sequence[Impact]) -> set[str]:
    """Name the figures whose low and high are read: market figures follow from energy, and may take those of location."""
    wanted = with_interval(bounds, added_up(asked.basis, asked.include), impacts)
    return wanted | {ENERGY_FACILITY.name, LOCATION.name} if MARKET.name in wanted else wanted


def _empty(asked: Filter, measures: Sequence[str], impacts: Sequence[Impact], *, bounds: Bounds) -> pd.DataFrame:
    """Answer without rows, in the columns of an answer with rows."""
    names = ["shared_error_id", "year", "start", *asked.by, "records", "requests", *measures]
    names += ["market_below", "market_above"]
    sums = pd.DataFrame(
        columns=[*names, *(impact.name + suffix for impact, suffix in product(impacts, SUFFIXES))], dtype=float
    )
    sums["start"] = pd.to_datetime(sums["start"], utc=True)
    nothing = SharedErrors({}, {}, {}, {})
    keys = [*(["start"] if asked.grain != "total" else []), *asked.by]
    return reported(
        sums, keys, nothing, basis=asked.basis, include=asked.include, measures=measures, impacts=impacts, bounds=bounds
    )


# --- sums in the database ---------------------------------------------------------------------------------------------


def sums_of_days(
    organization_id: int,
    view: View,
    asked: Filter,
    measures: Sequence[str],
    impacts: Sequence[Impact],
    folded: frozenset[str],
    known: Sequence[str],
    sided: Collection[str],
) -> tuple[pd.DataFrame, Mapping[RateOf, Rate]]:
    """
    Add integers up by slot, dimensions, shared error, year and pool of the market rate; convert to kWh, kg and L.

    `sided` are the figures that are read with their low and high.

    Sums and rates come from one statement, so no sum is weighed by a rate that was made for another. The statement has to
    know the pools; where they change in between it is made anew.
    """
    pools = pools_with_rates(organization_id, view.id)
    for _ in range(ATTEMPTS):
        elsewhere = sites_not_controlled(organization_id) if pools else frozenset()  # pools alone ask for them
        sums, rates, found = _summed(
            organization_id, view, asked, measures, impacts, folded, known, sided, pools, elsewhere
        )
        if found == pools:
            return sums, rates
        pools = found
    raise RuntimeError(f"The pools of view {view.id} changed {ATTEMPTS} times while they were read.")


ATTEMPTS: Final = 5
RateOf = tuple[str, str, int]


def _summed(
    organization_id: int,
    view: View,
    asked: Filter,
    measures: Sequence[str],
    impacts: Sequence[Impact],
    folded: frozenset[str],
    known: Sequence[str],
    sided: Collection[str],
    pools: frozenset[str],
    elsewhere: frozenset[str],
) -> tuple[pd.DataFrame, Mapping[RateOf, Rate], frozenset[str]]:
    """
    Read sums, rates and the pools that have rates in one snapshot.

    In one order, whatever plan the database takes and in which order series were met first: floats are added up after this.
    """
    table, day = rows_table(asked)
    pool, pool_values = pool_sql(pools, elsewhere)
    start = _START[asked.grain].format(day=f"d.{day}")
    groups = {
        "start": start,
        **{name: f"r.{name}" for name in columns_of(asked, folded)},
        "shared_error_id": "r.shared_error_id",
        "year": f"extract(year from d.{day})::int",
        "pool": pool,
    }
    sums = {
        "records": "sum(d.records)::float8",
        "requests": "coalesce(sum(d.requests), 0)::float8",
        **{name: f"sum(d.{MEASURED[name].column})::float8 / {MEASURED[name].per_unit}" for name in measures},
    }
    for impact, suffix in product(impacts, SUFFIXES):
        if suffix and impact.name not in sided:
            continue
        column = f"sum(d.{impact.column}{suffix})"
        if impact is EMBODIED and asked.booking == "disclosed":
            column += f" filter (where r.scope_embodied is distinct from '{OWN_HARDWARE}')"
        sums[impact.name + suffix] = f"{column}::float8 / {impact.per_unit}"
    where, values = conditions(organization_id, asked)
    where += "".join(f" and d.{known_column(name)} is not null" for name in known)
    ordered = ", ".join(f's."{name}"' for name in groups if name != "shared_error_id")
    selected = ", ".join(f'{expression} as "{name}"' for name, expression in (groups | sums).items())
    with connection.cursor() as cursor:
        cursor.execute(
            f"with s as (select {selected} from {table} d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            f" where d.organization_id = %s and d.view_id = %s and d.{day} >= %s and d.{day} <= %s and {where}"
            f" group by {', '.join(str(position) for position in range(1, len(groups) + 1))}),"
            " m as (select market, pool, extract(year from period_start)::int as year, g_per_kwh, g_per_kwh_low,"
            "  g_per_kwh_high from accounting_marketrate where organization_id = %s and view_id = %s)"
            " select s.*, e.market, case when o.market is null then array[b.g_per_kwh, b.g_per_kwh_low, b.g_per_kwh_high]"
            "  else array[o.g_per_kwh, o.g_per_kwh_low, o.g_per_kwh_high] end,"
            "  (select array_agg(distinct pool) from m where pool <> '') from s"
            " join accounting_sharederror e on e.organization_id = %s and e.id = s.shared_error_id"
            " left join m o on o.market = e.market and o.pool = s.pool and o.year = s.year"
            " left join m b on b.market = e.market and b.pool = '' and b.year = s.year"
            f" order by e.key, {ordered}",
            [
                *(*pool_values, organization_id, view.id, asked.from_day, asked.to_day, *values),
                *(organization_id, view.id, organization_id),
            ],
        )
        rows = cursor.fetchall()
    joined = [*groups, *sums, "market", "rate", "pools"]
    frame = pd.DataFrame(rows, columns=joined)
    rates = {
        (market, pool, year): (rate[0], rate[1], rate[2])
        for market, pool, year, rate in frame[["market", "pool", "year", "rate"]].itertuples(index=False)
        if market is not None and rate[0] is not None
    }
    found = frozenset(rows[0][-1] or ()) if rows else pools
    frame = frame[[*groups, *sums]]
    frame[list(sums)] = frame[list(sums)].astype(float)
    frame["start"] = pd.to_datetime(frame["start"], utc=True)
    return frame, rates, found


_START: Final = {
    "total": "null::date",
    "day": "{day}",
    "week": "date_trunc('week', {day}::timestamp)::date",
    "month": "date_trunc('month', {day}::timestamp)::date",
    "quarter": "date_trunc('quarter', {day}::timestamp)::date",
    "year": "date_trunc('year', {day}::timestamp)::date",
}


def rows_table(asked: Filter) -> tuple[str, str]:
    """Choose the monthly sums where the period is of whole months and no slot is shorter than one."""
    whole = asked.from_day.day == 1 and (asked.to_day + timedelta(days=1)).day == 1
    return ("accounting_monthly", "month") if whole and asked.grain in MONTHLY_GRAINS else ("accounting_daily", "day")


def shared_errors(organization_id: int, ids: list[int]) -> SharedErrors:
    """Read what sums share; each row once in a snapshot, where many figures are of the same."""
    known = _errors_read(organization_id)
    missing = [each for each in ids if each not in known]
    if missing:
        found = SharedError.objects.filter(organization_id=organization_id, id__in=missing)
        known |= {row[0]: row[1:] for row in found.values_list("id", "group", "zone_group", "market", "widths")}
    return SharedErrors(*({each: known[each][at] for each in ids} for at in range(4)))


@once_a_snapshot
def _errors_read(organization_id: int) -> dict[int, tuple[Any, ...]]:
    """Give the rows that the snapshot has read so far, to be added to."""
    return {}


@once_a_snapshot
def pools_with_rates(organization_id: int, view_id: int) -> frozenset[str]:
    """List the pools that instruments have made rates for."""
    rates = MarketRate.objects.filter(organization_id=organization_id, view_id=view_id).exclude(pool="")
    pools = rates.values_list("pool", flat=True).distinct()
    return frozenset(pools)
