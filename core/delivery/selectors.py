"""Reads of destinations and of the log, inside `organization_scope`."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Prefetch, QuerySet

from core.delivery.models import Attempt, Delivery, DeliveryState, Destination, Message
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope


def destinations(organization_id: int) -> QuerySet[Destination]:
    """List the destinations that were not removed, by name."""
    return Destination.objects.filter(organization_id=organization_id, removed_at__isnull=True).order_by("name", "id")


def latest_deliveries(
    organization_id: int, *, destination_id: int | None = None, before: int | None = None, limit: int = 50
) -> list[Delivery]:
    """List deliveries with their attempts, the latest first; before: only those of lower ids."""
    rows = Delivery.objects.filter(organization_id=organization_id)
    if destination_id is not None:
        rows = rows.filter(destination_id=destination_id)
    if before is not None:
        rows = rows.filter(id__lt=before)
    attempts = Prefetch("attempts", Attempt.objects.filter(organization_id=organization_id).order_by("number"))
    return list(rows.select_related("message", "destination").prefetch_related(attempts).order_by("-id")[:limit])


def messages_of(organization_id: int, keys: list[str]) -> dict[str, Message]:
    """Find the messages of some keys."""
    return {row.key: row for row in Message.objects.filter(organization_id=organization_id, key__in=keys)}


def organizations_with_due_deliveries(now: datetime) -> list[int]:
    """List the organizations of which something is to be sent."""
    found = []
    for organization_id in Organization.objects.order_by("id").values_list("id", flat=True):
        with organization_scope(organization_id):
            due = Delivery.objects.filter(
                organization_id=organization_id,
                state=DeliveryState.WAITING,
                next_at__lte=now,
                destination__paused_at__isnull=True,
            )
            if due.exists():
                found.append(organization_id)
    return found
