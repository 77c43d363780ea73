"""From the staging tables into the ledger: the statements of the writer's one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from django.db import connection, transaction

from core.ledger import reading, staging
from core.quantification import cells, records
from core.quantification.activity import COLUMNS, MEASURE_COLUMNS, SERIES_TEXT
from core.quantification.record_checks import as_records
from core.quantification.rejections import Rejection

CONFLICT: Final = ("record_id", "conflicting_duplicate", "a record with this id and other content stands already")
READ_ROWS: Final = 10_000
ANALYZE_ROWS: Final = 2_000
SAMPLED_ROWS: Final = 2_000
SAMPLE_STEP: Final = 50
RACES: Final = 20
"""Times that other writers may take ids between our look and our insert before the transaction is given up."""

RECORD_COLUMNS: Final = ", ".join(
    (
        *("organization_id", "series_id", "started_at", "ended_at", "key", "batch_id", "snapshot_id", "revision"),
        *("corrects", "run"),
        *staging.MEASURED,
    )
)

# One probe for each staged row, whatever the planner believes about tables that were never analyzed: a hash join would
# read every identity there is.
_KNOWN: Final = """
with looked_up as materialized (
    select s.position, i.content = s.content and s.snapshot_id is null as same
    from (select position, source_id, key, content, snapshot_id from pg_temp.staged_record where position >= %s offset 0) s
    cross join lateral (
        select content from ledger_identity
        where organization_id = %s and source_id = s.source_id and key = s.key limit 1
    ) i
)
"""

# The same id twice in one group, in different chunks: the first is kept.
_REPEATED: Final = """
select position, same from (
    select position, row_number() over same_id > 1 as again,
           content = first_value(content) over same_id and snapshot_id is null as same
    from pg_temp.staged_record where position >= %s
    window same_id as (partition by source_id, key order by position)
) numbered where again
"""


class Result(Protocol):
    """What is counted for a batch (`writer.BatchResult`)."""

    written: int
    duplicate: int
    rejected: list[Rejection]


class OutracedError(Exception):
    """Other writers took ids of this group again and again; the transaction was rolled back."""


def drop_known(organization_id: int, start: int, rows: int) -> list[tuple[int, bool]]:
    """
    Take staged records whose id the ledger has already off the stage: their positions, and whether the content is the same.

    Large chunks are sampled first: payloads are either new or a repetition for the most part, and probing every id of new
    ones took a fifth of the server's time. A known id that the sample misses is found by the insert itself, at the price
    of a second insert.
    """
    with connection.cursor() as cursor:
        if rows >= SAMPLED_ROWS:
            sample = _KNOWN.replace("position >= %s", f"position >= %s and position %% {SAMPLE_STEP} = 0")
            cursor.execute(f"{sample} select exists (select from looked_up)", [start, organization_id])
            if not cursor.fetchone()[0]:
                return []
        cursor.execute(
            f"{_KNOWN} delete from pg_temp.staged_record s using looked_up l where s.position = l.position"
            " returning s.position, l.same",
            [start, organization_id],
        )
        known: list[tuple[int, bool]] = cursor.fetchall()
        return known


def prepare(staged: int) -> None:
    """Set the transaction up for bulk statements."""
    with connection.cursor() as cursor:
        cursor.execute("set local jit = off")
        if staged >= ANALYZE_ROWS:
            cursor.execute("analyze pg_temp.staged_record (position); analyze pg_temp.staged_cell (series_id, hour)")


@dataclass
class Group:
    """
    The staged rows of one transaction.

    Args:
        organization_id: whose.
        oldest_text: first month whose ids are kept as text.
        position: of the next row to be staged.
    """

    organization_id: int
    oldest_text: date
    position: int

    def remove_batches(self, batches: Sequence[int]) -> None:
        """Take the rows of batches that are held off the stage, and their part of the cells."""
        if batches:
            for _ in self._taken_off("s.batch = any(%s)", list(batches)):
                pass

    def insert(self, start: int, results: Mapping[int, Result]) -> int:
        """
        Write the staged rows from ``start`` on into the ledger; give their number.

        Rows that lost against another writer since they were looked up, or repeat an id of the same group, are counted as
        duplicates or quarantined.
        """
        for _ in range(RACES):
            attempt = transaction.savepoint()
            wanted, written = self._insert_identities(start)
            if wanted == written:
                transaction.savepoint_commit(attempt)
                self._insert_records(start)
                return written
            transaction.savepoint_rollback(attempt)
            self._settle_lost(start, results)
        raise OutracedError(f"ids of this group were taken by other writers {RACES} times")

    def _insert_identities(self, start: int) -> tuple[int, int]:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from pg_temp.staged_record where position >= %s", [start])
            (wanted,) = cursor.fetchone()
            cursor.execute(
                "insert into ledger_identity (organization_id, source_id, key, started_at, series_id, content)"
                " select organization_id, source_id, key, started_at, series_id, content from pg_temp.staged_record"
                " where position >= %s order by source_id, key, position on conflict do nothing",
                [start],
            )
            return int(wanted), cursor.rowcount

    def _insert_records(self, start: int) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"insert into ledger_record ({RECORD_COLUMNS}, flags) select {RECORD_COLUMNS},"
                " string_to_array(flags, ',') from pg_temp.staged_record where position >= %s"
                " order by series_id, started_at",
                [start],
            )
            cursor.execute(
                "insert into ledger_record_text (organization_id, series_id, started_at, key, record_id, request, trace)"
                " select organization_id, series_id, started_at, key, record_id, request, trace"
                " from pg_temp.staged_record where position >= %s and started_at >= %s order by series_id, started_at",
                [start, f"{self.oldest_text} 00:00:00+00"],
            )

    def _settle_lost(self, start: int, results: Mapping[int, Result]) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"{_KNOWN} select position, same from looked_up", [start, self.organization_id])
            lost = dict(cursor.fetchall())
            cursor.execute(_REPEATED, [start])
            lost = dict(cursor.fetchall()) | lost
        for rows in self._taken_off("s.position = any(%s)", list(lost)):
            same = rows["position"].map(lost).to_numpy(dtype=bool)
            for batch, weight in rows.loc[same, ["batch", "rows"]].itertuples(index=False):
                results[batch].duplicate += weight
            other = rows[~same]
            for batch, rejection in zip(
                other["batch"], rejections(_activity(other), [CONFLICT] * len(other)), strict=True
            ):
                results[batch].rejected.append(rejection)

    def _taken_off(self, condition: str, value: list[int]) -> Iterator[pd.DataFrame]:
        """Take staged rows off the stage chunk by chunk, together with what they added to the staged cells."""
        for rows in read_staged(self.organization_id, "staged_record", condition, value):
            staging.stage_cells(_shares(rows), sign=-1)
            with connection.cursor() as cursor:
                cursor.execute(
                    "delete from pg_temp.staged_record where position = any(%s)", [rows["position"].tolist()]
                )
            yield rows

    def count_written(self, results: Mapping[int, Result]) -> None:
        """Add the payload rows of what is still on the stage, and so was written, to their batches."""
        with connection.cursor() as cursor:
            cursor.execute("select batch, sum(rows) from pg_temp.staged_record group by batch")
            for batch, rows in cursor.fetchall():
                results[batch].written += int(rows)

    def insert_cells(self) -> list[date]:
        """Add the staged sums to the cells, sorted by key, and mark their days dirty; give the days."""
        names = ("records", *MEASURE_COLUMNS)
        sums = ", ".join(f"sum({name})::bigint" for name in names)
        added = ", ".join(f"{name} = cell.{name} + excluded.{name}" for name in names)
        with connection.cursor() as cursor:
            cursor.execute(
                f"insert into ledger_cell as cell (organization_id, hour, series_id, {', '.join(names)})"
                f" select %s, hour, series_id, {sums} from pg_temp.staged_cell group by hour, series_id"
                " order by hour, series_id"
                f" on conflict (organization_id, hour, series_id) do update set {added}",
                [self.organization_id],
            )
            cursor.execute(
                "insert into ledger_dirty_day (organization_id, day)"
                " select distinct %s, (hour at time zone 'UTC')::date from pg_temp.staged_cell order by 2 returning day",
                [self.organization_id],
            )
            return [day for (day,) in cursor.fetchall()]


def drop_overflowing(organization_id: int) -> tuple[pd.DataFrame, npt.NDArray[np.int64]]:
    """
    Take the records of series whose cells would overflow off the stage.

    Returns:
        Them as an activity table (with `row` and `rows`), and the number of the batch of each.
    """
    sums = ", ".join(f"sum({name}) as {name}" for name in MEASURE_COLUMNS)
    too_large = " or ".join(f"abs(s.{name} + coalesce(c.{name}, 0)) > 9223372036854775807" for name in MEASURE_COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"with s as (select series_id, hour, {sums} from pg_temp.staged_cell group by series_id, hour)"
            " select distinct s.series_id from s left join ledger_cell c"
            f" on c.organization_id = %s and c.hour = s.hour and c.series_id = s.series_id where {too_large}",
            [organization_id],
        )
        series_ids = [series_id for (series_id,) in cursor.fetchall()]
    chunks = list(read_staged(organization_id, "staged_record", "s.series_id = any(%s)", series_ids))
    with connection.cursor() as cursor:
        cursor.execute("delete from pg_temp.staged_record where series_id = any(%s)", [series_ids])
        cursor.execute("delete from pg_temp.staged_cell where series_id = any(%s)", [series_ids])
    if not chunks:
        return records.empty_activity(), np.zeros(0, dtype=np.int64)
    rows = pd.concat(chunks, ignore_index=True)
    return _activity(rows), rows["batch"].to_numpy(dtype=np.int64)


def read_staged(organization_id: int, table: str, condition: str, value: list[int]) -> Iterator[pd.DataFrame]:
    """
    Read staged rows back, chunk by chunk, joined with the dimensions of their series.

    Args:
        organization_id: whose.
        table: `staged_record` or `staged_delivery`, as `s` in the condition.
        condition: SQL with one placeholder.
        value: for it.

    Returns:
        Frames with ``activity.COLUMNS``, `row`, `rows`, `position`, `batch`, `series_id` and `by_day`.
    """
    own = ["position", "batch", '"row"', "rows", "series_id", "by_day", "started_at", "ended_at", "record_id"]
    own += ["run", "request", "trace", "flags", *staging.MEASURED]
    selected = ", ".join(
        [*(f"s.{name}" for name in own), *(f"l.{name}" for name in (*SERIES_TEXT, "techniques", "labels"))]
    )
    after = -1
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"select {selected}, s.corrects_id as corrects, n.name as snapshot from pg_temp.{table} s"
                " join ledger_series l on l.organization_id = s.organization_id and l.id = s.series_id"
                " left join ledger_snapshot n on n.organization_id = s.organization_id and n.id = s.snapshot_id"
                f" where s.organization_id = %s and {condition} and s.position > %s order by s.position limit %s",
                [organization_id, value, after, READ_ROWS],
            )
            names = [column.name for column in cursor.description or ()]
            rows = pd.DataFrame(reading.decoded(cursor), columns=names)
        if rows.empty:
            return
        after = int(rows["position"].iloc[-1])
        yield rows


def rejections(frame: pd.DataFrame, faults: Sequence[tuple[str | None, str, str]]) -> list[Rejection]:
    """Make one rejection for each row of an activity table; each fault is (field, reason, detail)."""
    return [
        Rejection(int(row), str(record["record_id"]), *fault, payload=record, rows=int(rows))
        for row, rows, record, fault in zip(frame["row"], frame["rows"], as_records(frame), faults, strict=True)
    ]


def _activity(rows: pd.DataFrame) -> pd.DataFrame:
    """Make an activity table of rows read back."""
    flags = rows["flags"].map(lambda text: tuple(text.split(",")) if isinstance(text, str) else ())
    frame = rows.assign(flags=flags)[[*COLUMNS, "row", "rows"]]
    return records.conform(frame)


def _shares(rows: pd.DataFrame) -> staging.Shares:
    frame = _activity(rows)
    return staging.Shares(
        rows["series_id"].to_numpy(dtype=np.int64),
        cells.microseconds(frame["started_at"]),
        cells.microseconds(frame["ended_at"]),
        rows["by_day"].to_numpy(dtype=bool),
        frame["corrects"].isna().to_numpy(dtype=bool),
        cells.to_units(frame),
    )
