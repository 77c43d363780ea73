"""GET /api/v1/activity: records as delivered, a page at a time, to those who may see single requests."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest

from core.organizations import services as organizations
from tests.ingestion.conftest import make_record

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def read(client: Any, organization: Any) -> Any:
    def get(query: str = "", **token: Any) -> Any:
        _, secret = organizations.issue_token(
            organization_id=organization.id, name="bi", **{"scopes": ["read"], **token}
        )
        return client.get(f"/api/v1/activity{query}", headers={"Authorization": f"Bearer {secret}"})

    return get


def test_pages_hold_every_record_once(post: Any, drained: Any, read: Any) -> None:
    batch = drained(post("/api/v1/activity", [make_record(f"r{at}") for at in range(5)]).json()["batch"])["id"]

    first = read(f"?batch={batch}&limit=3").json()
    second = read(f"?batch={batch}&limit=3&after={quote(first['next'])}").json()

    names = [record["record_id"] for record in first["records"] + second["records"]]
    assert sorted(names) == [f"r{at}" for at in range(5)]
    assert second["next"] is None
    assert first["records"][0]["input_tokens"] == 1200


def test_a_token_of_a_team_reads_that_teams_records(post: Any, drained: Any, read: Any) -> None:
    drained(post("/api/v1/activity", [make_record("ours"), make_record("theirs", team="ads")]).json()["batch"])

    records = read(team="ads").json()["records"]

    assert [record["record_id"] for record in records] == ["theirs"]


def test_a_token_of_a_project_reads_that_projects_records(post: Any, drained: Any, read: Any) -> None:
    other = make_record("theirs", project="chat")
    drained(post("/api/v1/activity", [make_record("ours"), other]).json()["batch"])

    records = read(project="chat").json()["records"]

    assert [record["record_id"] for record in records] == ["theirs"]


@pytest.mark.parametrize(
    "query",
    [
        *("?from=yesterday", "?from=0001-01-01", "?to=9999-12-31", "?limit=0", "?limit=²", "?batch=7", "?after=x"),
        "?colour=red",
    ],
)
def test_wrong_parameters_are_named(read: Any, query: str) -> None:
    answer = read(query)

    assert (answer.status_code, answer.json()["field"]) == (400, query[1:].partition("=")[0])


def test_single_records_need_the_right(post: Any, read: Any, client: Any) -> None:
    assert read(scopes=["ingest"]).status_code == 403
    assert client.get("/api/v1/activity").status_code == 401
