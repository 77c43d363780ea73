"""Factor sets are evidence: once loaded, no row of them changes or goes."""

from django.db import migrations

TABLES = ("factors_factorset", "factors_factorsettable", "factors_factortable")


def append_only(table):
    """Write the triggers that refuse every change of a table but insertion."""
    return migrations.RunSQL(
        f"""
        create trigger append_only before update or delete on {table}
            for each row execute function wattledger_append_only();
        create trigger append_only_truncate before truncate on {table}
            for each statement execute function wattledger_append_only();
        """,
        f"drop trigger append_only on {table}; drop trigger append_only_truncate on {table}",
    )


class Migration(migrations.Migration):
    dependencies = [("factors", "0001_initial"), ("organizations", "0002_row_level_security")]

    operations = [append_only(table) for table in TABLES]
