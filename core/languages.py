"""Which language an answer is in: people choose, programs and files are always answered in English."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

from core.problems import for_programs

OF_FILES: Final = "en"
OWN: Final = "language"
"""Key of a session: the language that its person has chosen for good."""


def language(respond: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """
    Answer in the language that was chosen on this machine (a cookie), else in the person's own (in the session), else in the
    first of the browser's that is offered.

    The API, the doors and files (``format=csv``) do not change with who reads them: names, numbers and dates of a file that
    was fetched in German stay those that a script expects.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        of_file = "format" in request.GET or for_programs(request)
        spoken = OF_FILES if of_file else _spoken(request)
        with translation.override(spoken):
            request.LANGUAGE_CODE = spoken
            response = respond(request)
        patch_vary_headers(response, ("Accept-Language", "Cookie"))
        response.headers.setdefault("Content-Language", spoken)
        return response

    return middleware


def _spoken(request: HttpRequest) -> str:
    if not request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME):
        own = request.session.get(OWN)
        if own in dict(settings.LANGUAGES):
            return str(own)
    return translation.get_language_from_request(request)
