"""OTLP metrics as plain values: protobuf and its JSON form, read into the same few fields."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import msgspec

from ingestion.sources import otlp_wire
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.otlp_wire import Keep, KeyValue, Resource, Value

DELTA: Final = 1
CUMULATIVE: Final = 2
NO_VALUE: Final = 1  # bit of DataPoint.flags: a series has ended

PointKind = Literal["gauge", "sum", "histogram", "exponentialHistogram", "summary"]


@dataclass(frozen=True, slots=True)
class DataPoint:
    """
    A data point.

    Args:
        attributes: those that are kept.
        start_ns, time_ns: of the point. [ns since 1970]
        value: of a number, or the sum of a histogram; None where there is none.
        count: observations of a histogram, else 0.
        flags: of the point.
    """

    attributes: dict[str, Value]
    start_ns: int
    time_ns: int
    value: float | None
    count: int
    flags: int


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric of one scope and resource. ``kind`` is "" when it holds no data that we know."""

    name: str
    unit: str
    kind: PointKind | Literal[""] = ""
    temporality: int = 0
    monotonic: bool = False
    points: list[DataPoint] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scope:
    """The metrics of one scope of one resource."""

    resource: dict[str, Value]
    name: str
    metrics: list[Metric]


# --- JSON -------------------------------------------------------------------------------------------------------------

_Integer = int | str
_Number = float | int | str


class _Point(msgspec.Struct, rename="camel", gc=False):
    attributes: list[KeyValue] = []
    start_time_unix_nano: _Integer = 0
    time_unix_nano: _Integer = 0
    as_double: _Number | None = None
    as_int: _Integer | None = None
    count: _Integer = 0
    sum: _Number | None = None
    flags: int = 0


class _Data(msgspec.Struct, rename="camel", gc=False):
    data_points: list[_Point] = []
    aggregation_temporality: int = 0
    is_monotonic: bool = False


class _Metric(msgspec.Struct, rename="camel", gc=False):
    name: str = ""
    unit: str = ""
    gauge: _Data | None = None
    sum: _Data | None = None
    histogram: _Data | None = None
    exponential_histogram: _Data | None = None
    summary: _Data | None = None


class _Scope(msgspec.Struct, gc=False):
    name: str = ""


class _ScopeMetrics(msgspec.Struct, gc=False):
    scope: _Scope | None = None
    metrics: list[_Metric] = []


class _ResourceMetrics(msgspec.Struct, rename="camel", gc=False):
    resource: Resource | None = None
    scope_metrics: list[_ScopeMetrics] = []


class _Metrics(msgspec.Struct, rename="camel", gc=False):
    resource_metrics: list[_ResourceMetrics] = []


_metrics = msgspec.json.Decoder(_Metrics)


def read_metrics(body: bytes, *, is_json: bool, keep: Keep) -> Iterator[Scope]:
    """
    Read a body of `/v1/metrics`.

    Args:
        body: unpacked.
        is_json: its form.
        keep: which attribute keys of resources and data points are wanted.

    Raises UnreadablePayload when the body cannot be decoded.
    """
    if is_json:
        for entry in otlp_wire.decode_json(_metrics, body).resource_metrics:
            resource = otlp_wire.json_attributes(entry.resource.attributes, keep) if entry.resource else {}
            for each in entry.scope_metrics:
                name = each.scope.name if each.scope else ""
                yield Scope(resource, name, [_json_metric(metric, keep) for metric in each.metrics])
    else:
        for message in otlp_wire.decode_protobuf(body, "metrics").resource_metrics:
            resource = otlp_wire.proto_attributes(message.resource.attributes, keep)
            for each in message.scope_metrics:
                yield Scope(resource, each.scope.name, [_metric(metric, keep) for metric in each.metrics])


def _json_metric(metric: _Metric, keep: Keep) -> Metric:
    kinds: tuple[tuple[PointKind, _Data | None], ...] = (
        ("gauge", metric.gauge),
        ("sum", metric.sum),
        ("histogram", metric.histogram),
        ("exponentialHistogram", metric.exponential_histogram),
        ("summary", metric.summary),
    )
    for kind, data in kinds:
        if data is not None:
            points = [_json_point(point, keep) for point in data.data_points]
            return Metric(metric.name, metric.unit, kind, data.aggregation_temporality, data.is_monotonic, points)
    return Metric(metric.name, metric.unit)


def _json_point(point: _Point, keep: Keep) -> DataPoint:
    given = [value for value in (point.as_double, point.as_int, point.sum) if value is not None]
    return DataPoint(
        otlp_wire.json_attributes(point.attributes, keep),
        otlp_wire.nanoseconds(point.start_time_unix_nano),
        otlp_wire.nanoseconds(point.time_unix_nano),
        _number(given[0]) if given else None,
        otlp_wire.nanoseconds(point.count),
        point.flags,
    )


def _number(value: _Number) -> float:
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise UnreadablePayload(f"The body is not OTLP/JSON: a value is {str(value)[:40]!r}, not a number.") from None


# --- protobuf ---------------------------------------------------------------------------------------------------------

_KINDS: Final[dict[str, PointKind]] = {"exponential_histogram": "exponentialHistogram"}


def _metric(metric: Any, keep: Keep) -> Metric:
    field = metric.WhichOneof("data")
    if field is None:
        return Metric(metric.name, metric.unit)
    data, kind = getattr(metric, field), _KINDS.get(field, field)
    points = [_point(point, kind, keep) for point in data.data_points]
    temporality = getattr(data, "aggregation_temporality", 0)
    return Metric(metric.name, metric.unit, kind, temporality, getattr(data, "is_monotonic", False), points)


def _point(point: Any, kind: PointKind, keep: Keep) -> DataPoint:
    value: float | None = None
    if kind in ("gauge", "sum"):
        given = point.WhichOneof("value")
        value = None if given is None else float(getattr(point, given))
    elif kind != "summary":
        value = point.sum if point.HasField("sum") else None
    return DataPoint(
        otlp_wire.proto_attributes(point.attributes, keep),
        point.start_time_unix_nano,
        point.time_unix_nano,
        value,
        getattr(point, "count", 0),
        point.flags,
    )
