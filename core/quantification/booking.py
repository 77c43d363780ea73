"""The two bookings of the same activity, and the bridge between them (methodology 4.4). Integers in, integers out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

LESS_AMORTISED: Final = "less_amortised_own_hardware"
PURCHASES: Final = "plus_purchases"
DISPOSAL: Final = "plus_disposal"
FUEL: Final = "plus_fuel"
REFRIGERANT: Final = "plus_refrigerant"
UNALLOCATED: Final = "plus_unallocated_electricity"
SELF_GENERATED: Final = "less_self_generated"
MARKET: Final = "plus_market_less_location"

STEPS: Final = (LESS_AMORTISED, PURCHASES, DISPOSAL, FUEL, REFRIGERANT, UNALLOCATED, SELF_GENERATED, MARKET)
"""Every step from *operations and life cycle* to *as disclosed*, in the order in which it is shown."""


@dataclass(frozen=True)
class Bridge:
    """
    How *operations and life cycle* becomes *as disclosed* over one period.

    Attributes:
        life_cycle_nkg: location-based electricity, upstream, and the amortised share of all hardware. [1e-9 kg CO2e]
        steps: signed amounts by name of ``STEPS``, in that order; those that nothing was entered for are 0. [1e-9 kg CO2e]
        disclosed_nkg: exactly the sum of both. [1e-9 kg CO2e]
    """

    life_cycle_nkg: int
    steps: Mapping[str, int]
    disclosed_nkg: int


def bridge(
    *,
    location_nkg: int,
    upstream_nkg: int,
    embodied_nkg: int,
    embodied_own_nkg: int,
    market_nkg: int | None,
    register_nkg: Mapping[str, int],
) -> Bridge:
    """
    Lead from one booking to the other, summing exactly.

    Args:
        location_nkg, upstream_nkg, embodied_nkg: of the records. [1e-9 kg CO2e]
        embodied_own_nkg: the part of the embodied share that is of owned hardware: it leaves. [1e-9 kg CO2e]
        market_nkg: of the records; None where the location-based total is shown. [1e-9 kg CO2e]
        register_nkg: signed amounts of register entries, by name of ``STEPS``. [1e-9 kg CO2e]

    Raises:
        KeyError: an amount that is no step of its own.

    >>> two = bridge(location_nkg=900, upstream_nkg=50, embodied_nkg=50, embodied_own_nkg=40, market_nkg=None,
    ...              register_nkg={"plus_purchases": 500})
    >>> two.life_cycle_nkg, two.disclosed_nkg
    (1000, 1460)
    """
    unknown = set(register_nkg) - set(STEPS) | set(register_nkg) & {LESS_AMORTISED, MARKET}
    if unknown:
        raise KeyError(f"no steps that the register fills: {', '.join(sorted(unknown))}")
    life_cycle = location_nkg + upstream_nkg + embodied_nkg
    steps = {name: register_nkg.get(name, 0) for name in STEPS}
    steps[LESS_AMORTISED] = -embodied_own_nkg
    steps[MARKET] = 0 if market_nkg is None else market_nkg - location_nkg
    return Bridge(life_cycle, steps, life_cycle + sum(steps.values()))
