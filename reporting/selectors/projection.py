"""Where an open period will end if the days to come are like the latest ones: a run rate, and nothing cleverer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Final

import pandas as pd

from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors import emissions
from reporting.selectors.periods import Activity

MOST_DAYS: Final = 91
"""A quarter of history is looked at: long enough to hold a training run, short enough to be about now."""
FEWEST_DAYS: Final = 14
SHORTEST_STRETCH: Final = 7
"""Shorter stretches would compare weekends with working days."""
STALEST: Final = timedelta(days=28)
"""After so long without a record the latest days say nothing of those to come."""
FARTHEST: Final = timedelta(days=366)
"""Ends of periods that lie farther ahead are not projected."""


@dataclass(frozen=True)
class Projection:
    """
    An open period to its end.

    Args:
        value, low, high: of the whole period. [kg CO2e]
        slots: ``value``, ``low``, ``high`` of each slot that has not ended, whole. [kg CO2e]
        kg_per_day: mean of the days looked at, then of the calmest and of the busiest stretch among them.
        days: how many were looked at, the latest before ``unknown_from``, the first that is projected.
        stretch_days: how long those stretches are.
        known_kg: of the period, before that day. [kg CO2e]
    """

    value: float
    low: float
    high: float
    slots: pd.DataFrame
    kg_per_day: tuple[float, float, float]
    days: int
    stretch_days: int
    unknown_from: date
    known_kg: float


def is_projected(filtered: Filter, today: date) -> bool:
    """Tell whether a period is one whose end can be projected: open, not far, and booked evenly (purchases are not)."""
    is_open = filtered.from_day <= today < filtered.to_day
    return is_open and filtered.to_day - today <= FARTHEST and filtered.booking == "life-cycle"


def projection_of(
    organization_id: int,
    filtered: Filter,
    *,
    view: View | None,
    span: Activity,
    slots: list[tuple[date, date]],
    today: date,
) -> Projection | None:
    """
    Read the latest days and project the period; None for a period or a history that does not allow it.

    Args:
        span: of the organization's activity: no day outside it is looked at, and days after it are projected, as nobody
            knows whether nothing ran or nothing was delivered.
        slots: first and last day of each slot of the whole period.
    """
    if span.first_day is None or span.last_day is None or not is_projected(filtered, today):
        return None
    known_to = min(today, span.last_day + timedelta(days=1))
    if today - known_to > STALEST:
        return None
    unknown_from = max(known_to, filtered.from_day)
    since = min(filtered.from_day, known_to - timedelta(days=MOST_DAYS))
    asked = replace(filtered, by=(), grain="day", from_day=since, to_day=today)
    rows = emissions(organization_id, asked, bounds=False, view=view).rows
    days = pd.Series(rows["total_kg_co2e"].to_numpy(float), index=pd.to_datetime(rows["start"], utc=True).dt.date)
    return project(
        days, filtered.from_day, slots, first_day=span.first_day, unknown_from=unknown_from, known_to=known_to
    )


def project(
    days: pd.Series,
    from_day: date,
    slots: list[tuple[date, date]],
    *,
    first_day: date,
    unknown_from: date,
    known_to: date | None = None,
) -> Projection | None:
    """
    Carry the mean of the latest days on to the end of the slots.

    The range is that of the calmest and the busiest stretch among those days that is as long as what is to come, or half of
    them where that is shorter, and a week at least.

    Args:
        days: emissions by day, those without any left out. [kg CO2e]
        unknown_from: first day that is projected.
        known_to: the first day that is not looked at, where that lies before; days between are of no kind that is known.

    Returns:
        None with less than two weeks of history.

    >>> days = pd.Series(1.0, index=[date(2026, 11, day) for day in range(2, 16)])
    >>> whole = [(date(2026, 11, 1), date(2026, 11, 30))]
    >>> found = project(days, date(2026, 11, 1), whole, first_day=date(2026, 11, 2), unknown_from=date(2026, 11, 16))
    >>> (found.value, found.low, found.high, found.days, found.stretch_days)
    (29.0, 29.0, 29.0, 14, 7)
    """
    known_to = known_to or unknown_from
    looked_at = min(MOST_DAYS, (known_to - first_day).days)
    if looked_at < FEWEST_DAYS:
        return None
    remaining = (slots[-1][1] - unknown_from).days + 1
    since = [known_to - timedelta(days=back) for back in range(looked_at, 0, -1)]
    each = days.reindex(since, fill_value=0.0)
    length = max(SHORTEST_STRETCH, min(remaining, looked_at // 2))
    stretches = each.rolling(length).mean().dropna()
    rates = (float(each.mean()), float(stretches.min()), float(stretches.max()))
    rows = {}
    for first, last in slots:
        if last < unknown_from:
            continue
        known = sum_between(days, first, max(0, (unknown_from - first).days))
        ahead = (last - max(first, unknown_from)).days + 1
        rows[pd.Timestamp(first, tz="UTC")] = [known + rate * ahead for rate in rates]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["value", "low", "high"])
    so_far = sum_between(days, from_day, (unknown_from - from_day).days)
    value, low, high = (so_far + rate * remaining for rate in rates)
    return Projection(value, low, high, frame, rates, looked_at, length, unknown_from, so_far)


def sum_between(days: pd.Series, first: date, count: int) -> float:
    """Add up so many days from a first one; a day without emissions is none of them."""
    end = first + timedelta(days=count)
    return float(days[[first <= day < end for day in days.index]].sum())


def passes_on(found: Projection, limit_kg: float) -> date | None:
    """
    Tell on which day a projected total passes a limit; None where it does not, or has already.

    Args:
        limit_kg: of the whole period. [kg CO2e]
    """
    if found.known_kg >= limit_kg or found.value <= limit_kg:
        return None
    return found.unknown_from + timedelta(days=int((limit_kg - found.known_kg) / found.kg_per_day[0]))
