"""Saved filters and short links: the menu at the end of the filter bar, and where their addresses lead."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pandas as pd
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from core.accounting.selectors import emissions
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.policy import Action, may
from reporting.models import SavedFilter, ShortLink
from reporting.pages.asked import asked, period_name, view_of
from reporting.pages.filters import page_of, without
from reporting.query import Query
from reporting.selectors.saved import saved_filters, short_link
from reporting.services import saved as services

OWN = ("at", "made", "csrfmiddlewaretoken", "name", "everybody", "pin")
"""Parameters of this page; all others are those of the page that is saved."""


@require_safe
@requires(Action.SEE_OWN_TEAM)
def saved(request: HttpRequest) -> HttpResponse:
    """List the saved filters, and offer to save or link the ones in force."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    query = asked(request, without(request.GET, OWN))
    at = page_of(request.GET.get("at", "/"))
    made = short_link(identity.organization_id, request.GET.get("made", ""))
    may_share = may(identity, Action.SHARE_FILTERS)
    context = {
        "title": _("Saved filters"),
        "query": query,
        "period_label": period_name(query.filter, query.label),
        "at": at,
        "kept": [(name, value) for name, values in query.params.items() for value in values],
        "saved": [row(one, may_share=may_share) for one in saved_filters(identity.organization_id, identity.person_id)],
        "may_keep": identity.person_id is not None,
        "may_share": may_share,
        "made": made and request.build_absolute_uri(reverse("short_link", args=[made.key])),
        "made_pinned": bool(made and made.view_id),
        "pinnable": view_of(request) is not None,
    }
    partial = bool(request.htmx)  # type: ignore[attr-defined]
    return render(request, f"reporting/{'partials/' if partial else ''}saved_filters.html", context)


def row(one: SavedFilter, *, may_share: bool) -> dict[str, Any]:
    """Show a saved filter."""
    return {
        "id": one.id,
        "name": one.name,
        "address": f"{one.path}?{one.query}",
        "everybody": one.person_id is None,
        "removable": one.person_id is not None or may_share,
    }


@require_POST
@requires(Action.SEE_OWN_TEAM)
def save_filter(request: HttpRequest) -> HttpResponse:
    """Save the filters of a page under a name."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    everybody = request.POST.get("everybody") == "1"
    if everybody and not may(identity, Action.SHARE_FILTERS):
        everybody = False
    query, at = sent(request)
    try:
        services.save_filter(
            organization_id=identity.organization_id,
            name=request.POST.get("name", ""),
            path=at,
            query=query.link(as_of=None)[1:],
            created_by_id=identity.person_id or 0,
            everybody=everybody,
        )
    except services.SavedError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("The filters are saved."))
    return redirect(f"{at}{query.link()}")


@require_POST
@requires(Action.SEE_OWN_TEAM)
def remove_filter(request: HttpRequest, saved_id: int) -> HttpResponse:
    """Remove a saved filter."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    if not services.remove_filter(
        organization_id=identity.organization_id,
        saved_id=saved_id,
        person_id=identity.person_id or 0,
        may_share=may(identity, Action.SHARE_FILTERS),
    ):
        raise Http404
    messages.success(request, _("The saved filters are removed."))
    query, at = sent(request)
    return redirect(f"{at}{query.link()}")


@require_POST
@requires(Action.SEE_OWN_TEAM)
def make_link(request: HttpRequest) -> HttpResponse:
    """Make a short link to a page, as of now where that is ticked."""
    identity: Identity = request.identity  # type: ignore[attr-defined]
    query, at = sent(request)
    pin = request.POST.get("pin") == "1"
    text = (frozen(query) if pin else query.link(as_of=None))[1:]
    try:
        link = services.make_link(
            organization_id=identity.organization_id,
            path=at,
            query=text,
            created_by_id=identity.person_id or 0,
            stand=stand_of(request, query) if pin else None,
        )
    except services.SavedError as error:
        messages.error(request, str(error))
        return redirect(f"{at}{query.link()}")
    shown = urlencode({"at": at, "made": link.key})
    return redirect(f"{reverse('saved_filters')}{query.link()}{'&' if query.params else ''}{shown}")


@require_safe
@requires(Action.SEE_OWN_TEAM)
def follow(request: HttpRequest, key: str) -> HttpResponse:
    """Lead to the page behind a short link."""
    link = short_link(request.identity.organization_id, key)  # type: ignore[attr-defined]
    if link is None:
        raise Http404
    return redirect(address_of(link))


def address_of(link: ShortLink) -> str:
    """Write the address that a short link stands for; one "as of" carries its own key, which pages read the view by."""
    parts = [part for part in (link.query, urlencode({"as_of": link.key}) if link.view_id else "") if part]
    return f"{link.path}?{'&'.join(parts)}"


def sent(request: HttpRequest) -> tuple[Query, str]:
    """Read the page and the query that a form was about."""
    data = QueryDict(request.POST.urlencode())
    return asked(request, without(data, OWN)), page_of(request.POST.get("at", "/"))


def frozen(query: Query) -> str:
    """Write the query with its period in days where its name would mean others later."""
    if query.label.startswith("last-") or "period" not in query.params:
        first, last = query.filter.from_day.isoformat(), query.filter.to_day.isoformat()
        return query.link(period=None, from_=first, to=last, as_of=None)
    return query.link(as_of=None)


def stand_of(request: HttpRequest, query: Query) -> services.Stand | None:
    """Note what the figures are now; None before anything was derived."""
    view = view_of(request)
    plain = replace(query.filter, by=(), grain="total")
    result = emissions(request.identity.organization_id, plain, bounds=False, view=view)  # type: ignore[attr-defined]
    if result.view_id is None:
        return None
    total = result.rows["total_kg_co2e"].sum(min_count=1)
    return services.Stand(
        view_id=result.view_id,
        watermark_at=result.as_of,
        records=int(result.rows["records"].sum()),
        total_kg_co2e=None if pd.isna(total) else float(total),
    )
