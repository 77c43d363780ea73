"""Intensities: SCI, ratios over groups, mixes of sources (methodology section 6).

Waits for its caller: pages divide the sums of their own rows so far; published cases hold the formulas.
"""

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
