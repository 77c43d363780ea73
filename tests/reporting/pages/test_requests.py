"""Requests: single records, and whose."""

from __future__ import annotations

import pytest

from core.organizations import services
from core.organizations.models import Person, Role
from tests.deliver import deliver, metered

pytestmark = pytest.mark.usefixtures("committed_db")
JULY = {"from": "2026-07-01", "to": "2026-07-31"}


@pytest.fixture
def records(organization):
    deliver(organization, [metered("of-search", 1.0, team="search"), metered("of-vision", 2.0, team="vision")])


def signed_in(client, organization, role, team=None):
    person = Person.objects.create_user(f"{role}@example.org")
    team = services.create_team(organization_id=organization.id, name=team) if team else None
    services.add_member(organization_id=organization.id, person=person, role=role, team=team)
    client.force_login(person)
    return client


@pytest.mark.parametrize(
    ("role", "team", "seen"),
    [
        (Role.OWNER, None, {"search", "vision"}),
        (Role.AUDITOR, "search", {"search", "vision"}),
        (Role.TEAM_LEAD, "search", {"search"}),
        (Role.TEAM_LEAD, None, set()),
    ],
)
def test_a_team_lead_sees_single_records_of_the_own_team_only(client, organization, records, role, team, seen):
    page = signed_in(client, organization, role, team)

    listed = page.get("/requests/", JULY | {"team": "vision"} if not seen else JULY).content.decode()
    sent = page.get("/api/v1/activity", JULY).json()["records"]

    amounts = {"search": "1.00\u202fkWh", "vision": "2.00\u202fkWh"}
    assert {team for team, amount in amounts.items() if amount in listed} == seen
    assert {record["team"] for record in sent} == seen


def test_another_team_s_record_has_no_figure_for_a_team_lead(client, organization, records):
    page = signed_in(client, organization, Role.TEAM_LEAD, "search")

    own = page.get("/api/v1/explain", JULY | {"record": "of-search"})
    theirs = page.get("/api/v1/explain", JULY | {"record": "of-vision"})

    assert (own.status_code, theirs.status_code) == (200, 404)


def test_records_of_one_run_are_listed_and_scopes_are_refused(client, organization):
    deliver(organization, [metered("one", 1.0, run="r1"), metered("two", 2.0, run="r2")])
    page = signed_in(client, organization, Role.OWNER)

    of_run = page.get("/requests/", JULY | {"run": "r2"}).content.decode()
    of_none = page.get("/requests/", JULY | {"run": "nothing-like-this"}).content.decode()
    of_scope = page.get("/requests/", JULY | {"scope": "2"}).content.decode()

    assert "2.00\u202fkWh" in of_run
    assert "1.00\u202fkWh" not in of_run
    assert "kWh" not in of_none
    assert "take the scope filter away" in of_scope
