"""Rows on their way into quarantine: staged while a payload is read, kept in the ledger's transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import msgspec
from django.db import connection

from core.quantification.rejections import Rejection

PAYLOAD_BYTES: Final = 64 * 1024
"""A larger row is kept without its content."""
NOT_KEPT: Final = '"(row above 64 KiB, not kept)"'
DETAIL_LENGTH: Final = 1000
RECORD_ID_LENGTH: Final = 400

Place = Callable[[UUID, int], tuple[int, int]]
"""(batch, row of the delivery) -> (file of the delivery, row of that file)"""

_TABLE: Final = """
create temporary table if not exists staged_quarantine (
    batch_id uuid, source_id integer, file smallint, row_number bigint, row_count integer, record_id text, field text,
    reason text, detail text, payload text, content text
) on commit preserve rows
"""
_COPY: Final = (
    "copy pg_temp.staged_quarantine (batch_id, source_id, file, row_number, row_count, record_id, field, reason, detail,"
    " payload, content) from stdin"
)
# The same row of the same source, refused for the same reason, waits once: the latest delivery is the one to read it from. What
# is equal within one delivery stays apart, since each of its rows is read again by itself. A row that could not be kept is
# known by its place in an equal body. Read again and refused as before, a row goes on as what it was. It is
# numbered in the order of the delivery and written in that of the key, so that no two workers wait for each other in a circle.
_KEEP: Final = """
with said as (
    select s.*, md5(concat_ws(':', s.reason, s.field,
                              coalesce(s.content, concat(encode(b.body_hash, 'hex'), s.file, '/', s.row_number)))) as saying
    from pg_temp.staged_quarantine s
    join ingestion_batch b on b.organization_id = %(organization)s and b.id = s.batch_id
    where s.batch_id <> all(%(left_out)s)
), known as (
    select said.*, q.times_sent, q.first_seen, coalesce(q.fingerprint, md5(saying || ':' || row_number() over (
        partition by said.batch_id, said.source_id, saying order by said.file, said.row_number))::uuid) as fingerprint
    from said left join ingestion_quarantine q
        on q.organization_id = %(organization)s and q.replayed_by = said.batch_id and q.file = said.file
        and q."row" = said.row_number and q.reason = said.reason
), latest as (
    select distinct on (source_id, fingerprint) *,
           sum(coalesce(times_sent, 1)) over (partition by source_id, fingerprint) as times
    from known order by source_id, fingerprint, batch_id desc
), numbered as materialized (
    select nextval(pg_get_serial_sequence('ingestion_quarantine', 'id')) as id, sorted.*
    from (select * from latest order by batch_id, file, row_number) sorted
)
insert into ingestion_quarantine as standing (
    id, organization_id, batch_id, source_id, file, "row", rows, record_id, field, reason, detail, payload, state, discard_reason,
    first_seen, times_sent, fingerprint)
select id, %(organization)s, batch_id, source_id, file, row_number, row_count, record_id, field, reason, detail, payload::jsonb,
       'open', '', coalesce(first_seen, now()), times, fingerprint
from numbered order by source_id, fingerprint
on conflict (organization_id, source_id, fingerprint) where state = 'open' do update
set batch_id = excluded.batch_id, file = excluded.file, "row" = excluded."row", rows = excluded.rows,
    detail = excluded.detail, record_id = excluded.record_id, payload = excluded.payload, last_seen = now(),
    times_sent = standing.times_sent + excluded.times_sent
"""


class Staging:
    """
    A temporary table of rejected rows. It keeps a file that is wrong in every row out of Python's memory, and what was
    staged outside the ledger's transaction survives when that is repeated.
    """

    def __init__(self, organization_id: int) -> None:
        self.organization_id = organization_id
        self.staged = False

    def __enter__(self) -> Self:
        with connection.cursor() as cursor:
            cursor.execute(_TABLE)
            cursor.execute("truncate pg_temp.staged_quarantine")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None and self.staged:
            with connection.cursor() as cursor:
                cursor.execute("truncate pg_temp.staged_quarantine")

    def add(self, batch_id: UUID, source_id: int, rejections: Iterable[Rejection], place: Place) -> None:
        """Stage rejected rows; inside a transaction they go with it when it is rolled back."""
        rows = [
            (
                batch_id,
                source_id,
                *place(batch_id, rejection.row),
                rejection.rows,
                plain(rejection.record_id, RECORD_ID_LENGTH),
                plain(rejection.field, DETAIL_LENGTH),
                rejection.reason,
                plain(rejection.detail, DETAIL_LENGTH) or "",
                payload,
                _content(rejection, payload),
            )
            for rejection, payload in ((each, as_json(each.payload)) for each in rejections)
        ]
        if not rows:
            return
        self.staged = True
        with connection.wrap_database_errors, connection.connection.cursor() as cursor, cursor.copy(_COPY) as copy:
            for row in rows:
                copy.write_row(row)

    def keep(self, left_out: list[UUID]) -> None:
        """Move what was staged into the quarantine, but for some batches; call it inside the ledger's transaction."""
        if self.staged:
            with connection.cursor() as cursor:
                cursor.execute(_KEEP, {"organization": self.organization_id, "left_out": left_out})


def _content(rejection: Rejection, payload: str | None) -> str | None:
    """Hash what was read of a row; None where it was not kept, so that it cannot be told from others."""
    if payload is None or payload == NOT_KEPT:
        return None
    return hashlib.sha256(f"{rejection.record_id}\x1f{payload}".encode(errors="replace")).hexdigest()


def plain(text: object, length: int) -> str | None:
    """Cut text to what the table holds; PostgreSQL has no U+0000."""
    return None if text is None else str(text)[:length].replace("\x00", "\ufffd")


def as_json(value: object) -> str | None:
    """Write a row as JSON that PostgreSQL accepts: NaN is null, U+0000 replaced, nothing above 64 KiB."""
    if value is None:
        return None
    encoded = msgspec.json.encode(value, enc_hook=_as_text)
    if len(encoded) > PAYLOAD_BYTES:
        return NOT_KEPT
    return encoded.decode().replace("\\u0000", "\\ufffd")


def _as_text(value: Any) -> str:
    return str(value)
