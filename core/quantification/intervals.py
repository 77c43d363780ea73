"""
Intervals of reported figures, many at once, so that a shared error stays shared (methodology 9.4).

Steps: items of one ``group`` (method x family) in one zone add up without the widths of grid and PUE; groups combine inside
the zone as independent; the zone's shared widths multiply; zones combine as independent. Half-widths below and above are
taken apart throughout, so one item keeps its own interval. The closed form (Fenton-Wilkinson) gives way to 10,000 lognormal
draws, one per factor row, where it would be wrong: a group that matters is wide, or groups lie in several zones, so that their
method error does not average out (docs/adr/0010). A factor row's draws follow from its name alone, so that a figure has one
interval whatever is asked for beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from core.quantification.bounds import Z

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

MONTE_CARLO_DRAWS: Final = 10_000
SEED: Final = 20_260_101
CLOSED_FORM_MAX_GSD: Final = 1.5
MATERIAL_SHARE: Final = 0.05
"""Simulate where a group of more than this share of a figure is wider than the closed form is good for."""
CROSS_ZONE_SHARE: Final = 0.1
"""Simulate where what groups share across zones adds more than this part of the variance of independent groups."""
_QUANTILES: Final = (int(0.025 * (MONTE_CARLO_DRAWS - 1)), int(np.ceil(0.975 * (MONTE_CARLO_DRAWS - 1))))
"""Ranks of the quantiles, the wider of the two that each lies between."""


@dataclass(frozen=True)
class Intervals:
    """
    Reported figures: the plain sums, their 95 % intervals, and which of these were simulated. [figures]

    NaN where a figure has no item. The interval contains the sum.
    """

    value: Floats
    low: Floats
    high: Floats
    simulated: npt.NDArray[np.bool_]


def reported_intervals(
    figure: Integers,
    zone: Integers,
    group: Integers,
    value: Floats,
    low: Floats,
    high: Floats,
    widths: Floats,
    *,
    figures: int,
    zone_names: Sequence[str],
    group_names: Sequence[str],
) -> Intervals:
    """
    Make the interval of each figure from its items.

    Args:
        figure: number of the figure that each item belongs to, 0 to ``figures`` - 1. [items]
        zone, group: codes of the zone whose errors it shares, and of its method and family. [items]
        value, low, high: sums with their bounds, shared widths included; NaN items are left out. [items]
        widths: ln half-widths that the zone shares: grid below, grid above, PUE below, PUE above. [items, 4]
        figures: how many figures there are.
        zone_names, group_names: by code, sorted: a code counts in the order of the names.
    """
    known = ~np.isnan(value)
    figure, zone, group, widths = figure[known], zone[known], group[known], widths[known]
    value, low, high = value[known], low[known], high[known]
    count = np.bincount(figure, minlength=figures)
    total, plain_low, plain_high = (_sum(figure, each, figures) for each in (value, low, high))
    simulated = np.zeros(figures, dtype=bool)
    positive = value > 0.0
    if positive.any():
        items = Items(
            figure=figure[positive],
            zone=zone[positive],
            group=group[positive],
            value=value[positive],
            low=low[positive],
            high=high[positive],
            widths=widths[positive],
        )
        made_low, made_high, simulated = _combined(items, figures, zone_names, group_names)
        some = (_sum(items.figure, items.value, figures) > 0.0) & (total > 0.0)
        plain_low = np.where(some, np.minimum(made_low, total), plain_low)
        plain_high = np.where(some, np.maximum(made_high, total), plain_high)
        simulated &= some
    none = count == 0
    ends = np.minimum(plain_low, plain_high), np.maximum(plain_low, plain_high)  # of a negative sum they change places
    value, low, high = (np.where(none, np.nan, each) for each in (total, *ends))
    return Intervals(value, low, high, simulated)


@dataclass(frozen=True)
class Items:
    """Items with a positive value; see `reported_intervals`."""

    figure: Integers
    zone: Integers
    group: Integers
    value: Floats
    low: Floats
    high: Floats
    widths: Floats


def _combined(
    items: Items, figures: int, zone_names: Sequence[str], group_names: Sequence[str]
) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """Take positive items through the steps; figures without any get zeros."""
    zones, groups = int(items.zone.max()) + 1, int(items.group.max()) + 1
    in_zone, zone_at = np.unique(items.figure * zones + items.zone, return_inverse=True)
    _, first, group_at = np.unique(zone_at * groups + items.group, return_index=True, return_inverse=True)
    own_low, own_high = _own_bounds(items.value, items.low, items.high, items.widths)
    value, group_low, group_high = (_sum(group_at, each, len(first)) for each in (items.value, own_low, own_high))
    sigma = _sigmas(value, group_low, group_high)
    shared = _shared_sigmas(zone_at, items.value, items.widths, len(in_zone))
    zone_of_group, group = zone_at[first], items.group[first]
    figure_of_zone = in_zone // zones
    figure_of_group = figure_of_zone[zone_of_group]

    ends, zone_sigma = [], np.empty((2, len(in_zone)))
    for side, sign in enumerate((-1, 1)):
        median, inside = _lognormal_sum(zone_of_group, value, sigma[side], len(in_zone))
        zone_sigma[side] = np.hypot(inside, shared[side])
        median, spread = _lognormal_sum(figure_of_zone, median, zone_sigma[side], figures)
        ends.append(median * np.exp(sign * Z * spread))

    zone_value = _sum(zone_of_group, value, len(in_zone))
    simulated = _some_is_wide(figure_of_group, value, sigma, figures)
    simulated |= _some_is_wide(figure_of_zone, zone_value, zone_sigma, figures)
    simulated |= _crosses_zones(figure_of_group, group, value, sigma.max(axis=0), figures)
    for figure in np.flatnonzero(simulated):
        own = figure_of_group == figure
        ends[0][figure], ends[1][figure] = _simulated(
            value[own],
            sigma[:, own],
            [group_names[code] for code in group[own]],
            zone_of_group[own],
            shared,
            [zone_names[code] for code in in_zone % zones],
        )
    return ends[0], ends[1], simulated


def _some_is_wide(figure: Integers, value: Floats, sigma: Floats, figures: int) -> npt.NDArray[np.bool_]:
    """Tell in which figures one of several lognormals to add up matters and is too wide for the closed form."""
    material = value > MATERIAL_SHARE * _sum(figure, value, figures)[figure]
    wide = np.zeros(figures, dtype=bool)
    wide[figure[material & (np.exp(sigma.max(axis=0)) > CLOSED_FORM_MAX_GSD + 1e-9)]] = True
    return np.asarray(wide & (np.bincount(figure, minlength=figures) > 1))  # of one the closed form is exact


def _crosses_zones(
    figure: Integers, group: Integers, value: Floats, sigma: Floats, figures: int
) -> npt.NDArray[np.bool_]:
    """Tell where groups that lie in several zones share so much error that zones are not independent."""
    families, at = np.unique(figure * (int(group.max()) + 1) + group, return_inverse=True)
    spread = value * sigma
    together, apart = _sum(at, spread, len(families)), _sum(at, spread**2, len(families))
    crossing = _sum(families // (int(group.max()) + 1), together**2 - apart, figures)
    return np.asarray(crossing > CROSS_ZONE_SHARE * _sum(figure, spread**2, figures))


def _own_bounds(value: Floats, low: Floats, high: Floats, widths: Floats) -> tuple[Floats, Floats]:
    """Take the shared widths out of each item's bounds, in quadrature."""
    with np.errstate(divide="ignore"):
        below = np.log(value) - np.log(np.maximum(low, 0.0))
        above = np.log(high) - np.log(value)
    shared_below = np.where(np.isinf(below), 0.0, np.hypot(widths[:, 0], widths[:, 2]))
    shared_above = np.hypot(widths[:, 1], widths[:, 3])
    own_below = np.sqrt(np.maximum(below**2 - shared_below**2, 0.0))
    own_above = np.sqrt(np.maximum(above**2 - shared_above**2, 0.0))
    return value * np.exp(-own_below), value * np.exp(own_above)


def _shared_sigmas(zone_at: Integers, value: Floats, widths: Floats, size: int) -> Floats:
    """Return each zone's shared sigma below and above; widths are the mean weighted by value. [2, zones]"""
    weight = value / _sum(zone_at, value, size)[zone_at]
    mean = np.stack([_sum(zone_at, weight * widths[:, side], size) for side in range(4)])
    return np.asarray(np.hypot(mean[:2], mean[2:]) / Z)


def _sigmas(value: Floats, low: Floats, high: Floats) -> Floats:
    """Return each group's sigma below and above; that above for both where the low is 0. [2, groups]"""
    above = np.log(high / value) / Z
    below = np.where(low > 0.0, np.log(value / np.where(low > 0.0, low, value)) / Z, above)
    return np.stack([below, above])


def _lognormal_sum(at: Integers, median: Floats, sigma: Floats, size: int) -> tuple[Floats, Floats]:
    """Add independent lognormals up by Fenton-Wilkinson; returns medians and sigmas of the sums. [size]"""
    mean = median * np.exp(sigma**2 / 2)
    total = _sum(at, mean, size)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = _sum(at, np.expm1(sigma**2) * mean**2, size)
        spread = np.sqrt(np.log1p(np.where(total > 0.0, variance / total**2, 0.0)))
    return total * np.exp(-(spread**2) / 2), spread


def _simulated(
    value: Floats, sigma: Floats, group: Sequence[str], zone_at: Integers, shared: Floats, zone: Sequence[str]
) -> tuple[float, float]:
    """
    Draw every group's method error and every zone's shared error once; return the 2.5 and 97.5 % quantiles.

    In single precision, which is ten thousand times finer than ten thousand draws, and three times faster.
    """
    scale = float(value.max())
    total = np.zeros(MONTE_CARLO_DRAWS, dtype=np.float32)
    for each in np.unique(zone_at):
        inside = np.zeros(MONTE_CARLO_DRAWS, dtype=np.float32)
        for position in np.flatnonzero(zone_at == each):
            errors = _errors(sigma[:, position], f"group {group[int(position)]}")
            errors *= np.float32(value[position] / scale)
            inside += errors
        inside *= _errors(shared[:, each], f"zone {zone[int(each)]}")
        total += inside
    ends = []
    for rank in _QUANTILES:  # one after the other: numpy finds one rank several times faster than two at once
        total.partition(rank)
        ends.append(float(np.float64(total[rank]) * scale))
    return ends[0], ends[1]


def draws_of(
    name: str,
    value: Floats,
    low: Floats,
    high: Floats,
    widths: Floats,
    *,
    zone: Sequence[str],
    group: Sequence[str],
    method_sigma: Mapping[str, float],
) -> Floats:
    """
    Draw one option of a comparison from its items, with the very draws that the other options have of what they share.

    So the error that two options share cancels where one is divided by the other, draw by draw (methodology 9.5). They share
    the grid and PUE of a zone and, where method and family are the same, the spread of the method as such. What is wider than
    that (a size that nobody disclosed, a load that nobody observed) is each one's own: taken as shared, as in sums, it would
    tell apart what cannot be told apart.

    Args:
        name: of the option, whose own errors are drawn by it.
        value, low, high, widths: as `reported_intervals`; items that are not positive are left out. [items]
        zone, group: names of each item's zone, and of its method and family. [items]
        method_sigma: group to the sigma that its options share at most; none for one that is not there.

    Returns:
        The option's draws; 0 without a positive item. [MONTE_CARLO_DRAWS]
    """
    kept = np.nan_to_num(value) > 0.0
    if not kept.any():
        return np.zeros(MONTE_CARLO_DRAWS)
    value, low, high, widths = value[kept], low[kept], high[kept], widths[kept]
    zones, zone_of_item = np.unique(np.asarray(zone, dtype=str)[kept], return_inverse=True)
    groups, group_of_item = np.unique(np.asarray(group, dtype=str)[kept], return_inverse=True)
    _, first, at = np.unique(zone_of_item * len(groups) + group_of_item, return_index=True, return_inverse=True)
    own_low, own_high = _own_bounds(value, low, high, widths)
    sums = [_sum(at, each, len(first)) for each in (value, own_low, own_high)]
    sigma, of_zone = _sigmas(*sums), _shared_sigmas(zone_of_item, value, widths, len(zones))
    total = np.zeros(MONTE_CARLO_DRAWS)
    for position, item in enumerate(first):
        method, place = str(groups[group_of_item[item]]), int(zone_of_item[item])
        common = np.minimum(sigma[:, position], method_sigma.get(method, 0.0))
        own = np.sqrt(np.maximum(sigma[:, position] ** 2 - common**2, 0.0))
        error = _errors(common, f"group {method}") * _errors(own, f"own {name} {method}")
        total += sums[0][position] * error * _errors(of_zone[:, place], f"zone {zones[place]}")
    return total


def named_draws(name: str, sigma: float, above: float | None = None) -> Floats:
    """
    Return lognormal draws of median 1 that belong to a name: an error that one figure has for itself. [MONTE_CARLO_DRAWS]

    Args:
        sigma: of both halves, or of the lower one where `above` is that of the upper one.
    """
    return _errors(np.array([sigma, sigma if above is None else above]), name).astype(np.float64)


def _errors(sigma: Floats, row: str) -> npt.NDArray[np.float32]:
    """Return the draws of one factor row's error: lognormal, its halves below and above of their own sigmas."""
    draws = _draws(row)
    below, above = np.float32(sigma[0]), np.float32(sigma[1])
    errors = draws * above
    if below != above:  # the larger of both products is the one of the draw's own side where below is narrower
        (np.maximum if below < above else np.minimum)(errors, draws * below, out=errors)
    return np.asarray(np.exp(errors, out=errors))


@lru_cache(maxsize=512)
def _draws(row: str) -> npt.NDArray[np.float32]:
    """
    Return the draws of one factor row, the same for every figure and zone that it is part of.

    The strata of the normal distribution in random order (a Latin hypercube): each error by itself has exact quantiles, and
    those of sums vary far less than with independent draws, whose 97.5 % quantile is off by 3 % at a GSD of 2.75.
    """
    named = int.from_bytes(hashlib.sha256(row.encode()).digest()[:8])
    generator = np.random.Generator(np.random.PCG64([SEED, named]))
    return generator.permutation(_strata())


@lru_cache(maxsize=1)
def _strata() -> npt.NDArray[np.float32]:
    normal = NormalDist()
    middles = [(number + 0.5) / MONTE_CARLO_DRAWS for number in range(MONTE_CARLO_DRAWS)]
    return np.array([normal.inv_cdf(each) for each in middles], dtype=np.float32)


def _sum(at: Integers, values: Floats, size: int) -> Floats:
    return np.bincount(at, weights=values, minlength=size).astype(np.float64)  # of nothing it would be integers
