"""The demo's targets: one that is kept, one that was missed, one of a task on each side, one that waits for approval."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

BASE_MONTHS: Final = 3
YEARS: Final = 4
SUMMARIES: Final = {"application": ["assistant"], "task": ["summary"]}
ANSWERS: Final = {"application": ["search"], "task": ["answer"]}


@dataclass(frozen=True)
class Goal:
    """A target of the demo, as the API takes it."""

    name: str
    note: str
    target: dict[str, Any]
    is_approved: bool = True


def goals(first_day: date) -> list[Goal]:
    """
    Set targets on the first three whole months of a year that begins on a day.

    >>> [each.target.get("base_to") for each in goals(date(2025, 11, 26))][0]
    '2026-02-28'
    """
    first = plus_months(first_day.replace(day=1), 1) if first_day.day > 1 else first_day
    last = plus_months(first, BASE_MONTHS) - timedelta(days=1)
    base = {"base_from": first.isoformat(), "base_to": last.isoformat(), "target_year": last.year + YEARS}
    found = [
        Goal(
            "Operations and hardware, 1.5 °C",
            "Cross-sector absolute contraction of the SBTi over everything.",
            base | {"path": "contraction", "ambition": "1.5C"},
        ),
        Goal(
            "42 % less per 1,000 tokens",
            "By smaller models, quantization and routing.",
            base | {"per": "1000_tokens", "path": "linear", "reduction": 0.42},
        ),
        Goal(
            "Summaries under 0.7 g",
            "What one summary of the assistant may come to.",
            {
                "per": "request",
                "filter": SUMMARIES,
                "path": "ceiling",
                "ceiling": 0.0007,
                "starts_on": first.isoformat(),
            },
        ),
        Goal(
            "Answers under 0.65 g",
            "What one answer of the search may come to.",
            {
                "per": "request",
                "filter": ANSWERS,
                "path": "ceiling",
                "ceiling": 0.00065,
                "starts_on": first.isoformat(),
            },
        ),
        Goal(
            "Vision research in steps",
            "A tenth with the next cluster, a third when the old one is switched off.",
            base
            | {
                "filter": {"team": ["Vision research"]},
                "path": "stepped",
                "milestones": [
                    {"year": last.year + 1, "reduction": 0.1},
                    {"year": last.year + YEARS, "reduction": 0.33},
                ],
            },
            is_approved=False,
        ),
    ]
    if first.year < (first_day + timedelta(days=364)).year:  # else no year of it is over
        found.append(
            Goal(
                f"Assistants in {first.year}",
                "The last budget before the move to smaller models.",
                {
                    "filter": {"team": ["Assistants"]},
                    "path": "ceiling",
                    "ceiling": 13_000,
                    "starts_on": first.isoformat(),
                    "target_year": first.year,
                },
            )
        )
    return found


def plus_months(month: date, number: int) -> date:
    """Return the first day of a month so many months on."""
    months = month.year * 12 + month.month - 1 + number
    return date(months // 12, months % 12 + 1, 1)
