"""Instruments cover what a site purchases: what meters show beyond records is in it, what the site generates itself is not."""

from __future__ import annotations

from datetime import date

import pytest

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors import current_view, disclosure_bridge, emissions
from core.accounting.selectors.market import consumed_between, countries_known
from core.factors.instrument_selectors import held_instruments
from core.organizations.tenancy import organization_scope

from .conftest import metered
from .test_market_rates import GO, TODAY, add, rates

pytestmark = pytest.mark.usefixtures("committed_db", "factor_set")
YEAR = {"from_day": date(2026, 1, 1), "to_day": date(2026, 12, 31)}
DE = 0.329  # kg/kWh, location-based and, as no residual mix is published, market-based


@pytest.fixture
def berlin(organization):
    services.add_site(organization_id=organization.id, slug="berlin", name="Berlin", country="DE", zone="DE")
    return organization


def record(number: int, kwh: float, **about):
    return metered(number, kwh, **{"site": "Berlin", "energy_boundary": "facility", **about})


def enter(organization, **meters):
    """Enter July's meters of the site, and bring the figures up to date."""
    kinds = {"generated_used_kwh": "on_site_generation", "facility_kwh": "meter_reading", "it_kwh": "meter_reading"}
    rows: dict[str, dict] = {}
    for name, kwh in meters.items():
        row = rows.setdefault(
            kinds[name], {"site": "berlin", "source": "meter", "kind": kinds[name], "date": "2026-07"}
        )
        row[name] = kwh
    services.add_register_entries(organization_id=organization.id, rows=list(rows.values()), today=TODAY)
    services.derive_dirty_days(organization.id)


def scope_2_market_kg(organization) -> float:
    asked = Filter(**YEAR, by=("scope",), basis="market", booking="disclosed", include=())
    rows = emissions(organization.id, asked).rows
    (kg,) = rows[rows["scope"] == "2"]["total_kg_co2e"]
    whole, _ = disclosure_bridge(organization.id, Filter(**YEAR, basis="market"))
    row = emissions(organization.id, Filter(**YEAR, basis="market", booking="disclosed")).rows.iloc[0]
    elsewhere = rows[rows["scope"] == "3.8"]["total_kg_co2e"].sum()
    assert row["total_kg_co2e"] == pytest.approx(kg + elsewhere + row["upstream_kg_co2e"], abs=1e-6)
    assert whole.disclosed_nkg / 1e9 == pytest.approx(row["total_kg_co2e"], abs=1e-6)
    return float(kg)


def consumed_kwh(organization) -> float:
    with organization_scope(organization.id):
        held = held_instruments(organization.id, countries_known(organization.id))
        found = consumed_between(organization.id, current_view(organization.id), *YEAR.values(), held)
    return sum(each.kwh for _, each in found)


def test_what_the_site_generates_itself_uses_no_certificate_up(berlin, write):
    write(record(1, 100_000.0))
    add(berlin, {**GO, "energy_kwh": "100000", "serial_last": "100"})
    services.derive_dirty_days(berlin.id)
    assert [covered for *_, covered, _ in rates(berlin)] == [100_000]

    enter(berlin, generated_used_kwh=100_000)

    assert scope_2_market_kg(berlin) == pytest.approx(0.0, abs=1e-8)
    assert (rates(berlin), consumed_kwh(berlin)) == ([], 0)


def test_certificates_cover_what_is_left_to_purchase(berlin, write):
    write(record(1, 100.0))
    add(berlin, {**GO, "energy_kwh": "30"})

    enter(berlin, generated_used_kwh=40)

    # 60 of 100 kWh are purchased and 30 of them covered: the 40 that are taken back bear half the grid's rate, as all do.
    assert scope_2_market_kg(berlin) == pytest.approx(30 * DE)
    assert consumed_kwh(berlin) == 60
    ((_, _, g_per_kwh, covered, left),) = rates(berlin)
    assert (g_per_kwh, covered, left) == pytest.approx((1000 * DE / 2, 30, 30))


def test_metered_electricity_in_no_record_is_purchased_and_covered(berlin, write):
    write(record(1, 50.0))
    add(berlin, {**GO, "energy_kwh": "55"})

    enter(berlin, facility_kwh=120, it_kwh=100, generated_used_kwh=10)

    assert consumed_kwh(berlin) == pytest.approx(110)
    assert scope_2_market_kg(berlin) == pytest.approx(55 * DE)


def test_a_hall_without_any_record_purchases_too(berlin, write):
    write(metered(1, 10.0, zone="CN", energy_boundary="facility"))
    services.add_own_factor(
        organization_id=berlin.id, name="grid_g_co2e_per_kwh", value=500.0, source="x", where={"site": "berlin"}
    )
    add(berlin, {**GO, "energy_kwh": "30"})
    services.derive_dirty_days(berlin.id)
    china = scope_2_market_kg(berlin)

    enter(berlin, facility_kwh=120, it_kwh=100)

    assert scope_2_market_kg(berlin) - china == pytest.approx(90 * 0.5)


def test_records_beyond_the_meter_are_taken_back_at_what_they_bear(berlin, write):
    write(record(1, 100.0))
    add(berlin, {**GO, "energy_kwh": "80"})

    enter(berlin, facility_kwh=80, it_kwh=70)

    assert scope_2_market_kg(berlin) == pytest.approx(0.0, abs=1e-8)
    assert consumed_kwh(berlin) == 80


def test_no_more_is_taken_back_than_is_known_to_be_used(berlin, write):
    write(record(1, 20.0), metered(2, 100.0, energy_boundary="facility"))
    services.derive_dirty_days(berlin.id)

    enter(berlin, generated_used_kwh=100)  # of a building whose meter is not entered

    assert scope_2_market_kg(berlin) == pytest.approx(100 * DE)


def test_pools_of_a_site_share_what_it_generates(berlin, write):
    write(record(1, 60.0, team="search"), record(2, 40.0, team="vision"))
    add(berlin, {**GO, "energy_kwh": "60", "pool": "team:search"})

    enter(berlin, generated_used_kwh=50)

    # Half is purchased: 30 kWh of search, all covered, and 20 of vision.
    assert scope_2_market_kg(berlin) == pytest.approx(20 * DE)
    assert sum(covered for *_, covered, _ in rates(berlin)) == pytest.approx(30)


def test_what_no_record_covers_is_in_the_pool_of_its_site(berlin, write):
    write(record(1, 50.0), metered(2, 100.0, energy_boundary="facility"))
    add(berlin, {**GO, "energy_kwh": "120", "pool": "site:Berlin"})

    enter(berlin, facility_kwh=120, it_kwh=100)

    assert scope_2_market_kg(berlin) == pytest.approx(100 * DE)


@pytest.fixture
def halls(berlin, write):
    """60 kWh of an own hall, and 60 of one where somebody else sets the operating policy, beside its meter and its PV."""
    services.add_site(
        organization_id=berlin.id,
        slug="munich",
        name="Munich",
        country="DE",
        zone="DE",
        kind="colocation",
        operational_control=False,
    )
    write(record(1, 60.0), record(2, 60.0, site="Munich", hosting="colocated"))
    meters = [
        {"kind": "meter_reading", "facility_kwh": 100, "it_kwh": 60},
        {"kind": "on_site_generation", "generated_used_kwh": 10},
    ]
    rows = [{"site": "munich", "source": "meter", "date": "2026-07", **row} for row in meters]
    services.add_register_entries(organization_id=berlin.id, rows=rows, today=TODAY)
    add(berlin, {**GO, "energy_kwh": "60"})
    services.derive_dirty_days(berlin.id)
    return berlin


def test_instruments_are_for_sites_that_the_organization_controls(halls):
    by_site = emissions(halls.id, Filter(**YEAR, by=("site",), basis="market", include=())).rows
    hours = Filter(date(2026, 7, 1), date(2026, 7, 1), grain="hour", by=("site",), basis="market", include=())

    # All 60 kWh of Berlin are covered; Munich's stay scope 3, category 8, at the grid's rate.
    expected = {"Berlin": 0.0, "Munich": pytest.approx(60 * DE)}
    assert dict(zip(by_site["site"], by_site["total_kg_co2e"], strict=True)) == expected
    on_read = emissions(halls.id, hours).rows
    assert dict(zip(on_read["site"], on_read["total_kg_co2e"], strict=True)) == expected
    assert (scope_2_market_kg(halls), consumed_kwh(halls)) == (0.0, 60)


@pytest.mark.parametrize("switch", ["consolidation", "site"])
def test_a_switch_of_control_covers_the_year_again(halls, switch):
    if switch == "consolidation":
        services.set_consolidation(organization_id=halls.id, approach="financial_control")
    else:
        services.change_site(organization_id=halls.id, slug="munich", operational_control=True)
    services.derive_dirty_days(halls.id)

    # Munich purchases 100 - 10 kWh: 60 of 150 kWh are covered.
    assert consumed_kwh(halls) == 150
    assert scope_2_market_kg(halls) == pytest.approx(90 * DE)
