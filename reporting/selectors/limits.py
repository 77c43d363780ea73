"""The limit that holds on a day, and what it allows over a stretch of days."""

from __future__ import annotations

import calendar
from datetime import date, timedelta

from django.db.models import QuerySet

from core.organizations.tenancy import once_a_snapshot
from reporting.models import YearlyLimit


def limits(organization_id: int) -> QuerySet[YearlyLimit]:
    """List the limits, the newest first."""
    return YearlyLimit.objects.filter(organization_id=organization_id).order_by("-starts_on")


@once_a_snapshot
def limit_rows(organization_id: int) -> list[YearlyLimit]:
    """Read the limits once for all parts of a page, the newest first."""
    return list(limits(organization_id))


def limits_kg_co2e(organization_id: int, stretches: list[tuple[date, date]]) -> list[float | None]:
    """
    What the limits allow over each stretch of days (both inclusive), pro rata by days. [kg CO2e]

    Of several limits the one that started last holds. A stretch with a day that no limit covers gives None.
    """
    rows = limit_rows(organization_id)
    return [_limit(rows, first, last) for first, last in stretches]


def _limit(rows: list[YearlyLimit], first: date, last: date) -> float | None:
    total, day = 0.0, first
    while day <= last:
        holding = next(
            (row for row in rows if row.starts_on <= day and (row.ends_on is None or day <= row.ends_on)), None
        )
        if holding is None:
            return None
        changes = [row.starts_on - timedelta(days=1) for row in rows if row.starts_on > day]
        until = min([last, date(day.year, 12, 31), *changes, *([holding.ends_on] if holding.ends_on else [])])
        days_of_year = 366 if calendar.isleap(day.year) else 365
        total += holding.limit_kg_co2e_per_year * ((until - day).days + 1) / days_of_year
        day = until + timedelta(days=1)
    return total
