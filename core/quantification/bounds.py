"""Uncertainty: intervals of factors, products and sums, and the interval of a reported total (methodology 9.2-9.4).

Every width is a pair of ln half-widths: ``ln(value / low)`` and ``ln(high / value)``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
import pandas as pd

Z: Final = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""

MONTE_CARLO_DRAWS: Final = 10_000
MATERIAL_SHARE: Final = 0.2
CLOSED_FORM_MAX_GSD: Final = 2.0

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


@dataclass(frozen=True)
class ReportedInterval:
    """A reported figure: the plain sum, its 95 % interval, and how the interval was made."""

    value: float
    low: float
    high: float
    rule: Literal["plain", "closed_form", "monte_carlo"]


REPORTED_COLUMNS: Final = (
    "value",
    "low",
    "high",
    "group",
    "zone_group",
    "grid_below",
    "grid_above",
    "pue_below",
    "pue_above",
)
"""Columns of the items of `reported_interval`."""


def reported_interval(items: pd.DataFrame, *, seed: int) -> ReportedInterval:
    """
    Make the interval of a total so that a shared error stays shared (methodology 9.4).

    Steps: items of one ``group`` (method x family) in one ``zone_group`` add up without the widths of grid and PUE;
    groups combine inside the zone as independent; the zone's shared widths multiply; zones combine as independent.
    Where a group that is more than a fifth of the total has a GSD above 2, 10,000 lognormal draws take the place of
    the closed form. The value is always the plain sum, and the interval contains it.

    Args:
        items: columns ``REPORTED_COLUMNS``: sums with their bounds, shared widths included, and the ln half-widths of
            grid and PUE that the zone shares (0 where the figure does not hold them). Nulls must be left out before.
        seed: of the draws, such as a number from the inventory's id; the same seed gives the same interval.

    Returns:
        value, low and high in the unit of the items.
    """
    positive = items[items["value"] > 0.0]
    value = math.fsum(items["value"])
    if positive.empty or value <= 0.0:
        return ReportedInterval(value, math.fsum(items["low"]), math.fsum(items["high"]), "plain")
    own = _own_bounds(positive)
    groups = own.groupby(["zone_group", "group"], sort=True, dropna=False)[["value", "own_low", "own_high"]].sum()
    shared = _shared_widths(positive)
    if _needs_simulation(groups, value):
        low, high = _simulated(groups, shared, seed)
        rule: Literal["closed_form", "monte_carlo"] = "monte_carlo"
    else:
        low, high = _closed_form(groups, shared)
        rule = "closed_form"
    return ReportedInterval(value, min(low, value), max(high, value), rule)


def _own_bounds(items: pd.DataFrame) -> pd.DataFrame:
    """Take the shared widths out of each item's bounds, in quadrature."""
    value, low, high = (items[name].to_numpy(float) for name in ("value", "low", "high"))
    with np.errstate(divide="ignore"):
        below = np.log(value) - np.log(np.maximum(low, 0.0))
        above = np.log(high) - np.log(value)
    shared_below = np.hypot(items["grid_below"].to_numpy(float), items["pue_below"].to_numpy(float))
    shared_above = np.hypot(items["grid_above"].to_numpy(float), items["pue_above"].to_numpy(float))
    own_below = np.sqrt(np.maximum(below**2 - np.where(np.isinf(below), 0.0, shared_below) ** 2, 0.0))
    own_above = np.sqrt(np.maximum(above**2 - shared_above**2, 0.0))
    return items.assign(own_low=value * np.exp(-own_below), own_high=value * np.exp(own_above))


def _shared_widths(items: pd.DataFrame) -> dict[object, HalfWidths]:
    """Return each zone's shared ln half-widths, the mean weighted by value where its items differ."""
    widths: dict[object, HalfWidths] = {}
    for zone, rows in items.groupby("zone_group", sort=True, dropna=False):
        weight = rows["value"].to_numpy(float) / math.fsum(rows["value"])
        grid, pue = (
            tuple(float(np.sum(weight * rows[f"{name}_{side}"].to_numpy(float))) for side in ("below", "above"))
            for name in ("grid", "pue")
        )
        widths[zone] = combine([(grid[0], grid[1]), (pue[0], pue[1])])
    return widths


def _sigmas(value: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return one lognormal sigma per group: from the half of its interval above, or the geometric mean of both."""
    above = np.log(high / value) / Z
    with np.errstate(divide="ignore"):
        below = np.where(low > 0.0, np.log(value / np.where(low > 0.0, low, value)) / Z, above)
    return np.asarray((below + above) / 2)


def _needs_simulation(groups: pd.DataFrame, total: float) -> bool:
    value = groups["value"].to_numpy(float)
    sigma = _sigmas(value, groups["own_low"].to_numpy(float), groups["own_high"].to_numpy(float))
    return bool(np.any((value > MATERIAL_SHARE * total) & (np.exp(sigma) > CLOSED_FORM_MAX_GSD + 1e-9)))


def _closed_form(groups: pd.DataFrame, shared: dict[object, HalfWidths]) -> tuple[float, float]:
    zones: list[tuple[float, float]] = []
    for zone, rows in groups.groupby(level="zone_group", sort=True, dropna=False):
        value = rows["value"].to_numpy(float)
        sigma = _sigmas(value, rows["own_low"].to_numpy(float), rows["own_high"].to_numpy(float))
        inside = lognormal_sum([(float(v), math.exp(s)) for v, s in zip(value, sigma, strict=True)])
        below, above = shared[zone]
        both = math.hypot(math.log(inside["gsd"]), (below + above) / 2 / Z)
        zones.append((inside["median"], math.exp(both)))
    total = lognormal_sum(zones)
    return total["p2_5"], total["p97_5"]


def _simulated(groups: pd.DataFrame, shared: dict[object, HalfWidths], seed: int) -> tuple[float, float]:
    """Draw every group and every zone's shared error once per draw; return the 2.5 and 97.5 % quantiles."""
    generator = np.random.Generator(np.random.PCG64(seed))
    total = np.zeros(MONTE_CARLO_DRAWS)
    for zone, rows in groups.groupby(level="zone_group", sort=True, dropna=False):
        value = rows["value"].to_numpy(float)
        sigma = _sigmas(value, rows["own_low"].to_numpy(float), rows["own_high"].to_numpy(float))
        draws = generator.standard_normal((len(rows), MONTE_CARLO_DRAWS))
        inside = np.sum(value[:, None] * np.exp(sigma[:, None] * draws), axis=0)
        below, above = shared[zone]
        total += inside * np.exp((below + above) / 2 / Z * generator.standard_normal(MONTE_CARLO_DRAWS))
    low, high = np.quantile(total, [0.025, 0.975])
    return float(low), float(high)
