"""The energy methods beside their published cases: curves, instances, tokens, operations."""

from __future__ import annotations

import dataclasses

import pytest

from core.quantification.energy.tokens import fit_of
from core.quantification.methods import Methodology

H100 = "NVIDIA H100 80GB HBM3"
LLAMA = "meta-llama/Meta-Llama-3.1-8B-Instruct"
NO_PREFILL = dataclasses.replace(Methodology(), version="no-prefill", prefill=False)


def test_accelerator_draws_idle_and_rises_evenly(one):
    result = one(hardware=H100, device_hours=10, device_utilization=0.5)

    assert result["energy_it_kwh"] == pytest.approx((84 + 0.5 * 616) * 10 * 1.35 / 1000)


@pytest.mark.parametrize(("load", "share"), [(0.05, 0.22), (0.3, 0.535), (1.0, 1.02)])
def test_cpu_follows_its_measured_curve(one, load, share):
    result = one(hardware="Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz", device_hours=10, device_utilization=load)

    assert result["energy_it_kwh"] == pytest.approx(240 * share * 10 * 1.35 / 1000)


@pytest.mark.parametrize(("stage", "load"), [("training", 0.85), ("evaluation", 0.6), ("inference", 0.5)])
def test_stage_gives_the_load_that_nobody_observed(one, stage, load):
    result = one(stage=stage, hardware=H100, device_hours=10)

    assert result["energy_it_kwh"] == pytest.approx((84 + load * 616) * 10 * 1.35 / 1000)


def test_known_idle_watts_stand_before_the_default_share(one):
    assert one(hardware="NVIDIA A100-SXM4-80GB", device_hours=1, device_utilization=0)["energy_it_kwh"] == (
        pytest.approx(46 * 1.35 / 1000)
    )


def test_override_of_tdp_makes_unknown_hardware_known(one):
    result = one(hardware="prototype", device_hours=1, device_utilization=1, factors={"device_tdp_w": 1000})

    assert result["energy_it_kwh"] == pytest.approx(1.35)


def test_whole_instance_takes_no_host_factor_and_no_memory(one):
    result = one(hosting="cloud", provider="aws", instance_type="P4D.24xlarge", instance_hours=2)

    assert result["energy_it_kwh"] == pytest.approx(2 * 3.7818)
    assert "host_factor" not in {factor["name"] for factor in result.plan.factors}


def test_cpu_only_instance_adds_memory_and_accelerators(one):
    result = one(hosting="cloud", provider="gcp", instance_type="a2-highgpu-1g", instance_hours=1)

    cpu = (7.67 + 43.71) / 2 / 1000
    accelerator = (46 + 400) / 2 / 1000
    memory = (85 - 98.12 * 12 / 96) * 0.000392
    assert result["energy_it_kwh"] == pytest.approx(cpu + accelerator + memory, rel=1e-6)


def test_instance_without_watts_is_its_accelerators_times_the_host_factor(one):
    result = one(hosting="cloud", provider="aws", instance_type="p5.48xlarge", instance_hours=1)

    assert result["energy_it_kwh"] == pytest.approx(8 * 0.392 * 1.35)
    assert "power_from_accelerators" in result.plan.notes


def test_prefill_counts_fresh_tokens_whole_and_cached_ones_for_a_tenth(one):
    base = {"hosting": "api", "model": LLAMA, "output_tokens": 0}
    per_token = 2 * 8.03e9 / (989e12 * 0.4) * (0.85 * 700 + 150) / 3.6e6

    result = one(input_tokens=1000, cached_input_tokens=400, **base)

    assert result["energy_it_kwh"] == pytest.approx(per_token * (600 + 40))
    assert result["energy_it_kwh_low"] == 0
    assert result["energy_it_kwh_high"] == pytest.approx(2 * per_token * 640)


def test_prefill_can_be_switched_off(one):
    record = {"hosting": "api", "model": LLAMA, "input_tokens": 10**6, "output_tokens": 250}

    with_input = one(methodology=NO_PREFILL, **record)
    without = one(hosting="api", model=LLAMA, output_tokens=250, methodology=NO_PREFILL)

    assert with_input["energy_it_kwh"] == without["energy_it_kwh"]
    assert "prefill_off" in with_input.plan.notes


def test_server_time_replaces_the_formula_of_latency(one, pack):
    modelled = one(hosting="api", model=LLAMA, output_tokens=1000, methodology=NO_PREFILL)
    fit = fit_of(pack)
    seconds = 1000 * (fit.latency_active * 8.03 + fit.latency_batch * 64 + fit.latency_base)

    measured = one(hosting="api", model=LLAMA, output_tokens=1000, generation_s=seconds, methodology=NO_PREFILL)

    assert measured["energy_it_kwh"] == pytest.approx(modelled["energy_it_kwh"])
    assert measured["embodied_kg_co2e"] == pytest.approx(modelled["embodied_kg_co2e"])


def test_quantization_changes_the_number_of_gpus_only(one):
    record = {"hosting": "api", "model": "meta-llama/Meta-Llama-3.1-405B", "output_tokens": 1000}

    full = one(methodology=NO_PREFILL, **record).factor("token_energy")
    small = one(methodology=NO_PREFILL, techniques=("quantized:int4",), **record).factor("token_energy")

    assert (full["gpus_low"], small["gpus_low"]) == (16, 4)
    assert full["value"] == pytest.approx(4 * small["value"])


@pytest.mark.parametrize(
    ("model", "factors", "gsd"),
    [
        (LLAMA, None, 2.0),
        ("o1", None, 2.0),
        (LLAMA, {"model_active_params_b": 8, "model_total_params_b": 8}, 2.0),
    ],
)
def test_spread_of_tokens_by_how_well_the_size_is_known(one, model, factors, gsd):
    result = one(hosting="api", model=model, output_tokens=1000, factors=factors)
    factor = result.factor("token_energy")

    value, low, high = result.bounds("energy_it_kwh")

    assert high / value == pytest.approx(
        2.718281828 ** (((gsd_ln(gsd) * 1.959963984540054) ** 2 + gsd_ln(factor["high"] / factor["value"]) ** 2) ** 0.5)
    )
    assert low < value


def gsd_ln(ratio):
    from math import log

    return log(ratio)


def test_undisclosed_single_figure_is_the_widest(one, pack):
    single = next(
        row["model_name"]
        for row in pack.rows("models")
        if row["params_disclosed"] == "False"
        and row["params_active_b_min"] == row["params_active_b_max"]
        and row["params_total_b_min"] == row["params_total_b_max"]
    )

    value, _, high = one(hosting="api", model=single, output_tokens=1000).bounds("energy_it_kwh")

    assert high / value == pytest.approx(2.75**1.959963984540054)


def test_value_of_a_parameter_range_is_its_middle(one):
    factor = one(hosting="api", provider="openai", model="gpt-4o-mini", output_tokens=1).factor("token_energy")

    assert factor["value"] == pytest.approx((factor["low"] + factor["high"]) / 2)
    assert (factor["active_params_b_low"], factor["active_params_b_high"]) == (8, 28)


@pytest.mark.parametrize(
    ("reported", "catalog"),
    [
        ("GPT-4o-mini", "gpt-4o-mini"),
        ("azure/gpt-4o-mini-audio-preview-2024-12-17", "gpt-4o-mini-audio-preview-2024-12-17"),
        ("mistral.mistral-large-2407-v1:0", "mistral-large-2407"),
        ("my-gateway/claude-sonnet-4-6", "claude-sonnet-4-6"),
        ("Claude4.6Sonnet", "claude-sonnet-4-6"),
        ("Gemini 2.5 Flash", "gemini-2.5-flash"),
        ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Meta-Llama-3.1-8B-Instruct"),
        ("meta.llama3-1-8b-instruct-v1:0", "meta-llama/Meta-Llama-3.1-8B-Instruct"),
        ("gpt-4o-maxi", None),
    ],
)
def test_model_is_known_by_name_alias_pattern_or_spelling(one, reported, catalog):
    assert one(hosting="api", model=reported, output_tokens=1).plan.resolved["model"] == catalog


def test_operations_become_hours_at_the_share_of_peak_that_runs_reach(one):
    result = one(hardware=H100, flops=1e24)

    hours = 1e24 / (989.4e12 * 0.33) / 3600
    assert result["energy_it_kwh"] == pytest.approx((84 + 0.85 * 616) / 1000 * hours * 1.35)
    assert result["embodied_kg_co2e"] == pytest.approx(hours * (164 + 312.5) / 35040)


def test_idle_above_peak_is_no_curve(one):
    result = one(hardware=H100, device_hours=1, factors={"device_idle_w": 701})

    assert result.plan.method is None
    assert "idle_above_peak" in result.plan.notes


def test_interval_of_an_override_widens_the_energy(one):
    given = {"device_tdp_w": {"value": 700, "low": 350, "high": 1400}}

    value, low, high = one(hardware=H100, device_hours=1, factors=given).bounds("energy_it_kwh")

    assert high / value > 1400 / 700 * 0.9
    assert value / low > 700 / 350 * 0.9


@pytest.mark.parametrize(("batch", "wh"), [(1, 0.278), (8, 0.048), (64, 0.0187), (512, 0.014)])
def test_energy_by_batch_is_what_ecologits_gives(one, batch, wh):
    """Llama 3.1 8B, 250 output tokens, without prefill; the peer's figures as printed, hence 1.2 %."""
    served = dataclasses.replace(NO_PREFILL, batch_size=float(batch))

    result = one(hosting="api", model=LLAMA, output_tokens=250, methodology=served)

    assert result["energy_it_kwh"] * 1000 == pytest.approx(wh, rel=0.012)


def test_answer_of_mistral_large_is_what_ecologits_gives(one):
    """400 tokens of Mistral Large 2 on the French mix: 0.353 Wh and 0.047 g with embodied."""
    factors = {"pue": 1.16, "grid_g_co2e_per_kwh": 41.44}
    model = "mistralai/Mistral-Large-Instruct-2407"

    result = one(hosting="api", model=model, output_tokens=400, factors=factors, methodology=NO_PREFILL)

    assert result["energy_facility_kwh"] * 1000 == pytest.approx(0.353, abs=5e-4)
    total_g = (result["location_kg_co2e"] + result["embodied_kg_co2e"]) * 1000
    assert total_g == pytest.approx(0.047, abs=5e-4)


@pytest.mark.parametrize(
    ("reported", "hardware", "assumed"),
    [
        ("H100", "nvidia-h100-sxm5-80gb", True),
        ("NVIDIA A100 80GB", "nvidia-a100-sxm4-80gb", True),
        ("B200", "nvidia-b200", False),
        ("8 x NVIDIA H100 80GB HBM3", "nvidia-h100-sxm5-80gb", False),
        ("T4", "nvidia-t4", False),
        ("NVIDIA", None, False),
        ("H1000", None, False),
    ],
)
def test_short_name_of_hardware_takes_the_most_powerful_variant_and_says_so(one, reported, hardware, assumed):
    plan = one(hardware=reported, device_hours=1).plan

    assert plan.resolved["hardware"] == hardware
    assert ("hardware_variant_assumed" in plan.notes) is assumed
