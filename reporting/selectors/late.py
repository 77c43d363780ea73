"""What came for a period after its figures were read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from django.apps import apps

from core.accounting.selectors.conditions import source_names
from core.ledger.earlier import batches_of
from core.organizations.tenancy import organization_scope
from reporting.models import Inventory

TIME_BITS: Final = 80
"""An identifier of version 7 begins with milliseconds, and has so many bits after them."""


@dataclass(frozen=True)
class LateSource:
    """What one source delivered late: records, corrections of records, and when its first and last of it came."""

    source: str
    records: int
    corrections: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Late:
    """All that came late for a period. ``batches`` wrote it."""

    sources: tuple[LateSource, ...]
    batches: tuple[UUID, ...]

    @property
    def records(self) -> int:
        """Return how many records came."""
        return sum(each.records for each in self.sources)

    @property
    def corrections(self) -> int:
        """Return how many records were corrected."""
        return sum(each.corrections for each in self.sources)


def late_for(organization_id: int, inventory: Inventory) -> Late:
    """
    List what was written for an inventory's period after its figures were read.

    The model of batches is named as a string: the two apps do not know each other. A batch that is none of theirs, such as the
    deletion of a source, is as old as its identifier says.
    """
    starts_at = datetime.combine(inventory.from_day, datetime.min.time(), UTC)
    ends_at = datetime.combine(inventory.to_day, datetime.max.time(), UTC)
    with organization_scope(organization_id):
        rows = batches_of(organization_id, starts_at, ends_at)
        batches: Any = apps.get_model("ingestion", "Batch").objects
        known = batches.filter(organization_id=organization_id, id__in=rows["batch_id"].unique().tolist())
        finished = {number: at for number, at in known.values_list("id", "finished_at") if at is not None}
        names = source_names(organization_id)
    rows["at"] = [finished.get(each, written_at(each)) for each in rows["batch_id"]]
    rows = rows[[at > inventory.closed_at for at in rows["at"]]]
    sources = tuple(
        LateSource(
            names[source_id], int(own["records"].sum()), int(own["corrections"].sum()), min(own["at"]), max(own["at"])
        )
        for source_id in sorted(rows["source_id"].unique().tolist())
        if len(own := rows[rows["source_id"] == source_id])
    )
    return Late(sources, tuple(sorted(set(rows["batch_id"]))))


def written_at(batch_id: UUID) -> datetime:
    """
    Read the time out of a time-ordered identifier.

    >>> written_at(UUID("01920000-0000-7000-8000-000000000000")).year
    2024
    """
    return datetime.fromtimestamp((batch_id.int >> TIME_BITS) / 1000, UTC)
