"""Series of grid factors are an organization's own facts: row-level security, and no row of them changes or goes."""

from django.conf import settings
from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key

TABLES = (
    "factors_gridseries",
    "factors_gridseriesmonth",
    "factors_gridseriesremoval",
    "factors_gridchoice",
)


def revoke(apps, schema_editor):
    """Take the rights to change and delete series from the application's role."""
    role = settings.DATABASES["default"]["USER"]
    owner = schema_editor.connection.settings_dict["USER"]
    if not role or role == owner:
        return
    name = schema_editor.quote_name(role)
    schema_editor.execute(f"revoke update, delete on {', '.join(TABLES)} from {name}")


class Migration(migrations.Migration):
    dependencies = [("factors", "0006_grid_series"), ("organizations", "0003_partition_privileges")]

    operations = [
        *(protect(table) for table in TABLES),
        same_organization_key("factors_gridseriesmonth", "series_id", "factors_gridseries"),
        same_organization_key("factors_gridseriesremoval", "series_id", "factors_gridseries"),
        migrations.RunPython(revoke, migrations.RunPython.noop),
    ]
