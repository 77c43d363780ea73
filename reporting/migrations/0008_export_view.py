"""Exports remember the stored view that they were asked for by."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounting", "0010_expected"),
        ("reporting", "0007_export"),
    ]

    operations = [
        migrations.AddField(
            model_name="export",
            name="view",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="null: the current one",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="accounting.view",
            ),
        ),
    ]
