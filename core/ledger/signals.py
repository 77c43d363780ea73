"""Which signals a source's services sent on which days; noted with the records that show it, read by derive."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Final

from django.db import connection

from core.locks import RULES_LOCK
from core.organizations.tenancy import organization_scope
from core.quantification.attribute import day_number
from core.quantification.signals import SignalDays

Seen = tuple[int, str, date, str]
"""(source id, service, UTC day, signal)"""

# A signal that is new on a day changes what counts on it, also in records that were there before.
_NOTE: Final = """
with seen as (
    insert into ledger_signal (organization_id, source_id, service, day, signal)
    select %s, * from unnest(%s::int[], %s::text[], %s::date[], %s::text[])
    on conflict do nothing
    returning day
)
insert into ledger_dirty_day (organization_id, day) select distinct %s, day from seen order by 2
"""

_OVERLAPS: Final = """
with services as (
    select source_id, service from ledger_signal where organization_id = %s
    group by source_id, service having count(distinct signal) > 1
), days as (
    select source_id, service, day, array_agg(signal order by signal) as signals
    from ledger_signal join services using (source_id, service) where organization_id = %s
    group by source_id, service, day having count(*) > 1
), runs as (
    select *, day - row_number() over (partition by source_id, service, signals order by day)::int as began from days
)
select source_id, service, signals, min(day), max(day) from runs group by source_id, service, signals, began
order by source_id, service, min(day)
"""


def note_signals(organization_id: int, seen: Iterable[Seen]) -> None:
    """Note which signals were seen, and mark the days on which one is new; call it inside the ledger's transaction."""
    ordered = sorted(set(seen))
    if ordered:
        columns = [list(column) for column in zip(*ordered, strict=True)]
        with connection.cursor() as cursor:
            cursor.execute(_NOTE, [organization_id, *columns, organization_id])


def mark_signals(organization_id: int, source_id: int) -> None:
    """Mark the days on which a source's services sent several signals: another of them counts from now on."""
    with connection.cursor() as cursor:
        # until the commit no derive may read the setting as it was: a day written from now on would not be marked
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [RULES_LOCK, organization_id])
        cursor.execute(
            "insert into ledger_dirty_day (organization_id, day) select distinct organization_id, day from ledger_signal"
            " where organization_id = %s and source_id = %s order by 2",
            [organization_id, source_id],
        )


def overlaps_of(organization_id: int) -> list[SignalDays]:
    """Read on which days services sent several signals at once, inside the organization's scope."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(_OVERLAPS, [organization_id, organization_id])
        return [
            SignalDays(source_id, service, day_number(first), day_number(latest) + 1, frozenset(signals))
            for source_id, service, signals, first, latest in cursor.fetchall()
        ]
