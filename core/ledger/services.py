"""Writes of the ledger: sources, the writer, and the upkeep of its monthly partitions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from core.ledger import partitions
from core.ledger.models import Source
from core.ledger.signals import mark_signals
from core.ledger.writer import BatchResult, Writer, WriteResult
from core.organizations.retention import Retention, longest
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.signals import COUNT

__all__ = [
    "BatchResult",
    "WriteResult",
    "Writer",
    "create_source",
    "drop_expired_text",
    "ensure_months_ahead",
    "ensure_source",
    "update_source",
]

MONTHS_AHEAD = 3


class SourceError(Exception):
    """A change of a source that cannot be made; the message says why."""


def ensure_source(organization_id: int, kind: str, name: str | None = None) -> Source:
    """Give the connection of this kind and name (default: named as its kind), making it on first use."""
    with organization_scope(organization_id):
        source, created = Source.objects.get_or_create(organization_id=organization_id, kind=kind, name=name or kind)
        if created:
            record_event(
                organization_id=organization_id,
                action="create_source",
                object_type="source",
                object_id=source.id,
                after={"kind": source.kind, "name": source.name},
            )
    return source


def create_source(*, organization_id: int, kind: str, name: str, settings: dict[str, Any]) -> Source:
    """
    Make a connection before anything has arrived over it.

    Raises:
        SourceError: one of this kind has that name.
    """
    with organization_scope(organization_id):
        source, created = Source.objects.get_or_create(
            organization_id=organization_id, kind=kind, name=name, defaults={"settings": settings}
        )
        if not created:
            raise SourceError(f"Another source of kind {kind} is named {name!r} already.")
        record_event(
            organization_id=organization_id,
            action="create_source",
            object_type="source",
            object_id=source.id,
            after={"kind": kind, "name": name, "settings": settings},
        )
    return source


def update_source(
    *,
    organization_id: int,
    source_id: int,
    name: str | None = None,
    settings: dict[str, Any] | None = None,
    paused: bool | None = None,
    reason: str = "",
) -> Source:
    """
    Change a connection; what is not given stays. Records keep what they were read with; which signal counts (`count`) is
    decided anew for the past as well.

    Raises:
        SourceError: there is no such source, or another of its kind has that name.
    """
    changes = {"name": name, "settings": settings, "paused": paused}
    changes = {field: value for field, value in changes.items() if value is not None}
    with organization_scope(organization_id):
        source = Source.objects.select_for_update().filter(organization_id=organization_id, id=source_id).first()
        if source is None:
            raise SourceError("There is no source of that id.")
        others = Source.objects.filter(organization_id=organization_id, kind=source.kind).exclude(id=source_id)
        if name is not None and others.filter(name=name).exists():
            raise SourceError(f"Another source of kind {source.kind} is named {name!r} already.")
        before = {field: getattr(source, field) for field in changes}
        if settings is not None and settings.get(COUNT) != source.settings.get(COUNT):
            mark_signals(organization_id, source_id)
        for field, value in changes.items():
            setattr(source, field, value)
        source.save(update_fields=list(changes))
        record_event(
            organization_id=organization_id,
            action="update_source",
            object_type="source",
            object_id=source_id,
            before=before,
            after=changes,
            reason=reason,
        )
    return source


def ensure_months_ahead(today: date) -> None:
    """Make the partitions of this month and the next ``MONTHS_AHEAD``, so that no writer has to."""
    months = [partitions.month_of(today)]
    for _ in range(MONTHS_AHEAD):
        months.append(partitions.next_month(months[-1]))
    partitions.ensure_months(months, oldest_text=months[0])


def drop_expired_text(now: datetime, of: Mapping[int, Retention]) -> tuple[list[str], int]:
    """
    Drop the ids as text that nobody keeps any more: whole months first, then the days of those who keep less.

    Args:
        now: UTC.
        of: how long each organization keeps them.

    Returns the names of the partitions dropped, and the number of records whose text was deleted in others.
    """
    longest_days = longest(dict(of)).ids_days
    dropped = partitions.drop_text_before(partitions.oldest_text_month(now, longest_days))
    forgotten = 0
    for organization_id, retention in of.items():
        if retention.ids_days < longest_days:
            with organization_scope(organization_id):
                forgotten += partitions.forget_text_before(retention.ids_before(now))
    return dropped, forgotten
