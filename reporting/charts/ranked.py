"""Horizontal bars from zero: who or what makes most of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from reporting import figures
from reporting.charts import svg
from reporting.charts.chart import (
    NOUNS_UNITS,
    Chart,
    Drawn,
    Translate,
    as_is,
    known_or_none,
    layout,
    nice_top,
    value_axis,
)
from reporting.charts.palette import CONTROL, OTHER, SERIES, TEXT, Colour

ROW_HEIGHT: Final = 28
MOST_ROWS: Final = 12


@dataclass(frozen=True)
class Bar:
    """One row: its number and range in the stored unit, None where unknown."""

    key: str
    label: str
    value: float | None
    low: float | None = None
    high: float | None = None


def ranked(
    frame: pd.DataFrame,
    *,
    noun: str,
    name: str = "ranked",
    kind: figures.Kind = "mass",
    colours: Mapping[str, Colour] | None = None,
    detail: str = "",
    links: Mapping[str, str] | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> Chart:
    """
    Draw one bar per entity, largest first, the smallest folded into "Other (n)".

    Args:
        frame: ``key``, ``label`` and ``value`` [kg CO2e, kWh or L], optional ``low`` and ``high``; NaN is unknown and
            is listed last without a bar.
        noun: what the rows are, for the plain title: "By team".
        colours: key -> fixed colour; without, all bars have the first colour, as length alone is the message.
        links: key -> address of the entity.
    """
    _ = translate
    bars = fold(frame, _)
    bounded = {"low", "high"} <= set(frame.columns)
    scale = figures.scale_for(kind, [bar.value for bar in bars])
    unit = f"{scale.unit} CO2e" if kind == "mass" else scale.unit
    top, step = nice_top(max((scale.shown(bar.high or bar.value or 0.0) for bar in bars), default=0.0))
    title = finding(bars, noun, locale=locale, translate=_)
    texts = [figures.number(bar.value, scale, locale=locale) for bar in bars]
    tokens = [OTHER if bar.key == "other" else (colours or {}).get(bar.key, SERIES[0]) for bar in bars]
    spans = [figures.interval(bar.low, bar.high, scale, locale=locale) for bar in bars]
    left = room(bar.label for bar in bars)
    height = ROW_HEIGHT * max(len(bars), 1) + 36
    stored = NOUNS_UNITS[kind][1]
    table = {"label": [bar.label for bar in bars], f"value [{stored}]": [bar.value for bar in bars]}
    if bounded:
        table |= {f"low [{stored}]": [bar.low for bar in bars], f"high [{stored}]": [bar.high for bar in bars]}
    return Chart(
        name=name,
        kind="ranked",
        title=title,
        subtitle=unit + (f", {detail}" if detail else ""),
        summary=summary(title, bars, texts, unit, _),
        unit=unit,
        figure={
            "data": [trace(bars, texts, tokens, bounded, scale, unit, links or {})],
            "layout": {
                **layout(height=height, right=72, left=left),
                "hovermode": "closest",
                "bargap": 0.36,
                "xaxis": {**value_axis(top, step), "side": "bottom"},
                "yaxis": {
                    "type": "category",
                    "autorange": "reversed",
                    "fixedrange": True,
                    "showgrid": False,
                    "ticks": "",
                    "tickfont": {"color": TEXT.light},
                    "tickvals": [bar.label for bar in bars],
                    "ticktext": [svg.shortened(bar.label, 26) for bar in bars],
                },
            },
        },
        table=pd.DataFrame(table),
        headers=(_("Name"), unit, *([_("Range, {unit}").format(unit=unit)] if bounded else [])),
        rows=tuple(
            (bar.label, text, *([span] if bounded else [])) for bar, text, span in zip(bars, texts, spans, strict=True)
        ),
        legend=(),
        svg=svg.horizontal(
            rows=[
                (bar.label, None if bar.value is None else scale.shown(bar.value), text, colour.token)
                for bar, text, colour in zip(bars, texts, tokens, strict=True)
            ],
            top=top,
            spans=[
                None if bar.low is None or bar.high is None else (scale.shown(bar.low), scale.shown(bar.high))
                for bar in bars
            ],
            row_height=ROW_HEIGHT,
            left=left,
        ),
        height=height,
        drawn=(Drawn(0, "x", f"value [{stored}]", scale.factor),),
    )


def fold(frame: pd.DataFrame, translate: Translate = as_is) -> list[Bar]:
    """Order by value, unknown last, and fold what goes beyond twelve rows into one; bounds of a fold are summed."""
    ordered = frame.sort_values("value", ascending=False, na_position="last", kind="stable")
    columns = [column for column in ("value", "low", "high") if column in ordered]
    bars = [
        Bar(str(row["key"]), str(row["label"]), **{column: known_or_none(row[column]) for column in columns})
        for row in ordered.to_dict("records")
    ]
    if len(bars) <= MOST_ROWS:
        return bars
    rest = ordered.iloc[MOST_ROWS - 1 :]
    sums = {column: known_or_none(rest[column].sum(min_count=1)) for column in columns}
    return [*bars[: MOST_ROWS - 1], Bar("other", translate("Other ({n})").format(n=len(rest)), **sums)]


def room(labels: Iterable[str]) -> int:
    """Give the pixels that the labels need at 13 px, within bounds; longer ones are shortened."""
    return min(190, max(60, round(14 + 6.6 * max((len(label) for label in labels), default=0))))


def finding(bars: Sequence[Bar], noun: str, *, locale: str = "en", translate: Translate = as_is) -> str:
    """
    Say what stands out: one row with a third or more, else the fewest first rows that make two thirds together.

    Nothing is said about the order of rows whose ranges overlap; only shares of the known total.
    """
    _ = translate
    known = [(bar, bar.value) for bar in bars if bar.value is not None]
    total = sum(value for _bar, value in known)
    if len(known) < 2 or total <= 0:
        return noun
    first, largest = known[0]
    if largest / total >= 1 / 3 and first.key != "other":
        share = figures.percent(largest / total, locale=locale)
        return _("{name} makes {share} of the total").format(name=first.label, share=share)
    reached, needed = 0.0, 0
    while reached < total * 2 / 3:
        reached += known[needed][1]
        needed += 1
    if 2 <= needed < len(known) and all(bar.key != "other" for bar, _value in known[:needed]):
        share = figures.percent(reached / total, locale=locale)
        return _("{n} of {all} make {share} of the total").format(n=needed, all=len(known), share=share)
    return noun


def summary(title: str, bars: Sequence[Bar], texts: Sequence[str], unit: str, translate: Translate) -> str:
    """Say the finding and the extremes."""
    _ = translate
    known = [i for i, bar in enumerate(bars) if bar.value is not None]
    if not known:
        return _("{title}. There is no data in this period.").format(title=title)
    return _("{title}. Largest: {most} with {high} {unit}; smallest: {least} with {low} {unit}.").format(
        title=title,
        most=bars[known[0]].label,
        least=bars[known[-1]].label,
        high=texts[known[0]],
        low=texts[known[-1]],
        unit=unit,
    )


def trace(
    bars: Sequence[Bar],
    texts: Sequence[str],
    colours: Sequence[Colour],
    bounded: bool,
    scale: figures.Scale,
    unit: str,
    links: Mapping[str, str],
) -> dict[str, Any]:
    """Return the one trace of bars, with ranges as error bars where they are known."""
    drawn: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "y": [bar.label for bar in bars],
        "x": [None if bar.value is None else scale.shown(bar.value) for bar in bars],
        "text": list(texts),
        "textposition": "none" if bounded else "outside",
        "cliponaxis": False,
        "customdata": [
            [f"{text}{figures.THIN}{unit}", links.get(bar.key, "")] for text, bar in zip(texts, bars, strict=True)
        ],
        "hovertemplate": "%{y}: %{customdata[0]}<extra></extra>",
        "marker": {"color": [colour.light for colour in colours]},
        "meta": {"key": "value", "tokens": [colour.token for colour in colours]},
    }
    if bounded:
        drawn["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": [reach(bar.value, bar.high, scale) for bar in bars],
            "arrayminus": [reach(bar.low, bar.value, scale) for bar in bars],
            "color": CONTROL.light,
            "thickness": 1.5,
            "width": 4,
        }
    return drawn


def reach(start: float | None, end: float | None, scale: figures.Scale) -> float:
    """Length of an error bar in the shown unit; none where an end is unknown."""
    return 0.0 if start is None or end is None else scale.shown(end) - scale.shown(start)
