"""Register entries in a draft inventory: their lines by scope and category, the site's electricity, e-waste."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest
from django.core.management import call_command
from django.test import Client

import reporting.disclosures
from core.accounting import services as accounting
from core.accounting.figures import Filter
from core.accounting.selectors import disclosure_bridge, emissions
from core.organizations.models import Person, Role
from core.organizations.services import add_member
from core.organizations.tenancy import organization_scope
from reporting.inventories import draft
from reporting.inventories.draft import draft_inventory
from reporting.inventories.instruments import UsedInstruments
from tests.core.accounting.test_concurrency import in_thread
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

SCHEMA = json.loads((Path(reporting.disclosures.__file__).parent / "inventory.schema.json").read_text())
ROWS = [
    {"kind": "meter_reading", "date": "2026-07", "facility_kwh": 1500, "it_kwh": 1200},
    {"kind": "on_site_generation", "date": "2026-07", "generated_used_kwh": 100},
    {"kind": "fuel", "date": "2026-07-14", "fuel": "diesel", "fuel_l": 400},
    {"kind": "refrigerant", "date": "2026-08-02", "gas": "R-410A", "gas_kg": 2},
    {"kind": "purchase", "date": "2026-07-02", "hardware": "NVIDIA H100", "count": 8},
    {
        "kind": "retirement",
        "date": "2026-09-30",
        "hardware": "V100",
        "count": 16,
        "mass_kg": 320,
        "treatment": "recycling",
    },
    {"kind": "retirement", "date": "2026-09-30", "hardware": "T4", "count": 1, "mass_kg": 5, "treatment": "unknown"},
]


@pytest.fixture
def inventory(organization):
    deliver(organization, [metered("own", 1000.0, site="berlin")])
    accounting.add_site(organization_id=organization.id, slug="berlin", name="Berlin hall", country="DE", zone="DE")
    rows = [{"site": "berlin", "source": "invoice", **row} for row in ROWS]
    accounting.add_register_entries(organization_id=organization.id, rows=rows, today=date(2026, 11, 25))
    accounting.derive_dirty_days(organization.id)
    with organization_scope(organization.id):
        return draft_inventory(organization, "2026-Q3")


def tonnes(inventory, **about):
    chosen = [line for line in inventory["emissions"] if all(line.get(name) == value for name, value in about.items())]
    assert chosen
    return sum(Decimal(line["tco2e"]) for line in chosen)


def test_the_draft_follows_its_schema(inventory):
    assert [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(inventory)] == []


def test_scope_1_and_categories_2_and_5_are_worked_out_by_hand(inventory):
    # 400 L x 2.66155 kg and 2 kg x 1,923.5
    assert tonnes(inventory, scope=1, stage="facility", method="measured") == pytest.approx(Decimal("4.91162"))
    assert tonnes(inventory, scope3_category=2, stage="embodied", method="supplier") == pytest.approx(Decimal("3.812"))
    assert tonnes(inventory, scope3_category=5, stage="end_of_life") == pytest.approx(Decimal("0.0014994176"))
    assert Decimal(inventory["totals"]["scope1"]) == tonnes(inventory, scope=1)
    assert Decimal(inventory["totals"]["ewaste_kg"]) == 325


def test_scope_2_of_a_metered_site_is_what_its_meter_shows(inventory):
    # 1,500 kWh metered, 100 of them generated on site: 1,400 kWh purchased x 329.0 g, whatever the records say
    assert Decimal(inventory["totals"]["scope2_location"]) == pytest.approx(Decimal("0.4606"), abs=Decimal("1e-8"))
    assert tonnes(inventory, scope3_category=3) == pytest.approx(Decimal("0.04844"), abs=Decimal("1e-8"))
    energy = {entry["origin"]: Decimal(entry["mwh"]) for entry in inventory["energy"]}
    assert energy == {"purchased": pytest.approx(Decimal("1.4")), "self_generated": Decimal("0.1")}
    assert {entry["measured"] for entry in inventory["energy"]} == {True}


def test_lines_name_the_site_the_factors_and_the_entries(inventory):
    listed = {factor["id"]: factor for factor in inventory["factors"]}
    fuel = next(
        line for line in inventory["emissions"] if line["scope"] == 1 and "fuels--desnz" in line["factor_ids"][0]
    )

    assert fuel["site_id"] == "berlin"
    assert fuel["lineage"].startswith("register entry ")
    assert listed[fuel["factor_ids"][0]]["kind"] == "fuel"
    assert [site["id"] for site in inventory["boundary"]["sites"]] == ["berlin"]
    assert all(set(line.get("factor_ids", ())) <= set(listed) for line in inventory["emissions"])


def test_what_has_no_factor_is_named_and_not_zero(inventory):
    (excluded,) = inventory["boundary"]["exclusions"]

    assert excluded["what"] == "1 T4, 5 kg, unknown"
    assert "No factor is known" in excluded["reason"]
    assert 5 in inventory["boundary"]["scope3_included"]


def test_lines_and_bridge_end_at_the_same_total(organization, inventory):
    asked = Filter(date(2026, 7, 1), date(2026, 9, 30))
    found, _ = disclosure_bridge(organization.id, asked)

    total = Decimal(inventory["totals"]["total_location"]) * 1000
    assert total == pytest.approx(Decimal(found.disclosed_nkg) / 10**9, abs=Decimal("1e-5"))
    disclosed = emissions(organization.id, Filter(asked.from_day, asked.to_day, booking="disclosed")).rows.iloc[0]
    assert float(total) == pytest.approx(disclosed["total_kg_co2e"], rel=1e-7)


def test_a_period_with_entries_and_no_record_is_drawn_up(organization, inventory):
    accounting.add_register_entries(
        organization_id=organization.id,
        rows=[{"site": "berlin", "source": "x", "kind": "fuel", "date": "2026-10-05", "fuel": "diesel", "fuel_l": 100}],
        today=date(2026, 11, 25),
    )
    with organization_scope(organization.id):
        later = draft_inventory(organization, "2026-10")

    assert Decimal(later["totals"]["total_location"]) == pytest.approx(Decimal("0.266155"))
    assert [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(later)] == []


def test_a_hall_without_control_is_category_8_and_no_energy_of_our_own(organization, inventory):
    accounting.change_site(organization_id=organization.id, slug="berlin", operational_control=False)
    with organization_scope(organization.id):
        switched = draft_inventory(organization, "2026-Q3")

    assert switched["boundary"]["consolidation"] == "operational_control"
    assert {line["scope"] for line in switched["emissions"]} == {3}
    assert {line["scope3_category"] for line in switched["emissions"]} == {2, 5, 8}
    assert switched["energy"] == []
    assert Decimal(switched["totals"]["total_location"]) == pytest.approx(
        Decimal(inventory["totals"]["total_location"]), abs=Decimal("1e-8")
    )
    assert [error.message for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(switched)] == []


def test_every_format_is_written(organization, inventory, tmp_path):
    call_command(
        "disclose",
        organization=organization.slug,
        period="2026-Q3",
        format="inventory-json,csv,html",
        output=tmp_path,
        draft=True,
    )

    assert "End of life" in (tmp_path / "2026-Q3/report.html").read_text()


def test_instruments_are_a_share_of_what_the_inventory_says_was_purchased(organization, inventory):
    certificate = {
        "type": "certificate",
        "kind": "GO",
        "energy_kwh": "350",
        "intensity_g_per_kwh": "0",
        "market": "AIB",
        "vintage": "2026",
        "retired_on": "2026-11-01",
        "registry": "UBA",
        "serial_first": "A1",
    }
    accounting.add_instruments(organization_id=organization.id, given=[certificate], today=date(2026, 11, 25))
    accounting.derive_dirty_days(organization.id)
    with organization_scope(organization.id):
        covered = draft_inventory(organization, "2026-Q3")

    # 350 of the 1,400 kWh that the site purchased (1,000 are in records), and 1,050 kWh x 329.0 g are left.
    (instrument,) = covered["instruments"]
    assert (instrument["mwh"], covered["totals"]["instrument_percent"]) == ("0.35", "25")
    assert Decimal(covered["totals"]["scope2_market"]) == pytest.approx(Decimal("0.34545"), abs=Decimal("1e-8"))


def test_no_share_is_named_where_nothing_is_covered():
    assert UsedInstruments([], [], Decimal(0)).percent_of(Decimal(10)) is None
    assert UsedInstruments([{"id": "x"}], [], Decimal(3)).percent_of(Decimal(0)) is None
    assert UsedInstruments([{"id": "x"}], [], Decimal(3)).percent_of(Decimal(12)) == 25


@pytest.mark.parametrize("door", ["command", "page"])
def test_a_draft_is_of_one_moment(organization, inventory, monkeypatch, tmp_path, door):
    def late(*arguments, **named):
        with ThreadPoolExecutor(1) as pool:
            pool.submit(in_thread, deliver, organization, [metered("late", 200.0, site="berlin")]).result()
        return disclosure_bridge(*arguments, **named)

    monkeypatch.setattr(draft, "disclosure_bridge", late)
    if door == "command":
        about = {"organization": organization.slug, "period": "2026-Q3", "format": "inventory-json", "draft": True}
        call_command("disclose", **about, output=tmp_path)
        drawn = json.loads((tmp_path / "2026-Q3/inventory.json").read_text())
    else:
        person = Person.objects.create_user("lead@example.org", "correct horse battery")
        add_member(organization_id=organization.id, person=person, role=Role.SUSTAINABILITY_LEAD)
        client = Client()
        client.force_login(person)
        drawn = json.loads(client.get("/disclosures/2026-Q3/", {"format": "inventory-json"}).content)

    # A record that comes in between the reads is in none of them.
    assert drawn == inventory
