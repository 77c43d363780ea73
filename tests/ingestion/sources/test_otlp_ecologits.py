"""EcoLogits' metrics: a counter that is exact, beside gauges that are never added up."""

from __future__ import annotations

from typing import Any

import pytest

from ingestion.sources import otlp
from ingestion.sources.counters import Memory
from tests.ingestion.sources.samples import activity_of, check, expected, read, requests
from tests.ingestion.sources.test_otlp import PROTOBUF
from tests.ingestion.sources.test_otlp_metrics import body, counter, metric, one, point, sums


@pytest.mark.parametrize("entry", expected("ecologits", "otlp"))
def test_recorded_ecologits_metrics_reach_their_sums(entry: dict[str, Any]) -> None:
    memory = Memory()
    parsed = [
        each
        for request in requests("ecologits", entry["files"][0])
        for each in read(otlp, request.body, content_type=PROTOBUF, filename="metrics", known={"counters": memory})
    ]

    check(activity_of(parsed), entry)
    assert set(activity_of(parsed)["flags"]) == {("gauge_sampled",)}
    assert "energy_kwh" not in sums(parsed)


def ecologits(requests: float, at_s: float, **gauges: float) -> bytes:
    call = {"provider": "openai", "model": "gpt-4o", "endpoint": "/chat/completions", "application": "search"}
    return body(
        counter("ecologits_requests", point(requests, at_s, **call), unit="1"),
        *(
            metric(f"ecologits_{name}", point(each, at_s, **call), kind="gauge", unit="1")
            for name, each in gauges.items()
        ),
        scope="ecologits",
        resource={"service.name": "unknown_service:python"},
    )


def test_ecologits_tokens_are_requests_times_the_latest_gauge() -> None:
    memory = Memory()
    one(ecologits(2, 5, input_tokens=100, output_tokens=10, energy=5.0), memory)

    [found] = one(ecologits(5, 10, input_tokens=40, output_tokens=3, energy=5.0), memory).activity.to_dict("records")

    assert (found["requests"], found["input_tokens"], found["output_tokens"]) == (3, 120, 9)
    assert (found["application"], found["account"]) == ("search", found["account"])
    assert found["labels"] == {"signal": "metrics", "metric": "ecologits_requests", "scope": "ecologits"}


def test_repeated_gauges_of_ecologits_add_nothing() -> None:
    memory = Memory()
    one(ecologits(2, 5, input_tokens=100, output_tokens=10), memory)

    again = one(ecologits(2, 10, input_tokens=100, output_tokens=10), memory)

    assert (again.received, again.outside) == (3, 3)


def test_requests_without_their_gauges_wait_for_the_next_export() -> None:
    memory = Memory()
    alone = one(ecologits(2, 5), memory)
    later = one(ecologits(2, 10, input_tokens=100, output_tokens=10), memory)

    assert alone.outside == 1
    assert sums([later]) == {"requests": 2, "input_tokens": 200, "output_tokens": 20}
