"""Row-level security for an organization's own names."""

from django.db import migrations

from core.organizations.tenancy import protect


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_initial"), ("organizations", "0002_row_level_security")]

    operations = [protect("catalog_alias")]
