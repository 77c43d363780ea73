"""A run by its sender's id: API and page, from its records as they stand, for those who may see its team's."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from core.organizations import services
from core.organizations.models import Person, Role
from ingestion.services import drain_inbox
from tests.deliver import deliver, metered

pytestmark = pytest.mark.usefixtures("committed_db")
GRID_KG_PER_KWH = 0.329  # Germany, see `metered`


@pytest.fixture
def read_token(organization):
    return services.issue_token(organization_id=organization.id, name="ci", scopes=["read"])[1]


@pytest.fixture
def runs(organization):
    """Two runs of two teams."""
    deliver(
        organization,
        [
            metered("a", 10.0, run="exp/7", team="search"),
            metered("b", 5.0, run="exp/7", team="search", ended_at="2026-07-16T11:00:00Z"),
            metered("c", 1.0, run="other", team="nlp"),
        ],
    )


def read(run: str, secret: str) -> Any:
    return Client().get(f"/api/v1/runs/{run}", headers={"Authorization": f"Bearer {secret}"})


def sign_in(organization, role, team=None):
    person = Person.objects.create_user(f"{role}@example.org")
    services.add_member(organization_id=organization.id, person=person, role=role, team=team)
    client = Client()
    client.force_login(person)
    return client


def test_a_token_that_only_sends_is_told_which_scope_reads(organization, runs):
    _, secret = services.issue_token(organization_id=organization.id, name="agent", scopes=["ingest"])

    answer = read("exp/7", secret)

    assert answer.status_code == 403
    assert answer.json()["detail"].endswith("or a token of scope read or admin.")


def test_a_run_is_answered_by_the_id_that_its_sender_gave_it(runs, read_token):
    answer = read("exp/7", read_token).json()

    assert answer["run"] == "exp/7"
    assert answer["records"] == 2
    assert answer["energy_facility_kwh"] == pytest.approx(15.0)
    assert answer["location_kg_co2e"] == pytest.approx(15.0 * GRID_KG_PER_KWH, rel=1e-3)
    assert answer["location_kg_co2e_low"] <= answer["location_kg_co2e"] <= answer["location_kg_co2e_high"]
    assert answer["total_kg_co2e"] == pytest.approx(
        sum(answer[name] or 0 for name in ("location_kg_co2e", "upstream_kg_co2e", "embodied_kg_co2e"))
    )
    assert (answer["started_at"], answer["ended_at"]) == ("2026-07-15T10:00:00Z", "2026-07-16T11:00:00Z")
    assert answer["link"] == f"{settings.BASE_URL}/runs/exp/7/"


def test_it_is_there_as_soon_as_its_records_are_before_anything_is_derived(organization, runs, read_token):
    _token, secret = services.issue_token(organization_id=organization.id, name="agent", scopes=["ingest"])
    Client().post(
        "/api/v1/activity",
        json.dumps([metered("d", 100.0, run="fresh")]),
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    drain_inbox(organization.id)  # no derive after it

    assert read("fresh", read_token).json()["energy_facility_kwh"] == pytest.approx(100.0)


def test_nobody_else_s_run_and_no_run_that_never_was(other_organization, runs, read_token):
    _token, stranger = services.issue_token(organization_id=other_organization.id, name="x", scopes=["read"])

    assert read("exp/7", stranger).status_code == 404
    assert read("never", read_token).status_code == 404
    assert read("exp/7", "wl_1_" + "x" * 43).status_code == 401


@pytest.mark.parametrize("role", [Role.MEMBER, Role.TEAM_LEAD, Role.PROCUREMENT])
def test_who_sees_the_own_team_sees_its_runs_only(organization, runs, role):
    team = services.create_team(organization_id=organization.id, name="search", head_count=20)
    client = sign_in(organization, role, team)

    assert client.get("/api/v1/runs/exp/7").status_code == 200
    assert client.get("/runs/exp/7/").status_code == 200
    assert client.get("/api/v1/runs/other").status_code == 404
    assert client.get("/runs/other/").status_code == 404
    assert client.get("/api/v1/runs/a%00b").status_code == 404
    assert client.get("/runs/%00/").status_code == 404


def test_a_member_of_no_team_sees_no_run(organization, runs):
    client = sign_in(organization, Role.MEMBER)

    assert client.get("/runs/exp/7/").status_code == 404


def test_a_token_for_one_team_reads_its_runs_only(organization, runs):
    _token, secret = services.issue_token(organization_id=organization.id, name="x", scopes=["read"], team="nlp")

    assert read("other", secret).status_code == 200
    assert read("exp/7", secret).status_code == 404


def test_the_page_says_what_the_api_says_and_how_it_came_about(organization, runs):
    client = sign_in(organization, Role.SUSTAINABILITY_LEAD)

    page = client.get("/runs/exp/7/").content.decode()

    assert "exp/7" in page
    assert "25 h 0 min" in page
    assert "measured" in page
    assert "0.329" in page or "329" in page  # the grid factor
    assert "/explain/?from=2026-07-15&amp;to=2026-07-16&amp;run=exp%2F7" in page


def test_figures_of_the_run_sum_to_those_of_emissions_by_run(runs, read_token):
    rows = (
        Client()
        .get(
            "/api/v1/emissions?from=2026-07-01&to=2026-07-31&by=run",
            headers={"Authorization": f"Bearer {read_token}"},
        )
        .json()["rows"]
    )
    by_run = {row["run"]: row for row in rows}

    for name in ("exp/7", "other"):
        answer = read(name, read_token).json()
        for figure in ("total_kg_co2e", "energy_it_kwh", "market_kg_co2e", "total_kg_co2e_high"):
            assert answer[figure] == pytest.approx(by_run[name][figure], abs=1e-12)
