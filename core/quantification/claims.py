"""Check published footprints against their own inputs (methodology section 13).

The dossiers of procurement run every claim through it; published cases hold the rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

PLAUSIBLE_KG_PER_KWH: Final = (0.004, 1.3)
"""Hydro at its best, lignite at its worst; outside of it a unit, a multiplier or a market figure is behind the claim."""

SUSPECTS: Final = {
    "unit (g, kg, t; Wh, kWh, MWh)": 1000.0,
    "transcription": 10.0,
    "pounds for kilograms": 2.2046,
    "GPUs per node": 8.0,
    "sum of daily rates over a month": 31.0,
    "sum of daily rates over a year": 365.0,
}
"""What usually lies behind a ratio, either way round."""


def implied_kg_per_kwh(claimed_kg: float, energy_kwh: float) -> float:
    """
    Return the grid intensity that a claim implies.

    >>> implied_kg_per_kwh(400.0, 1000.0)
    0.4
    """
    return claimed_kg / energy_kwh


def is_plausible(
    kg_per_kwh: float, *, minimum: float = PLAUSIBLE_KG_PER_KWH[0], maximum: float = PLAUSIBLE_KG_PER_KWH[1]
) -> bool:
    """
    Say whether any grid could have the intensity.

    >>> is_plausible(0.4), is_plausible(400.0)
    (True, False)
    """
    return minimum <= kg_per_kwh <= maximum


@dataclass(frozen=True)
class Checked:
    """A claim beside what its inputs give: the ratio, whether they agree, and the nearest suspect where they do not."""

    computed: float
    ratio: float
    consistent: bool
    suspect: str | None


def check_claim(claimed: float, computed: float, *, tolerance: float) -> Checked:
    """
    Compare a claim with a recomputation.

    >>> check_claim(1.3e-10, 1.3e-7, tolerance=0.02).suspect
    'unit (g, kg, t; Wh, kWh, MWh)'
    """
    ratio = claimed / computed
    consistent = abs(ratio - 1.0) <= tolerance
    return Checked(computed, ratio, consistent, None if consistent else nearest_suspect(ratio, tolerance))


def nearest_suspect(ratio: float, tolerance: float) -> str | None:
    """Return the usual mistake that explains a ratio within the tolerance, None where none does."""
    size = max(ratio, 1.0 / ratio) if ratio > 0.0 else 0.0
    distances = {name: abs(size / times - 1.0) for name, times in SUSPECTS.items()}
    name = min(distances, key=distances.__getitem__)
    return name if distances[name] <= max(tolerance, 0.01) else None
