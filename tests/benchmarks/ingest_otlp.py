"""Spans and data points over OTLP: what the door does, what the worker's adapter does, and all of it down to the ledger."""

from __future__ import annotations

import hashlib
import statistics
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingestion.sources import otlp
from ingestion.sources.base import Context, finish_draft
from ingestion.sources.counters import Memory
from tests.benchmarks import memory
from tests.benchmarks.stage import Stage, stage

ITEMS = 512  # of a request: the SDK's largest batch of spans
REQUESTS = 40
RUNS = 5
PROTOBUF = "application/x-protobuf"
MODELS = ("gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "mistral-large")


def measure() -> list[dict[str, Any]]:
    """Measure items a second and MB/s of traces and metrics, beside decoding the same bodies with the protobuf package."""
    results = []
    for signal, make, message in (
        ("traces", traces, ExportTraceServiceRequest),
        ("metrics", points, ExportMetricsServiceRequest),
    ):
        bodies = [make(number) for number in range(REQUESTS)]
        megabytes = sum(map(len, bodies)) / 1e6
        decode = timed(lambda bodies=bodies, message=message: [message.FromString(body) for body in bodies])
        door = timed(lambda bodies=bodies, signal=signal: [otlp.accept(body, PROTOBUF, signal) for body in bodies])
        read = timed(lambda bodies=bodies, signal=signal: read_all(bodies, signal))
        items = ITEMS * REQUESTS
        for name, took in (("door", door), ("read", read)):
            results.append(result(f"otlp_{signal}_{name}", items, took, "items/s", decode))
            results.append(result(f"otlp_{signal}_{name}_mb", megabytes, took, "MB/s", decode))
    with stage() as on:
        for signal, make in (("traces", traces), ("metrics", points)):
            took = [drained(on, [make(number, run + 1) for number in range(REQUESTS)], signal) for run in range(RUNS)]
            bodies = [make(number) for number in range(REQUESTS)]
            read = timed(lambda bodies=bodies, signal=signal: read_all(bodies, signal))
            results.append(result(f"otlp_{signal}_ledger", ITEMS * REQUESTS, took, "items/s", read, "adapter only"))
    for signal in ("traces", "metrics"):
        results += memory.grown(f"otlp_{signal}_memory", lambda times, signal=signal: peak(signal, times), (1, 4))
    return results


STREAM = """
import sys
from tests.benchmarks import ingest_otlp as bench
make = {"traces": bench.traces, "metrics": bench.points}[sys.argv[1]]
bench.read_all((make(at % bench.REQUESTS, at // bench.REQUESTS) for at in range(int(sys.argv[2]))), sys.argv[1])
print(bench.memory.own_peak_mb())
"""


def peak(signal: str, times: int) -> float:
    """Read requests one after the other in a process of its own; give its peak memory. [MB]"""
    (most,) = memory.printed(STREAM, signal, times * REQUESTS)
    return most


def timed(work: Callable[[], Any]) -> list[float]:
    """Give the seconds of several runs."""
    took = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return took


def read_all(bodies: Iterable[bytes], signal: str) -> None:
    memory = Memory()
    context = Context(datetime.now(UTC), content_type=PROTOBUF, filename=signal, known={"counters": memory})
    for body in bodies:
        finish_draft(otlp.read(body, context), context)


def drained(on: Stage, bodies: list[bytes], signal: str) -> float:
    """Put scrubbed bodies into the inbox, then give the seconds that a worker takes to bring them to the ledger."""
    from core.organizations.identity import Actor, Identity
    from ingestion import payloads, services

    identity = Identity(on.organization_id, Actor("system", name="bench"))
    for body in bodies:
        scrubbed = otlp.scrub(body, PROTOBUF, signal)
        file = payloads.from_body(
            scrubbed,
            digest=hashlib.sha256(scrubbed).digest(),
            encoding="",
            content_type=PROTOBUF,
            filename=signal,
            name=uuid4().hex,
        )
        services.accept_payload(identity=identity, kind=otlp.NAME, files=[file], announced=ITEMS)
    started = time.perf_counter()
    found = services.drain_inbox(on.organization_id, seconds=600)
    took = time.perf_counter() - started
    if found.counts["written"] != ITEMS * len(bodies):
        raise RuntimeError(f"not everything was written: {found.counts}")
    return took


def result(
    name: str, amount: float, took: list[float], unit: str, others: list[float], beside: str = "protobuf, decode only"
) -> dict[str, Any]:
    rates, other = [amount / each for each in took], amount / statistics.median(others)
    value = statistics.median(rates)
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "compared_with": beside,
        "compared_value": other,
        "ratio": value / other,
        "runs": len(rates),
        "spread": (max(rates) - min(rates)) / value,
    }


def traces(number: int, run: int = 0) -> bytes:
    """Make a request of chat spans."""
    request = ExportTraceServiceRequest()
    each = request.resource_spans.add()
    attribute(each.resource, "service.name", f"service-{number % 5}")
    scope = each.scope_spans.add()
    ended = time.time_ns() - 60 * 10**9
    for at in range(ITEMS):
        identity = (run * REQUESTS + number) * ITEMS + at + 1
        span = scope.spans.add(
            trace_id=identity.to_bytes(16, "big"),
            span_id=identity.to_bytes(8, "big"),
            kind=3,
            name="chat",
            start_time_unix_nano=ended - 10**9,
            end_time_unix_nano=ended + at,
        )
        attribute(span, "gen_ai.operation.name", "chat")
        attribute(span, "gen_ai.provider.name", "openai")
        attribute(span, "gen_ai.request.model", MODELS[at % len(MODELS)])
        attribute(span, "gen_ai.usage.input_tokens", 100 + at)
        attribute(span, "gen_ai.usage.output_tokens", 10 + at)
        attribute(span, "gen_ai.response.finish_reasons", "stop")
    return request.SerializeToString()


def points(number: int, run: int = 0) -> bytes:
    """Make a request of cumulative token counts: one counter for each instance of a service, model and direction."""
    request = ExportMetricsServiceRequest()
    begun, now = (int(time.time()) - 86_400) * 10**9, (int(time.time()) - 3_600) * 10**9
    total = run * REQUESTS + number + 1
    for instance in range(ITEMS // (2 * len(MODELS))):
        each = request.resource_metrics.add()
        attribute(each.resource, "service.name", f"service-{instance % 5}")
        attribute(each.resource, "service.instance.id", f"instance-{instance}")
        scope = each.scope_metrics.add()
        metric = scope.metrics.add(name="gen_ai.client.token.usage", unit="{token}")
        metric.histogram.aggregation_temporality = 2
        for model in MODELS:
            for direction in ("input", "output"):
                point = metric.histogram.data_points.add(
                    start_time_unix_nano=begun, time_unix_nano=now + total * 10**9, count=total, sum=100.0 * total
                )
                attribute(point, "gen_ai.operation.name", "chat")
                attribute(point, "gen_ai.provider.name", "openai")
                attribute(point, "gen_ai.request.model", model)
                attribute(point, "gen_ai.token.type", direction)
    return request.SerializeToString()


def attribute(message: Any, key: str, value: str | int) -> None:
    kind = "int_value" if isinstance(value, int) else "string_value"
    setattr(message.attributes.add(key=key).value, kind, value)
