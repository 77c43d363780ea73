"""Who may do what: the one table of interface.md section 2, read by pages, API and commands alike."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from core.organizations.identity import Identity
from core.organizations.models import Role, Scope


class Action(StrEnum):
    """Something that a role or a token's scope allows."""

    SEE_OWN_TEAM = "see_own_team"
    SEE_ALL_TEAMS = "see_all_teams"
    SEE_REQUESTS = "see_requests"
    EDIT_TARGETS = "edit_targets"
    EDIT_TEAM_TARGETS = "edit_team_targets"
    APPROVE_TARGETS = "approve_targets"
    EDIT_DENOMINATORS = "edit_denominators"
    SHARE_FILTERS = "share_filters"
    EDIT_PROVIDERS = "edit_providers"
    EDIT_SCENARIOS = "edit_scenarios"
    SEE_PROVIDERS = "see_providers"
    MANAGE_FACTORS = "manage_factors"
    MANAGE_INSTRUMENTS = "manage_instruments"
    SEE_SOURCES = "see_sources"
    MANAGE_SOURCES = "manage_sources"
    PREPARE_PERIOD = "prepare_period"
    APPROVE_PERIOD = "approve_period"
    SEE_PERIODS = "see_periods"
    SEE_AUDIT_LOG = "see_audit_log"
    MANAGE_PEOPLE = "manage_people"
    MANAGE_DESTINATIONS = "manage_destinations"
    MANAGE_TOKENS = "manage_tokens"
    ISSUE_INGEST_TOKEN = "issue_ingest_token"  # noqa: S105  (a right, no password)
    INGEST = "ingest"


_A = Action
_EVERY_FIGURE: Final = {_A.SEE_OWN_TEAM, _A.SEE_ALL_TEAMS, _A.SEE_REQUESTS, _A.SEE_PROVIDERS, _A.SEE_PERIODS}

ALLOWED: Final[dict[str, frozenset[Action]]] = {
    Role.OWNER: frozenset(Action) - {_A.INGEST},
    Role.ADMIN: frozenset(
        _EVERY_FIGURE
        | {_A.EDIT_TARGETS, _A.EDIT_PROVIDERS, _A.SEE_SOURCES, _A.MANAGE_SOURCES, _A.SEE_AUDIT_LOG, _A.MANAGE_PEOPLE}
        | {_A.MANAGE_TOKENS, _A.ISSUE_INGEST_TOKEN, _A.EDIT_DENOMINATORS, _A.MANAGE_INSTRUMENTS}
        | {_A.SHARE_FILTERS, _A.EDIT_SCENARIOS, _A.EDIT_TEAM_TARGETS, _A.APPROVE_TARGETS, _A.MANAGE_DESTINATIONS}
    ),
    Role.SUSTAINABILITY_LEAD: frozenset(
        _EVERY_FIGURE
        | {_A.EDIT_TARGETS, _A.EDIT_PROVIDERS, _A.MANAGE_FACTORS, _A.SEE_SOURCES, _A.MANAGE_SOURCES}
        | {_A.PREPARE_PERIOD, _A.APPROVE_PERIOD, _A.SEE_AUDIT_LOG, _A.EDIT_DENOMINATORS, _A.MANAGE_INSTRUMENTS}
        | {_A.SHARE_FILTERS, _A.EDIT_SCENARIOS, _A.EDIT_TEAM_TARGETS, _A.APPROVE_TARGETS}
    ),
    Role.TEAM_LEAD: frozenset(
        {_A.SEE_OWN_TEAM, _A.SEE_ALL_TEAMS, _A.SEE_REQUESTS, _A.SEE_PROVIDERS, _A.SEE_SOURCES, _A.ISSUE_INGEST_TOKEN}
        | {_A.EDIT_TEAM_TARGETS}
    ),
    Role.PROCUREMENT: frozenset(
        {_A.SEE_OWN_TEAM, _A.SEE_ALL_TEAMS, _A.SEE_PROVIDERS, _A.EDIT_PROVIDERS, _A.EDIT_SCENARIOS}
    ),
    Role.MEMBER: frozenset({_A.SEE_OWN_TEAM, _A.SEE_PROVIDERS, _A.ISSUE_INGEST_TOKEN}),
    Role.AUDITOR: frozenset(_EVERY_FIGURE | {_A.SEE_SOURCES, _A.SEE_AUDIT_LOG}),
}

ALLOWED_BY_SCOPE: Final[dict[str, frozenset[Action]]] = {
    Scope.INGEST: frozenset({_A.INGEST}),
    Scope.READ: frozenset({_A.SEE_OWN_TEAM, _A.SEE_ALL_TEAMS, _A.SEE_REQUESTS, _A.SEE_PROVIDERS, _A.SEE_PERIODS}),
    # Like role admin, by API; it never approves a period, nor a target, which takes a person.
    Scope.ADMIN: ALLOWED[Role.ADMIN] | {_A.INGEST},
}

ALLOWED_TO_A_PART: Final = frozenset({_A.SEE_OWN_TEAM, _A.SEE_REQUESTS, _A.SEE_PROVIDERS, _A.INGEST})
"""What is left of its scopes to a token that is narrowed to a team or project: all else is the whole organization's."""


def may(identity: Identity | None, action: Action) -> bool:
    """Tell whether a person's role, or any scope of a token, allows an action."""
    return identity is not None and action in rights(identity)


def rights(identity: Identity) -> frozenset[Action]:
    """List what a person's role, or the scopes of a token together, allow; of a narrowed token what a part may."""
    if identity.role:
        return ALLOWED[identity.role]
    scopes = frozenset().union(*(ALLOWED_BY_SCOPE[scope] for scope in identity.scopes))
    return scopes & ALLOWED_TO_A_PART if identity.team or identity.project else scopes


def may_grant(identity: Identity, role: str) -> bool:
    """Tell whether somebody may give a role to another: nobody gives away more than they have."""
    return may(identity, Action.MANAGE_PEOPLE) and ALLOWED[role] <= rights(identity)


def only_own_team(identity: Identity) -> str | None:
    """
    Name the team to which everything that is shown must be narrowed, or None when all teams may be seen.

    A member without a team sees the team named "" (nothing): never everything.
    """
    if not identity.role:
        return identity.team or None
    return None if may(identity, Action.SEE_ALL_TEAMS) else identity.team


def only_own_requests(identity: Identity) -> str | None:
    """
    Name the team to which single records are narrowed, or None when those of all teams may be seen.

    A team lead sees the totals of all teams, single requests of the own team only.
    """
    return identity.team if identity.role == Role.TEAM_LEAD else only_own_team(identity)


def narrowing(identity: Identity, *, requests: bool = False) -> dict[str, tuple[str, ...]]:
    """
    Tell what is chosen for the asker whatever they ask for: dimension -> the values they may see, empty for no limit.

    The own team of a member, the team and project that a token is narrowed to; with ``requests``: of single records.
    """
    dims: dict[str, tuple[str, ...]] = {}
    team = only_own_requests(identity) if requests else only_own_team(identity)
    if team is not None:
        dims["team"] = (team,)
    if identity.token_id is not None and identity.project:
        dims["project"] = (identity.project,)
    return dims


def narrowing_of_runs(identity: Identity) -> dict[str, tuple[str, ...]]:
    """
    Tell what is chosen for who asks for a run by its id, as `narrowing` does.

    A run is more than a total: who sees the totals of all teams, but no single requests, sees the runs of the own team.
    """
    if identity.role and not may(identity, Action.SEE_REQUESTS):
        return {"team": (identity.team,)}
    return narrowing(identity, requests=True)


def scopes_that_may(action: Action) -> list[str]:
    """Name the scopes of a token that allow an action."""
    return [str(scope) for scope in Scope if action in ALLOWED_BY_SCOPE[scope]]


def is_narrowed_away(identity: Identity, action: Action) -> bool:
    """Tell whether a token's scopes allow an action, and only its being narrowed to a team or project does not."""
    return not may(identity, action) and any(action in ALLOWED_BY_SCOPE[scope] for scope in identity.scopes)


def refusal(identity: Identity, action: Action) -> str:
    """Say to a program that may not do something who may, or that its token is narrowed too far for it."""
    if is_narrowed_away(identity, action):
        return "This token is narrowed to a team or project; what it asks for is the whole organization's."
    roles, scopes = ", ".join(roles_that_may(action)) or "no role", " or ".join(scopes_that_may(action))
    return f"This needs the right {action.value}: {roles}" + (
        f", or a token of scope {scopes}." if scopes else "; no token has it."
    )


def roles_that_may(action: Action) -> list[str]:
    """List the labels of the roles that allow an action, for the sentence of a refusal."""
    return [str(Role(role).label) for role, actions in ALLOWED.items() if action in actions]
