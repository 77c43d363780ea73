"""
Grid factors and energy arithmetic agree with the `codecarbon` package where both claim the same thing.

Of one publication and year: US states (eGRID), Chinese provinces (MEE and NBS), Nordic bidding zones. Its countries come from an
older edition of the Ember data that ours come from: where the publisher has since revised a country by more than 1 %, the
country stands in codecarbon_countries.csv with both figures. docs/methodology/location.md says the same in a table.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from codecarbon.core.emissions import Emissions
from codecarbon.core.units import Energy
from codecarbon.external.geography import GeoMetadata
from codecarbon.input import DataSource

TOLERANCE = 0.01
REVISED = Path(__file__).with_name("codecarbon_countries.csv")
NORDIC = ("NO", "SE")
"""Countries whose bidding zones we hold; CodeCarbon's one zone of Finland is the country, which has a national factor."""


def own(pack, dataset: str) -> dict[tuple[str, int], float]:
    """Return our factors of one published edition by zone and year. [g/kWh]"""
    rows = (row for row in pack.rows("grid_intensity_annual") if row["dataset"] == dataset)
    return {(row["zone_id"], int(row["year"])): float(row["g_per_kwh"]) for row in rows}


def states() -> dict[str, dict[str, float]]:
    return DataSource().get_country_emissions_data("usa")


def test_us_states_are_those_of_egrid_2023(pack):
    ours = own(pack, "epa-egrid")
    compared = 0
    for name, state in states().items():
        if name.startswith("_"):
            continue
        zone = "US" if name == "usa" else f"US-{state['regionCode']}"
        g_per_kwh = state["emissions"] * 0.45359237  # lb/MWh
        assert ours[zone, 2023] == pytest.approx(g_per_kwh, rel=1e-4), name
        compared += 1

    assert compared == 52


def test_chinese_provinces_are_those_of_the_ministry(pack):
    ours = own(pack, "cn-mee")
    theirs = DataSource().get_china_provincial_emissions_data()["data"]

    assert len(theirs) == 30
    for zone, province in theirs.items():
        assert ours[zone, province["year"]] == province["emission_factor"], zone


def test_nordic_bidding_zones_are_theirs(pack):
    ours = own(pack, "codecarbon-nordic")
    theirs = DataSource().get_nordic_country_energy_mix_data()["data"]
    zones = {f"{zone[:2]}-{zone}": each for zone, each in theirs.items() if zone[:2] in NORDIC and zone[2:].isdigit()}

    assert len(zones) == len(ours) == 9
    for zone, each in zones.items():
        assert ours[zone, each["year"]] == each["emission_factor"], zone


def test_countries_differ_only_where_the_publisher_revised_them(pack):
    ours = {
        (row["country_alpha3"], int(row["year"])): float(row["g_per_kwh"])
        for row in pack.rows("grid_intensity_annual")
        if row["dataset"] == "ember-owid-2026-06"
    }
    apart = {}
    theirs = DataSource().get_global_energy_mix_data()
    for country, mix in theirs.items():
        ember, codecarbon = ours[country, mix["year"]], mix["carbon_intensity"]
        if abs(ember - codecarbon) > max(TOLERANCE * codecarbon, rounding_g_per_kwh(mix)):
            apart[country] = (mix["year"], codecarbon, ember)

    with REVISED.open() as file:
        explained = {
            row["country"]: (int(row["year"]), float(row["codecarbon_g_per_kwh"]), float(row["ours_g_per_kwh"]))
            for row in csv.DictReader(file)
        }
    assert len(theirs) == 213
    assert apart == explained


def rounding_g_per_kwh(mix: dict[str, float]) -> float:
    """Return what two decimals of TWh and of Mt leave open: most of the figure where a country generates 0.02 TWh."""
    twh, g_per_kwh = mix["total_TWh"], mix["carbon_intensity"]
    if not twh or not g_per_kwh:
        return float("inf")
    megatonnes = twh * g_per_kwh / 1000
    return g_per_kwh * (0.005 / twh + 0.005 / megatonnes)


def test_the_world_of_both_editions_agrees(pack):
    """Weigh each country by its generation: single revisions cancel, a wrong basis or unit would not."""
    ours = {
        (row["country_alpha3"], int(row["year"])): float(row["g_per_kwh"])
        for row in pack.rows("grid_intensity_annual")
        if row["dataset"] == "ember-owid-2026-06"
    }
    mixes = DataSource().get_global_energy_mix_data()

    theirs = sum(mix["carbon_intensity"] * mix["total_TWh"] for mix in mixes.values())
    same = sum(ours[country, mix["year"]] * mix["total_TWh"] for country, mix in mixes.items())

    assert same == pytest.approx(theirs, rel=TOLERANCE)


@pytest.mark.parametrize(
    ("country", "region", "zone"),
    [("FRA", None, "FR"), ("USA", "california", "US-CA"), ("CHN", "Beijing", "CN-BJ"), ("SWE", "SE3", "SE-SE3")],
)
def test_energy_times_pue_times_factor_is_their_arithmetic(one, country, region, zone):
    """CodeCarbon multiplies the energy of the machine by the PUE it is given, then by the factor."""
    it_energy_kwh, pue = 10.0, 1.25
    geo = GeoMetadata(country_iso_code=country, country_name=country, region=region)
    kg_per_kwh = Emissions(DataSource()).get_private_infra_emissions(Energy(kWh=1.0), geo)

    theirs = Emissions(DataSource()).get_private_infra_emissions(Energy(kWh=it_energy_kwh * pue), geo)
    ours = one(
        energy_kwh=it_energy_kwh,
        energy_boundary="it",
        zone=zone,
        factors={"pue": pue, "grid_g_co2e_per_kwh": kg_per_kwh * 1000},
    )

    assert ours["location_kg_co2e"] == pytest.approx(theirs, rel=1e-12)
