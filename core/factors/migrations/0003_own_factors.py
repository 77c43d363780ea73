"""An organization's own factors, under row-level security."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from core.organizations.tenancy import protect


class Migration(migrations.Migration):
    dependencies = [
        ("factors", "0002_immutable"),
        ("organizations", "0003_partition_privileges"),
    ]

    operations = [
        migrations.CreateModel(
            name="OwnFactor",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.TextField(help_text="an override of `core.quantification.overrides.UNITS`, such as ``pue``"),
                ),
                ("unit", models.TextField(help_text="of value, low and high, such as g CO2e/kWh")),
                ("value", models.FloatField()),
                ("low", models.FloatField(help_text="95 % interval; equal to the value where none is known")),
                ("high", models.FloatField()),
                (
                    "where",
                    models.JSONField(
                        default=dict, help_text="dimension to name; every one must fit; empty: everything"
                    ),
                ),
                ("source", models.TextField(help_text="where the number comes from")),
                ("valid_from", models.DateField(blank=True, help_text="first day, UTC; empty: always", null=True)),
                (
                    "valid_to",
                    models.DateField(
                        blank=True, help_text="first day no longer; empty: until further notice", null=True
                    ),
                ),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="organizations.organization"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "id"), name="own_factor_of_organization"),
                    models.CheckConstraint(
                        condition=models.Q(("high__gte", models.F("value")), ("low__lte", models.F("value"))),
                        name="own_factor_interval",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to__isnull", True),
                            ("valid_from__isnull", True),
                            ("valid_to__gt", models.F("valid_from")),
                            _connector="OR",
                        ),
                        name="own_factor_period",
                    ),
                ],
            },
        ),
        protect("factors_ownfactor"),
    ]
