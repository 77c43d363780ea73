"""What people decide: replay or discard rows in quarantine, let a held delivery pass, try a failed one again."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from core.identifiers import uuid7
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from ingestion import selectors
from ingestion.models import Batch, QuarantinedRow, QuarantineState, State
from ingestion.services.accept import ensure_payload_partition


class ResolveError(Exception):
    """A decision that cannot be carried out; the message says why and what to do."""


@dataclass
class Replay:
    """Batches that read rows again, and what could not be read again, in words."""

    batches: list[UUID] = field(default_factory=list)
    rows: int = 0
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Part:
    """
    The rows of one batch that reading again concerns.

    Args:
        origin: the batch.
        rows: those that are read; of a format that restates periods all of the batch that are open.
        refusal: why they cannot be read again, in words; None when they can.
    """

    origin: Batch
    rows: QuerySet[QuarantinedRow]
    refusal: str | None


def parts_of(organization_id: int, **filters: Any) -> list[Part]:
    """Part open rows (filters as `selectors.quarantine` takes them) by their batches, inside the organization's scope."""
    rows = selectors.quarantine(organization_id, **filters)
    origins = Batch.objects.filter(organization_id=organization_id, id__in=rows.values("batch_id")).order_by("id")
    return [Part(origin, _chosen(origin, rows), _refusal(origin)) for origin in origins]


def replay_quarantine(organization_id: int, *, dry_run: bool = False, **filters: Any) -> Replay:
    """
    Read open rows again from the payloads they came in, under today's settings and tables.

    Args:
        organization_id: whose.
        dry_run: only see what would become of them.
        filters: as `selectors.quarantine` takes them.

    Each batch concerned gets a new one that reads only these rows. A format that restates periods is read again whole, and
    only while no later delivery of its source stands.
    """
    replay = Replay()
    with organization_scope(organization_id):
        for part in parts_of(organization_id, **filters):
            if part.refusal:
                replay.refused.append(part.refusal)
                continue
            batch = _again(part.origin, dry_run=dry_run)
            if dry_run:
                replay.rows += part.rows.update(replayed_by=batch.id)
            else:
                replay.rows += part.rows.update(
                    replayed_by=batch.id, state=QuarantineState.REPLAYED, resolved_at=datetime.now(UTC)
                )
            replay.batches.append(batch.id)
        if replay.batches and not dry_run:
            record_event(
                organization_id=organization_id,
                action="replay_quarantine",
                object_type="batch",
                object_id=replay.batches[0],
                after={"batches": [str(each) for each in replay.batches], "rows": replay.rows},
            )
    return replay


def discard_quarantine(
    organization_id: int, *, source_id: int | None, reason: str, why: str, ids: list[int] | None = None
) -> int:
    """
    Close the open rows of one source and reason for good, all or those of these ids; they stay readable.

    Raises ResolveError when it is not said which rows, or why.
    """
    if not why.strip():
        raise ResolveError("Say why these rows are discarded: the reason stays with them.")
    if source_id is None or not reason:
        raise ResolveError("Say which rows are discarded: those of one source, under one reason.")
    with organization_scope(organization_id):
        rows = selectors.quarantine(organization_id, source_id=source_id, reason=reason, ids=ids)
        count = rows.update(state=QuarantineState.DISCARDED, discard_reason=why, resolved_at=datetime.now(UTC))
        source = selectors.source_of_id(organization_id, source_id)
        if count and source is not None:
            record_event(
                organization_id=organization_id,
                action="discard_quarantine",
                object_type="quarantine",
                after={"rows": count, "filter": {"source": source.name, "reason": reason}},
                reason=why,
            )
    return count


def confirm_held(organization_id: int, batch_id: UUID, *, why: str = "") -> None:
    """
    Let a held delivery pass. Raises ResolveError when it is not held, or when a later delivery of its source stands that
    it would overwrite.
    """
    with organization_scope(organization_id):
        batch = _locked(organization_id, batch_id)
        if not batch.held:
            raise ResolveError("This delivery is not held.")
        if not batch.dry_run:
            _refuse_overwriting(batch)
        _save(batch, held="", confirmed=True)
        record_event(
            organization_id=organization_id,
            action="confirm_delivery",
            object_type="batch",
            object_id=batch_id,
            before={"held": batch.held},
            reason=why,
        )


def reject_held(organization_id: int, batch_id: UUID, *, why: str) -> None:
    """Refuse a held delivery: it ends as failed. Raises ResolveError when it is not held or no reason is given."""
    if not why.strip():
        raise ResolveError("Say why this delivery is refused.")
    with organization_scope(organization_id):
        batch = _locked(organization_id, batch_id)
        if not batch.held:
            raise ResolveError("This delivery is not held.")
        lines = [*batch.log, batch.held, f"Refused: {why}"]
        _save(batch, held="", state=State.FAILED, finished_at=datetime.now(UTC), log=lines)
        record_event(
            organization_id=organization_id,
            action="refuse_delivery",
            object_type="batch",
            object_id=batch_id,
            reason=why,
        )


def read_again(organization_id: int, batch_id: UUID) -> UUID:
    """
    Make a new batch of a failed one or of a dry run, from the same payload; give its id.

    Raises ResolveError when it is neither, its payload is no longer kept, or a later delivery of its source stands that it
    would overwrite.
    """
    with organization_scope(organization_id):
        origin = _locked(organization_id, batch_id)
        if origin.state != State.FAILED and not origin.dry_run:
            raise ResolveError("Only a failed batch or a dry run can be read again.")
        if not _payload_kept(origin):
            raise ResolveError("The payload is no longer kept. Send it again.")
        _refuse_overwriting(origin)
        batch = _again(origin, dry_run=False, replay=False)
        event = record_event(
            organization_id=organization_id,
            action="accept_payload",
            object_type="batch",
            object_id=batch.id,
            after={"source": origin.kind, "payload_of": str(root_of(origin))},
        )
        _save(batch, audit_sequence=event.sequence)
    return batch.id


def root_of(batch: Batch) -> UUID:
    """Give the batch whose payload a batch reads: its own, unless it reads another's again."""
    return batch.payload_of or batch.id


def _locked(organization_id: int, batch_id: UUID) -> Batch:
    batch = Batch.objects.select_for_update().filter(organization_id=organization_id, id=batch_id).first()
    if batch is None:
        raise ResolveError("There is no batch of that id.")
    return batch


def _save(batch: Batch, **fields: Any) -> None:
    Batch.objects.filter(organization_id=batch.organization_id, id=batch.id).update(**fields)


def _refusal(origin: Batch) -> str | None:
    if not _payload_kept(origin):
        return f"Batch {origin.id}: its payload is no longer kept. Send these rows again, or discard them."
    if _later_delivery(origin) is not None:
        return f"Batch {origin.id}: a later delivery of this source stands; import it again, or discard these rows."
    return None


def _refuse_overwriting(batch: Batch) -> None:
    later = _later_delivery(batch)
    if later is not None:
        received = later.received_at.strftime("%Y-%m-%d %H:%M")
        raise ResolveError(
            f"A later delivery of this source stands (batch {later.id}, received {received} UTC), and this one would"
            " overwrite it. If this one is right, send its files again."
        )


def _later_delivery(batch: Batch) -> Batch | None:
    """Find the newest delivery after this one of a source that restates periods; refused and held ones do not stand."""
    if not batch.in_order:
        return None
    later = Batch.objects.filter(
        organization_id=batch.organization_id, source_id=batch.source_id, id__gt=batch.id, dry_run=False, held=""
    )
    return later.exclude(state=State.FAILED).order_by("id").last()


def _chosen(origin: Batch, rows: QuerySet[QuarantinedRow]) -> QuerySet[QuarantinedRow]:
    if origin.in_order:  # it is read whole, so all of its open rows are
        return selectors.quarantine(origin.organization_id, batch=origin.id)
    return rows.filter(batch_id=origin.id)


def _payload_kept(batch: Batch) -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from ingestion_payload where organization_id = %s and batch_id = %s)",
            [batch.organization_id, root_of(batch)],
        )
        return bool(cursor.fetchone()[0])


def _again(origin: Batch, *, dry_run: bool, replay: bool | None = None) -> Batch:
    """Make a batch that reads another's payload, with a row of its own in the payload table to lock."""
    now = datetime.now(UTC)
    ensure_payload_partition(now.date())
    batch = Batch.objects.create(
        id=uuid7(),
        organization_id=origin.organization_id,
        source_id=origin.source_id,
        kind=origin.kind,
        in_order=origin.in_order,
        dry_run=dry_run,
        payload_of=root_of(origin),
        replay=not origin.in_order if replay is None else replay,
        confirmed=origin.confirmed,
        received_at=now,
        filename=origin.filename,
        size_bytes=origin.size_bytes,
        body_hash=origin.body_hash,
        team=origin.team,
        team_only=origin.team_only,
        project=origin.project,
        stage=origin.stage,
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into ingestion_payload (organization_id, batch_id, number, received_on, content_type, encoding, filename,"
            " size_bytes) values (%s, %s, 1, %s, '', '', '', 0)",
            [origin.organization_id, batch.id, now.date()],
        )
    return batch
