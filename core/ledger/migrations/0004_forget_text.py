"""
An organization's own ids as text go when its retention ends, also where it is shorter than the installation's.

The ledger's tables are closed to deletes, and stay so: the owner's function takes text alone, of the organization that is
in scope, and only from before a day.
"""

from django.db import migrations

FORGET_TEXT = """
create function wattledger_forget_text(before date) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    organization integer := nullif(current_setting('wattledger.org', true), '')::integer;
    forgotten bigint;
begin
    if organization is null then
        raise exception 'wattledger_forget_text(%): no organization is in scope', before;
    end if;
    delete from ledger_record_text
    where organization_id = organization and started_at < before::timestamp at time zone 'UTC';
    get diagnostics forgotten = row_count;
    return forgotten;
end $$
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0003_append_only")]

    operations = [migrations.RunSQL(FORGET_TEXT, "drop function wattledger_forget_text(date)")]
