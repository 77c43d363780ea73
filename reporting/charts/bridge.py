"""The bars of a bridge between two totals: where each begins and ends, and what cannot be placed because it is not known."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from reporting.charts.chart import Translate
from reporting.charts.palette import OTHER, SERIES, Colour

SMALL_PART: Final = 0.04  # of the larger total: below it the parts are drawn without the totals, or nothing is seen
MORE, LESS, TOTAL = SERIES[1], SERIES[0], OTHER
"""Two hues that everybody tells apart; whether more is bad is for the words to say."""


@dataclass(frozen=True)
class Part:
    """One step of the bridge, in the stored unit; None is unknown, with the reason."""

    key: str
    label: str
    value: float | None
    reason: str = ""


@dataclass(frozen=True)
class Step:
    """A bar: a total from zero, or a part from where the one before ended. Places are None where they are not known."""

    part: Part
    base: float | None
    total: bool = False

    @property
    def end(self) -> float | None:
        """Where the bar ends."""
        return None if self.base is None or self.part.value is None else self.base + self.part.value

    @property
    def colour(self) -> Colour:
        """Colour by direction."""
        return TOTAL if self.total else MORE if (self.part.value or 0) >= 0 else LESS


def check_sum(parts: Sequence[Part], start: float | None, end: float | None, resolution: float = 0.0) -> None:
    """Refuse parts that leave a rest beyond their ``resolution``: a bridge that does not arrive is no bridge."""
    values = [part.value for part in parts if part.value is not None]
    if start is None or end is None or len(values) < len(parts):
        return
    rest = math.fsum([start, *values, -end])
    allowed = 1e-9 * max(abs(start), abs(end), *map(abs, values), 0.0) + resolution * (len(values) + 2)
    if abs(rest) > allowed:
        raise ValueError(f"the parts leave a rest of {rest:g} between {start:g} and {end:g}")


def are_small(parts: Sequence[Part], start: float | None, end: float | None) -> bool:
    """Tell whether all parts are so small beside the totals that bars from zero would hide them."""
    largest = max((abs(part.value or 0.0) for part in parts), default=0.0)
    known = start is not None and end is not None and all(part.value is not None for part in parts)
    return known and 0 < largest < SMALL_PART * max(abs(start or 0.0), abs(end or 0.0))


def laid_out(
    parts: Sequence[Part],
    start: tuple[str, float | None],
    end: tuple[str, float | None],
    *,
    changes_only: bool,
    translate: Translate,
) -> list[Step]:
    """
    Give every bar its place: from the start up to the first unknown part, and back from the end to the last one.

    What lies between two unknown parts has a value but no place.
    """
    places: list[float | None] = [None] * (len(parts) + 1)
    places[0] = 0.0 if changes_only else start[1]
    for i, part in enumerate(parts):
        before = places[i]
        places[i + 1] = None if before is None or part.value is None else before + part.value
    if not changes_only and places[-1] is None:
        places[-1] = end[1]
        for i in range(len(parts) - 1, -1, -1):
            after, value = places[i + 1], parts[i].value
            if places[i] is not None or after is None or value is None:
                break
            places[i] = after - value
    steps = [Step(part, place) for part, place in zip(parts, places[:-1], strict=True)]
    if changes_only:
        change = (end[1] or 0.0) - (start[1] or 0.0)
        return [*steps, Step(Part("end", translate("Whole change"), change), 0.0, total=True)]
    return [
        Step(Part("start", *start), None if start[1] is None else 0.0, total=True),
        *steps,
        Step(Part("end", *end), None if end[1] is None else 0.0, total=True),
    ]


def unknown_spans(steps: Sequence[Step], low: float, top: float) -> dict[int, tuple[float, float]]:
    """Say where each unknown bar is hatched: between its known neighbours' ends, else over the whole width."""
    found = {}
    for i, step in enumerate(steps):
        if step.end is not None:
            continue
        after = steps[i + 1] if i + 1 < len(steps) else None
        to = None if after is None else after.end if after.total else after.base
        if step.part.value is None and step.base is not None and to is not None and not step.total and to != step.base:
            found[i] = (step.base, to)
        else:
            found[i] = (low, top)
    return found


def levels(steps: Sequence[Step]) -> list[tuple[int, float]]:
    """List the lines between bars: the row above, and the level at which the next one begins."""
    found = []
    for i, (step, after) in enumerate(pairwise(steps)):
        level = step.end if step.end is not None else after.end if after.total else after.base
        if level is not None:
            found.append((i, level))
    return found


def reach(step: Step, hole: tuple[float, float] | None) -> float:
    """Right end of a bar, behind which its number stands."""
    edges = [edge for edge in (step.base, step.end, *(hole or ())) if edge is not None]
    return max(edges, default=0.0)
