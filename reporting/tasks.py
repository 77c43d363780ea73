"""Background work: write the files that somebody asked for, look after budgets. Each task calls one service."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import structlog
from celery import shared_task
from celery.exceptions import CeleryError
from django.db import transaction
from kombu.exceptions import KombuError
from redis import RedisError

from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from reporting.services.budgets import watch_budgets, watch_organization
from reporting.services.exports import export_is_due, forget_exports, run_exports

log = structlog.get_logger()

SWEEP_EXPIRES_S = 60  # by then another sweep has asked again


@shared_task(name="reporting.export", acks_late=False)
def export(*, organization_id: int, **ignored: Any) -> dict[str, int]:
    """Write an organization's exports; its message is done with at once, since the sweep finds what is left."""
    with structlog.contextvars.bound_contextvars(organization=organization_id):
        return {"exports": run_exports(organization_id)}


@shared_task(name="reporting.sweep", time_limit=300)
def sweep(**ignored: Any) -> dict[str, int]:
    """Wake a worker for every export that waits, and delete files that have expired."""
    woken, forgotten = 0, 0
    for organization_id in Organization.objects.order_by("id").values_list("id", flat=True):
        with organization_scope(organization_id):
            due = export_is_due(organization_id)
            forgotten += forget_exports(organization_id, datetime.now(UTC))
        if due:
            export.apply_async(kwargs={"organization_id": organization_id}, expires=SWEEP_EXPIRES_S)
            woken += 1
    return {"woken": woken, "forgotten": forgotten}


@shared_task(name="reporting.watch_budgets", time_limit=300)
def watch_every_budget(**ignored: Any) -> dict[str, int]:
    """Say of budgets what is due."""
    return watch_budgets()


@shared_task(name="reporting.watch_organization", time_limit=300)
def watch(*, organization_id: int, **ignored: Any) -> dict[str, int]:
    """Say of one organization's budgets what is due, after somebody has set one."""
    return {"said": watch_organization(organization_id, datetime.now(UTC))}


def watch_after_commit(organization_id: int) -> None:
    """Have an organization's budgets looked at once the present transaction is committed; else it is done in minutes."""
    _after_commit(watch, organization_id)


def wake_after_commit(organization_id: int) -> None:
    """Ask for an organization's exports once the present transaction is committed; the sweep finds it where that is lost."""

    _after_commit(export, organization_id)


def _after_commit(task: Any, organization_id: int) -> None:
    def wake() -> None:
        try:
            task.apply_async(kwargs={"organization_id": organization_id}, retry=False)
        except (CeleryError, KombuError, RedisError, OSError) as error:
            log.warning("broker unreachable, the sweep will find it", error=type(error).__name__)

    transaction.on_commit(wake)
