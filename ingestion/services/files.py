"""Files of a delivery into the inbox: the one way for the form, the API and the command."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from core.identifiers import uuid7
from core.organizations.identity import Identity
from ingestion import uploads
from ingestion.deliveries import gathered
from ingestion.services.accept import Accepted, accept_payload


def accept_files(
    *,
    identity: Identity,
    given: Sequence[uploads.Upload],
    wanted: str = "",
    source_name: str = "",
    dry_run: bool = False,
    idempotency_key: str = "",
) -> Accepted:
    """
    Detect, scrub and keep the files of one delivery and put them into the inbox; committed when this returns.

    Args:
        identity: who hands them over.
        given: the files, all of one wire format; manifests among them say which belong together.
        wanted: the format; "" finds out.
        source_name: of the connection, where there are several of this format.
        dry_run: read and compare with the ledger, write nothing.
        idempotency_key: see `accept_payload`.

    Raises UnknownFormatError, UnreadablePayload (IncompleteDelivery where a manifest names what is missing), KeyReusedError.
    """
    delivery = gathered(given)
    detected = uploads.detect(delivery.uploads, wanted)
    batch_id, now = uuid7(), datetime.now(UTC)
    kept = uploads.keep(
        delivery.uploads,
        kind=detected.kind,
        organization_id=identity.organization_id,
        batch_id=batch_id,
        day=now.date(),
    )
    return accept_payload(
        identity=identity,
        kind=detected.kind,
        files=kept,
        batch_id=batch_id,
        source_name=source_name,
        idempotency_key=idempotency_key,
        dry_run=dry_run,
        audit=True,
        received_at=now,
        log=[*delivery.log, *([] if wanted else detected.sentences(delivery.uploads))],
    )
