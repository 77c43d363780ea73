"""The register's door: JSON or CSV, all or nothing, for those who may."""

from __future__ import annotations

import csv
import gzip
import io
import json

import pytest

from core.accounting import services as accounting
from core.catalog.entries import template_csv
from core.organizations import services
from core.organizations.models import Person, Role

pytestmark = pytest.mark.django_db
READING = {
    "site": "berlin",
    "kind": "meter_reading",
    "date": "2026-07",
    "facility_kwh": 120000,
    "it_kwh": 100000.5,
    "source": "meters 1 and 2",
}


@pytest.fixture
def berlin(organization):
    return accounting.add_site(
        organization_id=organization.id, slug="berlin", name="Berlin hall", country="DE", zone="DE"
    )


@pytest.fixture
def call(client, organization, berlin):
    def send(method, body=None, *, scopes=("admin", "read"), content_type="application/json", query=None, **limits):
        _, secret = services.issue_token(organization_id=organization.id, name="t", scopes=list(scopes), **limits)
        headers = {"authorization": f"Bearer {secret}", **limits.pop("headers", {})}
        data = body if isinstance(body, str | bytes) else json.dumps(body)
        return client.generic(
            method, "/api/v1/register", data or "", content_type=content_type, headers=headers, query_params=query
        )

    return send


def test_entries_come_back_as_they_were_sent(call):
    made = call("POST", [READING])

    assert made.status_code == 201
    (number,) = made.json()["ids"]
    (entry,) = call("GET").json()["entries"]
    assert entry.pop("recorded_at").endswith("Z")
    assert entry == {"id": number, **READING}


def test_csv_goes_in_and_comes_out(call, client, organization):
    assert len(call("POST", template_csv(), content_type="text/csv; charset=utf-8").json()["ids"]) == 8

    _, secret = services.issue_token(organization_id=organization.id, name="bi", scopes=["read"])
    text = client.get("/api/v1/register", headers={"authorization": f"Bearer {secret}", "accept": "text/csv"})

    rows = list(csv.DictReader(io.StringIO(text.content.decode())))
    assert [row["kind"] for row in rows][:2] == ["meter_reading", "water"]
    assert rows[0]["facility_kwh"] == "120000.0"


def test_every_fault_is_answered_and_nothing_written(call):
    answer = call("POST", [READING, {**READING, "date": "2099-01", "facility_kwh": -3}, {"kind": "fuel"}])

    assert answer.status_code == 400
    document = answer.json()
    assert document["type"] == "urn:wattledger:problem:register-refused"
    assert [(fault["row"], fault["field"]) for fault in document["faults"]] == [
        (2, "date"),
        (2, "facility_kwh"),
        (3, "site"),
        (3, "source"),
        (3, "date"),
        (3, "fuel"),
    ]
    assert all(fault["reason"] for fault in document["faults"])
    assert call("GET").json() == {"entries": [], "next": None}


@pytest.mark.parametrize(
    ("body", "content_type", "status", "said"),
    [
        ("{", "application/json", 400, "cannot be read as JSON"),
        ("[1]", "application/json", 400, "array of entries"),
        ("[]", "application/json", 400, "Nothing was written"),
        ("site\nberlin\n", "text/csv", 400, "needs the columns"),
        ("<x/>", "text/xml", 415, "not offered"),
    ],
)
def test_a_body_that_is_no_register_is_refused(call, body, content_type, status, said):
    answer = call("POST", body, content_type=content_type)

    assert answer.status_code == status
    assert said in answer.json()["detail"]


def test_a_packed_body_is_read(client, organization, berlin):
    _, secret = services.issue_token(organization_id=organization.id, name="t", scopes=["ingest"])

    answer = client.generic(
        "POST",
        "/api/v1/register",
        gzip.compress(json.dumps(READING).encode()),
        content_type="application/json",
        headers={"authorization": f"Bearer {secret}", "content-encoding": "gzip"},
    )

    assert answer.status_code == 201


def test_pages_filters_and_what_was_replaced(call):
    first = call("POST", [READING]).json()["ids"][0]
    second = call("POST", [{**READING, "facility_kwh": 130000, "replaces": first}]).json()["ids"][0]
    call("POST", [{**READING, "date": "2026-08"}])

    page = call("GET", query={"limit": 1}).json()
    assert [entry["id"] for entry in page["entries"]] == [second]
    assert page["next"] == second
    assert len(call("GET", query={"after": second}).json()["entries"]) == 1
    assert (
        len(call("GET", query={"from": "2026-08-01", "site": "berlin", "kind": "meter_reading"}).json()["entries"]) == 1
    )
    everything = call("GET", query={"replaced": "true"}).json()["entries"]
    assert [entry.get("replaced", False) for entry in everything] == [True, False, False]
    assert everything[1]["replaces"] == first


@pytest.mark.parametrize(
    "query", [{"colour": "blue"}, {"from": "July"}, {"limit": "0"}, {"kind": "guess"}, {"after": "x"}]
)
def test_a_parameter_at_fault_is_named(call, query):
    answer = call("GET", query=query)

    assert (answer.status_code, answer.json()["field"]) == (400, next(iter(query)))


def test_a_token_of_one_team_neither_reads_nor_writes_what_concerns_all(call):
    assert call("POST", [READING], scopes=["ingest"], team="search").status_code == 403
    assert call("GET", scopes=["read"], team="search").status_code == 403
    assert call("POST", [READING], scopes=["read"]).status_code == 403


def test_a_person_in_a_session_needs_the_form_s_secret(client, organization, berlin):
    person = Person.objects.create_user("ada@example.org")
    services.add_member(organization_id=organization.id, person=person, role=Role.SUSTAINABILITY_LEAD)
    client.handler.enforce_csrf_checks = True
    client.force_login(person)

    answer = client.post("/api/v1/register", json.dumps([READING]), content_type="application/json")

    assert (answer.status_code, answer.json()["type"]) == (403, "urn:wattledger:problem:csrf")


def test_another_organization_s_register_is_not_there(call, client, other_organization):
    call("POST", [READING])
    _, secret = services.issue_token(organization_id=other_organization.id, name="t", scopes=["admin"])

    theirs = client.get("/api/v1/register", headers={"authorization": f"Bearer {secret}"})

    assert theirs.json()["entries"] == []
