"""Spans that repeat others: read with them, but counted only where the others are not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Aggregate:
    """
    A span that repeats the sum of its children: it counts where no counted child of its trace is seen.

    Args:
        trace, span, parent: ids in hex; no parent is "".
        record: for `records.to_activity`, as it would count.
    """

    trace: str
    span: str
    parent: str
    record: dict[str, Any]
