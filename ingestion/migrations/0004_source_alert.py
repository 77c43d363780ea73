"""Alerts about sources."""

import django.db.models.deletion
from django.db import migrations, models

from core.organizations.tenancy import protect, same_organization_key


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0003_counters_and_agents"), ("ledger", "0003_append_only")]

    operations = [
        migrations.CreateModel(
            name="SourceAlert",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "state",
                    models.CharField(help_text="late, silent or failing; the latest while it is open", max_length=16),
                ),
                ("latest_arrival", models.DateTimeField(help_text="of the source, when the alert was raised")),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
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
                "db_table": "ingestion_source_alert",
                "indexes": [
                    models.Index(fields=["organization", "source", "-opened_at"], name="source_alert_of_source")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at", None)),
                        fields=("organization", "source"),
                        name="source_alert_open_once",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["late", "silent", "failing"])), name="source_alert_state"
                    ),
                ],
            },
        ),
        protect("ingestion_source_alert"),
        same_organization_key("ingestion_source_alert", "source_id", "ledger_source"),
    ]
