"""The table of interface.md section 2, written out again by hand."""

import pytest

from core.organizations.identity import Actor, Identity
from core.organizations.models import Role, Scope
from core.organizations.policy import (
    ALLOWED,
    ALLOWED_BY_SCOPE,
    Action,
    may,
    may_grant,
    narrowing,
    only_own_requests,
    only_own_team,
    roles_that_may,
)

OWNER, ADMIN, LEAD = Role.OWNER, Role.ADMIN, Role.SUSTAINABILITY_LEAD
TEAM_LEAD, PROCUREMENT, MEMBER, AUDITOR = Role.TEAM_LEAD, Role.PROCUREMENT, Role.MEMBER, Role.AUDITOR


def person(role, team=""):
    return Identity(organization_id=1, actor=Actor("person", "1"), role=role, person_id=1, team=team)


def token(*scopes, **limits):
    return Identity(organization_id=1, actor=Actor("token", "1"), scopes=frozenset(scopes), token_id=1, **limits)


BY_HAND = [
    (Action.SEE_OWN_TEAM, {OWNER, ADMIN, LEAD, TEAM_LEAD, PROCUREMENT, MEMBER, AUDITOR}),
    (Action.SEE_ALL_TEAMS, {OWNER, ADMIN, LEAD, TEAM_LEAD, PROCUREMENT, AUDITOR}),
    (Action.EDIT_TARGETS, {OWNER, ADMIN, LEAD}),
    (Action.EDIT_TEAM_TARGETS, {OWNER, ADMIN, LEAD, TEAM_LEAD}),
    (Action.APPROVE_TARGETS, {OWNER, ADMIN, LEAD}),
    (Action.EDIT_DENOMINATORS, {OWNER, ADMIN, LEAD}),
    (Action.SHARE_FILTERS, {OWNER, ADMIN, LEAD}),
    (Action.EDIT_PROVIDERS, {OWNER, ADMIN, LEAD, PROCUREMENT}),
    (Action.EDIT_SCENARIOS, {OWNER, ADMIN, LEAD, PROCUREMENT}),
    (Action.MANAGE_FACTORS, {OWNER, LEAD}),
    (Action.MANAGE_INSTRUMENTS, {OWNER, ADMIN, LEAD}),
    (Action.MANAGE_SOURCES, {OWNER, ADMIN, LEAD}),
    (Action.APPROVE_PERIOD, {OWNER, LEAD}),
    (Action.SEE_AUDIT_LOG, {OWNER, ADMIN, LEAD, AUDITOR}),
    (Action.MANAGE_PEOPLE, {OWNER, ADMIN}),
    (Action.MANAGE_DESTINATIONS, {OWNER, ADMIN}),
    (Action.MANAGE_TOKENS, {OWNER, ADMIN}),
    (Action.ISSUE_INGEST_TOKEN, {OWNER, ADMIN, TEAM_LEAD, MEMBER}),
    (Action.SEE_REQUESTS, {OWNER, ADMIN, LEAD, TEAM_LEAD, AUDITOR}),
    (Action.SEE_PROVIDERS, {OWNER, ADMIN, LEAD, TEAM_LEAD, PROCUREMENT, MEMBER, AUDITOR}),
    (Action.SEE_SOURCES, {OWNER, ADMIN, LEAD, TEAM_LEAD, AUDITOR}),
    (Action.PREPARE_PERIOD, {OWNER, LEAD}),
    (Action.SEE_PERIODS, {OWNER, ADMIN, LEAD, AUDITOR}),
    (Action.INGEST, set()),  # people import files by the right to manage sources; doors are for tokens
]


def test_the_table_names_every_right():
    assert {action for action, _ in BY_HAND} == set(Action)


@pytest.mark.parametrize(("action", "roles"), BY_HAND)
def test_each_action_is_allowed_to_its_roles_only(action, roles):
    allowed = {role for role in Role if may(person(role), action)}

    assert allowed == roles


def test_every_role_and_scope_has_an_entry():
    assert set(ALLOWED) == set(Role)
    assert set(ALLOWED_BY_SCOPE) == set(Scope)


def test_no_token_ever_approves_a_period():
    assert not may(token(Scope.INGEST, Scope.READ, Scope.ADMIN), Action.APPROVE_PERIOD)


def test_an_ingest_token_sees_nothing():
    identity = token(Scope.INGEST)

    assert [action for action in Action if may(identity, action)] == [Action.INGEST]


def test_a_stranger_may_nothing():
    assert not any(may(None, action) for action in Action)


@pytest.mark.parametrize(
    ("identity", "team"),
    [
        (person(OWNER, "search"), None),
        (person(MEMBER, "search"), "search"),
        (person(MEMBER), ""),
        (token(Scope.READ), None),
        (token(Scope.READ, team="search"), "search"),
    ],
)
def test_what_is_shown_is_narrowed_to_the_own_team(identity, team):
    assert only_own_team(identity) == team


@pytest.mark.parametrize(
    ("identity", "team"),
    [
        (person(OWNER, "search"), None),
        (person(AUDITOR), None),
        (person(TEAM_LEAD, "search"), "search"),
        (person(TEAM_LEAD), ""),
        (token(Scope.READ), None),
        (token(Scope.READ, team="search"), "search"),
    ],
)
def test_single_records_are_narrowed_to_a_team_lead_s_team(identity, team):
    assert only_own_requests(identity) == team


@pytest.mark.parametrize(
    ("identity", "dims"),
    [
        (person(OWNER, "search"), {}),
        (person(TEAM_LEAD, "search"), {"team": ("search",)}),
        (token(Scope.READ, team="search", project="rag"), {"team": ("search",), "project": ("rag",)}),
    ],
)
def test_records_are_narrowed_to_a_token_s_team_and_project(identity, dims):
    assert narrowing(identity, requests=True) == dims


@pytest.mark.parametrize(
    ("identity", "roles"),
    [
        (person(OWNER), set(Role)),
        (person(ADMIN), {ADMIN, TEAM_LEAD, PROCUREMENT, MEMBER, AUDITOR}),
        (person(LEAD), set()),
        (token(Scope.ADMIN), {ADMIN, TEAM_LEAD, PROCUREMENT, MEMBER, AUDITOR}),
        (token(Scope.READ), set()),
    ],
)
def test_nobody_grants_more_than_they_have(identity, roles):
    assert {role for role in Role if may_grant(identity, role)} == roles


def test_a_refusal_can_name_the_roles_that_may():
    assert roles_that_may(Action.MANAGE_PEOPLE) == ["Owner", "Admin"]
