"""
Better evidence displaces worse for the part that it covers (architecture: counted once).

An agent on one of a hundred nodes replaces one node's estimate, not the bill: of a worse row the share
``min(1, better / worse)`` is covered, in the first measure that both hold, matched by coverage unit, hour and model or
hardware. What is covered is a cross-check, the rest stays counted. Everything is linear in the measures of a cell, so a share
of the cell is that share of every figure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification.activity import MEASURE_COLUMNS
from core.quantification.coverage import STATED, UnitRule, ranks_of
from core.quantification.keys import fuse

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

COMMON: Final = ("device_hours", "instance_hours", "requests", "output_tokens", "input_tokens")
"""Measures of use in which two kinds of evidence are compared, the first that both hold."""
LAST_RESORTS: Final = ("cost", "reported_kg_co2e")
"""Compared last, and only of what nothing else is known: money of one currency, a supplier's own figure of one basis."""
COMPARED: Final = (*COMMON, *LAST_RESORTS)
COLUMN_OF: Final = {
    "device_hours": "device_nh",
    "instance_hours": "instance_nh",
    "requests": "requests",
    "output_tokens": "output_tokens",
    "input_tokens": "input_tokens",
    "cost": "nano_cost",
    "reported_kg_co2e": "reported_nkg",
}

HOURS_A_DAY: Final = 24
SUMMED: Final = ("records", *MEASURE_COLUMNS)
NO_KEY: Final = -1


def covered_share(better: float, worse: float) -> float:
    """
    Return the share of worse evidence that better evidence covers; of nothing, or by nothing, nothing is covered.

    >>> covered_share(8, 800), covered_share(9, 8), covered_share(8, 0)
    (0.01, 1.0, 0.0)
    """
    return min(1.0, better / worse) if better > 0 and worse > 0 else 0.0


@dataclass(frozen=True)
class Comparable:
    """
    Cells in the measures in which they are compared.

    Args:
        amount: of each cell in each of ``COMPARED``, integers of cells; device-hours may be an instance's accelerators'. [n, 7]
        key: number of the hardware, instance type, model, currency or basis that the amount is of; ``NO_KEY``: not held. [n, 7]
    """

    amount: Integers
    key: Integers


def comparable(cells: pd.DataFrame, subjects: pd.DataFrame, position: Integers) -> Comparable:
    """
    Express cells in the measures of ``COMPARED``.

    Args:
        cells: ``MEASURE_COLUMNS``. [n]
        subjects: ``hardware_key``, ``instance_key``, ``model_key``, ``money_key`` and ``reported_key`` (text, None: not known),
            ``accelerators`` (of the instance type, NaN: none).
        position: of each cell's subject. [n]
    """
    hardware = _codes(subjects["hardware_key"])[position]
    instance = _codes(subjects["instance_key"])[position]
    model = _codes(subjects["model_key"])[position]
    accelerators = np.nan_to_num(subjects["accelerators"].to_numpy(dtype=float))[position]
    device = cells["device_nh"].to_numpy(dtype=np.int64)
    instances = cells["instance_nh"].to_numpy(dtype=np.int64)
    device = np.where(device != 0, device, np.rint(instances * accelerators).astype(np.int64))
    amount = np.column_stack([device, *(cells[COLUMN_OF[name]].to_numpy(dtype=np.int64) for name in COMPARED[1:])])
    money, reported = (_codes(subjects[name])[position] for name in ("money_key", "reported_key"))
    key = np.column_stack([hardware, instance, model, model, model, money, reported])
    return Comparable(amount, np.where(amount > 0, key, NO_KEY))


def _codes(names: pd.Series) -> Integers:
    return np.asarray(pd.factorize(names, use_na_sentinel=True)[0], dtype=np.int64)


def covered_shares(
    cells: pd.DataFrame,
    subjects: pd.DataFrame,
    position: Integers,
    rules: Mapping[int, UnitRule],
    described: frozenset[tuple[int, int]],
) -> Floats:
    """
    Say of each cell which share of it better evidence of its unit covers.

    Args:
        cells: every cell of the subjects on whole days: ``hour`` (since 1970; of a day's sum its first), ``MEASURE_COLUMNS``. [n]
        subjects: ``unit`` (0: none), ``link`` (numbers), ``source_id``, ``level``, ``part``, ``by_day`` (the cells say nothing
            about hours), ``machine`` and ``concurrent_run`` (numbers, see `_left_by_runs`), and the columns of `comparable`.
        position: of each cell's subject. [n]
        rules: what was said of the units.
        described: (unit, month since 1970) in which something else than a statement describes the unit.

    Returns:
        0 to 1; what the best evidence says is covered by nothing. [n]
    """
    share = np.zeros(len(cells))
    if not len(cells):
        return share
    day = cells["hour"].to_numpy(dtype=np.int64) // HOURS_A_DAY
    sizes = comparable(cells, subjects, position)
    pairs = _Pairs(
        left=_left_by_runs(cells, subjects, position),
        unit=subjects["unit"].to_numpy(dtype=np.int64)[position],
        link=subjects["link"].to_numpy(dtype=np.int64)[position],
        hour=cells["hour"].to_numpy(dtype=np.int64),
        day=day,
        by_day=subjects["by_day"].to_numpy(dtype=bool)[position],
        sizes=sizes,
    )
    stated = (subjects["level"] == STATED).to_numpy(dtype=bool)[position]
    alone = subjects["unit"].map({unit: rule.alone for unit, rule in rules.items() if rule.alone is not None})
    decided = alone.notna().to_numpy(dtype=bool)[position]
    other = (alone.notna() & (alone != subjects["source_id"])).to_numpy(dtype=bool)[position]
    ranked = ~decided & (pairs.unit > 0)
    rank = np.full(len(cells), -1, dtype=np.int64)
    rank[pairs.unit > 0] = _unit_ranks(subjects, rules)[position][pairs.unit > 0]
    for worse in range(1, int(rank.max(initial=0)) + 1):
        for better in range(worse):
            for kind in (~stated, stated):  # a statement displaces another statement of the same, and nothing else
                pairs.displace(ranked & kind & (rank == better), ranked & kind & (rank == worse))
    share = 1.0 - pairs.left
    share[other] = 1.0
    undecided = stated & ~decided
    superseded = _superseded(pairs.unit[undecided], day[undecided], described)
    share[undecided] = np.maximum(share[undecided], superseded)
    return share


def _unit_ranks(subjects: pd.DataFrame, rules: Mapping[int, UnitRule]) -> Integers:
    """Rank the subjects that are in a unit; -1 for the others. [n]"""
    inside = (subjects["unit"] > 0).to_numpy(dtype=bool)
    rank = np.full(len(subjects), -1, dtype=np.int64)
    if inside.any():
        rank[inside] = ranks_of(subjects[inside], rules)
    return rank


def _left_by_runs(cells: pd.DataFrame, subjects: pd.DataFrame, position: Integers) -> Floats:
    """
    Count a machine once that several runs measure at the same time: each hour, the first run displaces the energy of the others.

    What is left is the most that any of them measured, since all read the same meters.

    Args:
        subjects: ``machine``, the number of runs that look alike (-1: no others do), and ``concurrent_run``, 0 for the first.

    Returns:
        The share that no earlier run covers. [n]
    """
    left = np.ones(len(cells))
    machine = subjects["machine"].to_numpy(dtype=np.int64)[position]
    run = subjects["concurrent_run"].to_numpy(dtype=np.int64)[position]
    energy = cells["energy_pkwh"].to_numpy(dtype=np.int64)
    measured = (machine >= 0) & (energy > 0)
    if not (run[measured] > 0).any():
        return left
    at = np.flatnonzero(measured)
    hour = _numbered(machine[at], cells["hour"].to_numpy(dtype=np.int64)[at])
    most = np.zeros(int(hour.max()) + 1)
    for number in np.unique(run[at]):
        own = run[at] == number
        there = np.bincount(hour[own], weights=energy[at][own], minlength=len(most))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where(there > 0, np.minimum(1.0, most / there), 0.0)
        left[at[own]] = 1.0 - share[hour[own]]
        most = np.maximum(most, there)
    return left


def months_of(day: Integers) -> Integers:
    """Number the months of days since 1970, both counted from there."""
    return (np.datetime64("1970-01-01", "D") + day).astype("datetime64[M]").astype(np.int64)


def _superseded(unit: Integers, day: Integers, described: frozenset[tuple[int, int]]) -> Floats:
    """A statement counts only where nothing else describes the unit in that month."""
    pairs = zip(unit.tolist(), months_of(day).tolist(), strict=True)
    return np.array([float(pair in described) for pair in pairs], dtype=float)


@dataclass
class _Pairs:
    """Cells of all units, and of each the share that no better evidence has taken yet."""

    left: Floats
    unit: Integers
    link: Integers
    hour: Integers
    day: Integers
    by_day: npt.NDArray[np.bool_]
    sizes: Comparable

    def displace(self, better: npt.NDArray[np.bool_], worse: npt.NDArray[np.bool_]) -> None:
        """
        Take from one rank what another covers, each cell in the first measure that it shares with the better ones.

        One link does not displace itself: overlaps inside a source are its adapter's.
        """
        if not better.any() or not worse.any():
            return
        own = self._both_sides(better, worse)
        better = better & ~own
        matched = np.zeros(len(self.left), dtype=bool)
        for at in range(len(COMPARED)):
            held = self.sizes.key[:, at] != NO_KEY
            matched |= self._displace_in(at, better & held, worse & held & ~matched & (self.left > 0))

    def _both_sides(self, better: npt.NDArray[np.bool_], worse: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Find the cells whose link has evidence of both ranks."""
        both = np.intersect1d(self.link[better], self.link[worse])
        return np.isin(self.link, both)

    def _displace_in(
        self, at: int, better: npt.NDArray[np.bool_], worse: npt.NDArray[np.bool_]
    ) -> npt.NDArray[np.bool_]:
        """
        Displace in one measure: hours by hours; what knows days only, or meets what does, by days.

        Returns:
            Which cells met better evidence.
        """
        met = np.zeros(len(self.left), dtype=bool)
        if not better.any() or not worse.any():
            return met
        key = self.sizes.key[:, at]
        by_hour = _numbered(self.unit, key, self.hour)
        by_day = _numbered(self.unit, key, self.day)
        size = int(max(by_hour.max(), by_day.max())) + 1
        fine, coarse = better & ~self.by_day, better & self.by_day
        fine_worse, coarse_worse = worse & ~self.by_day, worse & self.by_day

        found = self._sum(at, by_hour, fine, size)
        taken = self._take(at, by_hour, found, fine_worse, met)
        first = np.zeros(size, dtype=np.int64)
        first[by_hour] = by_day  # every hour lies in one day of the same unit and key
        unused = np.bincount(first, weights=np.maximum(found - taken, 0.0), minlength=size)
        of_days = self._sum(at, by_day, coarse, size)
        taken = self._take(at, by_day, unused + of_days, coarse_worse, met)
        of_days = np.maximum(of_days - np.maximum(taken - unused, 0.0), 0.0)
        self._take(at, by_day, of_days, fine_worse, met)
        return met

    def _sum(self, at: int, group: Integers, chosen: npt.NDArray[np.bool_], size: int) -> Floats:
        """Add up what is left of some cells, in whole integers, so that no order of addition can show."""
        left = np.rint(self.sizes.amount[chosen, at] * self.left[chosen])
        return np.bincount(group[chosen], weights=left, minlength=size).astype(float)

    def _take(
        self, at: int, group: Integers, better: Floats, worse: npt.NDArray[np.bool_], met: npt.NDArray[np.bool_]
    ) -> Floats:
        """Displace some cells by what better evidence there is in each group; returns how much was taken in each."""
        there = self._sum(at, group, worse, len(better))
        with np.errstate(divide="ignore", invalid="ignore"):
            share = np.where((better > 0) & (there > 0), np.minimum(1.0, better / there), 0.0)
        self.left[worse] *= 1.0 - share[group[worse]]
        met[worse] |= better[group[worse]] > 0
        return np.minimum(better, there)


def _numbered(*columns: Integers) -> Integers:
    """Number the combinations of some columns."""
    fused = fuse([np.asarray(pd.factorize(column)[0], dtype=np.int64) for column in columns])
    return np.asarray(pd.factorize(fused)[0], dtype=np.int64)


def covered_parts(cells: pd.DataFrame, share: Floats) -> pd.DataFrame:
    """
    Return the covered part of each cell, in whole integers; the rest is the cell less this part, exactly.

    Args:
        cells: ``SUMMED``. [n]
        share: 0 to 1. [n]

    >>> cells = pd.DataFrame({name: [10] for name in SUMMED})
    >>> covered_parts(cells, np.array([0.26]))["requests"].tolist()
    [3]
    """
    whole = cells[list(SUMMED)].to_numpy(dtype=np.int64)
    part = np.where(
        share[:, None] >= 1.0, whole, np.rint(whole * np.where(share >= 1.0, 0.0, share)[:, None]).astype(np.int64)
    )
    return pd.DataFrame(part, columns=list(SUMMED), index=cells.index)
