"""Whose a series is and what its names stand for, as an organization says: its own aliases, and defaults of its sources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pandas as pd

from core.quantification.activity import MASK_BITS

DEFAULTED: Final = ("team", "project", "environment", "stage", "hosting")
"""Dimensions that a source's settings complete where records leave them empty."""

CHARGE_CATEGORY: Final = "charge_category"
"""Label of money on a bill that is no usage, in the words of FOCUS: tax, credit, purchase, adjustment."""

_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True)
class OwnAlias:
    """
    What a reported name stands for, while it does.

    Args:
        kind: the dimension: model, hardware, instance_type, region or provider.
        valid_from, valid_to: half-open, days in UTC; None: open.
    """

    kind: str
    reported: str
    resolves_to: str
    valid_from: date | None = None
    valid_to: date | None = None


def day_number(day: date) -> int:
    """Count days from 1970."""
    return (day - _EPOCH).days


def resolve_names(subjects: pd.DataFrame, aliases: Sequence[OwnAlias]) -> pd.DataFrame:
    """
    Replace reported names by what the organization's own aliases say, without regard to case.

    Args:
        subjects: the dimensions that have aliases, as reported, and ``day`` (days since 1970).
        aliases: where two hold at once, the later in this order wins.
    """
    if not aliases:
        return subjects
    resolved = subjects.copy()
    for alias in aliases:
        since = -np.inf if alias.valid_from is None else day_number(alias.valid_from)
        until = np.inf if alias.valid_to is None else day_number(alias.valid_to)
        meant = subjects[alias.kind].astype("str").str.casefold() == alias.reported.casefold()
        during = (subjects["day"] >= since) & (subjects["day"] < until)
        resolved[alias.kind] = resolved[alias.kind].mask(meant & during, alias.resolves_to)
    return resolved


def attribute(subjects: pd.DataFrame, source_settings: Mapping[int, Mapping[str, Any]]) -> pd.DataFrame:
    """
    Complete what records leave empty by the defaults of their source; what nobody knows stays empty.

    Args:
        subjects: ``source_id`` and the dimensions of ``DEFAULTED``.
        source_settings: source id to its settings.
    """
    completed = subjects.copy()
    for source_id, settings in source_settings.items():
        own = completed["source_id"] == source_id
        for name in DEFAULTED:
            value = settings.get(name)
            if value:
                completed[name] = completed[name].mask(own & completed[name].isna(), value)
    return completed


def usable(subjects: pd.DataFrame) -> pd.Series:
    """
    Return the presence mask that a use is quantified by: money that is no usage is no spend (methodology 2.6).

    Args:
        subjects: ``mask``, and ``labels`` (dicts) where there are any.
    """
    if "labels" not in subjects:
        return subjects["mask"]
    charged = np.array([CHARGE_CATEGORY in (labels or {}) for labels in subjects["labels"]], dtype=bool)
    return subjects["mask"].mask(charged, subjects["mask"] & ~(1 << MASK_BITS["cost"]))
