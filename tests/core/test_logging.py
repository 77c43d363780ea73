"""Requests in the log: refused ones in a line of level INFO, failed ones as errors with what went wrong."""

from __future__ import annotations

import logging

import pytest
from django.http import HttpResponse
from django.utils.log import log_response

from core.logging import RefusedRequests


def logged(rf, caplog, status, level):
    logger = logging.getLogger("django.request")
    assert any(isinstance(one, RefusedRequests) for one in logger.filters)
    with caplog.at_level(level, logger="django"):
        try:
            raise ValueError("what went wrong")
        except ValueError as error:
            log_response(
                "%s: %s", "Refused", "/a", response=HttpResponse(status=status), request=rf.post("/a"), exception=error
            )
    return [(one.levelname, one.getMessage(), one.exc_info is not None) for one in caplog.records]


@pytest.mark.parametrize(
    ("status", "level", "told"),
    [
        (403, "INFO", [("INFO", "403 POST Refused: /a", False)]),
        (404, "WARNING", []),
        (500, "WARNING", [("ERROR", "Refused: /a", True)]),
    ],
)
def test_refused_requests_are_a_line_and_failed_ones_an_error(rf, caplog, status, level, told):
    assert logged(rf, caplog, status, level) == told
