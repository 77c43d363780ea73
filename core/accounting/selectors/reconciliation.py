"""Do daily rows equal their cells, and monthly sums their days? Read in one snapshot, so that derive may go on meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Final

import numpy as np
import pandas as pd
from django.db import connection, transaction

from core.accounting.columns import FIGURES
from core.accounting.rows import SUMMED, dates_of, day_sums, read_integers
from core.accounting.selectors.views import current_view
from core.ledger.selectors import series_by_id
from core.organizations.tenancy import organization_scope
from core.quantification.activity import MEASURE_COLUMNS
from core.quantification.sampling import scaled, shares_of

COLUMNS: Final = ("level", "day", "source_id", "series_id", "measure", "expected", "found")


@dataclass(frozen=True)
class Reconciled:
    """
    What was compared.

    Args:
        differences: ``level`` (daily: cells against daily rows; monthly: daily rows against monthly sums), ``day`` (of a
            month: its first), ``source_id``, ``series_id`` (None for monthly), ``measure``, ``expected``, ``found`` (Python
            integers in stored units). Empty when all is well.
        pending: days that derive has still to catch up with, which are not compared.
    """

    differences: pd.DataFrame
    pending: list[date]


def span_of_cells(organization_id: int) -> tuple[date, date] | None:
    """Return the first and last day that have cells, UTC; None without any."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute("select min(hour), max(hour) from ledger_cell where organization_id = %s", [organization_id])
        first, last = cursor.fetchone()
    return None if first is None else (first.astimezone(UTC).date(), last.astimezone(UTC).date())


def reconcile_daily(organization_id: int, from_day: date, to_day: date) -> Reconciled:
    """Compare the measures of cells with those of the current view's daily rows, both days included, month by month."""
    with _snapshot(organization_id):
        view = current_view(organization_id)
        pending = _pending(organization_id, from_day, to_day)
        differences = []
        for first, last in _months(from_day, to_day):
            days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
            settled = [day for day in days if day not in pending]
            differences += _daily(organization_id, view.id if view else 0, settled)
            if view is not None and not _pending(organization_id, first.replace(day=1), _month_end(first)):
                differences += _monthly(organization_id, view.id, first)
    return Reconciled(pd.DataFrame(differences, columns=list(COLUMNS), dtype=object), sorted(pending))


@contextmanager
def _snapshot(organization_id: int) -> Iterator[None]:
    alone = not connection.in_atomic_block
    with transaction.atomic():
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("set transaction isolation level repeatable read, read only")
        with organization_scope(organization_id):
            yield


def _pending(organization_id: int, from_day: date, to_day: date) -> set[date]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct day from ledger_dirty_day where organization_id = %s and day >= %s and day <= %s",
            [organization_id, from_day, to_day],
        )
        return {day for (day,) in cursor.fetchall()}


def _daily(organization_id: int, view_id: int, days: list[date]) -> list[tuple[object, ...]]:
    """Compare cells and daily rows by day and series."""
    sums = ", ".join(f"coalesce(sum(d.{name}), 0)::bigint" for name in SUMMED)
    found = read_integers(
        f"select r.series_id, (d.day - date '1970-01-01')::bigint, {sums} from accounting_daily d"
        " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
        " where d.organization_id = %s and d.view_id = %s and d.day = any(%s) group by r.series_id, d.day",
        [organization_id, view_id, days],
        ("series_id", "day", *SUMMED),
    )
    cells = _as_derived(organization_id, day_sums(organization_id, days))
    both = cells.merge(found, how="outer", on=["series_id", "day"], suffixes=("", "_found"))
    both = both.fillna(0).astype("int64")
    wrong = [name for name in SUMMED if (both[name] != both[f"{name}_found"]).any()]
    beyond = both[both["lost"] != 0]
    if not wrong and beyond.empty:
        return []
    sources = _sources(organization_id, both["series_id"].unique().tolist())
    rows: list[tuple[object, ...]] = [
        ("daily", day, sources.get(series_id), series_id, name, expected, 0)
        for series_id, day, name, expected in _lost(organization_id, beyond)
    ]
    for name in wrong:
        own = both[both[name] != both[f"{name}_found"]]
        for series_id, day, expected, held in own[["series_id", "day", name, f"{name}_found"]].to_numpy().tolist():
            rows.append(
                ("daily", dates_of(np.array([day]))[0], sources.get(series_id), series_id, name, expected, held)
            )
    return rows


def _as_derived(organization_id: int, cells: pd.DataFrame) -> pd.DataFrame:
    """Scale the sums of sampled records as derive does."""
    labels = series_by_id(organization_id, cells["series_id"].unique().tolist())["labels"]
    return scaled(cells, shares_of(labels.loc[cells["series_id"]]))


def _lost(organization_id: int, beyond: pd.DataFrame) -> Iterator[tuple[int, date, str, int]]:
    """Add up what leaves 64 bits and is therefore not in daily rows: series, day, measure and sum."""
    for series_id, number, lost in beyond[["series_id", "day", "lost"]].itertuples(index=False):
        (day,) = dates_of(np.array([number]))
        for position, name in enumerate(MEASURE_COLUMNS):
            if lost >> position & 1:
                with connection.cursor() as cursor:
                    cursor.execute(
                        f"select sum({name}) from ledger_cell where organization_id = %s and series_id = %s"
                        " and (hour at time zone 'UTC')::date = %s and hour >= %s and hour < %s",
                        [organization_id, int(series_id), day, day - timedelta(days=1), day + timedelta(days=2)],
                    )
                    yield int(series_id), day, name, int(cursor.fetchone()[0])


def _monthly(organization_id: int, view_id: int, month: date) -> list[tuple[object, ...]]:
    """Compare daily rows and monthly sums, every figure of the whole month, by source."""
    start, end = month.replace(day=1), _month_end(month) + timedelta(days=1)
    sums = ", ".join(f"coalesce(sum(d.{name}), 0)" for name in FIGURES)
    joined = (
        " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
        " where d.organization_id = %s and d.view_id = %s and d.{day} >= %s and d.{day} < %s group by r.source_id"
    )
    tables = []
    for table, day in (("accounting_daily", "day"), ("accounting_monthly", "month")):
        with connection.cursor() as cursor:
            cursor.execute(
                f"select r.source_id, {sums} from {table} d" + joined.format(day=day),
                [organization_id, view_id, start, end],
            )
            tables.append({row[0]: [int(value) for value in row[1:]] for row in cursor.fetchall()})
    expected, found = tables
    zero = [0] * len(FIGURES)
    return [
        ("monthly", start, source_id, None, name, ours, held)
        for source_id in sorted(expected.keys() | found.keys())
        for name, ours, held in zip(FIGURES, expected.get(source_id, zero), found.get(source_id, zero), strict=True)
        if ours != held
    ]


def _sources(organization_id: int, series_ids: list[int]) -> dict[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, source_id from ledger_series where organization_id = %s and id = any(%s)",
            [organization_id, series_ids],
        )
        return dict(cursor.fetchall())


def _months(from_day: date, to_day: date) -> Iterator[tuple[date, date]]:
    """Cut a period into months; first and last may be cut short."""
    first = from_day
    while first <= to_day:
        yield first, min(_month_end(first), to_day)
        first = _month_end(first) + timedelta(days=1)


def _month_end(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
