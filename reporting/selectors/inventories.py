"""Inventories of an organization: the one of a period, all of them, and whether their chain holds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from uuid import UUID

from django.db.models import JSONField
from django.db.models.fields.json import KeyTransform
from django.db.models.functions import Cast

from reporting.disclosures import Inventory as Document
from reporting.inventories.locked import ChainFault, chain_fault
from reporting.models import LOCKED, Inventory, PeriodState


def inventories(organization_id: int) -> list[Inventory]:
    """List all, the latest period first, of one period the newest first; of the document its ``totals`` alone."""
    rows = Inventory.objects.filter(organization_id=organization_id).defer("document")
    rows = rows.annotate(totals=KeyTransform("totals", Cast("document", JSONField())))
    return list(rows.select_related("prepared_by", "approved_by").order_by("-from_day", "to_day", "-id"))


def of_period(organization_id: int, from_day: date, to_day: date) -> list[Inventory]:
    """List all of a period, the newest first."""
    rows = Inventory.objects.filter(organization_id=organization_id, from_day=from_day, to_day=to_day)
    return list(rows.select_related("prepared_by", "approved_by").order_by("-id"))


def inventory_of(organization_id: int, inventory_id: UUID | str) -> Inventory | None:
    """Find one by its id."""
    rows = Inventory.objects.filter(organization_id=organization_id, id=inventory_id)
    return rows.select_related("prepared_by", "approved_by").first()


def standing(
    organization_id: int, from_day: date, to_day: date, *, states: Sequence[str] | None = None
) -> Inventory | None:
    """Find the inventory of a period that stands: the newest that nothing supersedes; with ``states`` only in one of them."""
    rows = Inventory.objects.filter(organization_id=organization_id, from_day=from_day, to_day=to_day)
    rows = rows.filter(state__in=states) if states else rows.exclude(state=PeriodState.SUPERSEDED)
    return rows.select_related("prepared_by", "approved_by").order_by("-id").first()


def document_of(inventory: Inventory) -> Document:
    """Read the document of an inventory."""
    found: Document = json.loads(inventory.document)
    return found


def chain_fault_of(organization_id: int) -> ChainFault | None:
    """Recompute the chain of an organization's locked inventories; None: it holds."""
    rows = Inventory.objects.filter(organization_id=organization_id, state__in=LOCKED).order_by("sequence")
    return chain_fault(rows.values_list("id", "document", "sha256", "previous_sha256").iterator(chunk_size=20))
