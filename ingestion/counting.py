"""
Counters of a source between payloads: their latest readings, kept in the transaction that writes what they add.

Only one worker at a time reads the counters of a source: the lock belongs to its session, so it is free when the worker is
gone, and is held until the transaction has committed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django.db import connection

from core.locks import COUNTER_LOCK
from core.organizations.tenancy import organization_scope
from ingestion.sources.counters import Key, Memory, Reading

_ASK: Final = """
select c.series, c.start_ns, c.time_ns, c.value, c.count
from unnest(%s::uuid[], %s::bigint[]) as wanted (series, start_ns)
join ingestion_counter c on c.organization_id = %s and c.source_id = %s
     and c.series = wanted.series and c.start_ns = wanted.start_ns
"""
_KEEP: Final = """
insert into ingestion_counter (organization_id, source_id, series, start_ns, time_ns, value, count)
select %s, %s, * from unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::float8[], %s::bigint[])
on conflict (organization_id, source_id, series, start_ns)
do update set time_ns = excluded.time_ns, value = excluded.value, count = excluded.count
"""


@contextmanager
def held(source_ids: Iterable[int]) -> Iterator[None]:
    """Keep other workers off the counters of these sources."""
    locked: list[int] = []
    try:
        with connection.cursor() as cursor:
            for source_id in sorted(set(source_ids)):
                cursor.execute("select pg_advisory_lock(%s, %s)", [COUNTER_LOCK, source_id])
                locked.append(source_id)
        yield
    finally:
        if locked and connection.is_usable():
            with connection.cursor() as cursor:
                for source_id in locked:
                    cursor.execute("select pg_advisory_unlock(%s, %s)", [COUNTER_LOCK, source_id])


def memory_of(organization_id: int, source_id: int) -> Memory:
    """Give the memory of a source's counters, which asks the database for what it does not know."""

    def ask(keys: Collection[Key]) -> Mapping[Key, Reading]:
        series = [UUID(hex=series) for series, _ in keys]
        starts = [start_ns for _, start_ns in keys]
        with organization_scope(organization_id), connection.cursor() as cursor:
            cursor.execute(_ASK, [series, starts, organization_id, source_id])
            return {(each.hex, start_ns): Reading(*reading) for each, start_ns, *reading in cursor.fetchall()}

    return Memory(ask)


def keep(organization_id: int, source_id: int, memory: Memory) -> None:
    """Store what has changed in a memory; call it inside the ledger's transaction."""
    if not memory.changed:
        return
    ordered = sorted(memory.changed.items())
    columns: list[list[object]] = [[], [], [], [], []]
    for (series, start_ns), reading in ordered:
        row = (UUID(hex=series), start_ns, reading.time_ns, reading.value, reading.count)
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    with connection.cursor() as cursor:
        cursor.execute(_KEEP, [organization_id, source_id, *columns])


def forget(organization_id: int, before_ns: int) -> int:
    """Delete counters whose latest reading is older than any that would still be accepted; give their number."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "delete from ingestion_counter where organization_id = %s and time_ns < %s", [organization_id, before_ns]
        )
        return int(cursor.rowcount)
