"""What goes over the wire: compressed where the browser takes it, the same bytes once unpacked, and streams untouched."""

from __future__ import annotations

import gzip

import brotli
import pytest
from django.http import HttpResponse, StreamingHttpResponse
from django.test import RequestFactory

from core.compression import compression

PAGE = b"<p>the same words again and again</p>\n" * 100
PLOTLY = "vendor/plotly.js-cartesian@4.1.1/plotly-cartesian.min.js"


def asked(response, accepted="gzip, deflate, br, zstd"):
    return compression(lambda request: response)(RequestFactory().get("/", headers={"accept-encoding": accepted}))


@pytest.mark.parametrize(
    ("accepted", "coding", "unpack"),
    [("gzip, deflate, br", "br", brotli.decompress), ("gzip", "gzip", gzip.decompress), ("identity", "", bytes)],
)
def test_a_page_arrives_as_it_was_written(accepted, coding, unpack):
    response = asked(HttpResponse(PAGE), accepted)

    assert response.get("Content-Encoding", "") == coding
    assert unpack(response.content) == PAGE
    assert response["Vary"] == "Accept-Encoding"
    assert not coding or int(response["Content-Length"]) == len(response.content) < len(PAGE) / 10


@pytest.mark.parametrize(
    "response",
    [
        HttpResponse(PAGE, content_type="image/png"),
        HttpResponse(PAGE, headers={"Content-Encoding": "br"}),
        HttpResponse(b"short"),
        HttpResponse(PAGE, status=206),
    ],
)
def test_what_gains_nothing_is_left(response):
    content, headers = response.content, response.get("Content-Encoding")

    answered = asked(response)

    assert (answered.content, answered.get("Content-Encoding")) == (content, headers)


def test_a_stream_is_sent_as_it_comes():
    asked_for = []
    stream = (asked_for.append(number) or PAGE for number in range(3))

    response = asked(StreamingHttpResponse(stream, content_type="text/csv"))

    assert asked_for == []
    assert b"".join(response.streaming_content) == PAGE * 3


def test_a_strong_tag_becomes_a_weak_one():
    assert asked(HttpResponse(PAGE, headers={"ETag": '"a"'}))["ETag"] == 'W/"a"'


def test_files_of_the_site_are_compressed_and_can_be_kept(client):
    response = client.get(f"/static/{PLOTLY}", headers={"accept-encoding": "br"})
    sent = b"".join(response.streaming_content)

    assert response["Content-Encoding"] == "br"
    assert len(sent) < 480_000
    assert len(brotli.decompress(sent)) > 1_000_000
    known = {"if-modified-since": response["Last-Modified"]}
    if response.has_header("ETag"):
        known["if-none-match"] = response["ETag"]  # as a browser does, which then holds to the tag alone
    again = client.get(f"/static/{PLOTLY}", headers={"accept-encoding": "br", **known})
    assert again.status_code == 304
