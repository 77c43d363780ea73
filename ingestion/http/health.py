"""/healthz and /readyz: for operators and their load balancers, without login."""

from __future__ import annotations

from datetime import UTC, datetime

from django.conf import settings
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from redis import Redis, RedisError

from core.organizations.middleware import own_identity
from ingestion import selectors

HEARTBEAT_S = 60.0
"""The sweep beats every 10 s; after this a worker or the scheduler counts as gone."""

QUEUE_AGE_S = 300.0
"""A batch that waits longer than this, without being held, means that workers do not keep up."""


@own_identity
def healthz(_: HttpRequest) -> HttpResponse:
    """Say that this process lives."""
    return HttpResponse("ok\n", content_type="text/plain")


@own_identity
def readyz(_: HttpRequest) -> HttpResponse:
    """Say whether all that the product needs is there: database, migrations, broker, worker; 503 when something is not."""
    checks: dict[str, str] = {}
    numbers: dict[str, float | None] = {}
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1")
        checks["database"] = "ok"
        checks["migrations"] = _migrations()
        age_s = selectors.heartbeat_age_s("worker", datetime.now(UTC))
        numbers["worker_heartbeat_age_s"] = age_s
        checks["worker"] = "ok" if age_s is not None and age_s < HEARTBEAT_S else "no heartbeat of a worker"
        waiting_s = selectors.oldest_waiting_s(datetime.now(UTC))
        numbers["queue_age_s"] = waiting_s
        checks["queue"] = "ok" if waiting_s < QUEUE_AGE_S else f"a batch waits for {waiting_s:.0f} s"
    except DatabaseError as error:
        checks["database"] = f"cannot be used: {type(error).__name__}"
    checks["broker"] = _broker()
    ready = all(state == "ok" for state in checks.values())
    return JsonResponse({"ready": ready, "checks": checks, **numbers}, status=200 if ready else 503)


def _migrations() -> str:
    executor = MigrationExecutor(connections["default"])
    waiting = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return "ok" if not waiting else f"{len(waiting)} are not applied"


def _broker() -> str:
    try:
        with Redis.from_url(settings.REDIS_URL, socket_timeout=1, socket_connect_timeout=1) as redis:
            redis.ping()
    except (RedisError, OSError) as error:
        return f"cannot be reached: {type(error).__name__}"
    return "ok"
