"""Pages of scenarios: a form that keeps what was typed in, and figures beside what was recorded."""

from __future__ import annotations

import csv
import io

import pytest

from core.organizations import services
from core.organizations.models import Person, Role
from core.organizations.tenancy import organization_scope
from core.quantification.scenario import as_plain, from_plain
from reporting.models import Scenario
from reporting.pages.scenario_forms import ScenarioForm, fits_the_form, initial_of, rows_of
from reporting.pages.scenario_words import finding
from reporting.services.scenarios import save_scenario
from tests.deliver import deliver, metered

RULE = {
    "where": {"team": ["search", "vision"], "model": ["gpt-4o"]},
    "share": 0.3,
    "sets": {"model": "gpt-4o-mini", "tier": "batch"},
    "techniques": ["quantized:int8"],
    "factors": {"pue": 1.2},
    "scales": {"output_tokens": 0.8},
    "energy_saving": {"value": 0.2, "low": -0.35, "high": 0.6},
    "price": 0.5,
    "source": "offer of May",
}


# --- the form ---------------------------------------------------------------------------------------------------------


def typed(*rules: dict[str, str], **fields: str) -> dict[str, str]:
    """What a browser sends."""
    data = {"name": "Wind", **fields}
    for at, rule in enumerate(rules, start=1):
        data |= {f"{name}_{at}": value for name, value in ({"share": "100"} | rule).items()}
    return data


def test_form_shows_and_reads_a_rule_without_loss():
    rules = from_plain([RULE, {"scales": {"volume": 2}}])
    initial = {name: each for name, each in initial_of("Wind", "", rules).items() if each is not None}

    form = ScenarioForm(initial, rows=2)

    assert form.is_valid(), form.errors
    assert [*map(as_plain, form.rules)] == [*map(as_plain, rules)]
    assert fits_the_form(rules)


def test_form_says_when_a_rule_has_more_than_it_can_show():
    assert not fits_the_form(from_plain([{"where": {"project": ["robot"]}, "scales": {"volume": 2}}]))


def test_empty_rules_are_left_out():
    form = ScenarioForm(typed({}, {"scale_volume": "2"}), rows=2)

    assert form.is_valid(), form.errors
    assert [as_plain(each) for each in form.rules] == [{"scales": {"volume": 2.0}}]


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({}, "where_team_1"),
        ({"factor_pue": "0.8", "source": "x"}, "factor_pue_1"),
        ({"factor_pue": "1.2"}, "source_1"),
        ({"saving_value": "120", "source": "x"}, "saving_value_1"),
        ({"saving_low": "10", "source": "x"}, "saving_value_1"),
        ({"scale_volume": "-1"}, "scale_volume_1"),
        ({"scale_volume": "much"}, "scale_volume_1"),
        ({"scale_volume": "2", "share": "0"}, "share_1"),
    ],
)
def test_form_says_what_is_wrong_beside_its_field(rule, field):
    form = ScenarioForm(typed(rule), rows=1)

    assert not form.is_valid()
    assert list(form.errors) == [field]


def test_fault_of_the_second_rule_stands_there_though_the_first_is_empty():
    form = ScenarioForm(typed({}, {"factor_pue": "0.8", "source": "x"}), rows=2)

    assert list(form.errors) == ["factor_pue_2"]


def test_another_rule_is_asked_for():
    assert rows_of(typed({}, {})) == 2
    assert rows_of(typed({}, {}, more="1")) == 3


# --- the headline -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        ([("A", "lower", -0.11)], "A is 11 % below what was recorded"),
        ([("A", "higher", 0.5)], "A is 50 % above what was recorded"),
        ([("A", "not_distinguishable", -0.11)], "A is not distinguishable from what was recorded"),
        ([("A", "not_comparable", -0.11)], "A is not comparable with what was recorded"),
        ([("A", "no_effect", 0.0)], "A changes nothing"),
        ([("A", "higher", None)], "A is above what was recorded"),  # of a total of 0 there is no share
        (
            [("A", "not_distinguishable", -0.4), ("B", "lower", -0.11), ("C", "lower", -0.2)],
            "1 of 3 scenarios not distinguishable from what was recorded; C is 20 % below what was recorded",
        ),
        (
            [("A", "not_distinguishable", -0.4), ("B", "not_distinguishable", 0.1)],
            "None of the 2 scenarios is distinguishable from what was recorded",
        ),
    ],
)
def test_headline_says_first_what_cannot_be_told_apart(verdicts, said):
    assert finding(verdicts).replace("\N{NARROW NO-BREAK SPACE}", " ") == said


# --- the pages --------------------------------------------------------------------------------------------------------


@pytest.fixture
def lead(committed_db, client, organization):
    """1,000 kWh of search and 500 kWh of vision, at a meter in Germany: 329 g/kWh (EEA)."""
    deliver(organization, [metered("a", 1000.0, team="search"), metered("b", 500.0, team="vision")])
    person = Person.objects.create_user("lead@example.org")
    services.add_member(organization_id=organization.id, person=person, role=Role.SUSTAINABILITY_LEAD)
    client.force_login(person)
    return client


WIND = {"where_team": "search", "factor_grid_g_co2e_per_kwh": "100", "source": "wind park"}


def test_a_scenario_is_added_shown_changed_and_removed(lead, organization):
    added = lead.post("/scenarios/add/", typed(WIND, note="the offer"))
    shown = lead.get(added["Location"] + "?period=2026-Q3&include=none").content.decode()
    scenario_id = added["Location"].strip("/").split("/")[-1]
    changed = lead.post(f"/scenarios/{scenario_id}/change/", typed(WIND | {"share": "50"}))
    listed = lead.get("/scenarios/").content.decode()
    removed = lead.post(f"/scenarios/{scenario_id}/remove/")

    assert added.status_code == changed.status_code == removed.status_code == 302
    assert "Wind is 46\N{NARROW NO-BREAK SPACE}% below what was recorded" in shown  # 229 of 493.5 kg
    assert "−229" in shown  # 1,000 kWh x (100 - 329) g/kWh
    assert "wind park" in shown
    assert "50 % of team search" in " ".join(listed.split()).replace("\N{NARROW NO-BREAK SPACE}", " ")
    with organization_scope(organization.id):
        assert not Scenario.objects.filter(organization_id=organization.id).exists()


def test_what_cannot_be_saved_keeps_what_was_typed_in(lead):
    answer = lead.post("/scenarios/add/", typed({"set_model": "no-such-model-9"}))

    page = answer.content.decode()
    assert answer.status_code == 400
    assert "The catalog has no model" in page
    assert 'value="no-such-model-9"' in page


def test_another_rule_keeps_what_was_typed_in(lead):
    page = lead.post("/scenarios/add/", typed(WIND, more="1")).content.decode()

    assert "Rule 2" in page
    assert 'value="wind park"' in page


@pytest.fixture
def two(lead, organization):
    """One that saves, one whose range holds 0."""
    saved = [
        save_scenario(organization_id=organization.id, name=name, rules=from_plain(rules))
        for name, rules in (
            ("Wind", [{"factors": {"grid_g_co2e_per_kwh": 100}, "source": "wind park"}]),
            ("Trial", [{"energy_saving": {"value": 0.1, "low": -0.4, "high": 0.4}, "source": "paper"}]),
        )
    ]
    return ",".join(str(each.id) for each in saved)


def test_ticked_scenarios_are_led_to_side_by_side(lead, two):
    first, second = two.split(",")

    answer = lead.get(f"/scenarios/?scenario={first}&scenario={second}")

    assert answer["Location"] == f"/scenarios/{two}/"


def test_what_cannot_be_told_apart_is_said(lead, two):
    page = lead.get(f"/scenarios/{two}/?period=2026-Q3").content.decode()

    assert "not distinguishable" in page
    assert "Scenarios side by side" in page


def test_page_asks_the_database_a_bounded_number_of_times(lead, two, django_assert_max_num_queries):
    lead.get(f"/scenarios/{two}/?period=2026-Q3")  # factors are read once a process

    with django_assert_max_num_queries(45):
        assert lead.get(f"/scenarios/{two}/?period=2026-Q3").status_code == 200


def test_file_holds_the_figures_at_full_precision(lead, two):
    answer = lead.get(f"/scenarios/{two}/?period=2026-Q3&include=none&format=csv")

    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["name"] for row in rows] == ["baseline", "Wind", "Trial"]
    assert float(rows[0]["total_kg_co2e"]) == pytest.approx(1500 * 0.329)
    assert float(rows[1]["difference_kg_co2e"]) == pytest.approx(-1500 * 0.229)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("period=2031-Q1", "Nothing was recorded"),
        ("period=2026-Q3&scope=2", "cannot be narrowed to a scope"),
        ("period=2026-Q3&booking=disclosed", "operations and life cycle"),
    ],
)
def test_a_period_without_an_answer_says_why(lead, two, query, said):
    answer = lead.get(f"/scenarios/{two}/?{query}")

    assert answer.status_code == 200
    assert said in answer.content.decode()


@pytest.mark.parametrize("ids", ["1,x", "999999", "1,2,3,4"])
def test_scenarios_that_are_not_there(lead, two, ids):
    assert lead.get(f"/scenarios/{ids}/").status_code == 404
