"""Business figures belong to an organization and to nobody else, and are never changed: a correction is a row of its own."""

from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key

TABLE = "reporting_denominator_figure"


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0003_denominator"),
        ("organizations", "0003_partition_privileges"),
    ]

    operations = [
        protect(TABLE),
        same_organization_key(TABLE, "replaces_id", TABLE),
        migrations.RunSQL(
            f"""
            create trigger append_only before update or delete on {TABLE}
                for each row execute function wattledger_append_only();
            create trigger append_only_truncate before truncate on {TABLE}
                for each statement execute function wattledger_append_only();
            """,
            f"drop trigger append_only on {TABLE}; drop trigger append_only_truncate on {TABLE}",
        ),
    ]
