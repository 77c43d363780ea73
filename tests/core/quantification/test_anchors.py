"""Worked figures that the methodology prints, on its pages too: the same numbers to the last printed digit."""

from __future__ import annotations

import dataclasses

import pytest

from core.quantification.bounds import lognormal_product
from core.quantification.intensity import ratio_of_sums
from core.quantification.methods import Methodology

NO_PREFILL = dataclasses.replace(Methodology(), version="no-prefill", prefill=False)
CLOSE = 5e-5


def test_anchor_1_tokens_of_a_dense_model(one):
    factors = {"grid_g_co2e_per_kwh": 384.4, "pue": 1.12, "wue_l_per_kwh": 0.2, "grid_water_l_per_kwh": 3.1321}
    model = "meta-llama/Meta-Llama-3.1-8B-Instruct"

    result = one(hosting="api", model=model, output_tokens=250, factors=factors, methodology=NO_PREFILL)

    assert result.plan.method == "tokens"
    assert result["energy_facility_kwh"] == pytest.approx(2.0811e-05, rel=CLOSE)
    assert result["location_kg_co2e"] == pytest.approx(7.9997e-06, rel=CLOSE)
    assert result["embodied_kg_co2e"] == pytest.approx(1.8264e-06, rel=CLOSE)
    assert result["water_l"] == pytest.approx(6.890e-05, rel=CLOSE)


def test_anchor_2_device_hours(one):
    factors = {"device_idle_w": 84, "device_tdp_w": 700, "pue": 1.15, "grid_g_co2e_per_kwh": 400}

    result = one(hardware="NVIDIA H100 80GB HBM3", device_hours=800, device_utilization=0.85, factors=factors)

    assert result["energy_it_kwh"] == pytest.approx(656.208)
    assert result["energy_facility_kwh"] == pytest.approx(754.6392)
    assert result["location_kg_co2e"] == pytest.approx(301.85568)


def test_anchor_3_a_lower_pue_saves_its_share_of_facility_energy(one):
    before, after = (one(energy_kwh=10, energy_boundary="it", factors={"pue": pue}) for pue in (1.3, 1.2))

    assert 1 - after["energy_facility_kwh"] / before["energy_facility_kwh"] == pytest.approx(0.0769, abs=5e-5)


def test_anchor_4_an_intensity_is_a_ratio_of_sums():
    assert ratio_of_sums([(100, 1000), (10, 10)]) == pytest.approx(0.1089, abs=5e-5)


@pytest.mark.parametrize(
    ("boundary", "it_kwh", "facility_kwh"), [("device", 13.5, 16.2), ("it", 10, 12), ("facility", 8.333333, 10)]
)
def test_anchor_5_each_boundary_goes_one_way_up(one, boundary, it_kwh, facility_kwh):
    result = one(energy_kwh=10, energy_boundary=boundary, factors={"pue": 1.2})

    assert result["energy_it_kwh"] == pytest.approx(it_kwh)
    assert result["energy_facility_kwh"] == pytest.approx(facility_kwh)


def test_anchor_6_spreads_combine_as_root_of_squares(one):
    product = lognormal_product(100, [1.3, 1.05, 1.10])

    assert product["gsd"] == pytest.approx(1.3276, abs=5e-5)
    assert product["p2_5"] == pytest.approx(57.4, abs=0.05)
    assert product["p97_5"] == pytest.approx(174.3, abs=0.05)
    # The same three spreads in the engine: default load, a provider's PUE, a factor of another year.
    result = one(
        hosting="cloud",
        provider="aws",
        region="eu-central-1",
        hardware="NVIDIA H100 80GB HBM3",
        device_hours=1,
    )
    value, low, high = result.bounds("location_kg_co2e")
    assert (low / value, high / value) == pytest.approx((0.574, 1.743), abs=5e-4)


def test_upstream_is_fuel_and_what_the_grid_loses(one):
    """Germany 2023, losses of 5 %: 34.6 and 19.14 g for each kWh at the meter."""
    record = {"energy_kwh": 800, "energy_boundary": "it", "zone": "DE"}

    result = one(**record, factors={"pue": 1.25, "grid_loss_fraction": 0.05})

    assert result["upstream_kg_co2e"] == pytest.approx(34.6 + 19.14, abs=5e-3)


def test_hardware_is_the_accelerator_with_its_part_of_the_server(one):
    """An H100 held for 100 hours: 164 kg and an eighth of 2,500 kg over 35,040 hours."""
    assert one(hardware="NVIDIA H100 80GB HBM3", device_hours=100)["embodied_kg_co2e"] == pytest.approx(1.36, abs=5e-4)


def test_operations_take_a_third_of_the_peak_rate(one):
    """8 B parameters, 15 T tokens: 7.2e23 operations at 989.4e12 x 0.33 a second, 607.6 W at 85 % load."""
    result = one(hardware="NVIDIA H100 80GB HBM3", flops=7.2e23)

    assert result["energy_it_kwh"] == pytest.approx(612_553.7 * 0.6076 * 1.35, rel=1e-6)


@pytest.mark.parametrize(("load", "share"), [(0.0, 0.12), (0.1, 0.32), (0.5, 0.75), (1.0, 1.02)])
def test_cpu_draws_its_share_of_tdp_at_each_knot(one, load, share):
    result = one(hardware="Intel Xeon Platinum 8175M", device_hours=1000, device_utilization=load)

    assert result["energy_it_kwh"] == pytest.approx(240 * share * 1.35)


def test_training_without_an_observed_load_draws_as_at_85_percent(one):
    """84 W idle, 700 W at most: 607.6 W."""
    result = one(stage="training", hardware="NVIDIA H100 80GB HBM3", device_hours=1000)

    assert result["energy_it_kwh"] == pytest.approx(607.6 * 1.35)


def test_instance_without_published_watts_is_its_accelerators_with_their_host(one):
    """Eight H100 at half load, 392 W each."""
    result = one(hosting="cloud", provider="aws", instance_type="p5.48xlarge", instance_hours=1000)

    assert result["energy_it_kwh"] == pytest.approx(8 * 392 * 1.35)


def test_prompt_takes_two_operations_a_parameter_and_cached_ones_a_tenth(one):
    """8.03 B parameters at 989e12 x 0.4 operations a second and 745 W: 8.4013e-9 kWh a token."""
    model = "meta-llama/Meta-Llama-3.1-8B-Instruct"

    result = one(hosting="api", model=model, output_tokens=0, input_tokens=1_000_000, cached_input_tokens=400_000)

    assert result["energy_it_kwh"] == pytest.approx(8.4013e-9 * (600_000 + 40_000), rel=CLOSE)
