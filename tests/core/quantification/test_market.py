"""Market-based rates without instruments, joined on read."""

from __future__ import annotations

import pandas as pd
import pytest

from core.quantification.market import join_market
from core.quantification.pack import pack_from_tables

RESIDUAL = (
    b"zone_id,year,g_per_kwh,gas_basis,boundary,preferred,source\n"
    b"DE,2024,700,CO2,direct,True,a register\nAT,2024,,CO2,direct,True,a register\n"
)


@pytest.fixture(scope="session")
def with_residual(pack):
    return pack_from_tables("with residual mix", {**pack.blobs, "grid_residual_mix--test": RESIDUAL})


def energy(one, **record):
    return one(energy_kwh=1000, energy_boundary="facility", **record)


def test_without_any_market_factor_market_equals_location(one):
    result = energy(one, zone="DE")

    assert result.bounds("market_kg_co2e") == result.bounds("location_kg_co2e")
    assert result.factor("grid_market")["match"] == "exact"
    assert "no_market_factor" in result.plan.notes


def test_residual_mix_stands_before_location(one, with_residual):
    result = energy(one, zone="DE", within=with_residual)

    assert result["market_kg_co2e"] == pytest.approx(700)
    assert result.plan.market_key == "residual:DE"
    assert "no_market_factor" not in result.plan.notes


def test_residual_mix_that_is_not_calculated_is_missing_and_never_zero(one, with_residual):
    result = energy(one, zone="AT", within=with_residual)

    assert result["market_kg_co2e"] == result["location_kg_co2e"] > 0


def test_cloud_takes_what_its_provider_states_for_the_region(one):
    result = energy(one, hosting="cloud", provider="aws", region="eu-north-1")

    assert result.bounds("market_kg_co2e") == (0, 0, 0)
    assert result.plan.market_key == "provider:aws:eu-north-1"
    assert result.factor("grid_market")["match"] == "region"


def test_override_of_the_market_leaves_location_alone(one):
    result = energy(one, zone="DE", factors={"market_g_co2e_per_kwh": 50})

    assert (result["market_kg_co2e"], result["location_kg_co2e"]) == pytest.approx((50, 329))


def test_joined_rate_gives_the_same_figure_as_the_plan(one):
    result = one(energy_kwh=100, energy_boundary="device", zone="DE")
    rate = result.plan.market_rate
    energy_kwh = pd.DataFrame([result.bounds("energy_facility_kwh")], columns=["value", "low", "high"])
    rates = pd.DataFrame([[rate.value, rate.low, rate.high]], columns=["value", "low", "high"])

    joined = join_market(energy_kwh, rates)

    assert joined.iloc[0].tolist() == pytest.approx(result.bounds("market_kg_co2e"))


def test_joined_rate_of_zero_is_zero():
    zero = pd.DataFrame([[0.0, 0.0, 0.0]], columns=["value", "low", "high"])
    some = pd.DataFrame([[2.0, 1.0, 4.0]], columns=["value", "low", "high"])

    assert join_market(some, zero).iloc[0].tolist() == [0, 0, 0]
