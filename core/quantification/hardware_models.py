"""Published models of hardware by its parts: a CPU's power, servers and chips (methodology 2.2, 4.2).

Waits for its caller: the catalog holds totals only so far; published cases hold the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def node_power_w(components: Sequence[tuple[float, float]]) -> float:
    """
    Return the power of a node from its components, each ``(count, W of one)``.

    >>> node_power_w([(8, 700.0), (2, 350.0)])
    6300.0
    """
    return math.fsum(count * watts for count, watts in components)


def log_power_w(a: float, b: float, c: float, d: float, load_percent: float) -> float:
    """
    Return a server CPU's power from its fitted consumption profile.

    Source: Boavizta; Xeon Platinum a 171.1813, b 0.0354, c 36.8953, d -10.1336.

    >>> round(log_power_w(171.1813, 0.0354, 36.8953, -10.1336, 50), 2)
    182.22
    """
    return a * math.log(b * (load_percent + c)) + d


def server_embodied_kg(
    baseline_kg: float,
    *,
    vcpus: float = 1,
    per_vcpu_kg: float = 0.0,
    memory_gb: float = 16,
    per_gb_kg: float = 0.0,
    parts: Sequence[tuple[float, float]] = (),
) -> float:
    """
    Return the embodied emissions of a server that grows from a base of one vCPU and 16 GB.

    Args:
        parts: ``(count, kg each)`` of SSDs, HDDs, GPUs.

    Source: Cloud Carbon Footprint; Impact Framework (methodology 4.2).
    """
    grown = baseline_kg + (vcpus - 1) * per_vcpu_kg + (memory_gb - 16) * per_gb_kg
    return grown + sum(count * each for count, each in parts)


def die_impact(size: float, per_size: float, base: float, units: float = 1) -> float:
    """
    Return the impact of chips from their die area (mm2, or cm2 for memory).

    Source: Boavizta bottom-up model (methodology 4.2).

    >>> round(die_impact(294, 0.0197, 9.14), 2)
    14.93
    """
    return units * (size * per_size + base)
