"""The parts of a stacked trend: its traces, the label of its target, its legend and its tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from reporting import figures
from reporting.charts.chart import Legend, Translate, hatched, known_or_none
from reporting.charts.palette import COLOURS, CONTROL, GROUND, OTHER, STAGES, TEXT, Colour
from reporting.charts.stack import Stack


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
                "marker": hatched(),
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
