"""Bring figures up to date: a task for one organization, and the sweep that finds what nobody was woken for."""

from __future__ import annotations

from typing import Any

import structlog
from celery import shared_task
from celery.exceptions import CeleryError
from django.db import connection, transaction
from kombu.exceptions import KombuError
from redis import RedisError

from core.accounting.services import derive_dirty_days, discard_abandoned_views
from core.accounting.services.restatement_jobs import restatement_is_due, run_restatement
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope

log = structlog.get_logger()

LIMIT_S = 20.0
SWEEP_EXPIRES_S = 60  # by then another sweep has asked again
RESTATE_LIMIT_S = 24 * 3600
"""A day. A job that takes longer has failed, and its view is discarded."""


@shared_task(name="accounting.derive", acks_late=True, soft_time_limit=1800, time_limit=1860)
def derive(*, organization_id: int, **ignored: Any) -> dict[str, int]:
    """Work off the marks of one organization for a while; go on in another task when some are left."""
    with structlog.contextvars.bound_contextvars(organization=organization_id):
        result = derive_dirty_days(organization_id, limit_s=LIMIT_S)
        if result.left:
            derive.delay(organization_id=organization_id)
    return {"days": result.days, "rows": result.rows}


@shared_task(
    name="accounting.restate", acks_late=False, soft_time_limit=RESTATE_LIMIT_S, time_limit=RESTATE_LIMIT_S + 600
)
def restate(*, organization_id: int, **ignored: Any) -> None:
    """
    Do the restatement that somebody asked for, if there is one and no other runs.

    The request is a row that the sweep finds again, so its message is done with at once: the broker would else deliver it a
    second time while it runs.
    """
    with structlog.contextvars.bound_contextvars(organization=organization_id):
        run_restatement(organization_id)


@shared_task(name="accounting.sweep", acks_late=True, time_limit=300)
def sweep(**ignored: Any) -> dict[str, int]:
    """
    Wake derive for every organization with marks, and restatements, so that nothing waits for a message that was lost.

    Views whose builder was killed go first, else every day would be derived for them too, for good.
    """
    woken = 0
    for organization_id in Organization.objects.order_by("id").values_list("id", flat=True):
        discard_abandoned_views(organization_id)
        with organization_scope(organization_id), connection.cursor() as cursor:
            cursor.execute(
                "select exists(select from ledger_dirty_day where organization_id = %(organization)s)"
                " or exists(select from accounting_marketmark where organization_id = %(organization)s)",
                {"organization": organization_id},
            )
            (dirty,) = cursor.fetchone()
            asked = restatement_is_due(organization_id)
        if dirty:
            derive.apply_async(kwargs={"organization_id": organization_id}, expires=SWEEP_EXPIRES_S)
            woken += 1
        if asked:
            restate.apply_async(kwargs={"organization_id": organization_id}, expires=SWEEP_EXPIRES_S)
    return {"woken": woken}


def wake_after_commit(organization_id: int) -> None:
    """Ask for an organization's figures once the present transaction is committed; the sweep finds it where that is lost."""

    def wake() -> None:
        try:
            derive.apply_async(kwargs={"organization_id": organization_id}, retry=False)
        except (CeleryError, KombuError, RedisError, OSError) as error:
            log.warning("broker unreachable, the sweep will find it", error=type(error).__name__)

    transaction.on_commit(wake)
