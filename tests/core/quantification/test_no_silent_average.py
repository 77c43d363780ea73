"""Where no factor applies the figure is null with its reason; an average that stands in is named, never silent (3.1)."""

from __future__ import annotations

import pytest

from core.quantification.notes import TEXTS
from core.quantification.pack import FactorPack, pack_from_tables
from core.quantification.terms import IMPACTS

METERED = {"energy_kwh": 10.0, "energy_boundary": "facility"}

REASONS = {
    "location_kg_co2e": "no_grid_factor",
    "market_kg_co2e": "no_market_factor",
    "water_l": "no_grid_water_factor",
    "primary_energy_mj": "no_primary_energy_factor",
    "adpe_kg_sbeq": "no_adpe_factor",
    "embodied_kg_co2e": "no_hardware",
}
"""Impact to the note that says why it is null in a set without tables of the grid."""


def without(pack: FactorPack, *tables: str) -> FactorPack:
    """Take tables out of a set."""
    kept = {name: content for name, content in pack.blobs.items() if name.partition("--")[0] not in tables}
    return pack_from_tables("smaller", kept)


def test_an_unknown_zone_takes_the_world_s_factor_and_says_so(one):
    known = one(zone="DE", **METERED)
    unknown = one(zone="XX-NOWHERE", **METERED)

    factor = unknown.factor("grid_location")
    assert (factor["zone"], factor["match"], factor["value"]) == ("WLD", "world", 460.1)
    assert unknown["location_kg_co2e"] == pytest.approx(4.601)  # 10 kWh x 460.1 g
    assert {"unknown_zone", "grid_world_average"} <= set(unknown.plan.notes)
    assert unknown.plan.data_quality == known.plan.data_quality + 1
    low, high = unknown.bounds("location_kg_co2e")[1:]
    assert high / low > known.bounds("location_kg_co2e")[2] / known.bounds("location_kg_co2e")[1]


def test_neither_zone_nor_region_is_another_reason(one):
    nowhere = one(**METERED)

    assert {"no_zone", "grid_world_average"} <= set(nowhere.plan.notes)
    assert nowhere.factor("grid_location")["match"] == "world"


def test_a_country_that_stands_in_for_its_region_is_named(one):
    region = one(zone="DE-BY", **METERED)

    assert region.factor("grid_location")["match"] == "country"
    assert "grid_country_average" in region.plan.notes


def test_a_set_without_grid_tables_gives_null_with_a_reason_for_each_impact(pack, one):
    bare = without(pack, "grid_intensity_annual", "grid_residual_mix", "grid_water_resources", "cloud_region_metrics")

    result = one(within=bare, zone="DE", **METERED)

    assert set(result.plan.nulls) == {*REASONS, "upstream_kg_co2e"}
    assert set(REASONS.values()) <= set(result.plan.notes)
    assert set(result.plan.notes) <= set(TEXTS)
    assert result["energy_facility_kwh"] == pytest.approx(10.0)  # what is known stays known


def test_a_set_without_the_world_s_row_gives_null_for_an_unknown_zone_and_figures_for_others(pack, one):
    ember = "grid_intensity_annual--ember-2026-10"
    tables = {
        name: b"".join(line for line in content.splitlines(keepends=True) if not line.startswith(b"WLD,"))
        for name, content in pack.blobs.items()
        if name.partition("--")[0] == "grid_intensity_annual"
    }
    assert ember in tables
    worldless = pack_from_tables("worldless", {**pack.blobs, **tables})

    unknown = one(within=worldless, zone="XX-NOWHERE", **METERED)
    known = one(within=worldless, zone="DE", **METERED)

    assert {"location_kg_co2e", "market_kg_co2e", "upstream_kg_co2e"} <= set(unknown.plan.nulls)
    assert {"unknown_zone", "no_grid_factor"} <= set(unknown.plan.notes)
    assert known["location_kg_co2e"] == pytest.approx(3.29)


@pytest.mark.parametrize(
    ("record", "note"),
    [
        ({"model": "no-such-model", "output_tokens": 100, "hosting": "api", "stage": "inference"}, "unknown_model"),
        ({"hardware": "no such chip", "device_hours": 1.0}, "unknown_hardware"),
        (
            {"instance_type": "x9.nano", "provider": "aws", "instance_hours": 1.0, "hosting": "cloud"},
            "unknown_instance",
        ),
        ({"seat_months": 3.0}, "no_seat_factor"),
        ({"cost": 10.0, "currency": "EUR"}, "no_spend_factor"),
    ],
)
def test_an_unknown_name_leaves_every_impact_null_with_the_reason(one, record, note):
    result = one(zone="DE", **record)

    assert note in result.plan.notes
    assert set(result.plan.nulls) == set(IMPACTS)


def test_a_use_before_any_factor_says_that_a_later_one_stands_in(one):
    early = one(year=1985, zone="DE", **METERED)

    assert "factor_later_than_use" in early.plan.notes
    assert early.factor("grid_location")["age_years"] < 0


def test_a_set_without_pue_gives_no_facility_energy(pack, one):
    result = one(
        within=without(pack, "calc_defaults", "cloud_region_metrics", "provider_disclosures"),
        zone="DE",
        energy_kwh=10.0,
        energy_boundary="it",
    )

    assert "energy_facility_kwh" in result.plan.nulls
    assert "no_pue_factor" in result.plan.notes
    assert result["energy_it_kwh"] == pytest.approx(10.0)
