"""How the figures of a page are written: in the reader's language, and in the unit that they have fixed."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from reporting import figures
from reporting.query import MASS_UNITS
from reporting.templatetags.figures import locale


def written_for(respond: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Write numbers as the page's language does, masses in the unit of the address's ``mass``; files and the API stay in kg."""

    def middleware(request: HttpRequest) -> HttpResponse:
        unit = request.GET.get("mass")
        with figures.masses_in(unit if unit in MASS_UNITS else None), figures.written_in(locale()):
            return respond(request)

    return middleware
