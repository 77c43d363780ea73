"""How the installation is: versions, what waits, room, partitions, and the last comparison of ledger and figures."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import django
from django.apps import apps
from django.conf import settings
from django.db import connection, connections
from django.db.migrations.executor import MigrationExecutor
from redis import Redis, RedisError

from core.accounting.selectors import watermark
from core.accounting.selectors.reconciliation import reconcile_daily, span_of_cells
from core.ledger.selectors import reconcile_ledger
from core.organizations.models import AuditEvent

HEARTBEAT: Final = timedelta(seconds=60)
"""The sweep beats every 10 s; after this a worker or the scheduler counts as gone (as /readyz says)."""
QUEUE_AGE: Final = timedelta(minutes=5)
LEAST_FREE_SHARE: Final = 0.10
RECONCILED_DAYS: Final = 7
PARTITIONED: Final = (
    "ledger_record",
    "ledger_record_text",
    "ledger_cell",
    "ledger_identity",
    "accounting_daily",
    "accounting_monthly",
    "ingestion_payload",
)
RECONCILE: Final = "reconcile"


@dataclass(frozen=True)
class Check:
    """One thing that is well, or is not. ``state``: good, warn, bad or "" for what only informs."""

    name: str
    value: Any
    state: str = ""


@dataclass(frozen=True)
class Partitioned:
    """A partitioned table: partitions, size with indexes [B], rows as the planner estimates them, first and last partition."""

    table: str
    partitions: int
    size_bytes: int
    rows: int
    first: str
    last: str


def versions() -> list[Check]:
    """Name the versions of what runs, and whether every migration is applied."""
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('server_version'), pg_database_size(current_database())")
        postgres, size = cursor.fetchone()
    executor = MigrationExecutor(connections["default"])
    waiting = len(executor.migration_plan(executor.loader.graph.leaf_nodes()))
    return [
        Check("wattledger", settings.VERSION),
        Check("python", platform.python_version()),
        Check("django", django.get_version()),
        Check("postgresql", postgres),
        Check("broker", _broker_version()),
        Check("migrations", waiting, "bad" if waiting else "good"),
        Check("database_bytes", int(size)),
    ]


def _broker_version() -> str | None:
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as redis:
            about: Any = redis.info("server")
    except (RedisError, OSError):
        return None
    return str(about.get("valkey_version") or about.get("redis_version"))


def workers(organization_id: int, now: datetime) -> list[Check]:
    """Tell when workers were seen, what waits for them, and how old the oldest of it is; of this organization."""
    beats = dict(apps.get_model("ingestion", "Heartbeat").objects.values_list("name", "beaten_at"))
    beaten = beats.get("worker")
    batches = apps.get_model("ingestion", "Batch").objects.filter(organization_id=organization_id)
    oldest = batches.filter(state="pending", held="").order_by("id").values_list("received_at", flat=True).first()
    lag = now - watermark(organization_id)
    found = [
        Check("worker", beaten, "good" if beaten and now - beaten < HEARTBEAT else "bad"),
        Check("oldest_batch", oldest, "bad" if oldest and now - oldest > QUEUE_AGE else "good"),
        Check("figures_lag_s", lag.total_seconds(), "bad" if lag > QUEUE_AGE else "good"),
    ]
    lengths = queue_lengths()
    if lengths is None:
        return [*found, Check("broker", None, "bad")]
    return [*found, *(Check(f"queue {name}", length) for name, length in lengths.items())]


def queue_lengths() -> dict[str, int] | None:
    """Count the messages that wait in each queue of the broker; None where it cannot be reached."""
    names = [queue.name for queue in settings.CELERY_TASK_QUEUES]
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as redis:
            return {name: int(redis.llen(name)) for name in names}
    except (RedisError, OSError):
        return None


def partitions() -> list[Partitioned]:
    """Measure the partitioned tables of the installation."""
    query = """
        select parent.relname, count(*), sum(pg_total_relation_size(child.oid)),
               sum(greatest(child.reltuples, 0))::bigint, min(child.relname), max(child.relname)
        from pg_inherits i
        join pg_class parent on parent.oid = i.inhparent
        join pg_class child on child.oid = i.inhrelid
        where parent.relname = any(%s) and parent.relnamespace = 'public'::regnamespace
        group by parent.relname order by 3 desc
    """
    with connection.cursor() as cursor:
        cursor.execute(query, [list(PARTITIONED)])
        return [
            Partitioned(table, int(count), int(size), int(rows), first, last)
            for table, count, size, rows, first, last in cursor.fetchall()
        ]


def disk() -> tuple[int, int, str]:
    """Measure the disk below VAR_DIR: free and whole [B], and how it is."""
    usage = shutil.disk_usage(settings.VAR_DIR)
    return usage.free, usage.total, "bad" if usage.free < LEAST_FREE_SHARE * usage.total else "good"


def latest_reconciliation(organization_id: int) -> AuditEvent | None:
    """Find when somebody last compared ledger, cells and figures on the page of the system, and what came of it."""
    events = AuditEvent.objects.filter(organization_id=organization_id, action=RECONCILE)
    return events.order_by("-sequence").first()


def reconcile(organization_id: int) -> dict[str, Any] | None:
    """
    Compare the latest days of the ledger with their cells, and these with the daily rows; outside any transaction.

    Returns:
        Plain values: ``from``, ``to``, how many differences on each side, and days that derive has not reached; None
        without cells.
    """
    span = span_of_cells(organization_id)
    if span is None:
        return None
    first, last = max(span[0], span[1] - timedelta(days=RECONCILED_DAYS - 1)), span[1]
    daily = reconcile_daily(organization_id, first, last)
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "ledger_differences": len(reconcile_ledger(organization_id, first, last)),
        "daily_differences": len(daily.differences),
        "pending_days": len(daily.pending),
    }
