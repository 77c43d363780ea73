"""Facts are stored once: the application may add to the ledger and read it, never change or delete what stands there."""

from django.conf import settings
from django.db import migrations

TABLES = ("ledger_record", "ledger_record_text", "ledger_identity")


def revoke(apps, schema_editor):
    """Take the rights to change and delete rows from the application's role, on every partition as well."""
    role = settings.DATABASES["default"]["USER"]
    owner = schema_editor.connection.settings_dict["USER"]
    if not role or role == owner:
        return
    name = schema_editor.quote_name(role)
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(
            "select tree.relid::regclass::text from unnest(%s::text[]) as root (name),"
            " pg_partition_tree(root.name::regclass) as tree",
            [[*TABLES]],
        )
        tables = [table for (table,) in cursor.fetchall()]
    schema_editor.execute(f"revoke update, delete on {', '.join(tables)} from {name}")


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_hot_tables"), ("organizations", "0003_partition_privileges")]

    operations = [migrations.RunPython(revoke, migrations.RunPython.noop)]
