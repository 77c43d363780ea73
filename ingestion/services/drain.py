"""From the inbox to the ledger: claim, read, stage, and commit everything that follows in one transaction."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import InterfaceError, OperationalError, connection

from core.ledger.writer import BatchResult, Writer, WriteResult
from core.organizations.tenancy import organization_scope
from core.quantification.rejections import Rejection
from ingestion import counting, outside, quarantining, reading
from ingestion.claims import MOST_ATTEMPTS, Claimed, Claims
from ingestion.models import COUNTS
from ingestion.services import agents, audit, runs
from ingestion.sightings import Sightings
from ingestion.sources import registry
from ingestion.sources.aggregates import Aggregate
from ingestion.sources.base import UnreadablePayload, finish_drafts

log = structlog.get_logger()

PROGRESS_S: Final = 0.5
"""Between two notes of a large file's progress."""
RETRY_AFTER: Final = timedelta(seconds=20)
OnProgress = Callable[[UUID, int], None]

LOG_LINES: Final = 200
"""Lines kept of a batch's log; a delivery of many files may say more."""


@dataclass
class Drained:
    """What one drain did: batches finished, the five counts of them, and whether some still wait."""

    batches: int = 0
    counts: Counter[str] = field(default_factory=lambda: Counter(dict.fromkeys(COUNTS, 0)))
    more: bool = False


@dataclass
class Tally:
    """What reading one batch has found so far. ``failed`` says why no row of it could be read."""

    received: int = 0
    rejected: int = 0
    outside: int = 0
    duplicate: int = 0
    outside_by: list[dict[str, Any]] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    failed: str | None = None
    aggregates: list[tuple[Aggregate, dict[str, Any]]] = field(default_factory=list)


class _HeldAmongOthers(Exception):  # no error: the group is read again
    """A batch with readings of counters is held, while others were compared with what it shows."""


class _DryRun(Exception):  # no error: it carries a result
    """Carries the result of a dry run out of the transaction that it must not commit."""

    def __init__(self, result: WriteResult) -> None:
        self.result = result


def drain_inbox(
    organization_id: int,
    *,
    seconds: float = 45.0,
    only: list[UUID] | None = None,
    on_progress: OnProgress | None = None,
) -> Drained:
    """
    Read waiting batches, group by group, until none is left or the time is up.

    Args:
        organization_id: whose inbox.
        seconds: no new group is begun after this.
        only: these batches, as far as they wait and nobody else has them.
        on_progress: told how many rows of a large file have been read.

    Returns what was done. Raises OperationalError when the database goes away; what was claimed is then free again.
    """
    drained = Drained()
    deadline = time.monotonic() + seconds
    with Claims(organization_id, only) as claims:
        while group := claims.take():
            _work_on(organization_id, group, drained, on_progress)
            if claims.exhausted:
                break  # what arrived meanwhile has woken somebody: many small groups would cost more than one large
            if time.monotonic() > deadline:
                drained.more = True
                break
    return drained


def _work_on(organization_id: int, group: list[Claimed], drained: Drained, on_progress: OnProgress | None) -> None:
    exhausted = [batch for batch in group if batch.attempts >= MOST_ATTEMPTS]
    if exhausted:
        _give_up(organization_id, exhausted, "Reading it ended its worker three times; it is not tried again.")
        drained.batches += len(exhausted)
    group = [batch for batch in group if batch.attempts < MOST_ATTEMPTS]
    if not group:
        return
    _note_claim(organization_id, group)
    started = time.monotonic()
    try:
        done = _written(organization_id, group, on_progress)
    except (OperationalError, InterfaceError) as error:
        # Nobody's fault here: the attempt does not count.
        log.warning("database went away, batches are free again", batches=len(group), error=str(error)[:200])
        connection.close()
        _release(organization_id, group, uncount=True)
        raise
    except Exception as error:
        # A fault of ours must not stop the batches behind it: one by one, then later, then given up with its reason.
        log.exception("batches could not be read", batches=[str(batch.id) for batch in group][:10])
        connection.close()
        _put_back_or_give_up(organization_id, group, error)
        return
    for counts in done.values():
        drained.counts.update(counts)
    drained.batches += len(done)
    log.info(
        "batches drained",
        batches=len(done),
        waited_s=round((datetime.now(UTC) - group[0].received_at).total_seconds(), 3),
        took_s=round(time.monotonic() - started, 3),
        **dict(sum((Counter(counts) for counts in done.values()), Counter())),
    )


def _written(organization_id: int, group: list[Claimed], on_progress: OnProgress | None) -> dict[UUID, dict[str, int]]:
    try:
        return Group(organization_id, group, on_progress).write()
    except _HeldAmongOthers:
        done: dict[UUID, dict[str, int]] = {}
        for batch in group:
            done |= Group(organization_id, [batch], on_progress).write()
        return done


class Group:
    """The batches of one transaction on their way from their payloads to the ledger."""

    def __init__(self, organization_id: int, batches: list[Claimed], on_progress: OnProgress | None = None) -> None:
        self.on_progress = on_progress
        self.organization_id = organization_id
        self.batches = batches
        self.tallies = {batch.id: Tally() for batch in batches}
        self.reader = reading.Reader(organization_id)
        self.sightings = Sightings()
        self.noted_at = time.monotonic()

    def write(self) -> dict[UUID, dict[str, int]]:
        """Read and write all of them; give the counts of those that are finished (held ones are not)."""
        counted = [batch.source_id for batch in self.batches if reading.counts_on(batch)]
        with (
            counting.held(counted),
            Writer(self.organization_id) as writer,
            quarantining.Staging(self.organization_id) as staging,
        ):
            self.staging = staging
            self.reader.fetch(self.batches)
            for batch in self._read_together(writer):
                self._read(batch, writer)
            if len(self.batches) == 1 and self.tallies[self.batches[0].id].failed:
                # A large file may have been staged in part before it turned out to be broken.
                result = WriteResult({}, 0, [])
                with organization_scope(self.organization_id):
                    self._finish(result)
            else:
                result = self._commit(writer)
        return {
            batch.id: self._counts(batch, result) for batch in self.batches if self._outcome(batch, result).held is None
        }

    def _commit(self, writer: Writer) -> WriteResult:
        if not self.batches[0].dry_run:
            return writer.commit(self._finish)

        def stop(result: WriteResult) -> None:
            raise _DryRun(result)

        try:
            return writer.commit(stop)
        except _DryRun as dry:
            with organization_scope(self.organization_id):
                self._finish(dry.result)
            return dry.result

    def _read_together(self, writer: Writer) -> list[Claimed]:
        """Read small payloads of formats that can finish many at once; give the batches that are still to be read."""
        for source_id, drafts in self.reader.drafts(self.batches).items():
            try:
                together = finish_drafts([(draft, context) for _, draft, context in drafts if draft is not None])
            except UnreadablePayload as error:  # a setting of the source
                for batch, _, _ in drafts:
                    self.tallies[batch.id].failed = str(error)
                continue
            ids = [batch.id for batch, draft, _ in drafts if draft is not None]
            for batch, draft, _ in drafts:
                tally = self.tallies[batch.id]
                if draft is None:
                    tally.failed = self.reader.faults[batch.id]
                    continue
                tally.received, tally.outside, tally.log = draft.received, draft.outside, draft.log
                tally.duplicate = draft.duplicate
                tally.rejected = sum(rejection.rows for rejection in draft.rejected)
                self.staging.add(batch.id, source_id, draft.rejected, self.reader.place)
                self._let_wait(batch, draft.aggregates)
            if len(together.activity):
                frame = together.activity.drop(columns="payload")
                batch_ids = [ids[position] for position in together.activity["payload"]]
                self.sightings.add(source_id, batch_ids, frame)
                writer.stage(frame, source_id=source_id, batch_id=batch_ids)
        return [batch for batch in self.batches if not self.reader.was_drafted(batch)]

    def _read(self, batch: Claimed, writer: Writer) -> None:
        """Stage one batch. A small one is read whole first, so that a broken one leaves nothing staged in its group."""
        tally = self.tallies[batch.id]
        try:
            chunks: Iterable[reading.Chunk] = self.reader.chunks(batch)
            for chunk in chunks if batch.alone else list(chunks):
                self._stage(batch, tally, chunk, writer)
                if batch.alone:
                    self._note_progress(batch, tally)
        except UnreadablePayload as error:
            tally.failed = str(error)

    def _stage(self, batch: Claimed, tally: Tally, chunk: reading.Chunk, writer: Writer) -> None:
        tally.received += chunk.received
        tally.rejected += sum(rejection.rows for rejection in chunk.rejected)
        tally.outside += chunk.outside
        tally.duplicate += chunk.duplicate
        tally.outside_by = outside.added(tally.outside_by, chunk.outside_by)
        tally.log += chunk.log
        self.staging.add(batch.id, batch.source_id, chunk.rejected, self.reader.place)
        self._let_wait(batch, chunk.aggregates)
        self.sightings.add(batch.source_id, [batch.id] * len(chunk.activity), chunk.activity)
        writer.stage(
            chunk.activity,
            source_id=batch.source_id,
            batch_id=batch.id,
            cover=chunk.cover,
            refused=chunk.rejected if registry.adapter(batch.kind).SNAPSHOT else (),
            confirmed=batch.confirmed,
        )

    def _let_wait(self, batch: Claimed, aggregates: list[Aggregate]) -> None:
        """Check spans of agents like any record; they are counted as outside until they count."""
        tally = self.tallies[batch.id]
        for aggregate in aggregates:
            record = agents.checked(aggregate, self.reader.context(batch))
            if isinstance(record, Rejection):
                tally.outside -= 1
                tally.rejected += 1
                self.staging.add(batch.id, batch.source_id, [record], self.reader.place)
            else:
                tally.aggregates.append((aggregate, record))

    def _note_progress(self, batch: Claimed, tally: Tally) -> None:
        """Let the batch's address show how far it is; counts only ever grow, also when it is read for the second time."""
        if time.monotonic() - self.noted_at < PROGRESS_S:
            return
        self.noted_at = time.monotonic()
        if self.on_progress is not None:
            self.on_progress(batch.id, tally.received)
        with organization_scope(self.organization_id), connection.cursor() as cursor:
            cursor.execute(
                "update ingestion_batch set received = greatest(received, %s), outside = greatest(outside, %s)"
                " where organization_id = %s and id = %s",
                [tally.received, tally.outside, self.organization_id, batch.id],
            )

    def _outcome(self, batch: Claimed, result: WriteResult) -> BatchResult:
        return result.batches.get(batch.id) or BatchResult()

    def _counts(self, batch: Claimed, result: WriteResult) -> dict[str, int]:
        tally, outcome = self.tallies[batch.id], self._outcome(batch, result)
        if tally.failed:
            return dict.fromkeys(COUNTS, 0)
        return {
            "received": tally.received,
            "written": outcome.written,
            "duplicate": tally.duplicate + outcome.duplicate,
            "quarantined": tally.rejected + sum(rejection.rows for rejection in outcome.rejected),
            "outside": tally.outside,
        }

    def _finish(self, result: WriteResult) -> None:
        """Inside the ledger's transaction: rows in quarantine, states and counts, and who is answerable for it."""
        finished = []
        kept_out: list[UUID] = []
        for batch in self.batches:
            outcome = self._outcome(batch, result)
            if outcome.held is not None:
                if len(self.batches) > 1 and reading.counts_on(batch):
                    raise _HeldAmongOthers
                kept_out.append(batch.id)
                _hold(self.organization_id, batch, outcome)
                continue
            if self.tallies[batch.id].failed:
                kept_out.append(batch.id)
            self.staging.add(batch.id, batch.source_id, outcome.rejected, self.reader.place)
            finished.append(batch)
        if not self.batches[0].dry_run:
            self.staging.keep(kept_out)
            self._keep_beside(kept_out)
        self._set_done(finished, result)
        runs.mark_used(self.organization_id, self.reader.runs_read())
        audit.record_pushes(self.organization_id, finished)

    def _keep_beside(self, kept_out: list[UUID]) -> None:
        """Keep what the records do not hold: readings of counters, signals seen, and spans of agents with their calls."""
        if len(kept_out) < len(self.batches):  # a batch that is held alone leaves its counters as they were
            for source_id, memory in sorted(self.reader.memories.items()):
                counting.keep(self.organization_id, source_id, memory)
        self.sightings.keep(self.organization_id, kept_out)
        calls = self.sightings.traces_by_source(kept_out)
        for batch in self.batches:
            waiting = self.tallies[batch.id].aggregates
            if waiting and batch.id not in kept_out:
                traces = calls.get(batch.source_id, set())
                agents.add(self.organization_id, batch.source_id, batch.id, batch.received_at, waiting, traces)
        agents.note_calls(self.organization_id, calls)

    def _set_done(self, finished: list[Claimed], result: WriteResult) -> None:
        columns: dict[str, list[Any]] = {name: [] for name in ("id", "state", "log", "outside_by", *COUNTS)}
        for batch in finished:
            tally = self.tallies[batch.id]
            lines = [tally.failed] if tally.failed else [*tally.log, *self._outcome(batch, result).log]
            columns["id"].append(batch.id)
            columns["state"].append("failed" if tally.failed else "done")
            columns["log"].append(reading.to_json(_shortened(lines)))
            columns["outside_by"].append(reading.to_json(tally.outside_by))
            for name, count in self._counts(batch, result).items():
                columns[name].append(count)
        with connection.cursor() as cursor:
            cursor.execute(_SET_DONE, columns | {"organization": self.organization_id, "now": datetime.now(UTC)})


# In the order of ids, so that two workers that finish groups at once take the rows in one order.
_SET_DONE = """
update ingestion_batch b
set state = d.state, finished_at = %(now)s, retry_at = null,
    log = b.log || array(select jsonb_array_elements_text(d.log::jsonb)), outside_by = d.outside_by::jsonb,
    received = d.received, written = d.written, duplicate = d.duplicate, quarantined = d.quarantined,
    outside = d.outside
from unnest(%(id)s::uuid[], %(state)s::text[], %(log)s::text[], %(outside_by)s::text[], %(received)s::bigint[],
            %(written)s::bigint[], %(duplicate)s::bigint[], %(quarantined)s::bigint[], %(outside)s::bigint[])
     as d (id, state, log, outside_by, received, written, duplicate, quarantined, outside)
where b.organization_id = %(organization)s and b.id = d.id
"""


def _shortened(lines: list[str]) -> list[str]:
    return lines if len(lines) <= LOG_LINES else [*lines[:LOG_LINES], f"... and {len(lines) - LOG_LINES} more lines"]


def _hold(organization_id: int, batch: Claimed, outcome: BatchResult) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "update ingestion_batch set state = 'pending', held = %s, attempts = 0"
            " where organization_id = %s and id = %s",
            [outcome.held, organization_id, batch.id],
        )


def _note_claim(organization_id: int, group: list[Claimed]) -> None:
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "update ingestion_batch set state = 'processing', claimed_at = now(), attempts = attempts + 1"
            " where organization_id = %s and id = any(%s)",
            [organization_id, [batch.id for batch in group]],
        )


def _release(organization_id: int, group: list[Claimed], *, uncount: bool) -> None:
    """Let a group wait again, as soon as the database can be reached; if it cannot, the next claim takes it as it is."""
    for pause_s in (0.2, 1.0, 3.0, 6.0):
        time.sleep(pause_s)
        with contextlib.suppress(OperationalError, InterfaceError):
            with organization_scope(organization_id), connection.cursor() as cursor:
                cursor.execute(
                    "update ingestion_batch set state = 'pending', attempts = attempts - %s"
                    " where organization_id = %s and id = any(%s) and state = 'processing' and attempts > 0",
                    [int(uncount), organization_id, [batch.id for batch in group]],
                )
            return
        connection.close()


def _put_back_or_give_up(organization_id: int, group: list[Claimed], error: Exception) -> None:
    last = [batch for batch in group if batch.attempts + 1 >= MOST_ATTEMPTS and len(group) == 1]
    if last:
        reason = f"Reading it failed three times, by a fault that is not the sender's ({type(error).__name__})."
        _give_up(organization_id, last, reason)
        return
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "update ingestion_batch set state = 'pending', retry_at = %s where organization_id = %s and id = any(%s)",
            [
                datetime.now(UTC) + RETRY_AFTER if len(group) == 1 else None,
                organization_id,
                [batch.id for batch in group],
            ],
        )


def _give_up(organization_id: int, batches: list[Claimed], reason: str) -> None:
    log.error("batches given up", batches=[str(batch.id) for batch in batches], reason=reason)
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "update ingestion_batch set state = 'failed', finished_at = now(), log = array_append(log, %s)"
            " where organization_id = %s and id = any(%s)",
            [
                f"{reason} The payload is kept until its retention ends.",
                organization_id,
                [batch.id for batch in batches],
            ],
        )
        audit.record_pushes(organization_id, batches)
