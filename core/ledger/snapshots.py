"""
Restated exports: a delivery is compared with what the ledger holds, and only the difference is written.

Equal rows write nothing, so the same delivery twice changes nothing. A new key becomes a record, a changed or vanished one
(not one of which rows of the delivery are in quarantine) a correction `<first id>:r<n>`. Values are compared in the integers of
cells, summed by key, series, interval and utilization (hours are not linear in it); what lies below their rounding is no change.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import msgspec
from django.db import connection

from core.ledger import insertion, staging
from core.organizations.tenancy import organization_scope
from core.quantification import units
from core.quantification.activity import COUNTS, MASK_BITS, MEASURES, NUMBERS, SERIES_TEXT
from core.quantification.rejections import Cover

LEAST_SHARE: Final = 0.5
"""A delivery with a smaller share of the keys that the ledger holds inside its cover is held until a person confirms it."""

# Utilization is no measure of its own: rows that differ in it are compared apart, so hinge hours stay linear.
SUMMED: Final = tuple(measure for measure in MEASURES if not measure.source.endswith("_utilization"))
SAME: Final = "snapshot_id, key, series_id, started_at, ended_at, device_share, instance_share"


@dataclass
class Delivery:
    """
    One batch of a snapshot source inside a group.

    Args:
        batch: its number in the group.
        source_id: its source.
        names: snapshots that occur in its rows.
        cover: what it speaks for.
        ids: of the snapshots in ``names`` and ``cover``.
        unknown_rows: how many of its rows were refused and do not tell which keys they are of; those that tell are staged.
    """

    batch: int
    source_id: int
    names: set[str] = field(default_factory=set)
    cover: list[Cover] = field(default_factory=list)
    ids: dict[str, int] = field(default_factory=dict)
    unknown_rows: int = 0

    @property
    def all_names(self) -> set[str]:
        """Give the snapshots that it restates, also those of which it holds no row any more."""
        return self.names | {cover.snapshot for cover in self.cover}


def ensure_snapshots(organization_id: int, source_id: int, names: Iterable[str]) -> dict[str, int]:
    """Find the ids of snapshots by name, in a transaction of its own; new ones are made."""
    ordered = sorted(names)
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "insert into ledger_snapshot (organization_id, source_id, name) select %s, %s, unnest(%s::text[])"
            " on conflict (organization_id, source_id, name) do nothing",
            [organization_id, source_id, ordered],
        )
        cursor.execute(
            "select name, id from ledger_snapshot where organization_id = %s and source_id = %s and name = any(%s)",
            [organization_id, source_id, ordered],
        )
        return dict(cursor.fetchall())


def lock(organization_id: int, snapshot_ids: Iterable[int]) -> None:
    """Let one delivery of a snapshot at a time pass, until the transaction ends."""
    with connection.cursor() as cursor:
        for snapshot_id in sorted(set(snapshot_ids)):
            key = f"wattledger snapshot {organization_id} {snapshot_id}"
            cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def stage_changes(group: insertion.Group, delivery: Delivery, result: Any, batch_id: UUID, *, confirmed: bool) -> None:
    """
    Stage what a delivery changes as records to be written.

    Sets ``result.held`` and stages nothing where the delivery is suspiciously small; counts rows that change nothing as
    duplicates; notes in ``result.log`` how many keys vanished, and how many stand because rows of theirs were refused.
    """
    _compare(group.organization_id, delivery)
    held, delivered = _keys_covered()
    if not confirmed and delivered < LEAST_SHARE * held:
        result.held = (
            f"held: the delivery has {delivered:,} keys where the ledger holds {held:,} for the same accounts and time."
            " Confirm it if the rest is really gone."
        )
        return
    start = group.position
    group.position += _stage_records(group.organization_id, delivery, batch_id, start)
    staging.stage_cells_of(start)
    total, changed, vanished = _counts()
    result.duplicate += total - changed
    kept = _count("snapshot_kept")
    if kept:
        result.log.append(f"{kept:,} keys stand as the ledger holds them: rows that may be theirs are in quarantine")
    if vanished:
        result.log.append(f"{vanished:,} keys that the ledger held are no longer in the delivery: corrected to zero")


def note_revisions(start: int) -> None:
    """Remember the ids of new keys, and the latest revision of known ones, of the staged records from ``start`` on."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into ledger_snapshot_record (organization_id, snapshot_id, key, record_id, revision)"
            " select organization_id, snapshot_id, case when revision > 0 then corrects else key end,"
            "        min(case when revision > 0 then corrects_id else record_id end), max(revision)"
            " from pg_temp.staged_record where position >= %s and snapshot_id is not null group by 1, 2, 3 order by 1, 2, 3"
            " on conflict (organization_id, snapshot_id, key) do update set revision = excluded.revision",
            [start],
        )


def _units(column: str) -> str:
    """Write `cells.to_units` of one measure in SQL: the same two operations on the same doubles, rounded half to even."""
    if column in COUNTS:
        return f"coalesce({column}, 0)"
    scaled = (
        f"{column} / {units.FLOP_PER_GFLOP}::float8" if column == "flops" else f"{column} * {_per_unit(column)}::float8"
    )
    return f"coalesce(round({scaled})::bigint, 0)"


def _per_unit(column: str) -> int:
    return next(measure.per_unit for measure in SUMMED if measure.source == column)


def _delivered_value(column: str) -> str:
    """Write the reverse: integers of cells as a measure of the activity table."""
    if column in COUNTS:
        return f"c.{column}"
    if column == "flops":
        return f"c.{column}::float8 * {units.FLOP_PER_GFLOP}::float8"
    return f"c.{column}::float8 / {_per_unit(column)}::float8"


_SHARES: Final = (
    "coalesce(device_utilization, -1) as device_share, coalesce(instance_utilization, -1) as instance_share"
)
_SUMS: Final = ", ".join(f"sum({_units(m.source)})::bigint as {m.source}" for m in SUMMED)
_WEIGHTS: Final = ", ".join(f"sum(abs({_units(m.source)})::float8) as {m.source}_weight" for m in SUMMED)

_DELIVERED: Final = f"""
create temporary table snapshot_delivered on commit drop as
select snapshot_id, key, series_id, started_at, ended_at, {_SHARES},
       min(position) as position, sum(rows) as rows, count(*) as parts, max(run) as run, {_SUMS}
from pg_temp.staged_delivery where batch = %s
group by {SAME}
"""

_STATE: Final = f"""
create temporary table snapshot_state on commit drop as
with cover as (
    select * from jsonb_to_recordset(%s::jsonb)
        as c (snapshot_id integer, scope jsonb, started_at timestamptz, ended_at timestamptz, told_otherwise boolean)
), described as materialized (
    select id, to_jsonb(s) as dimensions from ledger_series s where organization_id = %s and source_id = %s
), covered as materialized (
    select d.id as series_id, c.snapshot_id, c.started_at, c.ended_at, c.told_otherwise
    from cover c join described d on d.dimensions @> c.scope
), state as (
    select snapshot_id, case when revision > 0 then corrects else key end as key, series_id, started_at, ended_at,
           {_SHARES}, count(*) as parts, max(run) as run, {_SUMS}, {_WEIGHTS}
    from ledger_record where organization_id = %s and snapshot_id = any(%s)
    group by snapshot_id, case when revision > 0 then corrects else key end, series_id, started_at, ended_at,
             device_share, instance_share
)
select s.*, c.told is not null as covered, coalesce(c.told, false) as told
from state s
cross join lateral (
    select bool_or(not c.told_otherwise) as told from covered c
    where c.series_id = s.series_id and c.snapshot_id = s.snapshot_id
        and (c.started_at is null or s.started_at >= c.started_at) and (c.ended_at is null or s.ended_at <= c.ended_at)
) c
"""

_STANDING: Final = " or ".join(f"sum(abs({m.source})) <> 0" for m in SUMMED)

_KEPT: Final = f"""
create temporary table snapshot_kept on commit drop as
select snapshot_id, key from snapshot_state
where key in (select key from pg_temp.staged_refused where batch = %s) group by 1, 2
union
select snapshot_id, key from snapshot_state s
where %s and told and not exists (select from snapshot_delivered d where d.snapshot_id = s.snapshot_id and d.key = s.key)
group by 1, 2 having {_STANDING}
"""


def _changed(column: str) -> str:
    """Write whether a measure differs by more than the rounding of its parts (and of a double, for large ones)."""
    difference = f"abs(coalesce(d.{column}, 0) - coalesce(s.{column}, 0))"
    if column in COUNTS:
        return f"{difference} > 0"
    doubles = f"(abs(coalesce(d.{column}, 0)) + coalesce(s.{column}_weight, 0)) / {2**50}::float8"
    return f"{difference} > coalesce(d.rows, 0) + coalesce(s.parts, 0) + {doubles}"


_CHANGES: Final = f"""
create temporary table snapshot_change on commit drop as
with delivered_key as (
    select snapshot_id, key, sum(rows) as key_rows, min(position) as first_position
    from snapshot_delivered group by 1, 2
), compared as (
    select {SAME}, d.position, d.parts as delivered_parts, coalesce(d.run, s.run) as run,
           b.record_id is not null as known, b.record_id as base_id, b.revision as base_revision,
           coalesce(k.key_rows, 0) as key_rows, d.position = k.first_position as first_of_key,
           {", ".join(f"coalesce(d.{m.source}, 0) - coalesce(s.{m.source}, 0) as {m.source}" for m in SUMMED)},
           {" or ".join(_changed(m.source) for m in SUMMED)} as changed
    from snapshot_delivered d full join snapshot_state s using ({SAME})
    left join delivered_key k using (snapshot_id, key)
    left join (
        select snapshot_id, key, record_id, revision from ledger_snapshot_record where organization_id = %s
    ) b using (snapshot_id, key)
    where (k.key_rows is not null or s.covered)
      and (snapshot_id, key) not in (select snapshot_id, key from snapshot_kept)
), numbered as (
    select *, row_number() over (partition by snapshot_id, key order by position nulls last, series_id, started_at) as nth,
           row_number() over (order by key, position nulls last, series_id, started_at) - 1 as place
    from compared where changed or (not known and first_of_key)
)
select *, coalesce(base_revision + nth, nth - 1) as revision from numbered
"""


_PRESENT: Final = {column: f"(l.mask >> {bit}) & 1 = 1" for column, bit in MASK_BITS.items()}


def _measure(column: str) -> str:
    """Write a measure of the record to be written: as delivered where one row brings it, else from the integers."""
    if column.endswith("_utilization"):
        share = column.replace("_utilization", "_share")
        return f"nullif(c.{share}, -1)"
    alone = f"case when c.revision = 0 and c.delivered_parts = 1 then d.{column} else {_delivered_value(column)} end"
    return f"case when {_PRESENT[column]} then {alone} end"


# The id of a correction is hashed here as `keys.record_keys` does it.
_RECORDS: Final = f"""
with named as (
    select c.*, coalesce(c.base_id, d.record_id) as first_id,
           case when c.revision > 0 then coalesce(c.base_id, d.record_id) || ':r' || c.revision else d.record_id end as new_id
    from snapshot_change c
    left join (
        select distinct on (snapshot_id, key) snapshot_id, key, record_id from pg_temp.staged_delivery where batch = %s
        order by snapshot_id, key, position
    ) d using (snapshot_id, key)
)
insert into pg_temp.staged_record (
    position, batch, "row", rows, organization_id, source_id, series_id, by_day, started_at, ended_at, key, content,
    batch_id, snapshot_id, revision, corrects, record_id, run, request, trace, corrects_id, flags,
    {", ".join((*COUNTS, *NUMBERS))}
)
select %s + c.place, %s, coalesce(d."row", 0), case when c.nth = 1 then c.key_rows else 0 end, %s, %s, c.series_id,
       l.grain = 'day', c.started_at, c.ended_at,
       case when c.revision > 0 then encode(substring(sha256(convert_to(c.new_id, 'UTF8')) from 1 for 16), 'hex')::uuid
            else c.key end,
       0, %s, c.snapshot_id, c.revision,
       case when c.revision > 0 then c.key else d.corrects end, c.new_id, c.run,
       case when c.revision = 0 then d.request end, case when c.revision = 0 then d.trace end,
       case when c.revision > 0 then c.first_id else d.corrects_id end,
       case when c.revision > 0 then 'restated' else d.flags end,
       {", ".join(_measure(column) for column in (*COUNTS, *NUMBERS))}
from named c
join ledger_series l on l.organization_id = %s and l.id = c.series_id
left join pg_temp.staged_delivery d on d.position = c.position
order by c.place
"""


def _compare(organization_id: int, delivery: Delivery) -> None:
    cover = [
        {
            "snapshot_id": delivery.ids[each.snapshot],
            "scope": _checked_scope(each),
            "started_at": each.started_at,
            "ended_at": each.ended_at,
            "told_otherwise": each.told_otherwise,
        }
        for each in delivery.cover
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "drop table if exists pg_temp.snapshot_delivered, pg_temp.snapshot_state, pg_temp.snapshot_kept,"
            " pg_temp.snapshot_change"
        )
        cursor.execute("analyze pg_temp.staged_delivery (position, snapshot_id, key)")
        cursor.execute(_DELIVERED, [delivery.batch])
        cursor.execute(
            _STATE,
            [
                msgspec.json.encode(cover).decode(),
                organization_id,
                delivery.source_id,
                organization_id,
                sorted(delivery.ids.values()),
            ],
        )
        cursor.execute("analyze pg_temp.snapshot_delivered; analyze pg_temp.snapshot_state")
        cursor.execute(_KEPT, [delivery.batch, delivery.unknown_rows > 0])
        cursor.execute(_CHANGES, [organization_id])


def _checked_scope(cover: Cover) -> dict[str, str | None]:
    """Raise ValueError for a scope that no series could ever meet: it would leave vanished keys standing unseen."""
    odd = sorted(set(cover.scope) - set(SERIES_TEXT))
    if odd:
        raise ValueError(f"a cover can name dimensions of the series only, not {', '.join(odd)}")
    return dict(cover.scope)


def _keys_covered() -> tuple[int, int]:
    """Count the keys that the ledger holds inside the cover (corrected to nothing: no longer), and those delivered or kept."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from (select from snapshot_state where covered"
            f" group by snapshot_id, key having {_STANDING}) standing"
        )
        (held,) = cursor.fetchone()
    return int(held), _count(
        "(select snapshot_id, key from snapshot_delivered union select snapshot_id, key from snapshot_kept) known"
    )


def _count(what: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"select count(*) from {what}")
        return int(cursor.fetchone()[0])


def _stage_records(organization_id: int, delivery: Delivery, batch_id: UUID, start: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            _RECORDS,
            [
                delivery.batch,
                start,
                delivery.batch,
                organization_id,
                delivery.source_id,
                batch_id,
                organization_id,
            ],
        )
        return int(cursor.rowcount)


def _counts() -> tuple[int, int, int]:
    """Count payload rows of the delivery, those in changed keys, and keys that vanished."""
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(sum(rows), 0) from snapshot_delivered")
        (total,) = cursor.fetchone()
        cursor.execute(
            "select coalesce(sum(key_rows) filter (where nth = 1), 0),"
            " count(*) filter (where nth = 1 and key_rows = 0) from snapshot_change"
        )
        changed, vanished = cursor.fetchone()
    return int(total), int(changed), int(vanished)
