"""
What of an OTLP body is stored: the fields that activity is made of, and nothing that people wrote.

Spans lose their names, events, links, status messages and every attribute that is not read; data points their exemplars;
log records (GenAI events carry prompts there) everything but their times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec

from core.quantification.private import is_private, names_private_value, without_private
from ingestion.sources import otlp_wire
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.otlp_wire import Keep, Signal

_FIELDS: Final[Mapping[Signal, tuple[str, str, str]]] = {
    "traces": ("spans", "Spans", "spans"),
    "metrics": ("metrics", "Metrics", "metrics"),
    "logs": ("logs", "Logs", "log_records"),
}
"""Signal -> (protobuf suffix of resource_ and scope_, the same in JSON, name of the items)."""

KINDS: Final = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


@lru_cache(maxsize=4096)
def resource_keep(key: str) -> bool:
    """Tell whether an attribute of a resource or data point may be kept: no person, content, process or command line."""
    return not is_private(key) and not key.startswith(("process.", "host.ip", "host.mac", "telemetry."))


def scrub(body: bytes, signal: Signal, *, is_json: bool, span_keep: Keep) -> tuple[bytes, int]:
    """
    Scrub one body.

    Args:
        body: unpacked.
        signal, is_json: what it is.
        span_keep: which attributes of spans are read.

    Returns:
        The body to store, and the number of its items (spans, data points, log records). Raises UnreadablePayload when it
        cannot be decoded.
    """
    return _json(body, signal, span_keep) if is_json else _protobuf(body, signal, span_keep)


# --- protobuf ---------------------------------------------------------------------------------------------------------


def _protobuf(body: bytes, signal: Signal, span_keep: Keep) -> tuple[bytes, int]:
    request = otlp_wire.decode_protobuf(body, signal)
    request.DiscardUnknownFields()
    suffix, _, name = _FIELDS[signal]
    items = 0
    for each in getattr(request, f"resource_{suffix}"):
        _keep_only(each.resource.attributes, resource_keep)
        for scope in getattr(each, f"scope_{suffix}"):
            scope.scope.ClearField("attributes")
            for item in getattr(scope, name):
                items += _ITEM[signal](item, span_keep)
    return request.SerializeToString(), items


def _span(span: Any, keep: Keep) -> int:
    for field in ("name", "events", "links"):
        span.ClearField(field)
    span.status.ClearField("message")
    _keep_only(span.attributes, keep)
    return 1


def _metric(metric: Any, _: Keep) -> int:
    kind = metric.WhichOneof("data")
    for field in ("description", "metadata"):
        metric.ClearField(field)
    points = getattr(metric, kind).data_points if kind else []
    for point in points:
        _keep_only(point.attributes, resource_keep)
        if kind != "summary":
            point.ClearField("exemplars")
    return len(points)


def _log_record(record: Any, _: Keep) -> int:
    for field in ("body", "attributes", "severity_text", "event_name"):
        record.ClearField(field)
    return 1


_ITEM: Final[Mapping[Signal, Callable[[Any, Keep], int]]] = {"traces": _span, "metrics": _metric, "logs": _log_record}


def _keep_only(attributes: Any, keep: Keep) -> None:
    """Delete in place, from the end, the attributes that are not kept."""
    for at in range(len(attributes) - 1, -1, -1):
        if not keep(attributes[at].key) or not _is_public(attributes[at].value):
            del attributes[at]


def _is_public(value: Any) -> bool:
    """Tell whether a value holds no mail address, secret or private key, however deep."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return not names_private_value(value.string_value)
    if kind == "array_value":
        return all(map(_is_public, value.array_value.values))
    if kind == "kvlist_value":
        return all(not is_private(pair.key) and _is_public(pair.value) for pair in value.kvlist_value.values)
    return True


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json(body: bytes, signal: Signal, span_keep: Keep) -> tuple[bytes, int]:
    _, suffix, name = _FIELDS[signal]
    try:
        value = msgspec.json.decode(body) if body.strip() else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadablePayload(f"The body is not OTLP/JSON: {error}.") from error
    if not isinstance(value, dict):
        raise UnreadablePayload("The body is not OTLP/JSON: it must be one object.")
    items = 0
    resources = []
    for each in _objects(value.get(f"resource{suffix}")):
        scopes = []
        for scope in _objects(each.get(f"scope{suffix}")):
            kept = [_JSON_ITEM[signal](item, span_keep) for item in _objects(scope.get(_camel(name)))]
            items += sum(count for _, count in kept)
            scopes.append({_camel(name): [item for item, _ in kept]})
        attributes = _kept(_object(each.get("resource")).get("attributes"), resource_keep)
        resources.append({"resource": {"attributes": attributes}, f"scope{suffix}": scopes})
    return msgspec.json.encode({f"resource{suffix}": resources} if resources else {}), items


_SPAN_FIELDS: Final = (
    "traceId",
    "spanId",
    "parentSpanId",
    "traceState",
    "kind",
    "startTimeUnixNano",
    "endTimeUnixNano",
)


def _json_span(span: dict[str, Any], keep: Keep) -> tuple[dict[str, Any], int]:
    kept: dict[str, Any] = {field: span[field] for field in _SPAN_FIELDS if field in span}
    status = span.get("status")
    if isinstance(status, dict) and "code" in status:
        kept["status"] = {"code": status["code"]}
    kept["attributes"] = _kept(span.get("attributes"), keep)
    return kept, 1


_METRIC_FIELDS: Final = ("aggregationTemporality", "isMonotonic")
_POINT_FIELDS: Final = frozenset(
    "startTimeUnixNano timeUnixNano asInt asDouble flags count sum min max bucketCounts explicitBounds scale zeroCount"  # noqa: SIM905
    " zeroThreshold positive negative quantileValues".split()
)


def _json_metric(metric: dict[str, Any], _: Keep) -> tuple[dict[str, Any], int]:
    kept: dict[str, Any] = {field: metric[field] for field in ("name", "unit") if field in metric}
    count = 0
    for kind in KINDS:
        if isinstance(metric.get(kind), dict):
            points = [
                {**{key: without_private(point[key]) for key in point.keys() & _POINT_FIELDS}, "attributes": attributes}
                for point in _objects(metric[kind].get("dataPoints"))
                for attributes in [_kept(point.get("attributes"), resource_keep)]
            ]
            about = {field: metric[kind][field] for field in _METRIC_FIELDS if field in metric[kind]}
            kept[kind] = {**about, "dataPoints": points}
            count += len(points)
    return kept, count


def _json_log_record(record: dict[str, Any], _: Keep) -> tuple[dict[str, Any], int]:
    return {field: record[field] for field in ("timeUnixNano", "observedTimeUnixNano") if field in record}, 1


_JSON_ITEM: Final[Mapping[Signal, Callable[[dict[str, Any], Keep], tuple[dict[str, Any], int]]]] = {
    "traces": _json_span,
    "metrics": _json_metric,
    "logs": _json_log_record,
}


def _kept(attributes: object, keep: Keep) -> list[dict[str, Any]]:
    pairs = [pair for pair in _objects(attributes) if isinstance(pair.get("key"), str) and keep(pair["key"])]
    clean = [{"key": pair["key"], "value": without_private(pair.get("value"))} for pair in pairs]
    return [new for new, pair in zip(clean, pairs, strict=True) if new["value"] == _object_or_none(pair.get("value"))]


def _object_or_none(value: object) -> object:
    return value


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _camel(name: str) -> str:
    return "logRecords" if name == "log_records" else name
