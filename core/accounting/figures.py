"""What a figure is asked for: one typed filter for pages, API and commands, and the words that periods are named by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

UNATTRIBUTED: Final = "unattributed"

ATTRIBUTION: Final = ("team", "project", "application", "task", "environment")
"""Dimensions that rules of derive complete; where nobody is known they read ``unattributed``."""

DIMS: Final = (
    *ATTRIBUTION,
    "site",
    "stage",
    "hosting",
    "provider",
    "region",
    "zone",
    "account",
    "evidence",
    "model",
    "hardware",
    "instance_type",
    "tier",
    "run",
    "source",
    "method",
    "scope",
    "role",
)
"""What figures can be grouped by. ``run`` is answered from the ledger, all else from daily rows."""

FILTERS: Final = (*(dim for dim in DIMS if dim != "role"), "technique")
"""What figures can be narrowed to; several values of one dimension mean either."""

GRAINS: Final = ("total", "hour", "day", "week", "month", "quarter", "year")
BASES: Final = ("location", "market")
INCLUDES: Final = ("upstream", "embodied")
ROLES: Final = ("counted", "cross_check")
BOOKINGS: Final = ("life-cycle", "disclosed")


class FilterError(ValueError):
    """A filter that cannot be; ``field`` names the parameter, the message says what it may be."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Filter:
    """
    Which figures, and how they are grouped (contracts.md section 3).

    Args:
        from_day, to_day: first and last day, both inclusive, UTC.
        dims: dimension of ``FILTERS`` to the values that it may have; ``unattributed`` is nobody.
        by: dimensions of ``DIMS`` to group by, in order.
        grain: one of ``GRAINS``; weeks begin on Monday.
        basis: the one of ``BASES`` that is in the total.
        include: the parts of ``INCLUDES`` that are in the total.
        role: the ``ROLES`` that are counted in.
        booking: one of ``BOOKINGS``.

    Raises:
        FilterError: a name or combination that there is not.
    """

    from_day: date
    to_day: date
    dims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    by: tuple[str, ...] = ()
    grain: str = "total"
    basis: str = "location"
    include: tuple[str, ...] = INCLUDES
    role: tuple[str, ...] = ("counted",)
    booking: str = "life-cycle"

    def __post_init__(self) -> None:
        """Refuse what cannot be answered, by the name of its parameter."""
        if self.to_day < self.from_day:
            raise FilterError("to", f"The period ends on {self.to_day}, before it starts on {self.from_day}.")
        _known("by", self.by, DIMS)
        _known("filter", tuple(self.dims), FILTERS)
        _known("grain", (self.grain,), GRAINS)
        _known("basis", (self.basis,), BASES)
        _known("include", self.include, INCLUDES)
        _known("role", self.role, ROLES)
        _known("booking", (self.booking,), BOOKINGS)
        if len(set(self.by)) != len(self.by):
            raise FilterError("by", "A dimension can be grouped by once.")
        if not self.role:
            raise FilterError("role", f"Choose at least one of {', '.join(ROLES)}.")
        for name, values in self.dims.items():
            if not values:
                raise FilterError(name, f"The filter {name} names no value.")

    def __hash__(self) -> int:
        """Let what a filter answers be remembered; the order in which its dimensions were named is no part of it."""
        return hash((self.from_day, self.to_day, tuple(sorted(self.dims.items())), self.by, self.grain, self.basis))

    def as_dict(self) -> dict[str, object]:
        """Repeat every option in force, defaults included, under its name outside."""
        return {
            "from": self.from_day.isoformat(),
            "to": self.to_day.isoformat(),
            "by": list(self.by),
            "grain": self.grain,
            "basis": self.basis,
            "include": list(self.include),
            "role": list(self.role),
            "booking": self.booking,
            **{name: list(values) for name, values in sorted(self.dims.items())},
        }

    @property
    def starts_at(self) -> datetime:
        """Return the first instant of the period."""
        return datetime.combine(self.from_day, time(), tzinfo=UTC)

    @property
    def ends_at(self) -> datetime:
        """Return the first instant after the period."""
        return datetime.combine(self.to_day + timedelta(days=1), time(), tzinfo=UTC)


def _known(name: str, values: tuple[str, ...], allowed: tuple[str, ...]) -> None:
    for value in values:
        if value not in allowed:
            raise FilterError(name, f"{value!r} is not one of {', '.join(allowed)}.")


@dataclass(frozen=True)
class Period:
    """First and last day of a named period, both inclusive."""

    from_day: date
    to_day: date


_PERIOD: Final = re.compile(r"(?P<fiscal>FY)?(?P<year>\d{4})(?:-(?:Q(?P<quarter>[1-4])|(?P<month>0[1-9]|1[0-2])))?")
_LATEST_DAYS: Final = re.compile(r"last-(?P<days>[1-9]\d{0,3})d")


def parse_period(text: str, fiscal_start: int = 1, *, today: date | None = None) -> Period:
    """
    Read a period's name: ``2026``, ``2026-Q3``, ``2026-07``, ``FY2026``, ``FY2026-Q3``; with `today` also ``last-30d``.

    Args:
        text: the name.
        fiscal_start: month (1 to 12) that a fiscal year starts in; it is named by the year in which it ends.
        today: UTC; the last of the latest days.

    Raises:
        FilterError: no period has this name.

    >>> parse_period("FY2026-Q1", fiscal_start=10)
    Period(from_day=datetime.date(2025, 10, 1), to_day=datetime.date(2025, 12, 31))
    """
    latest = _LATEST_DAYS.fullmatch(text)
    if latest and today is not None:
        return Period(today - timedelta(days=int(latest["days"]) - 1), today)
    match = _PERIOD.fullmatch(text)
    if not match or not 1 <= int(match["year"]) <= 9998 or (match["fiscal"] and match["month"]):
        raise FilterError("period", f"{text!r} is no period: write 2026, 2026-Q3, 2026-07, FY2026 or FY2026-Q3.")
    months, length = 0, 12
    if match["quarter"]:
        months, length = 3 * (int(match["quarter"]) - 1), 3
    elif match["month"]:
        months, length = int(match["month"]) - 1, 1
    year = int(match["year"])
    if match["fiscal"]:
        months += fiscal_start - 1
        year -= 1 if fiscal_start > 1 else 0
    return Period(_month(year, months), _month(year, months + length) - timedelta(days=1))


def _month(year: int, months: int) -> date:
    return date(year + months // 12, months % 12 + 1, 1)
