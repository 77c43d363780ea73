"""The data quality of a total from the scores of its parts (methodology 9.1).

Waits for its caller: pages show each part's score so far; a published case holds the formula.
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def data_quality_score(items: Sequence[tuple[float, float]], *, measured_max_score: float = 2) -> tuple[float, float]:
    """
    Return ``(weighted score, measured share)`` of items ``(kg CO2e, score 1 best .. 5 worst)``.

    Raises:
        ValueError: when the items weigh nothing, for then neither is defined.

    Source: methodology 9.1, after the data-quality ladder of PCAF.

    >>> data_quality_score([(100, 1), (300, 3), (100, 5)])
    (3.0, 0.2)
    """
    total = math.fsum(kg for kg, _ in items)
    if total <= 0.0:
        raise ValueError("a score needs items that weigh something")
    weighted = math.fsum(kg * score for kg, score in items) / total
    measured = math.fsum(kg for kg, score in items if score <= measured_max_score) / total
    return weighted, measured
