"""Heat maps in seven steps of one hue; what is missing is hatched."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from reporting import figures
from reporting.charts import svg
from reporting.charts.chart import (
    NOUNS_UNITS,
    Chart,
    Drawn,
    Legend,
    Translate,
    as_is,
    axis_number,
    hatched,
    layout,
    row_axis,
    shown_unit,
    with_unit,
)
from reporting.charts.palette import CONTROL, HEAT
from reporting.charts.plane import Plane
from reporting.charts.ranked import room

Key = tuple[str, str]  # row, column
ROW_HEIGHT: Final = 26
STEPS: Final = len(HEAT)
PERCENT: Final = figures.Scale("%", 100.0, 0)


def heatmap(
    values: Mapping[Key, float | None],
    *,
    rows: Sequence[tuple[str, str]],
    columns: Sequence[tuple[str, str]],
    name: str,
    kind: figures.Kind | None,
    every: int = 1,
    edges: Sequence[float] = (),
    noun: str = "",
    per: str = "",
    title: str = "",
    detail: str = "",
    quality: str = "",
    reasons: Mapping[Key, str] | None = None,
    links: Mapping[Key, str] | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> Chart:
    """
    Draw a grid of cells.

    Args:
        values: (row, column) -> value in the stored unit of ``kind``, or a share (0 to 1) without a kind.
        rows, columns: (key, label), in drawing order.
        every: one label for so many columns.
        edges: eight edges of the seven steps, stored unit; chosen from the values without.
    """
    _ = translate
    grid = [[values.get((row, column)) for column, _label in columns] for row, _label in rows]
    known = [value for line in grid for value in line if value is not None]
    scale = PERCENT if kind is None else figures.scale_for(kind, known)
    unit = "%" if kind is None else shown_unit(kind, scale, per)
    bounds = [scale.shown(edge) for edge in edges] or seven_steps([scale.shown(value) for value in known])
    row_names, column_names = [label for _key, label in rows], [label for _key, label in columns]
    said = [
        [
            f"{row}, {column}: {cell_text(value, scale, unit, (reasons or {}).get((row_key, key), ''), locale, _)}"
            for (key, column), value in zip(columns, line, strict=True)
        ]
        for (row_key, row), line in zip(rows, grid, strict=True)
    ]
    addresses = [[(links or {}).get((row, column), "") for column, _label in columns] for row, _label in rows]
    title = title or finding(grid, row_names, column_names, noun, scale, unit, locale, _)
    left, height = room(row_names), ROW_HEIGHT * max(len(rows), 1) + 36
    marked = list(enumerate(column_names))[::every]
    stored = f"{NOUNS_UNITS[kind][1]} {per}".strip() if kind else "1"
    return Chart(
        name=name,
        kind="heatmap",
        title=title,
        subtitle=unit + (f", {detail}" if detail else ""),
        summary=summary(title, said, grid, _),
        unit=unit,
        figure={
            "data": [
                cells(grid, said, addresses, bounds, scale),
                *hatching(grid, said, addresses, _),
            ],
            "layout": {
                **layout(height=height, right=8, left=left),
                "hovermode": "closest",
                "bargap": 0,
                "xaxis": {
                    "range": [-0.5, max(len(columns), 1) - 0.5],
                    "tickmode": "array",
                    "tickvals": [position for position, _label in marked],
                    "ticktext": [label for _position, label in marked],
                    "tickangle": 0,
                    "fixedrange": True,
                    "showgrid": False,
                    "zeroline": False,
                },
                "yaxis": row_axis(row_names),
            },
        },
        table=pd.DataFrame(
            {
                "row": [row for row in row_names for _column in columns],
                "column": [column for _row in rows for column, _label in columns],
                f"value [{stored}]": pd.array([value for line in grid for value in line], dtype="Float64"),
            }
        ),
        headers=("", *column_names),
        rows=tuple(
            (row, *(figures.number(value, scale, locale=locale) for value in line))
            for row, line in zip(row_names, grid, strict=True)
        ),
        legend=legend(bounds, any(value is None for line in grid for value in line), locale, _),
        svg=drawing(name, grid, row_names, len(columns) or 1, marked, bounds, scale, left, height),
        height=height,
        quality=quality,
        drawn=(Drawn(0, "z", f"value [{stored}]", scale.factor),),
    )


def seven_steps(shown: Sequence[float]) -> list[float]:
    """
    Choose eight edges at round numbers with equal distance that hold all values; from zero where the least is near it.

    >>> seven_steps([310.0, 390.0])
    [300.0, 315.0, 330.0, 345.0, 360.0, 375.0, 390.0, 405.0]
    >>> seven_steps([1.0, 12.0])
    [0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0]
    """
    low, high = (pick(shown, default=0.0) for pick in (min, max))
    low = 0.0 if 0 <= low <= 0.3 * high else low
    width = (high - low) / STEPS or abs(high) / STEPS or 1.0
    power = 10.0 ** math.floor(math.log10(width))
    for multiple in (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 15.0, 20.0):
        step = multiple * power
        first = math.floor(low / step + 1e-9)
        if (first + STEPS) * step >= high - 1e-9 * step:
            return [float(f"{(first + i) * step:.10g}") for i in range(STEPS + 1)]
    raise AssertionError("a step of twice a seventh of the range holds it, wherever it begins")


def step_of(value: float, bounds: Sequence[float]) -> int:
    """
    Find the step of a value; the last one holds its upper edge.

    >>> [step_of(value, (0, 1, 2, 3, 4, 5, 6, 7)) for value in (0, 0.9, 1, 7)]
    [0, 0, 1, 6]
    """
    return max((i for i in range(STEPS) if value >= bounds[i] - 1e-12), default=0)


def cell_text(
    value: float | None, scale: figures.Scale, unit: str, reason: str, locale: str, translate: Translate
) -> str:
    """Write a cell for hover, with the reason where it is missing."""
    if value is None:
        return f"{translate('no data')} ({reason})" if reason else translate("no data")
    if scale is PERCENT:
        return figures.percent(value, locale=locale)
    return with_unit(figures.number(value, scale, locale=locale), unit)


def finding(
    grid: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    columns: Sequence[str],
    noun: str,
    scale: figures.Scale,
    unit: str,
    locale: str,
    translate: Translate,
) -> str:
    """
    Say what stands out; the first rule that holds speaks.

    1. Less than half of the cells are known.
    2. The highest is 10 % or more above the lowest: where both are.
    3. Hardly any difference.
    """
    _ = translate
    known = [(value, i, j) for i, line in enumerate(grid) for j, value in enumerate(line) if value is not None]
    cells_in_all = sum(map(len, grid))
    if len(known) < 2 or len(known) * 2 < cells_in_all:
        return _("{noun}: {known} of {all} hours are known").format(noun=noun, known=len(known), all=cells_in_all)
    (low, low_row, low_column), (high, high_row, high_column) = (
        pick(known, key=lambda cell: cell[0]) for pick in (min, max)
    )
    if high >= 1.1 * low and high > 0:
        return _("{noun} is highest {high_row} {high_column}:00 and lowest {low_row} {low_column}:00").format(
            noun=noun,
            high_row=rows[high_row],
            high_column=columns[high_column],
            low_row=rows[low_row],
            low_column=columns[low_column],
        )
    text = _("{noun} hardly changes over the week: {low} to {high} {unit}")
    ends = [figures.number(value, scale, locale=locale) for value in (low, high)]
    return text.format(noun=noun, low=ends[0], high=ends[1], unit=unit)


def summary(
    title: str, said: Sequence[Sequence[str]], grid: Sequence[Sequence[float | None]], translate: Translate
) -> str:
    """Say the finding and both extremes."""
    _ = translate
    known = [
        (value, text)
        for line, texts in zip(grid, said, strict=True)
        for value, text in zip(line, texts, strict=True)
        if value is not None
    ]
    if not known:
        return _("{title}. There is no data in this period.").format(title=title)
    return _("{title}. Highest: {most}; lowest: {least}.").format(title=title, most=max(known)[1], least=min(known)[1])


def cells(
    grid: Sequence[Sequence[float | None]],
    said: Sequence[Sequence[str]],
    addresses: Sequence[Sequence[str]],
    bounds: Sequence[float],
    scale: figures.Scale,
) -> dict[str, Any]:
    """Return the trace of cells: seven flat steps, no blending."""
    width = bounds[-1] - bounds[0]
    places = [(bound - bounds[0]) / width for bound in bounds]
    colours = [[place, hue.light] for i, hue in enumerate(HEAT) for place in (places[i], places[i + 1])]
    return {
        "type": "heatmap",
        "x": list(range(len(grid[0]) if grid else 0)),
        "y": list(range(len(grid))),
        "z": [[None if value is None else scale.shown(value) for value in line] for line in grid],
        "zmin": bounds[0],
        "zmax": bounds[-1],
        "xgap": 1,
        "ygap": 1,
        "colorscale": colours,
        "showscale": False,
        "hoverongaps": False,
        "customdata": [
            [list(cell) for cell in zip(texts, line, strict=True)] for texts, line in zip(said, addresses, strict=True)
        ],
        "hovertemplate": "%{customdata[0]}<extra></extra>",
        "meta": {"key": "cells", "scale": [hue.token for hue in HEAT], "points": True},
    }


def hatching(
    grid: Sequence[Sequence[float | None]],
    said: Sequence[Sequence[str]],
    addresses: Sequence[Sequence[str]],
    translate: Translate,
) -> list[dict[str, Any]]:
    """Return bars over the cells that are missing: a heat map knows no pattern."""
    missing = [(i, j) for i, line in enumerate(grid) for j, value in enumerate(line) if value is None]
    if not missing:
        return []
    return [
        {
            "type": "bar",
            "name": translate("No data"),
            "x": [j for _i, j in missing],
            "y": [1] * len(missing),
            "base": [i - 0.5 for i, _j in missing],
            "width": 1,
            "customdata": [[said[i][j], addresses[i][j]] for i, j in missing],
            "hovertemplate": "%{customdata[0]}<extra></extra>",
            "marker": hatched(),
            "meta": {"key": "gap", "token": CONTROL.token},
        }
    ]


def legend(bounds: Sequence[float], missing: bool, locale: str, translate: Translate) -> tuple[Legend, ...]:
    """Name the steps, and the hatch where it occurs."""
    texts = [axis_number(bound, locale) for bound in bounds]
    entries = [Legend("", f"{texts[i]}{figures.DASH}{texts[i + 1]}", hue.token) for i, hue in enumerate(HEAT)]
    return (*entries, *([Legend("", translate("No data"), CONTROL.token, "gap")] if missing else []))


def drawing(
    name: str,
    grid: Sequence[Sequence[float | None]],
    rows: Sequence[str],
    across: int,
    columns: Sequence[tuple[int, str]],
    bounds: Sequence[float],
    scale: figures.Scale,
    left: int,
    height: int,
) -> str:
    """Draw the same picture on the server."""
    plane = Plane(name, (-0.5, across - 0.5), (max(len(rows), 1) - 0.5, -0.5), height, left=left)
    for i, line in enumerate(grid):
        plane.row_label(svg.shortened(rows[i]), i)
        for j, value in enumerate(line):
            place = ((j - 0.5, j + 0.5), (i - 0.48, i + 0.48))
            if value is None:
                plane.hatched(*place)
            else:
                plane.bar(*place, gap=1, class_=f"c-{HEAT[step_of(scale.shown(value), bounds)].token}")
    plane.grid_across([(float(position), label) for position, label in columns], lines=False)
    return plane.svg()
