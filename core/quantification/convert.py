"""Unit conversions by exact constants, and equivalences (methodology section 11).

Waits for its caller: every unit inside is fixed and no equivalence is shown yet; published cases hold the formulas.
"""

from __future__ import annotations

from typing import Final

from core.quantification import units

_SCALES: Final[dict[str, dict[str, float]]] = {
    "mass": {
        "g": 1 / units.G_PER_KG,
        "kg": 1.0,
        "t": float(units.KG_PER_T),
        "lb": units.KG_PER_LB,
        "short_ton": units.KG_PER_SHORT_TON,
    },
    "intensity": {
        "g/kWh": 1 / units.G_PER_KG,
        "kg/kWh": 1.0,
        "t/MWh": 1.0,
        "lb/MWh": units.KG_PER_LB / 1000,
        "lb/kWh": units.KG_PER_LB,
    },
    "energy": {
        "J": 1 / units.J_PER_KWH,
        "MJ": 1 / units.MJ_PER_KWH,
        "Wh": 1 / units.WH_PER_KWH,
        "kWh": 1.0,
        "MWh": 1e3,
        "GWh": 1e6,
    },
}
"""Dimension to unit to how many kg, kg/kWh or kWh it is."""


class UnknownUnit(ValueError):  # said in the words of the product
    """A unit that is not in the table, or two units that measure different things."""


def convert(value: float, from_unit: str, to_unit: str) -> float:
    """
    Convert a value between units of one dimension.

    Raises:
        UnknownUnit: never a guess.

    >>> round(convert(626155, "lb", "t"), 1)
    284.0
    """
    for scales in _SCALES.values():
        if from_unit in scales and to_unit in scales:
            return value * scales[from_unit] / scales[to_unit]
    raise UnknownUnit(f"cannot convert {from_unit!r} to {to_unit!r}")


def equivalence_count(emissions_kg: float, kg_per_unit: float) -> float:
    """
    Return how many of something the emissions equal. Shown with edition and at most two significant figures.

    >>> equivalence_count(100.0, 25.0)
    4.0
    """
    return emissions_kg / kg_per_unit


def vehicle_kg_per_mile(kg_per_gallon: float, miles_per_gallon: float, co2_share: float) -> float:
    """
    Return the CO2e of a mile by car from its fuel's CO2 and the share of CO2 in CO2e.

    Source: EPA greenhouse gas equivalencies.

    >>> round(vehicle_kg_per_mile(8.89, 22.0, 0.988), 3)
    0.409
    """
    return kg_per_gallon / miles_per_gallon / co2_share
