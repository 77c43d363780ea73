"""The metrics that are read: their names, units and attributes, and what makes a data point of them impossible."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from core.quantification import units
from core.quantification.signals import (
    GPU,
    HOST,
    HOST_ENERGY,
    PART_ENERGY,
    PART_TYPE,
    REQUEST_HISTOGRAM,
    TOKEN_HISTOGRAM,
)
from ingestion.sources import otlp_ecologits
from ingestion.sources.otlp_metric_wire import CUMULATIVE, DELTA, DataPoint, Metric
from ingestion.sources.otlp_resource import FAILURE, MODEL, OPERATION, OWN, PROVIDER, SERVER, TIER

TOKEN_USAGE: Final = TOKEN_HISTOGRAM
DURATION: Final = REQUEST_HISTOGRAM
INPUT_COUNTER: Final = "gen_ai.client.inference.usage.input_tokens"
OUTPUT_COUNTER: Final = "gen_ai.client.inference.usage.output_tokens"
CACHED_COUNTER: Final = "gen_ai.client.inference.usage.cache_read.input_tokens"
TOKEN_TYPE: Final = "gen_ai.token.type"  # noqa: S105  # the name of an attribute
MODALITY: Final = "gen_ai.token.modality"

READ: Final = frozenset(
    {TOKEN_USAGE, DURATION, INPUT_COUNTER, OUTPUT_COUNTER, CACHED_COUNTER, HOST_ENERGY, PART_ENERGY}
)
"""Metrics that are read; all others are outside."""

ENERGY: Final = frozenset({HOST_ENERGY, PART_ENERGY})
PARTS: Final = frozenset({GPU, "cpu", "memory"})
"""Types of components whose energy is read. Power supplies and enclosures hold that of others; fans and disks are the host's."""

TOKEN_UNITS: Final = frozenset({"", "1", "{token}", "{tokens}", "token", "tokens"})
KWH_OF: Final[Mapping[str, float]] = {
    "J": 1 / units.J_PER_KWH,
    "joules": 1 / units.J_PER_KWH,
    "kJ": 1000 / units.J_PER_KWH,
    "Wh": 1 / units.WH_PER_KWH,
    "W.h": 1 / units.WH_PER_KWH,
    "kWh": 1.0,
    "kW.h": 1.0,
}
"""Units of energy -> kWh."""

DIRECTIONS: Final[Mapping[str, str]] = {
    "input": "input_tokens",
    "prompt": "input_tokens",
    "output": "output_tokens",
    "completion": "output_tokens",
}

KEYS: Final = frozenset(
    {
        *PROVIDER,
        *OPERATION,
        *MODEL,
        *TIER,
        TOKEN_TYPE,
        MODALITY,
        FAILURE,
        SERVER,
        *OWN,
        "hw.id",
        "hw.model",
        "hw.name",
        PART_TYPE,
        HOST,
    }
)
"""Attributes of data points that are read; of others only that they differ is kept."""

LATEST_NS: Final = 2**63


def fault_of(metric: Metric, data: DataPoint) -> tuple[str, str, str] | None:
    """Find what makes a point of a metric that is read impossible, whenever it came: (field, reason, detail)."""
    if metric.name in otlp_ecologits.GAUGES:
        return _gauge_fault(metric, data)
    return _kind_fault(metric) or _number_fault(metric, data) or _time_order_fault(data) or _unit_fault(metric, data)


def _gauge_fault(metric: Metric, data: DataPoint) -> tuple[str, str, str] | None:
    if metric.kind != "gauge":
        return metric.name, "bad_field", f"{metric.kind or 'nothing'} where EcoLogits sends a gauge"
    if data.value is None or not math.isfinite(data.value):
        return metric.name, "bad_field", "it has no value"
    return (metric.name, "negative_quantity", str(data.value)) if data.value < 0 else None


def _kind_fault(metric: Metric) -> tuple[str, str, str] | None:
    wanted = {TOKEN_USAGE: "histogram", DURATION: "histogram"}.get(metric.name, "sum")
    kind = "histogram" if metric.kind == "exponentialHistogram" else metric.kind
    if kind != wanted:
        return metric.name, "bad_field", f"a {metric.kind} cannot be added up; send a {wanted}"
    if metric.kind == "sum" and not metric.monotonic:
        return metric.name, "bad_field", "a sum that is not monotonic cannot be added up; send a counter"
    if metric.temporality not in (DELTA, CUMULATIVE):
        return "aggregationTemporality", "bad_field", f"{metric.temporality} is neither delta (1) nor cumulative (2)"
    return None


def _number_fault(metric: Metric, data: DataPoint) -> tuple[str, str, str] | None:
    if data.value is None and metric.name == DURATION:
        return None if 0 <= data.count < 2**53 else (metric.name, "bad_field", "its count is no count")
    if data.value is None or not math.isfinite(data.value) or not 0 <= data.count < 2**53:
        return metric.name, "bad_field", "it has no sum"
    if data.value < 0:
        return metric.name, "negative_quantity", str(data.value)
    whole = metric.name in (TOKEN_USAGE, INPUT_COUNTER, OUTPUT_COUNTER, CACHED_COUNTER, otlp_ecologits.REQUESTS)
    if whole and (data.value != int(data.value) or data.value >= 2**53):
        return metric.name, "bad_field", f"{data.value} is not a whole number"
    return None


def _time_order_fault(data: DataPoint) -> tuple[str, str, str] | None:
    if not 0 < data.time_ns < LATEST_NS or not 0 <= data.start_ns < LATEST_NS:
        return "timeUnixNano", "bad_field", "start or end time is missing or no time"
    if data.start_ns > data.time_ns:
        return "timeUnixNano", "negative_interval", f"it ends {data.start_ns - data.time_ns} ns before its start"
    return None


def _unit_fault(metric: Metric, data: DataPoint) -> tuple[str, str, str] | None:
    if metric.name in ENERGY:
        odd = metric.unit not in KWH_OF
    elif metric.name == TOKEN_USAGE:
        token_type = data.attributes.get(TOKEN_TYPE)
        if token_type not in DIRECTIONS:
            return TOKEN_TYPE, "bad_field", f"{str(token_type)[:40]!r} is neither input nor output"
        odd = metric.unit not in TOKEN_UNITS
    else:
        odd = metric.name in (INPUT_COUNTER, OUTPUT_COUNTER, CACHED_COUNTER) and metric.unit not in TOKEN_UNITS
    return ("unit", "unknown_unit", f"{metric.unit[:40]!r} is no unit of {metric.name}") if odd else None
