"""Row-level security for the marks of years whose rates are to be made again."""

from django.db import migrations

from core.organizations.tenancy import protect


class Migration(migrations.Migration):
    dependencies = [("accounting", "0005_covered_rates"), ("organizations", "0003_partition_privileges")]

    operations = [protect("accounting_marketmark")]
