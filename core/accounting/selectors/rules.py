"""The rules in force: source settings, coverage units, links and aliases, as derive takes them."""

from __future__ import annotations

import pandas as pd

from core.accounting.models import CoverageUnit, SourceLink
from core.accounting.rules import Rules
from core.catalog.selectors import aliases
from core.ledger.models import Source


def rules_of(organization_id: int) -> Rules:
    """Collect an organization's rules, inside its scope."""
    links = SourceLink.objects.filter(organization_id=organization_id).order_by("id")
    units = CoverageUnit.objects.filter(organization_id=organization_id)
    columns = ["source_id", "account", "unit_id"]
    return Rules(
        source_settings=dict(Source.objects.filter(organization_id=organization_id).values_list("id", "settings")),
        links=pd.DataFrame(list(links.values_list(*columns)), columns=columns, dtype=object),
        counting=dict(units.values_list("id", "counting_source_id")),
        aliases=aliases(organization_id),
    )
