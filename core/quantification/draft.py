"""What a plan is gathered in while methods and factors are chosen, and how its terms become coefficients."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from core.quantification.factor import Factor
from core.quantification.terms import IMPACTS, Product, Term, make_term
from core.quantification.use import PER_UNIT

COLUMN_OF: Final = {impact: 3 * position for position, impact in enumerate(IMPACTS)}
"""First of the three columns of each impact: value, low, high."""

WIDTH: Final = 3 * len(IMPACTS)

Shared = dict[str, tuple[float, float, float, float]]
"""Impact to the ln half-widths that a zone shares: grid below, grid above, PUE below, PUE above."""


@dataclass
class Draft:
    """A plan in the making: terms, factors in order, notes, and which impacts have a value."""

    terms: list[Term] = field(default_factory=list)
    factors: dict[tuple[str, str, str, float], Factor] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    shared: Shared = field(default_factory=dict)

    def note(self, *codes: str) -> None:
        self.notes.update(dict.fromkeys(codes))

    def show(self, *factors: Factor) -> None:
        for factor in factors:
            self.factors.setdefault((factor.name, factor.id, factor.unit, factor.value), factor)

    def add(self, impact: str, measure: str, product: Product, *, sign: int = 1) -> None:
        self.terms.append(make_term(impact, measure, PER_UNIT[measure], product, sign=sign))
        self.known.add(impact)


def coefficients_of(draft: Draft) -> tuple[dict[str, npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    """Add terms up to coefficients per stored integer, and mark impacts that are null."""
    draft.terms = [term for term in draft.terms if term.impact in draft.known]
    base = np.zeros(WIDTH)
    for impact, at in COLUMN_OF.items():
        if impact not in draft.known:
            base[at : at + 3] = np.nan
    return summed(draft.terms), base


def summed(terms: Iterable[Term]) -> dict[str, npt.NDArray[np.float64]]:
    """Add terms up to coefficients per stored integer of their measures."""
    sums: dict[str, list[float]] = {}
    for term in terms:
        row = sums.setdefault(term.measure, [0.0] * WIDTH)
        at = COLUMN_OF[term.impact]
        row[at] += term.sign * term.value / term.per_unit
        row[at + 1] += term.sign * term.low / term.per_unit
        row[at + 2] += term.sign * term.high / term.per_unit
    return {measure: np.array(row) for measure, row in sums.items()}
