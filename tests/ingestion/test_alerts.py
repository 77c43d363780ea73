"""Alerts: raised once when a source goes late, silent or failing, closed when its data is back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from core.delivery.models import Message
from core.identifiers import uuid7
from core.ledger.models import Source
from core.ledger.services import create_source, update_source
from core.organizations import services as organizations
from core.organizations.models import AuditEvent, Organization, Role
from core.organizations.tenancy import organization_scope
from ingestion.models import Batch, SourceAlert
from ingestion.services import watch_sources
from reporting.selectors.attention import silent

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def source(organization: Organization) -> Source:
    return create_source(organization_id=organization.id, kind="activity", name="Agent", settings={})


def arrive(source: Source, at: datetime, state: str = "done") -> None:
    with organization_scope(source.organization_id):
        Batch.objects.create(
            id=uuid7(),
            organization_id=source.organization_id,
            source=source,
            kind=source.kind,
            state=state,
            received_at=at,
            size_bytes=1,
            body_hash=b"\0" * 32,
        )


def alerts(source: Source) -> list[SourceAlert]:
    with organization_scope(source.organization_id):
        return list(SourceAlert.objects.filter(source_id=source.id).order_by("id"))


def test_a_source_that_never_sent_raises_none(source: Source) -> None:
    assert watch_sources(NOON) == {"raised": 0, "changed": 0, "closed": 0}


def test_an_alert_is_raised_once_grows_and_is_closed_when_data_is_back(source: Source) -> None:
    arrive(source, NOON)

    assert watch_sources(NOON + timedelta(hours=24))["raised"] == 0
    assert watch_sources(NOON + timedelta(hours=25))["raised"] == 1
    assert watch_sources(NOON + timedelta(hours=26)) == {"raised": 0, "changed": 0, "closed": 0}
    assert watch_sources(NOON + timedelta(days=8))["changed"] == 1
    (alert,) = alerts(source)
    assert (alert.state, alert.latest_arrival, alert.closed_at) == ("silent", NOON, None)

    arrive(source, NOON + timedelta(days=9))
    assert watch_sources(NOON + timedelta(days=9, hours=1))["closed"] == 1
    (alert,) = alerts(source)
    assert alert.closed_at == NOON + timedelta(days=9, hours=1)
    with organization_scope(source.organization_id):
        events = AuditEvent.objects.filter(object_type="source", object_id=str(source.id)).order_by("sequence")
        said = [(event.action, event.actor_kind, event.after["state"]) for event in events if "alert" in event.action]
    assert said == [
        ("raise_source_alert", "system", "late"),
        ("change_source_alert", "system", "silent"),
        ("close_source_alert", "system", "live"),
    ]


def test_the_expected_interval_is_a_setting_of_the_source(source: Source) -> None:
    arrive(source, NOON)
    update_source(organization_id=source.organization_id, source_id=source.id, settings={"expected_every_h": 0.5})

    assert watch_sources(NOON + timedelta(minutes=29))["raised"] == 0
    assert watch_sources(NOON + timedelta(minutes=31))["raised"] == 1


def test_a_bill_may_take_a_month(organization: Organization) -> None:
    bill = create_source(organization_id=organization.id, kind="focus", name="Bill", settings={})
    arrive(bill, NOON)

    assert watch_sources(NOON + timedelta(days=34))["raised"] == 0
    assert watch_sources(NOON + timedelta(days=36))["raised"] == 1


def test_a_payload_that_cannot_be_read_is_an_alert_at_once(source: Source) -> None:
    arrive(source, NOON)
    arrive(source, NOON + timedelta(minutes=1), state="failed")

    assert watch_sources(NOON + timedelta(minutes=2))["raised"] == 1
    assert alerts(source)[0].state == "failing"


def test_a_paused_source_is_left_in_peace(source: Source) -> None:
    arrive(source, NOON)
    watch_sources(NOON + timedelta(days=2))
    update_source(organization_id=source.organization_id, source_id=source.id, paused=True)

    assert watch_sources(NOON + timedelta(days=2, hours=1))["closed"] == 1
    assert watch_sources(NOON + timedelta(days=3))["raised"] == 0


def test_attention_api_and_list_show_the_open_alert(
    source: Source, organization: Organization, client: Any, person: Any
) -> None:
    organizations.add_member(organization_id=organization.id, person=person, role=Role.SUSTAINABILITY_LEAD)
    client.force_login(person)
    long_ago = datetime.now(UTC) - timedelta(days=30)
    arrive(source, long_ago)
    watch_sources()

    (shown,) = client.get("/api/v1/sources").json()

    assert (shown["name"], shown["state"], shown["alert"]["state"]) == ("Agent", "silent", "silent")
    assert shown["expected_every_h"] == 24
    with organization_scope(organization.id):
        sources = pd.DataFrame({"source": ["Agent", "Agent", "Bill"], "total_kg_co2e": [2.0, 1.5, 9.0]})
        (item,) = silent(organization.id, SimpleNamespace(sources=sources))  # type: ignore[arg-type]
    assert (item.lead, item.address, item.weight, item.tone) == ("Agent", f"/sources/{source.id}/", 3.5, "bad")
    assert item.text == f"has been silent since {long_ago:%Y-%m-%d %H:%M} UTC."
    assert "expected every" in client.get("/sources/").content.decode()


def test_alerts_of_one_organization_are_not_seen_by_another(source: Source, other_organization: Organization) -> None:
    arrive(source, NOON)
    watch_sources(NOON + timedelta(days=2))

    with organization_scope(other_organization.id):
        assert not SourceAlert.objects.exists()


def test_who_wants_to_know_is_told_once_for_each_state(source: Source) -> None:
    arrive(source, NOON)

    for hours in (25, 26, 200, 201):
        watch_sources(NOON + timedelta(hours=hours))
    arrive(source, NOON + timedelta(hours=202))
    watch_sources(NOON + timedelta(hours=203))
    with organization_scope(source.organization_id):
        said = list(Message.objects.order_by("id").values_list("kind", "data__state", "data__source"))
    assert said == [
        ("source.trouble", "late", "Agent"),
        ("source.trouble", "silent", "Agent"),
        ("source.back", "back", "Agent"),
    ]
