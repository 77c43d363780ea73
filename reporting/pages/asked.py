"""What a page is asked for: the query string, read once."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from django.http import HttpRequest, QueryDict
from django.utils.translation import gettext as _

from core.accounting.models import View
from core.accounting.selectors import current_view
from reporting.pages.bar import Choice, Menu, filter_bar, today
from reporting.pages.pinned import pinned_link, pinned_view, pinned_words
from reporting.pages.words import basis_name, period_name, said, stage_name
from reporting.query import Query, read_query
from reporting.selectors.periods import Activity, activity_of, opening_period


def asked(request: HttpRequest, data: QueryDict | None = None) -> Query:
    """
    Read the query string of a page; what cannot be read is said on the page and the rest is shown.

    Where the address names no period, every page opens with the same one, which has figures if any has.

    Args:
        data: read in place of the request's own, such as that of the page that a menu belongs to.
    """
    data = request.GET if data is None else data
    link = pinned_link(request)
    if link is None or "as_of" not in data:
        query = read_as_of(request, data, today())
        if "as_of" not in query.params:
            return query
        said = _("There is no stored view of this name for you: shown are the present figures.")
        params = {name: values for name, values in query.params.items() if name != "as_of"}
        return replace(query, params=params, errors=(*query.errors, said))
    then = (link.watermark_at or link.created_at).date()  # an open period is compared as it was then
    query, linked = read_as_of(request, data, then), read_as_of(request, QueryDict(link.query), then)
    return replace(query, pinned=pinned_words(request, query, linked, pinned_view(request)))


def read_as_of(request: HttpRequest, data: QueryDict, now: date) -> Query:
    """Read a query string as it is meant on a day."""
    return read_query(
        data,
        identity=request.identity,  # type: ignore[attr-defined]
        today=now,
        opening=opening_period(activity(request), now),
        fiscal_start=request.organization.fiscal_year_start_month,  # type: ignore[attr-defined]
    )


def activity(request: HttpRequest) -> Activity:
    """Read, once a request, the span of days that have figures in the view that the request reads."""
    known: Activity | None = getattr(request, "activity_span", None)
    if known is None:
        known = activity_of(request.identity.organization_id, view_of(request), today())  # type: ignore[attr-defined]
        request.activity_span = known  # type: ignore[attr-defined]
    return known


def view_of(request: HttpRequest) -> View | None:
    """
    Read, once a request, which view the page is of: a switch must not fall between two parts of it.

    The current one, or the one that a short link "as of" stored.
    """
    if not hasattr(request, "current_view"):
        request.current_view = pinned_view(request) or current_view(request.identity.organization_id)  # type: ignore[attr-defined]
    found: View | None = request.current_view  # type: ignore[attr-defined]
    return found


__all__ = [
    "Choice",
    "Menu",
    "activity",
    "asked",
    "basis_name",
    "filter_bar",
    "period_name",
    "said",
    "stage_name",
    "today",
    "view_of",
]
