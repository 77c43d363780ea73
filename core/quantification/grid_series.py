"""
One granularity of grid factors per zone and quarter: coverage, choice, filling and gaps (methodology 3.1).

A quarter is a calendar quarter in UTC, named by its first day. What it takes follows from the values that are there and the
organization's choice alone, never from today's date, so an open quarter is served like any other that is not covered.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Granularity = Literal["hourly", "monthly", "yearly"]

GRANULARITIES: Final[tuple[Granularity, ...]] = ("hourly", "monthly", "yearly")
"""From fine to coarse; yearly: the published factors."""
COVERED_PERCENT: Final = 98
"""Share of its hours that a period must have for a series to serve it."""
PUBLISHED: Final = "published"
"""Fingerprint of what takes the published factors."""
HOURS_A_DAY: Final = 24


@dataclass(frozen=True)
class Kind:
    """
    What the numbers of a series mean; a quarter of a zone has one kind.

    Attributes:
        boundary: ``direct`` or ``lifecycle``.
        basis: ``production`` or ``consumption``.
        gas_basis: ``CO2e`` or ``CO2``.
    """

    boundary: str
    basis: str
    gas_basis: str


@dataclass(frozen=True, eq=False)
class Series:
    """
    One import of a zone's factors.

    Attributes:
        id: grows with time: of two values for one hour the later import's is taken.
        zone: as the catalog names it.
        source, licence: where the numbers come from.
        resolution: ``hourly``, or ``monthly``.
        months: first of a month to its values [g/kWh]: one for each of its hours, NaN where missing, or one for all.
    """

    id: int
    zone: str
    kind: Kind
    source: str
    licence: str
    resolution: Literal["hourly", "monthly"]
    months: Mapping[date, Floats]


@dataclass(frozen=True)
class Gap:
    """Hours in a row that a series has no value for."""

    first_hour: datetime
    hours: int


@dataclass(frozen=True)
class MonthFactor:
    """A month's factor [g/kWh], and whether it was ``given`` or is the ``mean`` of an hourly series."""

    month: date
    g_per_kwh: float
    origin: Literal["given", "mean"]
    sources: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Served:
    """
    What a zone's quarter takes.

    Attributes:
        chosen: what the organization asked for.
        granularity: what serves it; ``yearly``: the published factors.
        hours_present, hours: that the hourly series has, and that the quarter has.
        gaps: hours missing in the hourly series, where hourly was asked for.
        months_missing: months without a factor, where a monthly one was tried.
        hourly: every hour of the quarter, the missing ones filled; None unless it serves. [g/kWh]
        monthly: None unless it serves.
        kind, sources, licences: of the values that serve; None and empty for yearly.
    """

    zone: str
    quarter: date
    chosen: Granularity
    granularity: Granularity
    hours_present: int
    hours: int
    gaps: tuple[Gap, ...] = ()
    months_missing: tuple[date, ...] = ()
    hourly: Floats | None = None
    monthly: tuple[MonthFactor, ...] | None = None
    kind: Kind | None = None
    sources: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()

    @property
    def hours_missing(self) -> int:
        """Count the hours that the hourly series has no value for."""
        return self.hours - self.hours_present

    @property
    def fingerprint(self) -> str:
        """Hash all that a figure could follow from: what has the same fingerprint makes the same figures."""
        if self.granularity == "yearly":
            return PUBLISHED
        digest = hashlib.sha256(repr((self.granularity, self.kind, self.sources, self.licences)).encode())
        digest.update(repr(self.monthly).encode())
        if self.hourly is not None:
            digest.update(repr(self.hours_missing).encode() + self.hourly.astype("<f8").tobytes())
        return digest.hexdigest()


def quarter_of(day: date) -> date:
    """
    Return the first day of a day's quarter.

    >>> quarter_of(date(2026, 8, 31))
    datetime.date(2026, 7, 1)
    """
    return date(day.year, 3 * ((day.month - 1) // 3) + 1, 1)


def month_after(month: date) -> date:
    """Return the first day of the next month."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def months_of(quarter: date) -> tuple[date, date, date]:
    """Return the first days of a quarter's months."""
    second = month_after(quarter)
    return quarter, second, month_after(second)


def quarter_after(quarter: date) -> date:
    """Return the first day of the next quarter."""
    return month_after(months_of(quarter)[2])


def quarter_name(quarter: date) -> str:
    """
    Name a quarter.

    >>> quarter_name(date(2026, 7, 1))
    '2026-Q3'
    """
    return f"{quarter.year}-Q{(quarter.month + 2) // 3}"


def hours_in(month: date) -> int:
    """Count the hours of a month."""
    return (month_after(month) - month).days * HOURS_A_DAY


def is_covered(present: int, total: int) -> bool:
    """
    Tell whether enough of a period's hours are there; in whole numbers, so that no rounding decides.

    >>> is_covered(2117, 2160), is_covered(2116, 2160)
    (True, False)
    """
    return total > 0 and 100 * present >= COVERED_PERCENT * total


def serve(series: Sequence[Series], zone: str, quarter: date, chosen: Granularity) -> Served:
    """
    Choose the granularity that serves a zone's quarter: the one asked for, else the next coarser one that covers it.

    Args:
        series: imports of this zone that stand, in any order.
    """
    newest_first = sorted((each for each in series if each.zone == zone), key=lambda each: -each.id)
    values, owner = _layered(newest_first, quarter)
    present = int(np.count_nonzero(~np.isnan(values)))
    published = Served(zone, quarter, chosen, "yearly", present, len(values))
    if chosen == "yearly":
        return published
    if chosen == "hourly":
        published = replace(published, gaps=tuple(gaps_of(values, quarter)))
        if is_covered(present, len(values)):
            used = [each for each in newest_first if np.any(owner == each.id)]
            return _by(replace(published, granularity="hourly", hourly=filled(values, quarter)), used)
    factors, used = _monthly(newest_first, values, owner, quarter)
    published = replace(published, months_missing=tuple(month for month in months_of(quarter) if month not in factors))
    if not is_covered(sum(map(hours_in, factors)), len(values)):
        return published
    return _by(replace(published, granularity="monthly", monthly=tuple(factors.values())), used)


def _by(served: Served, used: Sequence[Series]) -> Served:
    """Say whose values serve a quarter. It has one kind, see `Kind`."""
    return replace(
        served,
        kind=used[0].kind,
        sources=_distinct(each.source for each in used),
        licences=_distinct(each.licence for each in used if each.licence),
    )


def _layered(newest_first: Sequence[Series], quarter: date) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Take each hour's value from the newest import that has one; NaN and -1 where none has."""
    parts, owners = [], []
    for month in months_of(quarter):
        values = np.full(hours_in(month), np.nan)
        owner = np.full(len(values), -1, dtype=np.int64)
        for each in newest_first:
            if each.resolution == "hourly" and month in each.months:
                new = np.isnan(values) & ~np.isnan(each.months[month])
                values[new] = each.months[month][new]
                owner[new] = each.id
        parts.append(values)
        owners.append(owner)
    return np.concatenate(parts), np.concatenate(owners)


def _by_month(values: npt.NDArray[np.generic], quarter: date) -> Iterator[tuple[date, slice]]:
    start = 0
    for month in months_of(quarter):
        yield month, slice(start, start + hours_in(month))
        start += hours_in(month)


def filled(values: Floats, quarter: date) -> Floats:
    """
    Give each missing hour the mean of its month's hours present; a month without any stays missing.

    Args:
        values: of every hour of the quarter, NaN where missing. [g/kWh]

    Source: methodology 3.1. Never interpolated, and never taken from the yearly factor.
    """
    full = values.copy()
    for _, own in _by_month(values, quarter):
        missing = np.isnan(full[own])
        if missing.any() and not missing.all():
            full[own] = np.where(missing, mean_of(full[own][~missing]), full[own])
    return full


def mean_of(values: Floats) -> float:
    """Return the mean of values, the same in any order."""
    return math.fsum(values.tolist()) / len(values)


def gaps_of(values: Floats, quarter: date) -> Iterator[Gap]:
    """List the runs of hours without a value."""
    missing = np.concatenate([[False], np.isnan(values), [False]])
    edges = np.flatnonzero(missing[1:] != missing[:-1])
    begin = datetime(quarter.year, quarter.month, quarter.day, tzinfo=UTC)
    for first, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        yield Gap(begin + timedelta(hours=first), end - first)


def _monthly(
    newest_first: Sequence[Series], values: Floats, owner: npt.NDArray[np.int64], quarter: date
) -> tuple[dict[date, MonthFactor], list[Series]]:
    """Find the factors of a quarter's months: given, else the mean of at least 98 % of the month's hours."""
    found: dict[date, MonthFactor] = {}
    used: list[Series] = []
    for month, own in _by_month(values, quarter):
        given = next((each for each in newest_first if each.resolution == "monthly" and month in each.months), None)
        if given is not None:
            found[month] = MonthFactor(month, float(given.months[month][0]), "given", (given.source,))
            used.append(given)
            continue
        there = values[own][~np.isnan(values[own])]
        if is_covered(len(there), hours_in(month)):
            behind = [each for each in newest_first if np.any(owner[own] == each.id)]
            found[month] = MonthFactor(month, mean_of(there), "mean", _distinct(each.source for each in behind))
            used += behind
    return found, used


def _distinct(texts: Iterator[str]) -> tuple[str, ...]:
    return tuple(sorted(set(texts)))


def quarters_of(series: Sequence[Series]) -> list[date]:
    """List the quarters that some series has a value in."""
    return sorted({quarter_of(month) for each in series for month in each.months})
