"""The payloads, partitioned by day and dropped whole; keys that start with the organization; row-level security."""

from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key

# One row a file. Small bodies lie here as they were sent (compressed or not: EXTERNAL storage never compresses again),
# larger ones at `location`, a URL of PAYLOAD_URL. A worker holds the row's lock as long as it works on the batch, on a
# connection of its own: when the worker dies the lock is free at once, while the state of the batch stays updatable.
PAYLOAD = """
create table ingestion_payload (
    organization_id integer not null,
    batch_id uuid not null,
    number smallint not null,  -- of the file in its delivery, from 1
    received_on date not null,  -- UTC
    content_type text not null,
    encoding text not null,  -- '', gzip, deflate, zstd
    filename text not null,
    size_bytes bigint not null,
    location text,
    body bytea,
    primary key (organization_id, batch_id, number, received_on)
) partition by range (received_on);
alter table ingestion_payload alter column body set storage external
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0001_initial"), ("ledger", "0002_hot_tables")]

    operations = [
        migrations.RunSQL(PAYLOAD, "drop table ingestion_payload"),
        protect("ingestion_payload"),
        protect("ingestion_batch"),
        protect("ingestion_quarantine"),
        protect("ingestion_codecarbon_run"),
        protect("ingestion_codecarbon_experiment"),
        same_organization_key("ingestion_batch", "source_id", "ledger_source"),
        same_organization_key("ingestion_quarantine", "batch_id", "ingestion_batch"),
        same_organization_key("ingestion_quarantine", "source_id", "ledger_source"),
    ]
