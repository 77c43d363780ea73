"""Rows on their way into quarantine: staged while a payload is read, kept in the ledger's transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import msgspec
from django.db import connection

from core.quantification.rejections import Rejection

PAYLOAD_BYTES: Final = 64 * 1024
"""A larger row is kept without its content."""
DETAIL_LENGTH: Final = 1000
RECORD_ID_LENGTH: Final = 400

Place = Callable[[UUID, int], tuple[int, int]]
"""(batch, row of the delivery) -> (file of the delivery, row of that file)"""

_TABLE: Final = """
create temporary table if not exists staged_quarantine (
    batch_id uuid, source_id integer, file smallint, row_number bigint, row_count integer, record_id text, field text,
    reason text, detail text, payload text
) on commit preserve rows
"""
_COPY: Final = (
    "copy pg_temp.staged_quarantine (batch_id, source_id, file, row_number, row_count, record_id, field, reason, detail,"
    " payload) from stdin"
)
_KEEP: Final = """
insert into ingestion_quarantine (organization_id, batch_id, source_id, file, "row", rows, record_id, field, reason,
                                  detail, payload, state, discard_reason)
select %s, batch_id, source_id, file, row_number, row_count, record_id, field, reason, detail, payload::jsonb, 'open', ''
from pg_temp.staged_quarantine where batch_id <> all(%s) order by batch_id, file, row_number
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
                as_json(rejection.payload),
            )
            for rejection in rejections
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
                cursor.execute(_KEEP, [self.organization_id, left_out])


def plain(text: object, length: int) -> str | None:
    """Cut text to what the table holds; PostgreSQL has no U+0000."""
    return None if text is None else str(text)[:length].replace("\x00", "\ufffd")


def as_json(value: object) -> str | None:
    """Write a row as JSON that PostgreSQL accepts: NaN is null, U+0000 replaced, nothing above 64 KiB."""
    if value is None:
        return None
    encoded = msgspec.json.encode(value, enc_hook=_as_text)
    if len(encoded) > PAYLOAD_BYTES:
        return '"(row above 64 KiB, not kept)"'
    return encoded.decode().replace("\\u0000", "\\ufffd")


def _as_text(value: Any) -> str:
    return str(value)
