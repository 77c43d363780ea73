"""Energy that a measure saves or costs: a factor on the energy of a use, with the interval of its source."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Final

from core.quantification.factor import Factor
from core.quantification.overrides import Override
from core.quantification.terms import Product
from core.quantification.use import Energy

ENERGY_SCALE: Final = "energy_scale"
"""Name among the numbers given to a use: what its energy is multiplied by."""

Interval = tuple[float, float, float]
"""Value, low, high."""


def scale_of(saving: Interval) -> Interval:
    """
    Return what energy is multiplied by where a share of it is saved; a negative saving costs energy.

    Args:
        saving: share of the energy, below 1: central, low, high. [1]

    >>> scale_of((0.25, -0.5, 0.5))
    (0.75, 0.5, 1.5)
    """
    value, low, high = saving
    return 1.0 - value, 1.0 - high, 1.0 - low


def multiplied(first: Interval, second: Interval) -> Interval:
    """
    Multiply two independent positive factors: ln half-widths add up as squares, below and above apart (methodology 9.3).

    >>> [round(each, 6) for each in multiplied((0.5, 0.5, 1.0), (0.8, 0.4, 0.8))]
    [0.4, 0.2, 0.8]
    """
    value = first[0] * second[0]
    below = math.hypot(math.log(first[0] / first[1]), math.log(second[0] / second[1]))
    above = math.hypot(math.log(first[2] / first[0]), math.log(second[2] / second[0]))
    return value, value * math.exp(-below), value * math.exp(above)


def scale_factor(scale: Override) -> Factor:
    """Return the scale as the factor that formulas and explanations name."""
    return Factor(
        id=scale.id,
        name=ENERGY_SCALE,
        value=scale.value,
        low=scale.low,
        high=scale.high,
        unit="1",
        source=scale.source,
        valid_from=scale.valid_from,
        match=scale.match,
    )


def scaled_energy(energy: Energy, factor: Factor) -> Energy:
    """Multiply every term of a use's energy; hardware and whatever else does not follow from energy stays as it is."""
    product = Product.of(factor)
    terms = tuple(replace(term, energy=term.energy * product) for term in energy.terms)
    return replace(energy, terms=terms, listed=(*energy.listed, factor) if energy.listed else ())
