"""create_organization, create_person and create_token, as an operator types them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from core.organizations import selectors, services
from core.organizations.models import ApiToken, AuditEvent, Person
from core.organizations.tenancy import organization_scope

pytestmark = pytest.mark.django_db


def run(capsys, *words, **options):
    call_command(*words, **options)
    return capsys.readouterr().out.splitlines()


def test_an_organization_is_created_once(capsys):
    lines = run(capsys, "create_organization", "acme", "--name", "Acme", "--country", "DE")

    created = selectors.organization_by_slug("acme")
    assert lines == ["Organization acme created."]
    assert (created.name, created.country) == ("Acme", "DE")
    with organization_scope(created.id):
        event = AuditEvent.objects.get()
    assert (event.actor_kind, event.action, event.object_id) == ("system", "create_organization", "acme")
    with pytest.raises(CommandError, match="exists already"):
        call_command("create_organization", "acme", "--name", "Acme")


def test_a_token_is_the_last_line_and_works(capsys, organization, time_machine):
    time_machine.move_to(datetime(2026, 11, 25, tzinfo=UTC), tick=False)

    lines = run(
        capsys, "create_token", "--organization", "northwind", "--name", "cluster", "--scope", "ingest, read",
        "--team", "search", "--project", "ranker", "--stage", "training", "--expires", "2027-01-31",
    )  # fmt: skip

    identity = services.authenticate_token(lines[-1])
    assert identity is not None
    assert (identity.organization_id, identity.scopes) == (organization.id, {"ingest", "read"})
    assert (identity.team, identity.project, identity.stage) == ("search", "ranker", "training")
    with organization_scope(organization.id):
        assert ApiToken.objects.get().expires_at == datetime(2027, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)


def test_a_token_for_a_team_that_does_not_exist_is_issued_with_a_warning(capsys, organization):
    services.create_team(organization_id=organization.id, name="search")
    words = ["create_token", "--organization", "northwind", "--name", "x", "--scope", "ingest", "--team"]

    call_command(*words, "search")
    known = capsys.readouterr()
    call_command(*words, "serach")
    unknown = capsys.readouterr()

    assert known.err == ""
    assert "has no team 'serach'" in unknown.err
    assert services.authenticate_token(unknown.out.splitlines()[-1])


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"organization": "nobody"}, "no organization 'nobody'"),
        ({"scope": "everything"}, "needs scopes out of ingest, read, admin"),
        ({"scope": " , "}, "needs scopes"),
        ({"expires": "2020-01-01"}, "expired already"),
        ({"expires": "tomorrow"}, "neither a date nor a time with its offset"),
        ({"expires": "2027-01-31T12:00:00"}, "neither a date nor a time with its offset"),
        ({"expires": "2027-02-31"}, "--expires '2027-02-31'"),
    ],
)
def test_a_token_that_cannot_be_issued_says_why(organization, options, complaint):
    asked = {"organization": "northwind", "name": "x", "scope": "read"} | options

    with pytest.raises(CommandError, match=complaint):
        call_command("create_token", **asked)


def test_a_new_person_gets_a_first_password_and_a_known_one_keeps_theirs(capsys, organization, other_organization):
    first = run(capsys, "create_person", "northwind", "Grace@Example.org", "--role", "team_lead")
    second = run(capsys, "create_person", "contoso", "grace@example.org", "--role", "auditor")

    password = first[-1].removeprefix("First password, not shown again: ")
    assert first[0] == "Grace@Example.org is team lead of Northwind AI."
    assert Person.objects.get(email="grace@example.org").check_password(password)
    assert second == ["grace@example.org is auditor of Contoso Models."]
    with pytest.raises(CommandError, match="member already"):
        call_command("create_person", "contoso", "grace@example.org", "--role", "owner")
    with pytest.raises(CommandError, match="no team 'search'"):
        call_command("create_person", "contoso", "ben@example.org", "--role", "member", "--team", "search")
