"""The records of one trace, nested by their times, each with its own footprint."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors.records import record_figures
from core.ledger.selectors import places_of_trace, records_at
from reporting.selectors.overview import value_or_none
from reporting.selectors.records import matching, named

MOST_SPANS: Final = 500


@dataclass(frozen=True)
class Span:
    """
    One record of a trace.

    Args:
        row: the record with its names in force.
        kg: its own footprint, None where it is not known. [kg CO2e]
        depth: how many others its time lies within.
        share: of the trace's footprint; cumulative: of this and all that started before. None where nothing is known.
    """

    row: dict[str, Any]
    kg: float | None
    depth: int
    share: float | None
    cumulative: float | None


def spans_of(
    organization_id: int, view: View, trace: str, around: datetime, narrowed: Mapping[str, tuple[str, ...]]
) -> list[Span]:
    """
    Read up to ``MOST_SPANS`` records of a trace that start within a day of a time, by their start.

    The ledger keeps no parents, so a record is nested in the one whose time holds its own.

    Args:
        narrowed: dimensions to what the asker may see of them; records of others are left out.
    """
    rows = records_at(organization_id, places_of_trace(organization_id, trace, around, MOST_SPANS))
    day = around.date()
    rows, found = matching(
        organization_id, rows, record_figures(organization_id, view, rows), Filter(day, day, narrowed)
    )
    shown = named(organization_id, rows, found)
    kg = [value_or_none(value) for value in found["total_kg_co2e"]] if len(found) else []
    order = sorted(
        range(len(shown)), key=lambda at: (shown[at]["started_at"], -_seconds(shown[at]), str(shown[at]["key"]))
    )
    whole = sum(value or 0.0 for value in kg)
    spans: list[Span] = []
    ends: list[datetime] = []
    reached = 0.0
    for at in order:
        row = shown[at]
        while ends and row["ended_at"] > ends[-1]:
            ends.pop()
        reached += kg[at] or 0.0
        share = (kg[at] or 0.0) / whole if whole and kg[at] is not None else None
        spans.append(Span(row, kg[at], len(ends), share, reached / whole if whole else None))
        ends.append(row["ended_at"])
    return spans


def _seconds(row: dict[str, Any]) -> float:
    return float((row["ended_at"] - row["started_at"]).total_seconds())
