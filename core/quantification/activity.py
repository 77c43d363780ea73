"""The canonical activity table: the columns that every adapter returns, and the integer measures that cells hold.

An activity table is a pandas DataFrame with the columns of ``COLUMNS``. Absent is null, never 0 and never "".
Text is ``object``/``str``, times are ``datetime64[us, UTC]``, counts are ``Int64``, other numbers ``float64`` (NaN: absent),
``techniques`` and ``flags`` are tuples of str, ``labels`` is a dict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.quantification import units

STAGES: Final = ("data_preparation", "experimentation", "training", "fine_tuning", "evaluation", "inference")
HOSTINGS: Final = ("owned", "colocated", "cloud", "api")
EVIDENCES: Final = ("measured", "modelled", "stated")
TIERS: Final = ("interactive", "standard", "batch")
ENERGY_BOUNDARIES: Final = ("device", "it", "facility")
REPORTED_BASES: Final = ("location", "market")

TIMES: Final = ("started_at", "ended_at")

SERIES_TEXT: Final = (
    "account",
    "team",
    "project",
    "application",
    "task",
    "environment",
    "site",
    "stage",
    "hosting",
    "provider",
    "region",
    "zone",
    "model",
    "hardware",
    "instance_type",
    "tier",
    "evidence",
    "energy_boundary",
    "reported_basis",
    "currency",
)
"""Text dimensions, as reported, that are part of the series key (beside source, techniques, labels, grain and mask)."""

IDENTIFIERS: Final = ("record_id", "run", "request", "trace", "corrects", "snapshot")
COUNTS: Final = ("requests", "failed_requests", "input_tokens", "cached_input_tokens", "output_tokens")
NUMBERS: Final = (
    "generation_s",
    "device_hours",
    "device_utilization",
    "instance_hours",
    "instance_utilization",
    "flops",
    "seat_months",
    "energy_kwh",
    "cost",
    "reported_kg_co2e",
    "water_l",
)
STRUCTURES: Final = ("techniques", "labels", "flags")

COLUMNS: Final = (*IDENTIFIERS, *TIMES, *SERIES_TEXT, *COUNTS, *NUMBERS, *STRUCTURES)


@dataclass(frozen=True)
class Measure:
    """A summable quantity: its column in cells, how many stored integers make one unit, and the unit's name."""

    column: str
    per_unit: int
    unit: str
    source: str  # the activity column that it comes from; its presence sets this measure's bit in the mask


MEASURES: Final = (
    Measure("requests", 1, "1", "requests"),
    Measure("failed_requests", 1, "1", "failed_requests"),
    Measure("input_tokens", 1, "1", "input_tokens"),
    Measure("cached_input_tokens", 1, "1", "cached_input_tokens"),
    Measure("output_tokens", 1, "1", "output_tokens"),
    Measure("generation_ns", units.PER_SECOND, "s", "generation_s"),
    Measure("device_nh", units.PER_HOUR, "h", "device_hours"),
    # Hinge hours H min(u, 0.1), H clip(u - 0.1, 0, 0.4), H max(u - 0.5, 0): any power curve with knots at 0, 10, 50 and
    # 100 % is linear in them, so utilization can be summed without choosing a curve (architecture.md section 4).
    Measure("device_low_nh", units.PER_HOUR, "h", "device_utilization"),
    Measure("device_middle_nh", units.PER_HOUR, "h", "device_utilization"),
    Measure("device_high_nh", units.PER_HOUR, "h", "device_utilization"),
    Measure("instance_nh", units.PER_HOUR, "h", "instance_hours"),
    Measure("instance_low_nh", units.PER_HOUR, "h", "instance_utilization"),
    Measure("instance_middle_nh", units.PER_HOUR, "h", "instance_utilization"),
    Measure("instance_high_nh", units.PER_HOUR, "h", "instance_utilization"),
    Measure("gflop", 1, "GFLOP", "flops"),
    Measure("nano_seat_months", units.PER_SEAT_MONTH, "seat-month", "seat_months"),
    Measure("energy_pkwh", units.PER_KWH, "kWh", "energy_kwh"),
    Measure("nano_cost", units.PER_CURRENCY_UNIT, "currency unit", "cost"),
    Measure("reported_nkg", units.PER_KG, "kg CO2e", "reported_kg_co2e"),
    Measure("water_nl", units.PER_L, "L", "water_l"),
)
MEASURE_COLUMNS: Final = tuple(measure.column for measure in MEASURES)

MASK_BITS: Final = {name: bit for bit, name in enumerate((*COUNTS, *NUMBERS))}
"""Presence mask of a series: bit ``MASK_BITS[column]`` is set when that activity column is there. Never renumbered."""
