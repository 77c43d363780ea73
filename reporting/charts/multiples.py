"""Small multiples: the same bars over time for each team, all on one scale, so that heights can be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    axis_number,
    known_or_none,
    layout,
    nice_top,
    shown_unit,
    value_axis,
    with_unit,
)
from reporting.charts.palette import CONTROL, SERIES, TEXT
from reporting.charts.plane import Plane
from reporting.charts.trend import Grain, slot_label

COLUMNS: Final = 4
PANEL_HEIGHT: Final = 132  # with its heading and the room below [px]
HEADING: Final = 30
FOOT: Final = 24
MOST_PANELS: Final = 12


def multiples(
    frame: pd.DataFrame,
    *,
    slots: pd.DatetimeIndex,
    grain: Grain,
    labels: Mapping[str, str],
    noun: str,
    name: str = "multiples",
    kind: figures.Kind = "mass",
    detail: str = "",
    quality: str = "",
    links: Mapping[str, str] | None = None,
    locale: str = "en",
    translate: Translate = as_is,
) -> Chart:
    """
    Draw one panel of bars for each entity, the largest total first, at most twelve; the rest is named below.

    Args:
        frame: ``starts_at`` (a slot), ``series`` and ``value`` [kg CO2e, kWh or L]; slots without a row stay empty.
        labels: series -> name.
        noun: what the panels are, as it stands inside a sentence: "teams".
        links: series -> address of the entity.
    """
    _ = translate
    wide = frame.pivot(index="starts_at", columns="series", values="value").reindex(index=slots).astype(float)
    totals = wide.sum(min_count=1).sort_values(ascending=False, na_position="last", kind="stable")
    keys = [str(key) for key in totals.index[:MOST_PANELS]]
    left_out = [labels.get(str(key), str(key)) for key in totals.index[MOST_PANELS:]]
    names = [labels.get(key, key) for key in keys]
    shown = wide[keys]
    numbers = [float(value) for value in shown.to_numpy().ravel() if pd.notna(value)]
    scale = figures.scale_for(kind, numbers)
    unit = shown_unit(kind, scale)
    top, step = nice_top(scale.shown(max(numbers, default=0.0)))
    slot_names = [slot_label(slot, grain, locale, _) for slot in slots]
    ends = (
        [
            (0, slot_label(slots[0], grain, locale, _, short=True)),
            (len(slots) - 1, slot_label(slots[-1], grain, locale, _, short=True)),
        ]
        if len(slots)
        else []
    )
    title = finding(shown, names, noun, locale, _)
    height = PANEL_HEIGHT * max(-(-len(keys) // COLUMNS), 1)
    stored = NOUNS_UNITS[kind][1]
    said = [
        [
            f"{label}, {slot}: {with_unit(figures.number(known_or_none(value), scale, locale=locale), unit)}"
            for slot, value in zip(slot_names, shown[key], strict=True)
        ]
        for key, label in zip(keys, names, strict=True)
    ]
    return Chart(
        name=name,
        kind="multiples",
        title=title,
        subtitle=_("{unit}, the same scale in all panels").format(unit=unit) + (f", {detail}" if detail else ""),
        summary=summary(title, names, said, shown, _),
        unit=unit,
        figure={
            "data": [
                panel(i, key, shown[key], said[i], (links or {}).get(key, ""), scale) for i, key in enumerate(keys)
            ],
            "layout": arrangement(names, ends, len(slots), top, step, height),
        },
        table=pd.DataFrame(
            {"starts_at": slots}
            | {f"{label} [{stored}]": shown[key].to_numpy() for key, label in zip(keys, names, strict=True)}
        ),
        headers=(_("Period"), *names),
        rows=tuple(
            (slot, *(figures.number(known_or_none(value), scale, locale=locale) for value in shown.iloc[i]))
            for i, slot in enumerate(slot_names)
        ),
        legend=(),
        svg=drawing(name, shown, names, ends, top, height, scale, locale),
        height=height,
        quality=quality,
        notes=(_("Not drawn, as they are smaller: {names}").format(names=", ".join(left_out)),) if left_out else (),
        drawn=tuple(Drawn(i, "y", f"{label} [{stored}]", scale.factor) for i, label in enumerate(names)),
    )


def finding(shown: pd.DataFrame, names: Sequence[str], noun: str, locale: str, translate: Translate) -> str:
    """
    Say how many grew between the first and the last slot; the first rule that holds speaks.

    1. Fewer than two slots or panels: a plain title, or the name of the only one.
    2. How many of those known at both ends grew, fell or kept their level (5 % and less is a level).
    """
    _ = translate
    known = shown.iloc[[0, -1]].dropna(axis=1) if len(shown) > 1 else pd.DataFrame()
    if len(names) < 2 or known.shape[1] < 2:
        plain = _("{noun} side by side").format(noun=noun)
        return names[0] if len(names) == 1 else plain[:1].upper() + plain[1:]
    grew = int((known.iloc[1] > 1.05 * known.iloc[0]).sum())
    fell = int((known.iloc[1] < 0.95 * known.iloc[0]).sum())
    if not grew and not fell:
        return _("All {all} {noun} keep their level").format(all=known.shape[1], noun=noun)
    return _("{grew} of {all} {noun} grew, {fell} fell").format(grew=grew, fell=fell, all=known.shape[1], noun=noun)


def summary(
    title: str, names: Sequence[str], said: Sequence[Sequence[str]], shown: pd.DataFrame, translate: Translate
) -> str:
    """Say the finding and both extremes."""
    _ = translate
    known = [
        (float(value), said[i][j])
        for i in range(len(names))
        for j, value in enumerate(shown.iloc[:, i])
        if pd.notna(value)
    ]
    if not known:
        return _("{title}. There is no data in this period.").format(title=title)
    return _("{title}. Highest: {most}; lowest: {least}.").format(title=title, most=max(known)[1], least=min(known)[1])


def panel(
    i: int, key: str, values: pd.Series, said: Sequence[str], address: str, scale: figures.Scale
) -> dict[str, Any]:
    """Return the bars of one panel, on its own axes of equal range."""
    number = "" if i == 0 else str(i + 1)
    return {
        "type": "bar",
        "name": key,
        "x": list(range(len(values))),
        "y": [None if pd.isna(value) else scale.shown(value) for value in values],
        "xaxis": f"x{number}",
        "yaxis": f"y{number}",
        "customdata": [[text, address] for text in said],
        "hovertemplate": "%{customdata[0]}<extra></extra>",
        "marker": {"color": SERIES[0].light},
        "meta": {"key": key, "token": SERIES[0].token, "points": True},
    }


def arrangement(
    names: Sequence[str], ends: Sequence[tuple[int, str]], slots: int, top: float, step: float, height: int
) -> dict[str, Any]:
    """Return the layout: panels in rows of four; a script gives them two a row on a phone, by ``meta.panels``."""
    figure: dict[str, Any] = {
        **layout(height=height, right=8, left=40, above=0, below=0),
        "hovermode": "closest",
        "bargap": 0.25,
    }
    figure["meta"] = {**figure["meta"], "panels": {"height": PANEL_HEIGHT, "heading": HEADING, "foot": FOOT}}
    figure["annotations"] = []
    for i, label in enumerate(names):
        number = "" if i == 0 else str(i + 1)
        column, row = i % COLUMNS, i // COLUMNS
        left, right = (column + 0.03) / COLUMNS, (column + 0.93) / COLUMNS
        roof = 1 - (row * PANEL_HEIGHT + HEADING) / height
        floor = 1 - ((row + 1) * PANEL_HEIGHT - FOOT) / height
        figure[f"xaxis{number}"] = {
            "domain": [left, right],
            "anchor": f"y{number}",
            "range": [-0.5, max(slots, 1) - 0.5],
            "showticklabels": False,
            "fixedrange": True,
            "showgrid": False,
            "zeroline": False,
            "showline": True,
            "linecolor": CONTROL.light,
        }
        figure[f"yaxis{number}"] = {
            **value_axis(top, step),
            "domain": [max(floor, 0.0), roof],
            "anchor": f"x{number}",
            "showticklabels": column == 0,
        }
        figure["annotations"] += [
            {
                **at(number, 0, 1),
                "yanchor": "bottom",
                "yshift": 3,
                "text": svg.shortened(label, 17),
                "font": {"color": TEXT.light, "size": 13},
            },
            *(
                {**at(number, x, 0), "yanchor": "top", "yshift": -2, "text": text, "font": {"size": 13}}
                for x, (_slot, text) in enumerate(ends[: min(slots, 2)])
            ),
        ]
    if not names:
        figure["xaxis"], figure["yaxis"] = {"visible": False}, {"visible": False}
    return figure


def at(number: str, x: int, y: int) -> dict[str, Any]:
    """Place a text at a corner of a panel, wherever the panel stands: inwards from its edge."""
    return {
        "x": x,
        "y": y,
        "xref": f"x{number} domain",
        "yref": f"y{number} domain",
        "xanchor": "right" if x else "left",
        "showarrow": False,
        "name": "keep",
    }


def drawing(
    name: str,
    shown: pd.DataFrame,
    names: Sequence[str],
    ends: Sequence[tuple[int, str]],
    top: float,
    height: int,
    scale: figures.Scale,
    locale: str,
) -> str:
    """Draw the same picture on the server."""
    wide = (svg.WIDTH - 40) / COLUMNS
    parts = []
    for i, label in enumerate(names):
        column, row = i % COLUMNS, i // COLUMNS
        left = 40 + column * wide
        plane = Plane(
            name,
            (-0.5, max(len(shown), 1) - 0.5),
            (0, top),
            height,
            left=round(left),
            right=round(svg.WIDTH - left - wide + 14),
            above=row * PANEL_HEIGHT + HEADING,
            below=height - (row + 1) * PANEL_HEIGHT + FOOT,
        )
        plane.grid_up([(0.0, "0"), (top, axis_number(top, locale))], label=column == 0)
        plane.text(svg.shortened(label, 22), left, row * PANEL_HEIGHT + HEADING - 8, kind="strong")
        for j, value in enumerate(shown.iloc[:, i]):
            if pd.notna(value):
                plane.bar((j - 0.38, j + 0.38), (0, scale.shown(value)), class_=f"c-{SERIES[0].token}")
        for anchor, (position, text) in zip(("start", "end"), ends if len(shown) > 1 else ends[:1], strict=False):
            edge = position + (-0.5 if anchor == "start" else 0.5)
            plane.text(text, plane.px(edge), height - plane.below + 16, anchor=anchor)
        parts += plane.parts
    return svg.picture("".join(parts), svg.WIDTH, height)
