"""Budgets on real records: what is used, when it runs out, what is told and what it costs, against values by hand."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client

from core.delivery.models import Message
from core.delivery.services import add_destination, deliver_due
from core.organizations import services as organizations
from core.organizations.models import AuditEvent, Organization, Person, Role, Scope
from core.organizations.tenancy import organization_scope
from reporting.budgets.rules import Pace, alerts_due, cost_of, pace_of, passed_on, run_out_of
from reporting.models import Budget, CarbonPrice
from reporting.selectors.budgets import Standing, standings, statement_of
from reporting.services.budgets import BudgetError, set_budget, set_carbon_price, watch_budgets
from tests.deliver import deliver, metered
from tests.receivers import receiver

TODAY = date(2026, 8, 26)
NOON = datetime(2026, 8, 26, 12, tzinfo=UTC)
KG_PER_KWH = 0.3636  # Germany 2023: 329.0 g/kWh direct (EEA) and 34.6 g upstream


@pytest.fixture
def recorded(committed_db: None, organization: Organization) -> Organization:
    """Search: 1,000 kWh on each day of 1 July to 25 August, of project rag on odd days; nlp: 10 kWh on one day."""
    days = [date(2026, 7, 1) + timedelta(days=at) for at in range(56)]
    records = [
        metered(f"s{day}", 1000.0, team="search", project="rag" if day.day % 2 else "ranking") | at(day) for day in days
    ]
    deliver(organization, [*records, metered("nlp", 10.0, team="nlp", project="p") | at(days[-1])])
    return organization


def at(day: date) -> dict[str, str]:
    return {"started_at": f"{day}T10:00:00Z", "ended_at": f"{day}T11:00:00Z"}


def budget(organization: Organization, amount: str | None = "26", unit: str = "t", **more: Any) -> Budget:
    given = {"team": "search", "period": "2026-Q3"} | more
    return set_budget(organization_id=organization.id, amount=Decimal(amount) if amount else None, unit=unit, **given)


def standing_of(organization: Organization, today: date = TODAY) -> Standing:
    with organization_scope(organization.id):
        (found,) = standings(organization.id, today)
    return found


# --- the rules, without a database ------------------------------------------------------------------------------------


def test_the_pace_is_of_four_weeks_whatever_lies_before() -> None:
    days = {TODAY - timedelta(days=back): 1000.0 for back in range(28, 60)}  # older ones do not count
    for week, kg in enumerate((7.0, 14.0, 0.0, 35.0)):
        days[TODAY - timedelta(days=week * 7 + 3)] = kg

    # by hand: 56 kg in 28 days; weeks of 7, 14, 0 and 35 kg
    assert pace_of(days, first_day=date(2026, 1, 1), through=TODAY) == Pace(2.0, 0.0, 5.0, 28)


def test_two_weeks_are_needed_and_a_broken_week_is_not_looked_at() -> None:
    days = {TODAY - timedelta(days=back): 1.0 for back in range(20)}

    assert pace_of(days, first_day=TODAY - timedelta(days=12), through=TODAY) is None
    assert pace_of(days, first_day=TODAY - timedelta(days=19), through=TODAY) == Pace(1.0, 1.0, 1.0, 14)


@pytest.mark.parametrize(
    ("left", "rate", "day"),
    [(10.0, 10.0, 1), (10.1, 10.0, 2), (0.1, 10.0, 1), (30.0, 0.1, 300), (0.3, 0.1, 3)],
)
def test_it_runs_out_on_the_day_at_whose_end_nothing_is_left(left: float, rate: float, day: int) -> None:
    assert run_out_of(left, Pace(rate, rate, rate, 28), TODAY).day == TODAY + timedelta(days=day)


def test_no_pace_never_runs_out_and_a_tiny_one_not_in_this_calendar() -> None:
    assert run_out_of(1.0, Pace(0.0, 0.0, 0.0, 28), TODAY).day is None
    assert run_out_of(1e12, Pace(1e-3, 1e-3, 1e-3, 28), TODAY).day is None


def test_thresholds_are_told_when_they_are_reached_not_before() -> None:
    def due(used: float, day: date | None = None) -> list[str]:
        run_out = run_out_of(1.0, Pace(1.0, 1.0, 1.0, 28), day - timedelta(days=1)) if day else None
        return alerts_due(used_kg=used, limit_kg=100.0, thresholds=[100, 80], run_out=run_out, to_day=TODAY)

    assert due(79.999) == []
    assert due(80.0) == ["80"]
    assert due(100.0) == ["80", "100"]
    assert due(10.0, TODAY) == []  # spent at the end of its last day: it lasts
    assert due(10.0, TODAY - timedelta(days=1)) == ["ahead"]


def test_a_budget_is_spent_on_the_day_that_reaches_it() -> None:
    days = {TODAY: 0.1, TODAY + timedelta(days=1): 0.2}

    assert passed_on(days, 0.3, TODAY, TODAY + timedelta(days=5)) == TODAY + timedelta(days=1)
    assert passed_on(days, 0.31, TODAY, TODAY + timedelta(days=5)) is None


def test_prices_are_rounded_half_up_to_the_cent() -> None:
    assert cost_of(1000.0, Decimal("80.005")) == Decimal("80.01")
    assert cost_of(0.05, Decimal("100")) == Decimal("0.01")


# --- on records -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_what_is_used_and_when_it_runs_out(recorded: Organization) -> None:
    budget(recorded)

    found = standing_of(recorded)
    # by hand: 56 days x 363.6 kg = 20,361.6 kg; 5,638.4 kg are left, 15.5 days' worth: the 16th day after 25 August
    assert found.used_kg == pytest.approx(56 * 1000 * KG_PER_KWH)
    assert found.through == date(2026, 8, 25)
    assert found.pace is not None
    assert found.pace.kg_per_day == pytest.approx(363.6)
    assert found.run_out is not None
    assert found.run_out.day == found.run_out.earliest == found.run_out.latest == date(2026, 9, 10)
    assert found.expected_kg is not None
    assert found.expected_kg[0] == pytest.approx(92 * 363.6)  # 36 days more
    assert found.state == "ahead"


@pytest.mark.slow
def test_each_thing_is_told_once_a_version_and_delivered(recorded: Organization, settings: Any) -> None:
    import ipaddress

    settings.WEBHOOK_NETWORKS = (ipaddress.ip_network("127.0.0.0/8"),)
    with receiver() as told:
        add_destination(
            organization_id=recorded.id,
            name="search",
            channel="webhook",
            address=told.url,
            team="search",
            kinds_wanted=["budget.threshold", "budget.running_out"],
        )
        first = budget(recorded)  # 78.3 % used, runs out early
        assert watch_budgets(NOON) == {"said": 1}
        assert watch_budgets(NOON + timedelta(hours=1)) == {"said": 0}
        second = budget(recorded, "22")  # 92.6 %
        assert watch_budgets(NOON) == {"said": 2}
        third = budget(recorded, "20.3616")  # used up to the last gram
        assert watch_budgets(NOON) == {"said": 2}
        assert watch_budgets(NOON) == {"said": 0}
        deliver_due(recorded.id)

    bodies = sorted((json.loads(got.body) for got in told.received), key=lambda body: body["id"])
    assert [(b["type"], b["data"]["budget_id"], b["data"]["threshold_percent"]) for b in bodies] == [
        ("budget.running_out", first.id, None),
        ("budget.threshold", second.id, 80),
        ("budget.running_out", second.id, None),
        ("budget.threshold", third.id, 80),
        ("budget.threshold", third.id, 100),
    ]
    assert bodies[0]["subject"] == "search: the budget of 2026-Q3 runs out about 10 Sep 2026"
    assert bodies[0]["data"]["runs_out_on"] == "2026-09-10"
    assert bodies[1]["link"].endswith(f"/budgets/{second.id}/")


@pytest.mark.slow
def test_a_statement_prices_every_project_at_the_price_of_its_days(recorded: Organization) -> None:
    found = budget(recorded)
    for day, price in ((date(2026, 1, 1), "80"), (date(2026, 8, 1), "120.5")):
        set_carbon_price(
            organization_id=recorded.id, price_per_t=Decimal(price), currency="EUR", valid_from=day, basis="test"
        )

    with organization_scope(recorded.id):
        july, august = statement_of(recorded.id, found, TODAY)
    # by hand: July has 16 odd and 15 even days of 363.6 kg, 1 to 25 August 13 odd and 12 even ones
    assert [(line.project, line.kg, line.cost) for line in july.lines] == [
        ("rag", pytest.approx(5817.6), Decimal("465.41")),
        ("ranking", pytest.approx(5454.0), Decimal("436.32")),
    ]
    assert [(line.project, line.cost) for line in august.lines] == [
        ("rag", Decimal("569.58")),  # 4,726.8 kg x 120.5 = 569.5794
        ("ranking", Decimal("525.77")),  # 4,363.2 kg x 120.5 = 525.7656
    ]
    assert august.cost == Decimal("1095.35")
    assert (july.to_day, august.from_day, august.to_day) == (date(2026, 7, 31), date(2026, 8, 1), TODAY)


@pytest.mark.slow
def test_a_team_of_few_is_not_measured(recorded: Organization) -> None:
    for name, people in (("search", 3), ("nlp", 4), ("vision", 12)):
        organizations.set_head_count(organization_id=recorded.id, name=name, head_count=people)
    found = budget(recorded)

    standing = standing_of(recorded)
    assert (standing.folded, standing.used_kg, standing.days, standing.state) == (True, None, {}, "unknown")
    assert watch_budgets(NOON) == {"said": 0}
    with organization_scope(recorded.id):
        assert statement_of(recorded.id, found, TODAY) == []


@pytest.mark.slow
@time_machine.travel(NOON, tick=False)
def test_the_pages_say_it_and_only_to_who_may_see_the_team(recorded: Organization) -> None:
    made = budget(recorded)
    budget(recorded, "1", team="nlp")
    owner, member = sign_in(recorded, Role.OWNER), sign_in(recorded, Role.MEMBER, "nlp")

    page = owner.get("/budgets/").content.decode()
    assert "10 Sep 2026" in page
    assert "78\u202f%" in page
    one = owner.get(f"/budgets/{made.id}/").content.decode()
    assert "at this pace it runs out on 10 Sep 2026" in one
    assert f"/budgets/{made.id}/" in page
    assert f"/budgets/{made.id}/" not in member.get("/budgets/").content.decode()
    assert ">nlp<" in member.get("/budgets/").content.decode()
    for path in ("", "statement/"):
        assert member.get(f"/budgets/{made.id}/{path}").status_code == 404
    lines = owner.get("/budgets/?format=csv").content.decode()
    assert "20361.6" in lines
    rows = owner.get(f"/budgets/{made.id}/?format=csv").content.decode()
    assert "even_pace_kg_co2e" in rows


# --- setting them -----------------------------------------------------------------------------------------------------


def sign_in(organization: Organization, role: Role, team: str = "") -> Client:
    person = Person.objects.create_user(f"{role}-{team}@example.org")
    own = organizations.set_head_count(organization_id=organization.id, name=team, head_count=9) if team else None
    organizations.add_member(organization_id=organization.id, person=person, role=role, team=own)
    client = Client()
    client.force_login(person)
    return client


@pytest.mark.django_db
def test_versions_are_kept_and_money_is_turned_into_kg_at_the_price_of_the_first_day(
    organization: Organization,
) -> None:
    budget(organization)
    for day, price in ((date(2026, 1, 1), "80"), (date(2026, 8, 1), "100")):
        set_carbon_price(
            organization_id=organization.id, price_per_t=Decimal(price), currency="EUR", valid_from=day, basis="t"
        )
    second = budget(organization, "1000", "EUR")

    assert second.version == 2
    assert second.limit_kg_co2e == 12_500.0  # 1,000 EUR at 80 EUR a tonne
    assert budget(organization, None).limit_kg_co2e is None
    with organization_scope(organization.id):
        assert standings(organization.id, TODAY) == []
        assert Budget.objects.count() == 3
        assert CarbonPrice.objects.count() == 2
        actions = AuditEvent.objects.filter(object_type="budget").order_by("sequence").values_list("action", flat=True)
        assert list(actions) == ["set_budget", "set_budget", "withdraw_budget"]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "1e13"}, "amount"),
        ({"unit": "EUR"}, "unit"),
        ({"unit": "lb"}, "unit"),
        ({"period": "2026"}, "period"),
        ({"period": "2026-Q5"}, "period"),
        ({"period": "0000-Q1"}, "period"),
        ({"team": " "}, "team"),
        ({"thresholds_percent": [0]}, "thresholds_percent"),
        ({"thresholds_percent": list(range(1, 9))}, "thresholds_percent"),
        ({"amount": None}, "amount"),
    ],
)
def test_what_cannot_be_is_refused(organization: Organization, given: dict[str, Any], field: str) -> None:
    with pytest.raises(BudgetError) as refused:
        budget(organization, **({"amount": "1"} | given))
    assert refused.value.field == field


@pytest.mark.django_db
def test_a_team_lead_sets_the_own_teams_budget_and_no_other(organization: Organization) -> None:
    lead = sign_in(organization, Role.TEAM_LEAD, "search")
    given = {"period": "2026-Q4", "amount": "3", "unit": "t", "thresholds": "80"}

    assert lead.post("/budgets/set/", given | {"team": "search"}).status_code == 302
    assert lead.post("/budgets/set/", given | {"team": "nlp"}).status_code == 403
    assert lead.get("/budgets/prices/").status_code == 403
    with organization_scope(organization.id):
        assert [(row.team, row.limit_kg_co2e) for row in Budget.objects.all()] == [("search", 3000.0)]


@pytest.mark.django_db
def test_by_program(organization: Organization) -> None:
    def client(**narrowed: str) -> Client:
        _token, key = organizations.issue_token(
            organization_id=organization.id, name="t", scopes=[Scope.ADMIN, Scope.READ], **narrowed
        )
        return Client(headers={"Authorization": f"Bearer {key}"})

    whole, part = client(), client(team="nlp")
    given = {"team": "search", "period": "2026-Q4", "amount": 2.5, "unit": "t"}

    made = whole.post("/api/v1/budgets", given, content_type="application/json")
    assert (made.status_code, made.json()["limit_kg_co2e"]) == (201, 2500.0)
    (read,) = whole.get("/api/v1/budgets?period=2026-Q4").json()["budgets"]
    assert (read["team"], read["used_kg_co2e"], read["thresholds_percent"]) == ("search", 0.0, [80, 100])
    assert part.get("/api/v1/budgets").json() == {"budgets": []}
    assert part.post("/api/v1/budgets", given, content_type="application/json").status_code == 403
    for bad in ({}, given | {"amount": "x"}, given | {"amount": True}, given | {"thresholds_percent": ["80"]}):
        assert whole.post("/api/v1/budgets", bad, content_type="application/json").status_code == 400
    price = {"price_per_t": 80, "currency": "EUR", "valid_from": "2026-01-01", "basis": "own"}
    assert whole.post("/api/v1/carbon-prices", price, content_type="application/json").status_code == 201
    assert whole.get("/api/v1/carbon-prices").json()["prices"] == [price]
    for bad in ({}, price | {"price_per_t": 0}, price | {"currency": "eur"}, price | {"valid_from": "soon"}):
        assert whole.post("/api/v1/carbon-prices", bad, content_type="application/json").status_code == 400


@pytest.mark.django_db
def test_nothing_of_another_organization_is_seen(organization: Organization, other_organization: Organization) -> None:
    budget(organization)

    with organization_scope(other_organization.id):
        assert Budget.objects.count() == 0
        assert Message.objects.count() == 0
