"""Periods by their names: the presets of the filter bar, and the period before and after one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from core.accounting.figures import Filter
from reporting.query import before

NAMED: Final = re.compile(r"(?P<fiscal>FY)?(?P<year>\d{4})(?:-(?:Q(?P<quarter>[1-4])|(?P<month>\d\d)))?")
LATEST_DAYS: Final = (7, 30, 90, 365)


@dataclass(frozen=True)
class Preset:
    """A period that is offered: ``kind`` (month, quarter, year, fiscal_quarter, fiscal_year, days) and which one of it."""

    kind: str
    which: str  # this, last, or how many days
    name: str  # as the address says it


def presets(today: date, fiscal_start: int = 1) -> list[Preset]:
    """
    List the periods that are offered, in this order: months, quarters, years, fiscal ones, the latest days.

    Args:
        today: UTC.
        fiscal_start: month that a fiscal year starts in; where it is January, fiscal years are years and are left out.

    >>> [one.name for one in presets(date(2026, 11, 25), 10)][:4]
    ['2026-11', '2026-10', '2026-Q4', '2026-Q3']
    >>> [one.name for one in presets(date(2026, 11, 25), 10)][6:10]
    ['FY2027-Q1', 'FY2026-Q4', 'FY2027', 'FY2026']
    """
    quarter = f"{today.year}-Q{(today.month + 2) // 3}"
    kinds = [("month", f"{today:%Y-%m}"), ("quarter", quarter), ("year", f"{today.year}")]
    if fiscal_start > 1:
        year = f"FY{today.year + (today.month >= fiscal_start)}"
        kinds += [("fiscal_quarter", f"{year}-Q{(today.month - fiscal_start) % 12 // 3 + 1}"), ("fiscal_year", year)]
    found = [
        Preset(kind, which, named)
        for kind, name in kinds
        for which, named in (("this", name), ("last", stepped_name(name, -1)))
    ]
    return found + [Preset("days", str(days), f"last-{days}d") for days in LATEST_DAYS]


def stepped_name(name: str, step: int) -> str:
    """
    Name the period before (-1) or after (1) a named one; "" for what is no name.

    >>> stepped_name("2026-Q1", -1), stepped_name("2026-12", 1), stepped_name("FY2026", 1), stepped_name("last-30d", 1)
    ('2025-Q4', '2027-01', 'FY2027', '')
    """
    match = NAMED.fullmatch(name)
    if not match:
        return ""
    fiscal, year = match["fiscal"] or "", int(match["year"])
    if match["quarter"]:
        index = year * 4 + int(match["quarter"]) - 1 + step
        return f"{fiscal}{index // 4:04}-Q{index % 4 + 1}"
    if match["month"]:
        index = year * 12 + int(match["month"]) - 1 + step
        return f"{index // 12:04}-{index % 12 + 1:02}"
    return f"{fiscal}{year + step:04}"


def stepped(filtered: Filter, label: str, step: int) -> dict[str, str | None]:
    """
    Give the parameters of the period before (-1) or after (1): by name where it has one, else as many days.

    >>> stepped(Filter(date(2026, 7, 3), date(2026, 7, 9)), "", 1)
    {'period': None, 'from_': '2026-07-10', 'to': '2026-07-16'}
    """
    if name := stepped_name(label, step):
        return {"period": name, "from_": None, "to": None}
    first, last = before(filtered.from_day, filtered.to_day) if step < 0 else after(filtered.from_day, filtered.to_day)
    return {"period": None, "from_": first.isoformat(), "to": last.isoformat()}


def after(first: date, last: date) -> tuple[date, date]:
    """
    Find the stretch after: as many whole months for whole months, as many days else.

    >>> after(date(2026, 1, 1), date(2026, 3, 31))
    (datetime.date(2026, 4, 1), datetime.date(2026, 6, 30))
    """
    start = last + timedelta(days=1)
    if first.day == 1 and start.day == 1:
        months = (start.year - first.year) * 12 + start.month - first.month
        end = start.year * 12 + start.month - 1 + months
        return start, date(end // 12, end % 12 + 1, 1) - timedelta(days=1)
    return start, start + (last - first)
