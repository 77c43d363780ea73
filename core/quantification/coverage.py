"""Counted once: where several sources describe the same activity, one of them counts and the others are cross-checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

COUNTED: Final = "counted"
CROSS_CHECK: Final = "cross_check"
INDEPENDENT: Final = 0
"""Stands for a unit where the organization has said that no other source describes what this one does."""


@dataclass(frozen=True)
class Link:
    """A source, or one account of it (None: all), tied to a coverage unit; unit None: declared independent."""

    source_id: int
    account: str | None
    unit_id: int | None


def units_of(subjects: pd.DataFrame, links: Sequence[Link]) -> list[int | None]:
    """
    Find the coverage unit of each subject: the link of its account goes before that of its source.

    Args:
        subjects: ``source_id`` and ``account``.

    Returns:
        Unit id; None without a link; ``INDEPENDENT`` where so declared. [n]
    """
    found = {(link.source_id, link.account): INDEPENDENT if link.unit_id is None else link.unit_id for link in links}
    units = []
    for source_id, account in zip(subjects["source_id"], subjects["account"], strict=True):
        of_source = found.get((source_id, None))
        units.append(found.get((source_id, account), of_source) if isinstance(account, str) else of_source)
    return units


def roles_of(subjects: pd.DataFrame, links: Sequence[Link], counting: Mapping[int, int]) -> npt.NDArray[np.object_]:
    """
    Decide what counts: in a coverage unit its counting source; what other sources say of it is a cross-check.

    Without a link everything counts; the overlap that may be there is warned of elsewhere.

    Args:
        counting: coverage unit to the source that counts in it.

    >>> both = pd.DataFrame({"source_id": [1, 2], "account": ["a", "a"]})
    >>> roles_of(both, [Link(1, None, 9), Link(2, "a", 9)], {9: 1}).tolist()
    ['counted', 'cross_check']
    """
    roles = np.full(len(subjects), COUNTED, dtype=object)
    for position, (unit, source_id) in enumerate(zip(units_of(subjects, links), subjects["source_id"], strict=True)):
        if unit and counting.get(unit, source_id) != source_id:
            roles[position] = CROSS_CHECK
    return roles
