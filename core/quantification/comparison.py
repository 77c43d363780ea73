"""Comparisons of options that overlap: which is better once what they share is taken out (methodology 9.5)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

QUANTILES: Final = (0.025, 0.975)


@dataclass(frozen=True)
class Option:
    """
    Something to compare.

    Args:
        name: of the option.
        kg_per_unit: its intensity. [kg CO2e / unit]
        draws: of its intensity; the same draw of two options has the same error of what they share. [draws]
    """

    name: str
    kg_per_unit: float
    draws: Floats


@dataclass(frozen=True)
class Against:
    """Another option's intensity divided by the best one's, with its 95 % interval."""

    name: str
    ratio: float
    low: float
    high: float

    @property
    def distinguishable(self) -> bool:
        """Tell whether the best is better in the whole interval."""
        return self.low > 1.0


@dataclass(frozen=True)
class Comparison:
    """
    The result: the best option, and all others against it, the next best first.

    `distinguishable` only where the best is better than every other one.
    """

    best: str
    others: tuple[Against, ...]

    @property
    def distinguishable(self) -> bool:
        """Tell whether a best option may be named."""
        return all(each.distinguishable for each in self.others)


def compare(options: Sequence[Option]) -> Comparison | None:
    """
    Compare intensities by their ratios, draw by draw, so that shared errors cancel; None for fewer than two.

    Options that share all their errors have one ratio in every draw:

    >>> draws = np.array([1.0, 2.0, 8.0])
    >>> compare([Option("a", 2.0, 2 * draws), Option("b", 3.0, 3 * draws)]).others
    (Against(name='b', ratio=1.5, low=1.5, high=1.5),)
    """
    known = sorted((each for each in options if each.kg_per_unit > 0.0), key=lambda each: (each.kg_per_unit, each.name))
    if len(known) < 2:
        return None
    best, *others = known
    return Comparison(best.name, tuple(_against(each, best) for each in others))


def _against(option: Option, best: Option) -> Against:
    ratios = option.draws / best.draws
    low, high = (float(each) for each in np.quantile(ratios, QUANTILES))
    ratio = option.kg_per_unit / best.kg_per_unit
    return Against(option.name, ratio, min(low, ratio), max(high, ratio))
