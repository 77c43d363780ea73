"""What expires and what stays, per organization, with a clock that is moved ahead."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from core.ledger import partitions
from core.ledger.reconciliation import reconcile_ledger
from core.organizations import services as organizations
from core.organizations.models import AuditEvent, Organization
from core.organizations.retention import Retention, retention_of, set_retention
from core.organizations.tenancy import organization_scope
from ingestion import services
from ingestion.models import QuarantinedRow
from tests.ingestion.conftest import make_record, stamp

pytestmark = pytest.mark.usefixtures("committed_db", "woken")

NOW = datetime.now(UTC)
STAYS = ("ledger_identity", "ledger_record", "ledger_cell", "ingestion_batch", "ingestion_quarantine")


@pytest.fixture(autouse=True)
def room_again(committed_db: None) -> Any:
    """Make the partitions again that a moved clock has dropped."""
    yield
    services.keep_house()


@pytest.fixture
def sent(client: Any, organization: Organization, other_organization: Organization) -> Callable[..., None]:
    """Send to both organizations: records of some days ago, and one that goes to quarantine."""

    def send(days_ago: tuple[int, ...] = (0,)) -> None:
        for each in (organization, other_organization):
            _, secret = organizations.issue_token(organization_id=each.id, name="agent", scopes=["ingest"])
            body = [make_record(f"r{days}", request=f"q{days}", **at(days)) for days in days_ago]
            body.append(make_record("bad", output_tokens=-1))
            answer = client.post(
                "/api/v1/activity", body, "application/json", headers={"Authorization": f"Bearer {secret}"}
            )
            assert answer.status_code == 202
            services.drain_inbox(each.id)

    return send


def at(days: int) -> dict[str, str]:
    start = (NOW - timedelta(days=days)).replace(microsecond=0) - timedelta(hours=1)
    return {"started_at": stamp(start), "ended_at": stamp(start + timedelta(minutes=1))}


def count(organization: Organization, table: str, where: str = "true") -> int:
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {table} where organization_id = %s and {where}", [organization.id])
        return int(cursor.fetchone()[0])


def test_an_organization_that_keeps_less_loses_its_ids_sooner(
    sent: Any, organization: Organization, other_organization: Organization
) -> None:
    sent(days_ago=(0, 15, 25, 60))
    set_retention(organization_id=organization.id, ids_days=20, payload_days=30)
    stayed = {table: count(organization, table) for table in STAYS}

    done = services.keep_house(NOW)

    assert done["text_rows_deleted"] == 2  # of 25 and 60 days ago
    assert count(organization, "ledger_record_text") == 2
    assert count(other_organization, "ledger_record_text") == 4
    assert {table: count(organization, table) for table in STAYS} == stayed
    assert reconcile_ledger(organization.id, (NOW - timedelta(days=90)).date(), NOW.date()).empty


def test_a_record_whose_id_has_expired_still_counts_once(sent: Any, organization: Organization) -> None:
    set_retention(organization_id=organization.id, ids_days=1, payload_days=1)
    sent(days_ago=(5,))
    services.keep_house(NOW)
    assert count(organization, "ledger_record_text") == 0

    sent(days_ago=(5,))

    assert count(organization, "ledger_record") == 1
    assert count(organization, "ingestion_batch", "duplicate = 1") == 1


def test_an_organization_that_keeps_more_finds_its_old_ids(
    sent: Any, organization: Organization, other_organization: Organization
) -> None:
    set_retention(organization_id=organization.id, ids_days=400, payload_days=30)

    sent(days_ago=(300,))
    services.keep_house(NOW)

    assert count(organization, "ledger_record_text") == 1
    assert count(other_organization, "ledger_record_text") == 0  # its own 90 days are over


def test_payloads_go_by_each_organizations_own_days(
    sent: Any, organization: Organization, other_organization: Organization, settings: Any, tmp_path: Path
) -> None:
    settings.PAYLOAD_URL = str(tmp_path)
    set_retention(organization_id=organization.id, ids_days=90, payload_days=7)
    sent()
    for each in (organization, other_organization):
        folder = tmp_path / NOW.date().isoformat() / str(each.id)
        folder.mkdir(parents=True)
        (folder / "large").write_text("payload")

    services.keep_house(NOW + timedelta(days=6))
    assert count(organization, "ingestion_payload") == 1

    services.keep_house(NOW + timedelta(days=8))
    assert count(organization, "ingestion_payload") == 0
    assert count(other_organization, "ingestion_payload") == 1
    assert [path.parent.name for path in tmp_path.rglob("large")] == [str(other_organization.id)]

    done = services.keep_house(NOW + timedelta(days=32))
    assert done["payload_days_dropped"] > 0
    assert not [*tmp_path.rglob("large")]
    assert count(other_organization, "ledger_record") == 1


def test_a_row_in_quarantine_keeps_its_reason_and_loses_its_content(sent: Any, organization: Organization) -> None:
    sent()
    with organization_scope(organization.id):
        row = QuarantinedRow.objects.get(organization_id=organization.id)
        assert row.payload["output_tokens"] == -1

    services.keep_house(NOW + timedelta(days=31))
    with organization_scope(organization.id):
        row.refresh_from_db()
        assert (row.payload, row.record_id, row.reason) == (None, "bad", "negative_quantity")

    services.keep_house(NOW + timedelta(days=91))
    with organization_scope(organization.id):
        row.refresh_from_db()
        assert (row.record_id, row.field) == (None, "output_tokens")


def test_text_goes_only_for_the_organization_in_scope(organization: Organization) -> None:
    with pytest.raises(Exception, match="no organization is in scope"):
        partitions.forget_text_before(NOW.date())


def test_a_change_is_audited_and_held_to_its_limits(organization: Organization) -> None:
    set_retention(organization_id=organization.id, ids_days=30, payload_days=10, reason="works council")

    organization.refresh_from_db()
    assert retention_of(organization) == Retention(30, 10)
    with organization_scope(organization.id):
        event = AuditEvent.objects.filter(organization_id=organization.id).latest("sequence")
    assert (event.action, event.before, event.after, event.reason) == (
        "set_retention",
        {"ids_days": 90, "payload_days": 30},
        {"ids_days": 30, "payload_days": 10},
        "works council",
    )
    for days in (0, 3661):
        with pytest.raises(organizations.OrganizationError, match="from 1 to 3660 days"):
            set_retention(organization_id=organization.id, ids_days=days, payload_days=10)
