"""When there was activity: what a page opens with, and how far a period is covered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.db import connection

from core.accounting.figures import Filter
from core.accounting.models import View


@dataclass(frozen=True)
class Activity:
    """First and last day with counted records up to today, UTC; both None before the first record."""

    first_day: date | None
    last_day: date | None


def activity_of(organization_id: int, view: View | None, today: date) -> Activity:
    """Read the span of days that have figures. Bills may name days to come; those are not looked at."""
    if view is None:
        return Activity(None, None)
    with connection.cursor() as cursor:
        cursor.execute(
            "select min(day), max(day) from accounting_daily where organization_id = %s and view_id = %s and day <= %s",
            [organization_id, view.id, today],
        )
        return Activity(*cursor.fetchone())


def opening_period(activity: Activity, today: date) -> str:
    """
    Name the quarter that a page opens with: the last complete one where it has activity, else the latest that has.

    >>> day = date(2026, 11, 25)
    >>> opening_period(Activity(date(2026, 1, 1), day), day), opening_period(Activity(date(2026, 11, 20), day), day)
    ('2026-Q3', '2026-Q4')
    """
    complete = quarter_start(quarter_start(today) - timedelta(days=1))
    if activity.first_day is None or activity.last_day is None:
        return quarter_name(complete)
    if activity.first_day >= quarter_start(today):
        return quarter_name(quarter_start(today))
    return quarter_name(min(complete, quarter_start(activity.last_day)))


def quarter_start(day: date) -> date:
    """Return the first day of a day's quarter."""
    return date(day.year, day.month - (day.month - 1) % 3, 1)


def quarter_name(day: date) -> str:
    """Name a day's quarter: 2026-Q3."""
    return f"{day.year}-Q{(day.month + 2) // 3}"


def elapsed(filtered: Filter, activity: Activity, today: date) -> tuple[date, date]:
    """
    Cut a period to the days that can have figures: from the first day with activity up to today.

    Only so can a sum be held against a limit: days to come, and days before anybody reported, allow nothing.
    """
    first = max(filtered.from_day, activity.first_day or filtered.from_day)
    last = min(filtered.to_day, today)
    return min(first, filtered.to_day), max(last, min(first, filtered.to_day))


def covered_share(filtered: Filter, activity: Activity, today: date) -> float:
    """Tell which share of a period's days (up to today) lies after the first activity: 0 to 1."""
    last = min(filtered.to_day, today)
    days = (last - filtered.from_day).days + 1
    if days <= 0 or activity.first_day is None or activity.first_day > last:
        return 0.0
    return ((last - max(filtered.from_day, activity.first_day)).days + 1) / days
