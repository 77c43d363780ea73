"""A partition grants no more than its parent: what may not be changed there may not be changed by its own name either."""

from django.db import migrations

# As in 0002, with the revoke. Default privileges give the application's role every right on a new table.
ENSURE_PARTITION = """
create or replace function wattledger_ensure_partition(parent text, partition text, bound text) returns boolean
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
    perform wattledger_narrow_privileges(parent::regclass, partition::regclass);
    execute format('alter table %I attach partition %I %s', parent, partition, bound);
    return true;
end $$;
"""

NARROW_PRIVILEGES = """
create function wattledger_narrow_privileges(parent regclass, partition regclass) returns void language plpgsql as $$
declare
    granted record;
begin
    for granted in
        select a.grantee::regrole as grantee, a.privilege_type as privilege
        from pg_class c, aclexplode(c.relacl) a
        where c.oid = partition and a.grantee <> c.relowner and a.grantee <> 0
          and not has_table_privilege(a.grantee, parent, a.privilege_type)
    loop
        execute format('revoke %s on %s from %s', granted.privilege, partition, granted.grantee);
    end loop;
end $$;
"""


class Migration(migrations.Migration):
    dependencies = [("organizations", "0002_row_level_security")]

    operations = [
        migrations.RunSQL(NARROW_PRIVILEGES, "drop function wattledger_narrow_privileges(regclass, regclass)"),
        migrations.RunSQL(ENSURE_PARTITION, migrations.RunSQL.noop),
    ]
