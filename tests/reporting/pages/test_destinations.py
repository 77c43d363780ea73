"""Destinations by page and API: added, tested against a real receiver, and what is shown of secrets."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest
from django.test import Client
from standardwebhooks.webhooks import Webhook

from core.delivery import services
from core.organizations import services as organizations
from core.organizations.models import Organization, Person, Role, Scope
from tests.receivers import receiver

pytestmark = pytest.mark.django_db
ADDRESS = "/settings/destinations/"


@pytest.fixture
def client(organization: Organization, person: Person) -> Client:
    organizations.add_member(organization_id=organization.id, person=person, role=Role.ADMIN)
    signed_in = Client()
    signed_in.force_login(person)
    return signed_in


def test_a_webhook_is_added_tested_and_its_secret_is_shown_once(
    client: Client, organization: Organization, settings: Any
) -> None:
    settings.WEBHOOK_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    with receiver() as told:
        added = client.post(
            ADDRESS, {"name": "On call", "channel": "webhook", "address": told.url, "language": "en"}
        ).content.decode()
        secret = re.findall(r"whsec_[A-Za-z0-9+/=]+", added)[0]
        own = re.findall(r"/settings/destinations/\d+/", added)[0]
        answer = client.post(f"{own}change/", {"what": "test"})
        services.deliver_due(organization.id)

        assert answer["Location"] == own
        assert Webhook(secret).verify(told.received[0].body, told.received[0].headers)["type"] == "delivery.test"
    page = client.get(own).content.decode()
    assert "HTTP 200" in page
    assert "Test of “On call”" in page
    for text in (page, client.get(ADDRESS).content.decode()):
        assert "whsec_" not in text
        assert "a=b" not in text  # what an incoming webhook's address keeps to itself


def test_a_private_address_is_said_beside_its_field(client: Client) -> None:
    answer = client.post(ADDRESS, {"name": "n", "channel": "slack", "address": "http://10.0.0.1/", "language": "en"})

    assert answer.status_code == 400
    assert "begins with https://" in answer.content.decode()


def test_by_program(organization: Organization) -> None:
    _token, key = organizations.issue_token(organization_id=organization.id, name="t", scopes=[Scope.ADMIN])
    client = Client(headers={"Authorization": f"Bearer {key}"})
    path = "/api/v1/destinations"
    given = {"name": "Team", "channel": "email", "address": "team@example.org", "kinds": ["source.trouble"]}

    made = client.post(path, given, content_type="application/json")
    assert (made.status_code, made.json()["secret"]) == (201, None)
    number = made.json()["id"]
    assert client.get(path).json()["destinations"][0]["address"] == "team@example.org"
    assert client.post(f"{path}/{number}/test").status_code == 202
    (delivery,) = client.get("/api/v1/deliveries").json()["deliveries"]
    assert (delivery["kind"], delivery["state"], delivery["attempts"]) == ("delivery.test", "waiting", [])
    assert client.delete(f"{path}/{number}").status_code == 204
    assert client.delete(f"{path}/{number}").status_code == 404
    for bad in ({}, given | {"name": 1}, given | {"kinds": "all"}, given | {"kinds": ["x"]}, given | {"colour": "red"}):
        refused = client.post(path, bad, content_type="application/json")
        assert refused.status_code == 400
        assert refused["Content-Type"] == "application/problem+json"
    assert client.get("/api/v1/deliveries?before=x").status_code == 400
