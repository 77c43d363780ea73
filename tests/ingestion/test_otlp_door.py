"""OTLP/HTTP: the answers of the specification, in the request's own encoding."""

from __future__ import annotations

import gzip
import json
import time
from typing import Any

import pytest
from django.db import OperationalError
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from ingestion import selectors
from ingestion.sources import otlp_wire

pytestmark = pytest.mark.usefixtures("committed_db")

PROTOBUF = "application/x-protobuf"


def a_request(**changes: Any) -> ExportTraceServiceRequest:
    """Make an export request of one chat span that ended just now."""
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id, span.kind = bytes(range(16)), bytes(range(8)), 3
    span.start_time_unix_nano = time.time_ns() - 2_000_000_000
    span.end_time_unix_nano = time.time_ns() - 1_000_000_000
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
    } | changes
    for key, value in attributes.items():
        pair = span.attributes.add(key=key)
        if isinstance(value, int):
            pair.value.int_value = value
        else:
            pair.value.string_value = value
    return request


def latest(organization: Any) -> Any:
    from core.organizations.tenancy import organization_scope

    with organization_scope(organization.id):
        return selectors.batches(organization.id)[0].id


def test_spans_are_taken_with_an_empty_protobuf_answer(post: Any, organization: Any, drained: Any) -> None:
    answer = post("/otlp/v1/traces", gzip.compress(a_request().SerializeToString()), PROTOBUF, Content_Encoding="gzip")

    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, b"", PROTOBUF)
    assert drained(latest(organization))["counts"]["written"] == 1


def test_refused_spans_are_told_back(post: Any, organization: Any, drained: Any) -> None:
    answer = post("/otlp/v1/traces", a_request(**{"gen_ai.usage.input_tokens": -5}).SerializeToString(), PROTOBUF)

    partial = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_spans) == (200, 1)
    assert "gen_ai.usage.input_tokens" in partial.error_message
    assert drained(latest(organization))["counts"]["quarantined"] == 1


def test_refused_data_points_are_told_back_in_both_encodings(post: Any, organization: Any, drained: Any) -> None:
    gauge = {"name": "gen_ai.client.token.usage", "gauge": {"dataPoints": [{"timeUnixNano": "1", "asInt": "7"}] * 2}}
    as_json = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [gauge]}]}]}
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="gen_ai.client.token.usage")
    metric.gauge.data_points.add(time_unix_nano=1, as_int=7)

    by_json = post("/otlp/v1/metrics", as_json)
    by_protobuf = post("/otlp/v1/metrics", request.SerializeToString(), PROTOBUF)

    assert by_json.json()["partialSuccess"]["rejectedDataPoints"] == "2"
    partial = ExportMetricsServiceResponse.FromString(by_protobuf.content).partial_success
    assert (partial.rejected_data_points, "cannot be added up" in partial.error_message) == (1, True)
    assert drained(latest(organization))["counts"]["quarantined"] == 1


@pytest.mark.parametrize(("body", "content_type"), [(b"", PROTOBUF), (b"{}", "application/json")])
@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_empty_requests_are_a_success(post: Any, signal: str, body: bytes, content_type: str) -> None:
    answer = post(f"/otlp/v1/{signal}", body, content_type, CONTENT_TYPE=content_type)

    assert (answer.status_code, answer.content, answer["Content-Type"]) == (200, body, content_type)


def test_logs_are_accepted_and_emptied(post: Any, organization: Any, drained: Any) -> None:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=1, severity_text="INFO")
    record.body.string_value = "a confidential answer"

    answer = post("/otlp/v1/logs", request.SerializeToString(), PROTOBUF)

    assert (answer.status_code, answer.content) == (200, b"")
    assert b"confidential" not in stored_bytes(organization)
    assert drained(latest(organization))["counts"]["outside"] == 1


@pytest.mark.parametrize("content_type", [PROTOBUF, "application/json"])
@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_busy_ledger_is_503_never_500(
    post: Any, monkeypatch: pytest.MonkeyPatch, signal: str, content_type: str
) -> None:
    from ingestion.http import otlp as door

    def away(**_: Any) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(door, "accept_payload", away)
    suffix, items, item = {
        "traces": ("Spans", "spans", {"kind": 3}),
        "metrics": ("Metrics", "metrics", {"name": "x", "gauge": {"dataPoints": [{}]}}),
        "logs": ("Logs", "logRecords", {"timeUnixNano": "1"}),
    }[signal]
    as_json = {f"resource{suffix}": [{f"scope{suffix}": [{items: [item]}]}]}
    body = json.dumps(as_json).encode()
    if content_type == PROTOBUF:
        body = json_format.ParseDict(as_json, otlp_wire.REQUESTS[signal]()).SerializeToString()  # type: ignore[index]

    answer = post(f"/otlp/v1/{signal}", body, content_type)

    assert (answer.status_code, answer["Retry-After"], answer["Content-Type"]) == (503, "5", content_type)


def test_json_is_answered_in_json(post: Any) -> None:
    assert post("/otlp/v1/traces", {}).json() == {}
    assert post("/otlp/v1/traces", b'{"resourceSpans":').json()["message"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [(b"\x0a\xff\xff", PROTOBUF, 400), (b"{", "application/json", 400), (b"x", "text/plain", 415)],
)
def test_what_cannot_be_read_is_refused(post: Any, body: bytes, content_type: str, status: int) -> None:
    assert post("/otlp/v1/traces", body, content_type).status_code == status


def test_a_stranger_gets_a_status_message(client: Any) -> None:
    answer = client.post("/otlp/v1/traces", b"", content_type=PROTOBUF, headers={"Authorization": "Bearer wl_1_x"})

    assert (answer.status_code, answer["Content-Type"]) == (401, PROTOBUF)
    assert answer.content[:2] == b"\x08\x10"


def test_prompts_are_never_stored(post: Any, organization: Any) -> None:
    body = a_request(
        **{"gen_ai.input.messages": json.dumps([{"role": "user", "content": "my secret"}]), "user.id": "ada"}
    )

    post("/otlp/v1/traces", body.SerializeToString(), PROTOBUF)

    stored = stored_bytes(organization)
    assert stored
    assert b"my secret" not in stored
    assert b"ada" not in stored


def stored_bytes(organization: Any) -> bytes:
    from django.db import connection

    from core.organizations.tenancy import organization_scope

    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select body from ingestion_payload")
        return b"".join(bytes(row[0]) for row in cursor.fetchall())
