"""What keeps the inbox going: heartbeats, waiting batches that nobody was woken for, room ahead, retention."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog
from django.db import connection

from core.ledger.services import drop_expired_text, ensure_months_ahead
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from ingestion import counting, payloads
from ingestion.models import CodeCarbonRun, Heartbeat
from ingestion.services.accept import ensure_payload_partition
from ingestion.services.agents import forget_agents
from ingestion.sources.base import DEFAULT_MAX_AGE_DAYS

log = structlog.get_logger()

PAYLOAD_RETENTION_DAYS = 30
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


def keep_house(now: datetime | None = None) -> dict[str, int]:
    """Make partitions ahead, and remove payloads, ids as text and unused runs that are past their retention."""
    now = now or datetime.now(UTC)
    today = now.date()
    for days in range(DAYS_AHEAD + 1):
        ensure_payload_partition(today + timedelta(days=days))
    ensure_months_ahead(today)
    done = {
        "text_months_dropped": len(drop_expired_text(now)),
        "payload_days_dropped": _drop_payloads(now),
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


def _drop_payloads(now: datetime) -> int:
    """Drop whole days of payloads, but none from which a batch still waits to be read."""
    oldest = now.date() - timedelta(days=PAYLOAD_RETENTION_DAYS)
    for organization_id in Organization.objects.values_list("id", flat=True):
        with organization_scope(organization_id), connection.cursor() as cursor:
            cursor.execute(
                "select min(received_at at time zone 'utc')::date from ingestion_batch where organization_id = %s"
                " and state in ('pending', 'processing')",
                [organization_id],
            )
            (waiting,) = cursor.fetchone()
        oldest = min(oldest, waiting or oldest)
    with connection.cursor() as cursor:
        cursor.execute(
            "select inhrelid::regclass::text from pg_inherits where inhparent = 'ingestion_payload'::regclass"
        )
        names = [name for (name,) in cursor.fetchall() if name < f"ingestion_payload_{oldest:%Y%m%d}"]
        for name in names:
            cursor.execute("select wattledger_drop_partition('ingestion_payload', %s)", [name])
    payloads.remove_days_before(oldest)
    return len(names)


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
