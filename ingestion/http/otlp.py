"""
OTLP/HTTP for traces, metrics and logs, protobuf and JSON (opentelemetry-proto specification, "OTLP/HTTP").

Answers come in the request's own encoding: an empty response or a partial success; errors as google.rpc.Status. Exporters
give up at 500, so a busy ledger is 503.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from django.http import HttpRequest, HttpResponse
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from core.organizations.middleware import bearer
from core.problems import Problem
from ingestion import wake
from ingestion.http.doors import door, keep_scrubbed, read_body, require_media_type, sender
from ingestion.services import accept_payload
from ingestion.sources import otlp as adapter

JSON: Final = "application/json"
PROTOBUF: Final = "application/x-protobuf"

PARTIAL: Final[dict[str, tuple[Any, str, str]]] = {
    "traces": (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
}

# google.rpc.Code for what a door says; exporters read the HTTP status, people this.
RPC_CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 411: 3, 413: 8, 415: 3, 429: 8, 501: 12, 503: 14}


def media_type(request: HttpRequest) -> str:
    """Give the media type in which to answer: the request's own, protobuf when it is neither."""
    sent: str = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return JSON if sent == JSON else PROTOBUF


def status_answer(request: HttpRequest, error: Problem) -> HttpResponse:
    """Answer a problem as google.rpc.Status."""
    message = str(error.detail)
    code = RPC_CODES.get(error.status_code, 2)
    if media_type(request) == JSON:
        answer = HttpResponse(msgspec.json.encode({"code": code, "message": message}), content_type=JSON)
    else:
        answer = HttpResponse(rpc_status(code, message), content_type=PROTOBUF)
    answer.status_code = error.status_code
    if error.status_code in {429, 503}:
        answer["Retry-After"] = "5"
    if error.status_code == 401:
        answer["WWW-Authenticate"] = 'Bearer realm="wattledger"'
    return answer


def rpc_status(code: int, message: str) -> bytes:
    """
    Write a google.rpc.Status (code 1, message 2) as protobuf; its Python class would come with another package.

    >>> rpc_status(3, "no")
    b'\\x08\\x03\\x12\\x02no'
    """
    text = message.encode()
    return b"\x08" + _varint(code) + b"\x12" + _varint(len(text)) + text


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


@door("POST", respond=status_answer)
def post_otlp(request: HttpRequest, signal: str) -> HttpResponse:
    """Take an export request of one signal; items that can never be read are told back and need not be sent again."""
    identity = sender(request, bearer(request))
    body = read_body(request)
    require_media_type(body, PROTOBUF, JSON)
    found = adapter.accept(body.unpacked, body.content_type, signal)
    if found.received:
        file = keep_scrubbed(identity, body, found.body, signal)
        accept_payload(identity=identity, kind=adapter.NAME, files=[file], announced=found.received)
        wake.drain(identity.organization_id)
    return accepted_answer(request, signal, found)


def accepted_answer(request: HttpRequest, signal: str, found: adapter.Accepted) -> HttpResponse:
    """Answer 200: empty, or with the number of refused items and why."""
    response, protobuf_name, json_name = PARTIAL[signal]
    if media_type(request) == JSON:
        partial = {json_name: str(found.rejected), "errorMessage": found.message}
        content = msgspec.json.encode({"partialSuccess": partial} if found.rejected else {})
        return HttpResponse(content, content_type=JSON)
    message = response()
    if found.rejected:
        setattr(message.partial_success, protobuf_name, found.rejected)
        message.partial_success.error_message = found.message
    return HttpResponse(message.SerializeToString(), content_type=PROTOBUF)
