"""Dots with ranges: who is low and who is high, and above all which of them cannot be told apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from reporting import figures
from reporting.charts.chart import (
    NOUNS_UNITS,
    Chart,
    Drawn,
    Legend,
    Translate,
    as_is,
    axis_number,
    known_or_none,
    layout,
    nice_top,
    row_axis,
    shown_unit,
    ticks,
    value_axis,
    with_unit,
)
from reporting.charts.palette import CONTROL, HAIRLINE, SERIES, TEXT
from reporting.charts.plane import Plane
from reporting.charts.ranked import room

ROW_HEIGHT: Final = 28
RIGHT: Final = 84
WIDE: Final = 100.0  # the largest as multiple of the smallest, from which on the axis is logarithmic
SYMBOLS: Final = {
    "measured": "circle",
    "modelled": "circle-open",
    "stated": "diamond-open",
    "assumed": "circle-open-dot",
    "": "circle",
}
"""How sure a figure is, by shape: the words stand in the legend and in the table."""


@dataclass(frozen=True)
class Dot:
    """One row in the stored unit; ``near`` and ``far`` are its range once what all share is taken out."""

    key: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    near: float | None
    far: float | None
    evidence: str = ""
    reason: str = ""


def dots(
    frame: pd.DataFrame,
    *,
    noun: str,
    name: str = "dots",
    kind: figures.Kind = "intensity",
    per: str = "",
    evidence_names: Mapping[str, str] | None = None,
    logarithmic: bool | None = None,
    detail: str = "",
    quality: str = "",
    links: Mapping[str, str] | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> Chart:
    """
    Draw one dot for each entity, the lowest first, with its range as a line.

    Args:
        frame: ``key``, ``label``, ``value`` [kg CO2e, kWh or L, each ``per`` something]; optional ``low`` and ``high``,
            ``unshared_low`` and ``unshared_high`` (the range once shared factors are taken out, which decides what can be
            told apart), ``evidence`` and ``reason`` ("not disclosed"). Rows without a value come last.
        noun: what the rows are, as it stands inside a sentence: "regions".
        logarithmic: whether the axis shows ratios; without, where the largest is a hundred times the smallest.
    """
    _ = translate
    found = ordered(frame)
    edges = [edge for dot in found for edge in (dot.value, dot.low, dot.high) if edge is not None]
    scale = figures.scale_for(kind, [dot.value for dot in found])
    unit = shown_unit(kind, scale, per)
    positive = [edge for edge in edges if edge > 0]
    wide = bool(positive) and len(positive) == len(edges) and max(positive) >= WIDE * min(positive)
    ratio = bool(positive) and len(positive) == len(edges) and (wide if logarithmic is None else logarithmic)
    axis, across, marks = axis_of([scale.shown(edge) for edge in edges], ratio, locale)
    texts = [written(dot.value, scale, ratio, locale) for dot in found]
    spans = [figures.interval(dot.low, dot.high, spanning(scale, ratio), locale=locale) for dot in found]
    told = apart(found)
    title = finding(found, told, noun, texts, unit, locale, _)
    left, height = room(dot.label for dot in found), ROW_HEIGHT * max(len(found), 1) + 36
    stored = f"{NOUNS_UNITS[kind][1]} {per}".strip()
    names = evidence_names or {}
    words = [verdict(dot, told, _) for dot in found]
    evidenced = any(dot.evidence for dot in found)
    subtitle = unit + (", " + _("logarithmic scale") if ratio else "") + "; " + _("line: range")
    return Chart(
        name=name,
        kind="dots",
        title=title,
        subtitle=subtitle + (f", {detail}" if detail else ""),
        summary=summary(title, found, texts, unit, _),
        unit=unit,
        figure={
            "data": traces(found, texts, spans, scale, unit, links or {}, _),
            "layout": {
                **layout(height=height, right=RIGHT, left=left),
                "hovermode": "closest",
                "xaxis": axis,
                "yaxis": {**row_axis([dot.label for dot in found]), "showgrid": True, "gridcolor": HAIRLINE.light},
            },
        },
        table=pd.DataFrame(
            {
                "label": [dot.label for dot in found],
                f"value [{stored}]": pd.array([dot.value for dot in found], dtype="Float64"),
                f"low [{stored}]": pd.array([dot.low for dot in found], dtype="Float64"),
                f"high [{stored}]": pd.array([dot.high for dot in found], dtype="Float64"),
                "evidence": [dot.evidence for dot in found],
                "against the lowest": words,
            }
        ),
        headers=(
            _("Name"),
            unit,
            _("Range, {unit}").format(unit=unit),
            *([_("Evidence")] if evidenced else []),
            _("Against the lowest"),
        ),
        rows=tuple(
            (
                dot.label,
                text,
                span,
                *([names.get(dot.evidence, dot.evidence)] if evidenced else []),
                word,
            )
            for dot, text, span, word in zip(found, texts, spans, words, strict=True)
        ),
        legend=tuple(
            Legend("", names.get(kind_, kind_), SERIES[0].token, shape=SYMBOLS[kind_])
            for kind_ in SYMBOLS
            if kind_ and any(dot.evidence == kind_ for dot in found)
        ),
        svg=drawing(name, found, texts, scale, across, marks, ratio, left, height),
        height=height,
        quality=quality,
        notes=tuple(f"{dot.label}: {dot.reason}" for dot in found if dot.value is None and dot.reason),
        drawn=(Drawn(1, "x", f"value [{stored}]", scale.factor),),
    )


def ordered(frame: pd.DataFrame) -> list[Dot]:
    """Put the lowest first and the unknown last."""
    rows = frame.sort_values("value", na_position="last", kind="stable").to_dict("records")
    found = []
    for row in rows:
        value, low, high = (known_or_none(row.get(column)) for column in ("value", "low", "high"))
        near, far = (known_or_none(row.get(f"unshared_{end}")) for end in ("low", "high"))
        if near is None or far is None:
            near, far = low, high
        evidence, reason = (str(row.get(column) or "") for column in ("evidence", "reason"))
        found.append(Dot(str(row["key"]), str(row["label"]), value, low, high, near, far, evidence, reason))
    return found


def apart(found: Sequence[Dot]) -> dict[str, bool | None]:
    """
    Tell for each known row whether it is distinguishable from the lowest: True if its range lies wholly above.

    None where one of the two has no range, so that nothing can be said. Ranges that touch are not apart.
    """
    known = [dot for dot in found if dot.value is not None]
    told: dict[str, bool | None] = {}
    for dot in known[1:]:
        lowest = known[0].far
        told[dot.key] = None if lowest is None or dot.near is None else dot.near > lowest
    return told


def verdict(dot: Dot, told: Mapping[str, bool | None], translate: Translate) -> str:
    """Say how a row stands to the lowest."""
    _ = translate
    if dot.value is None:
        return _("not disclosed")
    if dot.key not in told:
        return _("the lowest")
    return {True: _("higher"), False: _("not distinguishable"), None: _("no range, so not comparable")}[told[dot.key]]


def finding(
    found: Sequence[Dot],
    told: Mapping[str, bool | None],
    noun: str,
    texts: Sequence[str],
    unit: str,
    locale: str,
    translate: Translate,
) -> str:
    """
    Say first what cannot be told apart, then who is lowest; the first rule that holds speaks.

    1. Nothing is disclosed, or only one row.
    2. No row can be compared with the lowest, as ranges are missing.
    3. No row is distinguishable from the lowest, or some are not.
    4. The lowest lies apart from all others.
    """
    _ = translate
    known = [dot for dot in found if dot.value is not None]
    if not known:
        return _("None of {all} {noun} is disclosed").format(all=len(found), noun=noun) if found else noun
    if len(known) == 1:
        return _("{name}: {value} {unit}").format(name=known[0].label, value=texts[0], unit=unit)
    same = [dot for dot in known[1:] if told[dot.key] is False]
    if all(apart_ is None for apart_ in told.values()):
        return _("{n} {noun} from {low} to {high} {unit}; their ranges are not known").format(
            n=len(known), noun=noun, low=texts[0], high=texts[len(known) - 1], unit=unit
        )
    if len(same) == len(known) - 1:
        return _("The {n} {noun} are not distinguishable").format(n=len(known), noun=noun)
    if same:
        return _("The lowest {n} of {all} {noun} are not distinguishable").format(
            n=len(same) + 1, all=len(known), noun=noun
        )
    if any(apart_ is None for apart_ in told.values()):
        return _("{name} has the lowest value; not all ranges are known").format(name=known[0].label)
    below = 1 - (known[0].value or 0.0) / (known[1].value or 1.0)
    return _("{name} is lowest, {share} below the next").format(
        name=known[0].label, share=figures.percent(below, locale=locale)
    )


def summary(title: str, found: Sequence[Dot], texts: Sequence[str], unit: str, translate: Translate) -> str:
    """Say the finding and both ends."""
    _ = translate
    last = sum(dot.value is not None for dot in found) - 1
    if last < 0:
        return _("{title}. There is no data in this period.").format(title=title)
    return _("{title}. Lowest: {least} with {low} {unit}; highest: {most} with {high} {unit}.").format(
        title=title, least=found[0].label, low=texts[0], most=found[last].label, high=texts[last], unit=unit
    )


def axis_of(
    shown: Sequence[float], ratio: bool, locale: str
) -> tuple[dict[str, Any], tuple[float, float], list[tuple[float, str]]]:
    """Choose the axis: from zero, or between powers of ten. Returns Plotly's axis, its ends and ticks (as logarithms)."""
    if not ratio:
        top, step = nice_top(max(shown, default=0.0))
        return value_axis(top, step), (0.0, top), ticks(0, top, step, locale)
    low, high = math.floor(math.log10(min(shown)) + 1e-9), math.ceil(math.log10(max(shown)) - 1e-9)
    high = max(high, low + 1)
    every = -(-(high - low) // 6)
    marks = [(float(power), axis_number(10.0**power, locale)) for power in range(low, high + 1, every)]
    axis = value_axis(1.0, 1.0) | {
        "type": "log",
        "range": [low, high],
        "tickmode": "array",
        "tickvals": [10.0**power for power, _text in marks],
        "ticktext": [text for _power, text in marks],
    }
    for key in ("tick0", "dtick", "tickformat"):
        del axis[key]
    return axis, (low, high), marks


def spanning(scale: figures.Scale, ratio: bool) -> figures.Scale:
    """Let small values keep their digits where the axis spans decades."""
    return figures.Scale(scale.unit, scale.factor, 6, scale.digits) if ratio else scale


def written(value: float | None, scale: figures.Scale, ratio: bool, locale: str) -> str:
    """Write a value: in the column's decimals, or with three digits of its own over decades."""
    own = figures.plain_scale([value], unit=scale.unit, factor=scale.factor) if ratio else scale
    return figures.number(value, own, locale=locale)


def traces(
    found: Sequence[Dot],
    texts: Sequence[str],
    spans: Sequence[str],
    scale: figures.Scale,
    unit: str,
    links: Mapping[str, str],
    translate: Translate,
) -> list[dict[str, Any]]:
    """Return the ranges as lines, the dots above them, and their numbers at the right."""
    ranged = [(i, dot.low, dot.high) for i, dot in enumerate(found) if dot.low is not None and dot.high is not None]
    said = [
        f"{dot.label}: {with_unit(text, unit)}" + (f" ({span})" if span != figures.UNKNOWN else "")
        if dot.value is not None
        else f"{dot.label}: {dot.reason or translate('not disclosed')}"
        for dot, text, span in zip(found, texts, spans, strict=True)
    ]
    return [
        {
            "type": "scatter",
            "mode": "lines",
            "name": translate("Range"),
            "x": [x for _i, low, high in ranged for x in (scale.shown(low), scale.shown(high), None)],
            "y": [y for i, _low, _high in ranged for y in (i, i, None)],
            "hoverinfo": "skip",
            "line": {"color": CONTROL.light, "width": 5},
            "opacity": 0.55,
            "meta": {"key": "range", "token": CONTROL.token},
        },
        {
            "type": "scatter",
            "mode": "markers",
            "name": translate("Value"),
            "x": [None if dot.value is None else scale.shown(dot.value) for dot in found],
            "y": list(range(len(found))),
            "customdata": [[text, links.get(dot.key, "")] for text, dot in zip(said, found, strict=True)],
            "hovertemplate": "%{customdata[0]}<extra></extra>",
            "cliponaxis": False,
            "marker": {
                "color": SERIES[0].light,
                "size": 11,
                "symbol": [SYMBOLS.get(dot.evidence, "circle") for dot in found],
                "line": {"width": 2, "color": SERIES[0].light},
            },
            "meta": {"key": "value", "token": SERIES[0].token, "points": True},
        },
        {
            "type": "scatter",
            "mode": "text",
            "x": [scale.shown(max(dot.value, dot.high or dot.value)) for dot in found if dot.value is not None],
            "y": [i for i, dot in enumerate(found) if dot.value is not None],
            "text": [f"   {text}" for text, dot in zip(texts, found, strict=True) if dot.value is not None],
            "textposition": "middle right",
            "textfont": {"color": TEXT.light},
            "cliponaxis": False,
            "hoverinfo": "skip",
            "meta": {"key": "texts", "token": TEXT.token},
        },
    ]


def drawing(
    name: str,
    found: Sequence[Dot],
    texts: Sequence[str],
    scale: figures.Scale,
    across: tuple[float, float],
    marks: Sequence[tuple[float, str]],
    ratio: bool,
    left: int,
    height: int,
) -> str:
    """Draw the same picture on the server."""
    plane = Plane(name, across, (max(len(found), 1) - 0.5, -0.5), height, left=left, right=RIGHT)

    def place(value: float) -> float:
        return math.log10(scale.shown(value)) if ratio else scale.shown(value)

    plane.grid_across(marks, zero=None if ratio else 0.0)
    for i, (dot, text) in enumerate(zip(found, texts, strict=True)):
        plane.row_label(dot.label, i)
        if dot.low is not None and dot.high is not None:
            plane.segment((place(dot.low), i), (place(dot.high), i), "range-line")
        if dot.value is not None:
            hollow = "hollow" if SYMBOLS.get(dot.evidence, "circle") != "circle" else "full"
            plane.dot(place(dot.value), i, 5, f"c-{SERIES[0].token} {hollow}")
            plane.text(
                text, plane.px(place(max(dot.value, dot.high or dot.value))) + 10, plane.py(i) + 4, kind="strong"
            )
    return plane.svg()
