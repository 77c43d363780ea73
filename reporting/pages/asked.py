"""What a page is asked for: the query string, read once."""

from __future__ import annotations

from django.http import HttpRequest, QueryDict

from core.accounting.models import View
from core.accounting.selectors import current_view
from reporting.pages.bar import Choice, Menu, filter_bar, today
from reporting.pages.words import period_name, said, stage_name
from reporting.query import Query, read_query
from reporting.selectors.periods import Activity, activity_of, opening_period


def asked(request: HttpRequest, data: QueryDict | None = None) -> Query:
    """
    Read the query string of a page; what cannot be read is said on the page and the rest is shown.

    Where the address names no period, every page opens with the same one, which has figures if any has.

    Args:
        data: read in place of the request's own, such as that of the page that a menu belongs to.
    """
    return read_query(
        request.GET if data is None else data,
        identity=request.identity,  # type: ignore[attr-defined]
        today=today(),
        opening=opening_period(activity(request), today()),
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
    """Read, once a request, which view is current: a switch must not fall between two parts of a page."""
    if not hasattr(request, "current_view"):
        request.current_view = current_view(request.identity.organization_id)  # type: ignore[attr-defined]
    found: View | None = request.current_view  # type: ignore[attr-defined]
    return found


__all__ = [
    "Choice",
    "Menu",
    "activity",
    "asked",
    "filter_bar",
    "period_name",
    "said",
    "stage_name",
    "today",
    "view_of",
]
