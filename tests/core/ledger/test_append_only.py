"""The database itself refuses to change or delete what stands in the ledger."""

from datetime import date

import pytest
from django.db import ProgrammingError, connection

from core.ledger import partitions

pytestmark = pytest.mark.django_db

TABLES = ["ledger_identity", "ledger_record", "ledger_record_text"]


def privileges():
    """Name, and the rights of the application's role, of each append-only table and every partition of it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select tree.relid::regclass::text, array(select p from unnest(array['SELECT', 'INSERT', 'UPDATE', 'DELETE',"
            " 'TRUNCATE']) as p where has_table_privilege(current_user, tree.relid, p))"
            " from unnest(%s::text[]) as root (name), pg_partition_tree(root.name::regclass) as tree",
            [TABLES],
        )
        return dict(cursor.fetchall())


def test_the_application_may_add_and_read_only():
    partitions.ensure_months([date(2031, 5, 1)], oldest_text=date(2026, 1, 1))

    found = privileges()

    assert {*TABLES, "ledger_record_2031_05", "ledger_record_text_2031_05", "ledger_identity_00"} <= set(found)
    assert {name: rights for name, rights in found.items() if rights != ["SELECT", "INSERT"]} == {}


@pytest.mark.parametrize("table", [*TABLES, "ledger_record_2031_05"])
def test_a_change_by_any_name_is_refused(table):
    partitions.ensure_months([date(2031, 5, 1)], oldest_text=date(2026, 1, 1))

    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute(f"delete from {table}")


def test_other_partitions_keep_the_rights_of_their_parents():
    with connection.cursor() as cursor:
        cursor.execute(
            "select wattledger_ensure_partition('ingestion_payload', 'ingestion_payload_20310501',"
            " 'for values from (''2031-05-01'') to (''2031-05-02'')')"
        )
        cursor.execute("select has_table_privilege('ingestion_payload_20310501', 'UPDATE')")
        assert cursor.fetchone() == (True,)
