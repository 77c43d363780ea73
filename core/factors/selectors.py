"""Reads of factor sets (packs as they were loaded, bit for bit) and of own factors."""

from __future__ import annotations

import gzip
from functools import lru_cache
from typing import Any

from django.db.models import Count, F, QuerySet, Sum

from core.factors import models
from core.factors.models import FactorSet, FactorSetTable
from core.factors.pack import NAME
from core.quantification.factor_checks import SOURCES
from core.quantification.factor_tables import licence_kind
from core.quantification.own_factors import OwnFactor
from core.quantification.pack import FILE, FactorPack, content_hash


class NoFactorSet(LookupError):
    """There is no factor set of that name or hash."""


class DamagedFactorSet(Exception):
    """A stored set does not hash to its own content hash: its tables are not what they were."""


def factor_sets() -> QuerySet[Any]:
    """List the sets, the newest first, with ``table_count`` and ``row_count``."""
    return FactorSet.objects.annotate(
        table_count=Count("factorsettable"), row_count=Sum("factorsettable__table__rows")
    ).order_by("-id")


def shipped_factor_set() -> FactorSet:
    """Return the set that ships with this release, which new organizations begin with. Raises NoFactorSet before load."""
    shipped = FactorSet.objects.filter(name=NAME).first()
    if shipped is None:
        raise NoFactorSet(f"The factor set {NAME!r} is not loaded: run `manage.py load_factors`.")
    return shipped


def factor_set_of(name_or_hash: str) -> FactorSet:
    """Find a set by its name or content hash. Raises NoFactorSet with the names that there are."""
    found = FactorSet.objects.filter(name=name_or_hash).first()
    found = found or FactorSet.objects.filter(content_hash=name_or_hash).first()
    if found is None:
        known = ", ".join(FactorSet.objects.order_by("-id").values_list("name", flat=True)[:10]) or "none"
        raise NoFactorSet(f"There is no factor set {name_or_hash!r}; known: {known}.")
    return found


@lru_cache(maxsize=4)
def pack_of(content_hash_of_set: str) -> FactorPack:
    """
    Read a set back as the pack that it was loaded from, hash checked. Kept by the process: a set never changes.

    Raises:
        NoFactorSet: no set has this hash.
        DamagedFactorSet: the stored tables are not those of the hash.
    """
    factor_set = factor_set_of(content_hash_of_set)
    rows = FactorSetTable.objects.filter(factor_set=factor_set).values_list("name", "table__content")
    blobs = {name: gzip.decompress(bytes(content)) for name, content in rows.order_by("name")}
    if content_hash(blobs) != factor_set.content_hash:
        raise DamagedFactorSet(
            f"The factor set {factor_set.name!r} is damaged: its tables hash to {content_hash(blobs)}, not to"
            f" {factor_set.content_hash}. Restore the database from a backup; no figure is derived with it."
        )
    return FactorPack(name=factor_set.name, content_hash=factor_set.content_hash, blobs=blobs)


def unusual_licences(factor_set: FactorSet) -> list[str]:
    """Say of each dataset of a set whose licence asks for more than attribution what it asks for; exports carry it too."""
    pack = pack_of(factor_set.content_hash)
    found: dict[str, str] = {}
    for table in pack.tables:
        if table == SOURCES:
            continue
        for row in pack.every_row(table):
            kind = licence_kind(row["licence"])
            if kind != "open":
                found.setdefault(row[FILE], f"{row[FILE]} is {kind}: {row['licence']} ({row['source']})")
    return list(found.values())


def own_factors(organization_id: int) -> list[OwnFactor]:
    """List an organization's own factors, by name and first day, inside its scope."""
    rows = models.OwnFactor.objects.filter(organization_id=organization_id)
    return [own_factor(row) for row in rows.order_by("name", F("valid_from").asc(nulls_first=True), "id")]


def own_factor(row: models.OwnFactor) -> OwnFactor:
    """Give a stored factor as plans choose from it."""
    return OwnFactor(
        id=f"own:{row.id}",
        name=row.name,
        value=row.value,
        low=row.low,
        high=row.high,
        source=row.source,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        where=row.where,
    )
