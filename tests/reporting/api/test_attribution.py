"""The API of attribution rules: listed, previewed, added, and refused with the field to mend."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from core.accounting.services import derive_dirty_days
from core.organizations import services
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

ADDRESS = "/api/v1/attribution-rules"
RULE = {"conditions": ["label.namespace is search"], "sets": {"team": "Search"}, "reason": "owns the namespace"}


@pytest.fixture
def token(organization):
    day = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
    hour = {"started_at": f"{day}T00:00:00Z", "ended_at": f"{day}T01:00:00Z"}
    records = [metered("a", 100.0, labels={"namespace": "search"}, **hour), metered("b", 50.0, team="Vision", **hour)]
    deliver(organization, records)
    return services.issue_token(organization_id=organization.id, name="bi", scopes=["admin"])[1]


def ask(client, token, **body):
    headers = {"authorization": f"Bearer {token}"}
    if not body:
        return client.get(ADDRESS, headers=headers)
    return client.post(ADDRESS, body, content_type="application/json", headers=headers)


def test_a_rule_is_previewed_added_and_listed(client, token, organization):
    before = ask(client, token).json()
    previewed = ask(client, token, **RULE, preview=True)
    nothing = ask(client, token).json()["rules"]
    added = ask(client, token, **RULE)
    derive_dirty_days(organization.id)
    after = ask(client, token).json()

    assert before["unattributed"]["share"] == pytest.approx(100 / 150)
    assert before["unattributed"]["contributors"][0]["conditions"] == ["source is agent", "label.namespace is search"]
    assert (previewed.status_code, added.status_code, nothing) == (200, 201, [])
    moved = previewed.json()["effect"]["moved"]
    assert moved == added.json()["effect"]["moved"]
    assert moved["kg_co2e"] == pytest.approx(before["unattributed"]["kg_co2e"])
    assert added.json()["effect"]["flows"][0] | {"kg_co2e": 0} == {
        "dimension": "team",
        "from": "unattributed",
        "to": "Search",
        "series": 1,
        "records": 1,
        "kg_co2e": 0,
    }
    assert added.json()["days_to_derive"] == 1
    assert after["rules"] == [
        {
            "id": added.json()["rule"]["id"],
            "name": "",
            "conditions": ["label.namespace is search"],
            "sets": {"team": "Search"},
            "overwrite": False,
            "first_day": None,
            "last_day": None,
        }
    ]
    assert after["unattributed"]["records"] == 0


def test_conditions_may_be_objects_and_days_are_inclusive(client, token):
    conditions = [{"field": "account", "operator": "is", "values": ["a, b", "c"]}]

    made = ask(
        client, token, **{**RULE, "conditions": conditions}, first_day="2026-07-01", last_day="2026-07-31"
    ).json()

    assert made["rule"]["conditions"] == ['account is "a, b", c']
    assert (made["rule"]["first_day"], made["rule"]["last_day"]) == ("2026-07-01", "2026-07-31")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"conditions": []}, "conditions"),
        ({"conditions": ["nonsense"]}, "conditions"),
        ({"conditions": [{"field": "account"}]}, "conditions"),
        ({"conditions": [7]}, "conditions"),
        ({"conditions": "account is a"}, "conditions"),
        ({"conditions": ["source is nowhere"]}, "conditions"),
        ({"sets": {"colour": "blue"}}, "sets"),
        ({"sets": {"team": 7}}, "sets"),
        ({"sets": ["team"]}, "sets"),
        ({"overwrite": "yes"}, "overwrite"),
        ({"place": True}, "place"),
        ({"first_day": "soon"}, "first_day"),
        ({"first_day": "2026-07-02", "last_day": "2026-07-01"}, "last_day"),
        ({"preview": True, "days": 0}, "days"),
        ({"owner": "me"}, "owner"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(client, token, change, field):
    answer = ask(client, token, **(RULE | change))

    assert answer.status_code == 400
    assert answer.json()["field"] == field
    assert ask(client, token).json()["rules"] == []


def test_a_token_of_one_team_neither_reads_nor_adds_rules(client, token, organization):
    _, narrow = services.issue_token(organization_id=organization.id, name="narrow", scopes=["admin"], team="Search")

    assert ask(client, narrow).status_code == 403
    assert ask(client, narrow, **RULE).status_code == 403
