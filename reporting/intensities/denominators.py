"""
Business figures that emissions are divided by: read from what somebody entered, and added up over a period.

Plain functions. A figure counts only in a period that holds all of its days; nothing is interpolated or spread.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from typing import Final

from core.accounting.figures import ATTRIBUTION, FilterError, Period, parse_period
from reporting.intensities.units import BUILT_IN, CURRENCY, DAY, MONTH, NAME, QUARTER, REVENUE, STANDARD

NARROWED_BY: Final = ("team", "project", "application")
"""A figure is about the whole organization, or about one value of one of these."""
COLUMNS: Final = ("series", "period", "value", "unit", "currency", *NARROWED_BY, "source")
NEEDED: Final = ("series", "period", "value")
WITHDRAWN: Final = "withdrawn"
LARGEST: Final = Decimal(10) ** 18
DECIMALS: Final = 9
LONGEST_TEXT: Final = 200
FIRST_YEAR, LAST_YEAR = 1990, 2200
_PERIOD: Final = re.compile(r"\d{4}-(?:Q[1-4]|\d{2}(?:-\d{2})?)")


@dataclass(frozen=True)
class Fault:
    """What is wrong with one row, counted from 1; ``field`` is empty where it is about the whole row."""

    row: int
    field: str
    reason: str


@dataclass(frozen=True)
class Key:
    """Which series a figure belongs to: kind, currency, and what it is narrowed to ("" everywhere: the organization)."""

    series: str
    currency: str = ""
    team: str = ""
    project: str = ""
    application: str = ""

    @property
    def level(self) -> str:
        """Name the dimension that the series is narrowed by, "" for none."""
        return next((name for name in NARROWED_BY if getattr(self, name)), "")

    @property
    def narrowed_to(self) -> str:
        """Name what the series is narrowed to, "" for the organization."""
        return self.team or self.project or self.application


@dataclass(frozen=True)
class Entry:
    """A figure as somebody entered it; without a value it withdraws the figure that stands."""

    row: int
    key: Key
    period: Period
    value: Decimal | None
    unit_text: str
    source: str


def read_entry(row: int, given: Mapping[str, object]) -> Entry | list[Fault]:
    """
    Read one row of a file, of a form, or of JSON, or say everything that is wrong with it.

    Args:
        given: values by ``COLUMNS``; text, or numbers from JSON. Absent, null and "" are the same.
    """
    faults = [
        Fault(row, str(name), f"There is no column {name!r}: use {', '.join(COLUMNS)}.")
        for name in given
        if name not in COLUMNS
    ]
    texts = {name: _text(given.get(name)) for name in COLUMNS}
    for name, text in texts.items():
        if not text and name in NEEDED:
            faults.append(Fault(row, name, f"{name} is missing."))
        if len(text) > LONGEST_TEXT or not text.isprintable():
            faults.append(Fault(row, name, f"At most {LONGEST_TEXT} printable characters."))
    narrowed = [name for name in NARROWED_BY if texts[name]]
    if len(narrowed) > 1:
        faults.append(
            Fault(row, narrowed[1], f"A figure is narrowed by one dimension, not by {' and '.join(narrowed)}.")
        )
    period = read_period(texts["period"]) if texts["period"] else None
    if isinstance(period, str):
        faults.append(Fault(row, "period", period))
    value = read_value(texts["value"]) if texts["value"] else None
    if isinstance(value, str):
        faults.append(Fault(row, "value", value))
    faults += _series_faults(row, texts, period if isinstance(period, Period) else None)
    if faults or not isinstance(period, Period) or isinstance(value, str):
        return faults
    key = Key(texts["series"], texts["currency"], *(texts[name] for name in NARROWED_BY))
    standard = STANDARD.get(key.series)
    return Entry(row, key, period, value, standard.unit_text if standard else texts["unit"], texts["source"])


def _text(value: object) -> str:
    if value is None or isinstance(value, bool | dict | list):
        return "" if value is None else repr(value)  # no number, no name: refused by what reads it
    return str(value).strip()


def _series_faults(row: int, texts: Mapping[str, str], period: Period | None) -> list[Fault]:
    """Hold a row to what its series asks for."""
    name, faults = texts["series"], []
    if name and not NAME.fullmatch(name):
        faults.append(
            Fault(row, "series", f"{name!r} is no name of a series: small letters, digits and _, a letter first.")
        )
    if name in BUILT_IN or name in ATTRIBUTION:
        faults.append(Fault(row, "series", f"{name!r} is a word of its own here: choose another name."))
    if name == REVENUE and not CURRENCY.fullmatch(texts["currency"]):
        faults.append(Fault(row, "currency", "Revenue needs its currency, three letters of ISO 4217 such as EUR."))
    if name != REVENUE and texts["currency"]:
        faults.append(Fault(row, "currency", "Only revenue has a currency."))
    standard = STANDARD.get(name)
    if standard and texts["unit"] not in ("", standard.unit_text):
        faults.append(Fault(row, "unit", f"One of {name} is always: {standard.unit_text}."))
    if standard and period and length_of(period) not in standard.lengths:
        faults.append(
            Fault(row, "period", f"{name} is given by {' or '.join(standard.lengths)}: {standard.why_lengths}.")
        )
    return faults


def read_value(text: str) -> Decimal | str | None:
    """
    Read a value; None withdraws. Returns what is wrong where it cannot be read.

    >>> read_value("1204.5"), read_value("withdrawn"), read_value("-1")
    (Decimal('1204.5'), None, 'A figure is zero or more.')
    """
    if text == WITHDRAWN:
        return None
    try:
        value = Decimal(text)
    except InvalidOperation:
        return f"{text!r} is no number: write 1204.5, with a point and without separators, or {WITHDRAWN}."
    if not value.is_finite():
        return f"{text!r} is no number."
    if value < 0:
        return "A figure is zero or more."
    if value >= LARGEST or value != round(value, DECIMALS):
        return f"A figure is less than {LARGEST:.0e} and has at most {DECIMALS} decimals."
    return value


def read_period(text: str) -> Period | str:
    """
    Read a day, month or quarter. Returns what is wrong where there is none of that name.

    >>> read_period("2026-02"), read_period("2026")
    (Period(from_day=datetime.date(2026, 2, 1), to_day=datetime.date(2026, 2, 28)), "'2026' is no period: write 2026-07-15, \
2026-07 or 2026-Q3.")
    """
    wrong = f"{text!r} is no period: write 2026-07-15, 2026-07 or 2026-Q3."
    if not _PERIOD.fullmatch(text) or not FIRST_YEAR <= int(text[:4]) <= LAST_YEAR:
        return wrong
    try:
        if len(text) == len("2026-07-15"):
            day = date.fromisoformat(text)
            return Period(day, day)
        return parse_period(text)
    except (ValueError, FilterError):
        return wrong


def length_of(period: Period) -> str:
    """Say whether a figure's period is a day, a month or a quarter."""
    days = (period.to_day - period.from_day).days + 1
    return DAY if days == 1 else MONTH if days <= 31 else QUARTER


def period_text(first: date, last: date) -> str:
    """
    Name days as files do: a day, month, quarter or year by its name, else both ends.

    >>> period_text(date(2026, 7, 1), date(2026, 9, 30)), period_text(date(2026, 7, 3), date(2026, 9, 30))
    ('2026-Q3', '2026-07-03 to 2026-09-30')
    """
    if first == last:
        return first.isoformat()
    if first.day == 1 and last.day == calendar.monthrange(last.year, last.month)[1] and first.year == last.year:
        if first.month == last.month:
            return f"{first:%Y-%m}"
        if last.month - first.month == 2 and first.month % 3 == 1:
            return f"{first.year}-Q{(first.month + 2) // 3}"
        if (first.month, last.month) == (1, 12):
            return str(first.year)
    return f"{first} to {last}"


# --- adding up ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Figure:
    """A figure that stands: its days, both inclusive, and how many."""

    from_day: date
    to_day: date
    value: Decimal


@dataclass(frozen=True)
class Sum:
    """The figures of one series in a period: how many, or None and which days have none, or only a part of one."""

    value: Decimal | None
    missing: tuple[Period, ...] = ()
    cut: tuple[Figure, ...] = ()


def sum_within(figures: Sequence[Figure], first: date, last: date) -> Sum:
    """
    Add up the figures of one series whose days all lie in a period (both inclusive).

    Args:
        figures: that stand; their days never overlap (`overlaps` sees to it when they are entered).

    A period with a day that no figure covers, or that holds only a part of a figure, has no sum: nothing is interpolated.

    >>> july = Figure(date(2026, 7, 1), date(2026, 7, 31), Decimal(100))
    >>> sum_within([july], date(2026, 7, 1), date(2026, 7, 31)).value
    Decimal('100')
    >>> sum_within([july], date(2026, 7, 2), date(2026, 7, 31)).value is None
    True
    """
    inside = sorted(
        (one for one in figures if first <= one.from_day and one.to_day <= last), key=lambda one: one.from_day
    )
    cut = tuple(
        one
        for one in figures
        if one.from_day <= last and one.to_day >= first and not (first <= one.from_day and one.to_day <= last)
    )
    missing, day = [], first
    for one in inside:
        if one.from_day > day:
            missing.append(Period(day, one.from_day - timedelta(days=1)))
        day = one.to_day + timedelta(days=1)
    if day <= last:
        missing.append(Period(day, last))
    if missing:
        return Sum(None, tuple(piece for gap in missing for piece in by_month(gap)), cut)
    return Sum(sum((one.value for one in inside), Decimal(0)))


def by_month(gap: Period) -> list[Period]:
    """Part a stretch of days at the ends of months, to name what is missing as it would be entered."""
    pieces, first = [], gap.from_day
    while first <= gap.to_day:
        end = date(first.year, first.month, calendar.monthrange(first.year, first.month)[1])
        pieces.append(Period(first, min(end, gap.to_day)))
        first = end + timedelta(days=1)
    return pieces


def overlaps(one: Period, other: Period) -> bool:
    """Tell whether two periods share a day."""
    return one.from_day <= other.to_day and other.from_day <= one.to_day
