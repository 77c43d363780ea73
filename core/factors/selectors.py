"""Reads of factor sets (packs as they were loaded, bit for bit, and what differs between two) and of own factors."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db.models import Count, F, QuerySet, Sum

from core.factors import models
from core.factors.models import FactorSet, FactorSetTable
from core.factors.pack import NAME
from core.quantification.own_factors import OwnFactor
from core.quantification.pack import FactorPack, content_hash


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


@dataclass(frozen=True)
class TableDifference:
    """Rows of one table that only one of two sets has, as CSV fields in the table's own order."""

    table: str
    columns: tuple[str, ...]
    removed: tuple[tuple[str, ...], ...]
    added: tuple[tuple[str, ...], ...]


def difference_of(first: FactorPack, second: FactorPack) -> list[TableDifference]:
    """Compare two packs row by row, table by table; equal tables are left out."""
    differences = []
    for name in sorted(first.blobs.keys() | second.blobs.keys()):
        before, after = first.blobs.get(name, b""), second.blobs.get(name, b"")
        if before == after:
            continue
        old, new = _rows(before), _rows(after)
        removed, added = Counter(old[1:]) - Counter(new[1:]), Counter(new[1:]) - Counter(old[1:])
        differences.append(
            TableDifference(
                table=name,
                columns=(new or old)[0],
                removed=tuple(removed.elements()),
                added=tuple(added.elements()),
            )
        )
    return differences


def _rows(content: bytes) -> list[tuple[str, ...]]:
    return [tuple(row) for row in csv.reader(io.StringIO(content.decode(), newline=""))]


def own_factors(organization_id: int) -> list[OwnFactor]:
    """List an organization's own factors, by name and first day, inside its scope."""
    rows = models.OwnFactor.objects.filter(organization_id=organization_id)
    return [
        OwnFactor(
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
        for row in rows.order_by("name", F("valid_from").asc(nulls_first=True), "id")
    ]
