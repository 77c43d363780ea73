"""Requests: single records in any order, how their footprints are spread, and what makes most of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

import pandas as pd
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from core.accounting.figures import UNATTRIBUTED, FilterError
from core.accounting.small_groups import SMALL_GROUPS
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action, narrowing
from reporting import figures
from reporting.charts import Chart, distribution
from reporting.distribution import Distribution
from reporting.pages.asked import asked, filter_bar, period_name, said, stage_name, view_of
from reporting.pages.files import file_asked, period_file
from reporting.pages.pinned import on_read
from reporting.pages.request_files import MOST_IN_WORKBOOK, STREAMED, ask_for, requests_file
from reporting.query import Query
from reporting.selectors import requests as selectors
from reporting.selectors.records import Records
from reporting.selectors.records import records as records_by_time
from reporting.selectors.requests import NEWEST, SORTS, TABS, Facets, Reach
from reporting.templatetags.figures import locale

FACET_NAMES: Final[dict[str, str | Promise]] = {
    "application": gettext_lazy("Application"),
    "task": gettext_lazy("Task"),
    "team": gettext_lazy("Team"),
    "model": gettext_lazy("Model"),
    "region": gettext_lazy("Region"),
    "tier": gettext_lazy("Service level"),
    "method": gettext_lazy("Method"),
    "evidence": gettext_lazy("Evidence"),
}
SHOWN_CHOICES: Final = 6
MOST_CHOICES: Final = 40
MOST_GROUPS: Final = 5


@dataclass(frozen=True)
class Listing:
    """What a list of requests was asked for beside its filters."""

    sort: str
    tab: str
    after: str | None

    def params(self, **changes: str | None) -> dict[str, str | None]:
        """Write what is not the default, for `Query.link`."""
        own = {"sort": None if self.sort == NEWEST else self.sort, "tab": self.tab or None}
        return {name: value for name, value in (own | changes).items() if value is not None}


def listing_of(request: HttpRequest, errors: list[str]) -> Listing:
    """Read order, tab and place; what there is not is said, and the default holds."""
    sort, tab = request.GET.get("sort") or NEWEST, request.GET.get("tab") or ""
    if sort.removeprefix("-") not in SORTS:
        errors.append(_("There is no order {name}; the newest come first.").format(name=repr(sort)))
        sort = NEWEST
    if tab and tab not in TABS:
        errors.append(_("There is no list {name}; all requests are shown.").format(name=repr(tab)))
        tab = ""
    return Listing(sort, tab, request.GET.get("after") or None)


@one_snapshot
@require_safe
@requires(Action.SEE_REQUESTS)
def requests(request: HttpRequest) -> HttpResponse:
    """List the requests of a filter, with what they have in common."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    query = on_read(narrowed(asked(request), request.identity))  # type: ignore[attr-defined]
    errors = list(query.errors)
    listing = listing_of(request, errors)
    reach = reach_for(request, query, errors)
    if file_asked(request) and reach is not None:
        return requests_file(request, query, reach, sort=listing.sort, tab=listing.tab)
    page, place = listed(query, listing, reach, errors)
    by_facet = selectors.facets_of(organization_id, view_of(request), query.filter, query.allowed)
    kept = by_facet.kept()
    at_once = reach is not None and 0 < reach.total <= selectors.AT_ONCE
    crumbs = [(_("Total"), f"/{query.link(team=None, model=None)}")]
    crumbs += [(said("team", team), f"/models/{query.link(model=None)}") for team in query.params.get("team", ())]
    crumbs += [(said("model", model), "") for model in query.params.get("model", ())]
    return render(
        request,
        "reporting/requests.html",
        {
            "title": _("Requests"),
            "query": query,
            "query_errors": errors,
            "period_label": period_name(query.filter, query.label),
            "filter_bar": filter_bar(query),
            "crumbs": crumbs if len(crumbs) > 1 else [],
            "total": page.total,
            "requests_total": int(kept["requests"].sum()),
            "failed_total": int(kept["failed_requests"].fillna(0).sum()),
            "tabs": tabs(query, listing),
            "facets": facets(query, by_facet),
            "groups": heaviest(query, kept),
            "charts": bool(reach and reach.total),
            "chart": spread(selectors.spread_of(reach.window()), reach) if at_once and reach else None,
            "spread_address": f"{reverse('requests_spread')}{query.link()}" if reach and reach.total else "",
            "spread_csv": spread_csv(query),
            "table": table(query, listing, page),
            "csv": query.link(**listing.params(format="csv")),
            "as_workbook": reach is not None and reach.total <= MOST_IN_WORKBOOK,
            "too_long": f"{reverse('requests_export')}{query.link(**listing.params())}"
            if reach is not None and reach.total > STREAMED
            else "",
            **place,
        },
    )


@require_POST
@requires(Action.SEE_REQUESTS)
def requests_export(request: HttpRequest) -> HttpResponse:
    """Ask a worker for the file of the list that the address names."""
    query = on_read(narrowed(asked(request), request.identity))  # type: ignore[attr-defined]
    errors: list[str] = []
    listing = listing_of(request, errors)
    reach = reach_for(request, query, errors)
    if reach is None or not reach.total:
        messages.error(request, errors[-1] if errors else _("There is no record to be written."))
        return redirect(f"{reverse('requests')}{query.link()}")
    return ask_for(request, query, reach, listing.tab)


@one_snapshot
@require_safe
@requires(Action.SEE_REQUESTS)
def requests_spread(request: HttpRequest) -> HttpResponse:
    """Spread the requests of a filter over their footprint: the part of the page that may take seconds."""
    query = on_read(narrowed(asked(request), request.identity))  # type: ignore[attr-defined]
    errors = list(query.errors)
    reach = reach_for(request, query, errors)
    chart = spread(selectors.spread_of(reach.window()), reach) if reach else None
    if chart is not None and file_asked(request):
        return period_file(request, chart.table, "requests-by-footprint", query)
    context = {
        "title": _("Requests"),
        "query_errors": errors,
        "period_label": period_name(query.filter, query.label),
        "charts": chart is not None,
        "chart": chart,
        "spread_csv": spread_csv(query),
        "back": f"{reverse('requests')}{query.link()}",
    }
    partial = bool(getattr(request, "htmx", False))
    return render(request, "reporting/partials/spread.html" if partial else "reporting/spread.html", context)


def spread_csv(query: Query) -> str:
    """Address of the file of what the chart draws."""
    return f"{reverse('requests_spread')}{query.link(format='csv')}"


def reach_for(request: HttpRequest, query: Query, errors: list[str]) -> Reach | None:
    """Find which series the filter is about; what records are not told apart by is said."""
    try:
        return selectors.reach_of(request.identity.organization_id, view_of(request), query.filter)  # type: ignore[attr-defined]
    except FilterError as error:
        errors.append(str(error))
        return None


def listed(query: Query, listing: Listing, reach: Reach | None, errors: list[str]) -> tuple[Records, dict[str, str]]:
    """Read a page of records, and where the pages before and after are; what cannot be done is said."""
    if reach is None:
        return Records.none(), {}
    by_time = listing.sort == NEWEST and listing.tab in ("", "failed")
    if listing.sort == "-kg" and not listing.tab and reach.sampled:
        text = _(
            "{total} records are too many to be put in order: shown are the heaviest of the heaviest of each series."
        )
        errors.append(text.format(total=figures.count(reach.total, compact=False, locale=locale())))
        return selectors.heaviest_candidates(reach), {}
    if not by_time and reach.sampled:
        text = _(
            "{total} records: up to {most} are put in order. Choose a shorter period or a filter; the newest are shown."
        )
        most = figures.count(selectors.MOST_QUANTIFIED, compact=False)
        errors.append(text.format(total=figures.count(reach.total, compact=False), most=most))
        listing, by_time = replace(listing, sort=NEWEST, tab=""), True
    try:
        page = read(query, listing, reach, by_time=by_time)
    except ValueError:
        errors.append(_("The list cannot go on from there; it begins anew."))
        listing = replace(listing, after=None)
        page = read(query, listing, reach, by_time=by_time)
    place = {
        "older": query.link(**listing.params(after=page.next_cursor)) if page.next_cursor else "",
        "newest": query.link(**listing.params()) if listing.after else "",
    }
    if listing.sort.lstrip("-") != "time":
        place |= {"newer_text": _("First page"), "older_text": _("Next page")}
    return page, place


def read(query: Query, listing: Listing, reach: Reach, *, by_time: bool) -> Records:
    """Read a page: by time from the ledger's index, in any other order from the whole window, quantified."""
    if by_time:
        failed = listing.tab == "failed"
        return records_by_time(
            reach.organization_id, query.filter, view=reach.view, cursor=listing.after, failed=failed
        )
    window = reach.window()
    return selectors.page_of(reach, window, selectors.ordered(window, listing.sort, listing.tab), after=listing.after)


def table(query: Query, listing: Listing, page: Records) -> dict[str, Any]:
    """Build the list: columns with the address that orders by them, rows with the address of their own page."""
    known = page.figures.to_dict("records")
    scale = figures.scale_for("intensity", [row["total_kg_co2e"] for row in known])
    per = [served(row, own["total_kg_co2e"]) for row, own in zip(page.rows, known, strict=True)]
    per_scale = figures.scale_for("intensity", per)
    kwh = figures.scale_for("energy", [row["energy_facility_kwh"] for row in known])
    columns = [
        column(query, listing, "time", _("Started, UTC"), wide=True),
        {"label": _("Record")},
        column(query, listing, "kg", f"{scale.unit} CO2e", number=True),
        column(query, listing, "g", _("{unit} a request").format(unit=per_scale.unit), number=True, wide=True),
        column(query, listing, "kwh", kwh.unit, number=True, wide=True),
        column(query, listing, "tokens_in", _("Tokens in"), number=True, wide=True),
        column(query, listing, "tokens_out", _("Tokens out"), number=True, wide=True),
        {"label": _("Failed"), "number": True, "wide": True},
        {"label": _("Evidence"), "wide": True},
        {"label": _("Team"), "wide": True},
        {"label": _("Model or machine"), "wide": True},
    ]
    rows = [
        {
            "started_at": row["started_at"],
            "record_id": row["record_id"],
            "address": f"{reverse('request')}{query.link(**listing.params(record=row['record_id']))}",
            "why": why_record(query, row["record_id"]) if row["record_id"] else "",
            "kg": figures.number(own["total_kg_co2e"], scale, locale=locale()),
            "range": figures.interval(own["total_kg_co2e_low"], own["total_kg_co2e_high"], scale, locale=locale()),
            "per_request": figures.number(each, per_scale, locale=locale()),
            "kwh": figures.number(own["energy_facility_kwh"], kwh, locale=locale()),
            "tokens_in": figures.count(row["input_tokens"], locale=locale()),
            "tokens_out": figures.count(row["output_tokens"], locale=locale()),
            "failed": figures.count(row["failed_requests"], locale=locale()),
            "requests": row["requests"],
            "team": row["team"] or _("unattributed"),
            "application": row["application"] or "",
            "model": row["model"] or row["instance_type"] or row["hardware"] or "",
            "stage": stage_name(row["stage"]),
            "method": said("method", row["method"]) if row["method"] else "",
            "evidence": row["evidence"],
        }
        for row, own, each in zip(page.rows, known, per, strict=True)
    ]
    return {"columns": columns, "rows": rows}


def why_record(query: Query, record_id: str) -> str:
    """Address of a record's tree, of the same view."""
    return reverse("explain") + query.pinning(record=record_id)


def served(row: dict[str, Any], kg: float | None) -> float | None:
    """Footprint over the successful requests of a record; None without any. [kg CO2e]"""
    successful = (row["requests"] or 0) - (row["failed_requests"] or 0)
    return None if row["corrects"] or successful <= 0 or figures.is_unknown(kg) else float(kg or 0.0) / successful


def column(
    query: Query, listing: Listing, name: str, label: str, *, number: bool = False, wide: bool = False
) -> dict[str, Any]:
    """Head a column: its address orders by it, the largest first, and the other way round when it does already."""
    down = listing.sort == f"-{name}"
    on = listing.sort.removeprefix("-") == name
    wanted = name if down else f"-{name}"
    return {
        "label": label,
        "number": number,
        "wide": wide,
        "address": query.link(**replace(listing, sort=wanted, after=None).params()),
        "sorted": ("descending" if down else "ascending") if on else "",
    }


def tabs(query: Query, listing: Listing) -> list[tuple[str, str, bool]]:
    """List the lists that there are."""
    names = {"": _("All"), "failed": _("With failed requests"), "outliers": _("Above the 99th percentile")}
    return [
        (label, query.link(**replace(listing, tab=name, after=None).params()), listing.tab == name)
        for name, label in names.items()
    ]


def facets(query: Query, found_by: Facets) -> list[dict[str, Any]]:
    """Offer the values that the period has, with how many records and how much; those of a facet ignore its own filter."""
    found = []
    for name, label in FACET_NAMES.items():
        chosen = query.params.get(name, ())
        groups = selectors.by_name(found_by.kept(but=name), name)
        choices = []
        for group in groups[:MOST_CHOICES]:
            value = filter_value(name, group.name)
            on = value in chosen
            others = tuple(one for one in chosen if one != value)
            changed = others if on or not value else (*chosen, value)
            choices.append(
                {
                    "label": said_of(name, group.name),
                    "address": query.link(**{name: changed or None}) if value else "",
                    "on": on,
                    "records": group.records,
                }
            )
        if len(choices) > 1 or chosen:
            found.append(
                {
                    "name": name,
                    "label": label,
                    "chosen": bool(chosen),
                    "first": choices[:SHOWN_CHOICES],
                    "more": choices[SHOWN_CHOICES:],
                }
            )
    return found


def filter_value(name: str, shown: str) -> str:
    """
    Give the value that a filter takes for a shown name; "" where it cannot be filtered by.

    >>> filter_value("region", "unattributed"), filter_value("task", "small groups"), filter_value("team", "small groups")
    ('', '', 'small groups')
    """
    if shown == SMALL_GROUPS:
        return shown if name == "team" else ""
    return "" if shown == UNATTRIBUTED and name not in ("team", "application", "task") else shown


def said_of(name: str, value: str) -> str:
    """Write a facet's value as people read it."""
    if value == SMALL_GROUPS:
        return _("small groups")
    if value == UNATTRIBUTED:
        return said(name, value) if name in ("team", "application", "task") else _("not known")
    return said(name, value)


def heaviest(query: Query, rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Name what makes most of it by application, task and model: never by person."""
    found = []
    for name in selectors.GROUPS:
        groups = selectors.by_name(rows, name)[:MOST_GROUPS]
        scale = figures.scale_for("mass", [group.kg for group in groups])
        per_scale = figures.scale_for("intensity", [group.kg_per_request for group in groups])
        largest = max((group.kg or 0.0 for group in groups), default=0.0)
        found.append(
            {
                "name": name,
                "label": FACET_NAMES[name],
                "unit": scale.unit,
                "per_unit": per_scale.unit,
                "rows": [
                    {
                        "label": said_of(name, group.name),
                        "address": query.link(**{name: filter_value(name, group.name)})
                        if filter_value(name, group.name)
                        else "",
                        "bar": (group.kg or 0.0) / largest if largest else 0.0,
                        "kg": figures.number(group.kg, scale, locale=locale()),
                        "per_request": figures.number(group.kg_per_request, per_scale, locale=locale()),
                        "failed": figures.percent(group.failed / group.requests, locale=locale())
                        if group.requests
                        else figures.UNKNOWN,
                    }
                    for group in groups
                ],
            }
        )
    return found


def spread(found: Distribution, reach: Reach) -> Chart | None:
    """Draw how requests are spread over their footprint; None where none has one."""
    if not found.requests:
        return None
    sample = _("from a sample of {records} of {total} records, drawn by blocks").format(
        records=figures.count(found.records, compact=False, locale=locale()),
        total=figures.count(reach.total, compact=False, locale=locale()),
    )
    return distribution(
        found.bins,
        percentiles={f"p{share}": value for share, value in found.percentiles.items()},
        name="spread",
        kind="intensity",
        noun=_("requests"),
        per=_("per successful request"),
        zeros=found.zeros,
        detail=sample if reach.sampled else "",
        locale=locale(),
        translate=_,
    )


def narrowed(query: Query, identity: Identity) -> Query:
    """Show single records of the own team only to those who see no more of others than totals."""
    own = narrowing(identity, requests=True)
    return replace(query.inside(**own), allowed=query.allowed | own) if own else query
