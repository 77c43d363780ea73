"""Scenarios beside the baseline as plain values: the JSON of API and command, and the rows of their table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from core.accounting.aggregate import TOTAL
from core.accounting.selectors.scenarios import Outcome, SideBySide
from core.quantification.scenario import Rewrite, as_plain


@dataclass(frozen=True)
class Named:
    """Rules under a name; without an id they are not saved."""

    name: str
    rules: tuple[Rewrite, ...]
    id: int | None = None


def as_dict(found: SideBySide, named: Sequence[Named]) -> dict[str, Any]:
    """Return plain values that JSON takes; kWh, kg CO2e and L, costs by currency, null for what is not known."""
    return {
        "filter": found.asked.as_dict(),
        "as_of": found.as_of.isoformat(timespec="seconds").replace("+00:00", "Z"),
        "baseline": {**counted(found.baseline), "cost": found.money},
        "scenarios": [
            {
                "id": each.id,
                "name": each.name,
                "rules": [as_plain(rule) for rule in each.rules],
                "verdict": outcome.verdict,
                **counted(outcome.figures),
                "difference": difference(found, outcome),
                "not_known_kg_co2e": outcome.not_known_kg,
                "newly_known_kg_co2e": outcome.newly_known_kg,
                "cost": {money.currency: money.after if not money.not_known else None for money in outcome.money},
                "cost_not_known": {money.currency: money.not_known for money in outcome.money},
                "rules_about": [
                    {
                        "records": round(rule.records),
                        "before_kg_co2e": rule.before_kg,
                        "rewritten_kg_co2e": rule.rewritten_kg,
                        "unchanged_kg_co2e": rule.unchanged_kg,
                    }
                    for rule in outcome.rules
                ],
            }
            for each, outcome in zip(named, found.outcomes, strict=True)
        ],
    }


def counted(figures: Any) -> dict[str, Any]:
    """Give figures with their counts as whole numbers."""
    return {
        name: round(value) if name in ("records", "requests") and value is not None else value
        for name, value in figures.items()
    }


def difference(found: SideBySide, outcome: Outcome) -> dict[str, float | None]:
    """Give the difference of the total with its interval, and its share of the baseline."""
    base = found.baseline[TOTAL]
    own = outcome.difference
    return {
        "total_kg_co2e": own.value,
        "total_kg_co2e_low": own.low,
        "total_kg_co2e_high": own.high,
        "share": own.value / base if base else None,
    }


def table(found: SideBySide, named: Sequence[Named]) -> list[dict[str, Any]]:
    """Give one row for the baseline and for each scenario, as files and terminals list them."""
    rows: list[dict[str, Any]] = [{"name": "baseline", "verdict": "", **counted(found.baseline)}]
    rows[0] |= {"difference_kg_co2e": None, "difference_kg_co2e_low": None, "difference_kg_co2e_high": None}
    for each, outcome in zip(named, found.outcomes, strict=True):
        own = outcome.difference
        rows.append(
            {
                "name": each.name,
                "verdict": outcome.verdict,
                **counted(outcome.figures),
                "difference_kg_co2e": own.value,
                "difference_kg_co2e_low": own.low,
                "difference_kg_co2e_high": own.high,
            }
        )
    return rows
