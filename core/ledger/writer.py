"""
The one way into the ledger: chunks of activity are staged, then written in one transaction with all that follows from them.

One transaction holds the identities, the records, the sums of the cells, the marks of the dirty days and whatever the caller's
``finish`` does, so a crash at any point leaves nothing or everything. Identities and cells are taken in the order of their
keys by every writer, so two writers wait for each other but do not deadlock; where they still do (snapshots, retries after
a race), the transaction is repeated on the staged rows.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from types import TracebackType
from typing import Final, Self
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd
import psycopg
from django.db import DataError, OperationalError

from core.ledger import copying, deletions, insertion, partitions, series, snapshots, staging
from core.organizations.retention import retention_of
from core.organizations.selectors import organization_by_id
from core.organizations.tenancy import organization_scope
from core.quantification import cells, keys
from core.quantification.rejections import Cover, Rejection

CHUNK_ROWS: Final = 10_000
"""Small frames are gathered until this many rows, since columns only pay from some thousand rows on."""
LARGEST_CHUNK_ROWS: Final = 25_000
ATTEMPTS: Final = 8
"""Transactions tried before a deadlock or serialization error reaches the caller."""


@dataclass
class BatchResult:
    """
    What became of one batch's payload rows.

    ``written`` + ``duplicate`` + the `rows` of ``rejected`` = payload rows staged. Where ``held`` gives a reason, nothing of
    the batch was written and the other fields are empty: the caller keeps it pending until somebody confirms it.
    """

    written: int = 0
    duplicate: int = 0
    rejected: list[Rejection] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    held: str | None = None


@dataclass(frozen=True)
class WriteResult:
    """What a commit did: by batch, how many ledger records it added, and the UTC days whose cells changed."""

    batches: dict[UUID, BatchResult]
    records: int
    days: list[date]


@dataclass
class _Buffered:
    """Frames of one source that wait to be staged."""

    frames: list[pd.DataFrame] = field(default_factory=list)
    batches: list[npt.NDArray[np.int64]] = field(default_factory=list)
    rows: int = 0


class Writer:
    """
    Stage activity of one organization and write it in one transaction.

        with Writer(organization_id) as writer:
            writer.stage(frame, source_id=source.id, batch_id=batch.id)
            result = writer.commit(finish)

    ``stage`` and ``commit`` want no open transaction around them (they work inside one, but new series and partitions then
    wait for its end). One writer at a time on a connection: its staging tables belong to the session, so a pooler in between
    must pool sessions, not transactions. Leaving the block without ``commit`` writes nothing.
    """

    def __init__(self, organization_id: int, *, now: datetime | None = None) -> None:
        self.organization_id = organization_id
        self.now = now or datetime.now(UTC)
        kept = retention_of(organization_by_id(organization_id))
        self.oldest_text = partitions.oldest_text_month(self.now, kept.ids_days)
        self._reset()

    def __enter__(self) -> Self:
        staging.make_tables()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            staging.empty_tables()

    def _reset(self) -> None:
        self.position = 0
        self.batch_ids: list[UUID] = []
        self.numbers: dict[UUID, int] = {}
        self.results: dict[int, BatchResult] = {}
        self.confirmed: set[int] = set()
        self.deliveries: dict[int, snapshots.Delivery] = {}
        self.snapshot_ids: dict[tuple[int, str], int] = {}
        self.buffers: dict[int, _Buffered] = {}
        self.with_deletions: dict[int, bool] = {}
        self.sent_again: dict[int, list[tuple[UUID, UUID]]] = {}

    # --- staging ------------------------------------------------------------------------------------------------------

    def stage(
        self,
        frame: pd.DataFrame,
        *,
        source_id: int,
        batch_id: UUID | Sequence[UUID],
        cover: Iterable[Cover] = (),
        refused: Iterable[Rejection] = (),
        confirmed: bool = False,
    ) -> None:
        """
        Take a chunk of an activity table that has passed `check_activity`.

        Args:
            frame: ``activity.COLUMNS``, `row` and `rows`, as adapters return it.
            source_id: whose record ids these are.
            batch_id: of all rows, or one for each row.
            cover: what a delivery of a snapshot source speaks for; may come with any chunk of the batch.
            refused: rows of a delivery of a snapshot source that are in quarantine: what the ledger holds of them stands.
            confirmed: a person has agreed to a delivery that was held.
        """
        ids = [batch_id] if isinstance(batch_id, UUID) else batch_id
        numbers = np.array([self._number(each) for each in ids], dtype=np.int64)
        if confirmed:
            self.confirmed.update(numbers.tolist())
        for each in cover:
            self._delivery(int(numbers[0]), source_id).cover.append(each)
        self._note_refused(int(numbers[0]), source_id, refused)
        if not len(frame):
            return
        buffer = self.buffers.setdefault(source_id, _Buffered())
        buffer.frames.append(frame)
        buffer.batches.append(np.broadcast_to(numbers, (len(frame),)) if len(numbers) == 1 else numbers)
        buffer.rows += len(frame)
        if buffer.rows >= CHUNK_ROWS:
            self._flush(source_id)

    def _note_refused(self, number: int, source_id: int, refused: Iterable[Rejection]) -> None:
        named: set[str] = set()
        for each in refused:
            if each.records is None:
                self._delivery(number, source_id).unknown_rows += each.rows
            else:
                named.update(each.records)
        if named:
            staging.stage_refused(number, keys.record_keys(sorted(named)))

    def _number(self, batch_id: UUID) -> int:
        number = self.numbers.get(batch_id)
        if number is None:
            number = self.numbers[batch_id] = len(self.batch_ids)
            self.batch_ids.append(batch_id)
            self.results[number] = BatchResult()
        return number

    def _delivery(self, number: int, source_id: int) -> snapshots.Delivery:
        return self.deliveries.setdefault(number, snapshots.Delivery(number, source_id))

    def _flush(self, source_id: int) -> None:
        buffer = self.buffers.pop(source_id)
        frame = buffer.frames[0] if len(buffer.frames) == 1 else pd.concat(buffer.frames, ignore_index=True)
        batch = np.concatenate(buffer.batches)
        for start in range(0, len(frame), LARGEST_CHUNK_ROWS):
            end = start + LARGEST_CHUNK_ROWS
            self._stage_chunk(source_id, frame.iloc[start:end].reset_index(drop=True), batch[start:end])

    def _stage_chunk(self, source_id: int, frame: pd.DataFrame, batch: npt.NDArray[np.int64]) -> None:
        frame, batch = _part(frame, batch, self._fitting(frame, batch))
        if frame.empty:
            return
        mask, by_day = cells.presence_mask(frame), cells.grain(frame)
        position, distinct = keys.distinct_series(frame, source_id=source_id, mask=mask, by_day=by_day)
        ids = self._series(source_id, distinct, position, batch)
        keep = np.array([self.results[number].held is None for number in batch.tolist()], dtype=bool)
        if not keep.any():
            return
        series_keys = np.frombuffer(b"".join(distinct["key"]), dtype=np.uint8).reshape(-1, 16)[position]
        chunk = _Chunk(frame, batch, ids[position], series_keys, by_day)[keep]
        self._ensure_months(chunk.frame["started_at"])
        restated = chunk.frame["snapshot"].notna().to_numpy(dtype=bool)
        if not restated.all():
            self._stage_appended(source_id, chunk[~restated])
        if restated.any():
            self._stage_delivered(source_id, chunk[restated])

    def _fitting(self, frame: pd.DataFrame, batch: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Reject what does not fit the integers of cells; give the mask of the rest."""
        misfits = cells.unfit(frame)
        odd = misfits.notna().to_numpy(dtype=bool)
        if odd.any():
            details = [(column, "bad_field", "it does not fit the 64-bit integers of cells") for column in misfits[odd]]
            self._reject(frame[odd], batch[odd], details)
            for number, record_id in zip(batch[odd].tolist(), frame.loc[odd, "record_id"].tolist(), strict=True):
                staging.stage_refused(number, keys.record_keys([record_id]))
        return ~odd

    def _reject(
        self, frame: pd.DataFrame, batch: npt.NDArray[np.int64], faults: Sequence[tuple[str | None, str, str]]
    ) -> None:
        for number, rejection in zip(batch.tolist(), insertion.rejections(frame, faults), strict=True):
            self.results[number].rejected.append(rejection)

    def _series(
        self, source_id: int, distinct: pd.DataFrame, position: cells.Integers, batch: npt.NDArray[np.int64]
    ) -> cells.Integers:
        """Give the ids of the distinct series, making new ones; hold the batches that bring too many."""
        ids = series.series_ids(self.organization_id, distinct["key"])
        missing = ids == 0
        if not missing.any():
            return ids
        needing = set(batch[missing[position]].tolist())
        existing = series.series_this_month(self.organization_id, source_id, self.now)
        if existing + missing.sum() > series.NEW_SERIES_A_MONTH and needing - self.confirmed:
            reason = series.hold_reason(distinct[missing], existing)
            for number in needing - self.confirmed:
                self.results[number].held = reason
            agreed = np.unique(position[np.isin(batch, list(self.confirmed))])
            missing &= np.isin(np.arange(len(missing)), agreed)
            if not missing.any():
                return ids
        series.make_series(self.organization_id, source_id, distinct[missing])
        return series.series_ids(self.organization_id, distinct["key"])

    def _ensure_months(self, started_at: pd.Series) -> None:
        months = started_at.dt.tz_localize(None).astype("datetime64[s]").to_numpy().astype("datetime64[M]")
        partitions.ensure_months([month.astype(date) for month in np.unique(months)], oldest_text=self.oldest_text)

    def _stage_appended(self, source_id: int, chunk: _Chunk) -> None:
        chunk = self._renamed(source_id, chunk)
        record_keys = keys.record_keys(chunk.frame["record_id"].tolist())
        content = keys.content_hash(chunk.frame, chunk.series_keys)
        fresh = self._without_repeats(chunk, record_keys, content)
        chunk, record_keys, content = chunk[fresh], record_keys[fresh], content[fresh]
        first = self._copy("staged_record", source_id, chunk, record_keys, content)
        with organization_scope(self.organization_id):
            known = insertion.drop_known(self.organization_id, first, len(chunk.batch))
        fresh = np.ones(len(chunk.batch), dtype=bool)
        if known:
            at, same = np.array([row[0] - first for row in known]), np.array([row[1] for row in known], dtype=bool)
            self._settle(chunk, at, same)
            fresh[at] = False
        if fresh.any():
            staging.stage_cells(chunk[fresh].shares())

    def _renamed(self, source_id: int, chunk: _Chunk) -> _Chunk:
        """Make corrections of the records that come again after their deletion, under ids of their own."""
        if source_id not in self.with_deletions:
            self.with_deletions[source_id] = deletions.any_deleted(self.organization_id, source_id)
        if not self.with_deletions[source_id]:
            return chunk
        ids = chunk.frame["record_id"].tolist()
        again = deletions.sent_again(self.organization_id, source_id, ids)
        if not again.names:
            return chunk
        self.sent_again.setdefault(source_id, []).extend(again.replaced)
        names = pd.Series([again.names.get(position, record_id) for position, record_id in enumerate(ids)], dtype="str")
        first = pd.Series(
            [ids[position] if position in again.names else None for position in range(len(ids))], dtype="str"
        )
        frame = chunk.frame.assign(record_id=names, corrects=chunk.frame["corrects"].fillna(first))
        return replace(chunk, frame=frame)

    def _without_repeats(
        self, chunk: _Chunk, record_keys: copying.Bytes, content: cells.Integers
    ) -> npt.NDArray[np.bool_]:
        """Settle ids that come twice in one chunk; give the mask of the first of each."""
        halves = pd.DataFrame(np.ascontiguousarray(record_keys).view(">u8").astype(np.uint64), columns=["high", "low"])
        again = halves.duplicated().to_numpy()
        if again.any():
            first = halves.groupby(["high", "low"], sort=False).ngroup().to_numpy()
            content_of_first = content[~again][first]
            at = np.flatnonzero(again)
            self._settle(chunk, at, (content == content_of_first)[at])
        return np.asarray(~again, dtype=np.bool_)

    def _settle(self, chunk: _Chunk, at: npt.NDArray[np.int64], same: npt.NDArray[np.bool_]) -> None:
        """Count the rows at these positions as duplicates where their content is the same, else quarantine them."""
        rows = chunk.frame["rows"].to_numpy(dtype=np.int64)
        for number, weight in zip(chunk.batch[at[same]].tolist(), rows[at[same]].tolist(), strict=True):
            self.results[number].duplicate += weight
        other = at[~same]
        if len(other):
            self._reject(chunk.frame.iloc[other], chunk.batch[other], [insertion.CONFLICT] * len(other))

    def _stage_delivered(self, source_id: int, chunk: _Chunk) -> None:
        record_keys = keys.record_keys(chunk.frame["record_id"].tolist())
        for number, name in set(zip(chunk.batch.tolist(), chunk.frame["snapshot"], strict=True)):
            self._delivery(number, source_id).names.add(name)
        self._intern(source_id, set(chunk.frame["snapshot"]))
        self._copy("staged_delivery", source_id, chunk, record_keys, np.zeros(len(chunk.batch), dtype=np.int64))

    def _intern(self, source_id: int, names: set[str]) -> None:
        missing = {name for name in names if (source_id, name) not in self.snapshot_ids}
        if missing:
            found = snapshots.ensure_snapshots(self.organization_id, source_id, missing)
            self.snapshot_ids |= {(source_id, name): snapshot_id for name, snapshot_id in found.items()}

    def _copy(
        self, table: str, source_id: int, chunk: _Chunk, record_keys: copying.Bytes, content: cells.Integers
    ) -> int:
        """Copy a chunk into a staging table; give the position of its first row."""
        frame, count, first = chunk.frame, len(chunk.batch), self.position
        self.position += count
        batch_bytes = staging.uuid_bytes(self.batch_ids)
        uncorrected = frame["corrects"].isna().to_numpy(dtype=bool)
        unnamed = frame["snapshot"].isna().to_numpy(dtype=bool)
        named = [
            0 if skip else self.snapshot_ids[source_id, name]
            for name, skip in zip(frame["snapshot"], unnamed, strict=True)
        ]
        columns = {
            "position": copying.integers(np.arange(first, self.position)),
            "batch": copying.integers(chunk.batch, ">i4"),
            '"row"': copying.integers(frame["row"].to_numpy(dtype=np.int64), ">i4"),
            "rows": copying.integers(frame["rows"].to_numpy(dtype=np.int64), ">i4"),
            "organization_id": copying.integers(np.full(count, self.organization_id), ">i4"),
            "source_id": copying.integers(np.full(count, source_id), ">i4"),
            "series_id": copying.integers(chunk.series_id),
            "by_day": copying.booleans(chunk.by_day),
            "started_at": copying.times(cells.microseconds(frame["started_at"])),
            "ended_at": copying.times(cells.microseconds(frame["ended_at"])),
            "key": copying.uuids(record_keys),
            "content": copying.integers(content),
            "batch_id": copying.uuids(batch_bytes[chunk.batch]),
            "snapshot_id": copying.integers(np.array(named, dtype=np.int64), ">i4", unnamed),
            "corrects": _optional_keys(frame["corrects"], uncorrected),
            "record_id": copying.texts(frame["record_id"]),
            "run": copying.texts(frame["run"]),
            "request": copying.texts(frame["request"]),
            "trace": copying.texts(frame["trace"]),
            "corrects_id": copying.texts(frame["corrects"]),
            "flags": copying.texts(pd.Series([",".join(flags) or None for flags in frame["flags"]], dtype="str")),
            **staging.measure_columns(frame),
        }
        staging.copy(table, columns)
        return first

    # --- writing ------------------------------------------------------------------------------------------------------

    def commit(self, finish: Callable[[WriteResult], None] | None = None) -> WriteResult:
        """
        Write what was staged, in one transaction, and be ready for the next group.

        Args:
            finish: called inside the transaction with the result; it may be called again when the transaction is repeated,
                so it must only write to the database.

        Raises:
            OperationalError: the server is gone, or keeps refusing (deadlock, serialization) after ``ATTEMPTS``.
        """
        for source_id in list(self.buffers):
            self._flush(source_id)
        for delivery in self.deliveries.values():
            self._intern(delivery.source_id, delivery.all_names)
            delivery.ids = {
                name: snapshot_id
                for (source_id, name), snapshot_id in self.snapshot_ids.items()
                if source_id == delivery.source_id and name in delivery.all_names
            }
        for attempt in range(ATTEMPTS):
            try:
                with organization_scope(self.organization_id):
                    result = self._write()
                    if finish is not None:
                        finish(result)
                break
            except OperationalError as error:
                if attempt + 1 == ATTEMPTS or not _worth_repeating(error):
                    raise
                time.sleep(random.uniform(0.01, 0.05) * 2**attempt)  # noqa: S311  # jitter, no secret
            except DataError as error:
                overflow = isinstance(error.__cause__, psycopg.errors.NumericValueOutOfRange)
                if attempt + 1 == ATTEMPTS or not overflow or not self._set_aside():
                    raise
        staging.empty_tables()
        self._reset()
        return result

    def _write(self) -> WriteResult:
        results = {
            number: BatchResult(held=result.held)
            if result.held is not None
            else replace(result, rejected=list(result.rejected), log=list(result.log))
            for number, result in self.results.items()
        }
        group = insertion.Group(self.organization_id, self.oldest_text, self.position)
        insertion.prepare(self.position)
        snapshots.lock(
            self.organization_id, [each for delivery in self.deliveries.values() for each in delivery.ids.values()]
        )
        group.remove_batches([number for number, result in results.items() if result.held is not None])
        records = group.insert(0, results)
        for source_id, replaced in self.sent_again.items():
            deletions.note_sent_again(self.organization_id, source_id, replaced)
        for delivery in sorted(self.deliveries.values(), key=lambda each: each.batch):
            result = results[delivery.batch]
            if result.held is None:
                start = group.position
                confirmed = delivery.batch in self.confirmed
                snapshots.stage_changes(group, delivery, result, self.batch_ids[delivery.batch], confirmed=confirmed)
                records += group.insert(start, results)
                snapshots.note_revisions(start)
        group.count_written(results)
        days = group.insert_cells()
        by_id = {self.batch_ids[number]: result for number, result in results.items()}
        return WriteResult(by_id, records, days)

    def _set_aside(self) -> bool:
        """
        Take what overflows the cells out of the group; tell whether anything was found.

        Staged records of the series concerned are quarantined. Where there are none, it is the deliveries whose sums or
        differences overflow: they are held.
        """
        with organization_scope(self.organization_id):
            frame, batch = insertion.drop_overflowing(self.organization_id)
        faults = [(None, "bad_field", "the sum of its hour would not fit the 64-bit integers of cells")] * len(frame)
        self._reject(frame, batch, faults)
        if len(frame):
            return True
        open_deliveries = [number for number in self.deliveries if self.results[number].held is None]
        for number in open_deliveries:
            self.results[number].held = (
                "held: its sums do not fit the 64-bit integers of cells, so some quantity in it is wrong by orders of"
                " magnitude. Correct the export and send it again."
            )
        return bool(open_deliveries)


def _part(
    frame: pd.DataFrame, batch: npt.NDArray[np.int64], keep: npt.NDArray[np.bool_]
) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    return (frame, batch) if keep.all() else (frame[keep].reset_index(drop=True), batch[keep])


def _optional_keys(record_ids: pd.Series, null: npt.NDArray[np.bool_]) -> copying.Column:
    """Encode the keys of ids where there are any."""
    result = np.zeros((len(record_ids), 16), dtype=np.uint8)
    result[~null] = keys.record_keys(record_ids[~null].tolist())
    return copying.uuids(result, null)


def _worth_repeating(error: OperationalError) -> bool:
    return isinstance(error.__cause__, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)


@dataclass(frozen=True)
class _Chunk:
    """Rows of one source on their way into a staging table."""

    frame: pd.DataFrame
    batch: npt.NDArray[np.int64]
    series_id: cells.Integers
    series_keys: copying.Bytes
    by_day: npt.NDArray[np.bool_]

    def __getitem__(self, keep: npt.NDArray[np.bool_]) -> _Chunk:
        if keep.all():
            return self
        frame = self.frame[keep].reset_index(drop=True)
        return _Chunk(frame, self.batch[keep], self.series_id[keep], self.series_keys[keep], self.by_day[keep])

    def shares(self) -> staging.Shares:
        return staging.Shares(
            self.series_id,
            cells.microseconds(self.frame["started_at"]),
            cells.microseconds(self.frame["ended_at"]),
            self.by_day,
            self.frame["corrects"].isna().to_numpy(dtype=bool),
            cells.to_units(self.frame),
        )
