"""Reads of the catalog: an organization's own aliases."""

from __future__ import annotations

from django.db.models import F

from core.catalog.models import Alias
from core.quantification.attribute import OwnAlias


def aliases(organization_id: int) -> list[OwnAlias]:
    """List an organization's own aliases; where two hold at once, the one that began later stands after the other."""
    rows = Alias.objects.filter(organization_id=organization_id)
    ordered = rows.order_by("kind", "reported", F("valid_from").asc(nulls_first=True), "id")
    return [OwnAlias(row.kind, row.reported, row.resolves_to, row.valid_from, row.valid_to) for row in ordered]
