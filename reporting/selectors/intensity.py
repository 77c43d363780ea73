"""What the intensity page shows of one unit: its scores, those of the compared period, of each entity, and of each month."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

import pandas as pd

from core.accounting.figures import Filter
from core.accounting.models import View
from reporting.intensities.answer import SciResult, SciRow
from reporting.intensities.units import FunctionalUnit
from reporting.selectors.overview import following
from reporting.selectors.sci import sci, slot_end

MONTHS = 12


@dataclass(frozen=True)
class Intensity:
    """One score of the page; the two of a unit are never merged."""

    score: str
    whole: SciRow
    before: SciRow | None
    entities: list[SciRow]  # highest first, those without a score last
    months: list[SciRow]


@dataclass(frozen=True)
class Shown:
    """All scores of a unit, and the table of its entities as a file."""

    scores: list[Intensity]
    by_entity: SciResult
    slots: pd.DatetimeIndex
    as_of: datetime


def intensity(
    organization_id: int,
    filtered: Filter,
    comparison: Filter | None,
    unit: FunctionalUnit,
    dim: str,
    *,
    view: View | None,
    today: date,
) -> Shown:
    """
    Read the scores of a page.

    Args:
        filtered: period and filters; its grouping is not looked at.
        comparison: the period to compare with, or None.
        dim: what the table lists.
        today: UTC; no month after it is drawn.
    """
    plain = replace(filtered, by=(), grain="total")
    whole = sci(organization_id, plain, unit, view=view)
    before = (
        None if comparison is None else sci(organization_id, replace(comparison, by=(), grain="total"), unit, view=view)
    )
    entities = sci(organization_id, replace(plain, by=(dim,)), unit, view=view)
    window = latest_months(plain, today)
    monthly = sci(organization_id, window, unit, view=view)
    found = [
        Intensity(
            row.score,
            row,
            None if before is None else next((one for one in before.rows if one.score == row.score), None),
            sorted((one for one in entities.rows if one.score == row.score), key=order),
            [one for one in monthly.rows if one.score == row.score],
        )
        for row in whole.rows
    ]
    return Shown(found, entities, slots_of(window), whole.as_of)


def order(row: SciRow) -> tuple[bool, float]:
    """Sort the highest score first, and last what has none, the most kilograms first."""
    if row.kg_per_unit is None:
        return True, -(row.left_out_kg_co2e or 0.0)
    return False, -row.kg_per_unit.value


def latest_months(filtered: Filter, today: date) -> Filter:
    """Ask for the twelve whole months up to the one in which the period, or today, ends."""
    last = min(filtered.to_day, today)
    months = last.year * 12 + last.month - MONTHS
    first = date(months // 12, months % 12 + 1, 1)
    return replace(filtered, from_day=first, to_day=slot_end(last.replace(day=1), "month"), grain="month")


def slots_of(window: Filter) -> pd.DatetimeIndex:
    """List the months of the chart."""
    starts = [window.from_day]
    while len(starts) < MONTHS:
        starts.append(following(starts[-1], "month"))
    return pd.DatetimeIndex(starts).tz_localize(UTC)
