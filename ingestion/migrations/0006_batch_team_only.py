"""Batches of tokens that send for their team alone; what is replayed of them is held to it as well."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0005_runs_without_coordinates")]

    operations = [
        migrations.AddField(
            model_name="batch",
            name="team_only",
            field=models.BooleanField(
                db_default=False,
                default=False,
                help_text="its token sends for that team alone, so it holds no record of another",
            ),
        ),
    ]
