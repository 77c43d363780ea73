"""Plain Python: one period told twice, how far the two are apart, what changed them, and what the later one says of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final

from reporting.disclosures import Inventory
from reporting.disclosures.csv_tables import decimal_text
from reporting.disclosures.inventory_json import stamped
from reporting.inventories.locked import instant

FIGURES: Final = ("scope1", "scope2_location", "scope2_market", "scope3", "total_location", "total_market")
SCOPES: Final = FIGURES[:4]
STEPS: Final = ("correction", "activity", "coverage", "method", "factor")
"""The steps of a bridge between two inventories of one period, in their order (methodology 14)."""

SIGNIFICANT_SHARE: Final = Decimal("0.05")
"""Of a scope's total: from here on a period is restated (disclosures, section 7)."""

STEP: Final = "restatement, "
"""How an entry of the change log begins that names a step of the bridge."""

Totals = Mapping[str, Decimal]


@dataclass(frozen=True)
class Apart:
    """What was stated of a total, and what it is now. [t CO2e]"""

    figure: str
    stated: Decimal
    now: Decimal

    @property
    def change(self) -> Decimal:
        """Return what the figure has gained or, negative, lost. [t CO2e]"""
        return self.now - self.stated

    @property
    def share(self) -> Decimal | None:
        """Return the change as a share of what was stated; None: nothing was."""
        return self.change / self.stated if self.stated else None

    @property
    def significant(self) -> bool:
        """Tell whether the change asks for a restatement; what appears beside nothing does."""
        return bool(self.change) and (self.share is None or abs(self.share) >= SIGNIFICANT_SHARE)


def totals_of(totals: Mapping[str, str]) -> dict[str, Decimal]:
    """Read the figures of a bridge from the totals of a document."""
    return {name: Decimal(totals[name]) for name in FIGURES}


def apart(stated: Inventory, now: Inventory) -> list[Apart]:
    """Compare two inventories of one period, figure by figure."""
    before, after = totals_of(stated["totals"]), totals_of(now["totals"])
    return [Apart(name, before[name], after[name]) for name in FIGURES]


def is_significant(figures: list[Apart]) -> bool:
    """Tell whether the total of some scope has moved by the threshold."""
    return any(each.significant for each in figures if each.figure in SCOPES)


@dataclass(frozen=True)
class Told:
    """
    One period, told step by step from what was stated to what is known now.

    Args:
        stated: the totals of the locked inventory.
        earlier: the cells as they were, by the rules of today, the former method and factors.
        corrected: with what corrects them since.
        arrived: with what has come since.
        register: what entries of the register have changed since; they are activity, and in ``earlier`` already.
        by_method: by the method of now.
        now: by the factors of now.
    """

    stated: Totals
    earlier: Totals
    corrected: Totals
    arrived: Totals
    register: Totals
    by_method: Totals
    now: Totals


def bridge(told: Told) -> dict[str, dict[str, Decimal]]:
    """
    Lead from what was stated to what is known now; the steps of each figure add up exactly.

    >>> at = lambda t: dict.fromkeys(FIGURES, Decimal(t))
    >>> found = bridge(Told(at(100), at(101), at(99), at(120), at(1), at(110), at(112)))
    >>> {step: int(change["scope1"]) for step, change in found.items()}
    {'correction': -2, 'activity': 22, 'coverage': 0, 'method': -10, 'factor': 2}
    """

    def less(one: Totals, other: Totals) -> dict[str, Decimal]:
        return {name: one[name] - other[name] for name in FIGURES}

    arrived = less(told.arrived, told.corrected)
    covered = less(told.earlier, told.stated)
    return {
        "correction": less(told.corrected, told.earlier),
        "activity": {name: arrived[name] + told.register[name] for name in FIGURES},
        "coverage": less(covered, told.register),
        "method": less(told.by_method, told.arrived),
        "factor": less(told.now, told.by_method),
    }


def restated(
    inventory: Inventory,
    stated: Inventory,
    steps: Mapping[str, Mapping[str, Decimal]],
    *,
    reason: str,
    who: str,
    at: datetime,
) -> Inventory:
    """Put into a begun document what it restates: both values, the reason, and the bridge between them."""
    log = [
        {
            "at": instant(at),
            "who": who,
            "what": f"{STEP}{step}",
            "reason": "; ".join(f"{name} {decimal_text(steps[step][name])} t CO2e" for name in FIGURES),
            "effect_tco2e": decimal_text(steps[step]["total_location"]),
        }
        for step in STEPS
    ]
    comparative = {
        "period": stated["period"],
        "inventory_id": stated["id"],
        "totals": dict(inventory["totals"]),
        "restated": True,
        "previously_stated": dict(stated["totals"]),
        "reason": reason,
    }
    evidence = {**inventory["evidence"], "change_log": log}
    return stamped({**inventory, "evidence": evidence, "comparatives": [comparative, *inventory["comparatives"]]})


def steps_of(inventory: Inventory) -> dict[str, Decimal]:
    """Read the bridge of a restatement back: step to its change of the location-based total; empty: it restates nothing."""
    log = inventory["evidence"]["change_log"]
    found = {each["what"].removeprefix(STEP): each for each in log if each["what"].startswith(STEP)}
    return {step: Decimal(found[step]["effect_tco2e"]) for step in STEPS if step in found}
