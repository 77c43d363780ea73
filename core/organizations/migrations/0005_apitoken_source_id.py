"""Tokens that write as one source connection, whatever it is called. The key to the source itself is made by the ledger."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("organizations", "0004_user_counts")]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="source_id",
            field=models.IntegerField(
                blank=True, help_text="the one source connection that it writes as; no other takes it", null=True
            ),
        ),
    ]
