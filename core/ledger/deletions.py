"""
Deleting a period of a source, and taking that back.

Nothing is removed. Each record of the period is taken back by a correction with the same interval and the negated measures,
so that every cell loses exactly what the record had added; restoring writes the record once more. A record that is sent again
after its deletion is written as a correction too (`Writer`), so its id counts once however often it comes, and is then left
out when the deletion is taken back.

Work goes day by day of the records' starts, each day in one transaction: it can be interrupted at any point and goes on.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
from django.db import connection

from core.identifiers import uuid7
from core.ledger import insertion, partitions, reading, snapshots, staging
from core.ledger.models import Deletion, DeletionState, Source
from core.organizations.identity import current_actor
from core.organizations.retention import retention_of
from core.organizations.selectors import organization_by_id
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification import keys
from core.quantification.activity import COUNTS, NUMBERS

WORKING: Final = (DeletionState.DELETING, DeletionState.RESTORING)


class DeletionError(Exception):
    """
    A deletion that cannot be made or taken back; the message says why.

    Attributes:
        field: what to mend: from_day, to_day, reason, name; empty: the whole.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Extent:
    """What a deletion of a period would take back: ledger records, and the UTC days on which they start."""

    records: int
    first_day: date | None
    latest_day: date | None


def deletions_of(organization_id: int, source_id: int) -> list[Deletion]:
    """List the deletions of a source, the latest first, inside the organization's scope."""
    return list(Deletion.objects.filter(organization_id=organization_id, source_id=source_id).order_by("-id"))


def deletions_to_work_on(organization_id: int) -> list[int]:
    """List the deletions that are not finished, the oldest first, inside the organization's scope."""
    waiting = Deletion.objects.filter(organization_id=organization_id, state__in=WORKING)
    return list(waiting.order_by("id").values_list("id", flat=True))


def extent_of(organization_id: int, source_id: int, from_day: date, to_day: date) -> Extent:
    """Count what a deletion of a period would take back."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select count(*), min((r.started_at at time zone 'UTC')::date), max((r.started_at at time zone 'UTC')::date)"
            f" {_STANDING}",
            [
                *(organization_id, source_id, _batches(organization_id, source_id)),
                *(reading.midnight(from_day), reading.midnight(to_day + timedelta(days=1))),
            ],
        )
        return Extent(*cursor.fetchone())


def ask_deletion(
    *, organization_id: int, source_id: int, from_day: date, to_day: date, reason: str, name: str
) -> Deletion:
    """
    Ask for the records of a source that start in a period to be deleted; ``work_on`` does it.

    Args:
        organization_id, source_id: whose.
        from_day, to_day: UTC days, both included.
        reason: why; it stays in the audit log.
        name: the source's, typed once more by who asks.

    Raises:
        DeletionError: no such source, a period that ends before it starts, no reason, another name, nothing to delete, or
            another deletion of the source is under way.
    """
    with organization_scope(organization_id):
        source = Source.objects.select_for_update().filter(organization_id=organization_id, id=source_id).first()
        if source is None:
            raise DeletionError("There is no source of that id.")
        if to_day < from_day:
            raise DeletionError("The period ends before it starts.", "to_day")
        if not reason.strip():
            raise DeletionError("Say why: the reason stays with the deletion.", "reason")
        if name != source.name:
            raise DeletionError(f"Type the name of the source, {source.name}, to confirm.", "name")
        _refuse_second(organization_id, source_id)
        extent = extent_of(organization_id, source_id, from_day, to_day)
        if not extent.records:
            raise DeletionError("No record of this source starts in that period.", "from_day")
        deletion = Deletion.objects.create(
            organization_id=organization_id,
            source_id=source_id,
            from_day=from_day,
            to_day=to_day,
            reason=reason.strip(),
            batch_id=uuid7(),
            asked_by=current_actor().name,
        )
        record_event(
            organization_id=organization_id,
            action="delete_source_data",
            object_type="source",
            object_id=source_id,
            after={"deletion": deletion.id, **_period(deletion), "records": extent.records},
            reason=reason.strip(),
        )
    return deletion


def ask_restore(*, organization_id: int, deletion_id: int, reason: str = "") -> Deletion:
    """
    Ask for a deletion to be taken back; ``work_on`` does it. What was sent again since stays as it was sent.

    Raises:
        DeletionError: there is no such deletion, it is not done or was taken back already, or another is under way.
    """
    with organization_scope(organization_id):
        deletion = _locked(organization_id, deletion_id)
        if deletion.state != DeletionState.DELETED:
            raise DeletionError(f"This deletion is {deletion.state}: there is nothing to take back.")
        _refuse_second(organization_id, deletion.source_id)
        deletion.state = DeletionState.RESTORING
        deletion.restore_batch_id = uuid7()
        deletion.days, deletion.days_done, deletion.reached = 0, 0, None
        deletion.save()
        record_event(
            organization_id=organization_id,
            action="restore_source_data",
            object_type="source",
            object_id=deletion.source_id,
            after={"deletion": deletion.id, **_period(deletion)},
            reason=reason.strip(),
        )
    return deletion


def work_on(organization_id: int, deletion_id: int, seconds: float = float("inf")) -> Deletion:
    """
    Go on with a deletion or its restoring, day by day, until it is done or the time is up.

    Wants no open transaction around it: each day is one of its own, and another worker that has the same deletion waits.
    """
    deadline = time.monotonic() + seconds
    staging.make_tables()
    days = _days_to_do(organization_id, deletion_id)
    with organization_scope(organization_id):
        deletion = _locked(organization_id, deletion_id)
        if deletion.state in WORKING:
            deletion.days = deletion.days_done + len([day for day in days if _is_ahead(deletion, day)])
            deletion.save(update_fields=["days"])
    for day in days:
        if deletion.state not in WORKING or time.monotonic() > deadline:
            return deletion
        deletion = _do_day(organization_id, deletion_id, day)
    return _finished(organization_id, deletion_id)


def _is_ahead(deletion: Deletion, day: date) -> bool:
    return deletion.reached is None or day > deletion.reached


def _do_day(organization_id: int, deletion_id: int, day: date) -> Deletion:
    """Take back, or bring again, the records that start on a day."""
    staging.empty_tables()
    with organization_scope(organization_id):
        deletion = _locked(organization_id, deletion_id)
        if deletion.state not in WORKING or not _is_ahead(deletion, day):
            return deletion
        _lock_snapshots(organization_id, deletion.source_id)
        written = _write(deletion, day)
        if deletion.state == DeletionState.DELETING:
            deletion.records += written
        else:
            deletion.restored += written
        deletion.days_done += 1
        deletion.reached = day
        deletion.save(update_fields=["records", "restored", "days_done", "reached"])
    staging.empty_tables()
    return deletion


def _finished(organization_id: int, deletion_id: int) -> Deletion:
    with organization_scope(organization_id):
        deletion = _locked(organization_id, deletion_id)
        if deletion.state not in WORKING:
            return deletion
        deleting = deletion.state == DeletionState.DELETING
        now = datetime.now(UTC)
        if deleting:
            deletion.state, deletion.deleted_at = DeletionState.DELETED, now
        else:
            deletion.state, deletion.restored_at = DeletionState.RESTORED, now
        deletion.save(update_fields=["state", "deleted_at", "restored_at"])
        record_event(
            organization_id=organization_id,
            action="source_data_deleted" if deleting else "source_data_restored",
            object_type="source",
            object_id=deletion.source_id,
            after={
                "deletion": deletion.id,
                **_period(deletion),
                "records": deletion.records if deleting else deletion.restored,
            },
        )
    return deletion


def _locked(organization_id: int, deletion_id: int) -> Deletion:
    deletion = Deletion.objects.select_for_update().filter(organization_id=organization_id, id=deletion_id).first()
    if deletion is None:
        raise DeletionError("There is no deletion of that id.")
    return deletion


def _refuse_second(organization_id: int, source_id: int) -> None:
    working = Deletion.objects.filter(organization_id=organization_id, source_id=source_id, state__in=WORKING)
    if working.exists():
        raise DeletionError("Another deletion of this source is under way: wait for it.")


def _period(deletion: Deletion) -> dict[str, str]:
    return {"from_day": deletion.from_day.isoformat(), "to_day": deletion.to_day.isoformat()}


def _batches(organization_id: int, source_id: int) -> list[UUID]:
    """List the batches of corrections that deletions of a source wrote: they are no records of its own."""
    rows = Deletion.objects.filter(organization_id=organization_id, source_id=source_id)
    found = rows.values_list("batch_id", "restore_batch_id")
    return [batch for pair in found for batch in pair if batch is not None]


def _lock_snapshots(organization_id: int, source_id: int) -> None:
    """Keep deliveries of the source off: what they compare with must not change under them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id from ledger_snapshot where organization_id = %s and source_id = %s", [organization_id, source_id]
        )
        ids = [snapshot_id for (snapshot_id,) in cursor.fetchall()]
    snapshots.lock(organization_id, ids)


# --- the records of a day ---------------------------------------------------------------------------------------------

# Each record is looked up by itself, whatever the planner believes of a table that was never analyzed: any other plan reads
# all that is deleted once more for every day. `limit 1` keeps it from joining the two.
_RECORDS: Final = """
from (
    select r.*, l.source_id, l.grain from ledger_record r
    join ledger_series l on l.organization_id = r.organization_id and l.id = r.series_id
    where r.organization_id = %s and l.source_id = %s and r.batch_id <> all(%s)
      and r.started_at >= %s and r.started_at < %s
    offset 0
) r
left join lateral (
    select d.deletion_id, d.sent_again from ledger_deleted_record d
    where d.organization_id = r.organization_id and d.source_id = r.source_id and d.key = r.key limit 1
) d on true
"""
_STANDING: Final = f"{_RECORDS} where d.deletion_id is null"
_TAKEN_BACK: Final = f"{_RECORDS} where d.deletion_id = %s and not d.sent_again"

# What a record is compared by when its snapshot is delivered again: see snapshots.py.
_BASE: Final = "case when {of}.revision > 0 then {of}.corrects else {of}.key end"


def _chosen(deletion: Deletion, start: datetime, end: datetime) -> tuple[str, list[Any]]:
    """Write which records that start in [start, end) are to be worked on, with the parameters."""
    batches = _batches(deletion.organization_id, deletion.source_id)
    own = [deletion.organization_id, deletion.source_id, batches, start, end]
    if deletion.state == DeletionState.DELETING:
        return _STANDING, own
    return _TAKEN_BACK, [*own, deletion.id]


def _delivered_again(deletion: Deletion, start: datetime, end: datetime) -> list[UUID]:
    """
    List the keys of restated periods that a delivery has written to since the deletion: what it says stands.

    Looks at the snapshots that have records in [start, end), inside the lock on them.
    """
    own = [deletion.organization_id, deletion.source_id]
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct r.snapshot_id from ledger_record r"
            " join ledger_series l on l.organization_id = r.organization_id and l.id = r.series_id"
            " where r.organization_id = %s and l.source_id = %s and r.started_at >= %s and r.started_at < %s"
            " and r.snapshot_id is not null",
            [*own, start, end],
        )
        ids = [snapshot_id for (snapshot_id,) in cursor.fetchall()]
        if not ids:
            return []
        cursor.execute(
            f"select distinct {_BASE.format(of='n')} from ledger_record n where n.organization_id = %s"
            " and n.snapshot_id = any(%s) and n.batch_id > %s and n.batch_id <> all(%s)",
            [deletion.organization_id, ids, deletion.batch_id, _batches(*own)],
        )
        return [key for (key,) in cursor.fetchall()]


def _days_to_do(organization_id: int, deletion_id: int) -> list[date]:
    with organization_scope(organization_id), connection.cursor() as cursor:
        deletion = Deletion.objects.get(organization_id=organization_id, id=deletion_id)
        start, end = reading.midnight(deletion.from_day), reading.midnight(deletion.to_day + timedelta(days=1))
        chosen, values = _chosen(deletion, start, end)
        cursor.execute(f"select distinct (r.started_at at time zone 'UTC')::date as day {chosen} order by day", values)
        return [day for (day,) in cursor.fetchall()]


def _write(deletion: Deletion, day: date) -> int:
    """Write a correction for each chosen record that starts on a day, with its cells; give how many."""
    deleting = deletion.state == DeletionState.DELETING
    start, end = reading.midnight(day), reading.midnight(day + timedelta(days=1))
    chosen, values = _chosen(deletion, start, end)
    again = [] if deleting else _delivered_again(deletion, start, end)
    if again:
        chosen += f" and not (r.snapshot_id is not null and {_BASE.format(of='r')} = any(%s::uuid[]))"
        values.append(again)
    sign = "-" if deleting else ""
    measures = ", ".join(
        f"r.{name}" if name.endswith("_utilization") else f"{sign}r.{name}" for name in (*COUNTS, *NUMBERS)
    )
    name = f"{'deletion' if deleting else 'restored'}:{deletion.id}:"
    batch = deletion.batch_id if deleting else deletion.restore_batch_id
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_STAGE} select row_number() over (order by r.series_id, r.started_at, r.key) - 1, 0, 0, 1,"
            " r.organization_id, r.source_id, r.series_id, r.grain = 'day', r.started_at, r.ended_at,"
            f" encode(substring(sha256(convert_to(%s || r.key, 'UTF8')) from 1 for 16), 'hex')::uuid, 0, %s,"
            f" r.snapshot_id, {_REVISION}, {_CORRECTED}, %s || r.key, r.run, r.key, %s, {measures} {chosen}",
            [name, batch, name, "deleted" if deleting else "restored", *values],
        )
        staged = int(cursor.rowcount)
    if not staged:
        return 0
    insertion.prepare(staged)
    staging.stage_cells_of(0)
    now = datetime.now(UTC)
    kept = retention_of(organization_by_id(deletion.organization_id))
    group = insertion.Group(deletion.organization_id, partitions.oldest_text_month(now, kept.ids_days), staged)
    group.insert(0, {})
    group.insert_cells()
    _note(deletion, deleting=deleting)
    return staged


# corrects_id, which is not written to the ledger, holds the key of the record concerned.
_STAGE: Final = f"""
insert into pg_temp.staged_record (
    position, batch, "row", rows, organization_id, source_id, series_id, by_day, started_at, ended_at, key, content,
    batch_id, snapshot_id, revision, corrects, record_id, run, corrects_id, flags, {", ".join((*COUNTS, *NUMBERS))}
)
"""
# A delivery compares by revision and corrects, so the correction belongs to the same key; else it belongs to what the record
# itself corrects, if it does, so that a record and all that was corrected of it are found together.
_REVISION: Final = "case when r.snapshot_id is null then 0 else r.revision + 1 end"
_CORRECTED: Final = f"case when r.snapshot_id is null then coalesce(r.corrects, r.key) else {_BASE.format(of='r')} end"


def _note(deletion: Deletion, *, deleting: bool) -> None:
    """Remember which records are deleted now, or forget those that are no longer."""
    with connection.cursor() as cursor:
        if deleting:
            cursor.execute(
                "insert into ledger_deleted_record (organization_id, source_id, deletion_id, key)"
                " select organization_id, source_id, %s, corrects_id::uuid from pg_temp.staged_record order by 4",
                [deletion.id],
            )
        else:
            cursor.execute(
                "delete from ledger_deleted_record where organization_id = %s and source_id = %s"
                " and key = any(array(select corrects_id::uuid from pg_temp.staged_record))",
                [deletion.organization_id, deletion.source_id],
            )


# --- records that are sent again --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SentAgain:
    """
    Records whose earlier version is deleted.

    Args:
        names: position in the chunk -> the id under which the record is written now.
        replaced: (key of a deleted version, key under which it is written now).
    """

    names: dict[int, str]
    replaced: list[tuple[UUID, UUID]]


def any_deleted(organization_id: int, source_id: int) -> bool:
    """Tell whether any record of a source is deleted."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from ledger_deleted_record where organization_id = %s and source_id = %s)",
            [organization_id, source_id],
        )
        return bool(cursor.fetchone()[0])


def sent_again(organization_id: int, source_id: int, record_ids: Sequence[str]) -> SentAgain:
    """
    Find the records of a chunk whose earlier version is deleted, and how each is named now.

    The id of the n-th version after deletions is the sender's with ``:r<n>``, so a repetition finds the version before it.
    """
    names: dict[int, str] = {}
    before: dict[int, list[UUID]] = {}
    asked = dict(enumerate(record_ids))
    version = 0
    while asked:
        positions = list(asked)
        found = _uuids(keys.record_keys(list(asked.values())))
        deleted = _deleted_of(organization_id, source_id, found)
        version += 1
        asked = {}
        for position, key in zip(positions, found, strict=True):
            if key in deleted:
                before.setdefault(position, []).append(key)
                names[position] = asked[position] = f"{record_ids[position]}:r{version}"
    final = dict(zip(names, _uuids(keys.record_keys(list(names.values()))), strict=True)) if names else {}
    return SentAgain(names, [(key, final[position]) for position, all_keys in before.items() for key in all_keys])


def note_sent_again(organization_id: int, source_id: int, replaced: Sequence[tuple[UUID, UUID]]) -> None:
    """Note which deleted records stand again by what is still on the stage, in the transaction that writes it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select key from pg_temp.staged_record where source_id = %s and key = any(%s::uuid[])",
            [source_id, [written for _, written in replaced]],
        )
        staged = {key for (key,) in cursor.fetchall()}
        cursor.execute(
            "update ledger_deleted_record set sent_again = true"
            " where organization_id = %s and source_id = %s and key = any(%s::uuid[])",
            [organization_id, source_id, [deleted for deleted, written in replaced if written in staged]],
        )


def _uuids(rows: npt.NDArray[np.uint8]) -> list[UUID]:
    return [UUID(bytes=row.tobytes()) for row in rows]


def _deleted_of(organization_id: int, source_id: int, found: list[UUID]) -> set[UUID]:
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select key from ledger_deleted_record where organization_id = %s and source_id = %s and key = any(%s)",
            [organization_id, source_id, found],
        )
        return {key for (key,) in cursor.fetchall()}
