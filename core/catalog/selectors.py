"""Reads of the catalog: an organization's own aliases, its sites, and what stands in their register."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

from django.db.models import Exists, F, OuterRef, QuerySet

from core.catalog.entries import WITHDRAWAL, Known, Standing
from core.catalog.models import Alias, RegisterEntry, Site
from core.organizations.selectors import consolidation_of, organization_by_id
from core.organizations.tenancy import once_a_snapshot
from core.quantification.assets import SERVER
from core.quantification.attribute import OwnAlias
from core.quantification.pack import FactorPack
from core.quantification.resolve import catalog_of
from core.quantification.scope1 import fuels, gases


def aliases(organization_id: int) -> list[OwnAlias]:
    """List an organization's own aliases; where two hold at once, the one that began later stands after the other."""
    rows = Alias.objects.filter(organization_id=organization_id)
    ordered = rows.order_by("kind", "reported", F("valid_from").asc(nulls_first=True), "id")
    return [OwnAlias(row.kind, row.reported, row.resolves_to, row.valid_from, row.valid_to) for row in ordered]


def all_aliases(organization_id: int) -> QuerySet[Alias]:
    """List an organization's own aliases with their ids, by kind and name."""
    return Alias.objects.filter(organization_id=organization_id).order_by("kind", "reported", "valid_from")


def sites(organization_id: int) -> QuerySet[Site]:
    """List an organization's sites by name."""
    return Site.objects.filter(organization_id=organization_id).order_by("name", "id")


def site_of(organization_id: int, slug: str) -> Site | None:
    """Find a site by what records call it."""
    return Site.objects.filter(organization_id=organization_id, slug=slug).first()


@once_a_snapshot
def sites_not_controlled(organization_id: int) -> frozenset[str]:
    """Name the sites that the organization does not control, under the approach by which it draws its boundary."""
    approach = consolidation_of(organization_by_id(organization_id))
    return frozenset(sites(organization_id).filter(**{approach: False}).values_list("slug", flat=True))


def all_entries(organization_id: int) -> QuerySet[RegisterEntry, RegisterEntry]:
    """List every entry, also those that were replaced, each with ``replaced``; the newest day first."""
    found = RegisterEntry.objects.filter(organization_id=organization_id)
    return found.annotate(replaced=_replaced(organization_id)).select_related("site").order_by("-day", "-id")


def standing_entries(
    organization_id: int, *, from_day: date | None = None, to_day: date | None = None
) -> QuerySet[RegisterEntry]:
    """
    List the entries that stand: neither replaced nor withdrawn, the oldest day first.

    Args:
        from_day, to_day: both inclusive; a month's reading is of the month that its day begins.
    """
    found = RegisterEntry.objects.filter(~_replaced(organization_id), organization_id=organization_id)
    found = found.exclude(kind=WITHDRAWAL).select_related("site").order_by("day", "id")
    if from_day is not None:
        found = found.filter(day__gte=from_day)
    return found if to_day is None else found.filter(day__lte=to_day)


def _replaced(organization_id: int) -> Exists:
    return Exists(RegisterEntry.objects.filter(organization_id=organization_id, replaces_id=OuterRef("id")))


def known_to_register(organization_id: int, pack: FactorPack, today: date) -> Known:
    """Collect what a new entry may name, inside the organization's scope."""
    units: dict[str, set[str]] = defaultdict(set)
    for fuel, unit in fuels(pack):
        units[fuel].add(unit)
    known_gases = gases(pack)
    catalog = catalog_of(pack)

    def gas_of(name: str) -> str | None:
        found = known_gases.get(name.upper())
        return found.name if found else None

    def hardware_of(name: str) -> str | None:
        if name.casefold() == SERVER:
            return SERVER
        found = catalog.hardware(name)
        return found.name if found else None

    rows = standing_entries(organization_id).values_list("id", "site__slug", "kind", "day")
    return Known(
        sites=frozenset(sites(organization_id).values_list("slug", flat=True)),
        fuels={fuel: frozenset(each) for fuel, each in units.items()},
        gas_of=gas_of,
        hardware_of=hardware_of,
        standing=[Standing(*row) for row in rows],
        today=today,
    )
