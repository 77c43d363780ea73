"""A draft inventory, checked against its schema and against figures worked out by hand."""

import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

import reporting.disclosures
from core.accounting.figures import Filter
from core.accounting.selectors import disclosure_bridge, emissions
from core.accounting.services import add_instruments, add_own_factor, derive_dirty_days
from core.organizations.tenancy import organization_scope
from reporting.disclosures import RefusedError, csv_tables
from reporting.disclosures.inventory_json import content_hash
from reporting.inventories.draft import draft_inventory, of_mix
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

SCHEMA = json.loads((Path(reporting.disclosures.__file__).parent / "inventory.schema.json").read_text())


@pytest.fixture
def inventory(organization):
    deliver(
        organization,
        [
            metered("own", 1000.0),
            metered("rented", 200.0, hosting="cloud", stage="training"),
            metered("last quarter", 5000.0, started_at="2026-06-30T22:00:00Z", ended_at="2026-06-30T23:00:00Z"),
        ],
    )
    with organization_scope(organization.id):
        return draft_inventory(organization, "2026-Q3")


def test_a_draft_follows_its_schema(inventory):
    errors = [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(inventory)]

    assert errors == []
    assert inventory["status"] == "draft"
    assert inventory["evidence"]["record_count"] == 2


def test_each_factor_names_its_publisher_and_licence(inventory):
    (germany,) = [each for each in inventory["factors"] if each["id"] == "grid_intensity_annual--eea:DE:2023"]

    assert germany["source"]["publisher"] == "European Environment Agency"
    assert germany["source"]["licence"] == "CC BY 4.0"
    assert germany["source"]["url"].startswith("https://www.eea.europa.eu/")


def test_own_electricity_is_scope_2_and_bought_computing_category_1(inventory):
    totals = inventory["totals"]

    # Own: 1,000 kWh at the facility x 329.0 g = 0.329 t. Bought: 200 kWh x 329.0 g = 0.0658 t, of which 1/1.58 is IT (the
    # default PUE) and the rest overhead.
    assert Decimal(totals["scope2_location"]) == pytest.approx(Decimal("0.329"), abs=Decimal("1e-8"))
    bought = {
        line["stage"]: Decimal(line["tco2e"]) for line in inventory["emissions"] if line.get("scope3_category") == 1
    }
    assert set(bought) == {"training", "facility", "upstream_energy"}
    assert bought["training"] + bought["facility"] == pytest.approx(Decimal("0.0658"), abs=Decimal("1e-8"))
    assert bought["training"] == pytest.approx(Decimal("0.0658") / Decimal("1.58"), abs=Decimal("1e-8"))


def test_upstream_of_own_electricity_is_category_3(inventory):
    categories = {line["scope3_category"] for line in inventory["emissions"] if line["scope"] == 3}

    assert categories == {1, 3}


def test_lines_add_up_to_the_totals(inventory):
    totals, lines = inventory["totals"], inventory["emissions"]

    for method in ("location", "market"):
        own = sum(Decimal(line["tco2e"]) for line in lines if line.get("scope2_method") == method)
        three = sum(Decimal(line["tco2e"]) for line in lines if line["scope"] == 3)
        assert Decimal(totals[f"scope2_{method}"]) == own
        assert Decimal(totals[f"total_{method}"]) == own + three
    for line in lines:
        assert Decimal(line["low"]) <= Decimal(line["tco2e"]) <= Decimal(line["high"])


def test_an_inventory_carries_its_own_hash(inventory):
    assert inventory["evidence"]["sha256"] == content_hash(inventory)
    inventory["totals"]["scope1"] = "1"
    assert inventory["evidence"]["sha256"] != content_hash(inventory)


def test_the_same_ledger_gives_the_same_bytes(organization, inventory):
    with organization_scope(organization.id):
        again = draft_inventory(organization, "2026-Q3")

    assert again == inventory


def test_a_period_without_a_record_is_refused_not_zero(organization, inventory):
    with organization_scope(organization.id), pytest.raises(RefusedError, match="no record of 2025-Q3"):
        draft_inventory(organization, "2025-Q3")


def test_a_draft_without_activity_is_refused(organization):
    with organization_scope(organization.id), pytest.raises(RefusedError, match="no activity"):
        draft_inventory(organization, "2026-Q3")


def test_the_command_writes_marked_files(organization, inventory, tmp_path, capsys):
    call_command(
        "disclose",
        organization=organization.slug,
        period="2026-Q3",
        format="inventory-json,csv,html",
        output=tmp_path,
        draft=True,
    )

    written = capsys.readouterr().out.split()
    assert len(written) == 12
    assert json.loads((tmp_path / "2026-Q3/inventory.json").read_text())["totals"] == inventory["totals"]
    for name in ("csv/summary.csv", "report.html"):
        text = (tmp_path / "2026-Q3" / name).read_text()
        assert "Draft, not approved" in text
        assert "a part of the entity" in text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"draft": False}, "no approved inventory"),
        ({"draft": True, "format": "esrs-e9"}, "No format is called esrs-e9"),
        ({"draft": True, "period": "2026-Q5"}, "is no period"),
        ({"draft": True, "organization": "nobody"}, "There is no organization"),
    ],
)
def test_the_command_says_why_not(organization, tmp_path, options, message):
    defaults = {"organization": organization.slug, "period": "2026-Q3", "format": "csv", "output": tmp_path}

    with pytest.raises(CommandError, match=message):
        call_command("disclose", **(defaults | options))


def test_instruments_of_the_market_figure_are_listed(organization, inventory):
    add_instruments(
        organization_id=organization.id,
        given=[
            {
                "type": "certificate",
                "kind": "GO",
                "energy_kwh": "1500",
                "intensity_g_per_kwh": "20",
                "market": "AIB",
                "vintage": "2026",
                "technology": "hydro",
                "document": "statement 7",
                "retired_on": "2026-11-01",
                "registry": "UBA",
                "serial_first": "A1",
                "serial_last": "A2",
            }
        ],
        today=date(2026, 11, 25),
    )
    derive_dirty_days(organization.id)
    with organization_scope(organization.id):
        covered = draft_inventory(organization, "2026-Q3")

    # 6,000 kWh in the year, 1,500 of them covered: a quarter of the 1,000 kWh of this quarter.
    (instrument,) = covered["instruments"]
    assert (instrument["type"], instrument["mwh"]) == ("eac_unbundled", "0.25")
    assert (instrument["certificate_ids"], instrument["retired_on"]) == ("A1 – A2", "2026-11-01")
    assert instrument["emission_factor_kg_per_mwh"] == "20"
    assert covered["totals"]["instrument_percent"] == "25"
    assert [factor["id"] for factor in covered["factors"] if factor["kind"] == "instrument"] == [instrument["id"]]
    # 250 kWh x 20 g + 750 kWh x 329 g = 0.25175 t; location stays.
    assert Decimal(covered["totals"]["scope2_market"]) == pytest.approx(Decimal("0.25175"), abs=Decimal("1e-8"))
    assert covered["totals"]["scope2_location"] == inventory["totals"]["scope2_location"]
    assert [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(covered)] == []


def test_every_door_gives_one_market_total(organization):
    rented = {"hosting": "cloud", "provider": "aws", "region": "eu-central-1", "zone": None}
    deliver(organization, [metered("own", 1000.0), metered("rented", 200.0, **rented)])
    asked = Filter(date(2026, 7, 1), date(2026, 9, 30), basis="market", booking="disclosed")
    with organization_scope(organization.id):
        drawn = draft_inventory(organization, "2026-Q3")
    found, _ = disclosure_bridge(organization.id, asked)
    row = emissions(organization.id, asked).rows.iloc[0]

    # 1,200 kWh x 363.6 g with the upstream, whatever the provider claims for its 200
    assert Decimal(drawn["totals"]["total_market"]) == pytest.approx(Decimal("0.43632"), abs=Decimal("1e-8"))
    assert found.disclosed_nkg == pytest.approx(436.32e9)
    assert row["total_kg_co2e"] == pytest.approx(436.32)


def test_a_draft_is_the_same_whatever_order_the_database_reads_in(organization):
    for number in range(12):  # each an error of its own, so that many sums are added up to one line
        add_own_factor(
            organization_id=organization.id,
            name="pue",
            value=1.1 + number / 70,
            low=1.05,
            high=1.4 + number / 30,
            source="meters",
            where={"application": f"app {number}"},
        )
    boundaries = ("device", "it", "facility")
    deliver(
        organization,
        [
            metered(f"{n}-{boundary}", 0.1 + n / 7, application=f"app {n}", energy_boundary=boundary)
            for n in range(12)
            for boundary in boundaries
        ],
    )

    def drawn(*planner: str):
        with organization_scope(organization.id), connection.cursor() as cursor:
            cursor.execute("".join(f"set local {each} = off;" for each in planner))
            return draft_inventory(organization, "2026-Q3")

    assert drawn("enable_sort") == drawn("enable_hashagg", "enable_hashjoin")


def test_an_unknown_mix_is_not_printed_as_zero(inventory):
    figures = {figure for figure, *_ in csv_tables.summary(inventory)}
    known = {**inventory, "energy": [{**entry, "mix": "fossil"} for entry in inventory["energy"]]}

    assert "energy_mwh" in figures
    assert figures.isdisjoint({"renewable_mwh", "nuclear_mwh", "fossil_mwh"})
    assert "The mix of 1 MWh of energy is not known" in inventory["method"]["text"]
    assert "renewable_mwh" in {figure for figure, *_ in csv_tables.summary(known)}  # a zero that is known
    assert of_mix(known["energy"], "fossil") == 1
