"""Periods of sources that were deleted, and which records are."""

import django.db.models.deletion
import django.db.models.functions.datetime
from django.db import migrations, models

from core.organizations.tenancy import protect, same_organization_key

# Read for every record that comes again over a source of which something is deleted; written by INSERT ... SELECT only.
DELETED_RECORD = """
create table ledger_deleted_record (
    organization_id integer not null,
    source_id integer not null,
    deletion_id integer not null,
    key uuid not null,  -- of the record that was taken back
    sent_again boolean not null default false,  -- and what was sent stands: it is not restored beside it
    primary key (organization_id, source_id, key)
)
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_token_source_key")]

    operations = [
        migrations.CreateModel(
            name="Deletion",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("from_day", models.DateField(help_text="UTC; of the start of records")),
                ("to_day", models.DateField(help_text="inclusive")),
                ("reason", models.TextField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("deleting", "Being deleted"),
                            ("deleted", "Deleted"),
                            ("restoring", "Being restored"),
                            ("restored", "Restored"),
                        ],
                        default="deleting",
                        max_length=16,
                    ),
                ),
                (
                    "batch_id",
                    models.UUIDField(help_text="batch of the corrections that take the records back"),
                ),
                ("restore_batch_id", models.UUIDField(help_text="batch of those that bring them again", null=True)),
                ("days", models.IntegerField(default=0, help_text="that have something to be done")),
                ("days_done", models.IntegerField(default=0)),
                ("reached", models.DateField(help_text="latest day that is done, while it works", null=True)),
                ("records", models.BigIntegerField(default=0, help_text="ledger records taken back")),
                ("restored", models.BigIntegerField(default=0, help_text="ledger records brought again")),
                ("asked_by", models.TextField(blank=True)),
                ("asked_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("deleted_at", models.DateTimeField(null=True)),
                ("restored_at", models.DateTimeField(null=True)),
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
                "indexes": [models.Index(fields=["organization", "source"], name="deletion_of_source")],
                "constraints": [
                    models.UniqueConstraint(fields=("organization", "id"), name="deletion_of_organization"),
                    models.CheckConstraint(
                        condition=models.Q(("state__in", ["deleting", "deleted", "restoring", "restored"])),
                        name="deletion_state",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("from_day__lte", models.F("to_day"))), name="deletion_period"
                    ),
                ],
            },
        ),
        protect("ledger_deletion"),
        same_organization_key("ledger_deletion", "source_id", "ledger_source"),
        migrations.RunSQL(DELETED_RECORD, "drop table ledger_deleted_record"),
        protect("ledger_deleted_record"),
    ]
