"""
The tables that every record passes through. They are written by COPY and INSERT ... SELECT only, so they are no models.

No foreign keys lead out of them: one trigger a row would halve the rate. The writer takes series and sources from the
rows that it has just read under row-level security, and neither is ever deleted.
"""

from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key

IDENTITIES = 16

# Without time, since one id at three instants would else be three records (docs/adr/0003). Where the record lies
# (series_id, started_at) is here too, so that the ledger can do without an index on a random key.
IDENTITY = """
create table ledger_identity (
    started_at timestamptz not null,
    series_id bigint not null,
    content bigint not null,  -- cells.content_hash; 0 in snapshot sources, whose values are compared instead
    organization_id integer not null,
    source_id integer not null,
    key uuid not null,  -- the first 16 bytes of sha256(record_id)
    primary key (organization_id, source_id, key)
) partition by hash (key)
"""

# Measures as delivered, in the units of the activity table; absent is null. Eight-byte columns first: no padding.
RECORD = """
create table ledger_record (
    started_at timestamptz not null,
    ended_at timestamptz not null,
    series_id bigint not null,
    requests bigint,
    failed_requests bigint,
    input_tokens bigint,
    cached_input_tokens bigint,
    output_tokens bigint,
    generation_s double precision,
    device_hours double precision,
    device_utilization double precision,
    instance_hours double precision,
    instance_utilization double precision,
    flops double precision,
    seat_months double precision,
    energy_kwh double precision,
    cost double precision,
    reported_kg_co2e double precision,
    water_l double precision,
    organization_id integer not null,
    snapshot_id integer,
    revision smallint not null default 0,  -- n of a correction :r<n> that the import of a snapshot wrote
    key uuid not null,
    batch_id uuid not null,
    corrects uuid,  -- key of the record that this one corrects
    run text,
    flags text[]
) partition by range (started_at);
create index ledger_record_series on ledger_record (organization_id, series_id, started_at);
create index ledger_record_run on ledger_record (organization_id, run) where run is not null;
create index ledger_record_snapshot on ledger_record (organization_id, snapshot_id) where snapshot_id is not null
"""

# Ids as text, kept for a while only: whole partitions are dropped.
RECORD_TEXT = """
create table ledger_record_text (
    started_at timestamptz not null,
    series_id bigint not null,
    organization_id integer not null,
    key uuid not null,
    record_id text not null,
    request text,
    trace text
) partition by range (started_at);
create index ledger_record_text_series on ledger_record_text (organization_id, series_id, started_at)
"""

# The ids of restated records outlive the retention of text: a correction is named after the first record of its key.
SNAPSHOT_RECORD = """
create table ledger_snapshot_record (
    organization_id integer not null,
    snapshot_id integer not null,
    key uuid not null,
    record_id text not null,
    revision smallint not null default 0,  -- of the latest correction
    primary key (organization_id, snapshot_id, key)
)
"""

# Integers in the fixed units of core.quantification.activity.MEASURES. The hour comes before the series because derive
# reads whole days (docs/adr/0004). Room in the pages lets updates stay on them (no index but the key).
CELL = """
create table ledger_cell (
    organization_id integer not null,
    hour timestamptz not null,
    series_id bigint not null,
    records bigint not null default 0,
    requests bigint not null default 0,
    failed_requests bigint not null default 0,
    input_tokens bigint not null default 0,
    cached_input_tokens bigint not null default 0,
    output_tokens bigint not null default 0,
    generation_ns bigint not null default 0,
    device_nh bigint not null default 0,
    device_low_nh bigint not null default 0,
    device_middle_nh bigint not null default 0,
    device_high_nh bigint not null default 0,
    instance_nh bigint not null default 0,
    instance_low_nh bigint not null default 0,
    instance_middle_nh bigint not null default 0,
    instance_high_nh bigint not null default 0,
    gflop bigint not null default 0,
    nano_seat_months bigint not null default 0,
    energy_pkwh bigint not null default 0,
    nano_cost bigint not null default 0,
    reported_nkg bigint not null default 0,
    water_nl bigint not null default 0,
    primary key (organization_id, hour, series_id)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05)
"""


def identity_partition(number: int) -> str:
    """Write the SQL of one hash partition of the identities."""
    return (
        f"create table ledger_identity_{number:02} partition of ledger_identity"
        f" for values with (modulus {IDENTITIES}, remainder {number})"
    )


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial"), ("organizations", "0002_row_level_security")]

    operations = [
        protect("ledger_source"),
        protect("ledger_series"),
        protect("ledger_snapshot"),
        protect("ledger_dirty_day"),
        same_organization_key("ledger_series", "source_id", "ledger_source"),
        same_organization_key("ledger_snapshot", "source_id", "ledger_source"),
        migrations.RunSQL(IDENTITY, "drop table ledger_identity"),
        protect("ledger_identity"),
        *(
            operation
            for number in range(IDENTITIES)
            for operation in (
                migrations.RunSQL(identity_partition(number), migrations.RunSQL.noop),
                protect(f"ledger_identity_{number:02}"),
            )
        ),
        migrations.RunSQL(RECORD, "drop table ledger_record"),
        protect("ledger_record"),
        migrations.RunSQL(RECORD_TEXT, "drop table ledger_record_text"),
        protect("ledger_record_text"),
        migrations.RunSQL(SNAPSHOT_RECORD, "drop table ledger_snapshot_record"),
        protect("ledger_snapshot_record"),
        migrations.RunSQL(CELL, "drop table ledger_cell"),
        protect("ledger_cell"),
    ]
