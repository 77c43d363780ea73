"""Reads of the catalog: an organization's own aliases."""

from __future__ import annotations

import pandas as pd

from core.catalog.models import Alias

COLUMNS = ("kind", "reported", "resolves_to", "valid_from", "valid_to")


def aliases(organization_id: int) -> pd.DataFrame:
    """List an organization's own aliases: kind, reported, resolves_to, valid_from, valid_to (dates, None: open)."""
    rows = Alias.objects.filter(organization_id=organization_id).order_by("kind", "reported", "valid_from", "id")
    return pd.DataFrame(list(rows.values_list(*COLUMNS)), columns=list(COLUMNS), dtype=object)
