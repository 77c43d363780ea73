"""What agents announce before they send."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from core.identifiers import uuid7
from core.organizations.identity import Identity
from core.organizations.tenancy import organization_scope
from ingestion.models import CodeCarbonRun


def announce_run(*, identity: Identity, body: dict[str, Any]) -> UUID:
    """Keep what a CodeCarbon tracker says of its machine; give the id under which its emissions come."""
    run_id = uuid7()
    with organization_scope(identity.organization_id):
        CodeCarbonRun.objects.bulk_create(
            [CodeCarbonRun(id=run_id, organization_id=identity.organization_id, body=body, token_id=identity.token_id)]
        )
    return run_id
