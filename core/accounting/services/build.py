"""Fill a view that was begun, month by month, beside the one that is read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

from django.db import connection

from core.accounting.models import View
from core.accounting.services.derive import derive_days
from core.accounting.services.views import building_view
from core.organizations.tenancy import organization_scope


def build_view(*, organization_id: int, view_id: int, month_done: Callable[[], None] | None = None) -> View:
    """
    Derive every day into a view that was begun, month by month; goes on where an earlier call was cut off.

    Args:
        month_done: called after each month; what it raises ends the call.

    Days that are written meanwhile are derived into it by their own marks.
    """
    view = building_view(organization_id, view_id)
    for month, days in months_with_cells(organization_id, view.built_until).items():
        derive_days(organization_id, days, views=[view])
        with organization_scope(organization_id):
            View.objects.filter(organization_id=organization_id, id=view_id).update(built_until=_next_month(month))
        if month_done is not None:
            month_done()
    with organization_scope(organization_id):
        View.objects.filter(organization_id=organization_id, id=view_id).update(built_at=datetime.now(UTC))
    return building_view(organization_id, view_id)


def months_with_cells(organization_id: int, from_month: date | None = None) -> dict[date, list[date]]:
    """List the days that have cells, by month, oldest first; skips from day to day along the index."""
    query = """
        with recursive days(day) as (
            select (min(hour) at time zone 'UTC')::date from ledger_cell where organization_id = %(organization)s
              and hour >= coalesce(%(since)s::date, date '0001-01-01')::timestamp at time zone 'UTC'
            union all
            select (select (min(hour) at time zone 'UTC')::date from ledger_cell
                     where organization_id = %(organization)s and hour >= (day + 1)::timestamp at time zone 'UTC')
              from days where day is not null
        )
        select day from days where day is not null
    """
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(query, {"organization": organization_id, "since": from_month})
        found = [day for (day,) in cursor.fetchall()]
    months: dict[date, list[date]] = {}
    for day in found:
        months.setdefault(day.replace(day=1), []).append(day)
    return months


def _next_month(month: date) -> date:
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)
