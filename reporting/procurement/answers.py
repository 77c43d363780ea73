"""What an offer answers to a criterion: a value with its range, or why there is none and what to ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from core.quantification.bounds import Z
from core.quantification.intervals import MONTE_CARLO_DRAWS, named_draws

Floats = npt.NDArray[np.float64]

State = Literal["known", "not_disclosed", "not_comparable", "not_known"]

NOT_DISCLOSED: Final = "not_disclosed"
"""The provider says nothing, or nothing that a document bears out."""
NOT_COMPARABLE: Final = "not_comparable"
"""There is a figure, but of another boundary, currency or task than the other offers'."""
NOT_KNOWN: Final = "not_known"
"""The figure cannot be derived from what the offer says."""


class ProcurementError(ValueError):
    """Something that cannot be evaluated; ``field`` says what to mend, such as ``criteria.2.weight``, the message why."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class Answer:
    """
    One cell of an evaluation.

    Args:
        value, low, high: in the criterion's unit; None unless the state is ``known``.
        draws: of the value, where they were drawn together with those of other offers; equal errors cancel.
        why: code of what stands in the way; with the criterion it says what to ask.
        detail: of it, such as a name.
        source: the document or formula behind it.
    """

    state: State = "known"
    value: float | None = None
    low: float | None = None
    high: float | None = None
    draws: Floats | None = None
    why: str = ""
    detail: str = ""
    source: str = ""

    @property
    def is_known(self) -> bool:
        """Tell whether there is a value to score."""
        return self.state == "known" and self.value is not None

    def drawn(self, name: str) -> Floats:
        """
        Draw the value: its own draws, else of its range, else the value itself. [MONTE_CARLO_DRAWS]

        Args:
            name: of the error; the same name gives the same draws.
        """
        if self.value is None:
            return np.zeros(MONTE_CARLO_DRAWS)
        if self.draws is not None:
            return self.draws
        low, high = self.value if self.low is None else self.low, self.value if self.high is None else self.high
        if low == self.value == high:
            return np.full(MONTE_CARLO_DRAWS, self.value)
        if low > 0.0:
            return self.value * named_draws(name, np.log(self.value / low) / Z, np.log(high / self.value) / Z)
        normal = np.log(named_draws(name, 1.0)) / Z
        return np.maximum(self.value + np.where(normal < 0.0, self.value - low, high - self.value) * normal, 0.0)
