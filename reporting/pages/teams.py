"""Teams: who emits, how it changed, and each team by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.accounting.figures import UNATTRIBUTED
from core.accounting.selectors.values import values_in
from core.accounting.small_groups import SMALL_GROUPS
from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, may
from reporting import figures
from reporting.pages.asked import asked, filter_bar, period_name, said, view_of
from reporting.pages.files import file_asked, period_file
from reporting.pages.leading import kpis, other_booking, shown_of
from reporting.pages.leading_charts import main_chart
from reporting.pages.nothing import nothing_matches
from reporting.pages.tables import change_cell, coverage_of, entity_frame, entity_table, most_listed, rest_of
from reporting.query import Query
from reporting.selectors.projects import projects_of
from reporting.selectors.teams import TeamRow, Teams, slugs_of, team_at, teams_of

MOST_ROWS = 8


@one_snapshot
@require_safe
@requires(Action.SEE_OWN_TEAM)
def teams(request: HttpRequest) -> HttpResponse:
    """Show who emits: every team, unattributed always among them."""
    query = asked(request)
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    found = teams_of(organization_id, query.filter, query.comparison, view=view_of(request), most=most_listed(request))
    if file_asked(request):
        return period_file(request, team_frame(found), "emissions-by-team", query)
    context: dict[str, Any] = {
        "title": _("Teams"),
        "query": query,
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "filter_bar": filter_bar(query),
        "table": team_table(found, query, coverage_of(request, query)),
        "rows": found.rows,
        "nothing": nothing_matches(organization_id, query, view=view_of(request))
        if found.total.row.kg.value is None
        else None,
        "attributable": may(request.identity, Action.SEE_SOURCES),  # type: ignore[attr-defined]
        "as_of": found.as_of,
    }
    return render(request, "reporting/teams.html", context)


def team_table(found: Teams, query: Query, coverage: tuple[float, float] | None) -> dict[str, Any]:
    """Build the context of components/ranked_table.html."""
    rows = [*found.rows, found.total]
    scale = figures.scale_for("mass", [each.row.kg.value for each in found.rows])
    intensity = figures.scale_for("intensity", [each.per_1000_requests_kg for each in rows])
    largest = max((each.row.kg.value or 0.0 for each in found.rows), default=0.0)
    top = max((kg for each in found.rows for kg in each.series if kg is not None), default=0.0)
    others, others_kg = found.not_listed
    slugs = slugs_of(each.row.key for each in found.rows)
    columns: list[dict[str, Any]] = [
        {"label": f"{scale.unit} CO2e", "number": True},
        {"label": _("Range"), "number": True, "wide": True},
        {"label": _("Share"), "number": True, "wide": True},
    ]
    if query.comparison is not None:
        columns.append({"label": _("Change"), "number": True})
    columns += [
        {"label": _("{unit} / 1,000 requests").format(unit=intensity.unit), "number": True, "wide": True},
        {"label": _("Measured"), "number": True, "wide": True},
        {"label": slots_name(found), "wide": True},
    ]

    def cells(each: TeamRow, *, total: bool = False) -> list[dict[str, Any]]:
        kg = figures.number(each.row.kg.value, scale)
        why = "" if total or each.row.kg.value is None else f"/explain/{query.link(team=each.row.key)}"
        shown: list[dict[str, Any]] = [
            {"number": True, "text": kg, "address": why},
            {
                "number": True,
                "wide": True,
                "text": "" if total else figures.interval(each.row.kg.low, each.row.kg.high, scale),
            },
            {"number": True, "wide": True, "text": figures.percent(each.row.share)},
        ]
        if query.comparison is not None:
            named = query.link() if total else query.link(team=each.row.key)
            shown.append(change_cell(each.row.kg.value, each.row.previous_kg, coverage, f"/changes/{named}"))
        shown += [
            {"number": True, "wide": True, "text": figures.number(each.per_1000_requests_kg, intensity)},
            {"number": True, "wide": True, "text": figures.percent(each.measured_share)},
            {"wide": True, "text": ""} if total else {"wide": True, "spark": each.series, "top": top or None},
        ]
        return shown

    return {
        "id": "by-team",
        "heading": _("All of the period"),
        "first": _("Team"),
        "columns": columns,
        "rows": [
            {
                "label": said("team", each.row.label),
                "address": page_of(slugs[each.row.key], query),
                "bar": (each.row.kg.value or 0.0) / largest if largest else 0.0,
                "cells": cells(each),
            }
            for each in found.rows
        ],
        "total": cells(found.total, total=True),
        "csv": query.link(format="csv"),
        "all": None,
        "rest": rest_of(len(found.rows), others, query, f"{figures.number(others_kg, scale)} {scale.unit} CO2e"),
    }


def slots_name(found: Teams) -> str:
    """Name what the small pictures show."""
    first, last = found.slots[0], found.slots[-1]
    if found.grain == "month":
        return _("Months, {first} – {last}").format(
            first=date_format(first, "YEAR_MONTH_FORMAT"), last=date_format(last, "YEAR_MONTH_FORMAT")
        )
    words = [f"Q{(day.month + 2) // 3} {day.year}" for day in (first, last)]
    return _("Quarters, {first} – {last}").format(first=words[0], last=words[1])


def page_of(slug: str, query: Query) -> str:
    """Address of a team's page, with the period and the filters that are in force."""
    return reverse("team", args=[slug]) + query.link(team=None)


def team_frame(found: Teams) -> pd.DataFrame:
    """Give the same table at full precision, units in the header."""
    frame = entity_frame([each.row for each in found.rows], "team").drop(columns="kg_co2e_per_1000_output_tokens")
    frame["kg_co2e_per_1000_requests"] = [each.per_1000_requests_kg for each in found.rows]
    frame["measured_share"] = [each.measured_share for each in found.rows]
    for at, slot in enumerate(found.slots):
        frame[f"{slot:%Y-%m}_kg_co2e"] = [each.series[at] for each in found.rows]
    return frame


# --- one team ---------------------------------------------------------------------------------------------------------


@one_snapshot
@require_safe
@requires(Action.SEE_OWN_TEAM)
def team(request: HttpRequest, team: str) -> HttpResponse:
    """Show one team as the overview shows all: its figures, projects, models and runs."""
    query = asked(request)
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    names = values_in(organization_id, replace(query.filter, dims={}), "team", query.allowed, view=view_of(request))
    place = team_at(organization_id, team, [each.value for each in names])
    allowed = query.allowed.get("team")
    if place is None or (allowed is not None and place.name not in allowed):
        raise Http404
    query = query.inside(team=place.name)
    shown = shown_of(request, query)
    chart = main_chart(shown, query)
    projects = projects_of(organization_id, query.filter, query.comparison, view=view_of(request))
    table = file_asked(request) and request.GET.get("tab")
    if table == "trend":
        return period_file(request, chart.table, "emissions-by-stage", query)
    if table in {"project", "model"}:
        rows = projects if table == "project" else shown.models
        return period_file(request, entity_frame(rows, table), f"emissions-by-{table}", query)
    coverage = coverage_of(request, query)
    tables = [
        entity_table(rows[:MOST_ROWS], dim, query, heading=heading, all_rows=rows, coverage=coverage)
        for dim, heading, rows in (("project", _("Projects"), projects), ("model", _("Models"), shown.models))
    ]
    context: dict[str, Any] = {
        "title": said("team", place.name),
        "charts": True,
        "query": query,
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "filter_bar": filter_bar(query, ignores=("team",)),
        "crumbs": [
            (_("Total"), f"/{query.link(team=None)}"),
            (_("Teams"), f"/teams/{query.link(team=None)}"),
            (said("team", place.name), ""),
        ],
        "shown": shown,
        "chart": chart,
        "csv": query.link(format="csv", tab="trend"),
        "kpis": kpis(shown, query, other_booking(organization_id, query, view=view_of(request))),
        "tables": tables,
        "head_count": place.head_count,
        "folded": place.name == SMALL_GROUPS,
        "unattributed": place.name == UNATTRIBUTED,
        "facts": facts_of(query),
        "attributable": may(request.identity, Action.SEE_SOURCES),  # type: ignore[attr-defined]
        "as_of": shown.as_of,
    }
    return render(request, "reporting/team.html", context)


def facts_of(query: Query) -> list[tuple[str, str]]:
    """Give the ways on from one team or model: what changed, its runs and requests, where there are such pages."""
    found = []
    if query.comparison is not None:
        found.append((_("What changed and why"), f"/changes/{query.link()}"))
    for name, label in (("runs", _("Training runs")), ("requests", _("Requests"))):
        try:
            found.append((label, reverse(name) + query.link()))
        except NoReverseMatch:
            continue
    return found
