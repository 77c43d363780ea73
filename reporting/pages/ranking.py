"""Teams and models: who and what makes the emissions, one step below the overview."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.organizations.access import requires
from core.organizations.policy import Action, may
from reporting.pages.asked import activity, asked, filter_bar, period_name, said, today, view_of
from reporting.pages.files import csv_file
from reporting.pages.nothing import nothing_matches
from reporting.pages.tables import entity_frame, entity_table
from reporting.selectors.overview import as_of_figures, ranked
from reporting.selectors.periods import covered_share


@require_safe
@requires(Action.SEE_OWN_TEAM)
def teams(request: HttpRequest) -> HttpResponse:
    """Who emits: every team, unattributed among them."""
    return ranking(request, "team", _("Teams"))


@require_safe
@requires(Action.SEE_OWN_TEAM)
def models(request: HttpRequest) -> HttpResponse:
    """Which model makes it; a team's models when the address names one."""
    return ranking(request, "model", _("Models"))


def ranking(request: HttpRequest, dim: str, title: str) -> HttpResponse:
    query = asked(request)
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    rows = ranked(organization_id, query.filter, query.comparison, dim, view=view_of(request))
    span = activity(request)
    coverage = (
        (covered_share(query.filter, span, today()), covered_share(query.comparison, span, today()))
        if query.comparison
        else None
    )
    if request.GET.get("format") == "csv":
        return csv_file(entity_frame(rows, dim), f"emissions-by-{dim}", query)
    crumbs = [(_("Total"), f"/{query.link(team=None, model=None)}")]
    for name in ("team", "model"):
        crumbs += [(said(name, value), f"/models/{query.link()}") for value in query.params.get(name, ())]
    return render(
        request,
        "reporting/ranking.html",
        {
            "title": title,
            "query": query,
            "query_errors": query.errors,
            "period_label": period_name(query.filter, query.label),
            "filter_bar": filter_bar(query),
            "table": entity_table(
                rows, dim, query, heading=_("All of the period"), all_rows=rows, full=True, coverage=coverage
            ),
            "crumbs": crumbs if len(crumbs) > 1 else [],
            "rows": rows,
            "nothing": None if rows else nothing_matches(organization_id, query, view=view_of(request)),
            "attributable": dim == "team" and may(request.identity, Action.SEE_SOURCES),  # type: ignore[attr-defined]
            "as_of": as_of_figures(organization_id),
        },
    )
