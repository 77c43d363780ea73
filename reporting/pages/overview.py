"""Overview: how much does our AI emit, are we within the limit, what needs me?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, may
from reporting.pages.asked import activity, asked, filter_bar, period_name, today, view_of
from reporting.pages.files import file_asked, period_file
from reporting.pages.leading import kpis, other_booking, shown_of
from reporting.pages.leading_charts import main_chart
from reporting.pages.next_steps import steps_of
from reporting.pages.nothing import nothing_matches
from reporting.pages.notices import events_of, notices
from reporting.pages.snippets import snippets
from reporting.pages.tables import entity_frame, entity_table
from reporting.selectors.attention import attention
from reporting.selectors.first_steps import first_steps
from reporting.selectors.happenings import happenings
from reporting.selectors.overview import PLACE, ranked

MOST_ROWS: Final = 5
TREND_FILES: Final = {
    "emissions": "emissions-by-stage",
    "target": "emissions-and-target",
    "intensity": "emissions-per-1000-requests",
    "measured": "emissions-by-evidence",
}
"""What the file of the leading chart is called, by what the chart is of."""


@require_safe
@requires(Action.SEE_OWN_TEAM)
@one_snapshot
def overview_page(request: HttpRequest) -> HttpResponse:
    """Show the state of the period on one screen, or the first steps where there is no record at all."""
    query = asked(request)
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    shown = shown_of(request, query)
    empty = activity(request).first_day is None
    memberships = getattr(request, "memberships", [])  # a token has none
    happened = happenings(organization_id)
    chart = main_chart(shown, query, events_of(query, happened))
    table = file_asked(request) and request.GET.get("tab")
    if table == "trend":
        return period_file(request, chart.table, TREND_FILES[shown.metric], query)
    if table in {"team", "model", PLACE}:
        rows = ranked(organization_id, query.filter, query.comparison, table, view=view_of(request))
        return period_file(request, entity_frame(rows, table), f"emissions-by-{table}", query)
    if table == "stage":
        return period_file(request, entity_frame(shown.stages, table), "emissions-by-stage-of-period", query)
    return render(
        request,
        "reporting/overview.html",
        {
            "title": _("Overview"),
            "charts": True,
            "query": query,
            "query_errors": query.errors,
            "period_label": period_name(query.filter, query.label),
            "filter_bar": filter_bar(query),
            "shown": shown,
            "nothing": None if shown.records else nothing_matches(organization_id, query, view=view_of(request)),
            "empty": empty,
            "chart": chart,
            "csv": query.link(format="csv", tab="trend"),
            "kpis": kpis(shown, query, other_booking(organization_id, query, view=view_of(request))),
            "tables": [
                entity_table(rows[:most], dim, query, heading=heading, all_rows=rows, coverage=shown.coverage)
                for dim, heading, rows, most in (
                    ("team", _("By team"), shown.teams, MOST_ROWS),
                    ("model", _("By model"), shown.models, MOST_ROWS),
                    (PLACE, _("By provider and region"), shown.places, MOST_ROWS),
                    ("stage", _("By stage"), shown.stages, len(shown.stages)),
                )
            ],
            "attention": attention(organization_id, shown, now=datetime.now(UTC)),
            "notices": notices(request, query, shown, happened, today()),
            "as_of": shown.as_of,
            "provisional": query.filter.to_day >= today(),
            "first": first_steps(organization_id, memberships) if empty else None,
            "next_steps": [] if empty else steps_of(request),
            "snippets": snippets(settings.BASE_URL),
            "may_issue": may(request.identity, Action.ISSUE_INGEST_TOKEN),  # type: ignore[attr-defined]
            "may_add_sources": may(request.identity, Action.MANAGE_SOURCES),  # type: ignore[attr-defined]
        },
    )
