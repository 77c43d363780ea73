"""Pushes are answered for in groups, uploads one by one (docs/adr/0007)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from core.organizations import selectors as organizations
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope
from ingestion import services
from ingestion.models import Batch

pytestmark = pytest.mark.usefixtures("committed_db")


def test_one_event_covers_a_group_of_pushes_and_can_be_computed_again(
    post: Any, organization: Any, record: Any
) -> None:
    for name in ("a", "b", "c"):
        post("/api/v1/activity", [record(name)])

    services.drain_inbox(organization.id)

    with organization_scope(organization.id):
        events = list(AuditEvent.objects.filter(action="push"))
        batches = list(Batch.objects.order_by("id"))
        assert [event.actor_name for event in events] == ["agent"]
        assert {batch.audit_sequence for batch in batches} == {events[0].sequence}
        hashes = b"".join(bytes(batch.body_hash) for batch in batches)
        assert events[0].after["sha256_of_payload_hashes"] == hashlib.sha256(hashes).hexdigest()
        assert events[0].after["batches"] == 3
        assert organizations.verify_audit_chain(organization.id) is None
