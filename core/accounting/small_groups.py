"""People are not measured: teams with fewer contributors than the organization's minimum are shown as one (interface, 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

SMALL_GROUPS: Final = "small groups"


def folded_teams(head_counts: Mapping[str, int | None], minimum: int) -> frozenset[str]:
    """
    Name the teams that are folded into ``small groups``.

    Args:
        head_counts: team to its contributors; where none is entered, nothing is folded.
        minimum: fewest contributors of a team that is shown by itself.

    If only one would be folded, the next smallest with a head count joins it, so that subtraction reveals nothing.

    >>> sorted(folded_teams({"legal": 2, "search": 9, "vision": 12, "research": None}, 5))
    ['legal', 'search']
    """
    entered = sorted((count, name) for name, count in head_counts.items() if count is not None)
    small = [name for count, name in entered if count < minimum]
    if len(small) == 1 and len(entered) > 1:
        small.append(entered[1][1])
    return frozenset(small)


def unfolded_filter(values: Sequence[str], folded: frozenset[str]) -> tuple[str, ...]:
    """
    Widen a filter that names a folded team, or ``small groups``, to all of them: none can be asked for by itself.

    >>> unfolded_filter(("legal", "research"), frozenset({"legal", "search"}))
    ('legal', 'research', 'search')
    """
    if not folded or (folded.isdisjoint(values) and SMALL_GROUPS not in values):
        return tuple(values)
    return tuple(sorted({*values, *folded} - {SMALL_GROUPS}))
