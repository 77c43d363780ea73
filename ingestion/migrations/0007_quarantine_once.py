"""The same refused row waits once, however often it is sent."""

from django.db import migrations, models
from django.db.models.functions import Now

# Content expires by when a row was last sent, which for those that stand is when they were first seen.
SEEN = """
alter table ingestion_quarantine no force row level security;
update ingestion_quarantine set last_seen = first_seen;
alter table ingestion_quarantine force row level security;
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0006_batch_team_only")]

    operations = [
        migrations.AddField(
            model_name="quarantinedrow", name="last_seen", field=models.DateTimeField(db_default=Now())
        ),
        migrations.AddField(
            model_name="quarantinedrow",
            name="times_sent",
            field=models.PositiveIntegerField(
                db_default=1, default=1, help_text="deliveries that held it, refused alike"
            ),
        ),
        migrations.AddField(
            model_name="quarantinedrow",
            name="fingerprint",
            field=models.UUIDField(
                help_text="of what was read, field and reason: the same again waits once", null=True
            ),
        ),
        migrations.RunSQL(SEEN, migrations.RunSQL.noop),
        migrations.AddConstraint(
            model_name="quarantinedrow",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "open")),
                fields=("organization", "source", "fingerprint"),
                name="quarantine_waits_once",
            ),
        ),
        migrations.AddIndex(
            model_name="quarantinedrow",
            index=models.Index(
                condition=models.Q(("replayed_by__isnull", False)),
                fields=["organization", "replayed_by"],
                name="quarantine_replayed_by",
            ),
        ),
    ]
