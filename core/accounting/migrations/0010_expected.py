"""The completeness register, under row-level security."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from core.organizations.tenancy import protect, same_organization_key


class Migration(migrations.Migration):
    dependencies = [
        ("accounting", "0009_coverage_by_evidence"),
        ("ledger", "0003_append_only"),
        ("organizations", "0003_partition_privileges"),
    ]

    operations = [
        migrations.CreateModel(
            name="Expected",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.TextField(
                        choices=[
                            ("account", "Account"),
                            ("api_key", "API key"),
                            ("cluster", "Cluster"),
                            ("agent", "Agent"),
                        ]
                    ),
                ),
                ("account", models.TextField(blank=True, help_text="null: whatever the source reports on", null=True)),
                ("since", models.DateField(help_text="first day that should be there, UTC")),
                ("until", models.DateField(help_text="last day that should be there; null: still expected", null=True)),
                ("reason", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="organizations.organization"
                    ),
                ),
                (
                    "source",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        to="ledger.source",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "expected",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "source", "account"), name="expected_once", nulls_distinct=False
                    ),
                    models.UniqueConstraint(fields=("organization", "id"), name="expected_of_organization"),
                    models.CheckConstraint(
                        condition=models.Q(("kind__in", ["account", "api_key", "cluster", "agent"])),
                        name="expected_kind",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("until__isnull", True), ("until__gte", models.F("since")), _connector="OR"),
                        name="expected_days",
                    ),
                ],
            },
        ),
        protect("accounting_expected"),
        same_organization_key("accounting_expected", "source_id", "ledger_source"),
    ]
