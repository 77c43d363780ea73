"""Own factors take effect in figures of the days on which they hold, by service and by command, and leave a trace."""

from __future__ import annotations

import json
from datetime import date

import pytest
from django.core.management import CommandError

from core.accounting import services
from core.accounting.models import Plan
from core.accounting.selectors.own_factors import series_that_fit
from core.factors.own import OwnFactorError
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope

from .conftest import call, metered
from .test_derive import daily
from .test_rule_commands import run

pytestmark = pytest.mark.usefixtures("committed_db", "factor_set")


def facility_kwh(organization):
    """Facility energy of each day. [kWh]"""
    return {str(row.day): row.energy_facility_pkwh / 1e12 for row in daily(organization).itertuples()}


@pytest.fixture
def june_and_july(organization, write):
    """10 kWh of IT energy on one day of each month, at the site Berlin."""
    write(metered(1, 10.0, "2026-06-30", site="berlin"), metered(2, 10.0, "2026-07-01", site="berlin"))
    services.derive_dirty_days(organization.id)


def add(organization, **fields):
    given = {"name": "pue", "value": 1.2, "source": "meters of the hall", **fields}
    factor = services.add_own_factor(organization_id=organization.id, **given)
    services.derive_dirty_days(organization.id)
    return factor


def test_own_factor_changes_figures_from_its_first_day(organization, june_and_july):
    before = facility_kwh(organization)

    add(organization, where={"site": "Berlin"}, valid_from=date(2026, 7, 1))

    after = facility_kwh(organization)
    assert before["2026-06-30"] == after["2026-06-30"] == pytest.approx(15.8)  # 1.58 on premises (methodology 2.10)
    assert after["2026-07-01"] == pytest.approx(12)


def test_own_factor_of_another_site_changes_nothing(organization, june_and_july):
    before = facility_kwh(organization)

    add(organization, where={"site": "paris"})

    assert facility_kwh(organization) == before


def test_plan_names_the_factor_and_its_source(organization, june_and_july):
    factor = add(organization, where={"site": "berlin"}, valid_from=date(2026, 7, 1))

    with organization_scope(organization.id):
        plan = Plan.objects.filter(organization_id=organization.id, use__given__0__0="pue").get()
    (pue,) = [each for each in plan.factors if each["name"] == "pue"]
    assert (pue["id"], pue["value"], pue["match"]) == (f"own:{factor.id}", 1.2, "override")
    assert (pue["source"], pue["valid_from"]) == ("meters of the hall", "2026-07-01")


def test_own_supplier_factor_changes_the_market_figure_alone(organization, june_and_july):
    before = daily(organization)
    add(organization, name="market_g_co2e_per_kwh", value=50, where={"zone": "DE"})

    after = daily(organization)

    assert after["location_nkg"].tolist() == before["location_nkg"].tolist()
    answer = json.loads(run("emissions", "--from", "2026-07-01", "--to", "2026-07-01", "--format", "json"))["rows"][0]
    assert answer["market_kg_co2e"] == pytest.approx(15.8 * 0.050)


def test_ending_and_removing_bring_the_figures_back(organization, june_and_july):
    before = facility_kwh(organization)
    factor = add(organization)

    services.end_own_factor(organization_id=organization.id, factor_id=factor.id, valid_to=date(2026, 7, 1))
    services.derive_dirty_days(organization.id)
    ended = facility_kwh(organization)
    services.remove_own_factor(organization_id=organization.id, factor_id=factor.id, reason="of another hall")
    services.derive_dirty_days(organization.id)

    assert ended == {"2026-06-30": pytest.approx(12), "2026-07-01": before["2026-07-01"]}
    assert facility_kwh(organization) == before
    with organization_scope(organization.id):
        events = AuditEvent.objects.filter(organization_id=organization.id, object_type="own_factor").order_by("id")
        assert [event.action for event in events] == ["add_own_factor", "end_own_factor", "remove_own_factor"]
        assert events[2].before["value"] == 1.2


def test_private_model_gets_a_figure_by_its_size(organization, write):
    write(call(1, model="house-8b"))
    services.derive_dirty_days(organization.id)
    assert daily(organization)["energy_it_pkwh"].isna().all()

    for name in ("model_active_params_b", "model_total_params_b"):
        add(organization, name=name, value=8.03, where={"model": "house-8b"})

    assert (daily(organization)["energy_it_pkwh"] > 0).all()


def test_credits_and_taxes_are_no_spend(organization, write):
    bill = {"provider": "aws", "model": None, "requests": None, "input_tokens": None, "output_tokens": None}
    write(
        call(1, **bill, cost=100.0, currency="USD"),
        call(2, **bill, cost=-40.0, currency="USD", labels={"charge_category": "credit"}),
        call(3, **bill, cost=19.0, currency="USD", labels={"charge_category": "tax"}),
    )
    add(organization, name="spend_kg_co2e", value=0.3, where={"currency": "USD"})

    rows = daily(organization)
    assert rows["location_nkg"].sum() == 30 * 10**9  # 100 USD of usage at 0.3 kg
    assert rows["nano_cost"].sum() == 79 * 10**9  # money is money all the same


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"name": "coolness"}, "name", "no such factor"),
        ({"value": 0.9}, "value", "not at least 1"),
        ({"value": float("nan")}, "value", "nan"),
        ({"low": 1.1}, "low", "both ends"),
        ({"low": 1.3, "high": 1.4}, "value", "outside"),
        ({"source": " "}, "source", "auditor"),
        ({"where": {"colour": "green"}}, "where", "'colour' is not one of"),
        ({"value": 12}, "value", "is it a percentage"),
        ({"name": "grid_g_co2e_per_kwh", "value": 0.329}, "value", "0.329 kg is 329"),
        ({"name": "lifetime_h", "value": 4}, "value", "35,040"),
        ({"name": "spend_kg_co2e", "value": 0.3}, "where_currency", "say which"),
        ({"where": {"hosting": "foo"}}, "where_hosting", "owned, colocated, cloud, api"),
        ({"valid_from": date(2026, 7, 1), "valid_to": date(2026, 7, 1)}, "valid_to", "end after it starts"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(organization, fields, field, says):
    with pytest.raises(OwnFactorError, match=says) as refused:
        add(organization, **fields)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("where", "fits"),
    [
        ({"site": "BERLIN"}, 1),
        ({"site": "berlin", "zone": "DE"}, 1),
        ({}, 1),
        ({"site": "berlim"}, 0),
        ({"zone": "FR"}, 0),
    ],
)
def test_it_is_told_what_a_factor_fits(organization, june_and_july, where, fits):
    factor = add(organization, where=where, valid_from=date(2031, 1, 1))

    assert (series_that_fit(organization.id, factor) > 0) == bool(fits)


def test_contract_of_renewable_power_has_no_intensity(organization):
    assert add(organization, name="market_g_co2e_per_kwh", value=0).value == 0


def test_idle_power_above_that_at_full_load_is_refused(organization):
    add(organization, name="device_tdp_w", value=700, where={"hardware": "own-chip"})

    add(organization, name="device_idle_w", value=900, where={"hardware": "other-chip"})
    with pytest.raises(OwnFactorError, match="900 W idle would be above 700 W"):
        add(organization, name="device_idle_w", value=900, where={"hardware": "Own-Chip"})


@pytest.mark.parametrize(
    ("first", "second", "overlap"),
    [
        ((None, None), (date(2026, 7, 1), None), True),
        ((date(2026, 1, 1), date(2026, 7, 1)), (date(2026, 7, 1), None), False),
        ((date(2026, 1, 1), date(2026, 7, 2)), (date(2026, 7, 1), None), True),
        ((date(2026, 7, 1), None), (None, date(2026, 7, 1)), False),
        ((date(2026, 7, 1), None), (None, None), True),
    ],
)
def test_two_numbers_never_hold_for_the_same_uses_on_one_day(organization, first, second, overlap):
    def enter(span, site):
        add(organization, where={"site": site}, valid_from=span[0], valid_to=span[1])

    enter(first, "berlin")
    enter(second, "paris")
    if overlap:
        with pytest.raises(OwnFactorError, match="end it first"):
            enter(second, "Berlin")
    else:
        enter(second, "Berlin")


def test_own_factors_by_command(organization, june_and_july):
    said = run(
        "own_factor", "add", "pue", "1.2", "--source", "meters", "--where", "site=berlin", "--from", "2026-07-01"
    )
    number = said.split()[2].strip(":")
    assert said.strip() == f"Own factor {number}: pue is 1.2."
    listed = json.loads(run("own_factor", "list", "--format", "json"))
    with pytest.raises(CommandError, match="end it first"):
        run("own_factor", "add", "pue", "1.3", "--source", "meters", "--where", "site=berlin")
    run("own_factor", "end", number, "--to", "2026-07-31")
    run("own_factor", "remove", number, "--reason", "a slip")

    assert listed == [
        {
            "id": int(number),
            "name": "pue",
            "value": 1.2,
            "low": 1.2,
            "high": 1.2,
            "unit": "1",
            "where": "site=berlin",
            "from": "2026-07-01",
            "to": None,
            "source": "meters",
        }
    ]
    assert "no own factors" in run("own_factor", "list")
