"""Say that a job no longer notes the view that it builds."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounting", "0006_market_marks")]

    operations = [
        migrations.AlterField(
            model_name="restatementjob",
            name="view_id_building",
            field=models.IntegerField(help_text="unused: who builds a view holds a lock on it", null=True),
        ),
    ]
