"""A later content of an id that stands: taken as a correction, or that taken back. The ledger stays append-only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import F, Value
from django.db.models.functions import Least

from core.identifiers import uuid7
from core.ledger.writer import Writer
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.records import to_activity
from ingestion import conflicts, selectors
from ingestion.conflicts import QUANTITIES, Record
from ingestion.models import QuarantinedRow, QuarantineState
from ingestion.services.resolve import ResolveError

AT_ONCE: Final = 2_000
NAMED: Final = 20


def take_newer(organization_id: int, *, source_id: int, why: str, ids: Sequence[int] | None = None) -> tuple[int, int]:
    """
    Take the later contents of conflicting records in place of what stands: what stands is taken back by corrections with
    the negated measures, and the later content is written as a correction too, so the id counts once.

    Args:
        ids: of rows in quarantine; None: all open conflicts of the source, 2,000 at most. Of several contents of one id the
            latest is taken and the others are closed.
        why: the reason; it stays in the audit log.

    Returns:
        Rows that were closed, and rows that cannot be taken and stay open.

    Raises ResolveError when no reason is given.
    """
    if not why.strip():
        raise ResolveError("Say why the later content is taken: the reason stays with it.")
    with organization_scope(organization_id):
        found = selectors.quarantine(
            organization_id, source_id=source_id, reason=conflicts.REASON, ids=None if ids is None else list(ids)
        )
        rows = list(found.select_for_update()[:AT_ONCE])
        latest = {row.record_id: row for row in rows}
        chosen = {each.row.id: each for each in conflicts.compare(organization_id, latest.values()) if not each.fault}
        taken = [each.row for each in chosen.values()]
        corrections = {row.id: uuid7() for row in taken}
        with Writer(organization_id) as writer:
            for row in taken:
                _stage(writer, organization_id, row, corrections[row.id], chosen[row.id].newer)
            writer.commit()
        now = datetime.now(UTC)
        closed = 0
        for row in rows:
            correction = corrections.get(latest[row.record_id].id)
            if correction is None:
                continue
            row.state, row.resolved_at = QuarantineState.REPLAYED, now
            if row.id in corrections:
                row.replayed_by = correction
            else:
                row.state, row.discard_reason = QuarantineState.DISCARDED, why.strip()
            row.save(update_fields=["state", "resolved_at", "replayed_by", "discard_reason"])
            closed += 1
        if closed:
            _record(organization_id, "take_newer_content", source_id, taken, why)
    return closed, len(rows) - closed


def take_back(organization_id: int, *, source_id: int, row_id: int, why: str) -> None:
    """
    Take a correction by a later content back: what stood before stands again, and the row waits in quarantine once more; one
    that was sent again meanwhile waits already and goes on counting how often it was sent.

    Raises ResolveError when there is no such correction, a later one of the same id stands, its period is deleted, or no
    reason is given.
    """
    if not why.strip():
        raise ResolveError("Say why the correction is taken back: the reason stays with it.")
    with organization_scope(organization_id):
        taken = taken_rows(organization_id, source_id).select_for_update()
        row = taken.filter(id=row_id).first()
        if row is None:
            raise ResolveError("There is no such correction.")
        if taken.filter(record_id=row.record_id, resolved_at__gt=row.resolved_at).exists():
            raise ResolveError("A later correction of the same record stands: take that one back first.")
        (compared,) = conflicts.compare(organization_id, [row])
        if compared.fault == "deleted":
            raise ResolveError("The record's period is deleted: restore it first.")
        written = conflicts.written_by(organization_id, source_id, row.replayed_by)
        with Writer(organization_id) as writer:
            _stage_reversals(writer, row, uuid7(), written, start=0)
            writer.commit()
        _wait_again(row)
        _record(organization_id, "take_back_content", source_id, [row], why)


def _wait_again(row: QuarantinedRow) -> None:
    same = {"source_id": row.source_id, "fingerprint": row.fingerprint, "fingerprint__isnull": False}
    waiting = QuarantinedRow.objects.filter(
        organization_id=row.organization_id, state=QuarantineState.OPEN, **same
    ).select_for_update()
    row.replayed_by = None
    if waiting.update(
        times_sent=F("times_sent") + row.times_sent, first_seen=Least("first_seen", Value(row.first_seen))
    ):
        row.state, row.discard_reason = QuarantineState.DISCARDED, "waits as it was sent again"
    else:
        row.state, row.resolved_at = QuarantineState.OPEN, None
    row.save(update_fields=["state", "resolved_at", "replayed_by", "discard_reason"])


def taken_rows(organization_id: int, source_id: int) -> Any:
    """List the conflicts of a source whose later content was taken, the latest first."""
    rows = QuarantinedRow.objects.filter(
        organization_id=organization_id,
        source_id=source_id,
        reason=conflicts.REASON,
        state=QuarantineState.REPLAYED,
        replayed_by__isnull=False,
    )
    return rows.order_by("-resolved_at", "-id")


def _stage(writer: Writer, organization_id: int, row: QuarantinedRow, correction: UUID, newer: Record) -> None:
    standing = conflicts.standing_of(organization_id, row.source_id, row.record_id or "")
    ids = {"record_id": conflicts.correction_id(correction, 0), "corrects": row.record_id, "flags": ("corrected",)}
    writer.stage(to_activity([{**newer, **ids}]), source_id=row.source_id, batch_id=row.batch_id, confirmed=True)
    _stage_reversals(writer, row, correction, standing.rows, start=1)


def _stage_reversals(
    writer: Writer, row: QuarantinedRow, correction: UUID, rows: Sequence[Record], *, start: int
) -> None:
    """Stage, for each record, one of the same dimensions and interval with the negated measures."""
    reversals = [
        {
            **conflicts.canonical(each),
            **{name: -each[name] for name in QUANTITIES if each.get(name) is not None},
            "record_id": conflicts.correction_id(correction, number),
            "corrects": row.record_id,
            "flags": ("taken_back",),
        }
        for number, each in enumerate(rows, start)
    ]
    writer.stage(to_activity(reversals), source_id=row.source_id, batch_id=row.batch_id, confirmed=True)


def _record(organization_id: int, action: str, source_id: int, rows: Sequence[QuarantinedRow], why: str) -> None:
    record_event(
        organization_id=organization_id,
        action=action,
        object_type="source",
        object_id=source_id,
        after={"rows": len(rows), "record_ids": [row.record_id for row in rows[:NAMED]]},
        reason=why.strip(),
    )
