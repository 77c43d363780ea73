"""Market-based rates without instruments, joined on read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import core.accounting
import core.quantification
from core.quantification.factor import NAMES
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


@pytest.mark.parametrize(
    "record", [{"zone": "DE"}, {"zone": "FR", "hosting": "cloud", "provider": "aws", "region": "eu-west-3"}]
)
def test_marginal_signals_reach_no_figure(one, pack, record):
    """They answer what one kWh more would cause (methodology 3.5), so a table of them beside the others changes nothing."""
    marginal = (
        b"zone_id,year,g_per_kwh,gas_basis,boundary,preferred,source\n"
        b"DE,2026,9999,CO2e,direct,True,a signal\nFR,2026,9999,CO2e,direct,True,a signal\n"
    )
    with_signal = pack_from_tables("with a signal", {**pack.blobs, "grid_marginal--test": marginal})

    plain, beside = energy(one, **record), energy(one, within=with_signal, **record)

    assert [factor["value"] for factor in beside.plan.factors] == [factor["value"] for factor in plain.plan.factors]
    assert np.array_equal(beside.plan.base, plain.plan.base, equal_nan=True)
    assert {name: values.tolist() for name, values in beside.plan.coefficients.items()} == {
        name: values.tolist() for name, values in plain.plan.coefficients.items()
    }


def test_no_factor_and_no_code_of_figures_knows_marginal_rows():
    sources = [
        path for package in (core.quantification, core.accounting) for path in Path(package.__path__[0]).rglob("*.py")
    ]

    assert len(sources) > 50
    assert [path.name for path in sources if "grid_marginal" in path.read_text()] == []
    assert [name for name in NAMES if "marginal" in name] == []
