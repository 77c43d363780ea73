"""One organization's ledger is invisible to another, and never costs it a record."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from core.identifiers import uuid7
from core.ledger import selectors, services
from core.organizations.tenancy import organization_scope

from .conftest import activity, write_batch

TABLES = ("record", "record_text", "identity", "cell", "series", "source", "dirty_day", "snapshot", "snapshot_record")


@pytest.fixture
def other_source(other_organization):
    return services.ensure_source(other_organization.id, "activity")


def test_every_ledger_table_and_partition_is_under_forced_row_level_security(organization, write):
    write({})  # makes partitions of its month
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.relname, c.relrowsecurity and c.relforcerowsecurity,"
            " exists (select from pg_policy p where p.polrelid = c.oid and p.polwithcheck is not null)"
            " from pg_class c where c.relname like 'ledger\\_%%' and c.relkind in ('r', 'p')"
            " and c.relnamespace = 'public'::regnamespace",
        )
        found = {name: (forced, policy) for name, forced, policy in cursor.fetchall()}

    assert {f"ledger_{name}" for name in TABLES} <= found.keys()
    assert {"ledger_record_2026_11", "ledger_record_text_2026_11", "ledger_identity_00"} <= found.keys()
    assert {name for name, (forced, policy) in found.items() if not (forced and policy)} == set()


def test_every_unique_key_begins_with_the_organization(organization):
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.relname, i.indexrelid::regclass::text, a.attname"
            " from pg_index i join pg_class c on c.oid = i.indrelid"
            " join pg_attribute a on a.attrelid = c.oid and a.attnum = i.indkey[0]"
            " where i.indisunique and c.relname like 'ledger\\_%%' and c.relnamespace = 'public'::regnamespace",
        )
        keys = cursor.fetchall()

    assert len(keys) > 20
    # a primary key of generated numbers collides with nobody
    assert {name for _, name, column in keys if column not in {"organization_id", "id"}} == set()


def test_the_same_record_of_two_organizations_is_written_for_both(
    organization, other_organization, write, other_source
):
    write({})

    result = write_batch(other_source, uuid7(), activity({}))

    assert (result.written, result.duplicate, result.rejected) == (1, 0, [])
    for each in (organization, other_organization):
        assert selectors.cells_of_day(each.id, date(2026, 11, 3))["records"].tolist() == [1]
        assert selectors.reconcile_ledger(each.id, date(2026, 1, 1), date(2027, 1, 1)).empty


def test_rows_of_another_organization_are_invisible_even_without_a_filter(organization, other_source):
    write_batch(other_source, uuid7(), activity({}))

    with organization_scope(organization.id), connection.cursor() as cursor:
        for table in TABLES:
            cursor.execute(f"select count(*) from ledger_{table}")
            assert cursor.fetchone() == (0,), table


def test_selectors_with_foreign_ids_find_nothing(organization, other_organization, write):
    write({})
    series_id = int(selectors.cells_of_day(organization.id, date(2026, 11, 3))["series_id"].iloc[0])

    assert selectors.find_record(other_organization.id, "r1") is None
    assert selectors.series_by_id(other_organization.id, [series_id]).empty
    year = {"from_time": datetime(2026, 1, 1, tzinfo=UTC), "to_time": datetime(2027, 1, 1, tzinfo=UTC)}
    assert selectors.records_page(other_organization.id, series_ids=[series_id], **year).rows == []


def test_a_row_for_another_organization_cannot_be_written(organization, other_organization):
    with (
        organization_scope(organization.id),
        pytest.raises(ProgrammingError, match="row-level security"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "insert into ledger_cell (organization_id, hour, series_id) values (%s, now(), 1)", [other_organization.id]
        )


def test_a_source_of_another_organization_takes_no_series(organization, other_source):
    with pytest.raises(IntegrityError, match="same_organization"), transaction.atomic():
        write_and_check_keys(organization, other_source)


def write_and_check_keys(organization, source):
    """Write a record, then ask for the foreign keys that are else checked at the end of the transaction."""
    with services.Writer(organization.id) as writer, connection.cursor() as cursor:
        writer.stage(activity({}), source_id=source.id, batch_id=uuid7())
        writer.commit()
        cursor.execute("set constraints all immediate")
