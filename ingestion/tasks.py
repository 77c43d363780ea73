"""Background work: drain inboxes, find what nobody was woken for, make room ahead. Each task calls one service."""

from __future__ import annotations

from typing import Any

import structlog
from celery import shared_task
from django.db import InterfaceError, OperationalError

from ingestion import services, wake

log = structlog.get_logger()

DRAIN_SECONDS = 45.0
"""A drain hands over after this, so that organizations take turns; a large file is finished whatever it takes."""


@shared_task(name="ingestion.drain", autoretry_for=(OperationalError, InterfaceError), retry_backoff=1, max_retries=5)
def drain(*, organization_id: int, **_: Any) -> dict[str, int]:
    """Read what waits in an organization's inbox; wake derive when something was written."""
    structlog.contextvars.bind_contextvars(organization=organization_id)
    drained = services.drain_inbox(organization_id, seconds=DRAIN_SECONDS)
    if drained.counts["written"]:
        wake.derive(organization_id)
    if drained.more:
        wake.drain(organization_id)
    return {"batches": drained.batches, **drained.counts}


@shared_task(
    name="ingestion.delete_data", autoretry_for=(OperationalError, InterfaceError), retry_backoff=1, max_retries=5
)
def delete_data(*, organization_id: int, **_: Any) -> dict[str, int]:
    """Go on with deletions of data that somebody asked for; hand over when the time is up."""
    structlog.contextvars.bind_contextvars(organization=organization_id)
    left = services.work_on_deletions(organization_id, seconds=DRAIN_SECONDS)
    wake.derive(organization_id)
    if left:
        wake.delete(organization_id)
    return {"left": left}


@shared_task(name="ingestion.sweep")
def sweep(**_: Any) -> list[int]:
    """Wake a worker for every organization whose batches wait; this is what finds them when the broker lost everything."""
    services.beat("worker")
    waiting = services.organizations_with_waiting_batches()
    for organization_id in waiting:
        wake.drain(organization_id)
    for organization_id in services.organizations_with_deletions():
        wake.delete(organization_id)
    for organization_id in services.organizations_with_due_agents():
        if services.settle_agents(organization_id):
            wake.derive(organization_id)
    return waiting


@shared_task(name="ingestion.watch_sources")
def watch_sources(**_: Any) -> dict[str, int]:
    """Raise alerts about sources that have gone late, silent or failing, and close those whose data is back."""
    return services.watch_sources()


@shared_task(name="ingestion.housekeeping")
def housekeeping(**_: Any) -> dict[str, int]:
    """Make partitions ahead, drop what is past its retention."""
    return services.keep_house()
