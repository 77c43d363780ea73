"""Reads about organizations, people, tokens and the audit log."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, NamedTuple

from django.db.models import Q, QuerySet

from core.organizations.models import ApiToken, AuditEvent, Membership, Organization, Role, Team
from core.organizations.policy import ALLOWED, Action
from core.organizations.tenancy import organization_scope, scoped_rows
from core.quantification.scope import CONSOLIDATIONS

FIRST_HASH = "0" * 64

NEXT_STEPS_DISMISSED = "next_steps_dismissed"
"""Key of an organization's settings: nobody wants to be told any more what is worth doing next."""


def organization_by_slug(slug: str) -> Organization | None:
    """Find an organization in the registry."""
    return Organization.objects.filter(slug=slug).first()


def organization_by_id(organization_id: int) -> Organization:
    """Find the organization that an identity belongs to."""
    return Organization.objects.get(id=organization_id)


CONSOLIDATION = "consolidation"


def consolidation_of(organization: Organization) -> str:
    """Tell how an organization draws its boundary; operational control unless it has said otherwise."""
    return str(organization.settings.get(CONSOLIDATION, CONSOLIDATIONS[0]))


def memberships_of(person_id: int, today: date) -> QuerySet[Membership]:
    """
    List a person's memberships that have not ended, the oldest first.

    Needs ``person_scope`` (all organizations) or ``organization_scope`` (one).
    """
    return (
        Membership.objects.filter(person_id=person_id)
        .filter(Q(ends_on__isnull=True) | Q(ends_on__gte=today))
        .select_related("organization")
        .order_by("id")
    )


def team_name(membership: Membership) -> str:
    """Name the team of a membership, "" for none. Teams are seen inside their organization only, so it is read there."""
    if membership.team_id is None:
        return ""
    with organization_scope(membership.organization_id):
        return Team.objects.values_list("name", flat=True).get(id=membership.team_id)


def tokens(organization_id: int) -> QuerySet[ApiToken]:
    """List an organization's tokens, the newest first, revoked ones included."""
    return ApiToken.objects.filter(organization_id=organization_id).select_related("created_by").order_by("-id")


def teams(organization_id: int, only: str | None = None) -> QuerySet[Team]:
    """List an organization's teams by name; ``only``: the one that is all that the asker sees."""
    found = Team.objects.filter(organization_id=organization_id).order_by("name")
    return found if only is None else found.filter(name=only)


def team_names(organization_id: int) -> list[str]:
    """List the names of an organization's teams, for forms to suggest."""
    return list(teams(organization_id).values_list("name", flat=True))


def members(organization_id: int) -> QuerySet[Membership]:
    """List an organization's memberships by e-mail, ended ones included."""
    return (
        Membership.objects.filter(organization_id=organization_id)
        .select_related("person", "team")
        .order_by("person__email")
    )


def may_approve(organization_id: int) -> QuerySet[Membership]:
    """List the memberships of today whose role approves periods."""
    roles = [role for role in Role.values if Action.APPROVE_PERIOD in ALLOWED[role]]
    current = Q(ends_on=None) | Q(ends_on__gte=datetime.now(UTC).date())
    return members(organization_id).filter(current, role__in=roles, person__is_active=True)


class LiveToken(NamedTuple):
    """A token that may be used just now, as a door needs it."""

    id: int
    name: str
    scopes: list[str]
    team: str
    team_only: bool
    project: str
    stage: str
    source: str
    source_id: int | None
    last_used_at: datetime | None


def live_token(organization_id: int, secret: str, now: datetime) -> LiveToken | None:
    """Find a token by its secret, neither revoked nor expired; opens the organization's scope for itself."""
    rows = scoped_rows(
        organization_id,
        "select id, name, scopes, team, team_only, project, stage, source, source_id, last_used_at"
        " from organizations_apitoken"
        " where organization_id = %(organization)s and secret_hash = %(hash)s and revoked_at is null"
        " and (expires_at is null or expires_at > %(now)s)",
        {"organization": organization_id, "hash": hashlib.sha256(secret.encode()).digest(), "now": now},
    )
    return LiveToken(*rows[0]) if rows else None


def event_hash(event: AuditEvent) -> str:
    """
    Compute the hash of an audit event over everything it says and the hash of the event before it.

    sha256 of canonical JSON (sorted keys, no spaces, UTF-8, RFC 3339 times in UTC); hex.
    """
    content: dict[str, Any] = {
        "organization": event.organization_id,
        "sequence": event.sequence,
        "occurred_at": event.occurred_at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": [event.actor_kind, event.actor_id, event.actor_name],
        "action": event.action,
        "object": [event.object_type, event.object_id],
        "before": event.before,
        "after": event.after,
        "reason": event.reason,
        "request": [event.request_id, event.address],
        "previous": event.previous_hash,
    }
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def audit_events(organization_id: int, *, before: int | None = None, limit: int = 100) -> QuerySet[AuditEvent]:
    """List audit events, the newest first, older than the one numbered `before`."""
    events = AuditEvent.objects.filter(organization_id=organization_id).order_by("-sequence")
    return (events if before is None else events.filter(sequence__lt=before))[:limit]


@dataclass(frozen=True)
class ChainFault:
    """The first place where an organization's audit log does not follow from what stands before it."""

    sequence: int
    reason: str


def verify_audit_chain(organization_id: int) -> ChainFault | None:
    """Walk the audit log from its start; None when every event follows from the last."""
    previous, expected = FIRST_HASH, 1
    events: Iterator[AuditEvent] = (
        AuditEvent.objects.filter(organization_id=organization_id).order_by("sequence").iterator(2000)
    )
    for event in events:
        if event.sequence != expected:
            return ChainFault(event.sequence, f"event {expected} is missing")
        if event.previous_hash != previous:
            return ChainFault(event.sequence, "does not follow from the event before it")
        if event.hash != event_hash(event):
            return ChainFault(event.sequence, "says something else than when it was written")
        previous, expected = event.hash, expected + 1
    return None
