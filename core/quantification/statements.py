"""
What a provider's statement says of services that are no AI services: kept as evidence, shown beside, never counted.

A statement covers the whole account. The adapter writes the class of each row's service into its labels, by the rules of
bills; bills leave rows of other services out. A statement's row of machines that may or may not run AI (`supporting`) cannot
be parted, so it does not count either.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.quantification.coverage import STATED

CLASSIFICATION: Final = "classification"
"""Label of a statement's row: ``ai``, ``supporting`` or ``outside``. A statement without it speaks of AI as a whole."""
OF_AI: Final = "ai"


def beside_ai(subjects: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """
    Find what statements say of services that are no AI services.

    Args:
        subjects: ``evidence`` and, where it is there, ``labels`` (dicts).

    Returns:
        A mask. [n]

    >>> labels = [{"classification": name} for name in ("ai", "supporting", "outside")]
    >>> beside_ai(pd.DataFrame({"evidence": "stated", "labels": [*labels, {}]})).tolist()
    [False, True, True, False]
    """
    aside = np.zeros(len(subjects), dtype=bool)
    if "labels" not in subjects:
        return aside
    stated = np.flatnonzero((subjects["evidence"] == STATED).to_numpy(dtype=bool))
    labels = subjects["labels"].to_numpy(dtype=object)
    aside[stated] = [(labels[at] or {}).get(CLASSIFICATION, OF_AI) != OF_AI for at in stated.tolist()]
    return aside
