"""What changed and why: bars from one total to another, each part from where the one before ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import pandas as pd

from reporting import figures
from reporting.charts.bridge import (
    LESS,
    MORE,
    TOTAL,
    Part,
    Step,
    are_small,
    check_sum,
    laid_out,
    levels,
    reach,
    unknown_spans,
)
from reporting.charts.chart import (
    NOUNS_UNITS,
    Chart,
    Drawn,
    Legend,
    Translate,
    as_is,
    hatched,
    layout,
    nice_ends,
    row_axis,
    shown_unit,
    ticks,
    value_axis,
    with_unit,
)
from reporting.charts.palette import CONTROL, TEXT
from reporting.charts.plane import Plane
from reporting.charts.ranked import room
from reporting.charts.svg import shortened

ROW_HEIGHT: Final = 30
THICKNESS: Final = 0.62
RIGHT: Final = 76


def waterfall(
    parts: Sequence[Part],
    *,
    start: tuple[str, float | None],
    end: tuple[str, float | None],
    name: str = "waterfall",
    kind: figures.Kind = "mass",
    noun: str = "Emissions",
    compares: Literal["periods", "sides"] = "periods",
    detail: str = "",
    quality: str = "",
    resolution: float = 0.0,
    links: Mapping[str, str] | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> Chart:
    """
    Draw the way from one total to another.

    Args:
        parts: in their order; they sum exactly to the difference of the totals. [kg CO2e, kWh or L]
        start, end: name and value of the totals, same unit.
        noun: what the totals are, for the title.
        compares: "periods" of time ("Emissions rose"), or "sides" of one period ("As disclosed: more than ...").
        resolution: to which the given values are rounded each on its own, same unit; 0: exact.
        links: key of a part, "start" or "end" -> address that shows its cause.

    Raises:
        ValueError: everything is known and the parts do not sum to the difference.
    """
    _ = translate
    check_sum(parts, start[1], end[1], resolution)
    changes_only = are_small(parts, start[1], end[1])
    steps = laid_out(parts, start, end, changes_only=changes_only, translate=_)
    labels = [step.part.label for step in steps]
    edges = [edge for step in steps for edge in (step.base, step.end) if edge is not None]
    scale = figures.scale_for(kind, [*edges, *(step.part.value for step in steps)], digits=4)  # parts are small
    unit = shown_unit(kind, scale)
    low, top, tick_step = nice_ends(*(scale.shown(pick(edges, default=0.0)) for pick in (min, max)))
    texts = [text_of(step, scale, changes_only, locale, _) for step in steps]
    title = finding(parts, start, end, kind=kind, noun=noun, compares=compares, locale=locale, translate=_)
    subtitle = unit
    if changes_only:
        subtitle = _("{unit}, changes only: from {start} to {end}").format(
            unit=unit,
            start=figures.quantity(start[1], kind, locale=locale),
            end=figures.quantity(end[1], kind, locale=locale),
        )
    left, height = room(labels), ROW_HEIGHT * len(steps) + 36
    holes = unknown_spans(steps, low / scale.factor, top / scale.factor)
    stored = NOUNS_UNITS[kind][1]
    return Chart(
        name=name,
        kind="waterfall",
        title=title,
        subtitle=subtitle + (f", {detail}" if detail else ""),
        summary=summary(title, parts, scale, unit, locale, _),
        unit=unit,
        figure={
            "data": traces(steps, texts, holes, scale, unit, links or {}, _),
            "layout": {
                **layout(height=height, right=RIGHT, left=left),
                "bargap": 0.36,
                "barmode": "overlay",
                "hovermode": "closest",
                "xaxis": value_axis(top, tick_step, low),
                "yaxis": row_axis(labels),
            },
        },
        table=pd.DataFrame(
            {
                "part": labels,
                f"value [{stored}]": pd.array([step.part.value for step in steps], dtype="Float64"),
                f"begins at [{stored}]": pd.array([step.base for step in steps], dtype="Float64"),
            }
        ),
        headers=(_("Part"), unit, _("Running total, {unit}").format(unit=unit)),
        rows=tuple(
            (step.part.label, text, figures.number(step.end, scale, locale=locale))
            for step, text in zip(steps, texts, strict=True)
        ),
        legend=legend(steps, _),
        svg=drawing(name, steps, texts, holes, (low, top), ticks(low, top, tick_step, locale), scale, left, height),
        height=height,
        quality=quality,
        notes=tuple(
            _("{part} is not known: {reason}").format(part=part.label, reason=part.reason)
            for part in parts
            if part.value is None and part.reason
        ),
        drawn=(
            Drawn(0, "x", f"value [{stored}]", scale.factor),
            Drawn(0, "base", f"begins at [{stored}]", scale.factor),
        ),
    )


def text_of(step: Step, scale: figures.Scale, changes_only: bool, locale: str, translate: Translate) -> str:
    """Write the value of a bar, parts with their sign."""
    if step.part.value is None:
        return translate("not known")
    return figures.number(
        step.part.value, scale, locale=locale, sign=(changes_only or not step.total) and step.part.value > 0
    )


def finding(
    parts: Sequence[Part],
    start: tuple[str, float | None],
    end: tuple[str, float | None],
    *,
    kind: figures.Kind,
    noun: str,
    compares: str,
    locale: str = "en",
    translate: Translate = as_is,
) -> str:
    """
    Say by how much the totals differ, and which part is the largest in that direction; the first rule that holds speaks.

    1. A total that is not known: a plain title.
    2. No difference, though parts of 1 % or more stand against each other.
    3. No difference.
    4. The difference, as a percentage where the base allows one; with it that parts are missing, or the largest part.
    """
    _ = translate
    if start[1] is None or end[1] is None:
        return _("From {start} to {end}").format(start=start[0], end=end[0])
    change = figures.change(end[1], start[1], smallest_base=0, locale=locale, translate=_)
    values = {part.label: part.value for part in parts if part.value is not None}
    if change.direction == "same" or end[1] == start[1]:
        largest = max(values.values(), default=0.0)
        said = (_("{noun} stay the same") if compares == "periods" else _("{end}: no difference to {start}")).format(
            noun=noun, start=start[0], end=end[0]
        )
        if largest >= 0.01 * abs(end[1]) and largest > 0:
            return _("{finding}, as parts cancel each other out").format(finding=said)
        return said
    up = end[1] > start[1]
    no_share = change.direction == "none" or end[1] < 0  # nothing falls by more than 100 %
    size = figures.quantity(abs(end[1] - start[1]), kind, locale=locale) if no_share else change.text
    if compares == "periods":
        said = (_("{noun} rose {size}") if up else _("{noun} fell {size}")).format(noun=noun, size=size)
    else:
        said = (_("{end}: {size} more than {start}") if up else _("{end}: {size} less than {start}")).format(
            end=end[0], start=start[0], size=size
        )
    if len(values) < len(parts):
        return _("{finding}; not every part is known").format(finding=said)
    if not values:
        return said
    largest_part = (max if up else min)(values, key=values.__getitem__)
    amount = with_sign(values[largest_part], kind, locale)
    return _("{finding}; largest part: {part}, {amount}").format(
        finding=said, part=shortened(largest_part, 40), amount=amount
    )


def with_sign(value: float, kind: figures.Kind, locale: str) -> str:
    """Write a part with sign and unit of its own."""
    return figures.quantity(value, kind, locale=locale, sign=value > 0)


def summary(
    title: str, parts: Sequence[Part], scale: figures.Scale, unit: str, locale: str, translate: Translate
) -> str:
    """Say the finding and both extremes of the parts."""
    _ = translate
    known = {part.label: part.value for part in parts if part.value is not None}
    if not known:
        return _("{title}. No part is known.").format(title=title)
    most, least = max(known, key=known.__getitem__), min(known, key=known.__getitem__)
    text = _("{title}. Most added: {most} with {high}; most taken away or least added: {least} with {low}.")
    written = {
        key: with_unit(figures.number(known[key], scale, locale=locale, sign=known[key] > 0), unit)
        for key in (most, least)
    }
    return text.format(title=title, most=most, least=least, high=written[most], low=written[least])


def traces(
    steps: Sequence[Step],
    texts: Sequence[str],
    holes: Mapping[int, tuple[float, float]],
    scale: figures.Scale,
    unit: str,
    links: Mapping[str, str],
    translate: Translate,
) -> list[dict[str, Any]]:
    """Return bars with base, the thin lines between them, their numbers, and the hatching of what is not known."""

    def shown(value: float | None) -> float | None:
        return None if value is None else scale.shown(value)

    rows = list(range(len(steps)))
    said = [
        f"{step.part.label}: {with_unit(text, unit) if step.part.value is not None else text}"
        for step, text in zip(steps, texts, strict=True)
    ]
    drawn: list[dict[str, Any]] = [
        {
            "type": "bar",
            "orientation": "h",
            "name": translate("Parts"),
            "y": rows,
            "x": [shown(step.part.value) for step in steps],
            "base": [shown(step.base) for step in steps],
            "width": THICKNESS,
            "customdata": [[text, links.get(step.part.key, "")] for text, step in zip(said, steps, strict=True)],
            "hovertemplate": "%{customdata[0]}<extra></extra>",
            "marker": {"color": [step.colour.light for step in steps]},
            "meta": {"key": "parts", "tokens": [step.colour.token for step in steps], "points": True},
        },
        {
            "type": "scatter",
            "mode": "lines",
            "x": [x for _i, level in levels(steps) for x in (scale.shown(level), scale.shown(level), None)],
            "y": [y for i, _level in levels(steps) for y in (i, i + 1, None)],
            "hoverinfo": "skip",
            "line": {"color": CONTROL.light, "width": 1},
            "meta": {"key": "links", "token": CONTROL.token},
        },
        {
            "type": "scatter",
            "mode": "text",
            "x": [scale.shown(reach(step, holes.get(i))) for i, step in enumerate(steps)],
            "y": rows,
            "text": [f" {text}" for text in texts],
            "textposition": "middle right",
            "textfont": {"color": TEXT.light},
            "cliponaxis": False,
            "hoverinfo": "skip",
            "meta": {"key": "texts", "token": TEXT.token},
        },
    ]
    if holes:
        drawn.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": translate("Not known"),
                "y": list(holes),
                "x": [scale.shown(high - low) for low, high in holes.values()],
                "base": [scale.shown(low) for low, _high in holes.values()],
                "width": THICKNESS,
                "customdata": [
                    [said[i] + (f" ({steps[i].part.reason})" if steps[i].part.reason else ""), ""] for i in holes
                ],
                "hovertemplate": "%{customdata[0]}<extra></extra>",
                "marker": hatched(),
                "meta": {"key": "gap", "token": CONTROL.token},
            }
        )
    return drawn


def legend(steps: Sequence[Step], translate: Translate) -> tuple[Legend, ...]:
    """Explain the hues that occur."""
    _ = translate
    names = ((TOTAL, _("Total")), (MORE, _("More")), (LESS, _("Less")))
    used = {step.colour.token for step in steps if step.end is not None and (step.total or step.part.value)}
    entries = [Legend("", label, colour.token) for colour, label in names if colour.token in used]
    if any(step.end is None for step in steps):
        entries.append(Legend("", _("Not known"), CONTROL.token, "gap"))
    return tuple(entries)


def drawing(
    name: str,
    steps: Sequence[Step],
    texts: Sequence[str],
    holes: Mapping[int, tuple[float, float]],
    across: tuple[float, float],
    axis: Sequence[tuple[float, str]],
    scale: figures.Scale,
    left: int,
    height: int,
) -> str:
    """Draw the same picture on the server."""
    plane = Plane(name, across, (len(steps) - 0.5, -0.5), height, left=left, right=RIGHT)
    plane.grid_across(axis)
    for i, level in levels(steps):
        plane.segment((scale.shown(level), i), (scale.shown(level), i + 1), "zero-line")
    for i, (step, text) in enumerate(zip(steps, texts, strict=True)):
        rows = (i - THICKNESS / 2, i + THICKNESS / 2)
        plane.row_label(step.part.label, i)
        if step.base is not None and step.end is not None and step.end != step.base:
            plane.bar((scale.shown(step.base), scale.shown(step.end)), rows, class_=f"c-{step.colour.token}")
        elif i in holes:
            plane.hatched((scale.shown(holes[i][0]), scale.shown(holes[i][1])), rows)
        plane.text(text, plane.px(scale.shown(reach(step, holes.get(i)))) + 6, plane.py(i) + 4, kind="strong")
    return plane.svg()
