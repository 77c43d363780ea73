"""Instruments are an organization's own facts: row-level security, and no row of them changes or goes."""

from django.conf import settings
from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key

TABLES = ("factors_contractualinstrument", "factors_instrumentevent", "factors_instrumenthours")


def revoke(apps, schema_editor):
    """Take the rights to change and delete instruments from the application's role, and those to change claims."""
    role = settings.DATABASES["default"]["USER"]
    owner = schema_editor.connection.settings_dict["USER"]
    if not role or role == owner:
        return
    name = schema_editor.quote_name(role)
    schema_editor.execute(f"revoke update, delete on {', '.join(TABLES)} from {name}")
    schema_editor.execute(f"revoke update on factors_certificateclaim from {name}")


class Migration(migrations.Migration):
    dependencies = [("factors", "0004_instruments"), ("organizations", "0003_partition_privileges")]

    operations = [
        *(protect(table) for table in TABLES),
        same_organization_key("factors_contractualinstrument", "corrects_id", "factors_contractualinstrument"),
        same_organization_key("factors_instrumentevent", "instrument_id", "factors_contractualinstrument"),
        same_organization_key("factors_instrumenthours", "instrument_id", "factors_contractualinstrument"),
        migrations.RunPython(revoke, migrations.RunPython.noop),
    ]
