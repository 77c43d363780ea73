"""Whoever sees one team only finds nothing of another at any address that they may read: figures, names, runs, records."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from core.organizations import services
from core.organizations.models import Organization, Person, Role, Scope
from core.organizations.policy import ALLOWED, ALLOWED_BY_SCOPE, ALLOWED_TO_A_PART
from tests.askers import Asker
from tests.deliver import deliver, metered
from tests.test_every_address import WHO, path_of

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

THEIRS = "zebra"
PERIOD = {"period": "2026-Q3"}
READ = sorted(
    name for name, address in WHO.items() if any(c.method == "GET" and c.rights and not c.public for c in address.calls)
)


@pytest.fixture
def two_teams(organization: Organization) -> None:
    services.create_team(organization_id=organization.id, name=f"{THEIRS}-team")
    own = {"team": "search", "project": "rag", "application": "finder", "run": "run-1", "environment": "prod"}
    deliver(
        organization,
        [
            metered("one", 100.0, **own),
            metered(
                "two", 7000.0, **{name: f"{THEIRS}-{name}" for name in (*own, "task", "account", "site", "request")}
            ),
        ],
    )


@pytest.fixture
def askers(organization: Organization, two_teams: None) -> list[Asker]:
    """A member of team search, and a token of every scope that is narrowed to it."""
    member = Person.objects.create_user("member@example.org")
    own = services.create_team(organization_id=organization.id, name="search")
    services.add_member(organization_id=organization.id, person=member, role=Role.MEMBER, team=own)
    client = Client()
    client.force_login(member)
    token, secret = services.issue_token(
        organization_id=organization.id, name="part", scopes=list(Scope), team="search"
    )
    every = frozenset().union(*ALLOWED_BY_SCOPE.values()) & ALLOWED_TO_A_PART
    return [
        Asker(organization, "member", ALLOWED[Role.MEMBER], client, person=member),
        Asker(organization, "token", every, Client(), token_id=token.id, secret=secret),
    ]


def read(asker: Asker, path: str, **query: str) -> Any:
    return asker.client.get(path, query_params=query, headers=asker.headers)


def text_of(answer: Any) -> str:
    body: bytes = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode("utf-8", "replace")


def test_what_is_hidden_is_there_for_who_sees_everything(organization: Organization, two_teams: None) -> None:
    owner = Person.objects.create_user("owner@example.org")
    services.add_member(organization_id=organization.id, person=owner, role=Role.OWNER)
    client = Client()
    client.force_login(owner)

    for path in ("/teams/", "/runs/", "/requests/", "/settings/", "/"):
        assert THEIRS in text_of(client.get(path, query_params=PERIOD)), path


def test_nothing_of_another_team_is_read_anywhere(askers: list[Asker]) -> None:
    found, answered = {}, 0
    for asker in askers:
        for name in READ:
            for query in ({}, PERIOD, PERIOD | {"by": "team"}, PERIOD | {"by": "application,run"}):
                answer = read(asker, path_of(name, asker), **query)
                answered += answer.status_code == 200
                if THEIRS in text_of(answer).lower():
                    found[asker.name, name] = answer.status_code

    assert found == {}
    assert answered > 150
