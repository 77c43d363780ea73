"""
The rules of budgets, as functions of daily emissions: pace, the day a budget runs out, and what somebody is told of.

The pace is the mean of the latest 28 days; its range is that of the calmest and the busiest of their four weeks. Nothing
cleverer: a team can check it by hand.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

WEEK: Final = 7
MOST_WEEKS: Final = 4
FEWEST_WEEKS: Final = 2
AHEAD: Final = "ahead"
"""Of alerts: it will run out before its end."""
KG_PER_T: Final = 1000.0
CENT: Final = Decimal("0.01")
EXACT: Final = 1e-9
"""A day is not spent over what floats leave of a sum."""


@dataclass(frozen=True)
class Pace:
    """Mean of the latest whole weeks, and of the calmest and the busiest of them. [kg CO2e a day]"""

    kg_per_day: float
    low: float
    high: float
    days: int


@dataclass(frozen=True)
class RunOut:
    """The day at whose end a budget is spent, at the pace, at the busiest week's and at the calmest's; None: never."""

    day: date | None
    earliest: date | None
    latest: date | None


def pace_of(days: Mapping[date, float], *, first_day: date, through: date) -> Pace | None:
    """
    Measure the pace of the four weeks up to a day.

    Args:
        days: emissions by day, those without any left out. [kg CO2e]
        first_day: from which on there are records at all; only whole weeks after it are looked at.
        through: the last whole day.

    Returns:
        None with less than two weeks.

    >>> weeks = {date(2026, 11, 1) + timedelta(days=at): kg for at, kg in enumerate([1.0] * 7 + [3.0] * 7)}
    >>> pace_of(weeks, first_day=date(2026, 11, 1), through=date(2026, 11, 14))
    Pace(kg_per_day=2.0, low=1.0, high=3.0, days=14)
    """
    weeks = min(MOST_WEEKS, ((through - first_day).days + 1) // WEEK)
    if weeks < FEWEST_WEEKS:
        return None
    sums = [
        math.fsum(days.get(through - timedelta(days=week * WEEK + at), 0.0) for at in range(WEEK))
        for week in range(weeks)
    ]
    return Pace(math.fsum(sums) / (weeks * WEEK), min(sums) / WEEK, max(sums) / WEEK, weeks * WEEK)


def run_out_of(left_kg: float, pace: Pace, through: date) -> RunOut:
    """
    Tell when what is left will be spent.

    Args:
        left_kg: after the day `through`; above 0.

    >>> run_out_of(20.0, Pace(2.0, 0.0, 5.0, 28), date(2026, 11, 20))
    RunOut(day=datetime.date(2026, 11, 30), earliest=datetime.date(2026, 11, 24), latest=None)
    """

    def spent_on(kg_per_day: float) -> date | None:
        if kg_per_day <= 0.0:
            return None
        ahead = math.ceil(left_kg / kg_per_day - EXACT)
        return through + timedelta(days=ahead) if ahead <= (date.max - through).days else None

    return RunOut(spent_on(pace.kg_per_day), spent_on(pace.high), spent_on(pace.low))


def passed_on(days: Mapping[date, float], limit_kg: float, from_day: date, through: date) -> date | None:
    """
    Tell on which day a budget was spent; None where it is not.

    >>> passed_on({date(2026, 11, 1): 4.0, date(2026, 11, 3): 6.0}, 10.0, date(2026, 11, 1), date(2026, 11, 5))
    datetime.date(2026, 11, 3)
    """
    spent_kg, day = 0.0, from_day
    while day <= through:
        spent_kg += days.get(day, 0.0)
        if spent_kg >= limit_kg * (1.0 - EXACT):
            return day
        day += timedelta(days=1)
    return None


def alerts_due(
    *, used_kg: float, limit_kg: float, thresholds: Sequence[int], run_out: RunOut | None, to_day: date
) -> list[str]:
    """
    List what there is to tell: each threshold that is reached (in percent), and that it runs out before its end.

    >>> alerts_due(used_kg=85.0, limit_kg=100.0, thresholds=[80, 100], run_out=None, to_day=date(2026, 12, 31))
    ['80']
    """
    share = used_kg / limit_kg * 100.0
    found = [str(threshold) for threshold in sorted(thresholds) if share >= threshold * (1.0 - EXACT)]
    if run_out is not None and used_kg < limit_kg and run_out.day is not None and run_out.day < to_day:
        found.append(AHEAD)
    return found


def cost_of(kg: float, price_per_t: Decimal) -> Decimal:
    """
    Price emissions: kg / 1000 x price, to the cent (methodology.md section 11).

    >>> cost_of(1234.5, Decimal("80"))
    Decimal('98.76')
    """
    return (Decimal(repr(kg)) / 1000 * price_per_t).quantize(CENT, ROUND_HALF_UP)
