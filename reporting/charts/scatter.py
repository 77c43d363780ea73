"""Bubbles between two measures, with the line of those that nobody beats in both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, Literal

import pandas as pd

from reporting import figures
from reporting.charts.chart import (
    Chart,
    Drawn,
    Legend,
    Translate,
    as_is,
    known_or_none,
    layout,
    nice_top,
    ticks,
    value_axis,
    with_unit,
)
from reporting.charts.palette import GROUND, OTHER, SERIES, TEXT
from reporting.charts.plane import Plane

HEIGHT: Final = 380
LARGEST: Final = 22.0  # radius of the bubble with the largest volume [px]
SMALLEST: Final = 4.0
WIDTH_OF_LETTER: Final = 6.6
CARD: Final = 440.0  # width of the plot in half a page [px]
PAGE: Final = 690.0  # in a whole one, and on the server
PHONE: Final = 290.0
SIDES: Final = ("middle right", "middle left", "top center", "top left", "top right", "bottom right", "bottom center")


@dataclass(frozen=True)
class Measure:
    """What an axis shows: its words, its unit, and which direction is better."""

    label: str
    unit: str
    better: Literal["less", "more"] = "less"

    @property
    def title(self) -> str:
        """Title of the axis."""
        return f"{self.label}, {self.unit}" if self.unit else self.label


@dataclass(frozen=True)
class Bubble:
    """One entity, in the units of its measures."""

    key: str
    label: str
    x: float
    y: float
    volume: float | None
    best: bool = False

    def radius(self, largest: float) -> float:
        """Radius whose area shows the volume. [px]"""
        if not self.volume or not largest:
            return SMALLEST
        return max(SMALLEST, LARGEST * math.sqrt(self.volume / largest))


def scatter(
    frame: pd.DataFrame,
    *,
    across: Measure,
    up: Measure,
    noun: str,
    volume: Measure,
    name: str = "scatter",
    detail: str = "",
    quality: str = "",
    links: Mapping[str, str] | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> Chart:
    """
    Draw one bubble for each entity that has both measures; the others are named below.

    Args:
        frame: ``key``, ``label``, ``x``, ``y`` and ``volume`` in the units of the measures, not below zero; NaN is unknown.
        across, up, volume: what x, y and the area of a bubble mean.
        noun: what the entities are, as it stands inside a sentence: "models".
    """
    _ = translate
    bubbles, left_out = read(frame, across, up)
    best = sorted((bubble for bubble in bubbles if bubble.best), key=lambda bubble: (bubble.x, bubble.y))
    x_scale, y_scale = (figures.plain_scale([getattr(bubble, axis) for bubble in bubbles]) for axis in ("x", "y"))
    (x_top, x_step), (y_top, y_step) = (
        nice_top(1.08 * max((getattr(bubble, axis) for bubble in bubbles), default=0.0)) for axis in ("x", "y")
    )
    said = [
        _("{name}: {x}, {y}, {volume}").format(
            name=bubble.label,
            x=with_unit(figures.number(bubble.x, x_scale, locale=locale), across.unit),
            y=with_unit(figures.number(bubble.y, y_scale, locale=locale), up.unit),
            volume=with_unit(figures.count(bubble.volume, locale=locale), volume.unit),
        )
        for bubble in bubbles
    ]
    title = finding(bubbles, best, noun, _)
    less = across.better == "less"
    labels, narrow = (
        placed_labels(bubbles, (x_top, y_top), less=less, widths=widths) for widths in ((CARD, PAGE), (PHONE,))
    )
    return Chart(
        name=name,
        kind="scatter",
        title=title,
        subtitle=_("{up} against {across}; area: {volume}").format(
            up=up.title, across=across.title, volume=volume.title
        )
        + (f", {detail}" if detail else ""),
        summary=_("{title}. Nobody beats in both: {names}.").format(
            title=title, names=", ".join(bubble.label for bubble in best)
        )
        if best
        else _("{title}. There is no data in this period.").format(title=title),
        unit=up.unit,
        figure={
            "data": traces(bubbles, best, said, (labels, narrow), links or {}, _, across),
            "layout": {
                **layout(height=HEIGHT, right=16, left=56, above=30, below=50),
                "hovermode": "closest",
                "xaxis": value_axis(x_top, x_step)
                | {"title": {"text": across.title, "standoff": 8, "font": {"size": 13}}},
                "yaxis": value_axis(y_top, y_step),
                "annotations": [
                    {
                        "x": 0,
                        "y": 1,
                        "xref": "paper",
                        "yref": "paper",
                        "xanchor": "left",
                        "yanchor": "bottom",
                        "xshift": -40,
                        "yshift": 6,
                        "showarrow": False,
                        "text": up.title,
                        "name": "keep",
                        "font": {"size": 13},
                    }
                ],
            },
        },
        table=pd.DataFrame(
            {
                "label": [bubble.label for bubble in bubbles],
                f"{across.label} [{across.unit}]": [bubble.x for bubble in bubbles],
                f"{up.label} [{up.unit}]": [bubble.y for bubble in bubbles],
                f"{volume.label} [{volume.unit}]": [bubble.volume for bubble in bubbles],
                "on the Pareto line": [bubble.best for bubble in bubbles],
            }
        ),
        headers=(_("Name"), across.title, up.title, volume.title, _("On the Pareto line")),
        rows=tuple(
            (
                bubble.label,
                figures.number(bubble.x, x_scale, locale=locale),
                figures.number(bubble.y, y_scale, locale=locale),
                figures.count(bubble.volume, locale=locale),
                _("yes") if bubble.best else "",
            )
            for bubble in bubbles
        ),
        legend=(
            Legend("", _("Beaten by another in both"), OTHER.token),
            Legend("", _("Not beaten"), SERIES[0].token),
            Legend("", _("Pareto line"), TEXT.token, "line"),
        )
        if bubbles
        else (),
        svg=drawing(name, bubbles, best, labels, across, up, ((x_top, x_step), (y_top, y_step)), locale),
        height=HEIGHT,
        quality=quality,
        notes=(_("Without both figures: {names}").format(names=", ".join(left_out)),) if left_out else (),
        drawn=(
            Drawn(0, "x", f"{across.label} [{across.unit}]"),
            Drawn(0, "y", f"{up.label} [{up.unit}]"),
        ),
    )


def read(frame: pd.DataFrame, across: Measure, up: Measure) -> tuple[list[Bubble], list[str]]:
    """Take the rows with both measures, the largest volume first so that small ones lie above, and name the others."""
    rows = frame.sort_values("volume", ascending=False, na_position="last", kind="stable").to_dict("records")
    known = [row for row in rows if pd.notna(row["x"]) and pd.notna(row["y"])]
    points = [(float(row["x"]), float(row["y"])) for row in known]
    best = pareto(points, across, up)
    bubbles = [
        Bubble(str(row["key"]), str(row["label"]), x, y, known_or_none(row.get("volume")), i in best)
        for i, (row, (x, y)) in enumerate(zip(known, points, strict=True))
    ]
    return bubbles, [str(row["label"]) for row in rows if pd.isna(row["x"]) or pd.isna(row["y"])]


def pareto(points: Sequence[tuple[float, float]], across: Measure, up: Measure) -> set[int]:
    """
    Find the points that no other beats: at least as good in both measures and better in one.

    >>> pareto([(1, 9), (2, 5), (3, 6), (9, 1)], Measure("g", "g"), Measure("s", "s")) == {0, 1, 3}
    True
    """
    signs = [1.0 if measure.better == "less" else -1.0 for measure in (across, up)]
    costs = [(signs[0] * x, signs[1] * y) for x, y in points]
    return {i for i, (x, y) in enumerate(costs) if not any(a <= x and b <= y and (a < x or b < y) for a, b in costs)}


def finding(bubbles: Sequence[Bubble], best: Sequence[Bubble], noun: str, translate: Translate) -> str:
    """
    Say what the line shows; the first rule that holds speaks.

    1. Fewer than two entities.
    2. One beats all others in both.
    3. Nobody is beaten.
    4. How many are not beaten.
    """
    _ = translate
    if len(bubbles) < 2:
        return bubbles[0].label if bubbles else _("No {noun} with both figures").format(noun=noun)
    if len(best) == 1:
        return _("{name} beats all other {noun} in both").format(name=best[0].label, noun=noun)
    if len(best) == len(bubbles):
        return _("Each of the {n} {noun} is best at some trade-off").format(n=len(best), noun=noun)
    return _("{n} of {all} {noun} are beaten by none in both").format(n=len(best), all=len(bubbles), noun=noun)


def placed_labels(
    bubbles: Sequence[Bubble], tops: tuple[float, float], *, less: bool, widths: Sequence[float] = (CARD, PAGE)
) -> dict[int, str]:
    """
    Choose which names are written beside their bubbles, and on which side, so that none covers another or the line.

    The best come first, then by volume; a name that finds no room stays in hover and table.

    Args:
        widths: of the plot, at which the names have to keep apart. [px]
    """
    high = HEIGHT - 30 - 50
    largest = max((bubble.volume or 0.0 for bubble in bubbles), default=0.0)
    radii = [bubble.radius(largest) for bubble in bubbles]
    at_width = {
        wide: [(bubble.x / tops[0] * wide, (1 - bubble.y / tops[1]) * high) for bubble in bubbles] for wide in widths
    }
    taken = {wide: line_boxes(bubbles, centres, less=less) for wide, centres in at_width.items()}
    found: dict[int, str] = {}

    def is_free(i: int, side: str, wide: float) -> bool:
        box = label_box(side, *at_width[wide][i], radii[i] + 4, bubbles[i].label)
        discs = [
            (x - radius, y - radius, x + radius, y + radius)
            for j, ((x, y), radius) in enumerate(zip(at_width[wide], radii, strict=True))
            if j != i
        ]
        inside = box[0] >= 0 and box[2] <= wide and box[1] >= -20 and box[3] <= high
        return inside and not any(overlap(box, other) for other in (*taken[wide], *discs))

    for i in sorted(range(len(bubbles)), key=lambda i: (not bubbles[i].best, -(bubbles[i].volume or 0.0))):
        side = next((side for side in SIDES if all(is_free(i, side, wide) for wide in widths)), "")
        if side:
            found[i] = side
            for wide in widths:
                taken[wide].append(label_box(side, *at_width[wide][i], radii[i] + 4, bubbles[i].label))
    return found


def label_box(side: str, x: float, y: float, reach: float, label: str) -> tuple[float, float, float, float]:
    """Give the box of a name on a side of its bubble: left, top, right, bottom. [px]"""
    high, wide = side.split()
    size = WIDTH_OF_LETTER * min(len(label), 24)
    left = {"right": x + reach, "left": x - reach - size}.get(wide, x - size / 2)
    if high == "middle":
        top = y - 8
    else:
        near = 2 if wide != "center" else 0  # at a corner the disc leaves some room
        top = y - reach - 16 + near if high == "top" else y + reach - near
    return (left, top, left + size, top + 16)


def line_boxes(
    bubbles: Sequence[Bubble], centres: Sequence[tuple[float, float]], *, less: bool
) -> list[tuple[float, float, float, float]]:
    """Give the pieces of the Pareto line as thin boxes. [px]"""
    points = sorted((bubble.x, bubble.y, centres[i]) for i, bubble in enumerate(bubbles) if bubble.best)
    found = []
    for (*_one, (x, y)), (*_other, (next_x, next_y)) in pairwise(points):
        corner_x, corner_y = (next_x, y) if less else (x, next_y)
        for far_x, far_y in ((x, y), (next_x, next_y)):
            found.append(
                (min(corner_x, far_x) - 1, min(corner_y, far_y) - 1, max(corner_x, far_x) + 1, max(corner_y, far_y) + 1)
            )
    return found


def overlap(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    """Tell whether two boxes (left, top, right, bottom) cover each other."""
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def traces(
    bubbles: Sequence[Bubble],
    best: Sequence[Bubble],
    said: Sequence[str],
    labels: tuple[Mapping[int, str], Mapping[int, str]],
    links: Mapping[str, str],
    translate: Translate,
    across: Measure,
) -> list[dict[str, Any]]:
    """Return bubbles, with the names that fit (on a phone: ``meta.narrow``), and the line in steps."""
    largest = max((bubble.volume or 0.0 for bubble in bubbles), default=0.0)
    hues = [SERIES[0] if bubble.best else OTHER for bubble in bubbles]

    def names(sides: Mapping[int, str]) -> dict[str, Any]:
        return {
            "text": [bubble.label[:24] if i in sides else "" for i, bubble in enumerate(bubbles)],
            "textposition": [sides.get(i, "middle right") for i in range(len(bubbles))],
        }

    return [
        {
            "type": "scatter",
            "mode": "markers+text",
            "name": translate("Value"),
            "x": [bubble.x for bubble in bubbles],
            "y": [bubble.y for bubble in bubbles],
            **names(labels[0]),
            "textfont": {"color": TEXT.light},
            "customdata": [[text, links.get(bubble.key, "")] for text, bubble in zip(said, bubbles, strict=True)],
            "hovertemplate": "%{customdata[0]}<extra></extra>",
            "cliponaxis": False,
            "marker": {
                "color": [hue.light for hue in hues],
                "size": [2 * bubble.radius(largest) for bubble in bubbles],
                "opacity": 0.85,
                "line": {"width": 1, "color": GROUND.light},
            },
            "meta": {
                "key": "value",
                "tokens": [hue.token for hue in hues],
                "points": True,
                "narrow": names(labels[1]),
            },
        },
        {
            "type": "scatter",
            "mode": "lines",
            "name": translate("Pareto line"),
            "x": [bubble.x for bubble in best],
            "y": [bubble.y for bubble in best],
            "hoverinfo": "skip",
            "line": {
                "color": TEXT.light,
                "width": 1.5,
                "dash": "5px,3px",
                "shape": "hv" if across.better == "less" else "vh",
            },
            "meta": {"key": "pareto", "token": TEXT.token},
        },
    ]


def drawing(
    name: str,
    bubbles: Sequence[Bubble],
    best: Sequence[Bubble],
    labels: Mapping[int, str],
    across: Measure,
    up: Measure,
    axes: tuple[tuple[float, float], tuple[float, float]],
    locale: str,
) -> str:
    """Draw the same picture on the server."""
    (x_top, x_step), (y_top, y_step) = axes
    plane = Plane(name, (0, x_top), (0, y_top), HEIGHT, left=56, right=16, above=30, below=50)
    plane.grid_up(ticks(0, y_top, y_step, locale))
    plane.grid_across(ticks(0, x_top, x_step, locale))
    plane.titles(across=across.title, up=up.title)
    largest = max((bubble.volume or 0.0 for bubble in bubbles), default=0.0)
    corners: list[tuple[float, float]] = []
    for bubble in best:
        if corners:
            corners.append((bubble.x, corners[-1][1]) if across.better == "less" else (corners[-1][0], bubble.y))
        corners.append((bubble.x, bubble.y))
    plane.line(corners, "target-line")
    for i, bubble in enumerate(bubbles):
        radius = bubble.radius(largest)
        plane.dot(bubble.x, bubble.y, radius, f"c-{(SERIES[0] if bubble.best else OTHER).token}")
        side = labels.get(i, "")
        x, y = plane.px(bubble.x), plane.py(bubble.y)
        if side:
            high, wide = side.split()
            dx = {"right": radius + 4, "left": -radius - 4}.get(wide, 0.0)
            dy = {"top": -radius - 6, "bottom": radius + 15}.get(high, 4.0)
            anchor = {"right": "start", "left": "end"}.get(wide, "middle")
            plane.text(bubble.label[:24], x + dx, y + dy, anchor=anchor, kind="strong")
    return plane.svg()
