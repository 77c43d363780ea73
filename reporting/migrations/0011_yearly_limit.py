"""A target becomes the yearly limit that it always was: what targets are from now on needs the name."""

from django.db import migrations, models

# Renaming a table leaves the names of its indexes and of its sequence, which the new table of that name will want.
RENAMED = """
do $$
declare old name;
begin
    for old in select c.relname from pg_class c join pg_depend d on d.objid = c.oid
               where d.refobjid = 'reporting_yearly_limit'::regclass and c.relkind in ('i', 'S')
                 and c.relname like 'reporting_target_%'
               union select i.relname from pg_index x join pg_class i on i.oid = x.indexrelid
               where x.indrelid = 'reporting_yearly_limit'::regclass and i.relname like 'reporting_target_%'
    loop
        execute format('alter %s %I rename to %I',
            case (select relkind from pg_class where oid = quote_ident(old)::regclass) when 'S' then 'sequence' else 'index' end,
            old, replace(old, 'reporting_target_', 'reporting_yearly_limit_'));
    end loop;
end $$
"""


class Migration(migrations.Migration):
    dependencies = [("reporting", "0010_procurement")]

    operations = [
        migrations.RenameModel("Target", "YearlyLimit"),
        migrations.AlterModelTable("yearlylimit", "reporting_yearly_limit"),
        migrations.RunSQL(RENAMED, migrations.RunSQL.noop),
        *(
            migrations.RemoveConstraint("yearlylimit", name)
            for name in (
                "target_of_organization",
                "target_starts_once",
                "target_limit_is_positive",
                "target_ends_after_start",
            )
        ),
        *(
            migrations.AddConstraint("yearlylimit", constraint)
            for constraint in (
                models.UniqueConstraint(fields=("organization", "id"), name="yearly_limit_of_organization"),
                models.UniqueConstraint(fields=("organization", "starts_on"), name="yearly_limit_starts_once"),
                models.CheckConstraint(
                    condition=models.Q(("limit_kg_co2e_per_year__gt", 0)), name="yearly_limit_is_positive"
                ),
                models.CheckConstraint(
                    condition=models.Q(
                        ("ends_on__isnull", True), ("ends_on__gte", models.F("starts_on")), _connector="OR"
                    ),
                    name="yearly_limit_ends_after_start",
                ),
            )
        ),
    ]
