"""
OTLP/HTTP bodies as plain values: protobuf and its JSON form, read into the same few fields.

The JSON form is not protobuf's own: ids are hex in any case, enums are numbers only, 64-bit integers are text or numbers,
unknown fields are ignored (opentelemetry-proto specification, "JSON Protobuf Encoding").
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import msgspec
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no stubs
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingestion.sources.base import UnreadablePayload

Signal = Literal["traces", "metrics", "logs"]

Decoded = TypeVar("Decoded")
Value = str | int | float | bool
Keep = Callable[[str], bool]

REQUESTS: Final[dict[Signal, Any]] = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}


@dataclass(frozen=True, slots=True)
class Span:
    """A span as far as activity needs it; attributes hold the wanted keys only."""

    trace_id: str  # hex, lower case
    span_id: str
    parent_id: str
    trace_state: str
    kind: int
    start_ns: int
    end_ns: int
    status: int
    attributes: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Spans:
    """The spans of one resource."""

    resource: dict[str, Value]
    spans: list[Span]


# --- JSON -------------------------------------------------------------------------------------------------------------


class _Any(msgspec.Struct, rename="camel", gc=False):
    string_value: str | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    bool_value: bool | None = None


class KeyValue(msgspec.Struct, gc=False):
    key: str = ""
    value: _Any | None = None


class _Status(msgspec.Struct, gc=False):
    code: int = 0


class _Span(msgspec.Struct, rename="camel", gc=False):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    trace_state: str = ""
    kind: int = 0
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[KeyValue] = []
    status: _Status | None = None


class _ScopeSpans(msgspec.Struct, gc=False):
    spans: list[_Span] = []


class Resource(msgspec.Struct, gc=False):
    attributes: list[KeyValue] = []


class _ResourceSpans(msgspec.Struct, rename="camel", gc=False):
    resource: Resource | None = None
    scope_spans: list[_ScopeSpans] = []


class _Traces(msgspec.Struct, rename="camel", gc=False):
    resource_spans: list[_ResourceSpans] = []


_traces = msgspec.json.Decoder(_Traces)


def read_traces(body: bytes, *, is_json: bool, resource_keep: Keep, span_keep: Keep) -> Iterator[Spans]:
    """
    Read a body of `/v1/traces`.

    Args:
        body: unpacked.
        is_json: its form.
        resource_keep, span_keep: which attribute keys are wanted; others are never looked at.

    Raises UnreadablePayload when the body cannot be decoded.
    """
    if is_json:
        for entry in decode_json(_traces, body).resource_spans:
            resource = json_attributes(entry.resource.attributes, resource_keep) if entry.resource else {}
            yield Spans(resource, [_json_span(span, span_keep) for scope in entry.scope_spans for span in scope.spans])
    else:
        for message in decode_protobuf(body, "traces").resource_spans:
            resource = proto_attributes(message.resource.attributes, resource_keep)
            yield Spans(resource, [_span(span, span_keep) for scope in message.scope_spans for span in scope.spans])


def decode_json(decoder: msgspec.json.Decoder[Decoded], body: bytes) -> Decoded:
    """Decode a JSON body, an empty one as an empty request; raise UnreadablePayload when it is none."""
    try:
        return decoder.decode(body if body.strip() else b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadablePayload(f"The body is not OTLP/JSON: {error}.") from error


def decode_protobuf(body: bytes, signal: Signal) -> Any:
    """Decode a protobuf body of one signal; raise UnreadablePayload when it is none."""
    try:
        return REQUESTS[signal].FromString(body)
    except DecodeError as error:
        raise UnreadablePayload(
            f"The body is not an OTLP {signal} request in protobuf ({error}). A packed body needs Content-Encoding."
        ) from error


def _json_span(span: _Span, keep: Keep) -> Span:
    return Span(
        span.trace_id.lower(),
        span.span_id.lower(),
        span.parent_span_id.lower(),
        span.trace_state,
        span.kind,
        nanoseconds(span.start_time_unix_nano),
        nanoseconds(span.end_time_unix_nano),
        span.status.code if span.status else 0,
        json_attributes(span.attributes, keep),
    )


def nanoseconds(value: int | str) -> int:
    try:
        return int(value)
    except ValueError:
        raise UnreadablePayload(f"The body is not OTLP/JSON: a time is {str(value)[:40]!r}, not nanoseconds.") from None


def json_attributes(attributes: Iterable[KeyValue], keep: Keep) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for pair in attributes:
        if pair.value is None or not keep(pair.key):
            continue
        value = pair.value
        if value.string_value is not None:
            found[pair.key] = value.string_value
        elif value.int_value is not None:
            found[pair.key] = _integer(value.int_value)
        elif value.double_value is not None:
            found[pair.key] = value.double_value
        elif value.bool_value is not None:
            found[pair.key] = value.bool_value
    return found


def _integer(value: int | str) -> int | str:
    try:
        return int(value)
    except ValueError:
        return value


# --- protobuf ---------------------------------------------------------------------------------------------------------

_PLAIN: Final = ("string_value", "int_value", "double_value", "bool_value")


def _span(span: Any, keep: Keep) -> Span:
    return Span(
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.trace_state,
        span.kind,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code,
        proto_attributes(span.attributes, keep),
    )


def proto_attributes(attributes: Iterable[Any], keep: Keep) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for pair in attributes:
        key = pair.key
        if keep(key):
            value = pair.value
            kind = value.WhichOneof("value")
            if kind in _PLAIN:
                found[key] = getattr(value, kind)
    return found
