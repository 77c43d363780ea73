"""How figures per request are spread: percentiles over requests, and a histogram whose edges grow by about the same ratio."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]

PERCENTILES: Final = (50, 90, 99)
COARSE: Final = (1.0, 2.0, 5.0)
FINE: Final = (1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0)
"""Preferred numbers of a decade (ISO 3: R3 rounded, R10): edges that can be read."""
MOST_COARSE_BINS: Final = 30


@dataclass(frozen=True)
class Distribution:
    """
    Figures per successful request.

    Args:
        percentiles: of 50, 90 and 99 per cent of the requests, None without any. [kg CO2e]
        bins: adjoining, the lowest first, as `histogram` makes them. [kg CO2e]
        zeros: requests with exactly nothing, in no bin.
        requests: successful ones that have a figure.
        records: that they were read from.
    """

    percentiles: dict[int, float | None]
    bins: pd.DataFrame
    zeros: int
    requests: float
    records: int


def distribution(kg: Floats, requests: Floats) -> Distribution:
    """
    Spread records over their footprint per request; a record of many requests weighs as many.

    Args:
        kg: footprint of each record; NaN is not known. [kg CO2e, n]
        requests: successful ones of each record. [n]

    Raises:
        ValueError: a footprint is below zero.
    """
    counted = (requests > 0) & ~np.isnan(kg)
    weights = requests[counted]
    each = kg[counted] / weights
    found = weighted_percentiles(each, weights, PERCENTILES)
    bins, zeros = histogram(each, weights)
    return Distribution(found, bins, zeros, float(weights.sum()), int(counted.sum()))


def weighted_percentiles(values: Floats, weights: Floats, wanted: tuple[int, ...]) -> dict[int, float | None]:
    """
    Find the smallest value that at least p per cent of the weight does not exceed (nearest rank; nothing is interpolated).

    >>> weighted_percentiles(np.array([3.0, 1.0, 2.0]), np.array([1.0, 8.0, 1.0]), (50, 90, 99))
    {50: 1.0, 90: 2.0, 99: 3.0}
    """
    if not len(values):
        return dict.fromkeys(wanted)
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order])
    at = np.searchsorted(reached, [share / 100 * reached[-1] * (1 - 1e-12) for share in wanted])
    return {share: float(values[order][place]) for share, place in zip(wanted, at, strict=True)}


def log_edges(smallest: float, largest: float) -> list[float]:
    """
    Choose the edges of bins from a bit below ``smallest`` to above ``largest``, both above zero, at preferred numbers.

    Ten bins a decade below two decades, three up to ten, one beyond.

    >>> log_edges(3.0, 700.0)
    [2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0]
    >>> log_edges(3.0, 3.0)
    [2.5, 3.15]
    """
    decades = math.log10(largest / smallest)
    steps = FINE if decades < 2 else COARSE if decades * len(COARSE) <= MOST_COARSE_BINS else (1.0,)
    first, last = math.floor(math.log10(smallest)) - 1, math.floor(math.log10(largest)) + 1
    edges = [float(f"{step}e{power}") for power in range(first, last + 1) for step in steps]
    below = max(i for i, edge in enumerate(edges) if edge <= smallest)
    above = next(i for i, edge in enumerate(edges) if edge > largest)
    return edges[below : above + 1]


def histogram(values: Iterable[float], counts: Iterable[float] | None = None) -> tuple[pd.DataFrame, int]:
    """
    Count values into bins of `log_edges`, for callers that do not count in the database.

    Args:
        values: at least zero, any unit; NaN is left out.
        counts: how many requests stand behind each value, one without.

    Returns:
        ``low``, ``high`` [unit of the values], ``count``: one row a bin, also the empty ones between; and the zeros.

    Raises:
        ValueError: a value is below zero, which a footprint is not.
    """
    given = np.asarray(list(values), dtype=float)
    weights = np.ones(len(given)) if counts is None else np.asarray(list(counts), dtype=float)
    known = ~np.isnan(given)
    given, weights = given[known], weights[known]
    if (given < 0).any():
        raise ValueError("a distribution on bins of a fixed ratio holds no values below zero")
    above = given > 0
    if not above.any():
        return pd.DataFrame({"low": [], "high": [], "count": []}, dtype=float), round(weights.sum())
    edges = log_edges(given[above].min(), given[above].max())
    found, _edges = np.histogram(given[above], bins=edges, weights=weights[above])
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": found}), round(weights[~above].sum())
