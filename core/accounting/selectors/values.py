"""What a dimension holds in a period: the values that a filter can choose, each with its records and emissions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import pandas as pd
from django.db import connection

from core.accounting.aggregate import TOTAL
from core.accounting.figures import UNATTRIBUTED, Filter
from core.accounting.models import View
from core.accounting.selectors.emissions import emissions
from core.organizations.tenancy import organization_scope

MOST_TECHNIQUES: Final = 20


@dataclass(frozen=True)
class Value:
    """One value of a dimension: how many records have it, and their total; None is unknown. [kg CO2e]"""

    value: str
    records: int
    kg_co2e: float | None


def values_in(
    organization_id: int, asked: Filter, dim: str, allowed: Mapping[str, tuple[str, ...]], *, view: View | None = None
) -> list[Value]:
    """
    List the values that a dimension has under the other filters, the largest first.

    Args:
        asked: period, the other filters, basis and parts; what it says of `dim` itself is put aside.
        dim: one of ``FILTERS``.
        allowed: what the asker is narrowed to, whatever they filter.
    """
    dims = {name: values for name, values in asked.dims.items() if name != dim} | dict(allowed)
    plain = replace(asked, dims=dims, by=(), grain="total")
    if dim == "technique":
        found = [_of_technique(organization_id, plain, name, view) for name in techniques(organization_id)]
        kept = [each for each in found if each.records]
    else:
        rows = emissions(organization_id, replace(plain, by=(dim,)), bounds=False, view=view).rows
        kept = [
            Value(UNATTRIBUTED if name is None or pd.isna(name) else str(name), int(records), _known(kg))
            for name, records, kg in rows[[dim, "records", TOTAL]].itertuples(index=False)
        ]
    return sorted(kept, key=lambda each: (-(each.kg_co2e or 0.0), -each.records, each.value))


def techniques(organization_id: int) -> list[str]:
    """Name the techniques that any record was served with, at most ``MOST_TECHNIQUES``."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select distinct unnest(techniques) as name from accounting_resolved_series where organization_id = %s"
            " order by name limit %s",
            [organization_id, MOST_TECHNIQUES],
        )
        return [name for (name,) in cursor.fetchall()]


def records_in(organization_id: int, asked: Filter, *, view: View | None = None) -> int:
    """Count the records that a filter leaves."""
    rows = emissions(organization_id, replace(asked, by=(), grain="total"), bounds=False, view=view).rows
    return int(rows["records"].sum())


def _of_technique(organization_id: int, asked: Filter, name: str, view: View | None) -> Value:
    """Add up what was served with a technique; a record with two counts with each."""
    only = replace(asked, dims={**asked.dims, "technique": (name,)})
    rows = emissions(organization_id, only, bounds=False, view=view).rows
    return Value(name, int(rows["records"].sum()), _known(rows[TOTAL].sum(min_count=1)))


def _known(kg: float) -> float | None:
    return None if pd.isna(kg) else float(kg)
