"""When a base year is recalculated: changes since then, added up, against the threshold (methodology 10)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from core.quantification.targets import Event, Recalculation, recalculate_base
from reporting.targets.definition import TargetError
from reporting.targets.paths import Base

KINDS: Final = ("acquisition", "divestment", "insourcing", "outsourcing", "method_change", "error")
STRUCTURAL: Final = KINDS[:4]
"""Their sign follows from what they are, and they count only for what existed in the base year."""


def event(kind: str, base_year_kg: float, *, existed: bool = True) -> Event:
    """Make an event. Raises TargetError where it cannot be."""
    if kind not in KINDS:
        raise TargetError("kind", f"{kind!r} is none of {', '.join(KINDS)}.")
    if not math.isfinite(base_year_kg) or base_year_kg == 0:
        raise TargetError("base_year_kg", "Say how many kg CO2e of the base year it is about, not 0.")
    if kind in STRUCTURAL and base_year_kg < 0:
        raise TargetError("base_year_kg", f"Of a {kind} the kg are positive: its sign follows from what it is.")
    return Event(kind, base_year_kg, existed)


def recalculation(base: Base, events: Sequence[Event], threshold: float) -> Recalculation:
    """
    Add up what changed since the base was last calculated, and hold it against the threshold.

    Raises:
        TargetError: a base of nothing, or one that nothing would be left of.

    >>> found = recalculation(Base(1000.0), [Event("acquisition", 30.0), Event("outsourcing", 10.0)], 0.05)
    >>> found.delta_kg, found.recalculate, found.base_kg
    (20.0, False, 1000.0)
    """
    if base.value <= 0:
        raise TargetError("base_from", "A base of nothing cannot be recalculated: choose another base period.")
    found = recalculate_base(base.value, events, threshold=threshold)
    if found.base_kg <= 0:
        raise TargetError("base_year_kg", "Nothing would be left of the base: choose another base period.")
    return found
