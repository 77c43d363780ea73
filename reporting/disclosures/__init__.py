"""Plain Python: an inventory (a dict after ``inventory.schema.json``) in, documents out. Nothing is computed here but units."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

Inventory = dict[str, Any]

BOUNDARY_NOTICE: Final = "AI activities, a part of the entity's inventory: do not add it to that inventory"
"""Said on the first page and in the metadata of every export of an inventory that covers AI activities alone."""

DRAFT_NOTICE: Final = "Draft, not approved"


class RefusedError(Exception):
    """A document cannot be written from this inventory; ``reasons`` says why, one sentence each."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__(" ".join(reasons))
        self.reasons = reasons


def notices(inventory: Inventory) -> list[str]:
    """What every document must say first: how far it reaches, whether it is a draft, who reviewed it."""
    found = []
    if inventory["status"] != "approved":
        found.append(DRAFT_NOTICE)
    if inventory["boundary"]["covers"] == "ai_activities":
        found.append(BOUNDARY_NOTICE)
    if inventory["evidence"].get("single_reviewer"):
        found.append("Not independently reviewed")
    return found


def made_at(inventory: Inventory) -> datetime:
    """
    Give the time that a document bears: of the last decision, else the end of the period; never that of the call.

    >>> made_at({"period": {"end": "2026-09-30"}, "evidence": {"approvals": []}}).isoformat()
    '2026-09-30T00:00:00+00:00'
    """
    decisions = [datetime.fromisoformat(each["at"]) for each in inventory["evidence"]["approvals"]]
    end = date.fromisoformat(inventory["period"]["end"])
    return max(decisions, default=datetime(end.year, end.month, end.day, tzinfo=UTC))
