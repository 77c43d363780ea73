"""What people choose for themselves: language, colours and density of pages."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("organizations", "0006_apitoken_team_only")]

    operations = [
        migrations.AddField(
            model_name="person",
            name="preferences",
            field=models.JSONField(
                blank=True,
                db_default=models.Value({}, models.JSONField()),
                default=dict,
                help_text="language, theme, density",
            ),
        ),
    ]
