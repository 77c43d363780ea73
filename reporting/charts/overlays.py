"""What is laid over a trend: events, the range of the totals, and where the period will end if it goes on like this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from string import ascii_uppercase
from typing import Any, Final

import pandas as pd
from babel.dates import format_date

from reporting import figures
from reporting.charts.chart import Drawn, Legend, Translate, known_or_none, with_unit
from reporting.charts.palette import CONTROL, TEXT
from reporting.charts.plane import Plane


@dataclass(frozen=True)
class Event:
    """What happened on a day and may have moved the figures: "Factors 2025 activated"."""

    on: date
    text: str


@dataclass(frozen=True)
class Mark:
    """An event on the chart: its letter, and its slot with the fraction of it that had passed."""

    letter: str
    place: float
    text: str


@dataclass(frozen=True)
class Overlays:
    """
    What is laid over the stack, all for whole slots.

    Args:
        events: what happened when.
        bounds: ``low`` and ``high`` of each slot's total, by slot; the total's own, as bounds of parts
            do not sum. [kg CO2e, kWh or L]
        projection: ``value`` (whole slot), ``low`` and ``high`` of slots that have not ended, by slot, same unit.
    """

    events: Sequence[Event] = ()
    bounds: pd.DataFrame | None = None
    projection: pd.DataFrame | None = None

    def highest(self) -> float:
        """Largest value that the axis has to hold, stored unit."""
        frames = [frame for frame in (self.bounds, self.projection) if frame is not None]
        return max((float(frame.max(numeric_only=True).max()) for frame in frames if len(frame)), default=0.0)


NONE: Final = Overlays()


def marks_of(events: Sequence[Event], slots: pd.DatetimeIndex, locale: str) -> list[Mark]:
    """Place events among the slots, in the order of time, with letters; those outside the period are left out."""
    if not len(slots):
        return []
    length = slots[-1] - slots[-2] if len(slots) > 1 else pd.Timedelta(days=1)
    found: list[Mark] = []
    for event in sorted(events, key=lambda event: event.on):
        at = pd.Timestamp(datetime.combine(event.on, datetime.min.time()), tz=slots.tz)
        after = int(slots.searchsorted(at, side="right")) - 1
        if at < slots[0] - length or after < 0 or at >= slots[-1] + length:
            continue
        span = (slots[after + 1] - slots[after]) if after + 1 < len(slots) else length
        place = after - 0.5 + float((at - slots[after]) / span)
        dot = "." if locale.startswith("de") else ""
        day = format_date(event.on, f"d{dot} MMM y", locale=locale)
        letter = ascii_uppercase[len(found) % 26]
        found.append(Mark(letter, place, f"{letter} {day}: {event.text}"))
    return found


def overlay_traces(
    overlays: Overlays,
    slots: pd.DatetimeIndex,
    labels: Sequence[str],
    totals: pd.Series,
    scale: figures.Scale,
    unit: str,
    locale: str,
    translate: Translate,
) -> list[dict[str, Any]]:
    """Return whiskers over the stacks, and open diamonds where slots are projected to end."""
    _ = translate
    drawn = []
    if overlays.bounds is not None:
        frame = overlays.bounds.reindex(slots).assign(value=totals)
        drawn.append(
            whiskers(frame, labels, _("Range"), "range", "line-ns", TEXT.light, TEXT.token, scale, unit, locale)
        )
    if overlays.projection is not None:
        frame = overlays.projection.reindex(slots)
        drawn.append(
            whiskers(
                frame, labels, _("Projected"), "projection", "diamond-open", TEXT.light, TEXT.token, scale, unit, locale
            )
        )
    return drawn


def whiskers(
    frame: pd.DataFrame,
    labels: Sequence[str],
    name: str,
    key: str,
    symbol: str,
    light: str,
    token: str,
    scale: figures.Scale,
    unit: str,
    locale: str,
) -> dict[str, Any]:
    """Return points with their ranges; where nothing is known there is none."""
    value, low, high = ([known_or_none(number) for number in frame[column]] for column in ("value", "low", "high"))
    said = [
        figures.UNKNOWN
        if one is None
        else with_unit(
            f"{figures.number(one, scale, locale=locale)} ({figures.interval(a, b, scale, locale=locale)})", unit
        )
        for one, a, b in zip(value, low, high, strict=True)
    ]

    def reach(start: float | None, end: float | None) -> float:
        return 0.0 if start is None or end is None else scale.shown(end - start)

    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": list(labels),
        "y": [None if one is None else scale.shown(one) for one in value],
        "customdata": [[text, ""] for text in said],
        "hovertemplate": "%{customdata[0]}",
        "marker": {
            "color": light,
            "size": 9 if symbol != "line-ns" else 1,
            "symbol": symbol,
            "line": {"width": 2, "color": light},
        },
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [reach(one, end) for one, end in zip(value, high, strict=True)],
            "arrayminus": [reach(start, one) for start, one in zip(low, value, strict=True)],
            "color": light,
            "thickness": 1.5,
            "width": 4,
        },
        "meta": {"key": key, "token": token},
    }


def event_layout(marks: Sequence[Mark]) -> dict[str, Any]:
    """Return dotted lines with letters above the plot; the notes below it say what they are."""
    if not marks:
        return {}
    return {
        "shapes": [
            {
                "type": "line",
                "xref": "x",
                "yref": "paper",
                "x0": mark.place,
                "x1": mark.place,
                "y0": 0,
                "y1": 1,
                "line": {"color": CONTROL.light, "width": 1, "dash": "2px,3px"},
            }
            for mark in marks
        ],
        "annotations": [
            {
                "x": mark.place,
                "y": 1,
                "xref": "x",
                "yref": "paper",
                "yanchor": "bottom",
                "text": mark.letter,
                "showarrow": False,
                "name": "keep",
                "font": {"color": TEXT.light, "size": 13},
            }
            for mark in marks
        ],
    }


def overlay_legend(overlays: Overlays, translate: Translate) -> list[Legend]:
    """Explain what is laid over."""
    _ = translate
    entries = []
    if overlays.bounds is not None:
        entries.append(Legend("", _("Range of the total"), TEXT.token, "whisker"))
    if overlays.projection is not None:
        entries.append(Legend("", _("Projected, with range"), TEXT.token, "diamond-open"))
    return entries


def overlay_columns(
    overlays: Overlays, slots: pd.DatetimeIndex, unit: str
) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """Return the columns of the file, and (trace key, axis, column) of what each holds."""
    columns: dict[str, Any] = {}
    held = []
    for key, frame in (("total", overlays.bounds), ("projection", overlays.projection)):
        if frame is None:
            continue
        for column in ("value", "low", "high") if key == "projection" else ("low", "high"):
            columns[f"{key} {column} [{unit}]"] = frame.reindex(slots)[column].to_numpy(dtype=float)
        if key == "projection":
            held.append((key, "y", f"{key} value [{unit}]"))
    return columns, held


def overlay_svg(
    overlays: Overlays,
    marks: Sequence[Mark],
    slots: pd.DatetimeIndex,
    totals: pd.Series,
    scale: figures.Scale,
    plane: Plane,
) -> str:
    """Draw the same on the server's picture."""
    for mark in marks:
        plane.segment((mark.place, plane.y[0]), (mark.place, plane.y[1]), "event-line")
        plane.text(mark.letter, plane.px(mark.place), plane.above - 4, anchor="middle", kind="strong")
    layers = ((overlays.bounds, totals, False), (overlays.projection, None, True))
    for frame, values, marked in layers:
        if frame is None:
            continue
        aligned = frame.reindex(slots)
        for i, (low, high) in enumerate(zip(aligned["low"], aligned["high"], strict=True)):
            value = known_or_none((aligned["value"] if values is None else values).iloc[i])
            if value is None:
                continue
            if pd.notna(low) and pd.notna(high):
                plane.segment((i, scale.shown(low)), (i, scale.shown(high)), "target-line whisker")
            if marked:
                plane.dot(i, scale.shown(value), 4.5, f"c-{TEXT.token} hollow")
    return "".join(plane.parts)


def drawn_of(data: Sequence[dict[str, Any]], held: Sequence[tuple[str, str, str]], factor: float) -> list[Drawn]:
    """Say which numbers of the table the overlays hold."""
    places = {trace["meta"]["key"]: i for i, trace in enumerate(data)}
    return [Drawn(places[key], axis, column, factor) for key, axis, column in held]
