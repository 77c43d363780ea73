"""Fetch what the tree behind a figure is made of: plans as the view used them, sums of measures, sources, cells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd
from django.db import connection

from core.accounting.aggregate import TOTAL
from core.accounting.columns import ENERGY_FACILITY, LOCATION
from core.accounting.derive import HOURS_A_DAY, OUT_OF_RANGE, Derived, Integers, with_note, without_impacts
from core.accounting.explain import FIGURES, UNITS, Used, parts_of, register_branches, tree
from core.accounting.figures import ROLES, Filter, FilterError
from core.accounting.models import Plan as StoredPlan
from core.accounting.models import View
from core.accounting.pools import pool_sql, pools_of
from core.accounting.rows import dates_of, numbers_of
from core.accounting.selectors.conditions import (
    conditions,
    folded_teams_of,
    matches,
    source_names,
    sources_asked,
    unfolded,
)
from core.accounting.selectors.disclosed import lines_of
from core.accounting.selectors.emissions import emissions
from core.accounting.selectors.market import PoolRates, pool_rates
from core.accounting.selectors.on_read import asks_for_runs, derived_on_read, record_hours, run_sums
from core.accounting.selectors.remembered import remembered
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.views import current_view
from core.accounting.small_groups import SMALL_GROUPS
from core.catalog.selectors import sites_not_controlled
from core.factors.selectors import pack_of
from core.ledger.selectors import corrections_of, find_record
from core.organizations.tenancy import organization_scope
from core.quantification import units
from core.quantification.activity import MEASURE_COLUMNS
from core.quantification.cells import to_units
from core.quantification.methods import methodology_of
from core.quantification.money_beside_use import BESIDE_USE
from core.quantification.overrides import Override
from core.quantification.pack import FactorPack
from core.quantification.plan import Plan, make_plan, with_grid_value, with_market_rate
from core.quantification.records import to_activity
from core.quantification.sampling import SHARE
from core.quantification.use import USE_TEXT, Use

LOAD: Final = (ENERGY_FACILITY.column, LOCATION.column)
"""What the mean of an hourly grid factor is found from."""

SUBJECT: Final = ("team", "project", "model", "hardware", "instance_type", "provider", "region", "zone", "stage")
"""Dimensions that say what a plan is about."""


class NothingToExplain(LookupError):
    """There is no such record, or no figure has been derived yet; the message says which."""


def explain(
    organization_id: int,
    asked: Filter,
    *,
    impact: str = TOTAL,
    record_id: str | None = None,
    view: View | None = None,
) -> dict[str, Any]:
    """
    Build the tree behind a figure, or behind one record.

    Args:
        asked: the figure's filter; its grouping and grain are not looked at.
        impact: an impact of contracts.md section 5, or ``total_kg_co2e``.
        record_id: only this record, by the sender's id. It must be one that the filter's dimensions keep; its day is not
            looked at.
        view: another view than the current one.

    Returns:
        Plain values that JSON takes: ``impact``, ``unit``, ``value``, ``low``, ``high`` (the reported interval; of a record
        its own bounds), ``explained`` (the sum of the branches), ``rounding`` (of rows to 1e-12 kWh, 1e-9 kg and 1e-9 L:
        value = explained + rounding; None where one of them is not known), ``parts``, ``records``, ``as_of``, ``filter``,
        ``view``, ``methodology``, ``factor_set``, ``factor_set_name``, and what `core.accounting.explain.tree` gives.

    Raises:
        FilterError: there is no such figure. NothingToExplain: no such record, or nothing was derived yet.
    """
    if impact not in FIGURES:
        raise FilterError("impact", f"{impact!r} is not one of {', '.join(FIGURES)}.")
    with organization_scope(organization_id):
        view = view or current_view(organization_id)
        if view is None:
            raise NothingToExplain("No figure has been derived yet.")
        folded = folded_teams_of(organization_id)
        widened = unfolded(asked, folded)
        if record_id is not None:
            used = _record(organization_id, view, widened, record_id)
        elif asks_for_runs(widened):
            used = _runs(organization_id, view, widened)
        else:
            used = _period(organization_id, view, widened)
        used = [_folded(use, folded) for use in used]
        whole = _whole(organization_id, view, asked, impact) if record_id is None else {}
        corrections = [] if record_id is None else _corrections(organization_id, record_id)
        entered = asked.booking == "disclosed" and record_id is None
        lines = lines_of(organization_id, view, widened, folded) if entered else []
    parts = parts_of(impact, asked)
    branches = tree(used, parts, asked) | {"register": register_branches(lines, parts, asked)}
    if branches["register"]:
        branches["explained"] = (branches["explained"] or 0.0) + sum(each["value"] for each in branches["register"])
    if record_id is not None:
        whole = {
            "value": branches["explained"],
            **{side: sum(child[side] for child in branches["children"]) for side in ("low", "high")},
            "as_of": None,
        }
    return {
        "impact": impact,
        "unit": UNITS.get(impact, "kg CO2e"),
        **whole,
        "rounding": _rounding(whole["value"], branches["explained"]),
        "parts": parts,
        "record_id": record_id,
        "corrections": corrections,
        "filter": replace(asked, by=(), grain="total").as_dict(),
        "view": view.id,
        "methodology": view.methodology,
        "factor_set": view.factor_set.content_hash,
        "factor_set_name": view.factor_set.name,
        **branches,
    }


def _rounding(value: float | None, explained: float | None) -> float | None:
    return None if value is None or explained is None else value - explained


def _whole(organization_id: int, view: View, asked: Filter, impact: str) -> dict[str, Any]:
    """Read the figure as pages show it."""
    result = emissions(organization_id, replace(asked, by=(), grain="total"), view=view, resources=True)
    row = result.rows.iloc[0] if len(result.rows) else None
    return {
        **{
            name: None if row is None or pd.isna(row[impact + suffix]) else float(row[impact + suffix])
            for name, suffix in (("value", ""), ("low", "_low"), ("high", "_high"))
        },
        "as_of": result.as_of.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _period(organization_id: int, view: View, asked: Filter) -> list[Used]:
    """Read which plans made the period's rows, with the sums of the measures that went into each."""
    where, values = conditions(organization_id, asked)
    covered = pool_rates(organization_id, view.id)
    elsewhere = sorted(sites_not_controlled(organization_id))
    pool, pool_values = pool_sql(covered.pools, elsewhere)
    of_series = ", ".join(f"sum(d.{name}) as {name}" for name in (*MEASURE_COLUMNS, *LOAD))
    sums = ", ".join(f"coalesce(sum(s.{name}), 0)" for name in (*MEASURE_COLUMNS, *LOAD))
    listed = ", ".join(f"array_agg(distinct r.{name}) filter (where r.{name} is not null)" for name in SUBJECT)
    with connection.cursor() as cursor:
        cursor.execute(
            "with s as (select d.resolved_id, sum(d.records) as records, min(d.day) as first_day, max(d.day) as last_day,"
            f"  {of_series} from accounting_daily d"
            "  where d.organization_id = %s and d.view_id = %s and d.day >= %s and d.day <= %s and d.resolved_id in"
            f"  (select r.id from accounting_resolved_series r where r.organization_id = %s and {where})"
            "  group by d.resolved_id)"
            f" select r.plan_id, r.source_id, {pool}, (r.site is null or lower(r.site) <> all(%s)), sum(s.records),"
            f" array_agg(distinct r.series_id), min(s.first_day), max(s.last_day), {listed}, {sums} from s"
            " join accounting_resolved_series r on r.organization_id = %s and r.id = s.resolved_id"
            " group by 1, 2, 3, 4 order by 1, 2, 3, 4",
            [
                *(organization_id, view.id, asked.from_day, asked.to_day, organization_id, *values),
                *(*pool_values, elsewhere, organization_id),
            ],
        )
        rows = cursor.fetchall()
    plans = StoredPlan.objects.filter(organization_id=organization_id).in_bulk({row[0] for row in rows})
    cells = _cells(organization_id, view, sorted({each for row in rows for each in row[5]}), asked)
    names, pack = source_names(organization_id), pack_of(view.factor_set.content_hash)
    return [
        Used(
            plan=_covered(
                _weighed_by_load(_made_again(plans[plan_id], pack), *map(int, rest[-len(LOAD) :])), pool, covered
            ),
            sums=_kept(
                plans[plan_id], dict(zip(MEASURE_COLUMNS, map(int, rest[len(SUBJECT) : -len(LOAD)]), strict=True))
            ),
            records=int(records),
            subjects={name: each for name, each in zip(SUBJECT, rest[: len(SUBJECT)], strict=True) if each},
            sources={names[source_id]: int(records)},
            series_ids=series_ids,
            cells=sum(cells.get((each, plans[plan_id].use["year"]), 0) for each in series_ids),
            first_day=first.isoformat(),
            last_day=last.isoformat(),
            controlled=controlled,
        )
        for plan_id, source_id, pool, controlled, records, series_ids, first, last, *rest in rows
    ]


def _kept(stored: StoredPlan, sums: dict[str, int]) -> dict[str, int]:
    """Return what was kept of sampled records, whose rows hold what it stands for: their formulas do the scaling."""
    return _times([float(values[0]) for name, values in stored.use["given"] if name == SHARE], sums)


def _kept_share(plan: Plan, sums: dict[str, int]) -> dict[str, int]:
    """As `_kept`, of a plan that was just made."""
    return _times([own.value for name, own in plan.use.given if name == SHARE], sums)


def _times(shares: list[float], sums: dict[str, int]) -> dict[str, int]:
    return {name: round(each * shares[0]) for name, each in sums.items()} if shares else sums


def _made_again(stored: StoredPlan, pack: FactorPack) -> Plan:
    """Make a plan again with its formulas, which are not stored."""
    plan = make_plan(pack, methodology_of(stored.methodology), use_from(stored.use))
    if OUT_OF_RANGE in stored.notes:
        plan = without_impacts(plan)
    return with_note(plan, BESIDE_USE) if BESIDE_USE in stored.notes else plan


def _covered(plan: Plan, pool: str, covered: PoolRates) -> Plan:
    """Put the rate that instruments make into the formulas, where there is one for the plan's market, pool and year."""
    factor = covered.factors.get((plan.market_key or "", pool, plan.use.year))
    return plan if factor is None else with_market_rate(plan, factor)


def _weighed_by_load(plan: Plan, facility_pkwh: int, location_nkg: int) -> Plan:
    """Put the mean that hours made, each with its own factor and load, in the place of the hours' plain mean."""
    grid = next((each for each in plan.factors if each["id"] == plan.hourly), None)
    if grid is None or not facility_pkwh or not grid["value"]:
        return plan
    g_per_kwh = location_nkg / units.PER_KG * units.G_PER_KG / (facility_pkwh / units.PER_KWH)
    return _with_mean(plan, g_per_kwh / float(grid["value"]))  # type: ignore[arg-type]


def _with_mean(plan: Plan, scale: float) -> Plan:
    return with_grid_value(plan, scale, {"weighed_by": "load"})


def _cells(organization_id: int, view: View, series_ids: list[int], asked: Filter) -> dict[tuple[int, int], int]:
    """
    Count the cells of series by year. Whoever writes cells marks their days, so marks and rows tell the cells' state; the rows
    of a view that derive does not keep up to date tell nothing.
    """
    live = current_view(organization_id)
    count = partial(_counted, organization_id, series_ids, asked)
    if live is None or live.id != view.id:
        return _by_series_and_year(count())
    with connection.cursor() as cursor:
        cursor.execute("select count(*), max(id) from ledger_dirty_day where organization_id = %s", [organization_id])
        question = {"cells": series_ids, "marks": list(cursor.fetchone())}
    days = (asked.from_day, asked.to_day)
    return _by_series_and_year(remembered(organization_id, view, days, question, count))


def _by_series_and_year(found: pd.DataFrame) -> dict[tuple[int, int], int]:
    return {(series_id, year): count for series_id, year, count in found.itertuples(index=False)}


def _counted(organization_id: int, series_ids: list[int], asked: Filter) -> pd.DataFrame:
    years = range(asked.from_day.year, asked.to_day.year + 1)
    begins = [datetime(year, 1, 1, tzinfo=UTC) for year in (*years, years.stop)]
    with connection.cursor() as cursor:
        cursor.execute(  # the year of each of a million hours would take as long as reading them
            "select c.series_id, y.year, count(*) from unnest(%s::int[], %s::timestamptz[], %s::timestamptz[])"
            "  as y(year, begins, ends) join ledger_cell c on c.organization_id = %s and c.hour >= y.begins"
            "  and c.hour < y.ends and c.hour >= %s and c.hour < %s and c.series_id = any(%s) group by 1, 2",
            [list(years), begins[:-1], begins[1:], organization_id, asked.starts_at, asked.ends_at, series_ids],
        )
        return pd.DataFrame(cursor.fetchall(), columns=["series_id", "year", "cells"])


def _runs(organization_id: int, view: View, asked: Filter) -> list[Used]:
    """Quantify the records of runs, by the rules in force."""
    rules = rules_of(organization_id)
    rows = run_sums(organization_id, asked, by_hour=bool(rules.profiles))
    derived = derived_on_read(organization_id, view, rows, rules, whole=False)
    return _derived(organization_id, view, derived, asked)


def _record(organization_id: int, view: View, asked: Filter, record_id: str) -> list[Used]:
    """Quantify one record as it stands in the ledger, whole, by the rules in force: whether it counts is a matter of sums."""
    record = find_record(organization_id, record_id)
    if record is None:
        raise NothingToExplain(f"There is no record {record_id!r}.")
    activity = to_activity([{name: value for name, value in record.items() if value is not None}])
    rows = pd.DataFrame(to_units(activity), columns=list(MEASURE_COLUMNS)).assign(
        series_id=int(record["series_id"]),
        records=0 if record["corrects"] else 1,
        day=numbers_of([record["started_at"].date()]),
    )
    rules = rules_of(organization_id)
    if rules.profiles:
        times = {name: activity[name].to_numpy() for name in ("started_at", "ended_at")}
        rows = record_hours(organization_id, rows.assign(**times))
    derived = derived_on_read(organization_id, view, rows, rules, whole=False, divided=False, sampled=False)
    used = _derived(organization_id, view, derived, replace(asked, role=ROLES), by_hour=True)
    if not used:
        raise NothingToExplain(f"There is no record {record_id!r} in what was asked for.")
    return used


def _corrections(organization_id: int, record_id: str) -> list[dict[str, Any]]:
    """List the records that correct one, which are not in its tree."""
    return [
        {"record_id": row["record_id"], "started_at": row["started_at"].isoformat().replace("+00:00", "Z")}
        for row in corrections_of(organization_id, record_id)
    ]


def _derived(organization_id: int, view: View, derived: Derived, asked: Filter, *, by_hour: bool = False) -> list[Used]:
    """
    Turn figures derived on read into uses, those that the filter keeps.

    Args:
        by_hour: where the grid factor is hourly, show up to a day of hours one by one, each with its own.
    """
    resolved = derived.resolved.assign(
        **{name: [getattr(plan, name) for plan in derived.plans] for name in ("method", "scope")}
    )
    names = source_names(organization_id)
    asked_for = sources_asked(organization_id, asked)
    kept = matches(resolved, asked, asked_for, folded_teams_of(organization_id)).to_numpy()
    covered = pool_rates(organization_id, view.id)
    elsewhere = sites_not_controlled(organization_id)
    pools = pools_of(resolved, covered.pools, elsewhere).tolist()
    found = []
    rows = derived.rows.fillna(dict.fromkeys(MEASURE_COLUMNS, 0))
    for each, at in _parts(derived, np.flatnonzero(kept), by_hour=by_hour):
        own = rows.iloc[at]
        one = resolved.iloc[each]
        days = dates_of(own["day"].to_numpy(dtype=np.int64))
        records = int(own["records"].sum())
        found.append(
            Used(
                plan=_covered(_weighed(derived, each, own, at), pools[each], covered),
                sums=_kept_share(derived.plans[each], {name: int(own[name].sum()) for name in MEASURE_COLUMNS}),
                records=records,
                subjects={name: [one[name]] for name in SUBJECT if one[name] is not None},
                sources={names[int(one["source_id"])]: records},
                series_ids=[int(one["series_id"])],
                first_day=min(days).isoformat(),
                last_day=max(days).isoformat(),
                controlled=str(one["site"]).lower() not in elsewhere,
            )
        )
    return found


def _parts(derived: Derived, resolved: Integers, *, by_hour: bool) -> Iterator[tuple[int, Integers]]:
    """Group rows by resolved series, and by hour where that is to be shown; with the positions of the rows."""
    position = derived.rows["resolved"].to_numpy()
    for each in resolved.tolist():
        at = np.flatnonzero(position == each)
        if by_hour and derived.plans[each].hourly is not None and len(at) <= HOURS_A_DAY:
            yield from ((each, at[number : number + 1]) for number in range(len(at)))
        else:
            yield each, at


def _weighed(derived: Derived, resolved: int, rows: pd.DataFrame, at: Integers) -> Plan:
    """Give a plan the hourly grid factor of its rows: the hour's own, or the mean weighed by load."""
    plan = derived.plans[resolved]
    if plan.hourly is None or derived.grid_weight is None:
        return plan
    weight = derived.grid_weight[at]
    if "whole_day" in rows and len(at) == 1 and not rows["whole_day"].iloc[0]:
        start = pd.Timestamp(int(rows["hour"].iloc[0]) * 3600, unit="s")
        detail = {"id": f"{plan.hourly}:{start:%Y-%m-%dT%HZ}", "hour": f"{start:%Y-%m-%dT%H:%MZ}"}
        return with_grid_value(plan, float(weight[0]), detail)
    load = derived.rows[ENERGY_FACILITY.column].to_numpy(dtype=float, na_value=0.0)[at]
    return _with_mean(plan, float(load @ weight / load.sum())) if load.sum() else plan


def _folded(use: Used, folded: frozenset[str]) -> Used:
    """Name teams that are too small to be shown by themselves as such, and not their projects."""
    teams: Sequence[str] = use.subjects.get("team", ())
    if folded.isdisjoint(teams):
        return use
    shown = sorted({SMALL_GROUPS if team in folded else team for team in teams})
    return replace(use, subjects={**use.subjects, "team": shown, "project": [SMALL_GROUPS]})


def use_from(stored: dict[str, Any]) -> Use:
    """Read a use back as it was stored with its plan."""
    return Use(
        **{name: stored.get(name) for name in USE_TEXT},
        techniques=tuple(stored["techniques"]),
        present=frozenset(stored["present"]),
        year=stored["year"],
        given=tuple((name, Override.from_list(values)) for name, values in stored["given"]),
    )
