"""Sites and their register are an organization's own, and an entry is never changed: a correction is a new entry."""

from django.conf import settings
from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key

APPEND_ONLY = """
create trigger append_only before update or delete on catalog_registerentry
    for each row execute function wattledger_append_only();
"""


def revoke(apps, schema_editor):
    """Take the rights to change and delete entries from the application's role as well."""
    role = settings.DATABASES["default"]["USER"]
    owner = schema_editor.connection.settings_dict["USER"]
    if not role or role == owner:
        return
    schema_editor.execute(f"revoke update, delete on catalog_registerentry from {schema_editor.quote_name(role)}")


class Migration(migrations.Migration):
    dependencies = [("catalog", "0003_register"), ("organizations", "0003_partition_privileges")]

    operations = [
        protect("catalog_site"),
        protect("catalog_registerentry"),
        same_organization_key("catalog_registerentry", "site_id", "catalog_site"),
        same_organization_key("catalog_registerentry", "replaces_id", "catalog_registerentry"),
        migrations.RunSQL(APPEND_ONLY, "drop trigger append_only on catalog_registerentry"),
        migrations.RunPython(revoke, migrations.RunPython.noop),
    ]
