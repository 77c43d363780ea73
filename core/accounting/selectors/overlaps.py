"""Sources that nobody has tied to what they describe: they count, and may count something a second time."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from core.accounting.figures import Filter
from core.accounting.selectors.conditions import source_names
from core.accounting.selectors.emissions import emissions
from core.accounting.selectors.rules import rules_of
from core.organizations.tenancy import organization_scope
from core.quantification.coverage import STATED, units_of


@dataclass(frozen=True)
class OverlapWarning:
    """
    A source without a link whose figures count.

    Args:
        accounts: what it reports on that has no link; None among them is what names no account.
        kg_co2e: its total of the period, by the filter's basis and parts; None: not known.
        records: how many of its records count.
    """

    source_id: int
    source: str
    accounts: tuple[str | None, ...]
    kg_co2e: float | None
    records: int


def overlap_warnings(organization_id: int, asked: Filter, *, statements: bool = True) -> list[OverlapWarning]:
    """
    List the sources that count without a link, the heaviest first; they are silent once linked or declared independent.

    An organization's only source overlaps with nothing, so it raises no warning.

    Args:
        statements: whether what providers state is among it; it has a list of its own (`unlinked_statements`).
    """
    with organization_scope(organization_id):
        sources = {title: number for number, title in source_names(organization_id).items()}
        if len(sources) < 2:
            return []
        links = rules_of(organization_id).links
        rows = emissions(
            organization_id,
            replace(asked, by=("source", "account", "evidence"), grain="total", role=("counted",)),
            bounds=False,
        ).rows
    rows = rows[statements | (rows["evidence"] != STATED)].assign(source_id=lambda each: each["source"].map(sources))
    unlinked = rows[pd.Series([unit is None for unit in units_of(rows, links)], index=rows.index, dtype=bool)]
    found = [
        OverlapWarning(
            source_id=int(own["source_id"].iloc[0]),
            source=str(name),
            accounts=tuple(None if pd.isna(account) else str(account) for account in own["account"].drop_duplicates()),
            kg_co2e=None if own["total_kg_co2e"].isna().all() else float(own["total_kg_co2e"].sum()),
            records=int(own["records"].sum()),
        )
        for name, own in unlinked.groupby("source", sort=True)
    ]
    return sorted(found, key=lambda each: -(each.kg_co2e or 0.0))
