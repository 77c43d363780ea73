"""A changed rule takes effect by deriving again: it raises the revision of the rules and marks the days that it touches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection
from django.db.models import F

from core.accounting.models import View, ViewState
from core.accounting.selectors import current_view
from core.locks import RULES_LOCK


@contextmanager
def settled_rules(organization_id: int) -> Iterator[None]:
    """
    Wait for changes of rules that are being committed, and keep new ones off.

    Whoever begins a snapshot inside reads a rule together with its marks, or neither. Taken by the session, since a lock of
    the transaction would begin the snapshot before it is granted.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_lock_shared(%s, %s)", [RULES_LOCK, organization_id])
    try:
        yield
    finally:
        if connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("select pg_advisory_unlock_shared(%s, %s)", [RULES_LOCK, organization_id])


def raise_revision(organization_id: int) -> None:
    """Note that the rules are not those that figures of the live views followed from so far."""
    live = View.objects.filter(organization_id=organization_id, state__in=(ViewState.CURRENT, ViewState.BUILDING))
    live.update(rules_revision=F("rules_revision") + 1)


def mark_days(organization_id: int, touched: str, values: Sequence[Any]) -> int:
    """
    Raise the revision of the rules and mark days to be derived again, in the caller's transaction.

    Args:
        touched: condition on resolved series ``r`` of the current view's daily rows.
        values: its parameters.

    Days that are marked already are marked once more, in the same statement: a derive that runs now has read the rules as
    they were and deletes the marks it saw, while its rows are not there to be found yet.

    Returns:
        How many days were marked.
    """
    raise_revision(organization_id)
    view = current_view(organization_id)
    if view is None:
        return 0
    with connection.cursor() as cursor:
        # until the commit no derive may read the rules as they were: a day written from now on would not be among the marks
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [RULES_LOCK, organization_id])
        cursor.execute(
            "insert into ledger_dirty_day (organization_id, day) select %s, day from ("
            " select d.day from accounting_daily d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            f" where d.organization_id = %s and d.view_id = %s and {touched}"
            " union select day from ledger_dirty_day where organization_id = %s) days order by day",
            [organization_id, organization_id, view.id, *values, organization_id],
        )
        return int(cursor.rowcount)
