"""Saved filters and short links belong to an organization and to nobody else."""

from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0005_saved_filters"),
        ("organizations", "0003_partition_privileges"),
    ]

    operations = [
        protect("reporting_saved_filter"),
        protect("reporting_short_link"),
        same_organization_key("reporting_short_link", "view_id", "accounting_view"),
    ]
