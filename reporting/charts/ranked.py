"""Horizontal bars from zero: who or what makes most of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd

from reporting import figures
from reporting.charts import svg
from reporting.charts.chart import Chart, Translate, as_is, layout, nice_top, value_axis
from reporting.charts.palette import CONTROL, OTHER, SERIES, TEXT, Colour
from reporting.charts.trend import UNITS, none_if_nan

ROW_HEIGHT: Final = 28
MOST_ROWS: Final = 12


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
    rows = fold(frame, _)
    scale = figures.scale_for(kind, rows["value"])
    unit = f"{scale.unit} CO2e" if kind == "mass" else scale.unit
    bounded = {"low", "high"} <= set(rows.columns)
    ends = rows["high"].fillna(rows["value"]) if bounded else rows["value"]
    top, step = nice_top(scale.shown(float(ends.max())) if ends.notna().any() else 0.0)
    title = finding(rows, noun, locale=locale, translate=_)
    texts = [row_text(row, bounded, scale, locale) for row in rows.itertuples()]
    tokens = [OTHER if key == "other" else (colours or {}).get(key, SERIES[0]) for key in rows["key"]]
    height = ROW_HEIGHT * max(len(rows), 1) + 36
    headers = [_("Name"), unit, *([_("Range, {unit}").format(unit=unit)] if bounded else [])]
    shown = tuple(
        (
            row.label,
            figures.number(none_if_nan(row.value), scale, locale=locale),
            *([figures.interval(none_if_nan(row.low), none_if_nan(row.high), scale, locale=locale)] if bounded else []),
        )
        for row in rows.itertuples()
    )
    table = rows[["label", "value", *(["low", "high"] if bounded else [])]]
    return Chart(
        name=name,
        kind="ranked",
        title=title,
        subtitle=unit + (f", {detail}" if detail else ""),
        summary=summary(title, rows, texts, unit, _),
        unit=unit,
        figure={
            "data": [bars(rows, texts, tokens, bounded, scale, unit, links)],
            "layout": {
                **layout(height=height, right=72, left=room(rows["label"])),
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
                    "tickvals": list(rows["label"]),
                    "ticktext": [svg.shortened(label, 26) for label in rows["label"]],
                },
            },
        },
        table=table.rename(columns={column: f"{column} [{UNITS[kind]}]" for column in ("value", "low", "high")}),
        headers=tuple(headers),
        rows=shown,
        legend=(),
        svg=svg.horizontal(
            rows=[
                (row.label, none_if_nan(scale.shown(row.value)), text, colour.token)
                for row, text, colour in zip(rows.itertuples(), texts, tokens, strict=True)
            ],
            top=top,
            spans=[
                None if pd.isna(row.low) or pd.isna(row.high) else (scale.shown(row.low), scale.shown(row.high))
                for row in rows.itertuples()
            ]
            if bounded
            else (),
            row_height=ROW_HEIGHT,
            left=room(rows["label"]),
        ),
        height=height,
    )


def room(labels: Iterable[str]) -> int:
    """Give the pixels that the labels need at 13 px, within bounds; longer ones are shortened."""
    return min(190, max(60, round(14 + 6.6 * max((len(label) for label in labels), default=0))))


def fold(frame: pd.DataFrame, translate: Translate = as_is) -> pd.DataFrame:
    """Order by value, unknown last, and fold what goes beyond twelve rows into one; bounds of a fold are summed."""
    ordered = frame.sort_values("value", ascending=False, na_position="last", kind="stable").reset_index(drop=True)
    if len(ordered) <= MOST_ROWS:
        return ordered
    rest = ordered.iloc[MOST_ROWS - 1 :]
    sums = {column: rest[column].sum(min_count=1) for column in ("value", "low", "high") if column in rest}
    folded = pd.DataFrame([{"key": "other", "label": translate("Other ({n})").format(n=len(rest)), **sums}])
    return pd.concat([ordered.iloc[: MOST_ROWS - 1], folded], ignore_index=True)


def finding(rows: pd.DataFrame, noun: str, *, locale: str = "en", translate: Translate = as_is) -> str:
    """
    Say what stands out: one row with a third or more, else the fewest first rows that make two thirds together.

    Nothing is said about the order of rows whose ranges overlap; only shares of the known total.
    """
    _ = translate
    known = rows.dropna(subset=["value"])
    total = float(known["value"].sum())
    if len(known) < 2 or total <= 0:
        return noun
    shares = known["value"] / total
    first = known.iloc[0]
    if shares.iloc[0] >= 1 / 3 and first["key"] != "other":
        return _("{name} makes {share} of the total").format(
            name=first["label"], share=figures.percent(float(shares.iloc[0]), locale=locale)
        )
    needed = int((shares.cumsum() < 2 / 3).sum()) + 1
    if 2 <= needed < len(known) and "other" not in set(known["key"].iloc[:needed]):
        share = figures.percent(float(shares.iloc[:needed].sum()), locale=locale)
        return _("{n} of {all} make {share} of the total").format(n=needed, all=len(known), share=share)
    return noun


def summary(title: str, rows: pd.DataFrame, texts: Sequence[str], unit: str, translate: Translate) -> str:
    """Say the finding and the extremes."""
    _ = translate
    known = [i for i, value in enumerate(rows["value"]) if pd.notna(value)]
    if not known:
        return _("{title}. There is no data in this period.").format(title=title)
    return _("{title}. Largest: {most} with {high} {unit}; smallest: {least} with {low} {unit}.").format(
        title=title,
        most=rows["label"][known[0]],
        least=rows["label"][known[-1]],
        high=texts[known[0]],
        low=texts[known[-1]],
        unit=unit,
    )


def row_text(row: Any, bounded: bool, scale: figures.Scale, locale: str) -> str:
    """Write a row's number, in the chart's unit."""
    return figures.number(none_if_nan(row.value), scale, locale=locale)


def bars(
    rows: pd.DataFrame,
    texts: Sequence[str],
    colours: Sequence[Colour],
    bounded: bool,
    scale: figures.Scale,
    unit: str,
    links: Mapping[str, str] | None,
) -> dict[str, Any]:
    """Return the one trace of bars, with ranges as error bars where they are known."""
    trace: dict[str, Any] = {
        "type": "bar",
        "orientation": "h",
        "y": list(rows["label"]),
        "x": [none_if_nan(scale.shown(value)) for value in rows["value"]],
        "text": list(texts),
        "textposition": "outside",
        "cliponaxis": False,
        "customdata": [
            [f"{text}{figures.THIN}{unit}", (links or {}).get(key, "")]
            for text, key in zip(texts, rows["key"], strict=True)
        ],
        "hovertemplate": "%{y}: %{customdata[0]}<extra></extra>",
        "marker": {"color": [colour.light for colour in colours]},
        "meta": {"key": "value", "tokens": [colour.token for colour in colours]},
    }
    if bounded:
        trace["textposition"] = "none"
        known = rows["low"].notna() & rows["high"].notna()
        trace["error_x"] = {
            "type": "data",
            "symmetric": False,
            "array": list(((rows["high"] - rows["value"]) * scale.factor).where(known, 0.0)),
            "arrayminus": list(((rows["value"] - rows["low"]) * scale.factor).where(known, 0.0)),
            "color": CONTROL.light,
            "thickness": 1.5,
            "width": 4,
        }
    return trace
