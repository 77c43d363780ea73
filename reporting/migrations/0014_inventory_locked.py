"""
What is locked stays as it is, whoever writes: four eyes, the chain of hashes and the order of states are the database's.

The application's role owns neither table nor trigger, so it cannot switch them off.
"""

from django.db import migrations

from core.organizations.tenancy import protect, same_organization_key

TABLE = "reporting_inventory"

GUARD = f"""
create function reporting_inventory_guard() returns trigger language plpgsql as $$
declare
    locked constant text[] := array['approved', 'published', 'superseded'];
    alone boolean;
    head record;
begin
    if tg_op = 'TRUNCATE' then
        raise exception 'inventories are never truncated' using errcode = 'insufficient_privilege';
    end if;
    if tg_op = 'DELETE' then
        if old.state = any(locked) then
            raise exception 'inventory % of % is locked', old.id, old.period using errcode = 'insufficient_privilege';
        end if;
        return old;
    end if;
    select single_reviewer into alone from organizations_organization where id = new.organization_id;
    if new.single_reviewer and not alone and (tg_op = 'INSERT' or old.state <> all(locked)) then
        raise exception 'the organization has not declared a single reviewer' using errcode = 'check_violation';
    end if;
    if tg_op = 'INSERT' then
        if new.state <> 'soft_closed' or new.approved_by_id is not null or new.sequence is not null then
            raise exception 'an inventory begins at soft close' using errcode = 'check_violation';
        end if;
        return new;
    end if;
    if (new.organization_id, new.id, new.period, new.kind, new.from_day, new.to_day, new.supersedes_id)
       is distinct from (old.organization_id, old.id, old.period, old.kind, old.from_day, old.to_day, old.supersedes_id) then
        raise exception 'an inventory keeps its period' using errcode = 'insufficient_privilege';
    end if;
    if old.state = any(locked) then
        if to_jsonb(new) - array['state', 'published_at', 'superseded_at']
           is distinct from to_jsonb(old) - array['state', 'published_at', 'superseded_at']
           or (old.published_at is not null and new.published_at is distinct from old.published_at)
           or (old.superseded_at is not null and new.superseded_at is distinct from old.superseded_at)
           or (old.state, new.state) not in (('approved', 'published'), ('approved', 'superseded'), ('published', 'superseded'))
        then
            raise exception 'inventory % of % is locked', old.id, old.period using errcode = 'insufficient_privilege';
        end if;
        return new;
    end if;
    if (old.state, new.state) not in (('soft_closed', 'soft_closed'), ('soft_closed', 'in_review'),
                                      ('in_review', 'soft_closed'), ('in_review', 'approved')) then
        raise exception 'a period does not go from % to %', old.state, new.state using errcode = 'check_violation';
    end if;
    if old.state = 'in_review' and (new.prepared_by_id <> old.prepared_by_id or (new.single_reviewer and not old.single_reviewer)
                                    or new.checklist is distinct from old.checklist) then
        raise exception 'what is in review keeps its preparer' using errcode = 'insufficient_privilege';
    end if;
    if new.state = 'approved' then
        select sequence, sha256 into head from {TABLE}
            where organization_id = new.organization_id and sequence is not null order by sequence desc limit 1;
        if new.sequence <> coalesce(head.sequence, 0) + 1 or new.previous_sha256 is distinct from head.sha256
           or new.document::jsonb #>> '{{evidence,sha256}}' is distinct from new.sha256
           or new.document::jsonb #>> '{{evidence,previous_sha256}}' is distinct from new.previous_sha256 then
            raise exception 'inventory % does not continue the chain', new.id using errcode = 'check_violation';
        end if;
    elsif new.approved_by_id is not null or new.approved_at is not null or new.sequence is not null then
        raise exception 'only an approval names who approved' using errcode = 'check_violation';
    end if;
    return new;
end $$;
create trigger guard before insert or update or delete on {TABLE}
    for each row execute function reporting_inventory_guard();
create trigger guard_truncate before truncate on {TABLE}
    for each statement execute function reporting_inventory_guard();
"""

# Without the extension btree_gist, which not every server has: a number is a range of one.
KIND = "case kind when 'month' then 1 when 'quarter' then 2 else 3 end"


def no_overlap(name: str, states: str) -> migrations.RunSQL:
    """Migration step: periods of one kind and organization do not overlap among the rows of these states."""
    return migrations.RunSQL(
        f"alter table {TABLE} add constraint {name} exclude using gist ("
        "int4range(organization_id, organization_id, '[]') with &&,"
        f" int4range({KIND}, {KIND}, '[]') with &&,"
        f" daterange(from_day, to_day, '[]') with &&) where (state in ({states}))",
        f"alter table {TABLE} drop constraint {name}",
    )


class Migration(migrations.Migration):
    dependencies = [
        ("reporting", "0013_inventory"),
        ("organizations", "0003_partition_privileges"),
    ]

    operations = [
        protect(TABLE),
        same_organization_key(TABLE, "supersedes_id", TABLE),
        no_overlap("inventory_locked_once", "'approved', 'published'"),
        no_overlap("inventory_prepared_once", "'soft_closed', 'in_review'"),
        migrations.RunSQL(
            GUARD,
            f"drop trigger guard on {TABLE}; drop trigger guard_truncate on {TABLE}; drop function reporting_inventory_guard()",
        ),
    ]
