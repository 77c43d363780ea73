"""The small tables of the ledger: sources, series, snapshots and marks of dirty days."""

import django.contrib.postgres.fields
import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("organizations", "0002_row_level_security"),
    ]

    operations = [
        migrations.CreateModel(
            name="Source",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(help_text="the wire format: activity, codecarbon, focus, ...", max_length=64),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "settings",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text="max_age_days, count, and the attribution defaults team, project, environment, hosting, stage",
                    ),
                ),
                ("paused", models.BooleanField(default=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "organization",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, to="organizations.organization"),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Snapshot",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.TextField()),
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
        ),
        migrations.CreateModel(
            name="Series",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                (
                    "key",
                    models.UUIDField(help_text="hash of everything below but created_at, see cells.distinct_series"),
                ),
                ("account", models.TextField(null=True)),
                ("team", models.TextField(null=True)),
                ("project", models.TextField(null=True)),
                ("application", models.TextField(null=True)),
                ("task", models.TextField(null=True)),
                ("environment", models.TextField(null=True)),
                ("site", models.TextField(null=True)),
                ("stage", models.TextField(null=True)),
                ("hosting", models.TextField(null=True)),
                ("provider", models.TextField(null=True)),
                ("region", models.TextField(null=True)),
                ("zone", models.TextField(null=True)),
                ("model", models.TextField(null=True)),
                ("hardware", models.TextField(null=True)),
                ("instance_type", models.TextField(null=True)),
                ("tier", models.TextField(null=True)),
                ("evidence", models.TextField(null=True)),
                ("energy_boundary", models.TextField(null=True)),
                ("reported_basis", models.TextField(null=True)),
                ("currency", models.TextField(null=True)),
                (
                    "techniques",
                    django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), default=list, size=None),
                ),
                ("labels", models.JSONField(default=dict)),
                ("mask", models.BigIntegerField(help_text="bits of activity.MASK_BITS")),
                ("grain", models.TextField(choices=[("hour", "hour"), ("day", "day")])),
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
                "verbose_name_plural": "series",
            },
        ),
        migrations.CreateModel(
            name="DirtyDay",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("day", models.DateField(help_text="UTC")),
                ("marked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False, on_delete=django.db.models.deletion.PROTECT, to="organizations.organization"
                    ),
                ),
            ],
            options={
                "db_table": "ledger_dirty_day",
                "indexes": [models.Index(fields=["organization", "day"], name="dirty_day")],
            },
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.UniqueConstraint(fields=("organization", "kind", "name"), name="source_name"),
        ),
        migrations.AddConstraint(
            model_name="source",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="source_of_organization"),
        ),
        migrations.AddConstraint(
            model_name="snapshot",
            constraint=models.UniqueConstraint(fields=("organization", "source", "name"), name="snapshot_name"),
        ),
        migrations.AddConstraint(
            model_name="snapshot",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="snapshot_of_organization"),
        ),
        migrations.AddIndex(
            model_name="series",
            index=models.Index(fields=["organization", "source", "created_at"], name="series_of_source"),
        ),
        migrations.AddConstraint(
            model_name="series",
            constraint=models.UniqueConstraint(fields=("organization", "key"), name="series_key"),
        ),
        migrations.AddConstraint(
            model_name="series",
            constraint=models.UniqueConstraint(fields=("organization", "id"), name="series_of_organization"),
        ),
    ]
