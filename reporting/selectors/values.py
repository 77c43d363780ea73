"""Which values a dimension has in a period: the choices of the filter bar."""

from __future__ import annotations

from dataclasses import replace

from core.accounting.figures import Filter
from core.accounting.selectors import emissions
from reporting.selectors.overview import key_of

DIMS = ("team", "model", "stage", "provider")


def values_of(organization_id: int, filtered: Filter) -> dict[str, list[str]]:
    """List the values of each dimension in the period, whatever else is filtered; the largest emitters first."""
    everything = replace(filtered, dims={}, by=DIMS, grain="total")
    rows = emissions(organization_id, everything, bounds=False).rows
    if rows.empty:
        return {}
    found = {}
    for dim in DIMS:
        sums = rows.assign(key=rows[dim].map(key_of)).groupby("key")["total_kg_co2e"].sum()
        found[dim] = [str(key) for key in sums.sort_values(ascending=False, kind="stable").index]
    return found
