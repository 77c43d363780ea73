"""Scenarios by API and by command: saved, compared, refused with the field at fault; the same figures at every door."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import CommandError, call_command

from core.organizations import services
from core.organizations.models import AuditEvent, Scope
from core.organizations.tenancy import organization_scope
from reporting.models import Scenario
from tests.deliver import deliver, metered

pytestmark = pytest.mark.usefixtures("committed_db")

RULES = [{"where": {"team": ["search"]}, "factors": {"grid_g_co2e_per_kwh": 100}, "source": "wind park"}]
QUARTER = "period=2026-Q3&include=none"


@pytest.fixture
def recorded(organization):
    """1,000 kWh of the team search and 500 kWh of vision, at a meter in Germany: 329 g/kWh (EEA)."""
    deliver(organization, [metered("a", 1000.0, team="search"), metered("b", 500.0, team="vision")])
    return organization


@pytest.fixture
def ask(client, organization):
    """Call the API with a token that may do what an admin may."""
    _, secret = services.issue_token(organization_id=organization.id, name="ci", scopes=[Scope.ADMIN])

    def call(method: str, path: str, body=None):
        data = "" if body is None else json.dumps(body)
        return client.generic(
            method, path, data, content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
        )

    return call


def test_a_scenario_is_saved_and_compared(ask, recorded):
    saved = ask("POST", "/api/v1/scenarios", {"name": "Wind", "note": "offer", "rules": RULES})

    answer = ask("GET", f"/api/v1/scenarios/figures?scenario={saved.json()['id']}&{QUARTER}").json()

    assert saved.status_code == 201
    assert ask("GET", "/api/v1/scenarios").json()["scenarios"] == [saved.json()]
    (one,) = answer["scenarios"]
    assert answer["baseline"]["location_kg_co2e"] == pytest.approx(1500 * 0.329)
    assert (one["name"], one["verdict"], one["rules"]) == ("Wind", "lower", RULES)
    assert one["location_kg_co2e"] == pytest.approx(1000 * 0.1 + 500 * 0.329)
    assert one["difference"]["total_kg_co2e"] == pytest.approx(-1000 * 0.229)
    assert one["difference"]["share"] == pytest.approx(-1000 * 0.229 / (1500 * 0.329))
    assert one["difference"]["total_kg_co2e_low"] < -229 < one["difference"]["total_kg_co2e_high"] < 0
    whole = pytest.approx(329.0)
    assert one["rules_about"] == [
        {"records": 1, "before_kg_co2e": whole, "rewritten_kg_co2e": whole, "unchanged_kg_co2e": 0.0}
    ]


def test_rules_that_are_not_saved_are_answered_and_nothing_is_stored(ask, recorded):
    answer = ask("POST", f"/api/v1/scenarios/figures?{QUARTER}", {"rules": RULES})

    assert answer.json()["scenarios"][0]["difference"]["total_kg_co2e"] == pytest.approx(-229.0)
    with organization_scope(recorded.id):
        assert not Scenario.objects.filter(organization_id=recorded.id).exists()


def test_saving_and_removing_leave_a_trace(ask, recorded):
    saved = ask("POST", "/api/v1/scenarios", {"name": "Wind", "rules": RULES}).json()

    removed = ask("DELETE", f"/api/v1/scenarios/{saved['id']}")

    assert removed.status_code == 204
    assert ask("GET", f"/api/v1/scenarios/{saved['id']}").status_code == 404
    with organization_scope(recorded.id):
        events = AuditEvent.objects.filter(organization_id=recorded.id, object_type="scenario").order_by("id")
        assert [(each.action, bool(each.before), bool(each.after)) for each in events] == [
            ("save_scenario", False, True),
            ("remove_scenario", True, False),
        ]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "x", "rules": []}, "rules"),
        ({"name": "", "rules": RULES}, "name"),
        ({"name": "x", "rules": RULES, "colour": "red"}, "colour"),
        ({"name": 7, "rules": RULES}, "name"),
        ({"name": "x", "rules": [{"sets": {"model": "no-such-model-9"}}]}, "rules.1.sets.model"),
        ({"name": "x", "rules": [{"sets": {"provider": "aws", "region": "atlantis-1"}}]}, "rules.1.sets.region"),
    ],
)
def test_what_cannot_be_saved_is_refused_by_its_field(ask, recorded, body, field):
    answer = ask("POST", "/api/v1/scenarios", body)

    assert answer.status_code == 400
    assert answer.json()["field"] == field


def test_a_name_is_taken_once(ask, recorded):
    ask("POST", "/api/v1/scenarios", {"name": "Wind", "rules": RULES})

    again = ask("POST", "/api/v1/scenarios", {"name": "Wind", "rules": RULES})

    assert (again.status_code, again.json()["field"]) == (400, "name")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "scenario"),
        ("scenario=one", "scenario"),
        ("scenario={id}&scenario={id}&scenario={id}&scenario={id}&period=2026-Q3", "scenario"),
        ("scenario={id}&period=2031-Q1", "period"),
        ("scenario={id}&period=2026-Q3&scope=2", "scope"),
        ("scenario={id}&period=2026-Q3&colour=red", "colour"),
        ("scenario={id}&period=2026-Q3&team=vision", "rules.1.where"),
    ],
)
def test_questions_that_have_no_answer_say_why(ask, recorded, query, field):
    saved = ask("POST", "/api/v1/scenarios", {"name": "Wind", "rules": RULES}).json()

    answer = ask("GET", f"/api/v1/scenarios/figures?{query.format(id=saved['id'])}")

    assert answer.status_code == 400
    assert answer.json()["field"] == field


def test_a_scenario_of_another_organization_is_not_there(ask, recorded, other_organization):
    from core.quantification.scenario import Rewrite
    from reporting.services.scenarios import save_scenario

    theirs = save_scenario(
        organization_id=other_organization.id, name="Theirs", rules=(Rewrite(scales={"volume": 2.0}),)
    )

    assert ask("GET", f"/api/v1/scenarios/figures?scenario={theirs.id}&{QUARTER}").status_code == 404


def commanded(*options: str) -> str:
    out = io.StringIO()
    call_command("scenario", "--organization=northwind", "--period=2026-Q3", "--include=none", *options, stdout=out)
    return out.getvalue()


def test_command_gives_the_figures_of_the_api(ask, recorded, tmp_path):
    saved = ask("POST", "/api/v1/scenarios", {"name": "Wind", "rules": RULES}).json()
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(RULES))
    answer = ask("GET", f"/api/v1/scenarios/figures?scenario={saved['id']}&{QUARTER}").json()

    by_name = json.loads(commanded("--scenario=Wind", "--format=json"))
    by_file = json.loads(commanded(f"--rules={file}", "--format=json"))

    assert by_name["scenarios"] == answer["scenarios"]
    assert by_file["scenarios"][0]["difference"] == answer["scenarios"][0]["difference"]
    assert "lower" in commanded("--scenario=Wind")
    assert commanded("--scenario=Wind", "--format=csv").splitlines()[1].startswith("baseline,")


def test_command_keeps_rules_of_a_file(ask, recorded, tmp_path):
    file = tmp_path / "rules.json"
    file.write_text(json.dumps({"rules": RULES}))

    commanded(f"--rules={file}", "--save=From a file")

    assert [each["name"] for each in ask("GET", "/api/v1/scenarios").json()["scenarios"]] == ["From a file"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "--scenario NAME, or --rules FILE"),
        (["--scenario=nothing"], "There is no scenario 'nothing'"),
        (["--rules=/nowhere/rules.json"], "/nowhere/rules.json"),
    ],
)
def test_command_says_what_it_cannot_do(recorded, options, said):
    with pytest.raises(CommandError, match=said):
        commanded(*options)
