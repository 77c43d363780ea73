"""
The path of a target: what each month on the way may come to (methodology 10).

With a whole year as base, every month is held against the same month of the base year, so that the seasons cancel: a year on
the path is exactly base x (1 - r (y - y0)). A shorter base is spread evenly over days; time passes month by month, and the
target year is where it should be as a whole.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from core.quantification.targets import reduction_fraction, target_kg
from reporting.targets.definition import CEILING, COMPOUND, STEPPED, Definition

MONTHS_A_YEAR = 12


@dataclass(frozen=True)
class Base:
    """
    The figure that a path starts from.

    Args:
        value: of the base period, in kg CO2e, kWh or L; of an intensity in kg CO2e per unit.
        months: what each month of it came to; empty for an intensity, which is no sum of its months.
    """

    value: float
    months: tuple[float, ...] = ()

    def scaled_to(self, value: float) -> Base:
        """Return the base as it is after a recalculation: the seasons stay."""
        if self.value == 0:
            return Base(value, self.months)
        return Base(value, tuple(each * value / self.value for each in self.months))

    def as_plain(self) -> dict[str, Any]:
        """Write the base as it is stored."""
        return {"value": self.value, "months": list(self.months)}


def base_from_plain(stored: Mapping[str, Any] | None) -> Base | None:
    """Read a stored base; a ceiling has none."""
    return Base(float(stored["value"]), tuple(map(float, stored["months"]))) if stored else None


@dataclass(frozen=True)
class Path:
    """A target with its base: what may be, for any stretch of days."""

    definition: Definition
    base: Base | None

    def __post_init__(self) -> None:
        """Refuse a base that does not belong to the definition."""
        if (self.base is None) != (self.definition.path == CEILING):
            raise ValueError("Every path but a ceiling has a base.")

    @property
    def first_day(self) -> date:
        """Return the first day that the path says something about."""
        first = self.definition.starts_on if self.base is None else self.definition.base_from
        return first or date.min

    @property
    def last_day(self) -> date:
        """Return the last day of the path; far away where it has no end."""
        if self.definition.target_year is None:
            return date.max
        return self.block_of_year(self.definition.target_year)[1]

    @property
    def is_by_month(self) -> bool:
        """Tell whether the base is a whole year, so that months are held against the same months."""
        return self.base is not None and len(months_between(*self._base_days())) == MONTHS_A_YEAR

    def block_of_year(self, year: int) -> tuple[date, date]:
        """Return the days of a year of the path: as the base year lies, else the calendar's."""
        if self.is_by_month:
            first, last = self._base_days()
            return plus_months(first, 12 * (year - last.year)), plus_months(first, 12 * (year - last.year + 1)) - DAY
        return date(year, 1, 1), date(year, 12, 31)

    def block_of(self, day: date) -> tuple[date, date]:
        """Return the year of the path that a day lies in."""
        first, last = self.block_of_year(day.year)
        return (first, last) if first <= day <= last else self.block_of_year(day.year + (1 if day > last else -1))

    def reduction(self, month: date) -> float:
        """Return the share of the base that is gone in a month."""
        if self.base is None:
            return 0.0
        definition, years, whole = self.definition, self._years(month), self._years_to(self.definition.target_year or 0)
        total, passed = definition.reduction or 0.0, min(max(years, 0.0), whole)
        if definition.path == STEPPED:
            at = self._year_of(month)
            if at >= (definition.target_year or at + 1):
                return total
            return max((each.reduction for each in definition.milestones if each.year <= at), default=0.0)
        if definition.path == COMPOUND:
            rate = definition.annual_rate
            rate = 1.0 - (1.0 - total) ** (1.0 / whole) if rate is None else rate
            return reduction_fraction("compound", years=passed, annual_rate=rate)
        if definition.milestones:
            points = [(0.0, 0.0), *((self._years_to(each.year), each.reduction) for each in definition.milestones)]
            if definition.milestones[-1].year != definition.target_year:
                points.append((whole, total))
            return float(np.interp(passed, [at for at, _ in points], [share for _, share in points]))
        return reduction_fraction("percent_by_year", years=passed, target_reduction=total, target_years=whole)

    def month(self, month: date) -> float | None:
        """
        Return what a month may come to; None outside the path.

        Args:
            month: its first day.
        """
        if not self.first_day <= month <= self.last_day:
            return None
        if self.base is None:
            return self._ceiling(month)
        if self.definition.per:
            start = self.base.value
        elif self.is_by_month:
            start = self.base.months[months_from(self._base_days()[0], month) % MONTHS_A_YEAR]
        else:
            first, last = self._base_days()
            start = self.base.value * days_in(month) / ((last - first).days + 1)
        return target_kg(start, self.reduction(month))

    def between(self, first: date, last: date) -> float | None:
        """
        Return what a stretch of days (both inclusive) may come to: a sum, or the mean rate of an intensity by days.

        None where a day of it is outside the path. Parts of a month count pro rata by days.
        """
        parts: list[tuple[float, int, int]] = []
        for month in months_between(first, last):
            allowed = self.month(month)
            if allowed is None:
                return None
            end = month + timedelta(days=days_in(month) - 1)
            days = (min(end, last) - max(month, first)).days + 1
            parts.append((allowed, days, days_in(month)))
        if self.definition.per:
            return sum(allowed * days for allowed, days, _ in parts) / sum(days for _, days, _ in parts)
        return sum(allowed if days == whole else allowed * days / whole for allowed, days, whole in parts)

    def by_year(self, until: int | None = None) -> list[tuple[int, float, float]]:
        """List the years of the path: year, what it may come to, and the share of the base that is gone by then."""
        first = (self.definition.base_year if self.base is not None else self.first_day.year) or 0
        found = []
        for year in range(first, (until or self.definition.target_year or first) + 1):
            start, end = self.block_of_year(year)
            start, end = max(start, self.first_day), min(end, self.last_day)
            allowed = self.between(start, end)
            if allowed is not None:
                found.append((year, allowed, self.reduction(end.replace(day=1))))
        return found

    @property
    def last_year_allows(self) -> float:
        """Return what the last year of the path may come to; of a ceiling what any year may."""
        return self.definition.ceiling or 0.0 if self.base is None else self.by_year()[-1][1]

    def _ceiling(self, month: date) -> float:
        limit = self.definition.ceiling or 0.0
        if self.definition.per:
            return limit
        return limit * days_in(month) / (366 if calendar.isleap(month.year) else 365)

    def _base_days(self) -> tuple[date, date]:
        return self.definition.base_from or date.min, self.definition.base_to or date.min

    def _year_of(self, month: date) -> int:
        """Name the year of the path that a month lies in."""
        return self.block_of(month)[1].year

    def _years(self, month: date) -> float:
        """Return how many years lie between the base and a month."""
        first, last = self._base_days()
        if self.is_by_month:
            return float(months_from(first, month) // MONTHS_A_YEAR)
        return position(month, month + timedelta(days=days_in(month) - 1)) - position(first, last)

    def _years_to(self, year: int) -> float:
        """Return how many years lie between the base and a year, which is where it should be from its first day on."""
        if self.is_by_month:
            return float(year - (self.definition.base_year or 0))
        return year - position(*self._base_days())


DAY = timedelta(days=1)


def position(first: date, last: date) -> float:
    """
    Return the middle of a stretch of days, in years: whole years lie at their half.

    >>> position(date(2026, 1, 1), date(2026, 12, 31)), position(date(2024, 1, 1), date(2024, 12, 31))
    (2026.5, 2024.5)
    """
    days = (last - first).days + 1
    total, day = 0.0, first
    while day <= last:
        until, length = min(last, date(day.year, 12, 31)), 366 if calendar.isleap(day.year) else 365
        number = (until - day).days + 1
        total += number * (day.year + (day.timetuple().tm_yday - 1 + number / 2) / length)
        day = until + DAY
    return total / days


def months_between(first: date, last: date) -> list[date]:
    """List the first days of the months that a stretch touches."""
    return [plus_months(first.replace(day=1), at) for at in range(months_from(first, last) + 1)]


def months_from(first: date, month: date) -> int:
    """Count the months from one to another."""
    return (month.year - first.year) * 12 + month.month - first.month


def plus_months(month: date, number: int) -> date:
    """Return the first day of a month so many months on."""
    months = month.year * 12 + month.month - 1 + number
    return date(months // 12, months % 12 + 1, 1)


def month_end(month: date) -> date:
    """Return the last day of a month."""
    return plus_months(month, 1) - DAY


def days_in(month: date) -> int:
    """Count the days of a month."""
    return calendar.monthrange(month.year, month.month)[1]


def stretches(months: Sequence[date]) -> Iterator[tuple[date, date]]:
    """Give each month's first and last day."""
    return ((month, month_end(month)) for month in months)


def contradiction(mine: Path, other: Path) -> str:
    """
    Say why two targets about the same figures cannot both stand; "" where they can.

    One that ends later may ask for less on the way, as a long-term target beside a near-term one does, but its end may not allow
    more than the end of the other.
    """
    (first, last), (begins, ends) = mine.definition.years(), other.definition.years()
    if first > ends or begins > last:
        return ""
    if last == ends:
        return (
            "asks for something else in the same years"
            if mine.last_year_allows != other.last_year_allows
            else ("asks for the same already")
        )
    earlier, later = (mine, other) if last < ends else (other, mine)
    if later.last_year_allows > earlier.last_year_allows:
        return "allows more later" if later is other else "allows less before"
    return ""
