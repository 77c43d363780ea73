"""Hand a meter's energy to those who reserved the hardware (methodology 2.8).

Waits for its caller: no meter is shared between tenants yet; a published case and the law of conservation hold it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Allocated:
    """Parts that sum to what was metered; what nobody reserved stays a line of its own. [kWh]"""

    energy_kwh: Mapping[str, float]
    unallocated_kwh: float


def allocate_idle(idle_kwh: float, active_kwh: Mapping[str, float], reserved: Mapping[str, float]) -> Allocated:
    """
    Add idle energy to each tenant's active energy by what it reserved.

    Args:
        idle_kwh: of hardware on and unused. [kWh]
        active_kwh: tenant to what it used. [kWh]
        reserved: tenant to what it reserved, in any one unit.

    Returns:
        Parts that sum to idle plus active; the last part takes the rounding. Where nobody reserved
        anything, all idle energy is unallocated.

    >>> allocate_idle(30.0, {"a": 50.0, "b": 10.0}, {"a": 2.0, "b": 1.0}).energy_kwh
    {'a': 70.0, 'b': 20.0}
    """
    total = math.fsum(reserved.get(tenant, 0.0) for tenant in active_kwh)
    if not active_kwh or total <= 0.0:
        return Allocated(dict(active_kwh), idle_kwh)
    *others, last = active_kwh
    shares = {tenant: idle_kwh * reserved.get(tenant, 0.0) / total for tenant in others}
    shares[last] = idle_kwh - math.fsum(shares.values())
    return Allocated({tenant: active_kwh[tenant] + shares[tenant] for tenant in active_kwh}, 0.0)
