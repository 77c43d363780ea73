"""The two functions under tenancy: one protects a table, one makes a protected partition."""

from django.conf import settings
from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key

PROTECT = """
create function wattledger_protect(target regclass) returns void language plpgsql as $$
begin
    execute format('alter table %s enable row level security', target);
    execute format('alter table %s force row level security', target);
    execute format(
        'create policy organization on %s using (organization_id = nullif(current_setting(''wattledger.org'', true), '''')::int)'
        ' with check (organization_id = nullif(current_setting(''wattledger.org'', true), '''')::int)', target);
end $$;
"""

# The application's role owns nothing, so it asks this function for a partition. Made as a table and attached, so that it
# never waits for writers of the other partitions; two askers at once meet at the advisory lock.
ENSURE_PARTITION = """
create function wattledger_ensure_partition(parent text, partition text, bound text) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if to_regclass(partition) is not null then
        return false;
    end if;
    if parent !~ '^(ledger|ingestion|accounting|reporting)_[a-z_]+$' or partition !~ '^[a-z_0-9]+$'
       or bound !~* '^for values (from \\(''[-0-9: +]+''\\) to \\(''[-0-9: +]+''\\)|in \\([0-9]+\\))$' then
        raise exception 'wattledger_ensure_partition(%, %, %): not one of ours', parent, partition, bound;
    end if;
    perform pg_advisory_xact_lock(hashtext('wattledger_ensure_partition'), hashtext(partition));
    -- to_regclass may still remember that there was none: an advisory lock does not renew what a session knows of tables.
    if exists (select from pg_class where relname = partition and relnamespace = 'public'::regnamespace) then
        return false;
    end if;
    execute format('create table %I (like %I including defaults including constraints including storage including generated)',
                   partition, parent);
    perform wattledger_protect(partition::regclass);
    execute format('alter table %I attach partition %I %s', parent, partition, bound);
    return true;
end $$;
"""

# Retention: whole partitions are dropped, by name, never rows.
DROP_PARTITION = """
create function wattledger_drop_partition(parent text, partition text) returns boolean
language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if not exists (select from pg_inherits
                   where inhparent = to_regclass(parent) and inhrelid = to_regclass(partition)) then
        return false;
    end if;
    if parent not in ('ledger_record_text', 'ingestion_payload', 'accounting_daily') then
        raise exception 'wattledger_drop_partition(%, %): this table keeps its partitions', parent, partition;
    end if;
    execute format('drop table %I', partition);
    return true;
end $$;
"""

APPEND_ONLY = """
create function wattledger_append_only() returns trigger language plpgsql as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end $$;
create trigger append_only before update or delete on organizations_auditevent
    for each row execute function wattledger_append_only();
create trigger append_only_truncate before truncate on organizations_auditevent
    for each statement execute function wattledger_append_only();
"""

OWN_MEMBERSHIPS = """
create policy own_memberships on organizations_membership for select
    using (person_id = nullif(current_setting('wattledger.person', true), '')::int);
"""


def grant(apps, schema_editor):
    """Give the application's role rows, never tables: also for tables and partitions made later."""
    role = settings.DATABASES["default"]["USER"]
    owner = schema_editor.connection.settings_dict["USER"]
    if not role or role == owner:
        return
    name = schema_editor.quote_name(role)
    schema_editor.execute(f"grant usage on schema public to {name}")
    schema_editor.execute(f"grant select, insert, update, delete on all tables in schema public to {name}")
    schema_editor.execute(f"grant usage, select on all sequences in schema public to {name}")
    schema_editor.execute(
        f"alter default privileges in schema public grant select, insert, update, delete on tables to {name}"
    )
    schema_editor.execute(f"alter default privileges in schema public grant usage, select on sequences to {name}")
    schema_editor.execute(f"revoke update, delete on organizations_auditevent from {name}")
    schema_editor.execute(f"revoke insert, update, delete on django_migrations from {name}")


class Migration(migrations.Migration):
    dependencies = [
        ("organizations", "0001_initial"),
        ("contenttypes", "0002_remove_content_type_name"),
        ("sessions", "0001_initial"),
    ]

    operations = [
        migrations.RunSQL(PROTECT, "drop function wattledger_protect(regclass)"),
        migrations.RunSQL(ENSURE_PARTITION, "drop function wattledger_ensure_partition(text, text, text)"),
        migrations.RunSQL(DROP_PARTITION, "drop function wattledger_drop_partition(text, text)"),
        protect("organizations_team"),
        protect("organizations_project"),
        protect("organizations_membership"),
        protect("organizations_apitoken"),
        protect("organizations_auditevent"),
        migrations.RunSQL(OWN_MEMBERSHIPS, "drop policy own_memberships on organizations_membership"),
        same_organization_key("organizations_project", "team_id", "organizations_team"),
        same_organization_key("organizations_membership", "team_id", "organizations_team"),
        migrations.RunSQL(APPEND_ONLY, "drop function wattledger_append_only cascade"),
        migrations.RunPython(grant, migrations.RunPython.noop),
    ]
