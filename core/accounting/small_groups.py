"""People are not measured: teams with fewer contributors than the organization's minimum are shown as one (interface, 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

SMALL_GROUPS: Final = "small groups"


def folded_teams(head_counts: Mapping[str, int | None], minimum: int) -> frozenset[str]:
    """
    Name the teams that are folded into ``small groups``.

    Args:
        head_counts: team to its contributors; where none is entered, nothing is folded.
        minimum: fewest contributors of a team that is shown by itself.

    The next smallest with a head count join until at least two teams, and together as many people as the minimum, are
    folded, so that subtraction reveals nothing. An organization that has fewer people in all folds nothing: there is no
    crowd to stand in.

    >>> sorted(folded_teams({"legal": 2, "search": 9, "vision": 12, "research": None}, 5))
    ['legal', 'search']
    >>> sorted(folded_teams({"legal": 1, "press": 1, "search": 9, "vision": 12}, 5))
    ['legal', 'press', 'search']
    """
    entered = sorted((count, name) for name, count in head_counts.items() if count is not None)
    if len(entered) == len(head_counts) and sum(count for count, _ in entered) < minimum:
        return frozenset()
    folded: list[str] = []
    people = 0
    for count, name in entered:
        if count >= minimum and (not folded or (len(folded) > 1 and people >= minimum)):
            break
        folded.append(name)
        people += count
    return frozenset(folded)


def shown_names(row: Mapping[str, Any], folded: frozenset[str]) -> dict[str, Any]:
    """
    Give a record with its team and project as they may be shown: those of a folded team are ``small groups``.

    >>> shown_names({"team": "legal", "project": "robot", "requests": 1}, frozenset({"legal", "search"}))
    {'team': 'small groups', 'project': 'small groups', 'requests': 1}
    """
    if row.get("team") not in folded:
        return dict(row)
    return {name: SMALL_GROUPS if name in ("team", "project") and value else value for name, value in row.items()}


def unfolded_filter(values: Sequence[str], folded: frozenset[str]) -> tuple[str, ...]:
    """
    Widen a filter that names a folded team, or ``small groups``, to all of them: none can be asked for by itself.

    >>> unfolded_filter(("legal", "research"), frozenset({"legal", "search"}))
    ('legal', 'research', 'search')
    """
    if not folded or (folded.isdisjoint(values) and SMALL_GROUPS not in values):
        return tuple(values)
    return tuple(sorted({*values, *folded} - {SMALL_GROUPS}))
