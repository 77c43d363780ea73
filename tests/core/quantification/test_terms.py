"""Products: the coefficients of a plan, made by the same formulas that take numbers."""

from __future__ import annotations

import pandas as pd
import pytest

from core.quantification.embodied import embodied_share
from core.quantification.energy.device import hours_energy_kwh
from core.quantification.energy.flops import flop_device_hours
from core.quantification.energy.instance import memory_energy_kwh
from core.quantification.factor import Factor
from core.quantification.market import market_based_kg_co2e
from core.quantification.operational import (
    facility_energy_kwh,
    it_energy_kwh,
    it_of_facility_kwh,
    location_based_kg_co2e,
    upstream_kg_co2e,
)
from core.quantification.terms import Product, multiply
from core.quantification.water import grid_resources, grid_water_l, site_water_l

FORMULAS = [
    embodied_share,
    facility_energy_kwh,
    flop_device_hours,
    grid_resources,
    grid_water_l,
    hours_energy_kwh,
    it_energy_kwh,
    it_of_facility_kwh,
    location_based_kg_co2e,
    market_based_kg_co2e,
    memory_energy_kwh,
    site_water_l,
    upstream_kg_co2e,
]
NUMBERS = (12.0, 1.5, 250.0)


def factor(value: float) -> Factor:
    return Factor("a", "a", value, value / 2, value * 2, "1", "a test", None, "default")


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda each: each.__name__)
def test_formula_means_the_same_for_numbers_series_and_products(formula):
    given = NUMBERS[: 3 if formula is embodied_share else 2]

    number = formula(*given)
    series = formula(*(pd.Series([each, each]) for each in given))
    product = formula(*(Product.of(factor(each)) for each in given))

    assert series.tolist() == [number, number]
    value, low, high = multiply(product)
    assert value == pytest.approx(number, rel=1e-15)
    assert low < value < high
    assert [each.value for each, _ in product.inputs] == list(given)


def test_what_divides_turns_its_powers_around():
    a, b = factor(6.0), factor(3.0)

    ratio = Product.of(a) / (Product.of(b) * 2.0)

    assert ratio.inputs == ((a, 1), (b, -1))
    assert multiply(ratio)[0] == 1.0
