"""Search: one field over everything that has a name."""

from __future__ import annotations

from datetime import UTC, datetime

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from core.organizations.access import requires
from core.organizations.policy import Action
from reporting.navigation import pages_for
from reporting.pages.asked import view_of
from reporting.selectors.search import SHORTEST, Seeker, search

LONGEST = 200


@require_safe
@requires(Action.SEE_OWN_TEAM)
def search_page(request: HttpRequest) -> HttpResponse:
    """Show what the text in the address is found in, kind by kind."""
    text = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST]
    enough = len(text) >= SHORTEST
    identity = request.identity  # type: ignore[attr-defined]
    seeker = Seeker(identity, view_of(request), text, datetime.now(UTC).date())
    context = {
        "title": _("Search"),
        "text": text,
        "enough": enough,
        "found": search(seeker, pages_for(identity)) if enough else [],
    }
    return render(request, "reporting/search.html", context)
