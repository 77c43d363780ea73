"""Reading payloads: from stored bytes, through the adapter of their wire format, to chunks of the activity table."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

import msgspec
from django.conf import settings
from django.db import connection

from core.factors.selectors import NoFactorSet, pack_of, shipped_factor_set
from core.ledger.selectors import standing_versions
from core.organizations.tenancy import organization_scope
from core.quantification.pack import FactorPack
from core.quantification.rejections import Cover
from ingestion import counting, payloads, preview, summing
from ingestion.claims import Claimed
from ingestion.models import Batch, CodeCarbonExperiment, CodeCarbonRun, QuarantinedRow
from ingestion.sources import registry
from ingestion.sources.base import Context, Draft, Parsed, UnreadablePayload
from ingestion.sources.counters import Memory
from ingestion.sources.versions import Delivery

Chunk = Parsed
Again = dict[int, object]
"""Rows that are read again -> what quarantine holds of each, for formats with counters; else None."""


@dataclass(frozen=True)
class Stored:
    """A payload's row: one file, or the body of one request."""

    batch_id: UUID
    number: int
    content_type: str
    encoding: str
    filename: str
    location: str | None
    body: bytes | None


class Reader:
    """Opens and reads the payloads of claimed batches of one organization."""

    def __init__(self, organization_id: int) -> None:
        self.organization_id = organization_id
        self._starts: dict[UUID, list[int]] = {}
        self._known: dict[str, Mapping[str, object]] = {}
        self._experiments: dict[str, Any] | None = None
        self._fetched: dict[UUID, list[Stored]] = {}
        self._drafted: set[UUID] = set()
        self.faults: dict[UUID, str] = {}
        self.memories: dict[int, Memory] = {}

    def fetch(self, batches: Sequence[Claimed]) -> None:
        """Read the payloads' rows of a group with one query."""
        self._fetched = {}
        for stored in stored_files(self.organization_id, [batch.payload_of or batch.id for batch in batches]):
            self._fetched.setdefault(stored.batch_id, []).append(stored)

    def chunks(self, batch: Claimed) -> Iterator[Chunk]:
        """
        Read a batch in chunks, its files one after the other, the rows numbered through the whole delivery.

        Raises UnreadablePayload when no row can be read, or when the payload's retention is over.
        """
        chunks = self._chunks(batch)
        return summing.once_each(chunks) if getattr(registry.adapter(batch.kind), "SUMMED", False) else chunks

    def _chunks(self, batch: Claimed) -> Iterator[Chunk]:
        files = self._fetched.pop(batch.payload_of or batch.id, None)
        if files is None:
            raise UnreadablePayload("The payload is no longer kept. Send it again.")
        adapter = registry.adapter(batch.kind)
        only = self._rows_to_replay(batch) if batch.replay else None
        covers: list[Cover] = []
        parsed: Parsed | None = None
        starts = self._starts[batch.id] = []
        start = 0
        surveyed = self._surveyed(batch, files)
        for file in files:
            starts.append(start)
            latest_row = 0
            with opened(file) as stream:
                rows = None if only is None else only.get(file.number, {})
                for parsed in adapter.parse(stream, replace(self.context(batch, file, rows), **surveyed)):
                    covers += parsed.cover
                    latest_row = max(latest_row, _latest_row(parsed))
                    chunk = replace(parsed, cover=[])
                    yield _numbered(chunk if rows is None else _only_rows(chunk, rows), start)
            start += latest_row
        if covers and parsed is not None and only is None:
            apart = getattr(
                adapter, "COVERS_APART", False
            )  # pages hold certain buckets, and nothing of what lies between
            yield Parsed(parsed.activity.iloc[:0], [], 0, cover=covers if apart else merged(covers))

    def _surveyed(self, batch: Claimed, files: Sequence[Stored]) -> dict[str, Any]:
        """
        Look through the whole delivery first, where its format restates months by versions of a model: an older version
        must not take the place of a newer one, in whatever file or delivery that came. So too where it shows one thing again
        and again, in versions.

        Returns:
            {"known": snapshot -> versions in the delivery and in the ledger}, or what is known with the `delivery`; {} for
            other formats.
        """
        choose = getattr(registry.adapter(batch.kind), "choose", None)
        if choose is not None:
            delivery = Delivery()
            for file in files:
                with opened(file) as stream:
                    choose(stream, self.context(batch, file), delivery)
            return {"known": {**self._facts(batch, None), "delivery": delivery}}
        survey = getattr(registry.adapter(batch.kind), "survey", None)
        if survey is None:
            return {}
        found: dict[str, set[str]] = {}
        for file in files:
            with opened(file) as stream:
                for snapshot, versions in survey(stream, self.context(batch, file)).items():
                    found.setdefault(snapshot, set()).update(versions)
        for snapshot, version in standing_versions(self.organization_id, batch.source_id, sorted(found)):
            found[snapshot].add(version)
        return {"known": {snapshot: sorted(versions) for snapshot, versions in found.items()}}

    def drafts(self, batches: Sequence[Claimed]) -> dict[int, list[tuple[Claimed, Draft | None, Context]]]:
        """
        Read the small payloads whose adapter reads them as drafts, to be finished together.

        Returns:
            By source: each batch with its draft, None where it cannot be read at all (`faults` says why).
        """
        found: dict[int, list[tuple[Claimed, Draft | None, Context]]] = {}
        for batch in batches:
            read = getattr(registry.adapter(batch.kind), "read", None)
            files = self._fetched.get(batch.id, [])
            if read is None or batch.alone or batch.replay or batch.confirmed or len(files) != 1:
                continue
            context = self.context(batch, files[0])
            self._drafted.add(batch.id)
            draft: Draft | None = None
            try:
                with opened(files[0]) as stream:
                    draft = read(stream.read(), context)
            except UnreadablePayload as error:
                self.faults[batch.id] = str(error)
            found.setdefault(batch.source_id, []).append((batch, draft, context))
        return found

    def was_drafted(self, batch: Claimed) -> bool:
        """Tell whether `drafts` has read this batch."""
        return batch.id in self._drafted

    def place(self, batch_id: UUID, row: int) -> tuple[int, int]:
        """Tell file and row of the file from a row of the delivery, both from 1."""
        starts = self._starts.get(batch_id, [0])
        file = max((at for at, start in enumerate(starts) if start < row), default=0)
        return file + 1, row - starts[file]

    def context(self, batch: Claimed, file: Stored | None = None, only_rows: Again | None = None) -> Context:
        """Give what the adapter may know of a batch, and of one of its files."""
        return Context(
            received_at=batch.received_at,
            setting=self._setting(batch),
            defaults=defaults_of(batch, batch.settings),
            only_team=batch.team if batch.team_only else None,
            content_type=file.content_type if file else "",
            filename=(file.filename or None) if file else None,
            known=self._facts(batch, only_rows),
        )

    def _setting(self, batch: Claimed) -> Mapping[str, object]:
        if not batch.kind.startswith("codecarbon"):
            return batch.settings
        if self._experiments is None:
            self._experiments = {"experiments": experiments(self.organization_id)}
        return batch.settings | self._experiments

    def _facts(self, batch: Claimed, only_rows: Again | None) -> Mapping[str, object]:
        kind = batch.kind
        if counts_on(batch):
            memory = self.memories.setdefault(
                batch.source_id, counting.memory_of(self.organization_id, batch.source_id)
            )
            return {"counters": memory, "only_rows": only_rows}
        if kind != "codecarbon":
            return {}
        if kind not in self._known:
            self._known[kind] = runs_known(self.organization_id)
        return self._known[kind]

    def runs_read(self) -> list[str]:
        """List the CodeCarbon runs whose emissions were read."""
        return list(self._known.get("codecarbon", {}))

    def _rows_to_replay(self, batch: Claimed) -> dict[int, Again]:
        with organization_scope(self.organization_id):
            rows = QuarantinedRow.objects.filter(organization_id=self.organization_id, replayed_by=batch.id)
            return by_file(rows.values_list("file", "row", *(("payload",) if counts_on(batch) else ())))


def by_file(rows: Iterable[tuple[Any, ...]]) -> dict[int, Again]:
    """Sort rows by the file that they are of: (file, row), perhaps with what quarantine holds of it."""
    found: dict[int, Again] = {}
    for file, row, *held in rows:
        found.setdefault(file, {})[row] = held[0] if held else None
    return found


def defaults_of(batch: Claimed | Batch, settings: Mapping[str, Any]) -> dict[str, str | None]:
    """
    Give what records that leave it open are read with: the token's team, project and stage; the source's stage.

    Team and project of the source are left to derive. A stage every record must have, so it cannot wait.
    """
    stage = batch.stage or settings.get("stage") or None
    return {"team": batch.team or None, "project": batch.project or None, "stage": stage}


def counts_on(batch: Claimed) -> bool:
    """Tell whether a batch may hold readings of counters, or versions of what was read before."""
    asked = getattr(registry.adapter(batch.kind), "counts_on", None)
    return asked is not None and bool(asked(batch.filename))


class Lookup(Mapping[str, object]):
    """A mapping that asks when it does not know, once for each key."""

    def __init__(self, ask: Callable[[str], object | None]) -> None:
        self._ask = ask
        self._answers: dict[str, object | None] = {}

    def __getitem__(self, key: str) -> object:
        if key not in self._answers:
            self._answers[key] = self._ask(key)
        answer = self._answers[key]
        if answer is None:
            raise KeyError(key)
        return answer

    def __iter__(self) -> Iterator[str]:
        return (key for key, answer in self._answers.items() if answer is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def runs_known(organization_id: int) -> Lookup:
    """Give what CodeCarbon trackers said of their runs, by run id, each asked for once."""
    return Lookup(lambda run_id: run_body(organization_id, run_id))


def run_body(organization_id: int, run_id: str) -> object | None:
    """Give what a CodeCarbon tracker said in its POST /runs, None for a run that was never announced."""
    try:
        wanted = UUID(run_id)
    except ValueError:
        return None
    with organization_scope(organization_id):
        run = CodeCarbonRun.objects.filter(organization_id=organization_id, id=wanted).first()
    return run.body if run else None


def experiments(organization_id: int) -> dict[str, dict[str, object]]:
    """Give what an organization has bound its CodeCarbon experiments to, by experiment id; only what is set."""
    names = ("team", "project", "stage", "hosting", "pue")
    with organization_scope(organization_id):
        rows = list(CodeCarbonExperiment.objects.filter(organization_id=organization_id))
    return {str(row.id): {name: getattr(row, name) for name in names if getattr(row, name)} for row in rows}


def merged(covers: Sequence[Cover]) -> list[Cover]:
    """
    Join the covers of a delivery's files: of each snapshot it speaks from its first charge to its last, for every scope that
    occurs in it, however it is cut into files. An open end stays open.

    >>> day = [datetime(2026, 10, number) for number in (1, 2, 4, 5)]
    >>> files = [Cover("bill", {"account": "2"}, day[0], day[1]), Cover("bill", {"account": "1"}, day[2], day[3])]
    >>> [(cover.scope["account"], cover.started_at.day, cover.ended_at.day) for cover in merged(files)]
    [('2', 1, 5), ('1', 1, 5)]
    """
    spans: dict[str, tuple[datetime | None, datetime | None]] = {}
    scopes: dict[tuple[str, tuple[tuple[str, str | None], ...]], Cover] = {}
    for cover in covers:
        start, end = spans.get(cover.snapshot, (cover.started_at, cover.ended_at))
        spans[cover.snapshot] = _outer(min, start, cover.started_at), _outer(max, end, cover.ended_at)
        scopes.setdefault((cover.snapshot, tuple(sorted(cover.scope.items()))), cover)
    return [
        replace(cover, started_at=spans[cover.snapshot][0], ended_at=spans[cover.snapshot][1])
        for cover in scopes.values()
    ]


def _outer(
    choose: Callable[[datetime, datetime], datetime], one: datetime | None, two: datetime | None
) -> datetime | None:
    return None if one is None or two is None else choose(one, two)


def to_json(value: object) -> str:
    """Write JSON for a jsonb column."""
    return msgspec.json.encode(value).decode().replace("\\u0000", "\\ufffd")


def stored_files(organization_id: int, batch_ids: list[UUID]) -> Iterator[Stored]:
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select batch_id, number, content_type, encoding, filename, location, body from ingestion_payload"
            " where organization_id = %s and batch_id = any(%s) and (body is not null or location is not null)"
            " order by batch_id, number",
            [organization_id, batch_ids],
        )
        rows = cursor.fetchall()
    return (
        Stored(batch_id, number, content_type, encoding, filename, location, None if body is None else bytes(body))
        for batch_id, number, content_type, encoding, filename, location, body in rows
    )


def opened(file: Stored) -> BinaryIO:
    """Open what is stored. Bodies of requests are unpacked in memory (the door has held them to its limit)."""
    if file.body is None:
        try:
            stream = payloads.open_stored(file.location or "")
        except FileNotFoundError:
            raise UnreadablePayload("The payload is no longer kept. Send it again.") from None
        if not file.encoding:
            return stream
        with stream:
            packed = stream.read()
    else:
        packed = file.body
    return io.BytesIO(payloads.unpack(packed, file.encoding, settings.MAX_PAYLOAD_MB * 1024 * 1024))


def _latest_row(parsed: Parsed) -> int:
    rows = [rejection.row for rejection in parsed.rejected]
    if len(parsed.activity):
        rows.append(int(parsed.activity["row"].max()))
    return max([*rows, parsed.received])


def _numbered(chunk: Chunk, start: int) -> Chunk:
    if not start:
        return chunk
    return replace(
        chunk,
        activity=chunk.activity.assign(row=chunk.activity["row"] + start),
        rejected=[replace(rejection, row=rejection.row + start) for rejection in chunk.rejected],
    )


def _only_rows(chunk: Chunk, rows: Again) -> Chunk:
    """Keep only some rows of a chunk, for a replay."""
    activity = chunk.activity[chunk.activity["row"].isin(list(rows))].reset_index(drop=True)
    rejected = [rejection for rejection in chunk.rejected if rejection.row in rows]
    received = int(activity["rows"].sum()) + sum(rejection.rows for rejection in rejected)
    return Parsed(activity, rejected, received, log=chunk.log)


def _shipped_pack() -> FactorPack | None:
    try:
        return pack_of(shipped_factor_set().content_hash)
    except NoFactorSet:
        return None


def preview_of(batch: Batch, number: int = 1) -> preview.Preview | None:
    """Read the beginning of one file of a batch; None when its payload is no longer kept."""
    for stored in stored_files(batch.organization_id, [batch.payload_of or batch.id]):
        if stored.number != number:
            continue
        context = Context(
            received_at=batch.received_at,
            setting=batch.source.settings,
            defaults=defaults_of(batch, batch.source.settings),
            only_team=batch.team if batch.team_only else None,
            content_type=stored.content_type,
            filename=stored.filename or None,
            known=runs_known(batch.organization_id) if batch.kind == "codecarbon" else {},
        )
        try:
            with opened(stored) as stream:
                return preview.preview(stream, batch.kind, context, _shipped_pack())
        except UnreadablePayload:
            return None
    return None
