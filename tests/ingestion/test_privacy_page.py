"""The privacy page says what is so, to everybody who may sign in; those who manage people change it there."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from core.organizations import services
from core.organizations.models import Organization, Person, Role
from core.organizations.policy import ALLOWED, Action
from core.organizations.retention import Retention, retention_of, set_retention
from ingestion.sources import registry

pytestmark = pytest.mark.django_db
ADDRESS = "/settings/privacy/"


@pytest.fixture
def enter(organization: Organization) -> Any:
    """Sign in as somebody new of a role."""

    def sign_in(role: str) -> Client:
        who = Person.objects.create_user(f"{role}@example.org")
        services.add_member(organization_id=organization.id, person=who, role=role)
        client = Client()
        client.force_login(who)
        return client

    return sign_in


def text_of(client: Client) -> str:
    page = client.get(ADDRESS).content.decode()
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", page)))


def test_it_tells_the_running_settings(enter: Any, organization: Organization) -> None:
    set_retention(organization_id=organization.id, ids_days=33, payload_days=11)
    services.create_team(organization_id=organization.id, name="legal", head_count=2)
    services.create_team(organization_id=organization.id, name="search", head_count=9)

    shown = text_of(enter(Role.MEMBER))

    assert "33 days after the use" in shown
    assert "11 days after receipt" in shown
    assert "Teams with fewer than 5 people" in shown
    assert "2 teams are shown so now" in shown
    for source in registry.SOURCES:
        assert f"{source} " in shown
        assert registry.dropped(source) in shown


def test_who_sees_what_is_the_policys(enter: Any) -> None:
    page = enter(Role.AUDITOR).get(ADDRESS).content.decode()
    row = re.search(r"Audit log</th>(.*?)</tr>", page.split("Who can see it")[1], re.DOTALL)

    assert row is not None
    told = ["yes" in cell for cell in re.findall(r"<td>(.*?)</td>", row[1], re.DOTALL)]
    assert told[: len(ALLOWED)] == [Action.SEE_AUDIT_LOG in rights for rights in ALLOWED.values()]


def test_retention_is_changed_by_who_manages_people(enter: Any, organization: Organization) -> None:
    client = enter(Role.ADMIN)

    answer = client.post(f"{ADDRESS}retention/", {"ids_days": 30, "payload_days": 7, "reason": "works council"})

    assert answer.status_code == 302
    organization.refresh_from_db()
    assert retention_of(organization) == Retention(30, 7)
    assert client.post(f"{ADDRESS}retention/", {"ids_days": 0, "payload_days": 7}).status_code == 400
    lead = enter(Role.SUSTAINABILITY_LEAD)
    assert lead.post(f"{ADDRESS}retention/", {"ids_days": 1, "payload_days": 1}).status_code == 403
    assert "Change how long" not in text_of(lead)


def test_two_people_switch_user_counts_on(enter: Any) -> None:
    admin, owner = enter(Role.ADMIN), enter(Role.OWNER)
    assert "Off: nobody is counted" in text_of(admin)
    assert "Hashes of users" not in text_of(admin)

    admin.post(f"{ADDRESS}user-counts/", {"purpose": "To keep head counts of teams right."})
    assert "Approve" not in text_of(admin)
    admin.post(f"{ADDRESS}user-counts/approve/")
    assert "On since" not in text_of(owner)
    owner.post(f"{ADDRESS}user-counts/approve/")

    shown = text_of(enter(Role.MEMBER))
    assert "On since" in shown
    assert "approved by owner@example.org" in shown
    assert "Hashes of users" in shown
    owner.post(f"{ADDRESS}user-counts/end/")
    assert "Off: nobody is counted" in text_of(owner)
