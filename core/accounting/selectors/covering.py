"""Fetch what several sources may describe, so that derive can say what is counted once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

import numpy as np
import pandas as pd
from django.db import connection

from core.accounting.covering import HOURS_A_DAY, Overlap, contested, linked, machines_of, series_of_two_reports
from core.accounting.rows import SUMMED, dates_of, day_hours
from core.accounting.rules import Rules
from core.ledger.selectors import series_by_id
from core.quantification.activity import MEASURE_COLUMNS
from core.quantification.coverage import STATED
from core.quantification.displacement import months_of
from core.quantification.statements import CLASSIFICATION, OF_AI


def overlap_of_days(organization_id: int, sums: pd.DataFrame, series: pd.DataFrame, rules: Rules) -> Overlap | None:
    """
    Read the cells of what several sources describe, inside the organization's scope; None where nothing is.

    Args:
        sums: series_id and day, of every series on whole days.
        series: of the sums, as `core.ledger.selectors.series_by_id` gives them, with series_id.
    """
    own = sums[contested(sums, series, rules)]
    if own.empty:
        return None
    days = dates_of(np.unique(own["day"].to_numpy(dtype=np.int64)))
    cells = day_hours(organization_id, days, np.unique(own["series_id"]).tolist())
    return Overlap(cells, series, described_months(organization_id, own, series, rules))


def overlap_of_hours(organization_id: int, hours: pd.DataFrame, series: pd.DataFrame, rules: Rules) -> Overlap | None:
    """As `overlap_of_days`, of cells that were read already: series_id, hour, day, ``SUMMED`` of every series on whole days."""
    own = hours[contested(hours, series, rules)]
    if own.empty:
        return None
    cells = own[["series_id", "hour", *SUMMED]]
    return Overlap(cells, series, described_months(organization_id, own, series, rules))


def overlap_of_records(organization_id: int, rows: pd.DataFrame, series: pd.DataFrame, rules: Rules) -> Overlap | None:
    """
    Read the cells beside some records: those of every source that describes the units which they are in, on their days.

    Args:
        rows: series_id and day (since 1970).
        series: of the rows.
    """
    if rows.empty:
        return None
    units, machine = linked(series, rules), machines_of(series, rules)[0] >= 0
    costs = series_of_two_reports(series, rules)
    inside = rows["series_id"].isin(
        [*units["series_id"], *series["series_id"].to_numpy()[machine], *costs["series_id"]]
    )
    if not inside.any():
        return None
    days = dates_of(np.unique(rows.loc[inside, "day"].to_numpy(dtype=np.int64)))
    shared = {*series["source_id"].to_numpy()[machine].tolist(), *costs["source_id"].tolist()}
    sources = sorted({link.source_id for link in rules.links if link.unit_id in set(units["unit"])} | shared)
    beside = series_by_id(organization_id, _series_of(organization_id, sources)).rename_axis("series_id").reset_index()
    of_units = linked(beside, rules)
    of_units = of_units[of_units["unit"].isin(units["unit"])]
    of_machines = beside["series_id"].to_numpy()[machines_of(beside, rules)[0] >= 0]
    of_costs = series_of_two_reports(beside, rules)["series_id"]
    wanted = {*of_units["series_id"].tolist(), *of_machines.tolist(), *of_costs.tolist()}
    cells = day_hours(organization_id, days, sorted(wanted))
    overlap = overlap_of_hours(organization_id, cells.assign(day=cells["hour"] // HOURS_A_DAY), beside, rules)
    return None if overlap is None else Overlap(overlap.cells, overlap.series, overlap.described, whole=False)


def _series_of(organization_id: int, source_ids: Sequence[int]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select id from ledger_series where organization_id = %s and source_id = any(%s)",
            [organization_id, list(source_ids)],
        )
        return [series_id for (series_id,) in cursor.fetchall()]


def described_months(
    organization_id: int, rows: pd.DataFrame, series: pd.DataFrame, rules: Rules
) -> frozenset[tuple[int, int]]:
    """
    Find the units and months in which something else than a statement describes the unit.

    Args:
        rows: contested rows: series_id and day.
        series: of the rows.

    Only of units that have a statement. Days that are not among the rows are asked for only where the rows do not say it.
    """
    own = linked(series[series["series_id"].isin(rows["series_id"].unique())], rules)
    stating = set(own.loc[own["evidence"] == STATED, "unit"].tolist())
    if not stating:
        return frozenset()
    rows = rows[rows["series_id"].isin(own["series_id"])]
    at = pd.Index(own["series_id"]).get_indexer(rows["series_id"])
    unit, month = own["unit"].to_numpy(dtype=np.int64)[at], months_of(rows["day"].to_numpy(dtype=np.int64))
    wanted = {pair for pair in zip(unit.tolist(), month.tolist(), strict=True) if pair[0] in stating}
    return units_described(organization_id, wanted, rules)


def units_described(organization_id: int, wanted: set[tuple[int, int]], rules: Rules) -> frozenset[tuple[int, int]]:
    """
    Tell which of these units and months (since 1970) have cells of other evidence than statements that are not all zero.

    A unit's months are asked for by themselves, since what is found ends the search.
    """
    found = set()
    for unit, month in sorted(wanted):
        subjects = [(link.source_id, link.account) for link in rules.links if link.unit_id == unit]
        whole = [source_id for source_id, account in subjects if account is None]
        parts = [(source_id, account) for source_id, account in subjects if account is not None]
        elsewhere = [
            (link.source_id, link.account)
            for link in rules.links
            if link.account is not None and link.unit_id != unit and link.source_id in whole
        ]
        if _has_cells(organization_id, month, whole, parts, elsewhere):
            found.add((unit, month))
    return frozenset(found)


_NOT_ZERO: Final = " or ".join(f"c.{name} <> 0" for name in MEASURE_COLUMNS)


def _has_cells(
    organization_id: int,
    month: int,
    whole: list[int],
    parts: list[tuple[int, str]],
    elsewhere: list[tuple[int, str]],
) -> bool:
    """Look for a cell that is not zero and no statement, of whole sources but some accounts, or of single accounts."""
    first, after = (_month_start(month + step) for step in (0, 1))
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select 1 from ledger_cell c"
            " join ledger_series s on s.organization_id = c.organization_id and s.id = c.series_id"
            " where c.organization_id = %s and c.hour >= %s and c.hour < %s and s.evidence is distinct from %s"
            "  and (s.source_id = any(%s)"
            "       and not exists (select 1 from unnest(%s::int[], %s::text[]) as e(source_id, account)"
            "                        where e.source_id = s.source_id and e.account = s.account)"
            "    or exists (select 1 from unnest(%s::int[], %s::text[]) as p(source_id, account)"
            "                where p.source_id = s.source_id and p.account = s.account))"
            f"  and ({_NOT_ZERO}))",
            [
                *(organization_id, first, after, STATED, whole),
                *([source_id for source_id, _ in elsewhere], [account for _, account in elsewhere]),
                *([source_id for source_id, _ in parts], [account for _, account in parts]),
            ],
        )
        return bool(cursor.fetchone()[0])


def _month_start(month: int) -> datetime:
    return datetime(1970 + month // 12, month % 12 + 1, 1, tzinfo=UTC)


def statements_to_derive_again(organization_id: int, days: Sequence[date], rules: Rules) -> list[date]:
    """
    Find other days of the same months whose statements count although something else describes their unit by now, or do not
    although nothing does, in any live view.

    Whether a statement counts is decided by its whole month, and derive works day by day.
    """
    if not rules.stating_sources:
        return []
    months = sorted({day.replace(day=1) for day in days})
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct m.month, d.day, r.source_id, r.account, r.role from unnest(%s::date[]) as m(month)"
            " join accounting_daily d on d.organization_id = %s and d.day >= m.month"
            "  and d.day < m.month + interval '1 month' and d.day <> all(%s)"
            " join accounting_view v on v.organization_id = d.organization_id and v.id = d.view_id"
            "  and v.state in ('current', 'building')"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            " join ledger_series s on s.organization_id = r.organization_id and s.id = r.series_id"
            " where r.evidence = %s and r.source_id = any(%s) and coalesce(s.labels ->> %s, %s) = %s",
            [months, organization_id, list(days), STATED, sorted(rules.stating_sources), CLASSIFICATION, OF_AI, OF_AI],
        )
        found = cursor.fetchall()
    if not found:
        return []
    rows = pd.DataFrame(found, columns=["month", "day", "source_id", "account", "role"])
    rows = linked(rows.assign(series_id=np.arange(len(rows)), evidence=STATED), rules).merge(
        rows.assign(series_id=np.arange(len(rows))).drop(columns="source_id"), on="series_id"
    )
    rows = rows[[rules.units[unit].alone is None if unit in rules.units else True for unit in rows["unit"]]]
    if rows.empty:
        return []
    rows["number"] = [(day.year - 1970) * 12 + day.month - 1 for day in rows["month"]]
    pairs = set(zip(rows["unit"].tolist(), rows["number"].tolist(), strict=True))
    described = units_described(organization_id, pairs, rules)
    wanted = [
        "cross_check" if pair in described else "counted"
        for pair in zip(rows["unit"].tolist(), rows["number"].tolist(), strict=True)
    ]
    return sorted(set(rows.loc[rows["role"].to_numpy() != np.array(wanted), "day"].tolist()))
