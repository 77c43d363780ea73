"""Rates that hold over a slot, drawn as steps: power over time, grid intensity. What is missing breaks the line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import pandas as pd
from babel.dates import format_date

from reporting import figures
from reporting.charts.chart import (
    MOST_SERIES,
    Chart,
    Drawn,
    Legend,
    Translate,
    as_is,
    axis_number,
    hatched,
    known_or_none,
    layout,
    nice_top,
    value_axis,
    with_unit,
)
from reporting.charts.chart import ticks as axis_ticks
from reporting.charts.palette import CONTROL, SERIES, Colour
from reporting.charts.plane import Plane

HEIGHT: Final = 300
MOST_TICKS: Final = 6
DASHES: Final = ("solid", "7px,3px", "2px,3px", "9px,3px,2px,3px", "12px,4px", "4px,2px")
"""Lines differ by dash too: colour is never alone."""


@dataclass(frozen=True)
class Hole:
    """A span `[starts_at, ends_at)` without data, and why."""

    starts_at: datetime
    ends_at: datetime
    reason: str


def steps(
    frame: pd.DataFrame,
    *,
    slots: pd.DatetimeIndex,
    unit: str,
    noun: str,
    labels: Mapping[str, str],
    name: str = "steps",
    colours: Mapping[str, Colour] | None = None,
    holes: Sequence[Hole] = (),
    detail: str = "",
    quality: str = "",
    links: Mapping[datetime, str] | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> Chart:
    """
    Draw a rate that holds through each slot.

    Args:
        frame: ``starts_at`` (one of the slots, UTC), ``series`` and ``value`` in ``unit``, not below zero.
        slots: every slot in order, equally long; where a series has no row its line is broken, never drawn to zero.
        unit: of the values ("kW", "g CO2e per kWh").
        noun: what is drawn, for the title.
        labels: series -> name, in drawing order.
        holes: why there is nothing; slots without any value and without a reason get one.

    Raises:
        ValueError: more series than can be told apart, or rows outside the slots.
    """
    _ = translate
    wide = arranged(frame, slots, labels)
    length = slots[1] - slots[0] if len(slots) > 1 else pd.Timedelta(hours=1)
    ends = [*slots, slots[-1] + length] if len(slots) else []
    found = with_unexplained(wide, slots, length, holes, _("no data"))
    scale = figures.plain_scale([known_or_none(value) for value in wide.to_numpy().ravel()])
    top, step = nice_top(max((float(value) for value in wide.to_numpy().ravel() if pd.notna(value)), default=0.0))
    hues = [(colours or {}).get(key, SERIES[i % len(SERIES)]) for i, key in enumerate(wide.columns)]
    names = [labels[key] for key in wide.columns]
    times = [moment(slot, length, locale) for slot in slots]
    title = finding(wide, times, names, found, length, noun, scale, unit, locale, _)
    twice = tuple(j for j in range(len(slots)) for _end in range(2))
    ticks = time_ticks(slots, length, locale)
    entries = [
        Legend(key, label, hue.token, shape="line" if i else "solid")
        for i, (key, label, hue) in enumerate(zip(wide.columns, names, hues, strict=True))
    ]
    said = [
        [
            f"{time}: {with_unit(figures.number(known_or_none(value), scale, locale=locale), unit)}"
            for time, value in zip(times, wide[key], strict=True)
        ]
        for key in wide.columns
    ]
    return Chart(
        name=name,
        kind="steps",
        title=title,
        subtitle=unit + (f", {detail}" if detail else ""),
        summary=summary(title, wide, times, scale, unit, locale, _),
        unit=unit,
        figure={
            "data": [
                *lines(wide, ends, names, hues, said, links or {}),
                *bands(found, top, _),
            ],
            "layout": {
                **layout(height=HEIGHT, right=16, left=56),
                "hovermode": "closest",
                "barmode": "overlay",
                "xaxis": {
                    "type": "date",
                    "range": [stamp(ends[0]), stamp(ends[-1])] if ends else [0, 1],
                    "tickmode": "array",
                    "tickvals": [stamp(slot) for slot, _text in ticks],
                    "ticktext": [text for _slot, text in ticks],
                    "tickangle": 0,
                    "fixedrange": True,
                    "showgrid": False,
                    "showline": True,
                    "linecolor": CONTROL.light,
                },
                "yaxis": value_axis(top, step),
            },
        },
        table=pd.DataFrame(
            {"starts_at": slots}
            | {f"{label} [{unit}]": wide[key].to_numpy() for key, label in zip(wide.columns, names, strict=True)}
        ),
        headers=(_("Time, UTC"), *(f"{label}, {unit}" for label in names)),
        rows=tuple(
            (time, *(figures.number(known_or_none(value), scale, locale=locale) for value in wide.iloc[i]))
            for i, time in enumerate(times)
        ),
        legend=(
            *(entries if len(entries) > 1 else ()),
            *([Legend("", _("No data"), CONTROL.token, "gap")] if found else []),
        ),
        svg=drawing(name, wide, ends, hues, found, top, axis_ticks(0, top, step, locale), ticks),
        height=HEIGHT,
        quality=quality,
        notes=tuple(
            _("{start} to {end}: {reason}").format(
                start=moment(pd.Timestamp(hole.starts_at), length, locale),
                end=moment(pd.Timestamp(hole.ends_at), length, locale),
                reason=hole.reason,
            )
            for hole in found[:4]
        ),
        drawn=tuple(Drawn(i, "y", f"{label} [{unit}]", rows=twice) for i, label in enumerate(names)),
    )


def arranged(frame: pd.DataFrame, slots: pd.DatetimeIndex, labels: Mapping[str, str]) -> pd.DataFrame:
    """Put the long table into slots and series; NaN is unknown."""
    strays = set(frame["starts_at"]) - set(slots)
    if strays:
        raise ValueError(f"{len(strays)} rows begin outside the slots of the chart, the first at {min(strays)}")
    order = [key for key in labels if (frame["series"] == key).any()]
    if len(order) > MOST_SERIES:
        raise ValueError(f"{len(order)} lines cannot be told apart: at most {MOST_SERIES}")
    wide = frame.pivot(index="starts_at", columns="series", values="value")
    return wide.reindex(index=slots, columns=order).astype(float)


def with_unexplained(
    wide: pd.DataFrame, slots: pd.DatetimeIndex, length: pd.Timedelta, holes: Sequence[Hole], reason: str
) -> list[Hole]:
    """Join neighbouring slots without any value into holes, with the caller's reason where one is given."""
    found: list[Hole] = []
    for slot in slots[wide.isna().all(axis=1).to_numpy()] if len(wide.columns) else slots:
        given = next((hole.reason for hole in holes if hole.starts_at <= slot < hole.ends_at), reason)
        last = found[-1] if found else None
        if last and last.ends_at == slot and last.reason == given:
            found[-1] = Hole(last.starts_at, slot + length, given)
        else:
            found.append(Hole(slot, slot + length, given))
    return found


def stamp(moment: datetime | pd.Timestamp) -> str:
    """Write a moment as Plotly reads it: UTC without a zone."""
    return f"{pd.Timestamp(moment):%Y-%m-%d %H:%M:%S}"


def moment(slot: pd.Timestamp, length: pd.Timedelta, locale: str) -> str:
    """Name a slot as precisely as it is long."""
    dot = "." if locale.startswith("de") else ""
    day = format_date(slot, f"d{dot} MMM y", locale=locale)
    return day if length >= pd.Timedelta(days=1) else f"{day} {slot:%H:%M}"


def time_ticks(slots: pd.DatetimeIndex, length: pd.Timedelta, locale: str) -> list[tuple[pd.Timestamp, str]]:
    """Choose whole days, or else whole slots, at most six."""
    if not len(slots):
        return []
    dot = "." if locale.startswith("de") else ""
    days = [slot for slot in slots if slot == slot.normalize()]
    chosen, hours = (days, False) if len(days) > 2 else (list(slots), length < pd.Timedelta(days=1))
    every = -(-len(chosen) // MOST_TICKS)
    return [
        (slot, f"{slot:%H:%M}" if hours else format_date(slot, f"d{dot} MMM", locale=locale))
        for slot in chosen[::every]
    ]


def finding(
    wide: pd.DataFrame,
    times: Sequence[str],
    names: Sequence[str],
    holes: Sequence[Hole],
    length: pd.Timedelta,
    noun: str,
    scale: figures.Scale,
    unit: str,
    locale: str,
    translate: Translate,
) -> str:
    """
    Say what stands out; the first rule that holds speaks.

    1. A tenth or more of the time is not known.
    2. One series: a peak of 1.5 times the mean or more, with its time; else the span between lowest and highest.
    3. Several series: a plain noun.
    """
    _ = translate
    if not len(wide) or wide.isna().all(axis=None):
        return _("{noun} over time").format(noun=noun)
    missing = float(wide.isna().all(axis=1).mean())
    if missing >= 0.1:
        share = figures.percent(missing, locale=locale)
        return _("{noun} is not known for {share} of the time").format(noun=noun, share=share)
    if len(names) > 1:
        return _("{noun} over time").format(noun=noun)
    values = wide.iloc[:, 0]
    low, high, mean = float(values.min()), float(values.max()), float(values.mean())
    at = int(np.nanargmax(values.to_numpy()))
    peak = with_unit(figures.number(high, scale, locale=locale), unit)
    if mean > 0 and high >= 1.5 * mean:
        times_mean = axis_number(round(high / mean, 1), locale)
        return _("{noun} peaks at {peak} on {time}, {times} times the mean").format(
            noun=noun, peak=peak, time=times[at], times=times_mean
        )
    if low == high:
        return _("{noun} stays at {level}").format(noun=noun, level=peak)
    return _("{noun} stays between {low} and {high}").format(
        noun=noun, low=figures.number(low, scale, locale=locale), high=peak
    )


def summary(
    title: str,
    wide: pd.DataFrame,
    times: Sequence[str],
    scale: figures.Scale,
    unit: str,
    locale: str,
    translate: Translate,
) -> str:
    """Say the finding and both extremes."""
    _ = translate
    rows, lows = wide.max(axis=1).to_numpy(), wide.min(axis=1).to_numpy()
    if not len(rows) or np.isnan(rows).all():
        return _("{title}. There is no data in this period.").format(title=title)
    most, least = int(np.nanargmax(rows)), int(np.nanargmin(lows))
    return _("{title}. Highest: {most} with {high} {unit}; lowest: {least} with {low} {unit}.").format(
        title=title,
        most=times[most],
        least=times[least],
        high=figures.number(float(rows[most]), scale, locale=locale),
        low=figures.number(float(lows[least]), scale, locale=locale),
        unit=unit,
    )


def lines(
    wide: pd.DataFrame,
    ends: Sequence[pd.Timestamp],
    names: Sequence[str],
    hues: Sequence[Colour],
    said: Sequence[Sequence[str]],
    links: Mapping[datetime, str],
) -> list[dict[str, Any]]:
    """Return one line in steps for each series; each slot's value holds until the next, and after a gap it begins anew."""
    addresses = [links.get(slot.to_pydatetime(), "") for slot in wide.index]
    drawn = []
    for i, key in enumerate(wide.columns):
        x: list[str] = []
        y: list[float | None] = []
        data: list[list[str]] = []
        for j, value in enumerate(wide[key]):
            known = known_or_none(value)
            x += [stamp(ends[j]), stamp(ends[j + 1])]
            y += [known, known]
            data += [[said[i][j], addresses[j]]] * 2
        drawn.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": names[i],
                "x": x,
                "y": y,
                "connectgaps": False,
                "customdata": data,
                "hovertemplate": "%{customdata[0]}<extra></extra>",
                "line": {"color": hues[i].light, "width": 2, "dash": DASHES[i % len(DASHES)]},
                "meta": {"key": str(key), "token": hues[i].token, "points": 2},
            }
        )
    return drawn


def bands(holes: Sequence[Hole], top: float, translate: Translate) -> list[dict[str, Any]]:
    """Return hatched bands over what is missing."""
    if not holes:
        return []
    widths = [(hole.ends_at - hole.starts_at).total_seconds() * 1000 for hole in holes]
    middles = [hole.starts_at + (hole.ends_at - hole.starts_at) / 2 for hole in holes]
    return [
        {
            "type": "bar",
            "name": translate("No data"),
            "x": [stamp(middle) for middle in middles],
            "y": [top] * len(holes),
            "width": widths,
            "customdata": [[hole.reason, ""] for hole in holes],
            "hovertemplate": "%{customdata[0]}<extra></extra>",
            "marker": hatched(),
            "meta": {"key": "gap", "token": CONTROL.token},
        }
    ]


def drawing(
    name: str,
    wide: pd.DataFrame,
    ends: Sequence[pd.Timestamp],
    hues: Sequence[Colour],
    holes: Sequence[Hole],
    top: float,
    values: Sequence[tuple[float, str]],
    times: Sequence[tuple[pd.Timestamp, str]],
) -> str:
    """Draw the same picture on the server."""

    def seconds(moment: datetime | pd.Timestamp) -> float:
        return float((pd.Timestamp(moment) - ends[0]).total_seconds())

    plane = Plane(name, (0, seconds(ends[-1]) if ends else 1), (0, top), HEIGHT, left=56, right=16)
    plane.grid_up(values)
    for hole in holes:
        plane.hatched((seconds(hole.starts_at), seconds(hole.ends_at)), (0, top))
    plane.grid_across([(seconds(slot), text) for slot, text in times], lines=False)
    for i, (key, hue) in enumerate(zip(wide.columns, hues, strict=True)):
        points: list[tuple[float, float | None]] = []
        for j, value in enumerate(wide[key]):
            known = known_or_none(value)
            points += [(seconds(ends[j]), known), (seconds(ends[j + 1]), known)]
        plane.line(points, f"step-line c-{hue.token} dash-{i % len(DASHES)}")
    return plane.svg()
