"""Providers' statements that nobody has tied to what they describe: shown beside what the units say, with what of them counts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from core.accounting.figures import Filter
from core.accounting.selectors.conditions import source_names
from core.accounting.selectors.emissions import emissions
from core.accounting.selectors.rules import links_in_order
from core.organizations.tenancy import organization_scope
from core.quantification.coverage import COUNTED, CROSS_CHECK, STATED, units_of


@dataclass(frozen=True)
class UnlinkedStatement:
    """
    An account of a provider's statement without a link.

    Args:
        account: None: the statement names none.
        counted_kg: what it says of AI services, which counts as long as nothing else is known to describe them.
        beside_kg: what it says of other services, which never counts; None: not known. [kg CO2e]
    """

    source_id: int
    source: str
    account: str | None
    records: int
    counted_kg: float | None
    beside_kg: float | None

    @property
    def stated_kg(self) -> float | None:
        """Return all that it says."""
        known = [each for each in (self.counted_kg, self.beside_kg) if each is not None]
        return sum(known) if known else None

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes."""
        return {
            "source": self.source,
            "account": self.account,
            "records": self.records,
            "stated_kg_co2e": self.stated_kg,
            "counted_kg_co2e": self.counted_kg,
            "beside_kg_co2e": self.beside_kg,
        }


def unlinked_statements(organization_id: int, asked: Filter) -> list[UnlinkedStatement]:
    """
    List the accounts of statements that are neither linked nor declared independent, by source and account.

    Args:
        asked: period, basis and parts of the totals; its roles, grouping and grain are not looked at.
    """
    by = replace(
        asked,
        by=("source", "account", "evidence", "role"),
        grain="total",
        role=(COUNTED, CROSS_CHECK),
        booking="life-cycle",
    )
    with organization_scope(organization_id):
        numbers = {title: number for number, title in source_names(organization_id).items()}
        links = links_in_order(organization_id)
        rows = emissions(organization_id, by, bounds=False).rows
    rows = rows[rows["evidence"] == STATED]
    rows = rows.assign(source_id=rows["source"].map(numbers))
    rows = rows[pd.Series([unit is None for unit in units_of(rows, links)], index=rows.index, dtype=bool)]
    return [
        UnlinkedStatement(
            source_id=int(own["source_id"].iloc[0]),
            source=str(own["source"].iloc[0]),
            account=None if own["account"].isna().iloc[0] else str(own["account"].iloc[0]),
            records=int(own["records"].sum()),
            counted_kg=_kg(own, COUNTED),
            beside_kg=_kg(own, CROSS_CHECK),
        )
        for _, own in rows.groupby(["source_id", "account"], sort=True, dropna=False)
    ]


def _kg(rows: pd.DataFrame, role: str) -> float | None:
    kg = rows.loc[rows["role"] == role, "total_kg_co2e"]
    return None if kg.isna().all() else float(kg.sum())
