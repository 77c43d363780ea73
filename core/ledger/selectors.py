"""Reads of the ledger. All run inside `organization_scope`, and name the organization besides, so that its index is used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import pandas as pd
from django.db import connection

from core.ledger import reading, staging
from core.ledger.models import Deletion, Source
from core.ledger.reconciliation import reconcile_ledger
from core.organizations.tenancy import once_a_snapshot, organization_scope
from core.quantification import keys
from core.quantification.activity import MEASURE_COLUMNS, SERIES_TEXT

__all__ = [
    "DirtyDays",
    "Page",
    "cells_of_day",
    "cells_of_series",
    "corrections_of",
    "dirty_days",
    "find_record",
    "kind_of_source",
    "places_of_trace",
    "reconcile_ledger",
    "records_at",
    "records_page",
    "series_by_id",
    "series_of_source",
    "source_by_name",
    "sources",
    "standing",
    "standing_versions",
]

SERIES_COLUMNS: Final = ("id", "key", "source_id", *SERIES_TEXT, "techniques", "labels", "mask", "grain")
RECORD_COLUMNS: Final = (
    *("key", "series_id", "started_at", "ended_at", *staging.MEASURED),
    *("batch_id", "run", "corrects", "revision", "flags"),
)
TEXT_COLUMNS: Final = ("record_id", "request", "trace")


def sources(organization_id: int) -> list[Source]:
    """List the connections of an organization by kind and name."""
    with organization_scope(organization_id):
        return list(Source.objects.filter(organization_id=organization_id).order_by("kind", "name"))


def standing_versions(organization_id: int, source_id: int, snapshots: Sequence[str]) -> list[tuple[str, str]]:
    """
    Tell which versions of a provider's model the statements of some snapshots come from (their label `model_version`).

    Returns:
        (snapshot, version), without versions whose figures have been corrected away.
    """
    query = """
        select n.name, s.labels ->> 'model_version' as version
        from ledger_snapshot n
        join ledger_record r on r.organization_id = n.organization_id and r.snapshot_id = n.id
        join ledger_series s on s.organization_id = r.organization_id and s.id = r.series_id
        where n.organization_id = %s and n.source_id = %s and n.name = any(%s) and s.labels ? 'model_version'
        group by n.name, s.id, version
        having abs(sum(r.reported_kg_co2e)) > 1e-9
    """
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(query, [organization_id, source_id, list(snapshots)])
        return sorted(set(cursor.fetchall()))


def source_by_name(organization_id: int, kind: str, name: str | None = None) -> Source | None:
    """Find a connection, or None."""
    with organization_scope(organization_id):
        return Source.objects.filter(organization_id=organization_id, kind=kind, name=name or kind).first()


def kind_of_source(organization_id: int, source_id: int) -> str:
    """Tell the wire format of a connection. Raises Source.DoesNotExist."""
    with organization_scope(organization_id):
        return Source.objects.values_list("kind", flat=True).get(organization_id=organization_id, id=source_id)


# --- cells and series -------------------------------------------------------------------------------------------------


def cells_of_day(organization_id: int, day: date) -> pd.DataFrame:
    """
    Read all cells of a UTC day.

    Returns:
        `series_id`, `hour` (datetime64[us, UTC]), `records` and ``MEASURE_COLUMNS`` (int64), by hour and series.
    """
    return _cells(organization_id, day, day + timedelta(days=1), None)


def cells_of_series(organization_id: int, series_ids: Sequence[int], from_day: date, to_day: date) -> pd.DataFrame:
    """Read the cells of some series, both UTC days included; columns as in ``cells_of_day``."""
    return _cells(organization_id, from_day, to_day + timedelta(days=1), list(series_ids))


def _cells(organization_id: int, first: date, end: date, series_ids: list[int] | None) -> pd.DataFrame:
    names = ("records", *MEASURE_COLUMNS)
    query = f"select series_id, hour, {', '.join(names)} from ledger_cell where organization_id = %s and hour >= %s and hour < %s"
    parameters: list[Any] = [organization_id, reading.midnight(first), reading.midnight(end)]
    if series_ids is not None:
        query += " and series_id = any(%s)"
        parameters.append(series_ids)
    fields = {"series_id": ">i8", "hour": ">i8", **dict.fromkeys(names, ">i8")}
    rows = reading.arrays(organization_id, f"{query} order by hour, series_id", parameters, fields)
    frame = pd.DataFrame({name: rows[name] for name in fields})
    frame["hour"] = reading.times(frame["hour"])
    return frame


def series_by_id(organization_id: int, ids: Sequence[int]) -> pd.DataFrame:
    """
    Read series: dimensions as reported (None: absent), `source_id`, `techniques` (tuple), `labels` (dict), `mask`, `grain`.

    Returns:
        Indexed by id, in order of the ids; unknown ids are left out.
    """
    return _series_read(organization_id, tuple(int(each) for each in ids)).copy()


@once_a_snapshot
def _series_read(organization_id: int, ids: tuple[int, ...]) -> pd.DataFrame:
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            f"select {', '.join(SERIES_COLUMNS)} from ledger_series where organization_id = %s and id = any(%s) order by id",
            [organization_id, list(ids)],
        )
        frame = pd.DataFrame(reading.decoded(cursor), columns=list(SERIES_COLUMNS), dtype=object)
    for name in ("id", "source_id", "mask"):
        frame[name] = frame[name].astype("int64")
    frame["techniques"] = frame["techniques"].map(tuple)
    return frame.set_index("id")


def series_of_source(organization_id: int, source_id: int) -> pd.DataFrame:
    """Read all series of a connection; columns as in ``series_by_id``."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select id from ledger_series where organization_id = %s and source_id = %s", [organization_id, source_id]
        )
        ids = [series_id for (series_id,) in cursor.fetchall()]
    return series_by_id(organization_id, ids)


# --- dirty days -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DirtyDays:
    """Marks of changed days: each day with the ids of its marks, and when the oldest of them was made."""

    days: dict[date, list[int]]
    oldest: datetime | None


def dirty_days(organization_id: int, limit: int = 100_000) -> DirtyDays:
    """Read the marks that wait for derive, oldest first."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select day, id, marked_at from ledger_dirty_day where organization_id = %s order by id limit %s",
            [organization_id, limit],
        )
        marks = cursor.fetchall()
    days: dict[date, list[int]] = {}
    for day, mark, _ in marks:
        days.setdefault(day, []).append(mark)
    return DirtyDays(days, min((marked_at for _, _, marked_at in marks), default=None))


# --- records ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Page:
    """Ledger records, newest first, and the cursor of the page after (None on the last)."""

    rows: list[dict[str, Any]]
    next_cursor: str | None


def records_page(
    organization_id: int,
    *,
    from_time: datetime,
    to_time: datetime,
    series_ids: Sequence[int] | None = None,
    run: str | None = None,
    batch_id: UUID | None = None,
    cursor: str | None = None,
    limit: int = 100,
    with_deleted: bool = False,
    failed: bool = False,
) -> Page:
    """
    Read records that start in [from_time, to_time), newest first.

    Args:
        organization_id: whose.
        from_time, to_time: UTC.
        series_ids: only these series.
        run: only this run, by the sender's id.
        batch_id: only what this batch wrote.
        cursor: `next_cursor` of the page before.
        limit: most rows.
        with_deleted: also records of periods that were deleted, and the corrections that took them back.
        failed: only records with failed requests.

    Returns:
        For each record ``RECORD_COLUMNS``, ``TEXT_COLUMNS`` (None once the retention of text has passed), ``SERIES_TEXT``,
        `techniques`, `labels`, `source_id`; measures as delivered.

    Raises:
        ValueError: the cursor was not made here.
    """
    conditions = ["r.organization_id = %s", "r.started_at >= %s", "r.started_at < %s"]
    values: list[Any] = [organization_id, from_time, to_time]
    if run is not None:
        conditions.append("r.run = %s")
        values.append(run)
    if batch_id is not None:
        conditions.append("r.batch_id = %s")
        values.append(batch_id)
    if cursor is not None:
        place = _read_cursor(cursor)
        conditions += ["r.started_at <= %s", "(r.started_at, r.series_id, r.key) < (%s, %s, %s)"]
        values += [place[0], *place]
    if failed:
        conditions.append("r.failed_requests > 0")
    if not with_deleted:
        kept, batches = standing(organization_id)
        conditions += kept
        values += batches
    condition = " and ".join(conditions)
    wanted = None if series_ids is None else [int(each) for each in series_ids]
    if run is None and batch_id is None:
        # The newest of each series by its index, then the newest of these: never all records of the time.
        rows = _records(organization_id, f"{condition} and r.series_id = w.id", values, limit + 1, of_each=(wanted,))
    else:
        wanted_too = "(%s::bigint[] is null or r.series_id = any(%s))"
        rows = _records(organization_id, f"{condition} and {wanted_too}", [*values, wanted, wanted], limit + 1)
    return Page(rows[:limit], _cursor_after(rows[limit - 1]) if len(rows) > limit else None)


_NOT_DELETED: Final = (
    "not exists (select from ledger_deleted_record d join ledger_series own"
    " on own.organization_id = d.organization_id and own.source_id = d.source_id"
    " where d.organization_id = r.organization_id and d.key = r.key and own.id = r.series_id)"
)


def standing(organization_id: int) -> tuple[list[str], list[Any]]:
    """Write the conditions on ``r`` that leave out deleted periods and what took them back, and their parameters."""
    batches = _deletion_batches(organization_id)
    return (["r.batch_id <> all(%s)", _NOT_DELETED], [batches]) if batches else ([], [])


def _deletion_batches(organization_id: int) -> list[UUID]:
    """List the batches of the corrections that deletions wrote; [] where nothing was ever deleted."""
    with organization_scope(organization_id):
        pairs = Deletion.objects.filter(organization_id=organization_id).values_list("batch_id", "restore_batch_id")
        return [batch for pair in pairs for batch in pair if batch is not None]


@once_a_snapshot
def find_record(organization_id: int, record_id: str, source_id: int | None = None) -> dict[str, Any] | None:
    """
    Find a record by the sender's id, in any source or in one; columns as in ``records_page``.

    Works by the hash of the id, so also after the retention of text; `record_id` is then as asked for.
    """
    key = UUID(bytes=keys.record_keys([record_id])[0].tobytes())
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select series_id, started_at from ledger_identity where organization_id = %s and key = %s"
            " and (%s::int is null or source_id = %s) order by started_at limit 1",
            [organization_id, key, source_id, source_id],
        )
        place = cursor.fetchone()
    if place is None:
        return None
    condition = "r.organization_id = %s and r.series_id = %s and r.started_at = %s and r.key = %s"
    rows = _records(organization_id, condition, [organization_id, *place, key], 1)
    return {**rows[0], "record_id": record_id} if rows else None


def records_at(organization_id: int, places: Sequence[tuple[int, datetime, UUID]]) -> list[dict[str, Any]]:
    """Read records by where they lie (series, start, key), in the order of the places; columns as in ``records_page``."""
    if not places:
        return []
    times = [started_at for _, started_at, _ in places]
    condition = (
        "r.organization_id = %s and r.started_at >= %s and r.started_at <= %s"
        " and (r.series_id, r.started_at, r.key) in (select * from unnest(%s::bigint[], %s::timestamptz[], %s::uuid[]))"
    )
    listed = [list(column) for column in zip(*places, strict=True)]
    rows = _records(organization_id, condition, [organization_id, min(times), max(times), *listed], len(places))
    found = {(row["series_id"], row["started_at"], row["key"]): row for row in rows}
    return [found[place] for place in places if place in found]


def places_of_trace(organization_id: int, trace: str, around: datetime, limit: int) -> list[tuple[int, datetime, UUID]]:
    """List where the records of a trace lie that start within a day of a time, the first ones first."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select series_id, started_at, key from ledger_record_text where organization_id = %s and trace = %s"
            " and started_at >= %s and started_at <= %s order by started_at, key limit %s",
            [organization_id, trace, around - timedelta(days=1), around + timedelta(days=1), limit],
        )
        return [(series_id, started_at.astimezone(UTC), key) for series_id, started_at, key in cursor.fetchall()]


def corrections_of(organization_id: int, record_id: str, source_id: int | None = None) -> list[dict[str, Any]]:
    """Read the corrections of a record, of any source or of one, oldest first; columns as in ``records_page``."""
    original = find_record(organization_id, record_id, source_id)
    if original is None:
        return []
    condition = (
        "r.organization_id = %s and r.corrects = %s and r.started_at = %s"
        " and r.series_id in (select id from ledger_series where organization_id = %s and source_id = %s)"
    )
    values = [organization_id, original["key"], original["started_at"], organization_id, original["source_id"]]
    return sorted(
        _records(organization_id, condition, values, 1_000), key=lambda row: (row["revision"], str(row["key"]))
    )


def _records(
    organization_id: int,
    condition: str,
    values: list[Any],
    limit: int,
    of_each: tuple[list[int] | None] | None = None,
) -> list[dict[str, Any]]:
    """
    Read the newest records that meet a condition on ``r``, with text and dimensions.

    With ``of_each`` (series ids, or None for all series) the condition is asked for each series ``w`` by itself.
    """
    newest = "order by r.started_at desc, r.series_id desc, r.key desc limit %s"
    chosen = f"select * from ledger_record r where {condition} {newest}"
    parameters = [*values, limit]
    if of_each is not None:
        chosen = (
            "select r.* from (select id from ledger_series where organization_id = %s"
            f" and (%s::bigint[] is null or id = any(%s))) w cross join lateral ({chosen}) r {newest}"
        )
        parameters = [organization_id, *of_each, *of_each, *parameters, limit]
    record = [f"r.{name}" for name in RECORD_COLUMNS]
    text = [f"t.{name}" for name in TEXT_COLUMNS]
    series = [f"s.{name}" for name in (*SERIES_TEXT, "techniques", "labels", "source_id")]
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            f"select {', '.join((*record, *text, *series))}"
            f" from ({chosen}) r"
            " join ledger_series s on s.organization_id = r.organization_id and s.id = r.series_id"
            " left join ledger_record_text t on t.organization_id = r.organization_id and t.series_id = r.series_id"
            "   and t.started_at = r.started_at and t.key = r.key"
            " order by r.started_at desc, r.series_id desc, r.key desc",
            parameters,
        )
        names = [column.name for column in cursor.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in reading.decoded(cursor)]
    restated = {row["key"]: row for row in rows if row["record_id"] is None}
    if restated:
        _name_restated(organization_id, restated)
    return rows


def _name_restated(organization_id: int, rows: dict[UUID, dict[str, Any]]) -> None:
    """Fill in the ids of restated records, which are kept for as long as the ledger."""
    base = {row["corrects"] if row["revision"] else key: None for key, row in rows.items()}
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select key, record_id from ledger_snapshot_record where organization_id = %s and key = any(%s)",
            [organization_id, list(base)],
        )
        names = dict(cursor.fetchall())
    for key, row in rows.items():
        first = names.get(row["corrects"] if row["revision"] else key)
        if first is not None:
            row["record_id"] = f"{first}:r{row['revision']}" if row["revision"] else first


def _cursor_after(row: dict[str, Any]) -> str:
    return f"{row['started_at'].isoformat()}~{row['series_id']}~{row['key']}"


def _read_cursor(text: str) -> list[Any]:
    try:
        started_at, series_id, key = text.split("~")
        return [datetime.fromisoformat(started_at), int(series_id), UUID(key)]
    except ValueError as error:
        raise ValueError("this cursor does not come from an earlier page: start again without it") from error
