"""How many requests are how heavy: a histogram over bins that grow by a fixed ratio, with percentiles as marks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from reporting import figures
from reporting.charts.chart import (
    NOUNS_UNITS,
    Chart,
    Drawn,
    Legend,
    Translate,
    as_is,
    axis_number,
    layout,
    nice_top,
    shown_unit,
    ticks,
    value_axis,
    with_unit,
)
from reporting.charts.palette import CONTROL, GROUND, SERIES, TEXT
from reporting.charts.percentiles import Mark, carried, label_rows
from reporting.charts.plane import Plane

HEIGHT: Final = 320
MOST_TICKS: Final = 8
FEWEST_BINS: Final = 4
HEAVY_TAIL: Final = 10.0  # p99 as multiple of the median that is a finding
NARROW: Final = 2.0
ROW_OF_LABEL: Final = 17  # [px]


def distribution(
    bins: pd.DataFrame,
    *,
    percentiles: Mapping[str, float | None],
    name: str = "distribution",
    kind: figures.Kind = "mass",
    noun: str = "requests",
    per: str = "per request",
    zeros: int = 0,
    unknown: int = 0,
    detail: str = "",
    quality: str = "",
    links: Sequence[str] = (),
    locale: str = "en",
    translate: Translate = as_is,
) -> Chart:
    """
    Draw how many requests fall into each bin.

    Args:
        bins: ``low``, ``high`` (edges, `low <= value < high`) [kg CO2e, kWh or L] and ``count``, in order and without holes,
            as `reporting.distribution.histogram` makes them, or counted in the database over `log_edges`.
        percentiles: "p50", "p90", "p99" -> exact value, same unit; one that the number of requests does not
            carry (p99 of fewer than 100) is left out.
        noun: what is counted, as it stands inside a sentence.
        per: what each value is of, for the axis.
        zeros: requests with exactly nothing, a bin of their own, as they have no place on a ratio scale.
        unknown: requests without a figure, said in the notes and in no bin.
        links: address of the requests of each bin, in the order of ``bins``.

    Raises:
        ValueError: the bins overlap or leave holes.
    """
    _ = translate
    if not np.array_equal(bins["high"].to_numpy()[:-1], bins["low"].to_numpy()[1:]):
        raise ValueError("bins must follow each other without holes: each begins where the one before ends")
    counts = [int(count) for count in bins["count"]]
    total = sum(counts) + zeros
    marks = carried(percentiles, bins, total)
    middle = percentiles.get("p50") or (float(bins["low"].median()) if len(bins) else 0.0)
    scale = figures.scale_for(kind, [middle])
    unit = shown_unit(kind, scale, per)
    spans = [span(low, high, scale, locale) for low, high in zip(bins["low"], bins["high"], strict=True)]
    first = -1 if zeros else 0
    if zeros:
        counts, spans, links = [zeros, *counts], ["0", *spans], ["", *links] if links else ()
    top, step = nice_top(max([4, *counts]))  # ticks of whole requests
    title = finding(marks, total, noun, scale, shown_unit(kind, scale), locale, _)
    said = [
        f"{span} {unit}: {figures.count(count, compact=False, locale=locale)} {noun}"
        for span, count in zip(spans, counts, strict=True)
    ]
    places = [first + i + 0.5 for i in range(len(counts))]
    count_ticks = [(value, figures.count(round(value), locale=locale)) for value, _text in ticks(0, top, step, locale)]
    edge_ticks = edge_labels(bins, zeros, scale, locale)
    pad = max(0.0, (FEWEST_BINS - len(counts)) / 2)  # a single bar is not a wall
    across = (min(first, 0) - pad, max(len(bins), 1) + pad)
    rows = label_rows(marks, across)
    texts = {mark.name: f"{mark.name} {written(mark.value, scale, locale)}" for mark in marks}
    room_above = 8 + ROW_OF_LABEL * (max(rows, default=-1) + 1)
    stored = NOUNS_UNITS[kind][1]
    table = pd.DataFrame(
        {
            "mark": [*[""] * len(counts), *[mark.name for mark in marks]],
            f"from [{stored}]": [*([0.0] if zeros else []), *bins["low"], *[mark.value for mark in marks]],
            f"to [{stored}]": [*([0.0] if zeros else []), *bins["high"], *[mark.value for mark in marks]],
            "count": pd.array([*counts, *[None] * len(marks)], dtype="Int64"),
        }
    )
    notes = [
        _(
            "Each bin is wider than the one before by about the same ratio, so that light and heavy ones can be seen together."
        )
    ]
    if zeros:
        notes.append(
            _("{count} {noun} with exactly nothing stand at 0.").format(
                count=figures.count(zeros, locale=locale), noun=noun
            )
        )
    if unknown:
        notes.append(
            _("{count} {noun} have no figure and are in no bin.").format(
                count=figures.count(unknown, locale=locale), noun=noun
            )
        )
    return Chart(
        name=name,
        kind="distribution",
        title=title,
        subtitle=_("Number of {noun} by {unit}, bins on a logarithmic scale").format(noun=noun, unit=unit)
        + (f", {detail}" if detail else ""),
        summary=summary(title, spans, counts, unit, noun, locale, _),
        unit=unit,
        figure={
            "data": [
                bars(counts, places, said, links, _),
                *([halo(marks, top)] if marks else []),
                *[
                    mark_trace(mark, top * (1 + row * ROW_OF_LABEL / (HEIGHT - room_above - 48)), texts[mark.name])
                    for mark, row in zip(marks, rows, strict=True)
                ],
            ],
            "layout": {
                **layout(height=HEIGHT, right=12, left=56, above=room_above, below=48),
                "bargap": 0,
                "hovermode": "closest",
                "xaxis": {
                    "range": list(across),
                    "tickmode": "array",
                    "tickvals": [place for place, _text in edge_ticks],
                    "ticktext": [text for _place, text in edge_ticks],
                    "tickangle": 0,
                    "fixedrange": True,
                    "showgrid": False,
                    "zeroline": False,
                    "ticks": "outside",
                    "ticklen": 4,
                    "tickcolor": CONTROL.light,
                    "showline": True,
                    "linecolor": CONTROL.light,
                    "title": {"text": unit, "standoff": 6, "font": {"size": 13}},
                },
                "yaxis": value_axis(top, step)
                | {
                    "tickmode": "array",
                    "tickvals": [value for value, _text in count_ticks],
                    "ticktext": [text for _value, text in count_ticks],
                },
                "annotations": [
                    label_note(mark, texts[mark.name], row, across) for mark, row in zip(marks, rows, strict=True)
                ],
            },
        },
        table=table,
        headers=(unit, _("Number of {noun}").format(noun=noun)),
        rows=(
            *(
                (span, figures.count(count, compact=False, locale=locale))
                for span, count in zip(spans, counts, strict=True)
            ),
            *((texts[mark.name], "") for mark in marks),
        ),
        legend=(
            Legend("", _("Number of {noun}").format(noun=noun), SERIES[0].token),
            Legend("", _("Percentile"), TEXT.token, "line"),
        )
        if marks
        else (),
        svg=drawing(
            name,
            counts,
            first,
            across,
            top,
            count_ticks,
            edge_ticks,
            marks,
            rows,
            texts,
            unit,
            room_above,
        ),
        height=HEIGHT,
        quality=quality,
        notes=tuple(notes) if total or unknown else (),
        drawn=(Drawn(0, "y", "count", rows=tuple(range(len(counts)))),),
    )


def written(value: float, scale: figures.Scale, locale: str) -> str:
    """Write a value in the chart's unit with three digits of its own: the bins span decades."""
    own = figures.plain_scale([value], unit=scale.unit, factor=scale.factor)
    return with_unit(figures.number(value, own, locale=locale), scale.unit)


def span(low: float, high: float, scale: figures.Scale, locale: str) -> str:
    """Name a bin by its edges."""
    return f"{axis_number(scale.shown(low), locale)}{figures.DASH}{axis_number(scale.shown(high), locale)}"


def edge_labels(bins: pd.DataFrame, zeros: int, scale: figures.Scale, locale: str) -> list[tuple[float, str]]:
    """Label the edges, powers of ten first, as many as fit; the bin of zeros in its middle."""
    edges = [*bins["low"], bins["high"].iloc[-1]] if len(bins) else []
    keep: Sequence[int] = range(len(edges))
    if len(edges) > MOST_TICKS:
        tens = [i for i in keep if abs(math.log10(edges[i]) - round(math.log10(edges[i]))) < 1e-9]
        every = -(-len(edges) // MOST_TICKS)
        keep = tens[:: -(-len(tens) // MOST_TICKS)] if len(tens) >= 4 else keep[::every]
    found = [(float(i), axis_number(scale.shown(edges[i]), locale)) for i in keep]
    return [(-0.5, "0"), *found] if zeros else found


def finding(
    marks: Sequence[Mark], total: int, noun: str, scale: figures.Scale, unit: str, locale: str, translate: Translate
) -> str:
    """
    Say what the distribution shows; the first rule that holds speaks.

    1. A heavy tail: p99 is ten times the median or more.
    2. The median and p99, where they differ by a factor of two.
    3. Hardly any difference.
    4. A plain noun where there are too few for percentiles.
    """
    _ = translate
    known = {mark.name: mark.value for mark in marks}
    if "p50" not in known or "p99" not in known:
        return _("Distribution of {noun}").format(noun=noun)
    ratio = known["p99"] / known["p50"]
    p50, p99 = (written(known[key], scale, locale) for key in ("p50", "p99"))
    if ratio >= HEAVY_TAIL:
        times = figures.number(ratio, figures.plain_scale([ratio], digits=2), locale=locale)
        return _("The heaviest {share} of {noun} take at least {times} times the median").format(
            share=f"1{figures.THIN}%", noun=noun, times=times
        )
    most = f"99{figures.THIN}%"
    text = (
        _("Half of the {noun} stay below {p50}, {most} below {p99}")
        if ratio >= NARROW
        else _("Most {noun} differ little: half stay below {p50}, {most} below {p99}")
    )
    return text.format(noun=noun, p50=p50, p99=p99, most=most)


def summary(
    title: str, spans: Sequence[str], counts: Sequence[int], unit: str, noun: str, locale: str, translate: Translate
) -> str:
    """Say the finding and the fullest bin."""
    _ = translate
    if not sum(counts):
        return _("{title}. There is no data in this period.").format(title=title)
    fullest = max(range(len(counts)), key=counts.__getitem__)
    return _("{title}. The fullest bin is {span} {unit} with {count} of {total} {noun}.").format(
        title=title,
        span=spans[fullest],
        unit=unit,
        count=figures.count(counts[fullest], locale=locale),
        total=figures.count(sum(counts), locale=locale),
        noun=noun,
    )


def bars(
    counts: Sequence[int], places: Sequence[float], said: Sequence[str], links: Sequence[str], translate: Translate
) -> dict[str, Any]:
    """Return the trace of bars that touch; each point says itself in full."""
    return {
        "type": "bar",
        "name": translate("Count"),
        "x": list(places),
        "y": list(counts),
        "width": [1] * len(counts),
        "customdata": [[text, links[i] if i < len(links) else ""] for i, text in enumerate(said)],
        "hovertemplate": "%{customdata[0]}<extra></extra>",
        "marker": {"color": SERIES[0].light, "line": {"width": 1, "color": GROUND.light}},
        "meta": {"key": "count", "token": SERIES[0].token, "points": True},
    }


def halo(marks: Sequence[Mark], top: float) -> dict[str, Any]:
    """Return a light edge behind the lines, so that they stand out from dark bars."""
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [x for mark in marks for x in (mark.place, mark.place, None)],
        "y": [y for _mark in marks for y in (0, top, None)],
        "hoverinfo": "skip",
        "line": {"color": GROUND.light, "width": 5},
        "meta": {"key": "halo", "token": GROUND.token},
    }


def mark_trace(mark: Mark, top: float, text: str) -> dict[str, Any]:
    """Return the line of a percentile, up to its label."""
    return {
        "type": "scatter",
        "mode": "lines",
        "name": mark.name,
        "x": [mark.place, mark.place],
        "y": [0, top],
        "cliponaxis": False,
        "customdata": [[text, ""]] * 2,
        "hovertemplate": "%{customdata[0]}<extra></extra>",
        "line": {"color": TEXT.light, "width": 2, "dash": "5px,3px"},
        "meta": {"key": mark.name, "token": TEXT.token},
    }


def label_note(mark: Mark, text: str, row: int, across: tuple[float, float]) -> dict[str, Any]:
    """Write a percentile above its line, leftwards near the right end."""
    late = mark.place > across[1] - (across[1] - across[0]) / 6
    return {
        "x": mark.place,
        "y": 1,
        "xref": "x",
        "yref": "paper",
        "yanchor": "bottom",
        "yshift": row * ROW_OF_LABEL,
        "xanchor": "right" if late else "left",
        "xshift": 3 if late else -3,
        "text": text,
        "showarrow": False,
        "font": {"color": TEXT.light, "size": 13},
        "name": "keep",
    }


def drawing(
    name: str,
    counts: Sequence[int],
    first: int,
    across: tuple[float, float],
    top: float,
    count_ticks: Sequence[tuple[float, str]],
    edges: Sequence[tuple[float, str]],
    marks: Sequence[Mark],
    rows: Sequence[int],
    texts: Mapping[str, str],
    unit: str,
    above: int,
) -> str:
    """Draw the same picture on the server."""
    plane = Plane(name, across, (0, top), HEIGHT, left=56, right=12, above=above, below=48)
    plane.grid_up(count_ticks)
    for i, count in enumerate(counts):
        if count:
            plane.bar((first + i, first + i + 1), (0, count), gap=1, class_=f"c-{SERIES[0].token}")
    plane.grid_across(edges, lines=False)
    plane.titles(across=unit)
    for mark, row in zip(marks, rows, strict=True):
        plane.segment((mark.place, 0), (mark.place, top), "halo")
        reach = top * (1 + row * ROW_OF_LABEL / (HEIGHT - above - 48))
        plane.segment((mark.place, 0), (mark.place, reach), "target-line")
        late = mark.place > across[1] - (across[1] - across[0]) / 6
        plane.text(
            texts[mark.name],
            plane.px(mark.place),
            above - 6 - row * ROW_OF_LABEL,
            anchor="end" if late else "start",
            kind="strong",
        )
    return plane.svg()
