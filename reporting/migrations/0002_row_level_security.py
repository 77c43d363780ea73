"""Targets belong to an organization and to nobody else."""

from django.db import migrations

from core.organizations.tenancy import protect


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0001_target"),
        ("organizations", "0002_row_level_security"),
    ]

    operations = [protect("reporting_target")]
