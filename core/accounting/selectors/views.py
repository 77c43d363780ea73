"""Which figures are read, and up to when they hold what was written. All inside `organization_scope`."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import connection
from django.db.models import QuerySet

from core.accounting.models import View, ViewState
from core.organizations.tenancy import once_a_snapshot


def views(organization_id: int) -> QuerySet[View]:
    """List an organization's views, the newest first."""
    return View.objects.filter(organization_id=organization_id).select_related("factor_set").order_by("-id")


@once_a_snapshot
def current_view(organization_id: int) -> View | None:
    """Return the view that is read; None before anything was derived. A page reads its id once and keeps to it."""
    return views(organization_id).filter(state=ViewState.CURRENT).first()


def live_views(organization_id: int) -> list[View]:
    """List the views that derive keeps up to date: the current one and those being built beside it."""
    return list(views(organization_id).filter(state__in=(ViewState.CURRENT, ViewState.BUILDING)).order_by("id"))


@once_a_snapshot
def watermark(organization_id: int) -> datetime:
    """
    Tell up to when figures hold what was written: every record whose write was committed before is in them.

    The time of the oldest mark that derive has not worked off; now, when there is none.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(min(marked_at), statement_timestamp()) from ledger_dirty_day where organization_id = %s",
            [organization_id],
        )
        marked_at: datetime = cursor.fetchone()[0]
    return marked_at.astimezone(UTC)
