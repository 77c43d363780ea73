"""Reads about what came in: batches, rows in quarantine, sources and their state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import msgspec
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import connection
from django.db.models import Count, F, Max, Min, QuerySet, Sum
from django.db.models.functions import TruncDate

from core.ledger.models import Series, Source
from core.organizations.identity import Identity
from core.organizations.models import Organization
from core.organizations.policy import Action, may
from core.organizations.tenancy import organization_scope, scoped_rows
from core.quantification.rejections import REASONS, Reason
from ingestion.arrivals import DAYS_SHOWN, SourceCard, SourceState, state_of
from ingestion.kinds import expected_every_h, kind_of
from ingestion.models import (
    Batch,
    CodeCarbonExperiment,
    Heartbeat,
    QuarantinedRow,
    QuarantineState,
    SourceAlert,
    State,
)

REJECTED_SHOWN = 100
"""Rejected rows inside a batch object; all of them are at its address /rejected."""


def batches(organization_id: int) -> QuerySet[Batch]:
    """List an organization's batches, the newest first."""
    return Batch.objects.filter(organization_id=organization_id).select_related("source").order_by("-id")


def visible_batches(identity: Identity) -> QuerySet[Batch]:
    """List the batches that somebody may see: all for those who see sources, its own for a token that only sends."""
    found = batches(identity.organization_id)
    if may(identity, Action.SEE_SOURCES):
        return found
    return found.filter(token_id=identity.token_id) if identity.token_id is not None else found.none()


def visible_batch(identity: Identity, batch_id: UUID) -> Batch | None:
    """Find one batch that somebody may see."""
    return visible_batches(identity).filter(id=batch_id).first()


def rejected_rows(batch: Batch) -> QuerySet[QuarantinedRow]:
    """List a batch's rows in quarantine in their order, resolved ones included."""
    return QuarantinedRow.objects.filter(organization_id=batch.organization_id, batch_id=batch.id).order_by("id")


def rejected_object(row: QuarantinedRow) -> dict[str, Any]:
    """Give a rejected row as contracts.md section 4 shows it, with its file where a delivery has several."""
    shown: dict[str, Any] = {
        "row": row.row,
        "record_id": row.record_id,
        "field": row.field,
        "reason": row.reason,
        "detail": row.detail,
    }
    return shown if row.file == 1 else shown | {"file": row.file}


def batch_object(batch: Batch) -> dict[str, Any]:
    """Give a batch as contracts.md section 4 shows it, with its first rejected rows."""
    shown = {
        "id": str(batch.id),
        "source": batch.kind,
        "state": batch.state,
        "received_at": stamp(batch.received_at),
        "finished_at": stamp(batch.finished_at) if batch.finished_at else None,
        "counts": batch.counts,
        "rejected": [rejected_object(row) for row in rejected_rows(batch)[:REJECTED_SHOWN]]
        if batch.quarantined
        else [],
        "log": [*batch.log, *([batch.held] if batch.held and batch.state == State.PENDING else [])],
    }
    return shown | {"dry_run": True} if batch.dry_run else shown


def run_exists(organization_id: int, run_id: UUID) -> bool:
    """Tell whether a CodeCarbon run was announced; for the door, which has no scope open."""
    return bool(
        scoped_rows(
            organization_id,
            "select 1 from ingestion_codecarbon_run where organization_id = %(organization)s and id = %(run)s",
            {"organization": organization_id, "run": run_id},
        )
    )


def heartbeat_age_s(name: str, now: datetime) -> float | None:
    """Give the seconds since a kind of background process was seen at work; None when it never was. [s]"""
    beaten_at = Heartbeat.objects.filter(name=name).values_list("beaten_at", flat=True).first()
    return None if beaten_at is None else (now - beaten_at).total_seconds()


def oldest_waiting_s(now: datetime) -> float:
    """Give the seconds that the oldest batch of any organization has waited; held ones wait for people. [s]"""
    oldest = now
    for organization_id in Organization.objects.values_list("id", flat=True):
        with organization_scope(organization_id):
            waiting = Batch.objects.filter(organization_id=organization_id, state=State.PENDING, held="")
            oldest = min(oldest, waiting.aggregate(oldest=Min("received_at"))["oldest"] or now)
    return (now - oldest).total_seconds()


def quarantine(
    organization_id: int,
    *,
    source: str | None = None,
    source_id: int | None = None,
    reason: str | None = None,
    batch: UUID | str | None = None,
    ids: list[int] | None = None,
) -> QuerySet[QuarantinedRow]:
    """List open rows in quarantine: of a source (its name or kind, or its id), a reason, a batch, or by their ids."""
    rows = QuarantinedRow.objects.filter(organization_id=organization_id, state=QuarantineState.OPEN)
    if source:
        rows = rows.filter(source_id__in=sources_named(organization_id, source))
    if source_id is not None:
        rows = rows.filter(source_id=source_id)
    if reason:
        rows = rows.filter(reason=reason)
    if batch:
        rows = rows.filter(batch_id=batch)
    if ids is not None:
        rows = rows.filter(id__in=ids)
    return rows.order_by("id")


UNITS_LOOKED_AT = 5_000


def units_in_quarantine(rows: QuerySet[QuarantinedRow]) -> list[str]:
    """Name the distinct units that rows say in the field at fault, in the order of their first row."""
    found: dict[str, None] = {}
    for field, payload in rows.values_list("field", "payload")[:UNITS_LOOKED_AT]:
        unit = payload.get(field) if isinstance(payload, dict) else None
        if isinstance(unit, str) and unit.strip():
            found[" ".join(unit.split())] = None
    return list(found)


EXPORTED = (
    *(
        "first_seen",
        "times_sent",
        "source",
        "kind",
        "batch",
        "file",
        "row",
        "rows",
        "record_id",
        "field",
        "reason",
        "detail",
    ),
    *("remedy", "payload"),
)
"""Columns of an export of rows in quarantine."""


def exported(row: QuarantinedRow) -> dict[str, Any]:
    """Give all there is of a row in quarantine, for an export."""
    return {
        "first_seen": stamp(row.first_seen),
        "times_sent": row.times_sent,
        "source": row.source.name,
        "kind": row.source.kind,
        "batch": str(row.batch_id),
        "file": row.file,
        "row": row.row,
        "rows": row.rows,
        "record_id": row.record_id,
        "field": row.field,
        "reason": row.reason,
        "detail": row.detail,
        "remedy": row.about.remedy,
        "payload": row.payload,
    }


def neutral(value: object) -> object:
    """Quote text that a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def sources_named(organization_id: int, name: str) -> list[int]:
    """Find the ids of the source connections of a name, else those of that kind."""
    sources = Source.objects.filter(organization_id=organization_id)
    named = list(sources.filter(name=name).values_list("id", flat=True))
    return named or list(sources.filter(kind=name).values_list("id", flat=True))


_LATEST = """
select s.id, s.kind, s.name, s.settings::text, s.paused, arrived.received_at, latest.state
from ledger_source s
left join lateral (
    select b.received_at from ingestion_batch b
    where b.organization_id = s.organization_id and b.source_id = s.id and not b.dry_run and b.payload_of is null
    order by b.id desc limit 1
) arrived on true
left join lateral (
    select b.state from ingestion_batch b
    where b.organization_id = s.organization_id and b.source_id = s.id and not b.dry_run order by b.id desc limit 1
) latest on true
where s.organization_id = %s and (%s::int is null or s.id = %s) order by s.kind, s.name
"""


def source_states(organization_id: int, now: datetime, source_id: int | None = None) -> list[SourceState]:
    """Tell of every source connection, or of one, whether its data is arriving. What is read again is no arrival."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(_LATEST, [organization_id, source_id, source_id])
        rows = cursor.fetchall()
    found = []
    for key, kind, name, settings, paused, received_at, latest_state in rows:
        every = timedelta(hours=expected_every_h(kind, msgspec.json.decode(settings)))
        state = state_of(
            paused=paused,
            latest_arrival=received_at,
            latest_failed=latest_state == State.FAILED,
            expected_every=every,
            pushed=kind_of(kind).pushed,
            now=now,
        )
        found.append(SourceState(key, kind, name, state, received_at, every))
    return found


def source_cards(organization_id: int, now: datetime, source_id: int | None = None) -> list[SourceCard]:
    """Give every source connection, or one, with its state and its last 30 days."""
    first_day = now.date() - timedelta(days=DAYS_SHOWN - 1)
    kept = Batch.objects.filter(organization_id=organization_id, dry_run=False)
    waiting = QuarantinedRow.objects.filter(organization_id=organization_id, state=QuarantineState.OPEN)
    if source_id is not None:
        kept, waiting = kept.filter(source_id=source_id), waiting.filter(source_id=source_id)
    by_day: dict[int, dict[date, int]] = {}
    totals: dict[int, Counter[str]] = {}
    recent = kept.filter(received_at__gte=datetime.combine(first_day, time(), UTC))
    for row in recent.values("source_id", day=TruncDate("received_at", tzinfo=UTC)).annotate(
        received_rows=Sum("received"), written_rows=Sum("written"), quarantined_rows=Sum("quarantined")
    ):
        by_day.setdefault(row["source_id"], {})[row["day"]] = row["received_rows"]
        total = totals.setdefault(row["source_id"], Counter())
        total["received"] += row["received_rows"]
        total["written"] += row["written_rows"]
        total["quarantined"] += row["quarantined_rows"]
    open_rows = dict(waiting.values_list("source_id").annotate(count=Count("id")))
    alerts = {alert.source_id: (alert.state, alert.opened_at) for alert in open_alerts(organization_id)}
    days = [first_day + timedelta(days=at) for at in range(DAYS_SHOWN)]
    return [
        SourceCard(
            **vars(state),
            alert=alerts.get(state.id),
            received=totals.get(state.id, Counter())["received"],
            written=totals.get(state.id, Counter())["written"],
            quarantined=totals.get(state.id, Counter())["quarantined"],
            open_rows=open_rows.get(state.id, 0),
            days=[(day, by_day.get(state.id, {}).get(day, 0)) for day in days],
        )
        for state in source_states(organization_id, now, source_id)
    ]


def source_object(card: SourceCard) -> dict[str, Any]:
    """Give a source as the API shows it."""
    alert = {"state": card.alert[0], "opened_at": stamp(card.alert[1])} if card.alert else None
    return {
        "id": card.id,
        "kind": card.kind,
        "name": card.name,
        "state": card.state,
        "latest_arrival": stamp(card.latest_arrival) if card.latest_arrival else None,
        "expected_every_h": card.expected_h,
        "received_30d": card.received,
        "written_30d": card.written,
        "quarantined_30d": card.quarantined,
        "quarantine_open": card.open_rows,
        "alert": alert,
    }


def stamp(moment: datetime) -> str:
    """Write a time in the `Z` form."""
    return moment.isoformat().replace("+00:00", "Z")


def open_alerts(organization_id: int) -> QuerySet[SourceAlert]:
    """List the alerts that are not closed."""
    return SourceAlert.objects.filter(organization_id=organization_id, closed_at=None).select_related("source")


def batch_page(
    organization_id: int, *, source_id: int | None = None, state: str = "", after: UUID | None = None, rows: int = 50
) -> tuple[list[Batch], UUID | None]:
    """Give a page of batches, the newest first, and the cursor of the next page (None: this is the last)."""
    found = batches(organization_id)
    if source_id is not None:
        found = found.filter(source_id=source_id)
    if state:
        found = found.filter(state=state)
    if after is not None:
        found = found.filter(id__lt=after)
    page = list(found[: rows + 1])
    return page[:rows], page[rows - 1].id if len(page) > rows else None


@dataclass(frozen=True)
class QuarantineGroup:
    """Open rows of one source and reason, with an example of them."""

    source_id: int
    source: str
    kind: str
    reason: str
    rows: int
    times_sent: int
    first_seen: datetime
    sample: QuarantinedRow
    fields: frozenset[str | None]

    @property
    def about(self) -> Reason:
        """Say what is wrong and what to do."""
        return REASONS[self.reason]


def quarantine_groups(organization_id: int, source_id: int | None = None) -> list[QuarantineGroup]:
    """Give the open rows, all or those of a source, grouped by source and reason, the largest group first."""
    groups = (
        quarantine(organization_id, source_id=source_id)
        .order_by()
        .values("source_id", "source__name", "source__kind", "reason")
        .annotate(
            count=Sum("rows"),
            sent=Sum(F("rows") * F("times_sent")),
            seen=Min("first_seen"),
            example=Max("id"),
            named=ArrayAgg("field", distinct=True),
        )
        .order_by("-count")
    )
    found = list(groups)
    samples = QuarantinedRow.objects.filter(organization_id=organization_id).in_bulk(
        [group["example"] for group in found]
    )
    return [
        QuarantineGroup(
            group["source_id"],
            group["source__name"],
            group["source__kind"],
            group["reason"],
            group["count"],
            group["sent"],
            group["seen"],
            samples[group["example"]],
            frozenset(group["named"]),
        )
        for group in found
    ]


def quarantine_page(
    organization_id: int, *, source_id: int, reason: str, after: int = 0, rows: int = 50
) -> tuple[list[QuarantinedRow], int | None]:
    """Give a page of a group's open rows, the oldest first, and the cursor of the next page (None: this is the last)."""
    found = quarantine(organization_id, source_id=source_id, reason=reason).filter(id__gt=after)
    page = list(found[: rows + 1])
    return page[:rows], page[rows - 1].id if len(page) > rows else None


def source_of_id(organization_id: int, source_id: int) -> Source | None:
    """Find a source connection of the organization."""
    return Source.objects.filter(organization_id=organization_id, id=source_id).first()


def sources_of_kinds(organization_id: int, kinds: Sequence[str]) -> list[Source]:
    """List the source connections of some formats, by name."""
    return list(Source.objects.filter(organization_id=organization_id, kind__in=kinds).order_by("name", "id"))


def series_within(organization_id: int, dims: Mapping[str, Sequence[str]]) -> list[int]:
    """List the series whose records named these values themselves (team, project): all that may be read one by one."""
    with organization_scope(organization_id):
        within = {f"{name}__in": values for name, values in dims.items()}
        found = Series.objects.filter(organization_id=organization_id, **within)
        return list(found.values_list("id", flat=True))


def experiments(organization_id: int) -> QuerySet[CodeCarbonExperiment]:
    """List an organization's CodeCarbon experiments by name."""
    return CodeCarbonExperiment.objects.filter(organization_id=organization_id).order_by("name")
