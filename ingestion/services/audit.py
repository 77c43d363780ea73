"""Who is answerable for pushed payloads: one audit event for each sender and group of batches (docs/adr/0007)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from core.organizations.identity import Actor
from core.organizations.models import ApiToken
from core.organizations.services import record_event
from ingestion.claims import Claimed


def record_pushes(organization_id: int, batches: Sequence[Claimed]) -> None:
    """
    Append one event for each token among these batches that has none of its own yet, and point the batches at it.

    Call it last, inside the transaction that finishes them: events of an organization wait for each other.
    """
    by_token: dict[int, list[UUID]] = {}
    for batch in batches:
        if batch.audit_sequence is None and batch.token_id is not None:
            by_token.setdefault(batch.token_id, []).append(batch.id)
    for token_id, ids in sorted(by_token.items()):
        _record(organization_id, token_id, sorted(ids))


def _record(organization_id: int, token_id: int, ids: list[UUID]) -> None:
    token = ApiToken.objects.filter(organization_id=organization_id, id=token_id).only("name").first()
    with connection.cursor() as cursor:
        cursor.execute(
            "select body_hash from ingestion_batch where organization_id = %s and id = any(%s) order by id",
            [organization_id, ids],
        )
        hashes = [bytes(row[0]) for row in cursor.fetchall()]
        event = record_event(
            organization_id=organization_id,
            actor=Actor("token", str(token_id), token.name if token else ""),
            action="push",
            object_type="batch",
            object_id=ids[0],
            after={
                "batches": len(ids),
                "first": str(ids[0]),
                "last": str(ids[-1]),
                "sha256_of_payload_hashes": hashlib.sha256(b"".join(hashes)).hexdigest(),
            },
        )
        cursor.execute(
            "update ingestion_batch set audit_sequence = %s where organization_id = %s and id = any(%s)",
            [event.sequence, organization_id, ids],
        )
