"""What the API answers when it cannot do what was asked: RFC 9457 documents with a stable type."""

from __future__ import annotations

import pytest

from core.organizations import services

pytestmark = pytest.mark.django_db
URN = "urn:wattledger:problem:"


@pytest.fixture
def call(client, organization):
    """Call the API with a token of a scope."""

    def ask(path, scope="read", method="get", **headers):
        _, secret = services.issue_token(organization_id=organization.id, name="bi", scopes=[scope])
        return getattr(client, method)(path, headers={"Authorization": f"Bearer {secret}", **headers})

    return ask


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/api/v1/emissions?perod=2026", "perod"),
        ("/api/v1/emissions?period=2026-Q5", "period"),
        ("/api/v1/emissions?from=yesterday&to=2026-01-01", "from"),
        ("/api/v1/emissions?grain=minute", "grain"),
        ("/api/v1/emissions?by=shoe_size", "by"),
        ("/api/v1/explain?impact=karma", "impact"),
    ],
)
def test_a_parameter_that_cannot_be_read_is_named(call, path, field):
    answer = call(path)

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    document = answer.json()
    assert (document["type"], document["status"], document["field"]) == (URN + "bad-parameter", 400, field)
    assert document["detail"]


def test_a_stranger_is_told_how_to_be_known(client, db):
    answer = client.get("/api/v1/emissions")

    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == 'Bearer realm="wattledger"'
    assert answer.json()["type"] == URN + "not-authenticated"


def test_a_scope_that_is_missing_is_named(call):
    answer = call("/api/v1/emissions", scope="ingest")

    assert answer.status_code == 403
    assert "see_own_team" in answer.json()["detail"]


def test_a_method_that_is_not_taken_names_those_that_are(call):
    answer = call("/api/v1/emissions", method="delete")

    assert (answer.status_code, answer.json()["type"]) == (405, URN + "method-not-allowed")
    assert "GET" in answer["Allow"]


def test_a_form_that_is_not_offered_is_said(call):
    answer = call("/api/v1/emissions", Accept="application/pdf")

    assert (answer.status_code, answer.json()["title"]) == (406, "Not acceptable")


def test_head_answers_as_get_without_a_body(call):
    answer = call("/api/v1/emissions", method="head")

    assert (answer.status_code, answer.content) == (200, b"")


def test_a_fault_of_ours_names_its_request_and_nothing_else(call, client, monkeypatch):
    def break_down(*args, **kwargs):
        raise RuntimeError("the password is swordfish")

    monkeypatch.setattr("reporting.api.figures.emissions", break_down)
    client.raise_request_exception = False

    answer = call("/api/v1/emissions")

    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert answer.json()["request_id"] == answer["X-Request-Id"]
    assert "swordfish" not in answer.content.decode()


def test_the_description_of_the_api_is_for_members_and_tokens(call, client):
    description = call("/api/schema/", scope="ingest", Accept="application/json")

    assert client.get("/api/schema/").status_code == 401
    assert client.get("/api/docs/").status_code == 401
    assert description.json()["openapi"] == "3.1.0"
    assert description.json()["paths"]["/api/v1/emissions"]["get"]["security"] == [{"token": []}, {"session": []}]


def test_the_reader_of_the_description_needs_no_inline_script(call):
    page = call("/api/docs/").content.decode()

    assert page.count("<script") == page.count("<script src=") > 0


def test_the_reader_of_the_description_needs_no_inline_style(call):
    page = call("/api/docs/").content.decode()

    assert "<style" not in page
    assert "style=" not in page
    assert "reference.css" in page
