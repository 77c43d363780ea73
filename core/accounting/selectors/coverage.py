"""What an organization has said about its sources: which of them describe the same, and which counts there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from core.accounting.models import CoverageUnit, SourceLink
from core.accounting.selectors.conditions import source_names
from core.organizations.tenancy import organization_scope
from core.quantification.coverage import SOURCE


@dataclass(frozen=True)
class Coverage:
    """
    Rules of coverage in plain values.

    Args:
        units: ``id``, ``name``, ``counts`` (the name of the source that alone counts; None: evidence decides), ``precedence``
            (levels and names of sources, best first; empty: the usual order), ``reason``; by name.
        links: ``id``, ``source``, ``account`` (None: every account), ``unit`` (None: declared independent), ``part`` (None: as
            its evidence says), ``reason``.
    """

    units: list[dict[str, Any]]
    links: list[dict[str, Any]]


def coverage_of(organization_id: int) -> Coverage:
    """List an organization's coverage units and links."""
    with organization_scope(organization_id):
        names = source_names(organization_id)
        units = list(CoverageUnit.objects.filter(organization_id=organization_id).order_by("name"))
        links = list(SourceLink.objects.filter(organization_id=organization_id).order_by("id"))
    by_id = {unit.id: unit.name for unit in units}
    return Coverage(
        [
            {
                "id": unit.id,
                "name": unit.name,
                "counts": None if unit.counting_source_id is None else names[unit.counting_source_id],
                "precedence": [_in_words(each, names) for each in unit.precedence],
                "reason": unit.reason,
            }
            for unit in units
        ],
        [
            {
                "id": link.id,
                "source": names[link.source_id],
                "account": link.account,
                "unit": None if link.unit_id is None else by_id[link.unit_id],
                "part": link.part,
                "reason": link.reason,
            }
            for link in links
        ],
    )


def _in_words(entry: str, names: dict[int, str]) -> str:
    return names[int(entry.removeprefix(SOURCE))] if entry.startswith(SOURCE) else entry
