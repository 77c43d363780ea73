"""
How much one record may hold at most: measures beyond belief are held back with a reason, not counted as measured.

The caps are generous: they are there for wrong units and broken counters, and lie above every bill and every meter that
was seen. Those of energy and of hours held are rates, so they follow the length of the record, and a source may raise
them in its settings. They are chosen so that the impacts of one record, at the upper bound and with the least efficient
hardware of the factor tables, fit the stored integers in every hour (in every day, for bills).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification import units

Numbers = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

HOST_POWER_KW: Final = 60.0
"""Most mean power of one host [kW]: the largest accelerator servers draw about 15 kW, a rack of them 120 kW."""
SITE_POWER_KW: Final = 50_000.0
"""Most mean power of any other record [kW]: a data centre of 50 MW under one series."""
DEVICES: Final = 80_000.0
"""Most accelerators that one record may stand for, over its whole length."""
INSTANCES: Final = 10_000.0
"""Most instances that one record may stand for, over its whole length."""

FLOPS_PER_HOUR: Final = 4e23
"""About 300,000 H100 at a model utilization of 0.4 for an hour: 3e5 x 989e12 x 0.4 x 3600."""
COUNTS: Final = {
    "requests": 1e12,
    "failed_requests": 1e12,
    "input_tokens": 1e13,
    "cached_input_tokens": 1e13,
    "output_tokens": 1e13,
}
"""Most of what one record may count, however long it is."""
QUANTITIES: Final = {"seat_months": 1e7, "reported_kg_co2e": 1e9, "water_l": 1e9}
"""Most of other measures in one record: ten million seats, a million tonnes, a million cubic metres."""

Finding = tuple[Mask, str, str, Callable[[int], str]]


@dataclass(frozen=True)
class Limits:
    """
    What records of a source may hold at most; each a number, or one for each row.

    Args:
        power_kw: mean power over the record. [kW]
        devices: accelerators held at once, on average.
        instances: instances held at once, on average.
        instant_h: how long a record counts that ends when it starts. [h]
    """

    power_kw: float | pd.Series = SITE_POWER_KW
    devices: float | pd.Series = DEVICES
    instances: float | pd.Series = INSTANCES
    instant_h: float | pd.Series = 1.0


def beyond_belief(frame: pd.DataFrame, used: set[str], limits: Limits) -> Iterator[Finding]:
    """
    Find the records that hold more than can be.

    Args:
        frame: the activity table, times and measures in their dtypes; corrections count by their absolute value.
        used: columns in which anything is.
        limits: of their source.

    Yields:
        The mask of the rows at fault, the field, the reason and its detail for a row, measure by measure.
    """
    hours = _hours(frame, limits)
    rates = {
        "energy_kwh": (limits.power_kw, "implausible_energy", "kWh", "kW"),
        "device_hours": (limits.devices, "implausible_hours", "device-hours", "devices"),
        "instance_hours": (limits.instances, "implausible_hours", "instance-hours", "instances"),
        "flops": (FLOPS_PER_HOUR, "implausible_quantity", "floating-point operations", "an hour"),
    }
    for field, (rate, reason, unit, of) in rates.items():
        if field in used:
            most = np.broadcast_to(np.asarray(rate, dtype=np.float64), hours.shape)
            yield _above_rate(frame[field].to_numpy(dtype=np.float64), hours, most, (field, reason, unit, of))
    for field, cap in {**COUNTS, **QUANTITIES}.items():
        if field in used:
            reason = "implausible_count" if field in COUNTS else "implausible_quantity"
            yield _above(frame[field].to_numpy(dtype=np.float64, na_value=np.nan), cap, field, reason)


def _hours(frame: pd.DataFrame, limits: Limits) -> Numbers:
    """Give the length of each record. [h]"""
    hours = (frame["ended_at"] - frame["started_at"]).dt.total_seconds().to_numpy(dtype=np.float64) / units.S_PER_H
    return np.where(hours == 0, np.asarray(limits.instant_h, dtype=np.float64), hours)


def _above_rate(values: Numbers, hours: Numbers, most: Numbers, words: tuple[str, str, str, str]) -> Finding:
    field, reason, unit, of = words
    with np.errstate(invalid="ignore"):
        mask = np.abs(values) > most * hours
    return (
        mask,
        field,
        reason,
        lambda at: f"{values[at]:.6g} {unit} in {hours[at]:.6g} h is more than {most[at]:g} {of}",
    )


def _above(values: Numbers, cap: float, field: str, reason: str) -> Finding:
    with np.errstate(invalid="ignore"):
        mask = np.abs(values) > cap
    return mask, field, reason, lambda at: f"{values[at]:.6g} is more than {cap:g}, the most that one record may hold"
