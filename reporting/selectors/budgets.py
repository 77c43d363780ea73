"""How budgets stand: what is used, at what pace, when it runs out, and what it costs. Inside `organization_scope`."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

import pandas as pd

from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors import emissions
from core.accounting.selectors.conditions import folded_teams_of
from core.accounting.selectors.views import current_view
from reporting.budgets.rules import MOST_WEEKS, WEEK, Pace, RunOut, cost_of, pace_of, passed_on, run_out_of
from reporting.models import Budget, CarbonPrice
from reporting.selectors.overview import TOTAL
from reporting.selectors.periods import activity_of

WATCHED_AFTER: Final = timedelta(days=14)
"""Records come late: a budget is looked at so long after its end."""


@dataclass(frozen=True)
class Standing:
    """
    A budget and what became of it.

    Args:
        days: emissions of its days, those without any left out. [kg CO2e]
        used_kg: None where the team is shown with others only. [kg CO2e]
        through: the last whole day that is looked at.
        run_out: None where it is spent, over, or the history is too short.
        spent_on: the day it was spent.
        expected_kg: at its end at the pace, low and high. [kg CO2e]
        folded: the team has fewer people than are shown by themselves.
    """

    budget: Budget
    days: dict[date, float]
    used_kg: float | None
    through: date
    is_open: bool
    pace: Pace | None
    run_out: RunOut | None
    spent_on: date | None
    expected_kg: tuple[float, float, float] | None
    folded: bool = False

    @property
    def share(self) -> float | None:
        """Used of the limit."""
        limit = self.budget.limit_kg_co2e
        return None if self.used_kg is None or not limit else self.used_kg / limit

    @property
    def state(self) -> str:
        """Tell in a word: spent, ahead (it will be before its end), near (80 %), within, kept (over, never spent), unknown."""
        if self.share is None:
            return "unknown"
        if self.share >= 1.0:
            return "spent"
        if not self.is_open:
            return "kept"
        if self.run_out is not None and self.run_out.day is not None and self.run_out.day < self.budget.to_day:
            return "ahead"
        return "near" if self.share >= 0.8 else "within"


def budgets(organization_id: int, *, from_day: date | None = None, teams: Sequence[str] | None = None) -> list[Budget]:
    """List the standing versions that were not withdrawn, the latest quarter first."""
    rows = Budget.objects.filter(organization_id=organization_id)
    if from_day is not None:
        rows = rows.filter(from_day=from_day)
    if teams is not None:
        rows = rows.filter(team__in=teams)
    found: dict[tuple[str, date], Budget] = {}
    for row in rows.order_by("version"):
        found[row.team, row.from_day] = row
    standing = [row for row in found.values() if row.limit_kg_co2e is not None]
    return sorted(standing, key=lambda row: (-row.from_day.toordinal(), row.team.casefold()))


def versions_of(budget: Budget) -> list[Budget]:
    """List all versions of a budget's team and quarter, the newest first."""
    rows = Budget.objects.select_related("created_by").filter(
        organization_id=budget.organization_id, team=budget.team, from_day=budget.from_day
    )
    return list(rows.order_by("-version"))


def standings(
    organization_id: int,
    today: date,
    *,
    of: Sequence[Budget] | None = None,
    view: View | None = None,
    watched: bool = False,
) -> list[Standing]:
    """
    Tell how budgets stand; with ``watched`` those that are open or ended lately.

    One query answers all of them: the days of every team from the first quarter asked for on.
    """
    found = list(budgets(organization_id) if of is None else of)
    if watched:
        found = [one for one in found if one.from_day <= today <= one.to_day + WATCHED_AFTER]
    if not found:
        return []
    view = view or current_view(organization_id)
    span = activity_of(organization_id, view, today)
    since = min(one.from_day for one in found) - timedelta(days=MOST_WEEKS * WEEK)
    by_team: dict[str, dict[date, float]] = defaultdict(dict)
    if view is not None and span.first_day is not None and since <= today:
        until = min(today, max(one.to_day for one in found))
        asked = Filter(
            since, max(since, until), dims={"team": tuple({one.team for one in found})}, by=("team",), grain="day"
        )
        rows = emissions(organization_id, asked, bounds=False, view=view).rows
        for start, team, kg in zip(pd.to_datetime(rows["start"], utc=True), rows["team"], rows[TOTAL], strict=True):
            if not pd.isna(kg):
                by_team[str(team)][start.date()] = float(kg)
    folded = folded_teams_of(organization_id)
    return [
        _standing(one, by_team[one.team], span.first_day, span.last_day, today, folded=one.team in folded)
        for one in found
    ]


def _standing(
    budget: Budget,
    days: dict[date, float],
    first_day: date | None,
    last_day: date | None,
    today: date,
    *,
    folded: bool,
) -> Standing:
    is_open = today <= budget.to_day
    known = min(today - timedelta(days=1), last_day or today)
    through = min(max(known, budget.from_day - timedelta(days=1)), budget.to_day)
    own = {day: kg for day, kg in days.items() if budget.from_day <= day <= budget.to_day}
    if folded:
        return Standing(budget, {}, None, through, is_open, None, None, None, None, folded=True)
    used, limit = math.fsum(own.values()), budget.limit_kg_co2e or 0.0
    pace = pace_of(days, first_day=first_day, through=through) if first_day is not None and is_open else None
    spent_on = passed_on(own, limit, budget.from_day, min(today, budget.to_day))
    whole = math.fsum(kg for day, kg in own.items() if day <= through)
    run_out = run_out_of(limit - whole, pace, through) if pace is not None and spent_on is None else None
    expected = None
    if pace is not None:
        left = (budget.to_day - through).days
        expected = (whole + pace.kg_per_day * left, whole + pace.low * left, whole + pace.high * left)
    return Standing(budget, own, used, through, is_open, pace, run_out, spent_on, expected)


# --- money ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """One project of a statement, over days with one price."""

    project: str
    kg: float
    cost: Decimal | None


@dataclass(frozen=True)
class Stretch:
    """Days of a statement that have one price, or none; its cost is the sum of its rounded lines."""

    from_day: date
    to_day: date
    price: CarbonPrice | None
    lines: list[Line]

    @property
    def kg(self) -> float:
        """What they come to. [kg CO2e]"""
        return math.fsum(line.kg for line in self.lines)

    @property
    def cost(self) -> Decimal | None:
        """What they cost, in the price's currency."""
        return None if self.price is None else sum((line.cost or Decimal(0) for line in self.lines), Decimal(0))


def prices(organization_id: int) -> list[CarbonPrice]:
    """List the prices that stand, one a day, the latest first; all rows stay in the audit log and the table."""
    found: dict[date, CarbonPrice] = {}
    for row in CarbonPrice.objects.filter(organization_id=organization_id).order_by("id"):
        found[row.valid_from] = row
    return sorted(found.values(), key=lambda row: row.valid_from, reverse=True)


def price_on(organization_id: int, day: date) -> CarbonPrice | None:
    """Find the price in force on a day."""
    return next((row for row in prices(organization_id) if row.valid_from <= day), None)


def statement_of(organization_id: int, budget: Budget, today: date, *, view: View | None = None) -> list[Stretch]:
    """Price a team's quarter up to today, project by project, a stretch for each price."""
    last = min(budget.to_day, today)
    if last < budget.from_day or budget.team in folded_teams_of(organization_id):
        return []
    known = prices(organization_id)
    starts = sorted({budget.from_day, *(row.valid_from for row in known if budget.from_day < row.valid_from <= last)})
    found = []
    for first, following in zip(starts, [*starts[1:], last + timedelta(days=1)], strict=True):
        price = next((row for row in known if row.valid_from <= first), None)
        asked = Filter(first, following - timedelta(days=1), dims={"team": (budget.team,)}, by=("project",))
        rows = emissions(organization_id, asked, bounds=False, view=view).rows
        lines = [
            Line(str(project), float(kg), cost_of(float(kg), price.price_per_t) if price else None)
            for project, kg in zip(rows["project"], rows[TOTAL], strict=True)
            if not pd.isna(kg)
        ]
        lines.sort(key=lambda line: (-line.kg, line.project))
        found.append(Stretch(first, following - timedelta(days=1), price, lines))
    return found
