"""Days on which money or a supplier's own figure counts are derived again: what of them counts is decided otherwise since."""

from django.db import migrations

MARK = """
do $$
declare
    organization record;
begin
    for organization in select id from organizations_organization loop
        perform set_config('wattledger.org', organization.id::text, true);
        insert into ledger_dirty_day (organization_id, day)
        select distinct d.organization_id, d.day from accounting_daily d
        join accounting_view v on v.organization_id = d.organization_id and v.id = d.view_id
            and v.state in ('current', 'building')
        join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id
            and r.role = 'counted' and r.method in ('spend', 'reported')
        where d.organization_id = organization.id;
    end loop;
    perform set_config('wattledger.org', '', true);
end $$
"""


class Migration(migrations.Migration):
    dependencies = [("accounting", "0010_expected"), ("ledger", "0007_signals")]

    operations = [migrations.RunSQL(MARK, migrations.RunSQL.noop)]
