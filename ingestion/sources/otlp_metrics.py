"""
Metrics of OpenTelemetry's GenAI and hardware conventions, read as records.

Each counter and interval is a record of its own, also the input and the output of the same calls: bodies may be cut between
any two data points, and only so do the same points give the same ids however they are cut. The direction that a record does
not hold is 0 in it, not absent, since it stands in the other one; energy is linear in both, so their sum is that of one
record with both. Only cached tokens, a part of the input, go where their input is.

Counters with running totals are compared with their latest reading (`counters`); gauges cannot be added up and are refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from core.quantification import units
from core.quantification.activity import COUNTS, NUMBERS
from core.quantification.record_checks import CLOCK_TOLERANCE
from core.quantification.rejections import Rejection
from core.quantification.signals import GPU, HOST, HOST_ENERGY, METRIC, METRICS, PART_ENERGY, PART_TYPE, SCOPE, SIGNAL
from ingestion.sources import otlp_ecologits
from ingestion.sources.base import Context, Draft, digest, natural_id
from ingestion.sources.counters import Key, Kind, Memory, Reading, Step
from ingestion.sources.otlp_known_metrics import (
    CACHED_COUNTER,
    DIRECTIONS,
    DURATION,
    ENERGY,
    INPUT_COUNTER,
    KWH_OF,
    PARTS,
    READ,
    TOKEN_TYPE,
    TOKEN_USAGE,
    fault_of,
)
from ingestion.sources.otlp_metric_wire import CUMULATIVE, DELTA, NO_VALUE, DataPoint, Metric, Scope
from ingestion.sources.otlp_resource import (
    COUNTED,
    FAILURE,
    OPERATION,
    about_call,
    about_resource,
    own_place,
    text,
    time_of,
)
from ingestion.sources.otlp_wire import Value
from ingestion.sources.own_units import meant, own_units

FALLBACK: Final = {"stage": "inference"}


@dataclass(frozen=True)
class Point:
    """
    One or several data points that cannot be told apart, read as one.

    Args:
        row, rows: the first of them in the payload, and how many.
        series: 32 hex digits that name its resource, scope, metric and attributes.
        metric: what they are of.
        data: their attributes, times, and sums.
    """

    row: int
    rows: int
    series: str
    metric: Metric
    data: DataPoint

    @property
    def key(self) -> Key:
        """Name the counter."""
        return self.series, self.data.start_ns

    @property
    def reading(self) -> Reading:
        """Give what the counter showed."""
        return Reading(self.data.time_ns, self.data.value or 0.0, self.data.count)

    @property
    def record_id(self) -> str:
        """Name the record."""
        return natural_id("metric", digest(*self.key)[:32], self.data.time_ns)


def draft_of(scopes: Iterable[Scope], context: Context) -> Draft:
    """Read the metrics of one body."""
    return _Body(context).read(scopes)


class _Body:
    """One body on its way to a draft."""

    def __init__(self, context: Context) -> None:
        self.context = context
        known = context.known.get("counters")
        self.memory = known if isinstance(known, Memory) else Memory()
        only = context.known.get("only_rows")
        self.only = only if isinstance(only, Mapping) else None
        self.units = own_units(context.setting)
        self.draft = Draft(fallback=FALLBACK)

    def read(self, scopes: Iterable[Scope]) -> Draft:
        """Read all points, then make records of them in the order of their times."""
        work: list[tuple[Point, Callable[[Point], None]]] = []
        for scope in scopes:
            about = about_resource(scope.resource, self.context)
            points = list(self._points(scope))
            if scope.name == otlp_ecologits.SCOPE:
                gauges = otlp_ecologits.gauges_of(points)
                self.draft.outside += sum(point.rows for point in points if otlp_ecologits.is_gauge(point.metric))
                work += [
                    (point, _bound(self._ecologits, scope, about, gauges))
                    for point in points
                    if not otlp_ecologits.is_gauge(point.metric)
                ]
                continue
            cached: dict[Any, list[Point]] = {}
            for point in points:
                if point.metric.name == CACHED_COUNTER:
                    cached.setdefault(_place_of(point), []).append(point)
            used = {_place_of(point) for point in points if point.metric.name == INPUT_COUNTER}
            for point in points:
                if point.metric.name != CACHED_COUNTER:
                    work.append((point, _bound(self._point, scope, about, cached)))
                elif _place_of(point) not in used:
                    self.draft.outside += point.rows  # a part of an input that is elsewhere
        self.memory.recall(point.key for point, _ in work if point.metric.temporality == CUMULATIVE)
        for point, make in sorted(work, key=lambda each: each[0].data.time_ns):
            make(point)
        return self.draft

    # --- points -------------------------------------------------------------------------------------------------------

    def _points(self, scope: Scope) -> Iterator[Point]:
        """Give the points that are read, alike ones added up; count the others as outside or refused."""
        origin = digest(*(f"{key}={value}" for key, value in sorted(scope.resource.items())), scope.name)
        found: dict[tuple[str, int, int], Point] = {}
        for metric in scope.metrics:
            read = self._reads(scope, metric)
            reported, metric = metric, replace(metric, unit=meant(metric.unit, self.units) or "")
            for data in metric.points:
                self.draft.received += 1
                fault = fault_of(metric, data) if read else None
                if not read or data.flags & NO_VALUE:
                    self.draft.outside += 1
                elif fault is not None:
                    self._refuse(self.draft.received, 1, None, fault, reported, data)
                else:
                    own = (f"{key}={value}" for key, value in sorted(data.attributes.items()))
                    series = digest(origin, metric.name, metric.unit, metric.kind, metric.temporality, *own)[:32]
                    point = Point(self.draft.received, 1, series, metric, data)
                    same = (series, data.start_ns, data.time_ns)
                    found[same] = _added(found[same], point) if same in found else point
        yield from found.values()

    def _reads(self, scope: Scope, metric: Metric) -> bool:
        if scope.name == otlp_ecologits.SCOPE:
            return metric.name in otlp_ecologits.METRICS
        return metric.name in READ

    def _refuse(
        self,
        row: int,
        rows: int,
        record_id: str | None,
        fault: tuple[str, str, str],
        metric: Metric,
        data: DataPoint,
    ) -> None:
        payload = {
            "metric": metric.name,
            "unit": metric.unit,
            "attributes": data.attributes,
            "startTimeUnixNano": data.start_ns,
            "timeUnixNano": data.time_ns,
            "value": data.value,
            "count": data.count,
        }
        self.draft.rejected.append(Rejection(row, record_id, *fault, payload=payload, rows=rows))

    # --- records ------------------------------------------------------------------------------------------------------

    def _point(self, point: Point, scope: Scope, about: Mapping[str, Any], cached: dict[Any, list[Point]]) -> None:
        attributes = point.data.attributes
        operation = text(attributes, OPERATION)
        metered = point.metric.name in ENERGY
        if not metered and operation is not None and operation not in COUNTED:
            self.draft.outside += point.rows  # agents repeat the calls below them
            return
        if point.metric.name == PART_ENERGY and text(attributes, (PART_TYPE,)) not in PARTS:
            self.draft.outside += point.rows
            return
        # Of several inputs alike but for their unit or start the first has the cached ones: a part counts once.
        parts = cached.pop(_place_of(point), []) if point.metric.name == INPUT_COUNTER else []
        rows = point.rows + sum(part.rows for part in parts)
        taken = self._taken(point, rows)
        if taken is None:
            return
        if metered:
            self.draft.per_host = True
            measures, dimensions = _energy(point, taken), _host(point, scope.resource, about)
        else:
            measures = self._tokens(point, taken, parts)
            dimensions = about_call(attributes, scope.resource, about, self.context)
            dimensions["labels"] = {**about["labels"], SIGNAL: METRICS, METRIC: point.metric.name, SCOPE: scope.name}
        self._record(point, rows, taken, dimensions | measures)

    def _tokens(self, point: Point, taken: Step, parts: Sequence[Point]) -> dict[str, Any]:
        if point.metric.name == DURATION:
            failed = FAILURE in point.data.attributes
            tokens = {} if failed else {"input_tokens": 0, "output_tokens": 0}
            return {"requests": taken.count, "failed_requests": taken.count if failed else 0, **tokens}
        column = _direction(point)
        measures: dict[str, Any] = {"input_tokens": 0, "output_tokens": 0, column: round(taken.value)}
        used = [] if self._refused_before(point) else [self._step(part) for part in parts]
        values = [each.value for each in used if each.kind is Kind.USE]
        return {**measures, "cached_input_tokens": round(sum(values))} if values else measures

    def _ecologits(
        self, point: Point, scope: Scope, about: Mapping[str, Any], gauges: Mapping[Any, otlp_ecologits.Gauges]
    ) -> None:
        latest = gauges.get(otlp_ecologits.call_of(point))
        if latest is None or latest.input_tokens is None:
            self.draft.outside += point.rows  # not passed on: the next export counts these calls, with its gauges
            return
        taken = self._taken(point, point.rows)
        if taken is not None:
            labels = {**about["labels"], SIGNAL: METRICS, METRIC: point.metric.name, SCOPE: scope.name}
            dimensions = otlp_ecologits.dimensions_of(point, about) | {"labels": labels}
            self._record(point, point.rows, taken, dimensions | latest.measures(round(taken.value)))

    def _taken(self, point: Point, rows: int) -> Step | None:
        """Give what a point adds; None where it adds nothing, which is counted here."""
        if self.only is not None and point.row not in self.only:
            self.draft.outside += rows  # another row of this payload is read again
            return None
        if self._refused_before(point):
            return Step(Kind.USE)
        fault = self._time_fault(point)
        if fault is not None:
            self._refuse(point.row, rows, point.record_id, fault, point.metric, point.data)
            return None
        taken = self._step(point)
        if taken.kind is Kind.REPEATED:
            self.draft.duplicate += rows
            return None
        if taken.kind is Kind.FIRST or not (taken.value or taken.count):
            self.draft.outside += rows
            return None
        return taken

    def _step(self, point: Point) -> Step:
        if point.metric.temporality == DELTA:
            start_ns = point.data.start_ns or point.data.time_ns
            return Step(Kind.USE, start_ns, point.data.value or 0.0, point.data.count)
        return self.memory.advance(point.key, point.reading)

    def _time_fault(self, point: Point) -> tuple[str, str, str] | None:
        """Find a time that cannot be right before the counter takes it for its latest."""
        if self.context.known.get("timeless"):
            return None
        ended_at = time_of(point.data.time_ns)
        if ended_at > self.context.received_at + CLOCK_TOLERANCE:
            return "timeUnixNano", "clock_skew", f"it ends {ended_at.isoformat()}"
        if ended_at < self.context.received_at - timedelta(days=min(self.context.max_age_days, 300_000)):
            return "timeUnixNano", "too_old", f"it ends {ended_at.isoformat()}"
        return None

    def _record(self, point: Point, rows: int, taken: Step, filled: Mapping[str, Any]) -> None:
        self.draft.records.append(
            {
                "flags": [],
                **filled,
                "row": point.row,
                "rows": rows,
                "record_id": point.record_id,
                "started_at": time_of(taken.start_ns),
                "ended_at": time_of(point.data.time_ns),
                **self._refused_before(point),
            }
        )

    def _refused_before(self, point: Point) -> dict[str, Any]:
        """
        Give start and measures of the record that a row was when it was refused; {} where it was none, or is new.

        Its counter has been passed on since, so what it adds cannot be found a second time.
        """
        row = (self.only or {}).get(point.row)
        if not isinstance(row, Mapping) or row.get("record_id") != point.record_id or "started_at" not in row:
            return {}
        measures = {name: row[name] for name in (*COUNTS, *NUMBERS) if name in row}
        return {"started_at": datetime.fromisoformat(row["started_at"]), **measures}


def _bound(make: Callable[..., None], *given: Any) -> Callable[[Point], None]:
    return lambda point: make(point, *given)


def _place_of(point: Point) -> tuple[int, tuple[tuple[str, Value], ...]]:
    """Say which points of a scope belong together: same attributes, same time."""
    return point.data.time_ns, tuple(sorted(point.data.attributes.items(), key=lambda pair: pair[0]))


def _added(one: Point, two: Point) -> Point:
    """Add up two points that differ in nothing that is kept (a user was dropped from them)."""
    value = (one.data.value or 0.0) + (two.data.value or 0.0)
    data = replace(one.data, value=value, count=one.data.count + two.data.count)
    return replace(one, rows=one.rows + two.rows, data=data)


def _direction(point: Point) -> str:
    if point.metric.name == TOKEN_USAGE:
        return DIRECTIONS[str(point.data.attributes[TOKEN_TYPE])]
    return "input_tokens" if point.metric.name == INPUT_COUNTER else "output_tokens"


def _energy(point: Point, taken: Step) -> dict[str, Any]:
    """Give the energy, and of an accelerator the time that it was held."""
    energy = {"energy_kwh": taken.value * KWH_OF[point.metric.unit], "energy_boundary": "it"}
    if not _is_gpu(point):
        return energy
    hours = (point.data.time_ns - taken.start_ns) / (units.S_PER_H * 1e9)
    return {**energy, "energy_boundary": "device", "device_hours": hours}


def _is_gpu(point: Point) -> bool:
    return point.metric.name == PART_ENERGY and text(point.data.attributes, (PART_TYPE,)) == GPU


def _host(point: Point, resource: Mapping[str, Value], about: Mapping[str, Any]) -> dict[str, Any]:
    """Give the dimensions of the energy of a host, or of a part of it."""
    attributes, name = point.data.attributes, point.metric.name
    host = text(attributes, (HOST,)) or text(resource, (HOST, "host.id"))
    if host is None and name == HOST_ENERGY:
        host = text(attributes, ("hw.id",))
    labels = {**about["labels"], METRIC: name} | ({HOST: host} if host else {})
    if name == PART_ENERGY:
        labels[PART_TYPE] = text(attributes, (PART_TYPE,))
    named = {name: about[name] for name in ("team", "project", "environment", "application", "task", "account")}
    hardware = text(attributes, ("hw.model", "hw.name")) if _is_gpu(point) else None
    return {**named, **own_place(resource), "evidence": "measured", "hardware": hardware, "labels": labels}
