"""Intensity: what does one request, token, task or user cost, and why?"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pandas as pd
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.accounting.figures import FILTERS, INCLUDES
from core.accounting.models import View
from core.accounting.selectors.values import records_in
from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, may
from core.quantification.intensity import Bounded
from reporting import figures
from reporting.charts import Chart, Gap, trend
from reporting.charts.palette import EMBODIED, SERIES
from reporting.intensities import words
from reporting.intensities.answer import LOCATION, SciRow
from reporting.intensities.units import CONSUMER, REQUEST, SCORES, FunctionalUnit, UnknownUnit
from reporting.pages.asked import Choice, Menu, activity, asked, filter_bar, period_name, said, today, view_of
from reporting.pages.files import file_asked, period_file
from reporting.pages.nothing import Nothing, nothing_matches
from reporting.pages.tables import most_listed, rest_of
from reporting.query import Query
from reporting.selectors.denominators import unit_named, units
from reporting.selectors.intensity import Intensity, Shown
from reporting.selectors.intensity import intensity as read_intensity

ENTITIES: Final = ("team", "application", "model")
STANDARD: Final = ("basis", "booking", "include", "role")
"""What the standard fixes for every score."""


@require_safe
@requires(Action.SEE_OWN_TEAM)
@one_snapshot
def intensity(request: HttpRequest) -> HttpResponse:
    """Show the scores of one functional unit with their components, over time and by entity."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    query, errors = standardized(asked(request))
    try:
        unit = unit_named(organization_id, query.params.get("unit", (REQUEST.name,))[0])
    except UnknownUnit as error:
        errors.append(str(error))
        unit = REQUEST
    dim = query.filter.by[0] if query.filter.by and query.filter.by[0] in ENTITIES else ENTITIES[0]
    shown = read_intensity(
        organization_id, query.filter, query.comparison, unit, dim, view=view_of(request), today=today()
    )
    most = most_listed(request)
    sections = [section(one, unit, dim, shown, query, most) for one in shown.scores]
    if file_asked(request):
        return as_file(request, request.GET.get("tab", ""), sections, shown, unit, dim, query)
    bar = filter_bar(query, ignores=STANDARD)
    bar["menus"].insert(0, unit_menu(units(organization_id), unit, query))
    return render(
        request,
        "reporting/intensity.html",
        {
            "title": _("Intensity"),
            "charts": any(one["chart"] for one in sections),
            "query": query,
            "query_errors": errors,
            "period_label": period_name(query.filter, query.label),
            "filter_bar": bar,
            "unit": unit,
            "sections": sections,
            "dims": [(said_dim(name), query.link(by=name), name == dim) for name in ENTITIES],
            "boundary": words.boundary(unit),
            "nothing": nothing_of(organization_id, query, shown, view=view_of(request)),
            "empty": activity(request).first_day is None,
            "may_edit": may(request.identity, Action.EDIT_DENOMINATORS),  # type: ignore[attr-defined]
            "as_of": shown.as_of,
        },
    )


def nothing_of(organization_id: int, query: Query, shown: Shown, *, view: View | None) -> Nothing | None:
    """Say which filter leaves nothing to divide, where one does."""
    if not query.params.keys() & set(FILTERS) or any(one.whole.sums for one in shown.scores):
        return None
    found = nothing_matches(organization_id, query, view=view)
    return (
        found
        if any(one.records for one in found.filters) and not records_in(organization_id, query.filter, view=view)
        else None
    )


def standardized(query: Query) -> tuple[Query, list[str]]:
    """Put aside what no SCI rests on, which another page's address may bring along, and say so."""
    filtered = query.filter
    standard = replace(filtered, basis="location", booking="life-cycle", include=INCLUDES, role=("counted",))
    errors = list(query.errors)
    if replace(filtered, include=INCLUDES) != standard:
        errors.append(_("An SCI is location-based, of what is counted, with the amortised embodied share: shown so."))
    comparison = query.comparison and replace(
        query.comparison, basis="location", booking="life-cycle", include=INCLUDES, role=("counted",)
    )
    params = {
        name: values for name, values in query.params.items() if name not in {"basis", "booking", "include", "role"}
    }
    return replace(query, filter=standard, comparison=comparison, params=params), errors


def unit_menu(offered: list[FunctionalUnit], unit: FunctionalUnit, query: Query) -> Menu:
    """Offer the units that there is something to divide by."""
    known = offered if unit in offered else [*offered, unit]
    choices = [Choice(_(one.text), query.link(unit=one.name), one == unit) for one in known]
    return Menu("unit", _("Per"), _(unit.text), on=True, choices=choices)


def said_dim(dim: str) -> str:
    return {"team": _("Team"), "application": _("Application"), "model": _("Model")}[dim]


def score_name(score: str) -> str:
    return _("Consumer score") if score == CONSUMER else _("Provider score")


def section(
    one: Intensity, unit: FunctionalUnit, dim: str, shown: Shown, query: Query, most: int | None
) -> dict[str, Any]:
    """Build what is shown of one score."""
    chart = months_chart(one, unit, shown, query) if any(row.kg_per_unit for row in one.months) else None
    return {
        "score": one.score,
        "heading": score_name(one.score),
        "holds": words.holds(one.score),
        "reason": one.whole.reason,
        "kpis": kpis(one, unit, query) if one.whole.sums else [],
        "formula": formula(one.whole, unit),
        "notes": notes(one.whole),
        "chart": chart,
        "chart_csv": query.link(format="csv", tab=f"months-{one.score}"),
        "table": entity_table(one, unit, dim, query, most) if one.entities else None,
        "enter": unit.given_by == "figures",
    }


def kpis(one: Intensity, unit: FunctionalUnit, query: Query) -> list[dict[str, Any]]:
    """Lead with the score; its components follow."""
    sums = one.whole.sums
    if sums is None:
        return []
    score = one.whole.kg_per_unit
    details: list[dict[str, Any]] = []
    if score is not None:
        if query.comparison is not None:
            details.append(
                {"change": change(one), "text": _("vs {period}").format(period=period_name(query.comparison))}
            )
        scale = figures.scale_for("intensity", [score.value])
        span = figures.interval(score.low, score.high, scale)
        details.append({"text": _("range {range} {unit}").format(range=span, unit=scale.unit)})
    known = one.whole.embodied_known_share
    return [
        {
            "lead": True,
            "label": _("Per {unit}, location-based").format(unit=_(unit.text)),
            "value": figures.quantity(None if score is None else score.value, "intensity"),
            "unit": "CO2e" if score is not None else "",
            "details": details,
        },
        {
            "label": _("Operation, O = E × I"),
            "value": figures.quantity(sums.operational_kg.value, "mass"),
            "details": [{"text": figures.quantity(sums.energy_kwh.value, "energy")}, {"text": grid(one.whole)}],
        },
        {
            "label": _("Embodied, M"),
            "value": figures.quantity(None if sums.embodied_kg is None else sums.embodied_kg.value, "mass"),
            "details": [{"text": _("known for {share} of the energy").format(share=figures.percent(known))}],
        },
        {
            "label": _("Divided by, R"),
            "value": figures.count(sums.functional_units * unit.per),
            "details": [{"text": _(unit.counted)}],
        },
    ]


def change(one: Intensity) -> figures.Change:
    """Say how the score changed; less is good."""
    now, then = (
        None if row is None or row.kg_per_unit is None else row.kg_per_unit.value for row in (one.whole, one.before)
    )
    return figures.change(now, then, smallest_base=0, translate=_)


def grid(row: SciRow) -> str:
    """Write I."""
    value = None if row.sums is None else row.sums.intensity_g_co2e_per_kwh
    return f"{figures.number(value, figures.plain_scale([value]))}{figures.THIN}g/kWh"


def formula(row: SciRow, unit: FunctionalUnit) -> str:
    """Write the division with its numbers filled in; "" where nothing is divided."""
    sums = row.sums
    if sums is None or sums.kg_per_unit is None:
        return ""
    embodied = _("M unknown") if sums.embodied_kg is None else figures.quantity(sums.embodied_kg.value, "mass")
    units_counted = figures.count(sums.functional_units * unit.per, compact=False)
    divided = f"{units_counted} {_(unit.counted)}" + (
        f" / {figures.count(unit.per, compact=False)}" if unit.per > 1 else ""
    )
    amount = figures.quantity(sums.kg_per_unit.value, "intensity")
    energy = figures.quantity(sums.energy_kwh.value, "energy")
    return f"({energy} × {grid(row)} + {embodied}) ÷ {divided} = {amount} CO2e"


def notes(row: SciRow) -> list[str]:
    """Say what of these stages is not in the score."""
    found = []
    if row.sums is not None and row.left_out_records:
        share = figures.percent(row.left_out_share)
        records = figures.count(row.left_out_records, compact=False)
        text = _("Left out of both sums: {records} records, {share} of the known emissions of these stages.")
        found.append(f"{text.format(records=records, share=share)} {row.left_out_reason}")
    if row.embodied_known_share is not None and row.embodied_known_share < 0.9995:
        share = figures.percent(1 - row.embodied_known_share)
        text = _("For {share} of the energy the embodied share is not known: there the score holds operation only.")
        found.append(text.format(share=share))
    return found


def months_chart(one: Intensity, unit: FunctionalUnit, shown: Shown, query: Query) -> Chart:
    """Stack operation and embodied of each month's score; a month without one is a gap with its reason."""
    by_start = {pd.Timestamp(row.start): row for row in one.months if row.start is not None}
    rows = []
    for start, row in by_start.items():
        if row.sums is None or row.kg_per_unit is None:
            continue
        for series, part in (("operational", row.sums.operational_kg), ("embodied", row.sums.embodied_kg)):
            if part is not None:
                rows.append(point(start, series, part, row.sums.functional_units))
    unknown = [
        Gap(slot.to_pydatetime(), by_start[slot].reason)
        for slot in shown.slots
        if slot in by_start and by_start[slot].kg_per_unit is None
    ]
    this_month = pd.Timestamp(today().replace(day=1), tz="UTC")
    return trend(
        pd.DataFrame(rows),
        slots=shown.slots,
        grain="month",
        labels={"operational": _("Operation"), "embodied": _("Embodied")},
        name=f"months-{one.score}",
        kind="intensity",
        colours={"operational": SERIES[0], "embodied": EMBODIED},
        provisional_from=this_month.to_pydatetime(),
        gaps=unknown,
        title=headline(one, unit, query),
        per=_("per {unit}").format(unit=_(unit.text)),
        detail=_("by month, location-based"),
        locale=translation.get_language() or "en",
        translate=_,
    )


def point(start: pd.Timestamp, series: str, part: Bounded, functional_units: float) -> dict[str, Any]:
    """Divide one component of a month."""
    sides = {name: getattr(part, name) / functional_units for name in ("value", "low", "high")}
    return {"starts_at": start, "series": series, **sides}


def headline(one: Intensity, unit: FunctionalUnit, query: Query) -> str:
    """Say how the score of the period stands against the compared one, where both are known; else what is shown."""
    found = change(one)
    if query.comparison is not None and found.direction in ("up", "down"):
        return _("{change} per {unit} than in {period}").format(
            change=capital(found.words), unit=_(unit.text), period=period_name(query.comparison)
        )
    return _("Emissions per {unit}, month by month").format(unit=_(unit.text))


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def entity_table(one: Intensity, unit: FunctionalUnit, dim: str, query: Query, most: int | None) -> dict[str, Any]:
    """List so many of the entities with score and components, each column in one unit; without a score with the reason."""
    scored = [row for row in one.entities if row.sums is not None and row.kg_per_unit is not None]
    score = figures.scale_for("intensity", [row.kg_per_unit.value for row in scored if row.kg_per_unit])
    sums = [row.sums for row in scored if row.sums]
    energy = figures.scale_for("energy", [each.energy_kwh.value for each in sums])
    mass = figures.scale_for("mass", [each.operational_kg.value for each in sums])
    embodied_mass = figures.scale_for("mass", [each.embodied_kg.value for each in sums if each.embodied_kg])
    intensity_scale = figures.plain_scale([each.intensity_g_co2e_per_kwh for each in sums])
    largest = max((row.kg_per_unit.value for row in scored if row.kg_per_unit), default=0.0)
    rows = []
    for row in one.entities[:most]:
        name = str(row.dims[dim] or "")
        cells: list[str] = []
        if row.sums is not None and row.kg_per_unit is not None:
            embodied = row.sums.embodied_kg
            cells = [
                figures.number(row.kg_per_unit.value, score),
                figures.interval(row.kg_per_unit.low, row.kg_per_unit.high, score),
                figures.number(row.sums.energy_kwh.value, energy),
                figures.number(row.sums.intensity_g_co2e_per_kwh, intensity_scale),
                figures.number(row.sums.operational_kg.value, mass),
                figures.number(None if embodied is None else embodied.value, embodied_mass),
                figures.count(row.sums.functional_units * unit.per),
                figures.percent(row.left_out_share) if row.left_out_records else "0",
            ]
        rows.append(
            {
                "label": said(dim, name) if name else _("unknown"),
                "address": reverse("intensity") + query.link(**{dim: name}) if name else "",
                "bar": row.kg_per_unit.value / largest if row.kg_per_unit and largest else 0.0,
                "cells": cells,
                "explain": explain_link(row, dim, name, query),
                "reason": row.reason,
            }
        )
    return {
        "id": f"by-{dim}-{one.score}",
        "heading": _("{score} by {dim}").format(score=score_name(one.score), dim=said_dim(dim).lower()),
        "first": said_dim(dim),
        "columns": [
            (f"{score.unit} CO2e", False),
            (_("Range"), True),
            (f"E, {energy.unit}", True),
            ("I, g/kWh", True),
            (f"O, {mass.unit}", True),
            (f"M, {embodied_mass.unit}", True),
            (f"R, {_(unit.counted)}", False),
            (_("Left out"), True),
        ],
        "rows": rows,
        "csv": query.link(format="csv", tab=dim, by=dim),
        "rest": rest_of(len(rows), len(one.entities) - len(rows), query),
    }


def explain_link(row: SciRow, dim: str, name: str, query: Query) -> str:
    """Lead to the tree of O: the location-based emissions of the stages, of records that are left out of the score too."""
    if not name or row.sums is None:
        return ""
    stages = query.params.get("stage", SCORES[row.score])
    about = {dim: name, "stage": tuple(stages), "unit": None, "by": None, "impact": LOCATION}
    return "/explain/" + query.link(**about)


def as_file(
    request: HttpRequest,
    tab: str,
    sections: list[dict[str, Any]],
    shown: Shown,
    unit: FunctionalUnit,
    dim: str,
    query: Query,
) -> HttpResponse:
    """Answer a chart's numbers, or the table, at full precision."""
    for one in sections:
        if tab == f"months-{one['score']}" and one["chart"]:
            return period_file(request, one["chart"].table, f"sci-{unit.name}-{tab}", query)
    table = shown.by_entity.table()
    table.insert(0, "unit", unit.text)
    return period_file(request, table, f"sci-{unit.name}-by-{dim}", query)
