"""Embodied shares: which total, over which lifetime, and how far sources lie apart."""

from __future__ import annotations

import pytest

H100 = "NVIDIA H100 80GB HBM3"


def test_device_takes_its_own_total_and_its_part_of_the_server(one):
    result = one(hardware=H100, device_hours=35040)

    assert result["embodied_kg_co2e"] == pytest.approx(164 + 2500 / 8)


def test_interval_spans_all_sources_of_a_device(one):
    _, low, high = one(hardware=H100, device_hours=35040).bounds("embodied_kg_co2e")

    assert low == pytest.approx(164 + 1000 / 8)
    assert high == pytest.approx(575.1 + 5700 / 8)


def test_single_reviewed_source_has_its_own_spread(one, pack):
    # An A10 is known to one bottom-up model only, so it carries the spread of a model.
    result = one(hardware="NVIDIA A10", device_hours=35040)
    factor = next(each for each in result.plan.factors if each["name"] == "embodied" and each["match"] == "exact")

    assert factor["value"] == 184.1
    assert factor["high"] / factor["value"] == pytest.approx(1.6**1.959963984540054)


def test_recalled_figures_are_not_shipped(pack):
    tables = [row for table in pack.tables for row in pack.rows(table)]

    assert tables
    assert not [row for row in tables if row.get("verification") == "unverified"]


def test_accelerator_that_nobody_knows_takes_a_flat_value_with_a_note(one):
    result = one(hardware="NVIDIA L40", device_hours=35040)

    assert result["embodied_kg_co2e"] == pytest.approx(150 + 2500 / 8)
    assert "flat_embodied_factor" in result.plan.notes


def test_cpu_stays_unknown(one):
    result = one(hardware="Intel Xeon Platinum 8175M", device_hours=1)

    assert "embodied_kg_co2e" in result.plan.nulls
    assert "no_embodied_factor" in result.plan.notes


def test_energy_alone_has_no_hardware(one):
    result = one(energy_kwh=5, energy_boundary="it")

    assert "embodied_kg_co2e" in result.plan.nulls
    assert "no_hardware" in result.plan.notes


def test_measured_energy_with_hours_has_its_hardware(one):
    result = one(energy_kwh=5, energy_boundary="device", hardware=H100, device_hours=35040)

    assert result.plan.method == "measured"
    assert result["embodied_kg_co2e"] == pytest.approx(476.5)


def test_instance_takes_its_share_over_four_years(one):
    result = one(hosting="cloud", provider="aws", instance_type="p4d.24xlarge", instance_hours=35040)

    assert result.bounds("embodied_kg_co2e") == pytest.approx((4676.8, 4676.8, 5600))


def test_override_is_the_whole_of_it(one):
    factors = {"embodied_kg_co2e": 1000, "lifetime_h": 10_000}

    assert one(hardware=H100, device_hours=10, factors=factors).bounds("embodied_kg_co2e") == pytest.approx((1, 1, 1))


def test_override_without_hours_is_said_to_be_unused(one):
    factors = {"embodied_kg_co2e": 1000, "lifetime_h": 10_000}

    result = one(energy_kwh=1, energy_boundary="it", factors=factors)

    assert "embodied_override_unused" in result.plan.notes
