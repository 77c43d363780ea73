"""Power that an agent samples, integrated to energy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from core.quantification import units

LONGEST_STEP_S: Final = 300.0
"""Between samples further apart nothing is assumed: that time is not covered."""


@dataclass(frozen=True)
class Integral:
    """
    What samples of power say together.

    Args:
        energy_kwh: by trapezoids between neighbouring samples.
        covered_s: time between them; gaps are not in it.
        gaps: how many pairs of neighbours lie too far apart.
    """

    energy_kwh: float
    covered_s: float
    gaps: int


def integrate(samples: Iterable[tuple[float, float]]) -> Integral:
    """
    Integrate samples of power over time; of two at one time the first counts.

    Args:
        samples: (time, power), in any order. [s, W]

    >>> integrate([(0, 100.0), (10, 300.0), (20, 300.0)]).energy_kwh == (2000 + 3000) / 3.6e6
    True
    """
    ordered: dict[float, float] = {}
    for at_s, watts in samples:
        ordered.setdefault(at_s, watts)
    points = sorted(ordered.items())
    joules = covered_s = 0.0
    gaps = 0
    for (start_s, before_w), (end_s, after_w) in pairwise(points):
        length_s = end_s - start_s
        if length_s > LONGEST_STEP_S:
            gaps += 1
            continue
        joules += (before_w + after_w) / 2 * length_s
        covered_s += length_s
    return Integral(joules / units.J_PER_KWH, covered_s, gaps)
