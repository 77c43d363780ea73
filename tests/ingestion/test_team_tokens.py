"""Tokens that members issue for their team: what comes with them is of that team and no other, and they do nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from core.ledger.models import Source
from core.organizations import services as organizations
from core.organizations.tenancy import organization_scope
from ingestion import selectors, services
from ingestion.services.runs import create_experiment
from tests.ingestion.sources.bills import TOKENS, bill
from tests.ingestion.test_codecarbon_door import emission_body, run_body
from tests.ingestion.test_otlp_door import a_request

pytestmark = pytest.mark.usefixtures("committed_db", "woken")


@pytest.fixture
def token(organization: Any) -> str:
    """Stands in for the door's usual token: that of a member of team search."""
    return organizations.issue_token(
        organization_id=organization.id, name="laptop", scopes=["ingest"], team="search", team_only=True
    )[1]


def teams(organization: Any) -> dict[str, int]:
    """Count records by team, corrections apart."""
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(s.team, ''), count(*) from ledger_record r"
            " join ledger_series s on s.organization_id = r.organization_id and s.id = r.series_id"
            " where r.organization_id = %s and r.revision = 0 group by 1",
            [organization.id],
        )
        return dict(cursor.fetchall())


def test_records_are_of_the_token_s_team_and_those_of_another_are_refused_with_the_reason(
    post: Any, drained: Any, record: Any, organization: Any
) -> None:
    sent = [
        record("open"),
        record("own", team="search"),
        record("spelled", team=" Search"),
        record("theirs", team="nlp"),
    ]

    batch = drained(post("/api/v1/activity", sent).json()["batch"])

    assert batch["counts"] == {"received": 4, "written": 3, "duplicate": 0, "quarantined": 1, "outside": 0}
    (refused,) = batch["rejected"]
    assert (refused["record_id"], refused["field"], refused["reason"]) == ("theirs", "team", "other_team")
    assert "'nlp'" in refused["detail"]
    assert "'search'" in refused["detail"]
    assert teams(organization) == {"search": 3}


def test_replaying_holds_the_same_limit(post: Any, drained: Any, record: Any, organization: Any) -> None:
    drained(post("/api/v1/activity", [record("theirs", team="nlp")]).json()["batch"])

    replay = services.replay_quarantine(organization.id, reason="other_team")
    again = drained(replay.batches[0])

    assert again["counts"]["quarantined"] == 1
    assert again["rejected"][0]["reason"] == "other_team"
    assert teams(organization) == {}


def test_it_holds_at_the_door_of_telemetry(post: Any, organization: Any) -> None:
    for team, tokens in (("nlp", 100), ("search", 200)):
        request = a_request(**{"wattledger.team": team, "gen_ai.usage.input_tokens": tokens})
        request.resource_spans[0].scope_spans[0].spans[0].span_id = team.ljust(8).encode()
        sent = post("/otlp/v1/traces", request.SerializeToString(), "application/x-protobuf")
        assert sent.status_code == 200
    services.drain_inbox(organization.id)

    with organization_scope(organization.id):
        (refused,) = selectors.quarantine(organization.id)
    assert (refused.reason, refused.field) == ("other_team", "team")
    assert teams(organization) == {"search": 1}


def test_a_codecarbon_experiment_of_another_team_gives_it_nothing(post: Any, organization: Any) -> None:
    for name, team in (("theirs", "nlp"), ("ours", "search")):
        experiment = create_experiment(organization_id=organization.id, name=name, team=team)
        run = post("/codecarbon/runs", run_body(experiment_id=str(experiment.id))).json()["id"]
        assert post("/codecarbon/emissions", emission_body(run)).status_code == 201
    services.drain_inbox(organization.id)

    with organization_scope(organization.id):
        (refused,) = selectors.quarantine(organization.id)
    assert (refused.reason, refused.field) == ("other_team", "team")
    assert teams(organization) == {"search": 1}


def test_it_writes_as_a_source_of_the_team_so_that_ids_and_corrections_of_others_are_out_of_reach(
    post: Any, drained: Any, record: Any, organization: Any
) -> None:
    _token, admins = organizations.issue_token(organization_id=organization.id, name="cluster", scopes=["ingest"])
    drained(post("/api/v1/activity", [record("r1", team="nlp")]).json()["batch"])  # refused: it takes no id
    drained(post("/api/v1/activity", [record("r1", output_tokens=7)]).json()["batch"])

    theirs = drained(post("/api/v1/activity", [record("r1", team="nlp")], secret=admins).json()["batch"])

    assert theirs["counts"]["written"] == 1
    assert teams(organization) == {"search": 1, "nlp": 1}
    with organization_scope(organization.id):
        assert set(Source.objects.values_list("name", flat=True)) == {"activity", "activity (search)"}


def test_a_bill_that_a_team_sends_restates_no_bill_of_the_organization(
    client: Client, token: str, drained: Any, organization: Any
) -> None:
    _token, admins = organizations.issue_token(organization_id=organization.id, name="bills", scopes=["ingest"])

    def send(secret: str, **fields: str) -> None:
        file = SimpleUploadedFile("bill.csv", bill({**TOKENS, **fields}).read())
        answer = client.post(
            "/api/v1/imports",
            {"file": file, "source": "focus", "name": "focus"},
            headers={"Authorization": f"Bearer {secret}"},
        )
        assert answer.status_code == 202, answer.content
        assert drained(answer.json()["batch"])["counts"]["written"] == 1

    send(admins)
    send(token, ConsumedQuantity="7")

    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select s.name, sum(c.input_tokens)::bigint from ledger_cell c join ledger_series l on l.id = c.series_id"
            " join ledger_source s on s.id = l.source_id where c.organization_id = %s group by 1 order by 1",
            [organization.id],
        )
        assert cursor.fetchall() == [("focus", 1000 * int(TOKENS["ConsumedQuantity"])), ("focus (search)", 7000)]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "/api/v1/emissions"),
        ("get", "/api/v1/sources"),
        ("get", "/api/v1/runs/r1"),
        ("get", "/api/v1/factors"),
        ("get", "/settings/"),
        ("post", "/api/v1/register"),
        ("post", "/settings/tokens/"),
    ],
)
def test_it_can_do_nothing_else(client: Client, token: str, method: str, path: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer = (
        client.get(path, headers=headers)
        if method == "get"
        else client.post(path, "[]", content_type="application/json", headers=headers)
    )
    assert answer.status_code == 403, answer.content


def test_it_sees_what_became_of_its_own_batches_only(
    client: Client, post: Any, drained: Any, record: Any, organization: Any, token: str
) -> None:
    _token, admins = organizations.issue_token(organization_id=organization.id, name="cluster", scopes=["ingest"])
    mine = post("/api/v1/activity", [record("a")]).json()["batch"]
    theirs = post("/api/v1/activity", [record("b")], secret=admins).json()["batch"]
    headers = {"Authorization": f"Bearer {token}"}

    assert client.get(f"/api/v1/batches/{mine}", headers=headers).status_code == 200
    assert client.get(f"/api/v1/batches/{theirs}", headers=headers).status_code == 404


def test_a_token_of_a_team_alone_writes_as_no_source_that_others_share(organization: Any) -> None:
    with pytest.raises(organizations.OrganizationError, match="leave out the source"):
        organizations.issue_token(
            organization_id=organization.id, name="x", scopes=["ingest"], team="search", team_only=True, source_id=1
        )
