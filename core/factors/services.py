"""Writes of factor sets: a set is loaded whole, once, and never changed."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass

from django.db import connection, transaction

from core.factors.models import FactorSet, FactorSetTable, FactorTable
from core.quantification.pack import FactorPack

LOAD_LOCK = 0x57A7F  # advisory lock: two processes that start at once load a set once


class FactorSetNameTaken(Exception):
    """Another set has this name already; the message names both hashes."""


@dataclass(frozen=True)
class LoadedSet:
    """What loading did: the set, and how many tables were new; a set that was there already has none."""

    factor_set: FactorSet
    created: bool
    new_tables: int


def load_factor_set(pack: FactorPack) -> LoadedSet:
    """
    Store a pack as an immutable factor set; does nothing when a set of the same content is there.

    Tables are stored once by content, so a new edition of one table adds one row.

    Raises:
        FactorSetNameTaken: a set of this name holds other tables.
    """
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", [LOAD_LOCK])
        known = FactorSet.objects.filter(content_hash=pack.content_hash).first()
        if known is not None:
            return LoadedSet(known, created=False, new_tables=0)
        taken = FactorSet.objects.filter(name=pack.name).first()
        if taken is not None:
            raise FactorSetNameTaken(
                f"The factor set {pack.name!r} is there with other tables ({taken.content_hash}, not"
                f" {pack.content_hash}): a changed set needs a name of its own."
            )
        factor_set = FactorSet.objects.create(name=pack.name, content_hash=pack.content_hash)
        hashes = {name: table_hash(content) for name, content in pack.blobs.items()}
        present = set(
            FactorTable.objects.filter(content_hash__in=hashes.values()).values_list("content_hash", flat=True)
        )
        new = {hashes[name]: content for name, content in pack.blobs.items() if hashes[name] not in present}
        FactorTable.objects.bulk_create(
            FactorTable(content_hash=key, rows=content.count(b"\n") - 1, content=gzip.compress(content, mtime=0))
            for key, content in new.items()
        )
        FactorSetTable.objects.bulk_create(
            FactorSetTable(factor_set=factor_set, name=name, table_id=key) for name, key in hashes.items()
        )
    return LoadedSet(factor_set, created=True, new_tables=len(new))


def table_hash(content: bytes) -> str:
    """Address a table: ``sha256:<hex>`` of its canonical bytes."""
    return "sha256:" + hashlib.sha256(content).hexdigest()
