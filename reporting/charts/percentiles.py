"""Percentiles as marks on a histogram: which ones so many values carry, where they stand, and how their labels keep apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Mark:
    """A percentile that is drawn: its value in the stored unit, and its place among the bins."""

    name: str
    value: float
    place: float


def carried(percentiles: Mapping[str, float | None], bins: pd.DataFrame, total: int) -> list[Mark]:
    """Keep the percentiles that so many requests carry: one request at least must lie above each."""
    found = []
    for name, value in percentiles.items():
        beyond = 1 - float(name.removeprefix("p")) / 100
        if value is not None and value > 0 and total * beyond >= 1 - 1e-9:
            found.append(Mark(name, float(value), place_of(float(value), bins)))
    return sorted(found, key=lambda mark: mark.value)


def place_of(value: float, bins: pd.DataFrame) -> float:
    """
    Find the place of a value among the bins, by the ratio within its bin; beyond the ends it stays at the edge.

    >>> round(place_of(10 ** 1.5, pd.DataFrame({"low": [1.0, 10.0], "high": [10.0, 100.0]})), 6)
    1.5
    """
    edges = np.log([*bins["low"], bins["high"].iloc[-1]])
    return float(np.interp(math.log(value), edges, np.arange(len(edges))))


def label_rows(marks: Sequence[Mark], across: tuple[float, float]) -> list[int]:
    """
    Give each label a row above the plot, so that none covers another: the lowest row that is free from its mark on.

    Labels take about a seventh of a laptop's width; marks come in rising order.
    """
    needed = (across[1] - across[0]) / 6
    ends: list[float] = []
    rows = []
    for mark in marks:
        start = mark.place - needed if mark.place > across[1] - needed else mark.place
        row = next((i for i, end in enumerate(ends) if start >= end), len(ends))
        ends[row : row + 1] = [start + needed]
        rows.append(row)
    return rows
