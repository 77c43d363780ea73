"""Targets and base years (methodology section 10).

Formulas alone; reporting.targets makes paths, words and recalculations of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

MODES: Final = ("linear", "compound", "percent_by_year")
_ENTERING: Final = frozenset({"acquisition", "insourcing"})
_LEAVING: Final = frozenset({"divestment", "outsourcing"})
_AS_SIGNED: Final = frozenset({"method_change", "error"})


def reduction_fraction(
    mode: str,
    *,
    years: float,
    annual_rate: float | None = None,
    target_reduction: float | None = None,
    target_years: float | None = None,
) -> float:
    """
    Return the share of the base that a target takes off after a number of years.

    Args:
        mode: ``linear`` (rate of the base a year), ``compound`` (rate of what is left) or ``percent_by_year``
            (a reduction by a target year, pro rata).
        years: since the base year; parts of a year count pro rata.

    >>> round(reduction_fraction("linear", years=10, annual_rate=0.042), 3)
    0.42
    >>> round(reduction_fraction("compound", years=10, annual_rate=0.042), 3)
    0.349
    """
    if mode == "percent_by_year":
        if target_reduction is None or not target_years:
            raise ValueError("percent_by_year needs target_reduction and target_year")
        return target_reduction * years / target_years
    if annual_rate is None:
        raise ValueError(f"{mode} needs annual_rate")
    if mode == "linear":
        return annual_rate * years
    if mode == "compound":
        return 1.0 - math.pow(1.0 - annual_rate, years)
    raise ValueError(f"no target mode {mode!r}; known: {', '.join(MODES)}")


def target_kg(base_kg: float, reduction: float) -> float:
    """
    Return what a target allows.

    >>> target_kg(1000.0, 0.5)
    500.0
    """
    return base_kg * (1.0 - reduction)


def gap_kg(actual_kg: float, allowed_kg: float) -> float:
    """Return how far the actual lies above the target; at most 0 is on track. [kg CO2e]"""
    return actual_kg - allowed_kg


@dataclass(frozen=True)
class Event:
    """A structural change or correction since the base year."""

    kind: str
    base_year_kg: float
    existed_in_base_year: bool = True


@dataclass(frozen=True)
class Recalculation:
    """Whether a base year changes, and to what. [kg CO2e]"""

    delta_kg: float
    significance: float
    recalculate: bool
    base_kg: float


def recalculate_base(base_kg: float, events: Sequence[Event], *, threshold: float = 0.05) -> Recalculation:
    """
    Recalculate a base year for what changed structurally, once the sum is significant.

    Acquisitions and insourcing add, divestments and outsourcing take off, each only for what existed in the base year;
    method changes and errors count as signed.

    Source: GHG Protocol Corporate Standard, chapter 5.
    """
    delta = math.fsum(_signed(event) for event in events)
    significance = abs(delta) / base_kg
    due = significance >= threshold
    return Recalculation(delta, significance, due, base_kg + delta if due else base_kg)


def _signed(event: Event) -> float:
    if event.kind in _AS_SIGNED:
        return event.base_year_kg
    if event.kind not in _ENTERING | _LEAVING:
        raise ValueError(f"no event kind {event.kind!r}")
    if not event.existed_in_base_year:
        return 0.0
    return event.base_year_kg if event.kind in _ENTERING else -event.base_year_kg
