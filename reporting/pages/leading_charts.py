"""The main chart of a page of figures: emissions by stage, or what another of the leading figures is made of over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
from django.utils import translation
from django.utils.translation import gettext as _

from reporting import figures
from reporting.charts import Chart, trend
from reporting.charts.overlays import Event, Overlays
from reporting.charts.palette import EVIDENCE, SERIES, STAGES, Colour
from reporting.pages.asked import basis_name, stage_name
from reporting.query import Query
from reporting.selectors.overview import Overview
from reporting.selectors.projection import Projection

COLOURED: Final = (
    "inference",
    "training",
    "experimentation",
    "fine_tuning",
    "evaluation",
    "data_preparation",
    "unattributed",
    "upstream",
    "embodied",
)


def main_chart(shown: Overview, query: Query, events: Sequence[Event] = ()) -> Chart:
    """Draw what the chosen leading figure is made of over time; the slot that has not ended is provisional."""
    draw = {"target": path_chart, "intensity": intensity_chart, "measured": evidence_chart}
    return draw.get(shown.metric, stage_chart)(shown, query, events)


def stage_chart(shown: Overview, query: Query, events: Sequence[Event]) -> Chart:
    """Stack the stages against the limit, with where the period will end if it goes on like this."""
    projected = shown.projection
    chart = drawn(
        shown,
        query,
        shown.trend,
        labels={stage: stage_name(stage) for stage in COLOURED},
        colours=STAGES,
        target=shown.limits.slots,
        previous=shown.previous_kg,
        title=projected_title(shown),
        detail=_("{basis}, by life-cycle stage").format(basis=basis_name(query.filter.basis)),
        overlays=Overlays(events, projection=None if projected is None else projected.slots),
    )
    return with_method(chart, projected)


def path_chart(shown: Overview, query: Query, events: Sequence[Event]) -> Chart:
    """Add up the emissions since the period began against what the limit allows until then."""
    totals = shown.trend.groupby("starts_at")["value"].sum().reindex(shown.slots)
    summed = totals.cumsum()  # a slot without records adds nothing, and shows no bar
    rows = pd.DataFrame({"starts_at": shown.slots, "series": "so_far", "value": summed.to_numpy()})
    projected = shown.projection
    ahead = None
    if projected is not None:
        ended = float(totals[~totals.index.isin(projected.slots.index)].sum())
        ahead = projected.slots.cumsum() + ended
    chart = drawn(
        shown,
        query,
        rows[rows["value"].notna()],
        labels={"so_far": _("Emissions since the period began")},
        colours={"so_far": SERIES[0]},
        target=shown.limits.path,
        title=path_title(shown),
        detail=_("added up since the period began, {basis}").format(basis=basis_name(query.filter.basis)),
        overlays=Overlays(events, projection=ahead),
    )
    return with_method(chart, projected)


def intensity_chart(shown: Overview, query: Query, events: Sequence[Event]) -> Chart:
    """Divide the inference of each slot by its successful requests."""
    rows = shown.trend[["starts_at", "series", "value"]]
    known = rows["value"].dropna()
    title = _("Per 1,000 requests")
    if len(known) > 1:
        scale = figures.scale_for("mass", known)
        title = _("{range} {unit} CO2e for 1,000 requests").format(
            range=figures.interval(known.min(), known.max(), scale), unit=scale.unit
        )
    return drawn(
        shown,
        query,
        rows,
        labels={"intensity": _("Inference")},
        colours={"intensity": SERIES[0]},
        kind="intensity",
        per=_("per 1,000 requests"),
        title=title,
        detail=_("inference, {basis}").format(basis=basis_name(query.filter.basis)),
        overlays=Overlays(events),
    )


def evidence_chart(shown: Overview, query: Query, events: Sequence[Event]) -> Chart:
    """Stack what is measured, modelled and stated."""
    names = {"measured": _("Measured"), "modelled": _("Modelled"), "stated": _("Stated"), "assumed": _("Assumed")}
    return drawn(
        shown,
        query,
        shown.trend,
        labels=names,
        colours=EVIDENCE,
        title=_("{share} of the emissions rest on measurements").format(
            share=figures.percent(shown.shares.get("measured", 0.0))
        ),
        detail=_("{basis}, by evidence").format(basis=basis_name(query.filter.basis)),
        overlays=Overlays(events),
    )


def drawn(
    shown: Overview,
    query: Query,
    frame: pd.DataFrame,
    *,
    labels: Mapping[str, str],
    colours: Mapping[str, Colour],
    **options: Any,
) -> Chart:
    """Draw a stacked trend with what all of these charts share."""
    now = datetime.now(UTC)
    open_slots = [slot for slot in shown.slots if slot.to_pydatetime() <= now]
    provisional = open_slots[-1].to_pydatetime() if open_slots and query.filter.to_day >= now.date() else None
    return trend(
        frame,
        slots=shown.slots,
        grain=shown.grain,  # type: ignore[arg-type]
        labels=labels,
        colours=colours,
        provisional_from=provisional,
        quality=", ".join(f"{figures.percent(share)} {_(name)}" for name, share in shown.shares.items()),
        locale=translation.get_language() or "en",
        translate=_,
        **options,
    )


def path_title(shown: Overview) -> str:
    """Say where the period stands against the path, at its end where that is projected."""
    limits = shown.limits
    ahead = projected_title(shown)
    if ahead:
        return ahead
    if shown.total.value is not None and limits.so_far:
        over = shown.total.value / limits.so_far - 1
        words = _("{share} above the target path") if over > 0 else _("{share} below the target path")
        return words.format(share=figures.percent(abs(over)))
    return _("Emissions since the period began")


def projected_title(shown: Overview) -> str:
    """Say where the period will end against its target; that it is open where the range reaches both sides; "" without either."""
    projected, limit_kg = shown.projection, shown.limits.to_the_end
    if projected is None or not limit_kg:
        return ""
    if projected.low <= limit_kg <= projected.high:
        scale = figures.scale_for("mass", [limit_kg])
        return _("May end above or below the target: {range} {unit} against {limit} {unit}").format(
            range=figures.interval(projected.low, projected.high, scale),
            limit=figures.number(limit_kg, scale),
            unit=scale.unit,
        )
    over = projected.value / limit_kg - 1
    words = (
        _("Emissions are heading for {share} above the target")
        if over > 0
        else _("Emissions are heading for {share} below the target")
    )
    return words.format(share=figures.percent(abs(over)))


def with_method(chart: Chart, projected: Projection | None) -> Chart:
    """Say under the chart how the projection was made, and what its range does not hold."""
    if projected is None:
        return chart
    said = _(
        "Projected: each day to come like the mean of the last {days} days; the range is that of the calmest and the busiest"
        " {stretch_days} days among them. How certain the factors are, and what is delivered late, is not in it."
    ).format(days=projected.days, stretch_days=projected.stretch_days)
    return replace(chart, notes=(*chart.notes, said))
