"""
From records to cells: integer measures in fixed units, shared out over the hours that a record touches.

Everything here is exact: parts sum to their whole, a record and its reversal cancel in every hour, and no order of addition
can show, because cells are sums of 64-bit integers.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification import units
from core.quantification.activity import COUNTS, MASK_BITS, MEASURE_COLUMNS, MEASURES, NUMBERS

Integers = npt.NDArray[np.int64]

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US

# Knots of the power curve at 10 and 50 % of utilization (architecture.md section 4).
LOW_KNOT: Final = 0.1
HIGH_KNOT: Final = 0.5
HINGED: Final = {
    "device": ("device_hours", "device_utilization"),
    "instance": ("instance_hours", "instance_utilization"),
}

UNIT_OF: Final = {measure.source: measure.per_unit for measure in MEASURES}


def presence_mask(frame: pd.DataFrame) -> Integers:
    """
    Tell which measures each record has: bit ``MASK_BITS[column]`` is set where the column is not null. One int64 a row.

    >>> presence_mask(pd.DataFrame({"requests": [1, None], "energy_kwh": [None, 0.0]})).tolist()
    [1, 4096]
    """
    mask = np.zeros(len(frame), dtype=np.int64)
    for column, bit in MASK_BITS.items():
        if column in frame:
            mask |= frame[column].notna().to_numpy(dtype=np.int64) << bit
    return mask


def grain(frame: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """
    Tell which records are kept by day instead of by hour (True: day).

    Statements and lines of restated exports (they have a snapshot) that span whole UTC days say nothing about hours;
    derive takes 1/24 of a day where it needs an hour (architecture.md section 4). Nothing else is kept by day.
    """
    start, end = microseconds(frame["started_at"]), microseconds(frame["ended_at"])
    whole_days = (start % DAY_US == 0) & (end % DAY_US == 0) & (end > start)
    coarse = (frame["evidence"] == "stated").to_numpy(dtype=bool) | frame["snapshot"].notna().to_numpy(dtype=bool)
    return np.asarray(whole_days & coarse, dtype=np.bool_)


def microseconds(times: pd.Series) -> Integers:
    """Turn a column of UTC times into microseconds since 1970."""
    converted: Integers = (
        times.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]").astype(np.int64)
    )
    return converted


def unfit(frame: pd.DataFrame) -> pd.Series:
    """
    Name, for each record, the first column whose value does not fit the integers of a cell; None where all do.

    NaN is absent and fits; infinities do not.
    """
    found = np.full(len(frame), None, dtype=object)
    for column in COUNTS:
        if column in frame:  # the most negative integer has no positive twin
            found[frame[column].to_numpy(dtype=np.int64, na_value=0) < -units.INT64_MAX] = column
    for column in reversed(NUMBERS):
        if column in frame:
            scaled = np.abs(_scaled(column, frame[column].to_numpy(dtype=np.float64, na_value=np.nan)))
            found[scaled >= float(units.INT64_MAX)] = column
    return pd.Series(found, index=frame.index, dtype=object)


def to_units(frame: pd.DataFrame) -> Integers:
    """
    Turn measures as delivered into the integers of cells.

    Args:
        frame: columns of ``COUNTS`` and ``NUMBERS`` (missing columns count as absent), n rows.

    Returns:
        n rows by ``len(MEASURE_COLUMNS)``, in that order and in the units of ``MEASURES``, rounded half to even; absent
        is 0 here (the presence mask remembers it). Odd in the measures: the reversal of a record gives the negatives.

    Raises:
        OverflowError: a value does not fit; ``unfit`` names it beforehand.
    """
    misfits = unfit(frame)
    if misfits.notna().any():
        raise OverflowError(f"{misfits.dropna().iloc[0]} does not fit a 64-bit integer in the unit of cells")
    result = np.zeros((len(frame), len(MEASURE_COLUMNS)), dtype=np.int64)
    for position, measure in enumerate(MEASURES):
        if measure.source in COUNTS and measure.source in frame:
            result[:, position] = frame[measure.source].to_numpy(dtype=np.int64, na_value=0)
        elif measure.source in frame and not measure.source.endswith("_utilization"):
            result[:, position] = _integers(_scaled(measure.source, _numbers(frame, measure.source)))
    for device, (hours, utilization) in HINGED.items():
        if hours in frame and utilization in frame:
            parts = hinge_hours(_numbers(frame, hours), _numbers(frame, utilization))
            for name, part in zip(("low", "middle", "high"), parts, strict=True):
                result[:, MEASURE_COLUMNS.index(f"{device}_{name}_nh")] = _integers(part * units.PER_HOUR)
    return result


def hinge_hours(
    hours: npt.NDArray[np.float64], utilization: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """
    Split hours held by how far they were used: below 10 %, from 10 to 50 %, above 50 %. [h], NaN where either is absent.

    A power curve with knots at 0, 10, 50 and 100 % is linear in the three, so they can be summed before a curve is chosen.

    >>> [round(float(part[0]), 9) for part in hinge_hours(np.array([10.0]), np.array([0.6]))]
    [1.0, 4.0, 1.0]
    """
    return (
        hours * np.minimum(utilization, LOW_KNOT),
        hours * np.clip(utilization - LOW_KNOT, 0.0, HIGH_KNOT - LOW_KNOT),
        hours * np.maximum(utilization - HIGH_KNOT, 0.0),
    )


@dataclass(frozen=True)
class Spread:
    """
    Records shared out over hours: m parts of n records.

    Args:
        row: position of the record, 0 to n - 1. [m]
        hour: start of the hour (of the day, at grain day), microseconds since 1970. [m]
        first: whether this is the record's first part, where it is counted. [m]
        measures: integers as given. [m, k]
    """

    row: Integers
    hour: Integers
    first: npt.NDArray[np.bool_]
    measures: Integers


def slots_touched(started_us: Integers, ended_us: Integers, by_day: npt.NDArray[np.bool_]) -> Integers:
    """Count the hours (days, where ``by_day``) that each record touches: at least the one of its start."""
    step = np.where(by_day, DAY_US, HOUR_US)
    touched: Integers = np.maximum((ended_us - 1) // step - started_us // step + 1, 1)
    return touched


def spread_over_hours(
    started_us: Integers, ended_us: Integers, by_day: npt.NDArray[np.bool_], measures: Integers
) -> Spread:
    """
    Share records out over the hours they touch, in proportion to the time spent in each.

    Rounded cumulatively on the absolute value: the parts of a record sum to it exactly, none has the other sign, and a
    reversal cancels in every hour. Instants lie in the hour of their start. Grain day works alike with days.

    Args:
        started_us, ended_us: half-open interval, microseconds since 1970. [n]
        by_day: as `grain` says. [n]
        measures: integers. [n, k]
    """
    step = np.where(by_day, DAY_US, HOUR_US)
    slots = slots_touched(started_us, ended_us, by_day)
    if not (slots > 1).any():
        return Spread(np.arange(len(slots)), started_us // step * step, np.ones(len(slots), dtype=np.bool_), measures)
    row = np.repeat(np.arange(len(slots)), slots)
    begins = np.cumsum(slots) - slots
    part = np.arange(len(row)) - begins[row]
    hour = (started_us // step)[row] * step[row] + part * step[row]
    last = part == slots[row] - 1

    elapsed = np.minimum(hour + step[row], ended_us[row]) - started_us[row]
    share = elapsed / np.maximum(ended_us - started_us, 1)[row]
    whole = np.abs(measures)[row]
    # Before the last part the share is below 1, so the product stays below 2^63 also where an integer is rounded up to it.
    upto = np.rint(whole * np.where(last, 0.0, share)[:, None]).astype(np.int64)
    cumulative = np.where(last[:, None], whole, np.minimum(upto, whole))
    parts = np.diff(cumulative, axis=0, prepend=0)
    parts[part == 0] = cumulative[part == 0]
    return Spread(row, hour, part == 0, parts * np.sign(measures)[row])


def _numbers(frame: pd.DataFrame, column: str) -> npt.NDArray[np.float64]:
    return frame[column].to_numpy(dtype=np.float64, na_value=np.nan)


def _scaled(column: str, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Multiply by the integers in one unit; flops alone are counted in a larger unit than they are delivered in."""
    return values / units.FLOP_PER_GFLOP if column == "flops" else values * UNIT_OF[column]


def _integers(values: npt.NDArray[np.float64]) -> Integers:
    """Round half to even, absent as 0."""
    return np.rint(np.nan_to_num(values, nan=0.0)).astype(np.int64)
