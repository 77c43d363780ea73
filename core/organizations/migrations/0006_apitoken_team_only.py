"""Tokens that send for their team alone: a record that names another team is refused."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("organizations", "0005_apitoken_source_id")]

    operations = [
        migrations.AddField(
            model_name="apitoken",
            name="team_only",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="it sends for its team alone: a record that names another is refused",
            ),
        ),
    ]
