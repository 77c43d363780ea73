"""Intensities: SCI, ratios over groups, mixes of sources (methodology section 6)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.quantification import units
from core.quantification.water import site_water_l


@dataclass(frozen=True)
class Component:
    """A part of a system: operational and embodied emissions [kg CO2e] and the share that counts."""

    operational_kg: float = 0.0
    embodied_kg: float = 0.0
    share: float = 1.0


def system_kg(components: Sequence[Component]) -> float:
    """Return the emissions of a system: each component's operational and embodied part times its share. [kg CO2e]"""
    return math.fsum(each.share * (each.operational_kg + each.embodied_kg) for each in components)


def sci_kg_per_unit(carbon_kg: float, functional_units: float) -> float | None:
    """
    Return software carbon intensity, a ratio of sums; None where nothing was delivered.

    Source: SCI, ISO/IEC 21031:2024.

    >>> sci_kg_per_unit(6500.0, 50e9)
    1.3e-07
    """
    return carbon_kg / functional_units if functional_units else None


@dataclass(frozen=True)
class Bounded:
    """A sum with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Score:
    """
    Software carbon intensity with its components: SCI = (O + M) / R, O = E x I.

    Args:
        energy_kwh: E, at the facility, PUE included. [kWh]
        intensity_g_co2e_per_kwh: I, location-based, the ratio of the sums O and E; None without energy. [g CO2e/kWh]
        operational_kg, embodied_kg: O and M; M is None where nothing of it is known. [kg CO2e]
        carbon_kg: C, O and what is known of M. [kg CO2e]
        functional_units: R.
        kg_per_unit: the score; None where R is nothing. [kg CO2e per unit]
    """

    energy_kwh: Bounded
    intensity_g_co2e_per_kwh: float | None
    operational_kg: Bounded
    embodied_kg: Bounded | None
    carbon_kg: Bounded
    functional_units: float
    kg_per_unit: Bounded | None


def software_carbon_intensity(
    energy_kwh: Bounded, operational_kg: Bounded, embodied_kg: Bounded | None, functional_units: float
) -> Score:
    """
    Divide a system's emissions by what it delivered, all of them sums over the same records.

    Args:
        energy_kwh, operational_kg, embodied_kg: E, O and M. [kWh, kg CO2e]
        functional_units: R, exact: it has no interval.

    Bounds of O and M add up, as what they share (the activity) is fully correlated (methodology 9.3).

    Source: SCI, ISO/IEC 21031:2024; methodology 6.1 and 6.4.

    >>> sum_of = lambda value: Bounded(value, value / 2, value * 2)
    >>> score = software_carbon_intensity(sum_of(10.0), sum_of(4.0), sum_of(1.0), 1000)
    >>> score.intensity_g_co2e_per_kwh, score.kg_per_unit
    (400.0, Bounded(value=0.005, low=0.0025, high=0.01))
    """
    parts = [operational_kg, *([] if embodied_kg is None else [embodied_kg])]
    carbon = Bounded(*(math.fsum(getattr(part, side) for part in parts) for side in ("value", "low", "high")))
    per_unit = [sci_kg_per_unit(each, functional_units) for each in (carbon.value, carbon.low, carbon.high)]
    known = [each for each in per_unit if each is not None]
    intensity = operational_kg.value * units.G_PER_KG / energy_kwh.value if energy_kwh.value else None
    return Score(
        energy_kwh,
        intensity,
        operational_kg,
        embodied_kg,
        carbon,
        functional_units,
        Bounded(*known) if known else None,
    )


def ratio_of_sums(items: Sequence[tuple[float, float]]) -> float | None:
    """
    Return the intensity of a group of ``(kg, units)``: the sum of kg over the sum of units; None without units.

    >>> round(ratio_of_sums([(100.0, 1000.0), (10.0, 10.0)]), 4)
    0.1089
    """
    quantity = math.fsum(amount for _, amount in items)
    return math.fsum(kg for kg, _ in items) / quantity if quantity else None


def mean_of_ratios(items: Sequence[tuple[float, float]]) -> float:
    """Return the mean of each item's ratio: only to show how far it is from the ratio of sums, never reported."""
    return math.fsum(kg / amount for kg, amount in items) / len(items)


def mix_kg_per_kwh(sources: Sequence[tuple[float, float]], total: float | None = None) -> float:
    """
    Return the intensity of a generation mix from ``(share, kg CO2e/kWh)``.

    Args:
        total: what the shares are parts of; their sum where it is not given. [same unit as the shares]
    """
    whole = math.fsum(share for share, _ in sources) if total is None else total
    return math.fsum(share * kg for share, kg in sources) / whole


@dataclass(frozen=True)
class RequestStack:
    """Energy, emissions and water of one request from its components."""

    energy_wh: float
    requests_per_kwh: float
    water_ml: float | None


def request_stack(
    components_wh: Sequence[tuple[str, float]], *, overhead: str | None = None, wue_l_per_kwh: float | None = None
) -> RequestStack:
    """
    Add the components of a request's energy; water counts per IT kWh, so the overhead component takes none.

    Args:
        components_wh: name and energy. [Wh]
        overhead: the component that is cooling and losses.

    Source: Elsworth et al. 2025 (Gemini); methodology 2.4.
    """
    energy_wh = math.fsum(wh for _, wh in components_wh)
    it_wh = math.fsum(wh for name, wh in components_wh if name != overhead)
    water_ml = None if wue_l_per_kwh is None else site_water_l(it_wh, wue_l_per_kwh)  # Wh x L/kWh is mL
    return RequestStack(energy_wh, units.WH_PER_KWH / energy_wh, water_ml)
