"""
Counted once: sources that describe the same activity, and which of them says it best.

A coverage unit is the thing that several sources may describe: a billing account, a cluster, a gateway, an API organization.
Links tie sources to it. Within a unit evidence has an order; better evidence displaces worse for the part that it covers, see
`core.quantification.displacement`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

Integers = npt.NDArray[np.int64]

COUNTED: Final = "counted"
CROSS_CHECK: Final = "cross_check"
CONCURRENT_RUN: Final = "concurrent_run"
"""Label of a run whose tracker measures a whole machine that others measure at the same time: 1, 2, ...; the first has none."""
RANKS_APART: Final = "ranks_on_machines_of_their_own"
"""Setting of a source whose concurrent runs that look alike are on different machines, so that they add up."""
INDEPENDENT: Final = 0
"""Stands for a unit where the organization has said that no other source describes what this one does."""

MEASURED: Final = "measured"
MODELLED_USE: Final = "modelled_use"
MODELLED_BILL: Final = "modelled_bill"
STATED: Final = "stated"
ASSUMED: Final = "assumed"
LEVELS: Final = (MEASURED, MODELLED_USE, MODELLED_BILL, STATED, ASSUMED)
"""Levels of evidence, best first: a meter, a model of the use, a model of the bill for it, a statement, an approved estimate."""

MOVABLE: Final = (MEASURED, MODELLED_USE, MODELLED_BILL, ASSUMED)
"""Levels that a unit may put in another order. A statement counts where nothing else describes the unit, or alone."""

SOURCE: Final = "source:"
"""Begins an entry of a unit's order that is a source: ``source:12``."""


@dataclass(frozen=True)
class Link:
    """
    A source, or one account of it (None: all), tied to a coverage unit; unit None: declared independent.

    Args:
        part: whether it describes a part of the unit that no other source of its kind does, so that they add up; None: meters
            do, everything else describes the whole unit.
    """

    source_id: int
    account: str | None
    unit_id: int | None
    part: bool | None = None


@dataclass(frozen=True)
class UnitRule:
    """
    What an organization has said of a unit.

    Args:
        alone: the source that alone counts there, whatever it covers; None: evidence decides.
        precedence: levels of ``MOVABLE`` and sources (``source:12``), best first; what is not named follows in the usual order.
    """

    alone: int | None = None
    precedence: tuple[str, ...] = field(default=())

    def place(self, level: str, source_id: int) -> int:
        """
        Return the place of a source's evidence in the unit's order; smaller is better.

        >>> UnitRule(precedence=("modelled_bill",)).place("modelled_bill", 1), UnitRule().place("modelled_bill", 1)
        (0, 2)
        """
        own = f"{SOURCE}{source_id}"
        if own in self.precedence:
            return self.precedence.index(own)
        order = (*self.precedence, *(each for each in LEVELS if each not in self.precedence))
        return order.index(level)


def links_of(subjects: pd.DataFrame, links: Sequence[Link]) -> Integers:
    """
    Find the link of each subject: that of its account goes before that of its source.

    Args:
        subjects: ``source_id`` and ``account``.

    Returns:
        Position in the links; -1 without one. [n]
    """
    if not links or subjects.empty:
        return np.full(len(subjects), -1, dtype=np.int64)
    found = {(link.source_id, link.account): position for position, link in enumerate(links)}
    account_codes, accounts = pd.factorize(subjects["account"])
    pairs, position = np.unique(
        subjects["source_id"].to_numpy(dtype=np.int64) * (len(accounts) + 1) + account_codes + 1, return_inverse=True
    )
    names = [None, *accounts]
    chosen = np.empty(len(pairs), dtype=np.int64)
    for number, pair in enumerate(pairs.tolist()):
        source_id, account = divmod(pair, len(accounts) + 1)
        of_source = found.get((source_id, None), -1)
        chosen[number] = found.get((source_id, names[account]), of_source)
    return chosen[position.reshape(-1)]


def parts_of(link: Integers, level: npt.NDArray[np.object_], links: Sequence[Link]) -> npt.NDArray[np.bool_]:
    """Tell which subjects describe parts of their unit, as their link says; else meters do. [n]"""
    said = [links[at].part if at >= 0 else None for at in link.tolist()]
    return np.array(
        [each == MEASURED if part is None else part for part, each in zip(said, level, strict=True)], dtype=bool
    )


def units_of(subjects: pd.DataFrame, links: Sequence[Link]) -> list[int | None]:
    """
    Find the coverage unit of each subject.

    Args:
        subjects: ``source_id`` and ``account``.

    Returns:
        Unit id; None without a link; ``INDEPENDENT`` where so declared. [n]
    """
    units = [INDEPENDENT if link.unit_id is None else link.unit_id for link in links]
    return [None if at < 0 else units[at] for at in links_of(subjects, links).tolist()]


def levels_of(evidence: pd.Series, from_bill: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """
    Name the level of evidence of each subject; what is neither measured, stated nor assumed is modelled.

    Args:
        evidence: as recorded.
        from_bill: whether it comes from a restated export, such as a bill. [n]

    >>> levels_of(pd.Series(["measured", "modelled", "modelled"]), np.array([True, True, False])).tolist()
    ['measured', 'modelled_bill', 'modelled_use']
    """
    level = np.where(from_bill, MODELLED_BILL, MODELLED_USE).astype(object)
    for name in (MEASURED, STATED, ASSUMED):
        level[(evidence == name).to_numpy(dtype=bool)] = name
    return level


def ranks_of(subjects: pd.DataFrame, rules: Mapping[int, UnitRule]) -> Integers:
    """
    Number the evidence of each unit from the best, 0, on.

    Within a level, sources that describe parts of the unit add up and are of one rank; of those that describe the whole unit,
    the one that was linked first goes first.

    Args:
        subjects: ``unit``, ``link`` (its position among all links), ``source_id``, ``level`` and ``part``.
        rules: of the units; a unit without one has the usual order.

    Returns:
        Rank within the unit. [n]
    """
    first_link = subjects.groupby(["unit", "source_id"])["link"].transform("min").to_numpy(dtype=np.int64)
    usual = UnitRule()
    keys = []
    columns = (subjects[name].tolist() for name in ("unit", "source_id", "level", "part"))
    for unit, source_id, level, part, link in zip(*columns, first_link.tolist(), strict=True):
        keys.append((unit, rules.get(unit, usual).place(level, source_id), -1 if part else link))
    ordered = sorted(set(keys))
    rank: dict[tuple[int, int, int], int] = {}
    for position, key in enumerate(ordered):
        before = ordered[position - 1] if position else None
        rank[key] = rank[before] + 1 if before is not None and before[0] == key[0] else 0
    return np.array([rank[key] for key in keys], dtype=np.int64)
