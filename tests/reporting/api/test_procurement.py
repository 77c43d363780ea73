"""Evaluations and dossiers by API and by command: the same document at every door, refused with the field at fault."""

from __future__ import annotations

import hashlib
import io
import json

import pytest
from django.core.management import CommandError, call_command

from core.organizations import services
from core.organizations.models import Scope
from core.organizations.tenancy import organization_scope
from reporting.models import Evaluation
from reporting.procurement.document import canonical
from tests.deliver import deliver
from tests.reporting.api.test_scenarios import ask  # noqa: F401  (a fixture)

pytestmark = pytest.mark.usefixtures("committed_db")

OFFER = {
    "name": "Nordic",
    "provider": "aws",
    "region": "eu-north-1",
    "model": "gpt-4o",
    "prices": [{"unit": "requests", "price": 8, "currency": "EUR"}],
}
GIVEN = {
    "name": "Assistant",
    "note": "tender",
    "workload": {"kind": "typical", "template": "chat", "year": 2026},
    "criteria": [{"subject": "emissions", "weight": 60}, {"subject": "cost", "weight": 40}],
    "offers": [OFFER, {**OFFER, "name": "Oregon", "region": "us-west-2"}],
}


@pytest.fixture
def ready(organization):
    deliver(organization, [])
    return organization


def test_an_evaluation_is_kept_compared_and_frozen(ask, ready):  # noqa: F811
    saved = ask("POST", "/api/v1/evaluations", GIVEN)
    here = f"/api/v1/evaluations/{saved.json()['id']}"

    figures = ask("GET", f"{here}/figures").json()
    frozen = ask("POST", f"{here}/frozen")

    assert saved.status_code == 201
    assert [each["name"] for each in saved.json()["offers"]] == ["Nordic", "Oregon"]
    assert figures["verdict"] == "leader"
    assert figures["offers"][0]["name"] == "Nordic"
    assert figures["offers"][0]["answers"][1]["value"] == 8000.0
    content = frozen.json()["content"]
    assert hashlib.sha256(canonical(content).encode()).hexdigest() == frozen.json()["sha256"]
    assert content["offers"] == figures["offers"]
    assert [each["sha256"] for each in ask("GET", f"{here}/frozen").json()["frozen"]] == [frozen.json()["sha256"]]
    assert ask("DELETE", here).status_code == 204
    assert ask("GET", here).status_code == 404


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"workload": {"kind": "typical", "template": "poetry", "year": 2026}}, "workload.template"),
        ({"criteria": [{"subject": "cost", "weight": 0}]}, "criteria"),
        ({"offers": [OFFER, {**OFFER, "name": "Mars", "region": "mars-1"}]}, "offers.2.region"),
        ({"offers": [OFFER, OFFER]}, "offers.2.name"),
        ({"offers": {}}, "offers"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_cannot_be_is_refused_by_its_field_and_nothing_is_kept(ask, ready, changed, field):  # noqa: F811
    answer = ask("POST", "/api/v1/evaluations", GIVEN | changed)

    assert (answer.status_code, answer.json()["field"]) == (400, field)
    with organization_scope(ready.id):
        assert not Evaluation.objects.filter(organization_id=ready.id).exists()


def test_a_period_without_records_is_said(ask, ready):  # noqa: F811
    own = {"kind": "own", "query": "period=2025-Q1"}
    saved = ask("POST", "/api/v1/evaluations", {**GIVEN, "workload": own}).json()

    answer = ask("GET", f"/api/v1/evaluations/{saved['id']}/figures")

    assert (answer.status_code, answer.json()["field"]) == (400, "workload.period")


def test_a_claim_is_taken_in_and_checked(ask, ready):  # noqa: F811
    claim = {
        "metric": "pue",
        "value": 1.3,
        "boundary": "site Bonn",
        "document": "Report",
        "document_date": "2026-05-01",
    }

    added = ask("POST", "/api/v1/dossiers/our-host", claim)
    refused = ask("POST", "/api/v1/dossiers/our-host", {**claim, "value": 0.3})
    dossier = ask("GET", "/api/v1/dossiers/our-host").json()

    assert added.status_code == 201
    assert (refused.status_code, refused.json()["field"]) == (400, "value")
    assert [(each["value"], each["findings"][0]["code"]) for each in dossier["claims"]] == [(1.3, "consistent")]
    assert ask("GET", "/api/v1/dossiers/nobody").json()["without_evidence"] is True


@pytest.mark.parametrize("narrowed", [{"team": "search"}, {"project": "rag"}])
def test_a_narrowed_token_sees_and_keeps_no_evaluation(client, ask, ready, narrowed):  # noqa: F811
    saved = ask("POST", "/api/v1/evaluations", GIVEN).json()
    _, secret = services.issue_token(
        organization_id=ready.id, name="part", scopes=[Scope.READ, Scope.ADMIN], **narrowed
    )
    headers = {"Authorization": f"Bearer {secret}"}

    for path in ("", f"/{saved['id']}", f"/{saved['id']}/figures", f"/{saved['id']}/frozen"):
        assert client.get(f"/api/v1/evaluations{path}", headers=headers).status_code == 403
    body = json.dumps({**GIVEN, "name": "Other"})
    assert client.post("/api/v1/evaluations", body, content_type="application/json", headers=headers).status_code == 403
    assert (
        client.post("/api/v1/dossiers/aws", "{}", content_type="application/json", headers=headers).status_code == 403
    )


def test_the_command_says_the_same_as_the_api(ask, ready, tmp_path):  # noqa: F811
    file = tmp_path / "evaluation.json"
    file.write_text(json.dumps({**GIVEN, "claims": [{"supplier": "aws", "metric": "heat_reuse_share", "value": 0.2}]}))
    out, again = io.StringIO(), io.StringIO()

    call_command("evaluation", organization=ready.slug, file=str(file), freeze=True, stdout=out)
    call_command("evaluation", organization=ready.slug, name="Assistant", format="json", stdout=again)

    (saved,) = ask("GET", "/api/v1/evaluations").json()["evaluations"]
    figures = ask("GET", f"/api/v1/evaluations/{saved['id']}/figures").json()
    assert json.loads(again.getvalue())["offers"] == figures["offers"]
    assert "leader" in out.getvalue()
    assert "frozen" in out.getvalue()
    file.write_text(json.dumps({**GIVEN, "name": "Mars", "offers": [{**OFFER, "region": "mars-1"}]}))
    with pytest.raises(CommandError, match=r"offers\.1\.region"):
        call_command("evaluation", organization=ready.slug, file=str(file), stdout=out)
