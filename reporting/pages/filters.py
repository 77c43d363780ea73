"""The values of a filter: what a menu of the filter bar shows when it is opened, and a page of its own without scripts."""

from __future__ import annotations

from typing import Any, Final

from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import Resolver404, resolve
from django.views.decorators.http import require_safe

from core.accounting.figures import FILTERS
from core.accounting.selectors.values import values_in
from core.organizations.access import requires
from core.organizations.middleware import one_snapshot
from core.organizations.policy import Action
from reporting import figures
from reporting.pages.asked import asked, period_name, said, view_of
from reporting.pages.bar import kept, menu_of
from reporting.query import Query

MOST_OPTIONS: Final = 100
OWN: Final = ("on", "at", "find")
"""Parameters of this page; all others are those of the page that it chooses for."""


@one_snapshot
@require_safe
@requires(Action.SEE_OWN_TEAM)
def filter_values(request: HttpRequest) -> HttpResponse:
    """List the values that a dimension has in the period, with records and emissions, to choose some of them."""
    dim = request.GET.get("on", "")
    if dim not in FILTERS or dim == "run":
        raise Http404(f"There is no filter {dim!r}.")
    query = asked(request, without(request.GET, OWN))
    find = request.GET.get("find", "").replace("\0", "")
    at = page_of(request.GET.get("at", "/"))
    options, more = options_of(request, query, dim, find)
    menu = menu_of(dim, query)
    context = {
        "title": menu.label,
        "query": query,
        "query_errors": query.errors,
        "period_label": period_name(query.filter, query.label),
        "menu": menu,
        "options": options,
        "more": more,
        "chosen": menu.on and dim not in query.allowed,
        "without": query.link(**{dim: None}),
        "at": at,
        "kept": kept(query, {dim}),
        "find": find,
    }
    partial = bool(request.htmx)  # type: ignore[attr-defined]
    return render(request, f"reporting/{'partials/' if partial else ''}filter_values.html", context)


def options_of(request: HttpRequest, query: Query, dim: str, find: str) -> tuple[list[dict[str, Any]], int]:
    """List the chosen values and then the largest, of those whose name holds what is looked for; and how many are left off."""
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    found = values_in(organization_id, query.filter, dim, query.allowed, view=view_of(request))
    chosen = query.params.get(dim, ())
    scale = figures.scale_for("mass", [each.kg_co2e for each in found])
    options = [
        {
            "value": each.value,
            "label": said(dim, each.value),
            "on": each.value in chosen,
            "count": each.records,
            "records": figures.count(each.records),
            "kg": figures.quantity(each.kg_co2e, "mass", scale=scale),
        }
        for each in found
    ]
    known = {each.value for each in found}
    options += [
        {"value": value, "label": said(dim, value), "on": True, "count": 0, "records": "0", "kg": figures.UNKNOWN}
        for value in chosen
        if value not in known
    ]
    options.sort(key=lambda each: not each["on"])
    if find:
        options = [each for each in options if each["on"] or find.casefold() in str(each["label"]).casefold()]
    return options[:MOST_OPTIONS], max(0, len(options) - MOST_OPTIONS)


def without(data: QueryDict, names: tuple[str, ...]) -> QueryDict:
    """Copy a query string without some of its parameters."""
    left = data.copy()
    for name in names:
        left.pop(name, None)
    return left


def page_of(path: str) -> str:
    """Give the path if it is one of this site's pages, else the overview's: nobody is led elsewhere."""
    try:
        match = resolve(path)
    except Resolver404:
        return "/"
    page = getattr(match.func, "action_needed", None) and not path.startswith("/api/") and "\0" not in path
    return path if page else "/"
