"""Ember's yearly and monthly electricity data, long format (CC BY 4.0): life-cycle intensity of production by country."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Final

from core.factors.feeds.slot import FeedError, Slot

VARIABLE: Final = "CO2 intensity"
UNIT: Final = "gCO2/kWh"


def read(body: bytes) -> list[Slot]:
    """Read the rows of CO2 intensity; regions (without an ISO code) and years without a value are left out. Raises FeedError."""
    rows = csv.DictReader(io.StringIO(body.decode("utf-8-sig", errors="replace"), newline=""))
    names = set(rows.fieldnames or ())
    if not {"ISO 3 code", "Variable", "Unit", "Value"} <= names or not names & {"Year", "Date"}:
        raise FeedError("the file has not the columns of Ember's long format")
    slots = []
    for row in rows:
        if row["Variable"] != VARIABLE or not row["ISO 3 code"] or not row["Value"]:
            continue
        if row["Unit"] != UNIT:
            raise FeedError(f"{VARIABLE} is in {row['Unit']!r}, not in {UNIT}")
        start, end = _interval(row.get("Year") or row.get("Date") or "")
        try:
            value = float(row["Value"])
        except ValueError:
            raise FeedError(f"{row['Value'][:40]!r} is no number") from None
        slots.append(Slot(row["ISO 3 code"], start, end, value, "measured", "average", "lifecycle", "CO2e"))
    return slots


def _interval(text: str) -> tuple[datetime, datetime]:
    """Give the year, or the month of a date, as a half-open interval."""
    try:
        if len(text) == 4:
            return datetime(int(text), 1, 1, tzinfo=UTC), datetime(int(text) + 1, 1, 1, tzinfo=UTC)
        start = datetime.fromisoformat(text).replace(day=1, tzinfo=UTC)
    except ValueError:
        raise FeedError(f"{text[:40]!r} is neither a year nor a date") from None
    return start, start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
