"""Figures "as of" a short link: which view is read, and whether it still says what it said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pandas as pd
from django.http import HttpRequest

from core.accounting.models import View
from core.accounting.selectors import emissions
from core.organizations.policy import narrowing
from reporting import figures
from reporting.models import ShortLink
from reporting.query import Query
from reporting.selectors.saved import short_link, stored_view


def pinned_link(request: HttpRequest) -> ShortLink | None:
    """Read, once a request, the short link that ``as_of`` names; None where it names none of this organization's."""
    if not hasattr(request, "pinned_link"):
        key = request.GET.get("as_of", "")
        found = short_link(request.identity.organization_id, key) if key else None  # type: ignore[attr-defined]
        request.pinned_link = found if found and found.view_id else None  # type: ignore[attr-defined]
    link: ShortLink | None = request.pinned_link  # type: ignore[attr-defined]
    return link


def pinned_view(request: HttpRequest) -> View | None:
    """Return the view that the short link stored, as long as its rows are there."""
    link = pinned_link(request)
    if link is None or link.view_id is None:
        return None
    return stored_view(link.organization_id, link.view_id)


def on_read(query: Query) -> Query:
    """Say that the page quantifies records when it is asked for: by the stored view's factors, those that came later too."""
    return query if query.pinned is None else replace(query, pinned=query.pinned | {"on_read": True})


def pinned_words(request: HttpRequest, query: Query, linked: Query, view: View | None) -> dict[str, Any]:
    """
    Say what the page shows: as of when, by which factors, and what has changed since.

    Args:
        linked: the query that the link stored.
        view: the stored view; None where it is gone, so that the present figures are shown.
    """
    link = pinned_link(request)
    if link is None:
        raise ValueError("There is no link to speak of.")
    said: dict[str, Any] = {
        "at": link.watermark_at,
        "by": str(link.created_by),
        "gone": view is None,
        "factor_set": "" if view is None else view.factor_set.name,
        "methodology": "" if view is None else view.methodology,
        "present": query.link(as_of=None),
        "changed": None,
        "on_read": False,
    }
    if view is not None and not narrowing(request.identity):  # type: ignore[attr-defined]
        plain = replace(linked.filter, by=(), grain="total")
        rows = emissions(link.organization_id, plain, bounds=False, view=view).rows
        kg, records = rows["total_kg_co2e"].sum(min_count=1), int(rows["records"].sum())
        now = None if pd.isna(kg) else float(kg)
        if (records, now) != (link.records, link.total_kg_co2e):
            said["changed"] = {
                "then": figures.quantity(link.total_kg_co2e, "mass"),
                "now": figures.quantity(now, "mass"),
                "records": records - (link.records or 0),
            }
    return said
