"""Restatements that people ask for, under row-level security."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from core.organizations.tenancy import protect


class Migration(migrations.Migration):
    dependencies = [
        ("accounting", "0003_wide_months"),
        ("factors", "0003_own_factors"),
        ("organizations", "0003_partition_privileges"),
    ]

    operations = [
        migrations.CreateModel(
            name="RestatementJob",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("methodology", models.TextField()),
                ("from_day", models.DateField(help_text="of the period that is compared, UTC")),
                ("to_day", models.DateField(help_text="its last day")),
                (
                    "apply",
                    models.BooleanField(default=False, help_text="build every day and switch to it; else a rehearsal"),
                ),
                ("reason", models.TextField(blank=True)),
                (
                    "state",
                    models.TextField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("failed", "Failed"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="waiting",
                    ),
                ),
                ("months_done", models.IntegerField(default=0)),
                ("months", models.IntegerField(help_text="that there are to derive; null: not known yet", null=True)),
                (
                    "view_id_building",
                    models.IntegerField(help_text="left by a worker that was killed, if it is still there", null=True),
                ),
                ("error", models.TextField(blank=True, help_text="why it failed, for people")),
                (
                    "result",
                    models.JSONField(help_text="totals before and after, and the bridge between them", null=True),
                ),
                ("asked_by", models.TextField(help_text="who asked, as the audit log names them")),
                ("created_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("ended_at", models.DateTimeField(null=True)),
                ("factor_set", models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="factors.factorset")),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="organizations.organization"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "id"), name="restatement_job_of_organization"),
                    models.UniqueConstraint(
                        condition=models.Q(("state__in", ("waiting", "running"))),
                        fields=("organization",),
                        name="restatement_job_one_at_a_time",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["waiting", "running", "done", "failed", "cancelled"])),
                        name="restatement_job_state",
                    ),
                ],
            },
        ),
        protect("accounting_restatementjob"),
    ]
