"""Row-level security is under every table and partition that belongs to an organization."""

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import connection, connections, models
from django.db.backends.postgresql.base import DatabaseWrapper

from core.ledger.models import Source
from core.organizations.tenancy import organization_scope, refuse_bypass, scoped_rows
from core.settings.databases import connection as connection_settings  # noqa: TID251

pytestmark = pytest.mark.django_db


def tenant_tables():
    with connection.cursor() as cursor:
        cursor.execute(
            "select c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relispartition from pg_class c"
            " join pg_attribute a on a.attrelid = c.oid"
            " where a.attname = 'organization_id' and not a.attisdropped and c.relkind in ('r', 'p')"
            " and c.relnamespace = 'public'::regnamespace order by 1"
        )
        return cursor.fetchall()


def test_every_tenant_table_and_partition_forces_row_level_security():
    tables = tenant_tables()

    assert len(tables) > 20
    assert any(partition for *_, partition in tables)
    assert [name for name, enabled, forced, _ in tables if not (enabled and forced)] == []


def test_each_policy_compares_the_organization():
    with connection.cursor() as cursor:
        cursor.execute(
            "select tablename, qual from pg_policies where schemaname = 'public' and policyname = 'organization'"
        )
        policies = dict(cursor.fetchall())

    assert set(policies) == {name for name, *_ in tenant_tables()}
    assert set(policies.values()) == {
        "(organization_id = (NULLIF(current_setting('wattledger.org'::text, true), ''::text))::integer)"
    }


def test_unique_keys_of_tenant_tables_begin_with_the_organization():
    """Else a row of another organization, which nobody sees, would make ours a duplicate."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select i.indrelid::regclass::text, i.indexrelid::regclass::text, a.attname, i.indisprimary, i.indnkeyatts"
            " from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]"
            " where i.indisunique and i.indrelid in (select c.oid from pg_class c join pg_attribute o on o.attrelid = c.oid"
            " where o.attname = 'organization_id' and c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace)"
        )
        rows = cursor.fetchall()

    assert rows
    # A primary key of one generated number never meets another organization's.
    assert [
        (table, index)
        for table, index, first, primary, keys in rows
        if first != "organization_id" and not (primary and keys == 1)
    ] == []


def test_foreign_keys_between_tenant_tables_begin_with_the_organization():
    tenants = {name for name, *_ in tenant_tables()}
    with connection.cursor() as cursor:
        cursor.execute(
            "select conrelid::regclass::text, confrelid::regclass::text, conname,"
            " (select attname from pg_attribute where attrelid = conrelid and attnum = conkey[1])"
            " from pg_constraint where contype = 'f'"
        )
        keys = [row for row in cursor.fetchall() if row[0] in tenants and row[1] in tenants]

    assert keys
    assert [row for row in keys if row[3] != "organization_id"] == []


def test_the_application_owns_nothing():
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_class where relowner = current_user::regrole")
        (owned,) = cursor.fetchone()
        cursor.execute(
            "select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb from pg_roles where rolname = current_user"
        )
        (privileged,) = cursor.fetchone()

    assert (owned, privileged) == (0, False)


UNITS = (
    "_kwh", "_pkwh", "_kg", "_nkg", "_l", "_nl", "_m3", "_mj", "_nmj", "_h", "_nh", "_s", "_ns", "_kg_co2e_per_year",
    "_kg_co2e", "_per_kwh",
    "_per_kwh_low", "_per_kwh_high", "_per_t", "pue", "_in_units",
)  # fmt: skip


def test_every_quantity_column_ends_in_a_unit_or_stands_beside_one():
    quantities = [
        f"{model._meta.label}.{field.name}"
        for model in apps.get_models()
        if "unit" not in {field.name for field in model._meta.get_fields()}
        for field in model._meta.get_fields()
        if isinstance(field, models.FloatField | models.DecimalField)
    ]

    assert quantities
    assert [name for name in quantities if not name.endswith(UNITS)] == []


def test_after_a_scope_nothing_is_seen_also_inside_a_transaction(organization):
    with organization_scope(organization.id):
        Source.objects.create(organization_id=organization.id, kind="activity", name="agents")
        assert Source.objects.count() == 1

    assert Source.objects.count() == 0
    assert scoped_rows(organization.id, "select count(*) from ledger_source", {}) == [(1,)]
    assert Source.objects.count() == 0


def test_inside_another_scope_that_one_is_in_force_again(organization, other_organization):
    with organization_scope(organization.id):
        Source.objects.create(organization_id=organization.id, kind="activity", name="agents")
        with organization_scope(other_organization.id):
            assert Source.objects.count() == 0
        assert Source.objects.count() == 1


def test_a_role_that_bypasses_row_level_security_is_refused(servers):
    role = connection_settings("DATABASE_URL", servers.admin_url)
    wrapper = DatabaseWrapper(connections["default"].settings_dict | role, alias="default")
    try:
        with wrapper.cursor() as cursor, pytest.raises(ImproperlyConfigured, match="bypasses row-level security"):
            refuse_bypass(cursor)
    finally:
        wrapper.close()
