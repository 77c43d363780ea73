"""Writes about organizations: each opens its transaction, writes, and leaves an audit event in it."""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from core.locks import AUDIT_LOCK
from core.organizations import selectors
from core.organizations.identity import Actor, Identity, current_actor
from core.organizations.models import (
    ApiToken,
    AuditEvent,
    Membership,
    Organization,
    Person,
    Project,
    Role,
    Scope,
    Team,
)
from core.organizations.policy import may_grant
from core.organizations.selectors import CONSOLIDATION, consolidation_of
from core.organizations.tenancy import organization_scope
from core.quantification.scope import CONSOLIDATIONS

LAST_USED_RESOLUTION = timedelta(minutes=1)
TOKEN = re.compile(r"wl_([0-9]{1,10})_([A-Za-z0-9_-]{43})")


class OrganizationError(Exception):
    """A write that cannot be done; the message says why and what to do."""


def record_event(
    *,
    organization_id: int,
    action: str,
    object_type: str,
    object_id: object = "",
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
    reason: str = "",
    actor: Actor | None = None,
) -> AuditEvent:
    """
    Append to the organization's audit log, in the transaction of the write it tells about.

    Events of one organization are put in order by a lock that is held until that transaction ends: call it last.
    """
    actor = actor or current_actor()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s, %s)", [AUDIT_LOCK, organization_id])
        latest = AuditEvent.objects.filter(organization_id=organization_id).order_by("-sequence").first()
        event = AuditEvent(
            organization_id=organization_id,
            sequence=latest.sequence + 1 if latest else 1,
            occurred_at=datetime.now(UTC),
            actor_kind=actor.kind,
            actor_id=actor.id,
            actor_name=actor.name,
            action=action,
            object_type=object_type,
            object_id=str(object_id),
            before=before,
            after=after,
            reason=reason,
            request_id=actor.request_id,
            address=actor.address,
            previous_hash=latest.hash if latest else selectors.FIRST_HASH,
        )
        event.hash = selectors.event_hash(event)
        event.save(force_insert=True)
    return event


def create_organization(*, slug: str, name: str, country: str = "", demo: bool = False, **fields: Any) -> Organization:
    """Enter an organization into the registry. Raises OrganizationError when the slug is taken or malformed."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", slug):
        raise OrganizationError(f"{slug!r} is no slug: use lower-case letters, digits and hyphens.")
    with transaction.atomic():
        organization, created = Organization.objects.get_or_create(
            slug=slug, defaults={"name": name, "country": country, "demo": demo, **fields}
        )
        if not created:
            raise OrganizationError(f"An organization {slug!r} exists already.")
        with organization_scope(organization.id):
            record_event(
                organization_id=organization.id,
                action="create_organization",
                object_type="organization",
                object_id=slug,
                after={"name": name, "country": country},
            )
    return organization


def create_team(*, organization_id: int, name: str, head_count: int | None = None) -> Team:
    """Make a team. Raises OrganizationError when one of that name exists."""
    with organization_scope(organization_id):
        team, created = Team.objects.get_or_create(
            organization_id=organization_id, name=name, defaults={"head_count": head_count}
        )
        if not created:
            raise OrganizationError(f"A team {name!r} exists already.")
        record_event(
            organization_id=organization_id,
            action="create_team",
            object_type="team",
            object_id=team.id,
            after={"name": name, "head_count": head_count},
        )
    return team


def set_head_count(*, organization_id: int, name: str, head_count: int | None) -> Team:
    """Enter how many people are in a team, which is made when there is none of that name."""
    with organization_scope(organization_id):
        team = Team.objects.select_for_update().filter(organization_id=organization_id, name=name).first()
        if team is None:
            return create_team(organization_id=organization_id, name=name, head_count=head_count)
        before = team.head_count
        team.head_count = head_count
        team.save(update_fields=["head_count"])
        record_event(
            organization_id=organization_id,
            action="set_head_count",
            object_type="team",
            object_id=team.id,
            before={"head_count": before},
            after={"head_count": head_count},
        )
    return team


ORGANIZATION_FIELDS = ("name", "country", "fiscal_year_start_month", "minimum_group_size")


def update_organization(*, organization_id: int, **changes: Any) -> Organization:
    """Change what an organization says of itself: the fields of ``ORGANIZATION_FIELDS``."""
    unknown = sorted(set(changes) - set(ORGANIZATION_FIELDS))
    if unknown:
        raise OrganizationError(f"{', '.join(unknown)} cannot be changed here.")
    with organization_scope(organization_id):
        organization = Organization.objects.select_for_update().get(id=organization_id)
        before = {name: getattr(organization, name) for name in changes}
        for name, value in changes.items():
            setattr(organization, name, value)
        organization.save(update_fields=list(changes))
        record_event(
            organization_id=organization_id,
            action="update_organization",
            object_type="organization",
            object_id=organization.slug,
            before=before,
            after=changes,
        )
    return organization


def set_consolidation(*, organization_id: int, approach: str) -> Organization:
    """
    Choose how the organization draws its boundary: figures of sites that it does not control are booked elsewhere.

    Raises OrganizationError when there is no such approach.
    """
    if approach not in CONSOLIDATIONS:
        raise OrganizationError(f"{approach!r} is no approach: use one of {', '.join(CONSOLIDATIONS)}.")
    with organization_scope(organization_id):
        organization = Organization.objects.select_for_update().get(id=organization_id)
        before = consolidation_of(organization)
        organization.settings = {**organization.settings, CONSOLIDATION: approach}
        organization.save(update_fields=["settings"])
        record_event(
            organization_id=organization_id,
            action="set_consolidation",
            object_type="organization",
            object_id=organization.slug,
            before={CONSOLIDATION: before},
            after={CONSOLIDATION: approach},
        )
    return organization


def dismiss_next_steps(*, organization_id: int) -> None:
    """Take the list of what is worth doing next off the overview, for everybody."""
    with organization_scope(organization_id):
        organization = Organization.objects.select_for_update().get(id=organization_id)
        organization.settings = {**organization.settings, selectors.NEXT_STEPS_DISMISSED: True}
        organization.save(update_fields=["settings"])
        record_event(
            organization_id=organization_id,
            action="dismiss_next_steps",
            object_type="organization",
            object_id=organization.slug,
        )


def declare_single_reviewer(*, organization_id: int, declared: bool = True) -> None:
    """
    Declare that one person prepares and approves, which every export then says (disclosures, section 7), or end that.

    Raises OrganizationError where a second person may approve.
    """
    with organization_scope(organization_id):
        organization = Organization.objects.select_for_update().get(id=organization_id)
        if declared and selectors.may_approve(organization_id).count() > 1:
            raise OrganizationError("More than one person here may approve: one prepares, another approves.")
        before, organization.single_reviewer = organization.single_reviewer, declared
        organization.save(update_fields=["single_reviewer"])
        record_event(
            organization_id=organization_id,
            action="declare_single_reviewer" if declared else "end_single_reviewer",
            object_type="organization",
            object_id=organization.slug,
            before={"single_reviewer": before},
            after={"single_reviewer": declared},
        )


def team_named(organization_id: int, name: str) -> Team:
    """Find a team. Raises OrganizationError when there is none of that name."""
    with organization_scope(organization_id):
        team = Team.objects.filter(organization_id=organization_id, name=name).first()
    if team is None:
        raise OrganizationError(f"There is no team {name!r}.")
    return team


def create_project(*, organization_id: int, name: str, team: Team | None = None) -> Project:
    """Make a project, of a team or of none. Raises OrganizationError when one of that name exists."""
    with organization_scope(organization_id):
        project, created = Project.objects.get_or_create(
            organization_id=organization_id, name=name, defaults={"team": team}
        )
        if not created:
            raise OrganizationError(f"A project {name!r} exists already.")
        record_event(
            organization_id=organization_id,
            action="create_project",
            object_type="project",
            object_id=project.id,
            after={"name": name, "team": team.name if team else None},
        )
    return project


def add_member(
    *, organization_id: int, person: Person, role: str, team: Team | None = None, granted_by: Identity | None = None
) -> Membership:
    """
    Give a person a role. A second one who may approve ends the declaration that only one reviews.

    Raises OrganizationError when they have one already, the role is unknown, or allows more than who grants it may do
    (``granted_by`` None: a command of the operator).
    """
    if role not in Role.values:
        raise OrganizationError(f"{role!r} is no role: use one of {', '.join(Role.values)}.")
    if granted_by is not None and not may_grant(granted_by, role):
        raise OrganizationError(f"The role {Role(role).label} allows more than you may do: ask an owner to give it.")
    with organization_scope(organization_id):
        membership, created = Membership.objects.get_or_create(
            organization_id=organization_id, person=person, defaults={"role": role, "team": team}
        )
        if not created:
            raise OrganizationError(f"{person} is a member already.")
        record_event(
            organization_id=organization_id,
            action="add_member",
            object_type="membership",
            object_id=membership.id,
            after={"person": person.id, "role": role, "team": team.name if team else None},
        )
        declared = Organization.objects.only("single_reviewer").get(id=organization_id).single_reviewer
        if declared and selectors.may_approve(organization_id).count() > 1:
            declare_single_reviewer(organization_id=organization_id, declared=False)
    return membership


def invite_person(
    *,
    organization_id: int,
    email: str,
    role: str,
    name: str = "",
    team: Team | None = None,
    granted_by: Identity | None = None,
) -> tuple[Person, str]:
    """
    Give a role to the person with an e-mail, who is made when unknown.

    Returns the person and a first password to hand over, "" for a person who has one already. Raises OrganizationError
    as `add_member` does.
    """
    password = ""
    with transaction.atomic():
        person = Person.objects.filter(email__iexact=email).first()
        if person is None:
            password = secrets.token_urlsafe(12)
            person = Person.objects.create_user(email, password, name=name)
        add_member(organization_id=organization_id, person=person, role=role, team=team, granted_by=granted_by)
    return person, password


def issue_token(
    *,
    organization_id: int,
    name: str,
    scopes: list[str],
    team: str = "",
    team_only: bool = False,
    project: str = "",
    stage: str = "",
    source: str = "",
    source_id: int | None = None,
    expires_at: datetime | None = None,
    created_by: Person | None = None,
) -> tuple[ApiToken, str]:
    """
    Make a token and return it with its secret, which is stored only as a hash and cannot be shown again.

    Args:
        organization_id, name, scopes, expires_at, created_by: of the token.
        team, project, stage: what records without attribution of their own take; a reading token sees no other team.
        team_only: what it sends is of that team: a record that names another is refused, and it writes as sources of the
            team's own.
        source: name of the connection that it writes as, one in each format that it sends.
        source_id: the one connection that it writes as; sent in another format, it is refused.

    Raises OrganizationError.
    """
    unknown = sorted(set(scopes) - set(Scope.values))
    if unknown or not scopes:
        raise OrganizationError(f"A token needs scopes out of {', '.join(Scope.values)}.")
    if source_id is not None and set(scopes) != {Scope.INGEST}:
        raise OrganizationError("A token for one source only sends: give it the scope ingest alone.")
    if team_only and (not team or set(scopes) != {Scope.INGEST}):
        raise OrganizationError(
            "A token for one team alone only sends: name the team, and give it the scope ingest alone."
        )
    if team_only and source_id is not None:
        raise OrganizationError(
            "A token for one team alone writes as sources of that team's own: leave out the source, which others may share."
        )
    if expires_at is not None and expires_at <= datetime.now(UTC):
        raise OrganizationError("The token would have expired already: choose a later time.")
    secret = f"wl_{organization_id}_{secrets.token_urlsafe(32)}"
    with organization_scope(organization_id):
        token = ApiToken.objects.create(
            organization_id=organization_id,
            name=name,
            prefix=secret[: len(f"wl_{organization_id}_") + 4],
            secret_hash=hashlib.sha256(secret.encode()).digest(),
            scopes=sorted(set(scopes)),
            team=team,
            team_only=team_only,
            project=project,
            stage=stage,
            source=source,
            source_id=source_id,
            expires_at=expires_at,
            created_by=created_by,
        )
        record_event(
            organization_id=organization_id,
            action="issue_token",
            object_type="token",
            object_id=token.id,
            after={
                "name": name,
                "prefix": token.prefix,
                "scopes": token.scopes,
                "team": team,
                **({"team_only": True} if team_only else {}),
                "project": project,
                "stage": stage,
                "source": source,
                **({"source_id": source_id} if source_id is not None else {}),
                "expires_at": expires_at.astimezone(UTC).isoformat() if expires_at else None,
            },
        )
    return token, secret


def revoke_token(*, organization_id: int, token_id: int) -> None:
    """Make a token worthless at once. Raises OrganizationError when there is no live token of that id."""
    with organization_scope(organization_id):
        now = datetime.now(UTC)
        changed = ApiToken.objects.filter(organization_id=organization_id, id=token_id, revoked_at__isnull=True).update(
            revoked_at=now
        )
        if not changed:
            raise OrganizationError("There is no live token of that id.")
        record_event(organization_id=organization_id, action="revoke_token", object_type="token", object_id=token_id)


def organization_of_secret(secret: str) -> int | None:
    """Read the organization out of a token's text; whether the token is good only its hash can tell."""
    match = TOKEN.fullmatch(secret)
    if match is None or int(match[1]) > 2**31 - 1:
        return None
    return int(match[1])


def authenticate_token(secret: str, *, request_id: str = "", address: str = "") -> Identity | None:
    """
    Tell whose token this is, or None for a stranger. Notes its use, to the minute.

    Opens the organization's scope for itself; a door that goes on to write opens its own.
    """
    organization_id = organization_of_secret(secret)
    if organization_id is None:
        return None
    now = datetime.now(UTC)
    token = selectors.live_token(organization_id, secret, now)
    if token is None:
        return None
    if token.last_used_at is None or token.last_used_at < now - LAST_USED_RESOLUTION:
        with organization_scope(organization_id):
            ApiToken.objects.filter(organization_id=organization_id, id=token.id).update(last_used_at=now)
    return Identity(
        organization_id=organization_id,
        actor=Actor("token", str(token.id), token.name, request_id, address),
        scopes=frozenset(token.scopes),
        token_id=token.id,
        team=token.team,
        team_only=token.team_only,
        project=token.project,
        stage=token.stage,
        source=token.source,
        source_id=token.source_id,
    )
