"""Background work: send what is due. Each task calls one service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import structlog
from celery import shared_task
from celery.exceptions import CeleryError
from django.db import transaction
from kombu.exceptions import KombuError
from redis import RedisError

from core.delivery.selectors import organizations_with_due_deliveries
from core.delivery.services import deliver_due

log = structlog.get_logger()

SWEEP_EXPIRES_S = 60  # by then another sweep has asked again


@shared_task(name="delivery.deliver", acks_late=False, time_limit=300)
def deliver(*, organization_id: int, **ignored: Any) -> dict[str, int]:
    """Send what is due of an organization; its message is done with at once, since the sweep finds what is left."""
    with structlog.contextvars.bound_contextvars(organization=organization_id):
        return deliver_due(organization_id)


@shared_task(name="delivery.sweep", time_limit=300)
def sweep(**ignored: Any) -> dict[str, int]:
    """Wake a worker for every organization of which something is due."""
    due = organizations_with_due_deliveries(datetime.now(UTC))
    for organization_id in due:
        deliver.apply_async(kwargs={"organization_id": organization_id}, expires=SWEEP_EXPIRES_S)
    return {"woken": len(due)}


def wake_after_commit(organization_id: int) -> None:
    """Ask for an organization's deliveries once the present transaction is committed; the sweep finds what is lost."""

    def wake() -> None:
        try:
            deliver.apply_async(kwargs={"organization_id": organization_id}, retry=False)
        except (CeleryError, KombuError, RedisError, OSError) as error:
            log.warning("broker unreachable, the sweep will find it", error=type(error).__name__)

    transaction.on_commit(wake)
