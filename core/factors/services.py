"""Writes of factor sets: a set is loaded whole, once, and never changed."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from core.factors.importing import on_base
from core.factors.models import FactorSet, FactorSetTable, FactorTable
from core.factors.sources import registered_sources, sources_of
from core.locks import LOAD_LOCK
from core.quantification.factor_checks import Fault, faults_of
from core.quantification.pack import FactorPack, pack_from_tables


class FactorSetNameTaken(Exception):
    """Another set has this name already; the message names both hashes."""


class ImpossibleFactors(Exception):
    """Tables that cannot become a set; ``faults`` says everything that is wrong with them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


@dataclass(frozen=True)
class LoadedSet:
    """What loading did: the set, and how many tables were new; a set that was there already has none."""

    factor_set: FactorSet
    created: bool
    new_tables: int


@dataclass(frozen=True)
class ImportedSet(LoadedSet):
    """What importing did, and what is worth a second look."""

    warnings: tuple[Fault, ...]


def import_factor_set(
    tables: Mapping[str, bytes], *, name: str, this_year: int, base: FactorPack | None = None, prefer: bool = False
) -> ImportedSet:
    """
    Check tables and store them as a set, with those of a base set beside them.

    Args:
        tables: as `core.factors.importing.read_tables` gives them.
        name: of the new set.
        this_year: years after it are in the future.
        base: a table of the same name is replaced in it, all others stay.
        prefer: the new rows take the place of the base's preferred ones of the same choice.

    Raises:
        ImpossibleFactors: with every fault; nothing was stored.
        FactorSetNameTaken: a set of this name holds other tables.
    """
    whole = dict(tables) if base is None else on_base(base, tables, prefer=prefer)
    known = set(registered_sources()) | (set(sources_of(base)) if base is not None else set())
    found = faults_of(whole, known_datasets=known, this_year=this_year)
    faults = [fault for fault in found if not fault.warning]
    if faults:
        raise ImpossibleFactors(faults)
    loaded = load_factor_set(pack_from_tables(name, whole))
    warnings = tuple(fault for fault in found if base is None or fault.table in tables)
    return ImportedSet(loaded.factor_set, loaded.created, loaded.new_tables, warnings)


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
