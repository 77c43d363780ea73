"""What keeps the inbox going: heartbeats, waiting batches that nobody was woken for, room ahead, retention."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import cast

import structlog
from django.db import connection

from core.ledger.deletions import deletions_to_work_on, work_on
from core.ledger.services import drop_expired_text, ensure_months_ahead
from core.locks import DELETION_LOCK, if_free
from core.organizations.models import Organization
from core.organizations.retention import Retention, longest, retentions
from core.organizations.tenancy import organization_scope
from core.organizations.user_counts import count_past_months
from ingestion import counting, payloads
from ingestion.models import CodeCarbonRun, Heartbeat, QuarantinedRow
from ingestion.services.accept import ensure_payload_partition
from ingestion.services.agents import forget_agents
from ingestion.sources.base import DEFAULT_MAX_AGE_DAYS

log = structlog.get_logger()

DAYS_AHEAD = 7
UNUSED_RUN = timedelta(days=1)
COUNTER_RETENTION = timedelta(days=DEFAULT_MAX_AGE_DAYS)
"""A counter that is silent for so long has ended: an older reading of it is too old to be taken."""


def beat(name: str) -> None:
    """Note that a kind of background process is alive."""
    Heartbeat.objects.update_or_create(name=name, defaults={"beaten_at": datetime.now(UTC)})


def organizations_with_waiting_batches() -> list[int]:
    """List the organizations that have something for a worker to do."""
    waiting = []
    for organization_id in Organization.objects.order_by("id").values_list("id", flat=True):
        with organization_scope(organization_id), connection.cursor() as cursor:
            cursor.execute(
                "select exists (select from ingestion_batch where organization_id = %s"
                " and state in ('pending', 'processing') and held = '' and (retry_at is null or retry_at <= now()))",
                [organization_id],
            )
            if cursor.fetchone()[0]:
                waiting.append(organization_id)
    return waiting


def organizations_with_deletions() -> list[int]:
    """List the organizations that have a deletion of data, or its restoring, to be worked on."""
    found = []
    for organization_id in Organization.objects.order_by("id").values_list("id", flat=True):
        with organization_scope(organization_id):
            if deletions_to_work_on(organization_id):
                found.append(organization_id)
    return found


def work_on_deletions(organization_id: int, *, seconds: float) -> int:
    """
    Go on with an organization's deletions of data, the oldest first; give how many are left when the time is up.

    One worker does it; another that is woken meanwhile gives 0 at once, so that it is free for what arrives.
    """
    deadline = time.monotonic() + seconds
    with if_free(DELETION_LOCK, organization_id) as alone:
        if not alone:
            return 0
        with organization_scope(organization_id):
            waiting = deletions_to_work_on(organization_id)
        for deletion_id in waiting:
            work_on(organization_id, deletion_id, seconds=deadline - time.monotonic())
        with organization_scope(organization_id):
            return len(deletions_to_work_on(organization_id))


def keep_house(now: datetime | None = None) -> dict[str, int]:
    """Make partitions ahead, and remove payloads, ids as text and unused runs that are past their retention."""
    now = now or datetime.now(UTC)
    today = now.date()
    for days in range(DAYS_AHEAD + 1):
        ensure_payload_partition(today + timedelta(days=days))
    ensure_months_ahead(today)
    kept = retentions()
    months, ids = drop_expired_text(now, kept)
    done = {
        "text_months_dropped": len(months),
        "text_rows_deleted": ids,
        "payload_days_dropped": _drop_payloads(now, kept),
        "payloads_deleted": sum(_expire_payloads(each, now, kept[each]) for each in kept),
        "quarantine_rows_emptied": sum(_empty_quarantine(each, now, kept[each]) for each in kept),
        "user_hashes_counted": sum(count_past_months(each, now) for each in kept),
        "unused_runs_deleted": _delete_unused_runs(now),
        "counters_forgotten": sum(counting.forget(each, _oldest_reading_ns(now)) for each in _organizations()),
        "agents_forgotten": sum(forget_agents(each, now) for each in _organizations()),
    }
    log.info("house kept", **done)
    return done


def _organizations() -> list[int]:
    return list(Organization.objects.values_list("id", flat=True))


def _oldest_reading_ns(now: datetime) -> int:
    """Give the time before which no source accepts readings. [ns since 1970]"""
    return int((now - COUNTER_RETENTION).timestamp() * 1e9)


def _drop_payloads(now: datetime, kept: dict[int, Retention]) -> int:
    """Drop whole days of payloads that nobody keeps, but none from which a batch still waits to be read."""
    oldest = longest(kept).payloads_before(now)
    for organization_id in kept:
        oldest = min(oldest, _oldest_waiting(organization_id) or oldest)
    with connection.cursor() as cursor:
        cursor.execute(
            "select inhrelid::regclass::text from pg_inherits where inhparent = 'ingestion_payload'::regclass"
        )
        names = [name for (name,) in cursor.fetchall() if name < f"ingestion_payload_{oldest:%Y%m%d}"]
        for name in names:
            cursor.execute("select wattledger_drop_partition('ingestion_payload', %s)", [name])
    payloads.remove_days_before(oldest)
    return len(names)


def _oldest_waiting(organization_id: int) -> date | None:
    """Give the day of the oldest batch of an organization that has still to be read."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select min(received_at at time zone 'utc')::date from ingestion_batch where organization_id = %s"
            " and state in ('pending', 'processing')",
            [organization_id],
        )
        (waiting,) = cursor.fetchone()
    return cast("date | None", waiting)


def _expire_payloads(organization_id: int, now: datetime, kept: Retention) -> int:
    """Delete an organization's payloads that are past its own retention, where the day's partition stays for others."""
    oldest = kept.payloads_before(now)
    oldest = min(oldest, _oldest_waiting(organization_id) or oldest)
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "delete from ingestion_payload where organization_id = %s and received_on < %s", [organization_id, oldest]
        )
        deleted = cursor.rowcount
    payloads.remove_days_before(oldest, organization_id)
    return int(deleted)


def _empty_quarantine(organization_id: int, now: datetime, kept: Retention) -> int:
    """Take content and ids out of rows in quarantine as their payloads and the ledger's ids go; the reasons stay."""
    with organization_scope(organization_id):
        rows = QuarantinedRow.objects.filter(organization_id=organization_id)
        emptied = rows.filter(last_seen__date__lt=kept.payloads_before(now), payload__isnull=False).update(payload=None)
        rows.filter(last_seen__date__lt=kept.ids_before(now), record_id__isnull=False).update(record_id=None)
    return emptied


def _delete_unused_runs(now: datetime) -> int:
    """Delete CodeCarbon runs that no emission followed: its client announces a run again after a failed call."""
    deleted = 0
    for organization_id in Organization.objects.values_list("id", flat=True):
        with organization_scope(organization_id):
            count, _ = CodeCarbonRun.objects.filter(
                organization_id=organization_id, emitted=False, created_at__lt=now - UNUSED_RUN
            ).delete()
            deleted += count
    return deleted
