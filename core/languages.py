"""Which language an answer is in: people choose, programs and files are always answered in English."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.http import HttpRequest, HttpResponse
from django.utils import translation
from django.utils.cache import patch_vary_headers

from core.problems import for_programs

OF_FILES: Final = "en"


def language(respond: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """
    Answer in the language that a person has chosen (a cookie), else in the first of the browser's that is offered.

    The API, the doors and files (``format=csv``) do not change with who reads them: names, numbers and dates of a file that
    was fetched in German stay those that a script expects.
    """

    def middleware(request: HttpRequest) -> HttpResponse:
        of_file = "format" in request.GET or for_programs(request)
        spoken = OF_FILES if of_file else translation.get_language_from_request(request)
        with translation.override(spoken):
            request.LANGUAGE_CODE = spoken
            response = respond(request)
        patch_vary_headers(response, ("Accept-Language", "Cookie"))
        response.headers.setdefault("Content-Language", spoken)
        return response

    return middleware
