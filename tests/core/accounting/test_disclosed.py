"""The two bookings of one period: register entries take the place of the amortised share, and the bridge sums exactly."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors import disclosed, disclosure_bridge, emissions
from core.accounting.selectors.disclosed import lines_of
from core.accounting.selectors.explain import explain

from .conftest import call, metered
from .test_concurrency import in_thread
from .test_rule_commands import run

pytestmark = pytest.mark.usefixtures("committed_db", "factor_set")
TODAY = date(2026, 11, 25)
QUARTER = {"from_day": date(2026, 7, 1), "to_day": date(2026, 9, 30)}
ROWS = [
    {"kind": "meter_reading", "date": "2026-07", "facility_kwh": 120, "it_kwh": 100},
    {"kind": "on_site_generation", "date": "2026-07", "generated_used_kwh": 10},
    {"kind": "fuel", "date": "2026-07-14", "fuel": "diesel", "fuel_l": 400},
    {"kind": "refrigerant", "date": "2026-08-02", "gas": "R-134a", "gas_kg": 2.5},
    {"kind": "purchase", "date": "2026-07-02", "hardware": "NVIDIA H100", "count": 8},
    {
        "kind": "retirement",
        "date": "2026-09-30",
        "hardware": "NVIDIA V100",
        "count": 16,
        "mass_kg": 320,
        "treatment": "recycling",
    },
    {"kind": "fuel", "date": "2026-10-01", "fuel": "diesel", "fuel_l": 99999},  # of the next quarter
]


@pytest.fixture
def quarter(organization, write):
    """An own node with 50 kWh of IT energy and 100 device hours, and a bought service; then the register."""
    services.add_site(organization_id=organization.id, slug="berlin", name="Berlin hall", country="DE", zone="DE")
    hours = {"hardware": "NVIDIA H100", "device_hours": 100.0, "site": "berlin", "hosting": "owned", "zone": "DE"}
    write(
        metered(1, 50.0, site="berlin"),
        call(2),
        {**metered(3, 0.0), **hours, "evidence": "modelled", "energy_kwh": None, "energy_boundary": None},
    )
    rows = [{"site": "berlin", "source": "invoice", **row} for row in ROWS]
    services.add_register_entries(organization_id=organization.id, rows=rows, today=TODAY)
    services.derive_dirty_days(organization.id)
    return organization


def totals(organization, **filters):
    return emissions(organization.id, Filter(**QUARTER, **filters)).rows.iloc[0]


def test_the_disclosed_total_is_worked_out_by_hand(quarter):
    life, disclosed = totals(quarter), totals(quarter, booking="disclosed")

    # Records at the facility: 50 x 1.2 measured, and an H100's 100 h.
    recorded = life["energy_facility_kwh"]
    own_embodied = (164 + 2500 / 8) * 100 / 35040
    at_site = float(
        emissions(quarter.id, Filter(**QUARTER, by=("site",)))
        .rows.query("site == 'berlin'")
        .energy_facility_kwh.iloc[0]
    )
    electricity = (120 - at_site - 10) * (0.3290 + 0.0346)
    register = 400 * 2.66155 + 2.5 * 1300 + 8 * 164 + 2500 + 0.32 * 4.68568 + electricity
    assert disclosed["total_kg_co2e"] == pytest.approx(life["total_kg_co2e"] - own_embodied + register, rel=1e-9)
    assert disclosed["energy_facility_kwh"] == pytest.approx(recorded + 120 - at_site - 10)


@pytest.mark.parametrize("basis", ["location", "market"])
def test_the_bridge_leads_from_one_to_the_other_exactly(quarter, basis):
    found, lines = disclosure_bridge(quarter.id, Filter(**QUARTER, basis=basis))

    assert found.life_cycle_nkg + sum(found.steps.values()) == found.disclosed_nkg
    life = totals(quarter)["total_kg_co2e"]
    disclosed = totals(quarter, booking="disclosed", basis=basis)["total_kg_co2e"]
    assert found.life_cycle_nkg / 1e9 == pytest.approx(life, rel=1e-12)
    assert found.disclosed_nkg / 1e9 == pytest.approx(disclosed, rel=1e-9)
    assert found.steps["plus_purchases"] == pytest.approx(3812e9)
    assert found.steps["plus_refrigerant"] == pytest.approx(3250e9)
    assert found.steps["less_self_generated"] < 0
    assert len(lines) == 6


def test_scopes_of_the_disclosed_booking(quarter):
    rows = emissions(quarter.id, Filter(**QUARTER, by=("scope",), booking="disclosed")).rows

    kg = dict(zip(rows["scope"], rows["total_kg_co2e"], strict=True))
    assert set(kg) == {"1", "2", "3.1", "3.2", "3.3", "3.5"}
    assert kg["1"] == pytest.approx(400 * 2.66155 + 3250)
    assert kg["3.2"] == pytest.approx(3812)
    assert kg["3.5"] == pytest.approx(0.32 * 4.68568)
    assert sum(kg.values()) == pytest.approx(totals(quarter, booking="disclosed")["total_kg_co2e"])


def test_entries_are_nobody_s_but_their_site_s(quarter):
    by_team = emissions(quarter.id, Filter(**QUARTER, by=("team",), booking="disclosed")).rows
    narrowed = totals(quarter, dims={"team": ("vision",)}, booking="disclosed")
    of_site = totals(quarter, dims={"site": ("berlin",)}, booking="disclosed")

    assert "unattributed" in set(by_team["team"])
    assert narrowed["total_kg_co2e"] < 100
    assert of_site["total_kg_co2e"] > 3812 + 3250


def test_months_take_the_entries_of_their_days(quarter):
    rows = emissions(quarter.id, Filter(**QUARTER, grain="month", booking="disclosed")).rows

    kg = {row.start.month: row.total_kg_co2e for row in rows.itertuples()}
    assert kg[8] == pytest.approx(3250)
    assert kg[9] == pytest.approx(0.32 * 4.68568)


def test_a_part_of_a_month_says_nothing_of_its_meter(quarter):
    half = Filter(date(2026, 7, 1), date(2026, 7, 30), booking="disclosed")
    found, _ = disclosure_bridge(quarter.id, half)

    assert found.steps["plus_unallocated_electricity"] == 0
    assert found.steps["plus_purchases"] == pytest.approx(3812e9)


def test_the_tree_holds_every_entry(quarter):
    tree = explain(quarter.id, Filter(**QUARTER, booking="disclosed"))

    assert abs(tree["rounding"]) < 1e-6
    assert len(tree["register"]) == 6
    fuel = next(each for each in tree["register"] if each["step"] == "plus_fuel")
    assert (fuel["value"], fuel["site"]) == (pytest.approx(1064.62), "berlin")
    assert "DESNZ" in fuel["factors"][0]["source"]
    assert explain(quarter.id, Filter(**QUARTER))["register"] == []


def test_the_command_takes_the_booking(quarter):
    answer = json.loads(run("emissions", "--period", "2026-Q3", "--booking", "disclosed", "--format", "json"))

    assert answer["filter"]["booking"] == "disclosed"
    assert answer["rows"][0]["total_kg_co2e"] == pytest.approx(
        totals(quarter, booking="disclosed")["total_kg_co2e"], rel=1e-9
    )


def test_bounds_contain_the_disclosed_total(quarter):
    row = totals(quarter, booking="disclosed")

    assert row["total_kg_co2e_low"] <= row["total_kg_co2e"] <= row["total_kg_co2e_high"]


@pytest.fixture
def bought(organization, write):
    """100 kWh of an own node, 50 of rented machines whose provider claims 0 g, 10 in a hall that somebody else controls."""
    services.add_site(
        organization_id=organization.id,
        slug="munich",
        name="Munich",
        country="DE",
        zone="DE",
        kind="colocation",
        operational_control=False,
    )
    services.add_own_factor(
        organization_id=organization.id,
        name="market_g_co2e_per_kwh",
        value=100.0,
        source="x",
        where={"hosting": "owned"},
    )
    services.add_own_factor(
        organization_id=organization.id, name="market_g_co2e_per_kwh", value=7.0, source="x", where={"site": "munich"}
    )
    at_meter = {"energy_boundary": "facility"}
    rented = {"hosting": "cloud", "provider": "aws", "region": "eu-central-1", "zone": None}
    write(
        metered(1, 100.0, **at_meter),
        metered(2, 50.0, **rented, **at_meter),
        metered(3, 10.0, hosting="colocated", site="Munich", **at_meter),
    )
    services.derive_dirty_days(organization.id)
    return organization


# Scope 2 by its contract, 100 g; the provider's claim and the hall's contract are of scope 3, which is location-based.
DISCLOSED_MARKET_KG = 100 * 0.100 + (50 + 10) * 0.329


def test_only_scope_2_of_the_disclosed_total_is_market_based(bought):
    asked = {"booking": "disclosed", "basis": "market", "include": ()}
    life, disclosed = totals(bought, basis="market", include=()), totals(bought, **asked)
    by_scope = emissions(bought.id, Filter(**QUARTER, **asked, by=("scope",))).rows.dropna(subset="total_kg_co2e")
    found, _ = disclosure_bridge(bought.id, Filter(**QUARTER, basis="market"))
    tree = explain(bought.id, Filter(**QUARTER, **asked))

    assert life["total_kg_co2e"] == pytest.approx(100 * 0.100 + 50 * 0.0 + 10 * 0.007)
    assert disclosed["total_kg_co2e"] == pytest.approx(DISCLOSED_MARKET_KG)
    assert disclosed["total_kg_co2e_low"] < disclosed["total_kg_co2e"] < disclosed["total_kg_co2e_high"]
    assert dict(zip(by_scope["scope"], by_scope["total_kg_co2e"], strict=True)) == pytest.approx(
        {"2": 10.0, "3.1": 50 * 0.329, "3.8": 10 * 0.329}
    )
    assert found.steps["plus_market_less_location"] == pytest.approx(100 * (0.100 - 0.329) * 1e9)
    assert tree["value"] == pytest.approx(DISCLOSED_MARKET_KG)
    assert abs(tree["rounding"]) < 1e-6


def test_hours_and_days_disclose_the_same(bought):
    asked = {"booking": "disclosed", "basis": "market", "include": (), "grain": "hour"}
    rows = emissions(bought.id, Filter(date(2026, 7, 1), date(2026, 7, 1), **asked)).rows

    assert rows["total_kg_co2e"].sum() == pytest.approx(DISCLOSED_MARKET_KG)


def test_own_factors_of_a_site_hold_for_its_meter_as_for_its_records(organization, write):
    services.add_site(organization_id=organization.id, slug="berlin", name="Berlin", country="DE", zone="DE")
    own = {"organization_id": organization.id, "source": "the utility", "where": {"site": "Berlin"}}
    services.add_own_factor(**own, name="grid_g_co2e_per_kwh", value=50.0, valid_from=date(2026, 7, 1))
    services.add_own_factor(**own, name="grid_g_co2e_per_kwh", value=999.0, valid_to=date(2026, 7, 1))
    services.add_own_factor(**own, name="grid_loss_fraction", value=0.2)
    write(metered(1, 100_000.0, site="berlin", energy_boundary="facility"))
    generated = {"kind": "on_site_generation", "date": "2026-07", "generated_used_kwh": 100_000}
    services.add_register_entries(
        organization_id=organization.id, rows=[{"site": "berlin", "source": "meter", **generated}], today=TODAY
    )
    services.derive_dirty_days(organization.id)

    for basis in ("location", "market"):
        found, (line,) = disclosure_bridge(organization.id, Filter(**QUARTER, basis=basis))

        # 100 MWh x 50 g, and losses of a quarter of it; all of it is generated on site and nothing is left.
        assert found.life_cycle_nkg == pytest.approx(6_250e9)
        assert line.nkg(basis) == pytest.approx(-6_250e9)
        assert found.disclosed_nkg == 0


def test_sums_and_lines_of_the_bridge_are_of_one_moment(quarter, write, monkeypatch):
    asked = Filter(**QUARTER, basis="market")
    before, _ = disclosure_bridge(quarter.id, asked)

    def meanwhile():
        write(metered(9, 50.0, site="berlin"))
        services.derive_dirty_days(quarter.id)

    def late(*arguments):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(in_thread, meanwhile).result()
        return lines_of(*arguments)

    monkeypatch.setattr(disclosed, "lines_of", late)
    during, _ = disclosure_bridge(quarter.id, asked)
    monkeypatch.undo()

    assert during == before
    assert disclosure_bridge(quarter.id, asked)[0].life_cycle_nkg > before.life_cycle_nkg
