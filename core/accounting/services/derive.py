"""
Bring figures up to date: whole days are derived again from their cells, never by increments.

Reads happen in one snapshot, and writes in one transaction after it. Between them a lock on the organization's months keeps
other workers off, so newer figures are never overwritten by older ones; a cell written meanwhile has left a mark that this
pass has not seen and does not delete.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import structlog
from django.db import DataError, IntegrityError, OperationalError, connection

from core.accounting import rows as daily
from core.accounting.columns import FIGURES
from core.accounting.covering import Overlap
from core.accounting.derive import HOURS_A_DAY, Derived, figures, hourly_series, market_rates
from core.accounting.interning import intern_resolved
from core.accounting.models import View
from core.accounting.rules import Rules
from core.accounting.selectors import live_views, rules_of
from core.accounting.selectors.covering import overlap_of_days, statements_to_derive_again
from core.accounting.services.market_rates import cover_marked_years, cover_years
from core.accounting.services.marks import settled_rules
from core.accounting.services.views import ensure_current_view
from core.factors.selectors import pack_of
from core.ledger.selectors import dirty_days, series_by_id
from core.locks import MONTH_LOCK
from core.organizations.tenancy import organization_scope, organization_snapshot
from core.quantification.resolve import catalog_of

log = structlog.get_logger()

ROWS_A_PASS = 250_000
"""Sums of cells that are derived together: enough that the overhead of a pass does not show, and under 1 GB."""
STARVING = timedelta(seconds=60)
"""Recent days go first, until a mark has waited this long."""
ATTEMPTS = 5
SERIALIZATION_FAILURES = ("40001", "40P01")
DATA_FAULTS = (ArithmeticError, LookupError, TypeError, ValueError, DataError, IntegrityError)
"""What the rows of one day can cause; anything else concerns every day."""


@dataclass(frozen=True)
class DeriveResult:
    """What a run of derive did: days brought up to date, daily rows written, whether marks are left, days that failed."""

    days: int
    rows: int
    left: bool
    failed: tuple[date, ...] = ()


@dataclass(frozen=True)
class _Read:
    """One snapshot of what figures follow from."""

    marks: list[int]
    days: list[date]
    views: list[View]
    sums: pd.DataFrame
    series: pd.DataFrame
    rules: Rules
    hours: pd.DataFrame | None
    """Cells of the series that take hourly grid factors, on the days that have them."""
    overlap: Overlap | None
    """What several sources describe."""


def derive_day(organization_id: int, day: date, *, views: Sequence[View] | None = None) -> DeriveResult:
    """
    Derive one day again, marked or not, in every live view or in the views given. Waits for other workers on its month.

    Running it twice changes nothing.
    """
    return derive_days(organization_id, [day], views=views)


def derive_days(organization_id: int, days: Sequence[date], *, views: Sequence[View] | None = None) -> DeriveResult:
    """Derive days again, marked or not; as `derive_day`."""
    if views is None:
        ensure_current_view(organization_id)
    written = 0
    with _months_locked(organization_id, {_month(day) for day in days}):
        for some in _passes(organization_id, sorted(set(days))):
            written += _derive(organization_id, some, views)
    return DeriveResult(days=len(set(days)), rows=written, left=False)


def derive_dirty_days(organization_id: int, *, limit_s: float = 20.0) -> DeriveResult:
    """
    Work off the marks of changed days: the newest month first, but the one of the oldest mark once that has waited a minute.

    Args:
        limit_s: no new pass begins after this time; ``left`` says whether marks remain.

    Years whose instruments changed are covered again first. Months that another worker is deriving are left to it. `left` is
    then False when nothing else remains: that worker, or the next sweep, sees their marks. A day whose rows cannot be derived
    is logged and keeps its mark, which holds the watermark back; the other days go on without it, and the next sweep tries it
    again.
    """
    ensure_current_view(organization_id)
    cover_marked_years(organization_id)
    ends = time.monotonic() + limit_s
    derived, written, skipped, failed = 0, 0, set[date](), list[date]()
    while True:
        days = [day for day in _next_days(organization_id, skipped) if day not in failed]
        if not days:
            return DeriveResult(derived, written, left=False, failed=tuple(failed))
        if (derived or failed) and time.monotonic() >= ends:
            return DeriveResult(derived, written, left=derived > 0, failed=tuple(failed))
        with _months_tried(organization_id, sorted({_month(day) for day in days}, reverse=True)) as locked:
            own = [day for day in days if _month(day) in locked]
            skipped |= {_month(day) for day in days} - locked
            for some in _passes(organization_id, own):
                rows, faulty = _derive_what_can_be(organization_id, some)
                written += rows
                derived += len(some) - len(faulty)
                failed += faulty
                if time.monotonic() >= ends:
                    break


def _next_days(organization_id: int, skipped: set[date]) -> list[date]:
    """Choose marked days, in the order in which they are to be derived."""
    dirty = dirty_days(organization_id)
    days = [day for day in dirty.days if _month(day) not in skipped]
    if not days:
        return []
    first = None
    if dirty.oldest is not None and datetime.now(UTC) - dirty.oldest > STARVING:
        first = _month(days[0])  # marks come oldest first
    return sorted(days, key=lambda day: (_month(day) == first, day), reverse=True)


def _passes(organization_id: int, days: list[date]) -> Iterator[list[date]]:
    """Cut days into runs of about ``ROWS_A_PASS`` sums, judged by the planner's estimate of their cells."""
    size = max(1, _days_a_pass(organization_id, days))
    for start in range(0, len(days), size):
        yield days[start : start + size]


def _days_a_pass(organization_id: int, days: list[date]) -> int:
    """Count the sums of one of the days, so that a pass holds a bounded number of them."""
    if len(days) <= 1:
        return 1
    with organization_scope(organization_id), connection.cursor() as cursor:
        middle = days[len(days) // 2]
        cursor.execute(
            "select count(distinct series_id) from ledger_cell where organization_id = %s and hour >= %s and hour < %s",
            [organization_id, _midnight(middle), _midnight(middle + timedelta(days=1))],
        )
        (series,) = cursor.fetchone()
        rules = rules_of(organization_id)
    hourly = rules.has_overlaps or rules.hourly_days(daily.numbers_of(days).tolist())
    return int(ROWS_A_PASS // (max(series, 50) * (HOURS_A_DAY if hourly else 1)))


def _derive_what_can_be(organization_id: int, days: list[date]) -> tuple[int, list[date]]:
    """Derive some days, in halves where that fails, so that no day holds up others; returns the rows and the days left out."""
    try:
        return _derive(organization_id, days, None), []
    except DATA_FAULTS:
        if len(days) == 1:
            log.exception("day not derived", organization=organization_id, day=days[0].isoformat())
            return 0, days
        log.warning("days derived apart", organization=organization_id, days=len(days), exc_info=True)
    half = len(days) // 2
    rows, faulty = _derive_what_can_be(organization_id, days[:half])
    more_rows, more_faulty = _derive_what_can_be(organization_id, days[half:])
    return rows + more_rows, faulty + more_faulty


def _derive(organization_id: int, days: list[date], views: Sequence[View] | None) -> int:
    """Derive some days whose months are locked; returns how many daily rows were written."""
    read = _read(organization_id, days, views)
    derived = [(view, _figures(read, view)) for view in read.views]
    resolved_ids = [_interned(organization_id, result, view.methodology) for view, result in derived]
    for attempt in range(ATTEMPTS):
        try:
            with organization_scope(organization_id):
                for (view, result), ids in zip(derived, resolved_ids, strict=True):
                    _replace(organization_id, view, days, result, ids)
                cover_years(organization_id, read.views, {day.year for day in days})
                _delete_marks(organization_id, read.marks)
                _mark(organization_id, statements_to_derive_again(organization_id, days, read.rules))
            break
        except OperationalError as error:
            if attempt + 1 == ATTEMPTS or getattr(error.__cause__, "sqlstate", "") not in SERIALIZATION_FAILURES:
                raise
            log.warning("derive repeated", organization=organization_id, days=len(days), attempt=attempt)
    written = sum(len(result.rows) for _, result in derived)
    log.info("days derived", organization=organization_id, days=len(days), views=len(derived), rows=written)
    return written


def _read(organization_id: int, days: list[date], views: Sequence[View] | None) -> _Read:
    """
    Read marks, cells, series, rules and views in one snapshot. Marks of other views' builds are left alone.

    Inside a caller's transaction (tests) no mark is lost either: marks are read before cells, so cells are at least as new.
    """
    with settled_rules(organization_id), organization_snapshot(organization_id):
        marks = [] if views is not None else _marks(organization_id, days)
        live = list(views) if views is not None else live_views(organization_id)
        sums = daily.day_sums(organization_id, days)
        series = series_by_id(organization_id, sums["series_id"].unique().tolist())
        series = series.rename_axis("series_id").reset_index()
        rules = rules_of(organization_id)
        hours = _hours(organization_id, sums, series, rules, live)
        overlap = overlap_of_days(organization_id, sums, series, rules)
        return _Read(marks, days, live, sums, series, rules, hours, overlap)


def _hours(
    organization_id: int, sums: pd.DataFrame, series: pd.DataFrame, rules: Rules, views: Sequence[View]
) -> pd.DataFrame | None:
    """Read the hours of what takes hourly grid factors; nothing is read where no grid has them."""
    days = rules.hourly_days(sums["day"].unique().tolist())
    if not days:
        return None
    own = sums[sums["day"].isin(days)]
    series_ids = {
        each
        for view in views
        for each in hourly_series(own, series, rules, catalog_of(pack_of(view.factor_set.content_hash)))
    }
    return daily.day_hours(organization_id, daily.dates_of(np.array(days, dtype=np.int64)), sorted(series_ids))


def _marks(organization_id: int, days: list[date]) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select id from ledger_dirty_day where organization_id = %s and day = any(%s)", [organization_id, days]
        )
        return [mark for (mark,) in cursor.fetchall()]


def _figures(read: _Read, view: View) -> Derived:
    pack = pack_of(view.factor_set.content_hash)
    return figures(read.sums, read.series, read.rules, pack, view.methodology, read.hours, read.overlap)


def _interned(organization_id: int, derived: Derived, methodology: str) -> pd.Series:
    """Give each row the id of its resolved series."""
    with organization_scope(organization_id):
        ids = intern_resolved(organization_id, derived.resolved, derived.plans, methodology)
    return pd.Series(ids, dtype="int64").take(derived.rows["resolved"].to_numpy()).reset_index(drop=True)


def _replace(organization_id: int, view: View, days: list[date], derived: Derived, resolved_ids: pd.Series) -> None:
    """Replace the rows of whole days, the sums of the months they lie in, and the market rates they refer to."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from accounting_daily where organization_id = %s and view_id = %s and day = any(%s)",
            [organization_id, view.id, days],
        )
    if len(derived.rows):
        ordered = derived.rows.assign(resolved_id=resolved_ids.to_numpy()).sort_values(["day", "resolved_id"])
        daily.append_daily(organization_id, view.id, ordered)
    _sum_months(organization_id, view, sorted({_month(day) for day in days}))
    _store_rates(organization_id, view, derived)


def _sum_months(organization_id: int, view: View, months: list[date]) -> None:
    """Add the daily rows of whole months up again. Sums are numeric: a month of 13 MW leaves 64 bits."""
    listed = ", ".join(FIGURES)
    sums = ", ".join(f"sum({name})" for name in FIGURES)
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from accounting_monthly where organization_id = %s and view_id = %s and month = any(%s)",
            [organization_id, view.id, months],
        )
        cursor.execute(
            f"insert into accounting_monthly (organization_id, view_id, month, resolved_id, {listed})"
            f" select %s, %s, m.month, d.resolved_id, {sums} from unnest(%s::date[]) as m(month)"
            " join accounting_daily d on d.organization_id = %s and d.view_id = %s"
            "  and d.day >= m.month and d.day < m.month + interval '1 month'"
            " group by m.month, d.resolved_id",
            [organization_id, view.id, months, organization_id, view.id],
        )


def _store_rates(organization_id: int, view: View, derived: Derived) -> None:
    """Note the rates of the markets and years touched, sorted, so that workers on different months do not deadlock."""
    rates = [
        (
            each.market,
            f"{each.year}-01-01",
            f"{each.year + 1}-01-01",
            *(each.rate.value, each.rate.low, each.rate.high),
            json.dumps(each.rate.as_dict()),
        )
        for each in market_rates(derived.plans)
    ]
    if not rates:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into accounting_marketrate (organization_id, view_id, market, pool, period_start, period_end,"
            " g_per_kwh, g_per_kwh_low, g_per_kwh_high, factor)"
            f" values ({organization_id}, {view.id}, %s, '', %s, %s, %s, %s, %s, %s::jsonb)"
            " on conflict (organization_id, view_id, market, pool, period_start) do update"
            " set g_per_kwh = excluded.g_per_kwh, g_per_kwh_low = excluded.g_per_kwh_low,"
            "  g_per_kwh_high = excluded.g_per_kwh_high, factor = excluded.factor"
            " where accounting_marketrate.factor is distinct from excluded.factor",
            rates,
        )


def _delete_marks(organization_id: int, marks: list[int]) -> None:
    """Delete exactly the marks that were read with the cells; later ones stay."""
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from ledger_dirty_day where organization_id = %s and id = any(%s)", [organization_id, marks]
        )


def _mark(organization_id: int, days: list[date]) -> None:
    """Mark days whose statements are decided otherwise now that a day of their month has changed."""
    if days:
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into ledger_dirty_day (organization_id, day) select %s, unnest(%s::date[])",
                [organization_id, days],
            )


# --- locks ------------------------------------------------------------------------------------------------------------


@contextmanager
def _months_locked(organization_id: int, months: Iterable[date]) -> Iterator[None]:
    """Hold months against other workers, waiting for them, in one order."""
    held: list[date] = []
    try:
        for month in sorted(months, reverse=True):
            _lock(organization_id, month, wait=True)
            held.append(month)
        yield
    finally:
        _unlock(organization_id, held)


@contextmanager
def _months_tried(organization_id: int, months: Iterable[date]) -> Iterator[set[date]]:
    """Hold those months that no other worker holds."""
    held: list[date] = []
    try:
        held += [month for month in months if _lock(organization_id, month, wait=False)]
        yield set(held)
    finally:
        _unlock(organization_id, held)


def _lock(organization_id: int, month: date, *, wait: bool) -> bool:
    """Take a lock of the session, since it must outlast the transaction that reads and the one that writes."""
    function = "pg_advisory_lock" if wait else "pg_try_advisory_lock"
    with connection.cursor() as cursor:
        cursor.execute(f"select {function}(%s, hashtext(%s))", [MONTH_LOCK, f"{organization_id} {month}"])
        (answer,) = cursor.fetchone()
    return wait or bool(answer)


def _unlock(organization_id: int, months: list[date]) -> None:
    """Give locks back; a connection that is gone has given them back by itself."""
    if not connection.is_usable():
        return
    with connection.cursor() as cursor:
        for month in months:
            cursor.execute("select pg_advisory_unlock(%s, hashtext(%s))", [MONTH_LOCK, f"{organization_id} {month}"])


def _month(day: date) -> date:
    return day.replace(day=1)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
