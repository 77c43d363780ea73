"""Which ids of a source are taken."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.db import connection

from core.ledger import deletions
from core.organizations.tenancy import organization_scope
from core.quantification import keys


def standing_ids(organization_id: int, source_id: int, record_ids: Sequence[str]) -> set[str]:
    """Tell which of these ids a source cannot use for a new record: those that stand, be it as sent again after a deletion."""
    asked = list(dict.fromkeys(record_ids))
    versions = deletions.sent_again(organization_id, source_id, asked).names
    written = [versions.get(at, name) for at, name in enumerate(asked)]
    found = [UUID(bytes=key.tobytes()) for key in keys.record_keys(written)]
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select key from ledger_identity where organization_id = %s and source_id = %s and key = any(%s)",
            [organization_id, source_id, found],
        )
        standing = {key for (key,) in cursor.fetchall()}
    return {name for name, key in zip(asked, found, strict=True) if key in standing}
