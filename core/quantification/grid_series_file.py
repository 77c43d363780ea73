"""Read a file of grid factors, hours or months: every fault of every row is told at once. Plain Python, no database."""

from __future__ import annotations

import csv
import io
import math
import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

import numpy as np

from core.quantification.grid_series import Floats, hours_in

VALUE: Final = "g_per_kwh"
HOUR: Final = "start_utc"
MONTH: Final = "month"
LARGEST_G_PER_KWH: Final = 3000.0
"""No grid weighs more: lignite burnt badly is below 1,500."""
ROWS_AT_MOST: Final = 500_000
YEARS: Final = (1990, 2100)
MINUTES_AN_HOUR: Final = 60
TEMPLATE: Final = f"{HOUR},{VALUE}\n2026-07-01T00:00Z,312.4\n2026-07-01T01:00Z,305.9\n"


@dataclass(frozen=True)
class Fault:
    """
    What is wrong with a file.

    Args:
        row: of the data, from 1, the header not counted; 0: the file as a whole.
        field: the column.
        reason: what is wrong, and what to do.
    """

    row: int
    field: str
    reason: str


class SeriesRefused(ValueError):  # said in the words of the product
    """A file with faults: nothing of it is written."""

    def __init__(self, faults: list[Fault]) -> None:
        first = faults[0]
        where = f"row {first.row}, {first.field}: " if first.row else ""
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        super().__init__(f"{where}{first.reason}{more}")
        self.faults = faults


@dataclass(frozen=True, eq=False)
class SeriesFile:
    """
    What a file holds.

    Args:
        months: as `core.quantification.grid_series.Series` has them.
        values: that were read: hours, or months.
        hours_incomplete: hours of which a part is missing, which are missing as a whole.
    """

    resolution: Literal["hourly", "monthly"]
    months: dict[date, Floats]
    values: int
    hours_incomplete: int = 0


def read_series(text: str) -> SeriesFile:
    """
    Read ``start_utc,g_per_kwh`` (steps of an hour, or equal steps that divide one) or ``month,g_per_kwh``.

    Raises:
        SeriesRefused: with every fault of the file.
    """
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    header = [name.strip().casefold() for name in rows[0]] if rows else []
    rows = [row for row in rows[1:] if any(cell.strip() for cell in row)]
    faults = _header_faults(header, len(rows))
    if faults:
        raise SeriesRefused(faults)
    time = header[0]
    found: list[tuple[int, datetime, float]] = []
    seen: dict[datetime, int] = {}
    for number, row in enumerate(rows, 1):
        cells = [cell.strip() for cell in row] + [""] * (2 - len(row))
        start, wrong_time = _month(cells[0]) if time == MONTH else _instant(cells[0])
        value, wrong_value = _value(cells[1])
        if start is not None and start in seen:
            wrong_time = f"{cells[0]} stands in row {seen[start]} already: keep one."
        faults += [Fault(number, field, wrong) for field, wrong in ((time, wrong_time), (VALUE, wrong_value)) if wrong]
        if start is not None and not wrong_time:
            seen[start] = number
            found.append((number, start, value))
    minutes = MINUTES_AN_HOUR if time == MONTH else _step(found)
    faults += _step_faults(found, minutes) if time == HOUR else []
    if faults:
        raise SeriesRefused(sorted(faults, key=lambda fault: fault.row))
    if time == MONTH:
        return SeriesFile("monthly", {start.date(): np.array([value]) for _, start, value in sorted(found)}, len(found))
    return _hourly(found, minutes)


def _header_faults(header: list[str], rows: int) -> list[Fault]:
    if len(header) != 2 or header[0] not in (HOUR, MONTH):
        return [Fault(0, HOUR, f"The first line must be {HOUR},{VALUE} or {MONTH},{VALUE}: it says what a row is.")]
    if header[1] != VALUE:
        reason = f"The unit is missing: name the column {VALUE}, with grams of CO2e (or CO2) per kWh in it."
        return [Fault(0, header[1] or VALUE, reason)]
    if not rows:
        return [Fault(0, VALUE, "The file has no values.")]
    if rows > ROWS_AT_MOST:
        return [Fault(0, VALUE, f"The file has more than {ROWS_AT_MOST:,} rows: import it year by year.")]
    return []


def _instant(text: str) -> tuple[datetime | None, str]:
    """Read a UTC time; a time of another zone is refused, since nobody could say which hour a local one is in autumn."""
    try:
        start = datetime.fromisoformat(text)
    except ValueError:
        return None, f"{text!r} is no time such as 2026-07-01T00:00Z."
    start = start.replace(tzinfo=UTC) if start.tzinfo is None else start
    if start.utcoffset():
        return None, f"{text} is not UTC: convert the times, the hour of a local one is not certain in autumn."
    if start.second or start.microsecond:
        return None, f"{text} does not begin at a whole minute."
    return _within(start.astimezone(UTC), text)


def _month(text: str) -> tuple[datetime | None, str]:
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", text):
        return None, f"{text!r} is no month such as 2026-07."
    if text.startswith("0000"):
        return None, f"{text!r} is no month such as 2026-07."
    return _within(datetime(int(text[:4]), int(text[5:]), 1, tzinfo=UTC), text)


def _within(start: datetime, text: str) -> tuple[datetime | None, str]:
    if not YEARS[0] <= start.year < YEARS[1]:
        return None, f"{text} lies outside {YEARS[0]} to {YEARS[1] - 1}."
    return start, ""


def _value(text: str) -> tuple[float, str]:
    try:
        value = float(text)
    except ValueError:
        return math.nan, f"{text!r} is no number: leave the row out where the value is missing."
    if not math.isfinite(value):
        return math.nan, f"{text!r} is no number: leave the row out where the value is missing."
    if value < 0:
        return value, f"{value:g} g/kWh is negative: an average intensity cannot be."
    if value > LARGEST_G_PER_KWH:
        return (
            value,
            f"{value:g} g/kWh is more than any grid weighs: check the unit, {LARGEST_G_PER_KWH:g} is the most.",
        )
    return value, ""


def _step(found: list[tuple[int, datetime, float]]) -> int:
    """Find the step of a series: what most neighbours are apart; of two as common, the shorter. [min]"""
    starts = sorted(start for _, start, _ in found)
    apart = Counter(int((after - before).total_seconds()) // 60 for before, after in pairwise(starts))
    return min(apart, key=lambda minutes: (-apart[minutes], minutes)) if apart else MINUTES_AN_HOUR


def _step_faults(found: list[tuple[int, datetime, float]], minutes: int) -> list[Fault]:
    if MINUTES_AN_HOUR % minutes:
        return [
            Fault(0, HOUR, f"The step of {minutes} min does not divide an hour: give hours, or equal parts of them.")
        ]
    return [
        Fault(number, HOUR, f"{start:%Y-%m-%dT%H:%MZ} does not lie on the step of {minutes} min of the other rows.")
        for number, start, _ in found
        if start.minute % minutes
    ]


def _hourly(found: list[tuple[int, datetime, float]], minutes: int) -> SeriesFile:
    """Average equal steps to UTC hours; an hour of which a part is missing is missing."""
    parts: dict[datetime, list[float]] = {}
    for _, start, value in sorted(found):
        parts.setdefault(start.replace(minute=0), []).append(value)
    months: dict[date, Floats] = {}
    incomplete = 0
    for hour, values in parts.items():
        if len(values) < MINUTES_AN_HOUR // minutes:
            incomplete += 1
            continue
        month = date(hour.year, hour.month, 1)
        if month not in months:
            months[month] = np.full(hours_in(month), np.nan)
        position = (hour - datetime(month.year, month.month, 1, tzinfo=UTC)) // timedelta(hours=1)
        months[month][position] = math.fsum(values) / len(values)
    if not months:
        raise SeriesRefused([Fault(0, HOUR, "No hour is whole.")])
    return SeriesFile("hourly", months, len(parts) - incomplete, incomplete)
