"""Saved scenarios, inside `organization_scope`."""

from __future__ import annotations

from collections.abc import Sequence

from reporting.models import Scenario


def scenarios(organization_id: int) -> list[Scenario]:
    """List an organization's scenarios by name."""
    rows = Scenario.objects.select_related("created_by").filter(organization_id=organization_id)
    return sorted(rows, key=lambda one: (one.name.casefold(), one.id))


def scenarios_of(organization_id: int, ids: Sequence[int]) -> list[Scenario] | None:
    """Find scenarios in the order of their ids; None where one of them is not the organization's."""
    found = Scenario.objects.filter(organization_id=organization_id).in_bulk(list(ids))
    return [found[each] for each in ids] if all(each in found for each in ids) else None
