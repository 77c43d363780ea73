"""How figures per request are spread: percentiles over requests, and a histogram in steps of 1, 2, 5, 10. Plain functions."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

STEPS: Final = (1.0, 2.0, 5.0)
PERCENTILES: Final = (50, 90, 99)
MOST_BINS: Final = 24
"""Eight powers of ten; what lies below them is put into the lowest bin, which says so."""


@dataclass(frozen=True)
class Bin:
    """Requests whose figure lies in [low, high). [kg]; low 0: everything below high, zero and less included."""

    low: float
    high: float
    requests: float


@dataclass(frozen=True)
class Distribution:
    """
    Figures per successful request.

    Args:
        percentiles: of 50, 90 and 99 per cent of the requests, None without any. [kg CO2e]
        bins: adjoining, the lowest first.
        requests: successful ones that have a figure.
        records: that they were read from.
    """

    percentiles: dict[int, float | None]
    bins: list[Bin]
    requests: float
    records: int


def distribution(kg: Floats, requests: Floats) -> Distribution:
    """
    Spread records over their footprint per request; a record of many requests weighs as many.

    Args:
        kg: footprint of each record; NaN is not known. [kg CO2e, n]
        requests: successful ones of each record. [n]
    """
    counted = (requests > 0) & ~np.isnan(kg)
    weights = requests[counted]
    each = kg[counted] / weights
    found = weighted_percentiles(each, weights, PERCENTILES)
    return Distribution(found, histogram(each, weights), float(weights.sum()), int(counted.sum()))


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


def histogram(values: Floats, weights: Floats) -> list[Bin]:
    """
    Count weights between edges of 1, 2 and 5 times powers of ten, so that every edge is a round number.

    >>> [(each.low, each.high, each.requests) for each in histogram(np.array([0.3, 0.4, 4.0]), np.array([1.0, 2.0, 1.0]))]
    [(0.2, 0.5, 3.0), (0.5, 1.0, 0.0), (1.0, 2.0, 0.0), (2.0, 5.0, 1.0)]
    """
    positive = values > 0
    if not positive.any():
        return [Bin(0.0, 0.0, float(weights.sum()))] if len(values) else []
    top = step_of(float(values.max()))
    bottom = max(step_of(float(values[positive].min())), top - MOST_BINS + 1)
    edges = np.array([edge_of(step) for step in range(bottom, top + 2)])
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, len(edges) - 2)
    counts = np.bincount(place, weights=weights, minlength=len(edges) - 1)
    below = bool((values < edges[0]).any())
    return [
        Bin(0.0 if below and position == 0 else float(edges[position]), float(edges[position + 1]), float(count))
        for position, count in enumerate(counts)
    ]


def edge_of(step: int) -> float:
    """
    Give an edge by its number: 0 is 1, 1 is 2, 2 is 5, 3 is 10.

    >>> [edge_of(step) for step in (-1, 0, 1, 2, 3)]
    [0.5, 1.0, 2.0, 5.0, 10.0]
    """
    power, position = divmod(step, len(STEPS))
    return float(f"{STEPS[position]:.0f}e{power}")


def step_of(value: float) -> int:
    """
    Number the edge that a value lies at or above.

    >>> step_of(0.5), step_of(0.4999), step_of(10.0), step_of(9.99)
    (-1, -2, 3, 2)
    """
    step = math.floor(math.log10(value)) * len(STEPS) + len(STEPS)
    while edge_of(step) > value:
        step -= 1
    return step
