"""
Which batches a worker has taken: row locks on a connection of their own, held for as long as it works on them.

The lock lies on the payload's row, not on the batch's, so that progress and state can be written meanwhile. When a worker is
killed the server drops its connection and with it the lock: the batches are free at once, no lease has to run out.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self
from uuid import UUID

import psycopg
from django.db import OperationalError, connection
from psycopg.rows import dict_row

from core.organizations.tenancy import ORGANIZATION

GROUP_RECORDS: Final = 10_000
GROUP_BYTES: Final = 16 * 1024 * 1024
ALONE_BYTES: Final = 4 * 1024 * 1024
"""Larger payloads are read in chunks of their own instead of as part of a group."""
GROUP_OF_ATTEMPT: Final = (10_000, 32, 1)
"""Batches claimed together by how often they were claimed before: one that kills its worker is soon alone."""
MOST_ATTEMPTS: Final = len(GROUP_OF_ATTEMPT)

_WAITING = """
select b.id, b.source_id, b.kind, b.received_at, b.attempts, b.announced, b.size_bytes, b.filename, b.team, b.team_only,
       b.project, b.stage, b.token_id, b.confirmed, b.in_order, b.dry_run, b.payload_of, b.replay, b.audit_sequence,
       s.settings, s.name as source_name
from ingestion_batch b
join ledger_source s on s.organization_id = b.organization_id and s.id = b.source_id
join ingestion_payload p on p.organization_id = b.organization_id and p.batch_id = b.id and p.number = 1
     and p.received_on = (b.received_at at time zone 'utc')::date
where b.organization_id = %(organization)s and b.state in ('pending', 'processing') and b.held = '' and not s.paused
  and (b.retry_at is null or b.retry_at <= now())
  and (%(only)s::uuid[] is null or b.id = any(%(only)s))
  and not (b.in_order and exists (
        select from ingestion_batch earlier
        where earlier.organization_id = b.organization_id and earlier.source_id = b.source_id and earlier.id < b.id
          and earlier.state in ('pending', 'processing') and earlier.held = ''))
order by b.id
for update of p skip locked
"""


@dataclass(frozen=True)
class Claimed:
    """A batch that this worker has taken. ``alone``: nothing else is in its group."""

    id: UUID
    source_id: int
    kind: str
    received_at: datetime
    attempts: int
    announced: int | None
    size_bytes: int
    filename: str
    team: str
    team_only: bool
    project: str
    stage: str
    token_id: int | None
    confirmed: bool
    in_order: bool
    dry_run: bool
    payload_of: UUID | None
    replay: bool
    audit_sequence: int | None
    settings: dict[str, Any]
    source_name: str

    @property
    def alone(self) -> bool:
        """Tell whether it makes a group of its own."""
        return self.dry_run or self.in_order or self.confirmed or self.size_bytes > ALONE_BYTES


class Claims:
    """
    The locks of one worker on one organization's waiting batches; released when the block ends.

    ``exhausted`` tells whether the latest group held all that waited.
    """

    def __init__(self, organization_id: int, only: list[UUID] | None = None) -> None:
        self.organization_id = organization_id
        self.only = only
        self.exhausted = False

    def __enter__(self) -> Self:
        try:
            # Django's parameters name its cursor and adapters; this connection is plain psycopg.
            parameters = dict(connection.get_connection_params())
            for name in ("cursor_factory", "context", "prepare_threshold", "server_side_binding"):
                parameters.pop(name, None)
            parameters["application_name"] = "wattledger claims"
            self._connection = psycopg.connect(**parameters)
        except psycopg.OperationalError as error:
            raise OperationalError(str(error)) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._connection.close()

    def take(self) -> list[Claimed]:
        """Lock the next group of waiting batches, the oldest first; [] when there are none or others have them."""
        try:
            self._connection.rollback()
            self._connection.execute("select set_config(%s, %s, true)", [ORGANIZATION, str(self.organization_id)])
            taken = self._lock_waiting()
            # Its state may have been read before another worker, whose lock has gone since, finished it.
            still = self._connection.execute(
                "select id from ingestion_batch where organization_id = %s and id = any(%s)"
                " and state in ('pending', 'processing')",
                [self.organization_id, [batch.id for batch in taken]],
            ).fetchall()
        except psycopg.OperationalError as error:
            raise OperationalError(str(error)) from error
        waiting = {batch_id for (batch_id,) in still}
        return [batch for batch in taken if batch.id in waiting]

    def _lock_waiting(self) -> list[Claimed]:
        """Fetch a few rows at a time from a server-side cursor, which locks no more than it was asked for."""
        taken: list[Claimed] = []
        records = size = 0
        self.exhausted = False
        with self._connection.cursor(name="waiting", row_factory=dict_row) as cursor:
            cursor.execute(_WAITING, {"organization": self.organization_id, "only": self.only})
            while rows := cursor.fetchmany(1 if not taken else 32):
                for row in rows:
                    batch = Claimed(**row)
                    if taken and (batch.alone or batch.attempts != taken[0].attempts):
                        return taken
                    taken.append(batch)
                    records += batch.announced or 1
                    size += batch.size_bytes
                    full = len(taken) >= GROUP_OF_ATTEMPT[min(batch.attempts, MOST_ATTEMPTS - 1)]
                    if batch.alone or full or records >= GROUP_RECORDS or size >= GROUP_BYTES:
                        return taken
        self.exhausted = True
        return taken
