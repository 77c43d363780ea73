"""
Answers as small as the browser takes them: brotli, else gzip, for pages, files and scripts alike.

What was compressed when the image was built passes untouched. Guessing a secret from the length of an answer (BREACH) needs a
victim's browser to ask thousands of times from another site: the session's cookie is not sent along then (SameSite=Lax), and
the token of forms is masked anew in every answer.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import brotli
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

Respond = Callable[[HttpRequest], HttpResponseBase]
SMALLEST_BYTES: Final = 500
BROTLI_QUALITY: Final = 5
"""Of 11: a page of 500 kB takes 3 ms; the best is 2 % smaller and takes thirty times as long."""
GZIP_LEVEL: Final = 5
TYPES: Final = (
    "text/",
    "application/json",
    "application/problem+json",
    "application/javascript",
    "application/vnd.oai.openapi",
    "image/svg+xml",
)


def compression(respond: Respond) -> Respond:
    """Compress what is text, whole and not compressed yet; long streams go as they are."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = respond(request)
        if not compressible(response):
            return response
        patch_vary_headers(response, ["Accept-Encoding"])
        coding = coding_for(request.headers.get("Accept-Encoding", ""))
        if not coding or request.method == "HEAD":
            return response
        if isinstance(response, FileResponse):
            content = static_packed(b"".join(response.streaming_content), coding)  # type: ignore[arg-type]
            response.streaming_content = iter([content])
            del response["ETag"]  # files are asked for again by their date: WhiteNoise takes no weak tag for its own
        elif isinstance(response, HttpResponse) and len(response.content) >= SMALLEST_BYTES:
            content = response.content = packed(response.content, coding)
        else:
            return response
        response["Content-Encoding"] = coding
        response["Content-Length"] = str(len(content))
        if (tag := response.get("ETag", "")) and not tag.startswith("W/"):
            response["ETag"] = f"W/{tag}"  # the same in meaning, not byte by byte
        return response

    return middleware


def compressible(response: HttpResponseBase) -> bool:
    """Tell whether an answer is text that nobody has compressed."""
    text = response.get("Content-Type", "").startswith(TYPES)
    return text and response.status_code == 200 and not response.has_header("Content-Encoding")


def coding_for(accepted: str) -> str:
    """
    Choose the coding for an ``Accept-Encoding``; "" where the browser takes neither.

    >>> coding_for("gzip, deflate, br"), coding_for("gzip;q=0.8"), coding_for("br;q=0, gzip"), coding_for("identity")
    ('br', 'gzip', 'gzip', '')
    """
    offers = (each.replace(" ", "").partition(";q=") for each in accepted.lower().split(","))
    taken = {name for name, _, weight in offers if weight.strip("0.") or not weight}
    return next((name for name in ("br", "gzip") if name in taken), "")


def packed(content: bytes, coding: str) -> bytes:
    """Compress bytes."""
    if coding == "br":
        small: bytes = brotli.compress(content, quality=BROTLI_QUALITY)
        return small
    return gzip.compress(content, GZIP_LEVEL, mtime=0)


static_packed = lru_cache(maxsize=16)(packed)
"""Scripts and style sheets, which are the same for everybody."""
