"""Writes of the register: what a site's meters show changes the PUE and WUE of its records, so their days are marked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, Final

from core.accounting.selectors.register import METERED, tables_of
from core.accounting.services.market_rates import mark_years
from core.accounting.services.marks import mark_days
from core.catalog import services as catalog
from core.catalog.entries import Entry
from core.catalog.models import RegisterEntry, Site
from core.factors.instrument_selectors import has_instruments, vintage_years
from core.organizations import services as organizations
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope

METERS: Final = ("meter_reading", "water")
"""Kinds that PUE and WUE follow from."""


def add_register_entries(
    *, organization_id: int, rows: Iterable[Mapping[str, Any]], today: date
) -> list[RegisterEntry]:
    """
    Add every row to the register or none, as `core.catalog.services.add_entries`, and derive the days it concerns again.

    A reading concerns its whole calendar year: months without one take the year's ratio.
    """
    with organization_scope(organization_id):
        made = catalog.add_entries(
            organization_id=organization_id, rows=rows, pack=tables_of(organization_id), today=today
        )
        for slug, year in sorted(_concerned(organization_id, made)):
            mark_days(
                organization_id,
                "lower(r.site) = %s and d.day >= %s and d.day <= %s",
                [slug, date(year, 1, 1), date(year, 12, 31)],
            )
        if has_instruments(organization_id):
            mark_years(organization_id, _purchased_otherwise(organization_id, made))
    return made


def check_register_entries(*, organization_id: int, rows: Sequence[Mapping[str, Any]], today: date) -> list[Entry]:
    """Read rows as `add_register_entries` would, and write nothing. Raises RegisterRefused as it does."""
    with organization_scope(organization_id):
        return catalog.check_entries(
            organization_id=organization_id, rows=rows, pack=tables_of(organization_id), today=today
        )


def _concerned(organization_id: int, made: Sequence[RegisterEntry]) -> set[tuple[str, int]]:
    """List the sites and years whose meters say something else now, those of replaced readings included."""
    return {(slug, day.year) for slug, day in _changed(organization_id, made, METERS)}


def _purchased_otherwise(organization_id: int, made: Sequence[RegisterEntry]) -> set[int]:
    """List the years in which instruments cover something else now: another part of the electricity is purchased."""
    return {day.year for _, day in _changed(organization_id, made, METERED)}


def _changed(organization_id: int, made: Sequence[RegisterEntry], kinds: Sequence[str]) -> list[tuple[str, date]]:
    ids = [entry.id for entry in made] + [entry.replaces_id for entry in made if entry.replaces_id is not None]
    found = RegisterEntry.objects.filter(organization_id=organization_id, id__in=ids, kind__in=kinds)
    return list(found.values_list("site__slug", "day"))


def add_site(*, organization_id: int, slug: str, **fields: Any) -> Site:
    """Name a site, as `core.catalog.services.add_site`: whoever controls it decides what instruments cover."""
    with organization_scope(organization_id):
        mark_years(organization_id, vintage_years(organization_id))
        return catalog.add_site(organization_id=organization_id, slug=slug, pack=tables_of(organization_id), **fields)


def change_site(*, organization_id: int, slug: str, **fields: Any) -> Site:
    """Change what is said of a site, as `core.catalog.services.change_site`: control decides what instruments cover."""
    with organization_scope(organization_id):
        mark_years(organization_id, vintage_years(organization_id))
        return catalog.change_site(
            organization_id=organization_id, slug=slug, pack=tables_of(organization_id), **fields
        )


def set_consolidation(*, organization_id: int, approach: str) -> Organization:
    """Draw the boundary, as `core.organizations.services.set_consolidation`: instruments cover what is inside it."""
    with organization_scope(organization_id):
        mark_years(organization_id, vintage_years(organization_id))
        return organizations.set_consolidation(organization_id=organization_id, approach=approach)
