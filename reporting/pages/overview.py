"""Overview: how much does our AI emit, are we within the limit, what needs me?"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, may
from reporting import figures
from reporting.charts import Chart, trend
from reporting.pages.asked import activity, asked, basis_name, filter_bar, period_name, stage_name, today, view_of
from reporting.pages.files import csv_file
from reporting.pages.nothing import nothing_matches
from reporting.pages.snippets import snippets
from reporting.pages.tables import entity_frame, entity_table
from reporting.query import Query
from reporting.selectors.attention import attention
from reporting.selectors.overview import Overview, overview, ranked

MOST_ROWS: Final = 5
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


@require_safe
@requires(Action.SEE_OWN_TEAM)
@one_snapshot
def overview_page(request: HttpRequest) -> HttpResponse:
    """Show the state of the period on one screen, or the first steps where there is no record at all."""
    query = asked(request)
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    shown = overview(
        organization_id,
        query.filter,
        query.comparison,
        view=view_of(request),
        activity=activity(request),
        today=today(),
    )
    chart = trend_chart(shown, query)
    table = request.GET.get("format") == "csv" and request.GET.get("tab")
    if table == "trend":
        return csv_file(chart.table, "emissions-by-stage", query)
    if table in {"team", "model"}:
        rows = ranked(organization_id, query.filter, query.comparison, table, view=view_of(request))
        return csv_file(entity_frame(rows, table), f"emissions-by-{table}", query)
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
            "empty": activity(request).first_day is None,
            "chart": chart,
            "csv": query.link(format="csv", tab="trend"),
            "kpis": kpis(shown, query),
            "teams": entity_table(
                shown.teams[:MOST_ROWS],
                "team",
                query,
                heading=_("By team"),
                all_rows=shown.teams,
                coverage=shown.coverage,
            ),
            "models": entity_table(
                shown.models[:MOST_ROWS],
                "model",
                query,
                heading=_("By model"),
                all_rows=shown.models,
                coverage=shown.coverage,
            ),
            "other_booking": other_booking(query),
            "attention": attention(organization_id, shown, now=datetime.now(UTC)),
            "as_of": shown.as_of,
            "provisional": query.filter.to_day >= today(),
            "snippets": snippets(settings.BASE_URL),
            "may_issue": may(request.identity, Action.ISSUE_INGEST_TOKEN),  # type: ignore[attr-defined]
            "may_add_sources": may(request.identity, Action.MANAGE_SOURCES),  # type: ignore[attr-defined]
        },
    )


def other_booking(query: Query) -> dict[str, Any]:
    """Name the booking that the page does not show, with the way to it and to the bridge between them."""
    disclosed = query.filter.booking == "disclosed"
    return {
        "other": _("operations and life cycle") if disclosed else _("as disclosed"),
        "bridge": f"/bookings/{query.link(booking=None)}",
        "switch": query.link(booking=None if disclosed else "disclosed"),
    }


def trend_chart(shown: Overview, query: Query) -> Chart:
    """Draw the trend by stage against the limit; the slot that has not ended is provisional."""
    now = datetime.now(UTC)
    open_slots = [slot for slot in shown.slots if slot.to_pydatetime() <= now]
    provisional = open_slots[-1].to_pydatetime() if open_slots and query.filter.to_day >= now.date() else None
    return trend(
        shown.trend,
        slots=shown.slots,
        grain=shown.grain,  # type: ignore[arg-type]
        labels={stage: stage_name(stage) for stage in COLOURED},
        target=shown.slot_limits,
        provisional_from=provisional,
        previous=shown.previous_kg,
        detail=_("{basis}, by life-cycle stage").format(basis=basis_name(query.filter.basis)),
        quality=", ".join(f"{figures.percent(share)} {_(name)}" for name, share in shown.shares.items()),
        locale=translation.get_language() or "en",
        translate=_,
    )


def kpis(shown: Overview, query: Query) -> list[dict[str, Any]]:
    """Build the strip of leading figures."""
    scale = figures.scale_for("mass", [shown.total.value])
    change = figures.change(shown.total.value, shown.previous_kg, coverage=shown.coverage, translate=_)
    details: list[Any] = []
    if query.comparison is not None:
        text = _("vs {period}").format(period=period_name(query.comparison))
        details.append({"change": change, "text": text, "address": f"/changes/{query.link()}"})
    details.append(
        {
            "text": _("range {range} {unit}").format(
                range=figures.interval(shown.total.low, shown.total.high, scale), unit=scale.unit
            )
        }
    )
    other = "market" if query.filter.basis == "location" else "location"
    details.append(
        {
            "text": f"{basis_name(other)} {figures.quantity(shown.other_basis_kg, 'mass')}",
            "address": query.link(basis=other),
        }
    )
    found = [
        {
            "lead": True,
            "label": _("AI emissions, {basis}").format(basis=basis_name(query.filter.basis)),
            "page": query.filter.basis,
            "value": figures.quantity(shown.total.value, "mass", digits=4 if (shown.total.value or 0) >= 1e5 else 3),
            "unit": "CO2e" if shown.total.value is not None else "",
            "address": explain_link(query),
            "details": details,
        }
    ]
    if shown.limit_kg is not None and shown.total.value is not None:
        found.append(against_target(shown.total.value, shown.limit_kg, shown.limit_days, query))
    found.append(
        {
            "label": _("Per 1,000 requests"),
            "page": "intensity",
            "value": figures.quantity(shown.kg_per_1000_requests, "mass"),
            "details": [
                *(
                    [
                        {
                            "change": figures.change(
                                shown.kg_per_1000_requests,
                                shown.previous_kg_per_1000_requests,
                                smallest_base=0,
                                translate=_,
                            )
                        }
                    ]
                    if query.comparison is not None
                    else []
                ),
                {"text": _("{count} requests").format(count=figures.count(shown.requests))},
                {"text": _("per other units"), "address": "/intensity/" + query.link(basis=None, include=None)},
            ],
        }
    )
    measured = shown.shares.get("measured", 0.0) if shown.shares else None
    rest = [f"{figures.percent(share)} {_(name)}" for name, share in shown.shares.items() if name != "measured"]
    found.append(
        {"label": _("Measured share"), "value": figures.percent(measured), "details": [{"text": text} for text in rest]}
    )
    return found


def against_target(kg: float, limit_kg: float, days: int, query: Query) -> dict[str, Any]:
    """Say how far the total stands above or below what the target allows over the days that have passed."""
    over = kg - limit_kg
    words = _("{share} over the target of {limit}") if over > 0 else _("{share} below the target of {limit}")
    text = words.format(share=figures.percent(abs(over) / limit_kg), limit=figures.quantity(limit_kg, "mass"))
    whole = (query.filter.to_day - query.filter.from_day).days + 1
    details = [{"text": text, "tone": "bad" if over > 0 else "good"}]
    if days < whole:
        details.append({"text": _("for {days} of {whole} days").format(days=days, whole=whole)})
    return {
        "label": _("Against the target"),
        "value": figures.quantity(over, "mass", sign=True),
        "details": details,
    }


def explain_link(query: Query) -> str:
    """Address of the explanation of the total."""
    return "/explain/" + query.link()
