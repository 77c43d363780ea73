"""An hourly grid where others meet it: instruments, hourly matching, the list of records, the bridge of bookings."""

from __future__ import annotations

from datetime import date

import pytest

from core.accounting import services
from core.accounting.selectors import current_view, disclosure_bridge, emissions
from core.accounting.selectors.explain import explain
from core.accounting.selectors.hourly_match import hourly_match
from core.accounting.selectors.records import record_figures
from core.ledger.selectors import find_record
from core.organizations.tenancy import organization_scope

from .test_grid_series import THREE, asked, enter, hourly_csv, only, three_hours

pytestmark = pytest.mark.usefixtures("committed_db", "factor_set")
TODAY = date(2026, 11, 25)
DAY = date(2026, 7, 1)
GO = {
    "type": "certificate",
    "kind": "GO",
    "energy_kwh": "3",
    "intensity_g_per_kwh": "0",
    "market": "AIB",
    "vintage": "2026",
    "retired_on": "2026-11-01",
    "registry": "UBA",
    "serial_first": "1",
}
PPA = {
    "type": "contract",
    "kind": "PPA",
    "energy_kwh": "1000",
    "intensity_g_per_kwh": "0",
    "market": "DE",
    "vintage": "2026",
}


@pytest.fixture
def three(organization, write):
    """1 kWh at 100, 2 at 400 and 3 at 700 g/kWh: 3 kg, 500 g/kWh by load."""
    write(*three_hours())
    enter(organization, hourly_csv(THREE))


def add(organization, *given):
    services.add_instruments(organization_id=organization.id, given=list(given), today=TODAY)
    services.derive_dirty_days(organization.id)


def test_market_has_the_interval_of_location(organization, three):
    answer = only(organization)

    for side in ("", "_low", "_high"):
        assert answer[f"market_kg_co2e{side}"] == answer[f"location_kg_co2e{side}"]


def test_instruments_cover_an_hourly_grid_and_the_rest_weighs_what_its_hours_did(organization, three):
    add(organization, GO)

    answer = only(organization)
    assert answer["location_kg_co2e"] == pytest.approx(3.0)
    assert answer["market_kg_co2e"] == pytest.approx(1.5)  # 3 of 6 kWh at 0, the other three at 500 g
    tree = explain(organization.id, asked(), impact="market_kg_co2e")
    assert tree["explained"] == pytest.approx(tree["value"], rel=1e-9)
    (rate,) = [each for each in tree["factors"] if each["name"] == "grid_market"]
    assert rate["value"] == pytest.approx(250)
    assert rate["without"]["value"] == pytest.approx(500)
    assert rate["without"]["weighed_by"] == "load"


def test_what_is_unmatched_in_an_hour_weighs_that_hour(organization, three):
    hours = [("2026-07-01T10:00:00Z", "1"), ("2026-07-01T12:00:00Z", "1")]
    add(organization, {**PPA, "carbon_free": "yes", "technology": "solar", "hours": hours})

    (found,) = hourly_match(organization.id, DAY, DAY)

    assert found.match.location_kg == pytest.approx(3.0)
    assert found.match.market_hourly_kg == pytest.approx(
        2 * 0.4 + 2 * 0.7
    )  # nothing at ten, two each at eleven and twelve


def test_listed_records_take_their_own_hours(organization, three):
    with organization_scope(organization.id):
        records = [find_record(organization.id, f"meter-{number}") for number in (3, 1, 2)]
        figures = record_figures(organization.id, current_view(organization.id), records)

    assert figures["total_kg_co2e"].tolist() == pytest.approx([2.1, 0.1, 0.8])
    assert figures["energy_facility_kwh"].tolist() == pytest.approx([3, 1, 2])
    assert figures["method"].tolist() == ["measured"] * 3


@pytest.mark.parametrize(("instruments", "kg"), [([], 3.0), ([GO], 1.5)])
def test_the_bridge_of_bookings_meets_the_market_figure(organization, three, instruments, kg):
    if instruments:
        add(organization, *instruments)

    bridge, lines = disclosure_bridge(organization.id, asked(basis="market"))

    total = emissions(organization.id, asked(basis="market", booking="disclosed")).rows["total_kg_co2e"].sum()
    assert lines == []
    assert total == pytest.approx(kg)
    assert bridge.disclosed_nkg / 1e9 == pytest.approx(kg)


def test_a_site_that_generates_all_itself_emits_nothing_whatever_its_hours_were(organization, write):
    services.add_site(organization_id=organization.id, slug="berlin", name="Berlin", country="DE", zone="DE")
    write(*({**record, "site": "berlin"} for record in three_hours()))
    enter(organization, hourly_csv(THREE))
    generated = {"site": "berlin", "source": "meter", "kind": "on_site_generation", "date": "2026-07"}
    services.add_register_entries(
        organization_id=organization.id, rows=[{**generated, "generated_used_kwh": 6}], today=TODAY
    )
    services.derive_dirty_days(organization.id)

    for basis in ("location", "market"):
        found, (line,) = disclosure_bridge(organization.id, asked(basis=basis))

        assert found.life_cycle_nkg == -line.nkg(basis) == 3_000_000_000
        assert found.disclosed_nkg == 0
        assert {"DE"} == {factor.detail["zone"] for factor in line.factors}
