"""Factor sets in the database: loaded once, read back bit for bit, never changed."""

from __future__ import annotations

import gzip
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, transaction

from core.factors import selectors, services
from core.factors.models import FactorSet, FactorTable
from core.factors.pack import load_pack
from core.quantification.pack import pack_from_tables

TABLES = {"grid_intensity_annual--a": b"zone,g\nDE,329\n", "hardware--b": b"id,w\nh100,700\na100,400\n"}


@pytest.fixture(autouse=True)
def _fresh_packs():
    selectors.pack_of.cache_clear()
    yield
    selectors.pack_of.cache_clear()


def test_a_pack_is_read_back_bit_for_bit(db):
    pack = pack_from_tables("one", TABLES)

    loaded = services.load_factor_set(pack)
    stored = selectors.pack_of(pack.content_hash)

    assert loaded.created
    assert loaded.new_tables == 2
    assert dict(stored.blobs) == dict(pack.blobs)
    assert stored.content_hash == pack.content_hash
    assert stored.name == "one"


def test_loading_twice_changes_nothing(db):
    pack = pack_from_tables("one", TABLES)
    services.load_factor_set(pack)

    again = services.load_factor_set(pack)

    assert not again.created
    assert FactorSet.objects.filter(name="one").count() == 1


def test_a_new_edition_shares_the_tables_that_stay(db):
    services.load_factor_set(pack_from_tables("one", TABLES))

    second = services.load_factor_set(pack_from_tables("two", TABLES | {"hardware--b": b"id,w\nh100,690\n"}))

    assert second.new_tables == 1


def test_a_changed_set_needs_a_name_of_its_own(db):
    services.load_factor_set(pack_from_tables("one", TABLES))

    with pytest.raises(services.FactorSetNameTaken, match="needs a name of its own"):
        services.load_factor_set(pack_from_tables("one", {"hardware--b": b"id,w\n"}))


@pytest.mark.parametrize("change", ["update factors_factortable set rows = 0", "delete from factors_factorsettable"])
def test_the_database_refuses_to_change_a_set(db, change):
    services.load_factor_set(pack_from_tables("one", TABLES))

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        execute(change)


def test_a_damaged_table_is_found(db):
    pack = pack_from_tables("one", TABLES)
    services.load_factor_set(pack)
    factor_set = FactorSet.objects.get(name="one")
    table = FactorTable.objects.create(content_hash="sha256:false", rows=1, content=gzip.compress(b"x\n1\n"))
    factor_set.factorsettable_set.create(name="smuggled--in", table=table)

    with pytest.raises(selectors.DamagedFactorSet, match="damaged"):
        selectors.pack_of(pack.content_hash)


def test_factors_command_lists_and_verifies(db):
    services.load_factor_set(pack_from_tables("one", TABLES))

    assert "one  2 tables  3 rows" in run("list")
    assert "one  good" in run("verify")
    with pytest.raises(CommandError, match="no factor set 'three'"):
        run("diff", "one", "three")


def test_the_shipped_tables_load(db):
    out = StringIO()
    was_there = FactorSet.objects.filter(content_hash=load_pack().content_hash).exists()  # committed by another test

    call_command("load_factors", stdout=out)
    call_command("load_factors", stdout=out)

    first, second = out.getvalue().splitlines()
    assert ("is there" if was_there else "loaded") in first
    assert "is there" in second


def run(*arguments: str) -> str:
    out = StringIO()
    call_command("factors", *arguments, stdout=out)
    return out.getvalue()


def execute(statement: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(statement)
