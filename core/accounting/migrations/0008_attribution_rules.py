"""Rules of attribution, under row-level security."""

import django.db.models.constraints
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from core.organizations.tenancy import protect


class Migration(migrations.Migration):
    dependencies = [
        ("accounting", "0007_view_builders_hold_locks"),
        ("organizations", "0003_partition_privileges"),
    ]

    operations = [
        migrations.CreateModel(
            name="AttributionRule",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("position", models.IntegerField(help_text="in the list, from 1")),
                ("name", models.TextField(blank=True)),
                (
                    "conditions",
                    models.JSONField(help_text="objects of field, operator and values; every one must be met"),
                ),
                ("sets", models.JSONField(help_text="dimension to name")),
                ("overwrite", models.BooleanField(default=False, help_text="also where another name was reported")),
                ("valid_from", models.DateField(blank=True, help_text="first day, UTC; empty: always", null=True)),
                (
                    "valid_to",
                    models.DateField(
                        blank=True, help_text="first day no longer; empty: until further notice", null=True
                    ),
                ),
                ("reason", models.TextField(blank=True)),
                ("effect", models.JSONField(help_text="what moved when it was last changed", null=True)),
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
                    models.UniqueConstraint(fields=("organization", "id"), name="attribution_rule_of_organization"),
                    models.UniqueConstraint(
                        deferrable=django.db.models.constraints.Deferrable["DEFERRED"],
                        fields=("organization", "position"),
                        name="attribution_rule_position",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("valid_to__isnull", True),
                            ("valid_from__isnull", True),
                            ("valid_to__gt", models.F("valid_from")),
                            _connector="OR",
                        ),
                        name="attribution_rule_period",
                    ),
                ],
            },
        ),
        protect("accounting_attributionrule"),
    ]
