"""The pages and the API of periods: buttons by role, steps by form, and documents as they were locked."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pytest
from django.test import Client

from core.organizations import services as people
from core.organizations.models import Scope
from core.organizations.tenancy import organization_scope
from reporting.models import Inventory
from tests.closing import close, opened, somebody, two_leads
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

PAGE = "/disclosures/2026-Q3/"


@pytest.fixture
def leads(organization):
    return two_leads(organization)


def signed_in(person):
    client = Client()
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def state(organization):
    with organization_scope(organization.id):
        return list(Inventory.objects.values_list("state", flat=True))


def offered(client):
    text = client.get(PAGE).content.decode()
    steps = ("soft_close", "submit", "approve", "reject", "publish", "reopen")
    return {step for step in steps if f'name="step" value="{step}"' in " ".join(text.replace("\n", " ").split())}


def test_a_quarter_goes_from_open_to_published_by_the_hands_of_two(organization, leads):
    ada, grace = map(signed_in, leads)
    assert offered(ada) == {"soft_close"}

    assert ada.post(f"{PAGE}prepare/", {"step": "soft_close"}).status_code == 302
    assert offered(ada) == {"soft_close", "submit", "reopen"}
    ada.post(f"{PAGE}prepare/", {"step": "submit"})
    assert offered(ada) == {"reject", "reopen"}
    ada.post(f"{PAGE}review/", {"step": "approve"})  # by hand: the button is not there
    assert state(organization) == ["in_review"]
    assert offered(grace) == {"approve", "reject", "reopen"}
    grace.post(f"{PAGE}review/", {"step": "approve", "note": "Seen."})
    assert offered(grace) == {"publish"}
    grace.post(f"{PAGE}review/", {"step": "publish"})

    assert state(organization) == ["published"]
    assert offered(grace) == set()
    shown = grace.get(PAGE).content.decode()
    assert "Ada" in shown
    assert "(Seen.)" in shown
    assert "Draft, not approved" not in shown


def test_an_open_item_is_accepted_only_with_a_reason(organization, leads):
    deliver(organization, [metered("bad", 1.0) | {"energy_kwh": "much"}])
    ada = signed_in(leads[0])
    ada.post(f"{PAGE}prepare/", {"step": "soft_close"})

    for form in ({}, {"accept": "quarantine"}, {"accept": "quarantine", "reason_quarantine": "  "}):
        ada.post(f"{PAGE}prepare/", {"step": "submit", **form})
        assert state(organization) == ["soft_closed"], form
    ada.post(f"{PAGE}prepare/", {"step": "submit", "accept": "quarantine", "reason_quarantine": "A test."})

    assert state(organization) == ["in_review"]
    assert "A test." in ada.get(PAGE).content.decode()


@pytest.mark.parametrize("role", ["auditor", "admin"])
def test_who_only_looks_has_no_button_and_no_address(organization, leads, role):
    opened(organization, leads[0])
    viewer = signed_in(somebody(organization, "eve", role))

    assert offered(viewer) == set()
    assert viewer.post(f"{PAGE}prepare/", {"step": "reopen", "reason": "x"}).status_code == 403
    assert viewer.post(f"{PAGE}review/", {"step": "approve"}).status_code == 403
    assert state(organization) == ["soft_closed"]


def test_the_period_of_today_cannot_be_closed(organization, leads):
    now = datetime.now(UTC)
    quarter = f"{now.year}-Q{(now.month + 2) // 3}"
    at = {"started_at": now.strftime("%Y-%m-%dT00:00:00Z"), "ended_at": now.strftime("%Y-%m-%dT00:30:00Z")}
    deliver(organization, [metered("now", 5.0, **at)])
    ada = signed_in(leads[0])

    ada.post(f"/disclosures/{quarter}/prepare/", {"step": "soft_close"})

    assert state(organization) == []
    text = ada.get(f"/disclosures/{quarter}/").content.decode()
    assert "The period is not over" in text
    assert 'value="soft_close"' not in text


def test_a_page_of_a_locked_period_shows_what_was_locked(organization, leads):
    inventory = close(organization, leads)
    deliver(organization, [metered("late", 100.0)])
    ada = signed_in(leads[0])

    assert ada.get(PAGE, {"format": "inventory-json"}).content == inventory.document.encode() + b"\n"
    assert inventory.sha256 in ada.get(PAGE).content.decode()
    listed = ada.get("/disclosures/").content.decode()
    assert "approved" in listed
    assert "Grace" in listed
    assert ada.get(PAGE, {"version": "0" * 8}).status_code == 404


def test_the_api_lists_inventories_and_gives_a_document_byte_for_byte(organization, leads):
    inventory = close(organization, leads)
    _token, secret = people.issue_token(organization_id=organization.id, name="reader", scopes=[Scope.READ])
    reader = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}

    (listed,) = Client().get("/api/v1/inventories?state=approved", **reader).json()["inventories"]

    assert (listed["period"], listed["state"], listed["sha256"]) == ("2026-Q3", "approved", inventory.sha256)
    assert (listed["prepared_by"], listed["approved_by"]) == ("Ada", "Grace")
    assert listed["totals_t_co2e"]["scope2_location"] == "0.329"
    document = json.loads(Client().get(listed["document"], **reader).content)
    said = document["evidence"].pop("sha256")
    plain = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(plain.encode()).hexdigest() == said == listed["sha256"]
    assert Client().get("/api/v1/inventories?state=draft", **reader).status_code == 400
    assert Client().get("/api/v1/inventories?state=published", **reader).json() == {"inventories": []}


def test_a_narrowed_token_and_another_organization_read_no_inventory(organization, other_organization, leads):
    inventory = close(organization, leads)
    _token, part = people.issue_token(organization_id=organization.id, name="part", scopes=["read"], team="search")
    _token, other = people.issue_token(organization_id=other_organization.id, name="other", scopes=[Scope.READ])

    for secret, listed, single in ((part, 403, 403), (other, 200, 404)):
        asker = {"HTTP_AUTHORIZATION": f"Bearer {secret}"}
        answer = Client().get("/api/v1/inventories", **asker)
        assert answer.status_code == listed
        assert inventory.sha256 not in answer.content.decode()
        assert Client().get(f"/api/v1/inventories/{inventory.id}", **asker).status_code == single
