"""What every chart is made of, and the parts of a Plotly figure that all charts share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd
from babel.numbers import format_decimal

from reporting import figures
from reporting.charts.palette import CONTROL, GROUND, HAIRLINE, MUTED, SURFACE, TEXT
from reporting.charts.svg import shortened

FONT: Final = '"Source Sans 3", system-ui, "Segoe UI", "Liberation Sans", sans-serif'
HEIGHT: Final = 300
MOST_SERIES: Final = 6

Translate = Callable[[str], str]


def as_is(text: str) -> str:
    """Stand in for gettext where no language is chosen, and mark a text that is translated where it is used."""
    return text


NOUNS_UNITS: Final = {
    "mass": (as_is("Emissions"), "kg CO2e"),
    "energy": (as_is("Energy use"), "kWh"),
    "water": (as_is("Water use"), "L"),
    "intensity": (as_is("Intensity"), "kg CO2e"),
}
"""What a kind of figure is called in a title, and the unit that its tables hold."""


@dataclass(frozen=True)
class Legend:
    """An entry of the HTML legend: ``key`` is the trace's ``meta.key``, ``token`` the colour's custom property."""

    key: str
    label: str
    token: str
    shape: str = "bar"  # bar, line, hatch
    pattern: str = ""


@dataclass(frozen=True)
class Drawn:
    """Where the numbers of a trace come from: ``figure.data[trace][axis]`` = ``table[column].iloc[rows]`` x ``factor``."""

    trace: int
    axis: str  # x, y, z, base
    column: str
    factor: float = 1.0
    rows: tuple[int, ...] | None = None  # of the table, all in their order without


@dataclass(frozen=True)
class Chart:
    """One chart, complete: picture for scripts and for none, table, and what it says."""

    name: str  # unique on its page; ids of the elements begin with it
    kind: str  # trend, ranked, waterfall, heat map ...
    title: str  # the finding, or a plain noun
    subtitle: str  # measure, unit, grain
    summary: str  # two sentences for people who do not see the picture
    unit: str  # of the axis, "t CO2e"
    figure: dict[str, Any]  # Plotly: data, layout; colours of the light theme, tokens in ``meta`` for the others
    table: pd.DataFrame  # what is drawn, full precision, unit in the header: the CSV of this chart
    headers: tuple[str, ...]  # of the HTML table
    rows: tuple[tuple[str, ...], ...]  # the same table as shown: first cell the row's name, numbers in ``unit``
    legend: tuple[Legend, ...]
    svg: str  # server-made picture, coloured by classes, safe HTML
    height: int = HEIGHT  # pixels, reserved before anything is drawn
    quality: str = ""  # of the data, "63 % measured, 37 % modelled"
    notes: tuple[str, ...] = ()  # lines under the picture: events, reasons of gaps, what is not known
    drawn: tuple[Drawn, ...] = ()  # which numbers of the table each trace holds; a test compares them

    @property
    def has_switches(self) -> bool:
        """Tell whether entries of the legend switch a series; those without a key only explain."""
        return any(entry.key and entry.key != "target" for entry in self.legend)

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing is known and no note says why: the page says so over the empty picture."""
        numbers = self.table.select_dtypes("number")
        return not self.notes and not numbers.notna().any(axis=None)

    @property
    def figure_id(self) -> str:
        """Id of the script element that holds the figure."""
        return f"{self.name}-figure"


def with_unit(text: str, unit: str) -> str:
    """Put a unit behind a number; unknown has none."""
    return text if text == figures.UNKNOWN or not unit else f"{text}{figures.THIN}{unit}"


def axis_number(value: float, locale: str) -> str:
    """Write a tick."""
    return format_decimal(round(float(value), 6), format="#,##0.######", locale=locale).replace("-", figures.MINUS)


def ticks(low: float, high: float, step: float, locale: str) -> list[tuple[float, str]]:
    """
    List the ticks of an axis with their texts.

    >>> ticks(-5.0, 5.0, 5.0, "en")
    [(-5.0, '\u22125'), (0.0, '0'), (5.0, '5')]
    """
    return [(i * step, axis_number(i * step, locale)) for i in range(round(low / step), round(high / step) + 1)]


def shown_unit(kind: figures.Kind, scale: figures.Scale, per: str = "") -> str:
    """Write the unit of a chart: mass is of CO2e, an intensity is per something."""
    unit = f"{scale.unit} CO2e" if kind in ("mass", "intensity") else scale.unit
    return f"{unit} {per}".strip()


def known_or_none(value: Any) -> float | None:
    """Turn NaN into None: JSON has no NaN, and unknown is not a number."""
    return None if value is None or pd.isna(value) else float(value)


def layout(*, height: int, right: int = 90, left: int = 48, above: int = 8, below: int = 28) -> dict[str, Any]:
    """Return the layout that all charts share: no title, legend or toolbar inside the picture, hairlines, our fonts."""
    return {
        "height": height,
        "autosize": True,
        "margin": {"l": left, "r": right, "t": above, "b": below, "pad": 0},
        "font": {"family": FONT, "size": 13, "color": MUTED.light},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "showlegend": False,
        "hoverlabel": {
            "font": {"family": FONT, "size": 14, "color": TEXT.light},
            "bgcolor": GROUND.light,
            "bordercolor": CONTROL.light,
        },
        "separators": ".,",
        "dragmode": False,
        "meta": {"grid": HAIRLINE.token, "zero": CONTROL.token, "surface": SURFACE.token},
    }


def hatched() -> dict[str, Any]:
    """Return the marker of bars that stand for what is not known: hatched, without a fill."""
    pattern = {"shape": "/", "fgcolor": CONTROL.light, "fgopacity": 0.5, "size": 7, "solidity": 0.12}
    return {"color": "rgba(0,0,0,0)", "line": {"width": 0}, "pattern": pattern}


def value_axis(top: float, step: float, low: float = 0.0) -> dict[str, Any]:
    """Return an axis of values with zero on it, from ``low`` to ``top``, ``step`` its ticks' distance in the shown unit."""
    return {
        "range": [low * 1.004, top * 1.004],  # a hair beyond, or the last tick is left out
        "fixedrange": True,
        "gridcolor": HAIRLINE.light,
        "zerolinecolor": CONTROL.light,
        "zerolinewidth": 1,
        "showline": False,
        "tick0": 0,
        "dtick": step,
        "tickformat": ",.10~g",
        "automargin": False,
    }


def nice_ends(lowest: float, largest: float) -> tuple[float, float, float]:
    """
    Choose both ends of an axis that holds zero, and its step.

    >>> nice_ends(-3.0, 14.6), nice_ends(2.0, 14.6), nice_ends(-8.0, -2.0)
    ((-5.0, 15.0, 5.0), (0.0, 15.0, 5.0), (-8.0, 0.0, 2.0))
    """
    _top, step = nice_top(max(largest, -lowest, 0.0))
    low, top = (step * math.ceil(max(end, 0.0) / step - 1e-9) for end in (-lowest, largest))
    return (-low or 0.0, top, step) if low or top else (0.0, 1.0, 0.5)


def row_axis(labels: Sequence[str], most: int = 26) -> dict[str, Any]:
    """Return an axis of rows from the top down, at 0, 1, 2 ...; long labels are cut, the table has them whole."""
    return {
        "range": [max(len(labels), 1) - 0.5, -0.5],
        "fixedrange": True,
        "showgrid": False,
        "zeroline": False,
        "ticks": "",
        "tickfont": {"color": TEXT.light},
        "tickmode": "array",
        "tickvals": list(range(len(labels))),
        "ticktext": [shortened(label, most) for label in labels],
    }


def nice_top(largest: float) -> tuple[float, float]:
    """
    Choose the end of an axis and its step: 1, 2, 2.5 or 5 times a power of ten, three to five steps.

    >>> nice_top(14.6), nice_top(0.37), nice_top(0)
    ((15.0, 5.0), (0.4, 0.1), (1.0, 0.5))
    """
    if largest <= 0:
        return 1.0, 0.5
    power = 10.0 ** (len(f"{int(largest)}") - 1) if largest >= 1 else 10.0 ** float(f"{largest:e}".partition("e")[2])
    for multiple in (0.2, 0.25, 0.5, 1.0, 2.0, 2.5, 5.0):
        step = multiple * power
        steps = -(-largest // step)
        if steps <= 5:
            return float(f"{steps * step:.6g}"), float(f"{step:.6g}")
    return 10 * power, 2.5 * power
