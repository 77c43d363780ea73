"""Stacked bars over time against one target line: what each slot emitted, by stage or another dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

import numpy as np
import pandas as pd
from babel.dates import format_date

from reporting import figures
from reporting.charts import svg
from reporting.charts.chart import (
    HEIGHT,
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
    value_axis,
)
from reporting.charts.overlays import (
    NONE,
    Overlays,
    drawn_of,
    event_layout,
    marks_of,
    overlay_columns,
    overlay_legend,
    overlay_svg,
    overlay_traces,
)
from reporting.charts.palette import CONTROL, PATTERNS, STAGES, Colour
from reporting.charts.plane import Plane
from reporting.charts.stack import arrange
from reporting.charts.trend_parts import (
    colour_of,
    columns_with_numbers,
    end_label,
    extra_legend,
    full_table,
    labelled,
    series_label,
    shown_table,
    traces,
)
from reporting.charts.words import finding, heading_for, summary

Grain = Literal["hour", "day", "week", "month", "quarter", "year"]
MOST_TICKS: Final = 6


@dataclass(frozen=True)
class Gap:
    """A slot without complete data, and why."""

    starts_at: datetime
    reason: str


def trend(
    frame: pd.DataFrame,
    *,
    slots: pd.DatetimeIndex,
    grain: Grain,
    labels: Mapping[str, str],
    name: str = "trend",
    kind: figures.Kind = "mass",
    colours: Mapping[str, Colour] = STAGES,
    target: pd.Series | float | None = None,
    provisional_from: datetime | None = None,
    gaps: Sequence[Gap] = (),
    previous: float | None = None,
    title: str = "",
    per: str = "",
    detail: str = "",
    quality: str = "",
    overlays: Overlays = NONE,
    links: Mapping[datetime, str] | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> Chart:
    """
    Draw a stacked trend.

    Args:
        frame: long table with ``starts_at`` (UTC, begin of a slot), ``series`` (key) and ``value`` in kg CO2e, kWh or L;
            ``low`` and ``high`` in the same unit if there are ranges. Slots without a row stay empty, never zero.
        slots: every slot of the period in order, also those without rows.
        labels: key of a series -> its name on screen; the keys of a stage stack are the activity table's stages.
        target: limit per slot in the unit of ``value`` (one number, or a Series by slot).
        provisional_from: slots that begin then or later are hatched: their period is open.
        previous: total of the comparison period, for the title, same unit.
        title: what it says, where the caller knows better than the rules for sums.
        per: what each value is divided by ("per request"), for an intensity.
        detail: what else the subtitle says ("location-based, by stage").
        overlays: events, ranges of the totals, projection.
        links: slot -> address that narrows the page to it.
    """
    _ = translate
    stack = arrange(frame, slots, labels, target, _)
    scale = figures.scale_for(kind, [*stack.totals, *(stack.target if stack.target is not None else ())])
    unit = f"{scale.unit} CO2e" if kind in ("mass", "intensity") else scale.unit
    unit = f"{unit} {per}" if per else unit
    title_labels = [slot_label(slot, grain, locale, _) for slot in slots]
    ticks = [slot_label(slot, grain, locale, _, short=True) for slot in slots]
    step = -(-len(slots) // MOST_TICKS) or 1
    reasons = {pd.Timestamp(gap.starts_at): gap.reason for gap in gaps}
    is_gap = [slot in reasons for slot in slots]
    provisional = [provisional_from is not None and slot >= pd.Timestamp(provisional_from) for slot in slots]
    legend = tuple(
        Legend(key, series_label(key, labels, stack, _), colour_of(key, colours).token, pattern=PATTERNS.get(key, ""))
        for key in stack.values.columns
    )
    title = (
        title
        or heading_for(stack, overlays, _(NOUNS_UNITS[kind][0]), locale, _)
        or finding(
            stack,
            ticks,
            complete=[not (gap or open_) for gap, open_ in zip(is_gap, provisional, strict=True)],
            noun=_(NOUNS_UNITS[kind][0]),
            names={entry.key: entry.label for entry in legend},
            previous=previous,
            locale=locale,
            translate=_,
        )
    )
    tops = [float(np.nanmax(column)) for column in columns_with_numbers(stack)]
    top, tick_step = nice_top(scale.shown(max([*tops, overlays.highest()])))
    target_label, label_height = "", None
    if stack.target is not None and stack.target.notna().any():
        last = float(stack.target.iloc[labelled(stack.target)])
        label_height = scale.shown(last)
        target_label = _("target {amount}").format(amount=figures.quantity(last, kind, scale=scale, locale=locale))
    slots_said = {
        "hour": _("per hour"),
        "day": _("per day"),
        "week": _("per week"),
        "month": _("per month"),
        "quarter": _("per quarter"),
        "year": _("per year"),
    }[grain]
    subtitle = (unit if per else f"{unit} {slots_said}") + (f", {detail}" if detail else "")
    if target_label:
        subtitle += "; " + _("line: target")
    headers, rows = shown_table(stack, title_labels, legend, scale, unit, locale, _)
    marks = marks_of(overlays.events, slots, locale)
    right, above = 90 if target_label else 8, 24 if marks else 8
    stored = f"{NOUNS_UNITS[kind][1]} {per}".strip()
    extra_columns, held = overlay_columns(overlays, slots, stored)
    data = [
        *traces(stack, title_labels, legend, scale, unit, provisional, is_gap, reasons, top, links, locale, _),
        *overlay_traces(overlays, slots, title_labels, stack.totals, scale, unit, locale, _),
    ]
    above_events = event_layout(marks)
    plane = Plane(name, (-0.5, max(len(slots), 1) - 0.5), (0, top), HEIGHT, left=48, right=right, above=above)
    return Chart(
        name=name,
        kind="trend",
        title=title,
        subtitle=subtitle,
        summary=summary(title, stack, title_labels, kind, scale, unit, locale, _),
        unit=unit,
        figure={
            "data": data,
            "layout": {
                **layout(height=HEIGHT, right=right, above=above),
                **above_events,
                "barmode": "stack",
                "bargap": 0.26,
                "hovermode": "x unified",
                "xaxis": {
                    "type": "category",
                    "categoryorder": "array",
                    "categoryarray": title_labels,
                    "range": [-0.5, len(slots) - 0.5],
                    "tickmode": "array",
                    "tickvals": title_labels[::step],
                    "ticktext": ticks[::step],
                    "tickangle": 0,
                    "fixedrange": True,
                    "showgrid": False,
                    "showline": True,
                    "linecolor": CONTROL.light,
                },
                "yaxis": value_axis(top, tick_step),
                "annotations": [*end_label(stack, scale, target_label), *above_events.get("annotations", ())],
            },
        },
        table=full_table(stack, slots, legend, stored).assign(**extra_columns),
        headers=headers,
        rows=rows,
        legend=(*legend, *extra_legend(provisional, is_gap, target_label, _), *overlay_legend(overlays, _)),
        svg=svg.stacked(
            name=name,
            blocks=[
                svg.Block(entry.token, [known_or_none(value * scale.factor) for value in stack.values[entry.key]])
                for entry in legend
            ],
            labels=[label if position % step == 0 else "" for position, label in enumerate(ticks)],
            top=top,
            ticks=[(tick, axis_number(tick, locale)) for tick in np.arange(0, top + tick_step / 2, tick_step)],
            target=[known_or_none(value * scale.factor) for value in stack.target] if stack.target is not None else (),
            target_label=target_label,
            target_label_at=label_height,
            provisional=provisional,
            gaps=is_gap,
            height=HEIGHT,
            right=right,
            above=above,
            over=overlay_svg(overlays, marks, slots, stack.totals, scale, plane),
        ),
        quality=quality,
        notes=tuple(mark.text for mark in marks),
        drawn=(
            *(Drawn(i, "y", f"{entry.label} [{stored}]", scale.factor) for i, entry in enumerate(legend)),
            *drawn_of(data, held, scale.factor),
        ),
    )


def slot_label(slot: pd.Timestamp, grain: Grain, locale: str, translate: Translate, *, short: bool = False) -> str:
    """
    Name a slot, in full for hover and table, short for the axis.

    >>> from datetime import UTC
    >>> june = pd.Timestamp("2026-06-29", tz="UTC")
    >>> slot_label(june, "week", "en", str), slot_label(june, "week", "en", str, short=True)
    ('Week of 29 Jun 2026', '29 Jun')
    >>> slot_label(june, "quarter", "en", str), slot_label(june, "month", "de", str, short=True)
    ('Q2 2026', 'Jun 2026')
    """
    day = slot.to_pydatetime()
    dot = "." if locale.startswith("de") else ""
    date = format_date(day, f"d{dot} MMM" + ("" if short else " y"), locale=locale)
    if grain == "hour":
        return f"{date} {day:%H:%M}"
    if grain == "day":
        return date
    if grain == "week":
        return date if short else translate("Week of {date}").format(date=date)
    if grain == "month":
        return format_date(day, "LLL y" if short else "LLLL y", locale=locale)
    return format_date(day, "QQQ y" if grain == "quarter" else "y", locale=locale)
