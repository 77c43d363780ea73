"""Every number that leaves the core carries its unit, and the units are the fixed ones (law 10 of the architecture)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from core.factors.pack import load_pack
from core.quantification.activity import MEASURES
from core.quantification.answer import answer
from core.quantification.methods import Methodology
from core.quantification.quantify import COLUMNS, INTEGER_COLUMNS, quantify
from tests.strategies import cells

PACK = load_pack()
METHOD = Methodology()

FIXED = ("_kwh", "_kg_co2e", "_l", "_mj", "_kg_sbeq")
STORED = ("_pkwh", "_nkg", "_nl", "_nmj")
SCALES = {
    "data_quality",
    "year",
    "age_years",
    "power",
    "batch_size",
    "quantization_bits",
    "gpus_low",
    "gpus_high",
    "gsd",
}
"""Scores, years, counts and ratios: numbers without a unit, by the name that says so."""
NAMED = ("_params_b_low", "_params_b_high", "_w", "_per_unit")
"""Details of a factor whose name ends in the unit, or that are conversions."""


Found = tuple[tuple[str, ...], str | None]


def numbers(value: object, path: tuple[str, ...] = (), unit: str | None = None) -> Iterator[Found]:
    """Walk plain values; give each number's path and the ``unit`` that stands beside it, in its own object."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from numbers(each, (*path, name), value.get("unit"))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from numbers(each, path, unit)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, unit


def has_unit(path: tuple[str, ...], unit: str | None) -> bool:
    own = path[-1]
    if own in SCALES or own.endswith((*FIXED, *NAMED)):
        return True
    if own in {"value", "low", "high"}:
        return bool(unit) or path[-2].endswith(FIXED)
    return False


@pytest.mark.slow
@given(cells(max_series=3, max_cells=1))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_number_of_an_answer_carries_its_unit(activity):
    result = quantify(activity, PACK)

    for code, row in zip(result.code, result.impacts.to_numpy(), strict=True):
        for path, unit in numbers(answer("r", result.plans[code], row, PACK, METHOD)):
            assert has_unit(path, unit), f"{'.'.join(path)} has no unit"


def test_a_number_without_a_unit_would_be_found():
    found = list(
        numbers(
            {"impacts": {"location_kg_co2e": {"value": 1.0}}, "factors": [{"value": 2.0}, {"value": 3.0, "unit": "h"}]}
        )
    )

    assert [has_unit(*each) for each in found] == [True, False, True]


@pytest.mark.slow
@given(cells(max_series=2, max_cells=1))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_coefficient_of_a_term_carries_its_unit(activity):
    for plan in quantify(activity, PACK).plans:
        for term in plan.terms:
            assert term.impact.endswith(FIXED)
            assert all(factor.unit for factor, _ in term.inputs)


@pytest.mark.parametrize("column", COLUMNS)
def test_impacts_are_named_by_their_fixed_unit(column):
    assert column.removesuffix("_low").removesuffix("_high").endswith(FIXED)


@pytest.mark.parametrize("column", INTEGER_COLUMNS)
def test_stored_impacts_are_named_by_their_integer_unit(column):
    assert column.removesuffix("_low").removesuffix("_high").endswith(STORED)


PER_UNIT = {"1": 1, "h": 10**9, "s": 10**9, "kWh": 10**12, "L": 10**9, "kg CO2e": 10**9, "GFLOP": 1}
"""Stored integers in one unit, of architecture.md section 4."""


@pytest.mark.parametrize("measure", MEASURES, ids=lambda measure: measure.column)
def test_measures_say_their_unit_and_its_integers(measure):
    assert measure.unit
    assert measure.per_unit == PER_UNIT.get(measure.unit, 10**9)


def test_columns_hold_what_their_units_say(one):
    """By hand: 1 kWh at the facility's meter and 400 g/kWh are 0.4 kg, in the units that the columns say."""
    result = one(energy_kwh=1.0, energy_boundary="facility", zone="DE", factors={"grid_g_co2e_per_kwh": 400.0})

    assert result["energy_facility_kwh"] == pytest.approx(1.0)
    assert result["location_kg_co2e"] == pytest.approx(0.4)
