"""Own names can stand for zones of the grid table too."""

from django.db import migrations, models

KINDS = {
    "model": "Model",
    "hardware": "Hardware",
    "instance_type": "Instance type",
    "region": "Region",
    "zone": "Grid zone",
    "provider": "Provider",
}


class Migration(migrations.Migration):
    dependencies = [("catalog", "0004_register_append_only")]

    operations = [
        migrations.RemoveConstraint(model_name="alias", name="alias_kind"),
        migrations.AlterField(
            model_name="alias",
            name="kind",
            field=models.CharField(choices=list(KINDS.items()), max_length=16),
        ),
        migrations.AddConstraint(
            model_name="alias",
            constraint=models.CheckConstraint(condition=models.Q(kind__in=list(KINDS)), name="alias_kind"),
        ),
    ]
