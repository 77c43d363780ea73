"""Stacked bars over time against one target line: what each slot emitted, by stage or another dimension."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from babel.dates import format_date

from reporting import figures
from reporting.charts import svg
from reporting.charts.chart import (
    HEIGHT,
    NOUNS_UNITS,
    Chart,
    Legend,
    Translate,
    as_is,
    axis_number,
    known_or_none,
    layout,
    nice_top,
    value_axis,
)
from reporting.charts.palette import (
    CONTROL,
    GROUND,
    OTHER,
    PATTERNS,
    STAGES,
    TEXT,
    Colour,
)
from reporting.charts.stack import Stack, arrange
from reporting.charts.words import finding, summary

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
    title = title or finding(
        stack,
        ticks,
        complete=[not (gap or open_) for gap, open_ in zip(is_gap, provisional, strict=True)],
        noun=_(NOUNS_UNITS[kind][0]),
        names={entry.key: entry.label for entry in legend},
        previous=previous,
        locale=locale,
        translate=_,
    )
    top, tick_step = nice_top(max([scale.shown(float(np.nanmax(c))) for c in columns_with_numbers(stack)], default=0.0))
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
    return Chart(
        name=name,
        kind="trend",
        title=title,
        subtitle=subtitle,
        summary=summary(title, stack, title_labels, kind, scale, unit, locale, _),
        unit=unit,
        figure={
            "data": traces(
                stack, title_labels, legend, scale, unit, provisional, is_gap, reasons, top, links, locale, _
            ),
            "layout": {
                **layout(height=HEIGHT, right=90 if target_label else 8),
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
                "annotations": end_label(stack, scale, target_label),
            },
        },
        table=full_table(stack, slots, legend, f"{NOUNS_UNITS[kind][1]} {per}".strip()),
        headers=headers,
        rows=rows,
        legend=(*legend, *extra_legend(provisional, is_gap, target_label, _)),
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
            right=90 if target_label else 8,
        ),
    )


def series_label(key: str, labels: Mapping[str, str], stack: Stack, translate: Translate) -> str:
    """Name a series; folded ones say how many they are."""
    folded = stack.values.attrs.get("folded", 0)
    if key == "other" and folded > 1:
        return translate("Other ({n})").format(n=folded)
    return labels.get(key, key) if key != "other" else labels.get(key, translate("Other"))


def colour_of(key: str, colours: Mapping[str, Colour]) -> Colour:
    """Fixed colour of a series."""
    return colours.get(key, OTHER)


def columns_with_numbers(stack: Stack) -> list[np.ndarray]:
    """Totals and target, without columns that know nothing."""
    found = [stack.totals.to_numpy(), *([stack.target.to_numpy()] if stack.target is not None else [])]
    return [column for column in found if not np.isnan(column).all()]


def traces(
    stack: Stack,
    slot_labels: Sequence[str],
    legend: Sequence[Legend],
    scale: figures.Scale,
    unit: str,
    provisional: Sequence[bool],
    is_gap: Sequence[bool],
    reasons: Mapping[pd.Timestamp, str],
    top: float,
    links: Mapping[datetime, str] | None,
    locale: str,
    translate: Translate,
) -> list[dict[str, Any]]:
    """Return the Plotly traces; ``customdata`` holds what hover says and where a click leads."""
    slots = stack.values.index
    addresses = [(links or {}).get(slot.to_pydatetime(), "") for slot in slots]
    drawn: list[dict[str, Any]] = []
    light = {colour.token: colour.light for colour in (*STAGES.values(), OTHER)}
    for entry in legend:
        values = stack.values[entry.key]
        said = [hover_text(stack, entry.key, i, scale, unit, locale) for i in range(len(slots))]
        drawn.append(
            {
                "type": "bar",
                "name": entry.label,
                "x": list(slot_labels),
                "y": [known_or_none(scale.shown(value)) for value in values],
                "customdata": [[text, address] for text, address in zip(said, addresses, strict=True)],
                "hovertemplate": "%{customdata[0]}",
                "marker": {
                    "color": light.get(entry.token, entry_colour(entry.token)),
                    "line": {"width": 1, "color": GROUND.light},
                    "pattern": {
                        "shape": ["/" if open_ else entry.pattern for open_ in provisional],
                        "fillmode": "overlay",
                        "fgcolor": GROUND.light,
                        "fgopacity": 0.75,
                        "size": 7,
                        "solidity": 0.22,
                    },
                },
                "meta": {"key": entry.key, "token": entry.token},
            }
        )
    if any(is_gap):
        drawn.append(
            {
                "type": "bar",
                "name": translate("No data"),
                "x": [label for label, gap in zip(slot_labels, is_gap, strict=True) if gap],
                "y": [top] * sum(is_gap),
                "base": 0,
                "width": 1,
                "customdata": [[reasons[slot], ""] for slot in slots if slot in reasons],
                "hovertemplate": "%{customdata[0]}",
                "marker": {
                    "color": "rgba(0,0,0,0)",
                    "line": {"width": 0},
                    "pattern": {"shape": "/", "fgcolor": CONTROL.light, "fgopacity": 0.5, "size": 7, "solidity": 0.12},
                },
                "meta": {"key": "gap", "token": CONTROL.token},
            }
        )
    if stack.target is not None:
        drawn.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": translate("Target"),
                "x": list(slot_labels),
                "y": [known_or_none(scale.shown(value)) for value in stack.target],
                "customdata": [
                    [f"{figures.number(known_or_none(value), scale, locale=locale)}{figures.THIN}{unit}", ""]
                    for value in stack.target
                ],
                "hovertemplate": "%{customdata[0]}",
                "line": {"color": TEXT.light, "width": 2, "dash": "8px,6px", "shape": "hvh"},
                "meta": {"key": "target", "token": TEXT.token},
            }
        )
    return drawn


def entry_colour(token: str) -> str:
    """Light colour of a token that is not a stage's."""
    from reporting.charts.palette import COLOURS

    return next(colour.light for colour in COLOURS if colour.token == token)


def hover_text(stack: Stack, key: str, i: int, scale: figures.Scale, unit: str, locale: str) -> str:
    """Write value, unit and range of one point."""
    value = known_or_none(stack.values[key].iloc[i])
    text = f"{figures.number(value, scale, locale=locale)}{figures.THIN}{unit}"
    if stack.low is None or stack.high is None or value is None:
        return text
    span = figures.interval(stack.low[key].iloc[i], stack.high[key].iloc[i], scale, locale=locale)
    return text if span == figures.UNKNOWN else f"{text} ({span})"


def labelled(target: pd.Series) -> int:
    """
    Find the slot whose limit is written at the end of the line: the last whole one.

    A week that the period cuts off has a part of the limit, which would be read as the limit of a week.
    """
    whole = target >= 0.7 * target.median()
    return int(np.flatnonzero(whole)[-1])


def end_label(stack: Stack, scale: figures.Scale, text: str) -> list[dict[str, Any]]:
    """Label the target line at its end."""
    if not text or stack.target is None:
        return []
    at = labelled(stack.target)
    return [
        {
            "x": 1,
            "y": scale.shown(float(stack.target.iloc[at])),
            "xref": "paper",
            "yref": "y",
            "text": text,
            "showarrow": False,
            "xanchor": "left",
            "xshift": 6,
            "font": {"color": TEXT.light, "size": 13},
        }
    ]


def extra_legend(
    provisional: Sequence[bool], is_gap: Sequence[bool], target_label: str, translate: Translate
) -> list[Legend]:
    """Entries for what is drawn beside the series."""
    entries = []
    if any(provisional):
        entries.append(Legend("", translate("Provisional"), CONTROL.token, "hatch"))
    if any(is_gap):
        entries.append(Legend("", translate("No data"), CONTROL.token, "gap"))
    if target_label:
        entries.append(Legend("target", translate("Target"), TEXT.token, "line"))
    return entries


def full_table(stack: Stack, slots: pd.DatetimeIndex, legend: Sequence[Legend], unit: str) -> pd.DataFrame:
    """Return what is drawn at full precision, one row per slot: the chart's CSV."""
    columns: dict[str, Any] = {"starts_at": slots}
    for entry in legend:
        columns[f"{entry.label} [{unit}]"] = stack.values[entry.key].to_numpy()
    columns[f"total [{unit}]"] = stack.totals.to_numpy()
    if stack.target is not None:
        columns[f"target [{unit}]"] = stack.target.to_numpy()
    return pd.DataFrame(columns)


def shown_table(
    stack: Stack,
    slot_labels: Sequence[str],
    legend: Sequence[Legend],
    scale: figures.Scale,
    unit: str,
    locale: str,
    translate: Translate,
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Return headers and rows of the HTML table, numbers in the chart's unit."""
    _ = translate
    columns = [stack.values[entry.key] for entry in legend] + [stack.totals]
    headers = [_("Period"), *(entry.label for entry in legend), _("Total, {unit}").format(unit=unit)]
    if stack.target is not None:
        columns.append(stack.target)
        headers.append(_("Target"))
    rows = tuple(
        (label, *(figures.number(known_or_none(column.iloc[i]), scale, locale=locale) for column in columns))
        for i, label in enumerate(slot_labels)
    )
    return tuple(headers), rows


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
