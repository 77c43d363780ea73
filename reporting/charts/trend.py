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
    MOST_SERIES,
    Chart,
    Legend,
    Translate,
    as_is,
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
    stage_rank,
)

Grain = Literal["hour", "day", "week", "month", "quarter", "year"]
MOST_TICKS: Final = 6
SHORTEST_RUN: Final = 3  # slots above the target in a row that are a finding rather than a bad week
NOUNS: Final = {"mass": "Emissions", "energy": "Energy use", "water": "Water use"}
UNITS: Final = {"mass": "kg CO2e", "energy": "kWh", "water": "L"}


@dataclass(frozen=True)
class Gap:
    """A slot without complete data, and why."""

    starts_at: datetime
    reason: str


@dataclass(frozen=True)
class Stack:
    """The numbers of the chart: one row per slot, one column per series, both in drawing order; NaN is unknown."""

    values: pd.DataFrame  # [stored unit]
    low: pd.DataFrame | None
    high: pd.DataFrame | None
    target: pd.Series | None

    @property
    def totals(self) -> pd.Series:
        """Sum of the known series per slot; NaN where none is known."""
        return self.values.sum(axis=1, min_count=1)


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
        detail: what else the subtitle says ("location-based, by stage").
        links: slot -> address that narrows the page to it.
    """
    _ = translate
    stack = arrange(frame, slots, labels, target, _)
    scale = figures.scale_for(kind, [*stack.totals, *(stack.target if stack.target is not None else ())])
    unit = f"{scale.unit} CO2e" if kind == "mass" else scale.unit
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
    title = finding(
        stack,
        ticks,
        complete=[not (gap or open_) for gap, open_ in zip(is_gap, provisional, strict=True)],
        noun=_(NOUNS[kind]),
        names={entry.key: entry.label for entry in legend},
        previous=previous,
        locale=locale,
        translate=_,
    )
    top, tick_step = nice_top(max([scale.shown(float(np.nanmax(c))) for c in columns_with_numbers(stack)], default=0.0))
    target_label = ""
    if stack.target is not None and stack.target.notna().any():
        last = stack.target.dropna().iloc[-1]
        target_label = _("target {amount}").format(amount=figures.quantity(last, kind, scale=scale, locale=locale))
    per = {
        "hour": _("per hour"),
        "day": _("per day"),
        "week": _("per week"),
        "month": _("per month"),
        "quarter": _("per quarter"),
        "year": _("per year"),
    }[grain]
    subtitle = f"{unit} {per}" + (f", {detail}" if detail else "")
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
                "annotations": end_label(stack, title_labels, scale, target_label),
            },
        },
        table=full_table(stack, slots, legend, UNITS[kind]),
        headers=headers,
        rows=rows,
        legend=(*legend, *extra_legend(provisional, is_gap, target_label, _)),
        svg=svg.stacked(
            name=name,
            blocks=[
                svg.Block(entry.token, [none_if_nan(value * scale.factor) for value in stack.values[entry.key]])
                for entry in legend
            ],
            labels=[label if position % step == 0 else "" for position, label in enumerate(ticks)],
            top=top,
            ticks=[(tick, axis_number(tick, locale)) for tick in np.arange(0, top + tick_step / 2, tick_step)],
            target=[none_if_nan(value * scale.factor) for value in stack.target] if stack.target is not None else (),
            target_label=target_label,
            provisional=provisional,
            gaps=is_gap,
            height=HEIGHT,
            right=90 if target_label else 8,
        ),
    )


def arrange(
    frame: pd.DataFrame,
    slots: pd.DatetimeIndex,
    labels: Mapping[str, str],
    target: pd.Series | float | None,
    translate: Translate = as_is,
) -> Stack:
    """
    Put the long table into slots and series, in fixed order, at most six series and "other".

    Raises:
        ValueError: rows begin outside the slots, so they would be left out of the picture unnoticed.
    """
    strays = set(frame["starts_at"]) - set(slots)
    if strays:
        raise ValueError(f"{len(strays)} slots of the data are not slots of the chart, the first is {min(strays)}")
    totals = frame.groupby("series")["value"].sum()
    kept = [key for key in totals.sort_values(ascending=False, kind="stable").index if key != "other"]
    if len(kept) > MOST_SERIES:
        kept = kept[:MOST_SERIES]
    frame = frame.assign(series=frame["series"].where(frame["series"].isin(kept), "other"))
    names = list(labels)
    order = sorted(
        frame["series"].unique(),
        key=lambda key: (
            (key == "other", *stage_rank(key)) if key in STAGES else (key == "other", position(names, key), key)
        ),
    )

    def wide(column: str) -> pd.DataFrame:
        summed = frame.groupby(["starts_at", "series"])[column].sum(min_count=1).unstack("series")
        return summed.reindex(index=slots, columns=order).astype(float)

    bounded = {"low", "high"} <= set(frame.columns)
    limits = None
    if target is not None:
        limits = target.reindex(slots) if isinstance(target, pd.Series) else pd.Series(float(target), index=slots)
    stack = Stack(wide("value"), wide("low") if bounded else None, wide("high") if bounded else None, limits)
    stack.values.attrs["folded"] = int(len(totals) - len(kept))
    return stack


def position(names: Sequence[str], key: str) -> int:
    """Place of a key in the caller's order; unknown keys come last."""
    return names.index(key) if key in names else len(names)


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


def finding(
    stack: Stack,
    ticks: Sequence[str],
    *,
    complete: Sequence[bool],
    noun: str,
    names: Mapping[str, str],
    previous: float | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> str:
    """
    Say in one line what the chart shows; the first rule that holds speaks, else a plain noun.

    1. Against the target: the run of last complete slots above it, else the whole period above or below it.
    2. Against the comparison period, where a percentage is allowed and the period is complete.
    3. A series that makes 40 % or more.
    """
    _ = translate
    totals = stack.totals

    def deviation(chosen: Sequence[int]) -> float:
        return float(totals.iloc[list(chosen)].sum() / stack.target.iloc[list(chosen)].sum() - 1)  # type: ignore[union-attr]

    if stack.target is not None:
        both = [
            i for i in range(len(totals)) if complete[i] and pd.notna(totals.iloc[i]) and pd.notna(stack.target.iloc[i])
        ]
        above = [i for i in both if totals.iloc[i] > stack.target.iloc[i]]
        run: list[int] = []
        for i in reversed(both):
            if i not in above:
                break
            run.insert(0, i)
        if SHORTEST_RUN <= len(run) < len(both) and deviation(run) >= 0.005:
            share = figures.percent(deviation(run), locale=locale)
            return _("{noun} run {share} above the target since {slot}").format(
                noun=noun, share=share, slot=ticks[run[0]]
            )
        if both and stack.target.iloc[both].sum() > 0 and abs(deviation(both)) >= 0.005:
            share = figures.percent(abs(deviation(both)), locale=locale)
            text = (
                _("{noun} run {share} above the target")
                if deviation(both) > 0
                else _("{noun} stay {share} below the target")
            )
            return text.format(noun=noun, share=share)
    if previous is not None and all(complete):
        change = figures.change(float(totals.sum()), previous, locale=locale, translate=_)
        if change.direction in ("up", "down"):
            text = _("{noun} rose {share}") if change.direction == "up" else _("{noun} fell {share}")
            return text.format(noun=noun, share=change.text)
    sums = stack.values.sum()
    if len(sums) > 1 and sums.sum() > 0 and sums.max() / sums.sum() >= 0.4 and sums.idxmax() != "other":
        share = figures.percent(float(sums.max() / sums.sum()), locale=locale)
        return _("{series} makes {share} of the total").format(series=names[str(sums.idxmax())], share=share)
    return _("{noun} over time").format(noun=noun)


def summary(
    title: str,
    stack: Stack,
    slot_labels: Sequence[str],
    kind: figures.Kind,
    scale: figures.Scale,
    unit: str,
    locale: str,
    translate: Translate,
) -> str:
    """Say the finding and the extremes, for people who do not see the picture."""
    _ = translate
    totals = stack.totals.reset_index(drop=True).dropna()
    if totals.empty:
        return _("{title}. There is no data in this period.").format(title=title)
    most, least = int(totals.idxmax()), int(totals.idxmin())
    return _("{title}. Highest: {most} with {high} {unit}; lowest: {least} with {low} {unit}.").format(
        title=title,
        most=slot_labels[most],
        least=slot_labels[least],
        high=figures.number(totals[most], scale, locale=locale),
        low=figures.number(totals[least], scale, locale=locale),
        unit=unit,
    )


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
                "y": [none_if_nan(scale.shown(value)) for value in values],
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
                "y": [none_if_nan(scale.shown(value)) for value in stack.target],
                "customdata": [
                    [f"{figures.number(none_if_nan(value), scale, locale=locale)}{figures.THIN}{unit}", ""]
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
    value = none_if_nan(stack.values[key].iloc[i])
    text = f"{figures.number(value, scale, locale=locale)}{figures.THIN}{unit}"
    if stack.low is None or stack.high is None or value is None:
        return text
    span = figures.interval(stack.low[key].iloc[i], stack.high[key].iloc[i], scale, locale=locale)
    return text if span == figures.UNKNOWN else f"{text} ({span})"


def end_label(stack: Stack, slot_labels: Sequence[str], scale: figures.Scale, text: str) -> list[dict[str, Any]]:
    """Label the target line at its end."""
    if not text or stack.target is None:
        return []
    known = stack.target.reset_index(drop=True).dropna()
    return [
        {
            "x": slot_labels[int(known.index[-1])],
            "y": scale.shown(float(known.iloc[-1])),
            "xref": "x",
            "yref": "y",
            "text": text,
            "showarrow": False,
            "xanchor": "left",
            "xshift": 18,
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
        (label, *(figures.number(none_if_nan(column.iloc[i]), scale, locale=locale) for column in columns))
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
    ('Q2 2026', 'Juni 2026')
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


def axis_number(value: float, locale: str) -> str:
    """Write a tick."""
    return figures.format_decimal(round(float(value), 6), format="#,##0.######", locale=locale)


def none_if_nan(value: float) -> float | None:
    """Turn NaN into None: JSON has no NaN, and unknown is not a number."""
    return None if pd.isna(value) else float(value)
