"""Which signals the services of a source sent, day by day: spans and metrics of a service describe the same calls."""

from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key

SIGNAL = """
create table ledger_signal (
    organization_id integer not null,
    source_id integer not null,
    day date not null,  -- UTC
    service text not null,
    signal text not null,
    primary key (organization_id, source_id, service, day, signal)
)
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_deletion")]

    operations = [
        migrations.RunSQL(SIGNAL, "drop table ledger_signal"),
        protect("ledger_signal"),
        same_organization_key("ledger_signal", "source_id", "ledger_source"),
    ]
