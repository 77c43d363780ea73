"""
What of an OTLP body is stored: the fields that activity is made of, and nothing that people wrote.

Spans lose their names, events, links, status messages and every attribute that is not read. Data points lose their exemplars;
of their attributes that are not read a hash stays, since they tell one counter from another, and of metrics that are not read
nothing but their number. Log records (GenAI events carry prompts there) lose everything but their times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from core.quantification.private import is_private, names_private_value, without_private
from core.quantification.prose import brief
from ingestion.sources import otlp_ecologits, otlp_known_metrics, otlp_spans, otlp_wire
from ingestion.sources.base import UnreadablePayload, digest
from ingestion.sources.otlp_wire import Signal

_FIELDS: Final[Mapping[Signal, tuple[str, str, str]]] = {
    "traces": ("spans", "Spans", "spans"),
    "metrics": ("metrics", "Metrics", "metrics"),
    "logs": ("logs", "Logs", "log_records"),
}
"""Signal -> (protobuf suffix of resource_ and scope_, the same in JSON, name of the items)."""

_IDS: Final = ("trace_id", "span_id", "parent_span_id")
LONGEST_ID: Final = 32
"""Bytes of an id; what is longer is none."""
KINDS: Final = ("gauge", "sum", "histogram", "exponentialHistogram", "summary")


@lru_cache(maxsize=4096)
def resource_keep(key: str) -> bool:
    """Tell whether an attribute of a resource or data point may be kept: no person, content, process or command line."""
    return not is_private(key) and not key.startswith(("process.", "host.ip", "host.mac", "telemetry."))


READ: Final = otlp_known_metrics.READ | otlp_ecologits.METRICS
"""Metrics that are read."""
READ_OF_POINTS: Final = otlp_known_metrics.KEYS | otlp_ecologits.KEYS
"""Attributes of data points that are read."""
HASHED: Final = "#"
"""How the hash of an attribute's value begins."""


def hashed(key: str, value: bytes) -> str:
    """Give what stands for the value of an attribute that is not read; a value that stands for another stays as it is."""
    known = value.decode("ascii", "replace")
    return known if known[:1] == HASHED and len(known) == 17 else HASHED + digest(key, value)[:16]


def scrub(body: bytes, signal: Signal, *, is_json: bool) -> tuple[bytes, int]:
    """
    Scrub one body.

    Args:
        body: unpacked.
        signal, is_json: what it is.

    Returns:
        The body to store, and the number of its items (spans, data points, log records). Raises UnreadablePayload when it
        cannot be decoded.
    """
    return _json(body, signal) if is_json else _protobuf(body, signal)


# --- protobuf ---------------------------------------------------------------------------------------------------------


def _protobuf(body: bytes, signal: Signal) -> tuple[bytes, int]:
    request = otlp_wire.decode_protobuf(body, signal)
    request.DiscardUnknownFields()
    suffix, _, name = _FIELDS[signal]
    items = 0
    for each in getattr(request, f"resource_{suffix}"):
        _keep_only(each.resource.attributes, resource_keep)
        each.ClearField("schema_url")
        for scope in getattr(each, f"scope_{suffix}"):
            scope.ClearField("schema_url")
            for field in ("attributes", "version"):
                scope.scope.ClearField(field)
            scope.scope.name = brief(scope.scope.name)
            for item in getattr(scope, name):
                items += _ITEM[signal](item)
    return request.SerializeToString(), items


def _span(span: Any) -> int:
    for field in ("name", "events", "links"):
        span.ClearField(field)
    span.status.ClearField("message")
    for field in _IDS:
        if len(getattr(span, field)) > LONGEST_ID:
            span.ClearField(field)
    span.trace_state = otlp_spans.sampling_state(span.trace_state)
    _keep_only(span.attributes, otlp_spans.KEYS.__contains__)
    return 1


def _metric(metric: Any) -> int:
    kind = metric.WhichOneof("data")
    points = getattr(metric, kind).data_points if kind else []
    count = len(points)
    metric.ClearField("metadata")
    metric.ClearField("description")
    metric.name, metric.unit = brief(metric.name), brief(metric.unit, "unit")
    if metric.name not in READ:
        for point in points:
            point.Clear()
        return count
    for point in points:
        _keep_only(point.attributes, resource_keep)
        for pair in point.attributes:
            if pair.key not in READ_OF_POINTS:
                pair.value.string_value = hashed(pair.key, _plain(pair.value))
        if kind != "summary":
            point.ClearField("exemplars")
        for field in ("bucket_counts", "explicit_bounds", "positive", "negative"):
            if field in point.DESCRIPTOR.fields_by_name:
                point.ClearField(field)
    return count


def _plain(value: Any) -> bytes:
    return value.string_value.encode() if value.HasField("string_value") else bytes(value.SerializeToString())


def _log_record(record: Any) -> int:
    for field in ("body", "attributes", "severity_text", "event_name"):
        record.ClearField(field)
    return 1


_ITEM: Final[Mapping[Signal, Callable[[Any], int]]] = {"traces": _span, "metrics": _metric, "logs": _log_record}


def _keep_only(attributes: Any, keep: Callable[[str], bool]) -> None:
    """Delete in place, from the end, the attributes that are not kept."""
    for at in range(len(attributes) - 1, -1, -1):
        if not keep(attributes[at].key) or not _is_public(attributes[at].value, attributes[at].key):
            del attributes[at]


def _is_public(value: Any, key: str) -> bool:
    """Tell whether a value holds no mail address, secret, private key or prose, however deep; of bytes nobody knows."""
    kind = value.WhichOneof("value")
    if kind == "string_value":
        text = value.string_value
        return not names_private_value(text) and brief(text, key) == text
    if kind == "array_value":
        return all(_is_public(each, key) for each in value.array_value.values)
    if kind == "kvlist_value":
        return all(not is_private(pair.key) and _is_public(pair.value, pair.key) for pair in value.kvlist_value.values)
    return bool(kind != "bytes_value")


# --- JSON -------------------------------------------------------------------------------------------------------------


def _json(body: bytes, signal: Signal) -> tuple[bytes, int]:
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
            kept = [_JSON_ITEM[signal](item) for item in _objects(scope.get(_camel(name)))]
            items += sum(count for _, count in kept)
            named = brief(_object(scope.get("scope")).get("name"))
            about = {"scope": {"name": named}} if signal == "metrics" and isinstance(named, str) else {}
            scopes.append({**about, _camel(name): [item for item, _ in kept]})
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


def _json_span(span: dict[str, Any]) -> tuple[dict[str, Any], int]:
    kept = _scalars(span, _SPAN_FIELDS)
    if isinstance(kept.get("traceState"), str):
        kept["traceState"] = otlp_spans.sampling_state(kept["traceState"])
    status = span.get("status")
    if isinstance(status, dict) and "code" in status:
        kept["status"] = _scalars(status, ("code",))
    kept["attributes"] = _kept(span.get("attributes"), otlp_spans.KEYS.__contains__)
    return kept, 1


_POINT_FIELDS: Final = ("startTimeUnixNano", "timeUnixNano", "asDouble", "asInt", "count", "sum", "flags")
_DATA_FIELDS: Final = ("aggregationTemporality", "isMonotonic")


def _json_metric(metric: dict[str, Any]) -> tuple[dict[str, Any], int]:
    kept = _scalars(metric, ("name", "unit"))
    count = 0
    for kind in KINDS:
        data = metric.get(kind)
        if isinstance(data, dict):
            points = _objects(data.get("dataPoints"))
            read = metric.get("name") in READ
            of_data = _scalars(data, _DATA_FIELDS)
            kept[kind] = {**of_data, "dataPoints": [_json_point(point) if read else {} for point in points]}
            count += len(points)
    return kept, count


def _json_point(point: dict[str, Any]) -> dict[str, Any]:
    attributes = [
        pair if pair["key"] in READ_OF_POINTS else {"key": pair["key"], "value": {"stringValue": _hashed_json(pair)}}
        for pair in _kept(point.get("attributes"), resource_keep)
    ]
    return {**_scalars(point, _POINT_FIELDS), "attributes": attributes}


def _hashed_json(pair: dict[str, Any]) -> str:
    value = _object(pair.get("value"))
    text = value.get("stringValue")
    return hashed(pair["key"], text.encode() if isinstance(text, str) else msgspec.json.encode(value))


def _json_log_record(record: dict[str, Any]) -> tuple[dict[str, Any], int]:
    return _scalars(record, ("timeUnixNano", "observedTimeUnixNano")), 1


_JSON_ITEM: Final[Mapping[Signal, Callable[[dict[str, Any]], tuple[dict[str, Any], int]]]] = {
    "traces": _json_span,
    "metrics": _json_metric,
    "logs": _json_log_record,
}


def _scalars(value: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
    """Keep some fields; what is no text or number is null, which the reader refuses."""
    return {
        field: brief(value[field], field) if isinstance(value[field], str | int | float) else None
        for field in fields
        if field in value
    }


def _kept(attributes: object, keep: Callable[[str], bool]) -> list[dict[str, Any]]:
    """Keep the wanted attributes whose values hold nothing private; of bytes nobody knows."""
    pairs = [
        {"key": pair["key"], "value": pair.get("value")}
        for pair in _objects(attributes)
        if isinstance(pair.get("key"), str) and keep(pair["key"]) and "bytesValue" not in _object(pair.get("value"))
    ]
    return [pair for pair in pairs if brief(without_private(pair["value"]), pair["key"]) == pair["value"]]


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _camel(name: str) -> str:
    return "logRecords" if name == "log_records" else name
