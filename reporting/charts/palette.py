"""Colours of data, fixed per stage and per entity, in the light and the dark theme. A test holds them against app.css.

The set was chosen by its smallest colour difference (CIEDE2000, also for protan, deutan and tritan viewers: 16.3 light,
15.1 dark) with at least 3:1 against the ground. Colour is never alone: legends, labels and patterns say the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Colour:
    """One colour of data: its CSS custom property (without "--") and its value in each theme."""

    token: str
    light: str
    dark: str


SERIES: Final = (
    Colour("series-1", "#0A5C73", "#5CC1DB"),
    Colour("series-2", "#C76200", "#CE9B38"),
    Colour("series-3", "#469AD6", "#7D87FF"),
    Colour("series-4", "#8C1C26", "#D9547F"),
    Colour("series-5", "#6724F4", "#D5E990"),
    Colour("series-6", "#8A9176", "#4655DB"),
)
OTHER: Final = Colour("other", "#7F8C93", "#66747C")
UPSTREAM: Final = Colour("upstream", "#6724F4", "#4655DB")
EMBODIED: Final = Colour("embodied", "#8A9176", "#D5E990")
TEXT: Final = Colour("text", "#1B2327", "#E6EBED")
MUTED: Final = Colour("muted", "#55626A", "#A3B0B6")
HAIRLINE: Final = Colour("hairline", "#DCE1E4", "#2C383F")
CONTROL: Final = Colour("control", "#7C8A92", "#6C7A82")
GROUND: Final = Colour("ground", "#FFFFFF", "#12181B")
SURFACE: Final = Colour("surface", "#F6F7F8", "#1A2226")
HEAT: Final = (
    Colour("heat-1", "#DCEEF3", "#1C3A45"),
    Colour("heat-2", "#B4CFD8", "#285360"),
    Colour("heat-3", "#8DB1BE", "#346D7D"),
    Colour("heat-4", "#6694A5", "#41889B"),
    Colour("heat-5", "#3E788C", "#4EA4BB"),
    Colour("heat-6", "#0A5C73", "#5CC1DB"),
    Colour("heat-7", "#063747", "#BDEEFA"),
)
"""Seven steps of the accent, from near the ground to far from it, the sixth is the accent itself; evenly spaced in OKLab."""
COLOURS: Final = (*SERIES, *HEAT, OTHER, UPSTREAM, EMBODIED, TEXT, MUTED, HAIRLINE, CONTROL, GROUND, SURFACE)

STAGES: Final = {
    "inference": SERIES[0],
    "training": SERIES[1],
    "experimentation": SERIES[2],
    "fine_tuning": SERIES[3],
    "upstream": UPSTREAM,
    "embodied": EMBODIED,
    # Rarer stages borrow a neighbour's hue and differ by their pattern.
    "evaluation": SERIES[3],
    "data_preparation": SERIES[2],
    "overhead": OTHER,
    "unattributed": OTHER,
    "other": OTHER,
}
"""Stages of the activity table, and the components of a footprint that are stacked beside them, in their fixed colours."""

STAGE_ORDER: Final = (
    "inference",
    "training",
    "fine_tuning",
    "experimentation",
    "evaluation",
    "data_preparation",
    "overhead",
    "upstream",
    "embodied",
    "unattributed",
    "other",
)
"""From the ground up in a stack, and left to right in a legend."""

EVIDENCE: Final = {"measured": SERIES[0], "modelled": SERIES[2], "stated": SERIES[5], "assumed": OTHER}
"""Levels of evidence, where a stack is switched to them."""

PATTERNS: Final = {
    "modelled": "\\",
    "stated": ".",
    "assumed": "x",
    "evaluation": "x",
    "data_preparation": ".",
    "unattributed": ".",
}
"""Plotly pattern shapes of the stages that share a hue."""


def entity_colours(names: Iterable[str]) -> dict[str, Colour]:
    """
    Give each team (project, model ...) a colour by its place in a fixed order, so that it keeps it on every page.

    Args:
        names: all entities of the organization in the order of their creation, not only those shown; a new one comes
            last and changes nobody's colour. From the seventh on, colours repeat and labels tell them apart.
    """
    return {name: SERIES[position % len(SERIES)] for position, name in enumerate(names)}


def stage_rank(stage: str) -> tuple[int, str]:
    """Sort key that puts stages into their fixed order, unknown ones behind by name."""
    return (STAGE_ORDER.index(stage) if stage in STAGE_ORDER else len(STAGE_ORDER), stage)
