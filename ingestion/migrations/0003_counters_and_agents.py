"""The latest readings of counters, and spans of agents that wait for the calls that they repeat."""

from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key

# A process that starts anew is another counter (start_ns), so late readings find their own. 0: the start is not known.
COUNTER = """
create table ingestion_counter (
    start_ns bigint not null,
    time_ns bigint not null,
    value double precision not null,
    count bigint not null,
    organization_id integer not null,
    source_id integer not null,
    series uuid not null,
    primary key (organization_id, source_id, series, start_ns)
) with (fillfactor = 80)
"""

# waiting -> counted, when no call of its trace was seen in time; waiting or counted -> repeated, when one was.
AGENT_SPAN = """
create table ingestion_agent_span (
    due_at timestamptz not null,
    started_at timestamptz not null,
    ended_at timestamptz not null,
    organization_id integer not null,
    source_id integer not null,
    trace uuid not null,
    batch_id uuid not null,
    covered boolean not null default false,  -- a call of its trace came after it
    state text not null default 'waiting' check (state in ('waiting', 'counted', 'repeated')),
    span text not null,
    parent text not null,
    record jsonb not null,
    primary key (organization_id, source_id, trace, span)
);
create index ingestion_agent_span_waiting on ingestion_agent_span (organization_id, due_at) where state = 'waiting';
create index ingestion_agent_span_covered on ingestion_agent_span (organization_id)
    where state <> 'repeated' and covered
"""


class Migration(migrations.Migration):
    dependencies = [("ingestion", "0002_inbox"), ("ledger", "0002_hot_tables")]

    operations = [
        migrations.RunSQL(COUNTER, "drop table ingestion_counter"),
        protect("ingestion_counter"),
        same_organization_key("ingestion_counter", "source_id", "ledger_source"),
        migrations.RunSQL(AGENT_SPAN, "drop table ingestion_agent_span"),
        protect("ingestion_agent_span"),
        same_organization_key("ingestion_agent_span", "source_id", "ledger_source"),
    ]
