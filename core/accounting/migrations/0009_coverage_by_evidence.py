"""Evidence decides what counts in a unit, unless it has an order of its own or one source counts alone."""

import django.contrib.postgres.fields
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounting", "0008_attribution_rules"),
        ("ledger", "0003_append_only"),
    ]

    operations = [
        migrations.AddField(
            model_name="coverageunit",
            name="precedence",
            field=django.contrib.postgres.fields.ArrayField(
                base_field=models.TextField(),
                default=list,
                help_text="levels of evidence and sources (source:12), best first; empty: usual",
                size=None,
            ),
        ),
        migrations.AddField(
            model_name="sourcelink",
            name="part",
            field=models.BooleanField(
                help_text="describes a part of its own, so that it adds up with others; null: as its evidence says",
                null=True,
            ),
        ),
        migrations.AlterField(
            model_name="coverageunit",
            name="counting_source",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                help_text="alone counts here; null: evidence decides",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                to="ledger.source",
            ),
        ),
        migrations.AlterField(
            model_name="coverageunit",
            name="reason",
            field=models.TextField(blank=True, help_text="why the unit has an order of its own"),
        ),
    ]
