"""What a reader has fixed for all figures of a page."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from reporting import figures
from reporting.query import MASS_UNITS


def fixed_units(respond: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Write masses in the unit that the address fixes with ``mass``; files and the API stay in kg."""

    def middleware(request: HttpRequest) -> HttpResponse:
        unit = request.GET.get("mass")
        with figures.masses_in(unit if unit in MASS_UNITS else None):
            return respond(request)

    return middleware
