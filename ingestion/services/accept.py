"""Taking a payload in: stored and committed before anybody is told that it arrived."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg.errors
from django.db import IntegrityError, connection

from core.identifiers import uuid7
from core.ledger.selectors import kind_of_source
from core.ledger.services import ensure_source
from core.locks import IDEMPOTENCY_LOCK
from core.organizations.identity import Identity
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope, scoped_rows
from ingestion.kinds import label_of
from ingestion.models import State
from ingestion.payloads import PayloadFile
from ingestion.sources import registry

SOURCE_NAME = 200
"""Characters of a source's name."""
IDEMPOTENCY_WINDOW = timedelta(hours=24)


class KeyReusedError(Exception):
    """The Idempotency-Key came within 24 hours with another body, or once as a dry run and once not."""


class WrongSourceError(Exception):
    """A token that is narrowed to one source was sent with another wire format; the message says which it writes."""


@dataclass(frozen=True)
class Accepted:
    """
    What the door may now promise.

    Args:
        batch_id: under which the payload is followed.
        announced: rows that the door counted; None when they are counted while they are read.
        received_at: UTC.
        repeated: the same Idempotency-Key and body came before; nothing new was stored.
    """

    batch_id: UUID
    announced: int | None
    received_at: datetime
    repeated: bool = False


_source_ids: dict[tuple[int, str, str], int] = {}
_source_kinds: dict[tuple[int, int], str] = {}

_BATCH = (
    "id, organization_id, source_id, kind, state, held, confirmed, in_order, dry_run, payload_of, replay, received_at,"
    " attempts, announced, received, written, duplicate, quarantined, outside, outside_by, log, filename, size_bytes,"
    " body_hash, idempotency_key, team, team_only, project, stage, token_id, person_id, request_id"
)
_INSERT_BATCH = f"""
insert into ingestion_batch ({_BATCH})
values (%(id)s, %(organization)s, %(source)s, %(kind)s, '{State.PENDING}', '', false, %(in_order)s, %(dry_run)s,
        %(payload_of)s, %(replay)s, %(received_at)s, 0, %(announced)s, 0, 0, 0, 0, 0, '[]', %(log)s, %(filename)s,
        %(size_bytes)s, %(body_hash)s, %(idempotency_key)s, %(team)s, %(team_only)s, %(project)s, %(stage)s,
        %(token_id)s, %(person_id)s, %(request_id)s)
"""
_INSERT_PAYLOAD = """
insert into ingestion_payload (organization_id, batch_id, number, received_on, content_type, encoding, filename,
                               size_bytes, location, body)
values (%(organization)s, %(id)s, %(number)s, %(received_on)s, %(file_content_type)s, %(file_encoding)s,
        %(file_filename)s, %(file_size_bytes)s, %(file_location)s, %(file_body)s)
"""


def accept_payload(
    *,
    identity: Identity,
    kind: str,
    files: Sequence[PayloadFile],
    batch_id: UUID | None = None,
    source_name: str = "",
    announced: int | None = None,
    idempotency_key: str = "",
    dry_run: bool = False,
    audit: bool = False,
    received_at: datetime | None = None,
    log: Sequence[str] = (),
) -> Accepted:
    """
    Put a delivery into the inbox; it is committed when this returns.

    Args:
        identity: who sends; a token's team, project and stage become the defaults of its records.
        kind: wire format, a name of the registry.
        files: scrubbed content, already on the disk where it is large.
        batch_id: given when files had to be named after it.
        source_name: connection that the records belong to; the token's own wins, default is the kind.
            A token narrowed to one connection writes as that one, a token for its team alone as one of the team.
        announced: rows counted by the door.
        idempotency_key: of the request; the same key and content within 24 hours is accepted once.
        dry_run: read and compare, write nothing.
        audit: leave an audit event of its own (uploads); pushes are summed up by the worker (docs/adr/0007).
        received_at: the present time unless a test says otherwise.
        log: first lines of the batch's log.

    Raises KeyReusedError, WrongSourceError. Does not wake a worker: the door does, after this.
    """
    now = received_at or datetime.now(UTC)
    values = _values(identity, kind, files, batch_id or uuid7(), now)
    values |= {
        "source": source_of(identity, kind, source_name),
        "announced": announced,
        "idempotency_key": idempotency_key,
        "dry_run": dry_run,
        "log": list(log),
    }
    try:
        return _insert(identity, values, files, audit=audit)
    except IntegrityError as error:
        if not isinstance(error.__cause__, psycopg.errors.CheckViolation):
            raise
        ensure_payload_partition(now.date())
        return _insert(identity, values, files, audit=audit)


def _values(
    identity: Identity, kind: str, files: Sequence[PayloadFile], batch_id: UUID, now: datetime
) -> dict[str, Any]:
    return {
        "id": batch_id,
        "organization": identity.organization_id,
        "kind": kind,
        "in_order": registry.adapter(kind).SNAPSHOT,
        "payload_of": None,
        "replay": False,
        "received_at": now,
        "received_on": now.date(),
        "filename": ", ".join(file.filename for file in files if file.filename),
        "size_bytes": sum(file.size_bytes for file in files),
        "body_hash": delivery_hash(files),
        "team": identity.team if identity.token_id else "",
        "team_only": identity.team_only,
        "project": identity.project,
        "stage": identity.stage,
        "token_id": identity.token_id,
        "person_id": identity.person_id,
        "request_id": identity.actor.request_id,
    }


def _insert(identity: Identity, values: dict[str, Any], files: Sequence[PayloadFile], *, audit: bool) -> Accepted:
    accepted = Accepted(values["id"], values["announced"], values["received_at"])
    if len(files) == 1 and not audit and not values["idempotency_key"]:
        # The usual push: two rows, one round trip, one transaction.
        both = values | {f"file_{name}": value for name, value in vars(files[0]).items()} | {"number": 1}
        scoped_rows(identity.organization_id, f"{_INSERT_BATCH}; {_INSERT_PAYLOAD}", both)
        return accepted
    with organization_scope(identity.organization_id), connection.cursor() as cursor:
        if values["idempotency_key"] and (earlier := _earlier_answer(cursor, values)):
            return earlier
        cursor.execute(_INSERT_BATCH, values)
        for number, file in enumerate(files, 1):
            named = {f"file_{name}": value for name, value in vars(file).items()}
            cursor.execute(_INSERT_PAYLOAD, values | named | {"number": number})
        if audit:
            _audit(cursor, identity, values, files)
    return accepted


def _audit(cursor: Any, identity: Identity, values: dict[str, Any], files: Sequence[PayloadFile]) -> None:
    event = record_event(
        organization_id=identity.organization_id,
        actor=identity.actor,
        action="dry_run_payload" if values["dry_run"] else "accept_payload",
        object_type="batch",
        object_id=values["id"],
        after={
            "source": values["kind"],
            "files": [
                {"name": file.filename, "size_bytes": file.size_bytes, "sha256": file.digest.hex()} for file in files
            ],
        },
    )
    cursor.execute(
        "update ingestion_batch set audit_sequence = %s where organization_id = %s and id = %s",
        [event.sequence, identity.organization_id, values["id"]],
    )


def _earlier_answer(cursor: Any, values: dict[str, Any]) -> Accepted | None:
    cursor.execute(
        "select pg_advisory_xact_lock(%s, hashtext(%s))",
        [IDEMPOTENCY_LOCK, f"{values['organization']}:{values['token_id']}:{values['idempotency_key']}"],
    )
    cursor.execute(
        "select id, announced, received_at, body_hash, kind, dry_run from ingestion_batch"
        " where organization_id = %(organization)s and idempotency_key = %(idempotency_key)s and received_at > %(since)s"
        " and token_id is not distinct from %(token_id)s and person_id is not distinct from %(person_id)s"
        " order by received_at desc limit 1",
        values | {"since": values["received_at"] - IDEMPOTENCY_WINDOW},
    )
    row = cursor.fetchone()
    if row is None:
        return None
    if (bytes(row[3]), *row[4:]) != (values["body_hash"], values["kind"], values["dry_run"]):
        raise KeyReusedError
    return Accepted(row[0], row[1], row[2], repeated=True)


def delivery_hash(files: Sequence[PayloadFile]) -> bytes:
    """Identify a delivery by its content: the file's hash, or the hash of the sorted hashes of several."""
    if len(files) == 1:
        return files[0].digest
    return hashlib.sha256(b"".join(sorted(file.digest for file in files))).digest()


def source_of(identity: Identity, kind: str, source_name: str = "") -> int:
    """
    Choose the connection that records of a sender belong to: the one that its token is narrowed to, else by name.

    Raises WrongSourceError when the token is narrowed to a connection of another format.
    """
    if identity.source_id is None:
        name = identity.source or source_name or kind
        # Ids, running totals and restated periods are told apart by source: one team's senders cannot touch another's.
        return source_id(identity.organization_id, kind, own_name(name, identity.team) if identity.team_only else name)
    key = (identity.organization_id, identity.source_id)
    if key not in _source_kinds:  # neither the kind nor the organization of a source ever changes
        _source_kinds[key] = kind_of_source(*key)
    if _source_kinds[key] != kind:
        raise WrongSourceError(
            f"This token writes as one source, of the format {label_of(_source_kinds[key])}, and this is {label_of(kind)}."
            " Issue a token of the source that is meant."
        )
    return identity.source_id


def own_name(name: str, team: str) -> str:
    """
    Name the connection of a team for what its own tokens send.

    >>> own_name("otlp", "search")
    'otlp (search)'
    """
    return f"{name[: max(SOURCE_NAME - len(team) - 3, 1)]} ({team})"[:SOURCE_NAME]


def source_id(organization_id: int, kind: str, name: str) -> int:
    """Find or make the source connection; remembered by the process, since sources are never deleted."""
    key = (organization_id, kind, name)
    found = _source_ids.get(key)
    if found is None:
        found = ensure_source(organization_id, kind, name).id
        _source_ids[key] = found
    return found


def ensure_payload_partition(day: date) -> None:
    """Make the payload table's partition of a UTC day, if it is not there."""
    name = f"ingestion_payload_{day:%Y%m%d}"
    bound = f"for values from ('{day}') to ('{day + timedelta(days=1)}')"
    with connection.cursor() as cursor:
        cursor.execute("select wattledger_ensure_partition('ingestion_payload', %s, %s)", [name, bound])


def wait_until_done(organization_id: int, batch_id: UUID, seconds: float) -> bool:
    """Wait up to `seconds` for a batch to be done or failed; tell whether it is."""
    deadline = time.monotonic() + seconds
    pause = 0.02
    while True:
        with organization_scope(organization_id), connection.cursor() as cursor:
            cursor.execute(
                "select state in ('done', 'failed') from ingestion_batch where organization_id = %s and id = %s",
                [organization_id, batch_id],
            )
            row = cursor.fetchone()
        if row and row[0]:
            return True
        if time.monotonic() + pause > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)
