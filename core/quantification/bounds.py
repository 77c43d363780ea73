"""Uncertainty: intervals of factors, products and sums (methodology 9.2-9.4); `intervals` makes those of reported totals.

Every width is a pair of ln half-widths: ``ln(value / low)`` and ``ln(high / value)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final

Z: Final = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""

HalfWidths = tuple[float, float]


def gsd_interval(value: float, gsd: float) -> tuple[float, float]:
    """
    Return the 95 % interval of a lognormal value with geometric standard deviation ``gsd``.

    Source: methodology 9.3.

    >>> low, high = gsd_interval(100.0, 1.3276)
    >>> round(low, 1), round(high, 1)
    (57.4, 174.3)
    """
    if gsd < 1.0:
        raise ValueError(f"a geometric standard deviation is at least 1, not {gsd}")
    width = gsd**Z
    return value / width, value * width


@lru_cache(maxsize=65_536)
def half_widths(value: float, low: float, high: float) -> HalfWidths:
    """
    Return ``(ln(value/low), ln(high/value))``; a low of 0 is an infinite width below.

    >>> half_widths(10.0, 0.0, 10.0)
    (inf, 0.0)
    """
    if value == 0.0 and low == 0.0 and high == 0.0:
        return 0.0, 0.0
    if not 0.0 <= low <= value <= high or value <= 0.0:
        raise ValueError(f"not an interval around a positive value: {low} .. {value} .. {high}")
    below = math.inf if low == 0.0 else math.log(value / low)
    return below, math.log(high / value)


def combine(widths: Iterable[HalfWidths]) -> HalfWidths:
    """
    Combine independent half-widths as root of the sum of squares, below and above apart.

    >>> combine([(0.3, 0.0), (0.4, 0.5)])
    (0.5, 0.5)
    """
    pairs = list(widths)
    return math.hypot(*(pair[0] for pair in pairs)), math.hypot(*(pair[1] for pair in pairs))


def lognormal_product(median: float, gsds: Sequence[float]) -> dict[str, float]:
    """
    Return spread, 95 % interval and mean of a product of independent lognormal factors.

    Source: methodology 9.3.

    >>> round(lognormal_product(100.0, [1.3, 1.05, 1.10])["gsd"], 4)
    1.3276
    """
    sigma, _ = combine((math.log(gsd), math.log(gsd)) for gsd in gsds)
    gsd = math.exp(sigma)
    low, high = gsd_interval(median, gsd)
    return {"gsd": gsd, "p2_5": low, "p97_5": high, "mean": median * math.exp(sigma**2 / 2)}


def lognormal_sum(items: Sequence[tuple[float, float]]) -> dict[str, float]:
    """
    Return mean, median, spread and 95 % interval of a sum of independent lognormals, each ``(median, gsd)``.

    Source: Fenton-Wilkinson (methodology 9.4); good to about GSD 1.5.

    >>> total = lognormal_sum([(100.0, 1.1), (50.0, 2.0), (10.0, 3.0)])
    >>> round(total["p2_5"], 1), round(total["p97_5"], 1)
    (94.5, 319.4)
    """
    sigmas = [math.log(gsd) for _, gsd in items]
    means = [median * math.exp(sigma**2 / 2) for (median, _), sigma in zip(items, sigmas, strict=True)]
    mean = math.fsum(means)
    if mean == 0.0:
        return {"mean": 0.0, "median": 0.0, "gsd": 1.0, "p2_5": 0.0, "p97_5": 0.0}
    variance = math.fsum(math.expm1(sigma**2) * each**2 for each, sigma in zip(means, sigmas, strict=True))
    sigma = math.sqrt(math.log1p(variance / mean**2))
    median = mean * math.exp(-(sigma**2) / 2)
    return {
        "mean": mean,
        "median": median,
        "gsd": math.exp(sigma),
        "p2_5": median * math.exp(-Z * sigma),
        "p97_5": median * math.exp(Z * sigma),
    }
