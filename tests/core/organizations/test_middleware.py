"""Who asks and for which organization, as settled before any view."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import RequestFactory

from core.organizations import services
from core.organizations.identity import SYSTEM, current_actor
from core.organizations.middleware import organization as organization_middleware
from core.organizations.middleware import own_identity, own_scope
from core.organizations.models import Membership, Role, Team
from core.organizations.tenancy import organization_scope

pytestmark = pytest.mark.django_db
SETTINGS = "/settings/"


def organization_in_force():
    """Ask the database whose rows it shows: the id as text, "" outside every scope."""
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(current_setting('wattledger.org', true), '')")
        return cursor.fetchone()[0]


@pytest.fixture
def twofold(client, organization, other_organization, person):
    """A client signed in as somebody who is the auditor of one organization and then the owner of another."""
    services.add_member(organization_id=organization.id, person=person, role=Role.AUDITOR)
    services.add_member(organization_id=other_organization.id, person=person, role=Role.OWNER)
    client.force_login(person)
    return client


def seen(answer):
    return answer.context["organization"].slug, answer.wsgi_request.identity.role


def test_the_oldest_membership_comes_first(twofold):
    assert seen(twofold.get(SETTINGS)) == ("northwind", "auditor")


def test_a_chosen_organization_stays_with_its_role_for_the_session(twofold):
    chosen = seen(twofold.get(SETTINGS, {"org": "contoso"}))
    later = seen(twofold.get(SETTINGS))
    back = seen(twofold.get(SETTINGS, {"org": "northwind"}))

    assert (chosen, later, back) == (("contoso", "owner"), ("contoso", "owner"), ("northwind", "auditor"))


@pytest.mark.parametrize("slug", ["fabrikam", "nobody-has-this"])
@pytest.mark.parametrize("path", [SETTINGS, "/api/v1/emissions"])
def test_the_address_never_opens_an_organization_of_others(twofold, slug, path):
    services.create_organization(slug="fabrikam", name="Fabrikam")
    twofold.get(SETTINGS, {"org": "contoso"})

    refused = twofold.get(path, {"org": slug})

    assert refused.status_code == 404
    assert seen(twofold.get(SETTINGS)) == ("contoso", "owner")


def test_a_token_belongs_to_one_organization(client, organization, other_organization):
    _, secret = services.issue_token(organization_id=organization.id, name="bi", scopes=["read"])
    headers = {"Authorization": f"Bearer {secret}"}

    own = client.get("/api/v1/emissions", {"org": "northwind"}, headers=headers)
    theirs = client.get("/api/v1/emissions", {"org": "contoso"}, headers=headers)

    assert (own.status_code, theirs.status_code) == (200, 404)


def test_an_ended_membership_opens_nothing_even_where_it_was_chosen(twofold, other_organization, time_machine):
    time_machine.move_to(datetime(2026, 11, 25, 12, tzinfo=UTC), tick=False)
    twofold.get(SETTINGS, {"org": "contoso"})
    with organization_scope(other_organization.id):
        Membership.objects.filter(organization=other_organization).update(ends_on=datetime(2026, 11, 24, tzinfo=UTC))

    assert seen(twofold.get(SETTINGS)) == ("northwind", "auditor")
    assert twofold.get(SETTINGS, {"org": "contoso"}).status_code == 404


def test_somebody_deactivated_is_a_stranger(twofold, person):
    person.is_active = False
    person.save()

    assert twofold.get(SETTINGS).status_code == 302
    assert twofold.get("/api/v1/emissions").status_code == 401


def test_a_person_s_team_is_known(twofold, organization, person):
    team = services.create_team(organization_id=organization.id, name="search")
    with organization_scope(organization.id):
        Membership.objects.filter(organization=organization, person=person).update(team=team)

    assert twofold.get(SETTINGS).wsgi_request.identity.team == "search"


@pytest.mark.parametrize("path", ["/healthz", "/", "/nothing/", "/api/v1/emissions", "/accounts/login/"])
def test_each_answer_carries_the_request_s_id(client, path, db):
    first, second = client.get(path)["X-Request-Id"], client.get(path)["X-Request-Id"]

    assert UUID(first).version == 7
    assert first != second


def test_an_unknown_token_is_refused_wherever_it_comes(client, organization):
    for path in ("/", "/api/v1/emissions", "/api/v1/activity"):
        answer = client.get(path, headers={"Authorization": f"Bearer wl_{organization.id}_{'x' * 43}"})

        assert (answer.status_code, answer["Content-Type"]) == (401, "application/problem+json")
        assert answer.json()["type"] == "urn:wattledger:problem:unknown-token"


def through(view, organization, monkeypatch):
    """Send a token's request through the middleware to a view."""
    monkeypatch.setattr("core.organizations.middleware.is_marked", lambda _, mark: getattr(view, mark, False))
    _, secret = services.issue_token(organization_id=organization.id, name="any", scopes=["admin"])
    request = RequestFactory().get("/", headers={"Authorization": f"Bearer {secret}"})
    request.request_id = "test"
    return organization_middleware(view)(request)


@pytest.mark.parametrize(("status", "kept"), [(200, ["nlp"]), (302, ["nlp"]), (400, []), (403, []), (500, [])])
def test_what_a_refused_request_wrote_is_rolled_back(organization, monkeypatch, status, kept):
    def view(request):
        Team.objects.create(organization_id=organization.id, name="nlp")
        return HttpResponse(status=status)

    through(view, organization, monkeypatch)

    with organization_scope(organization.id):
        assert list(Team.objects.values_list("name", flat=True)) == kept


def test_a_view_runs_in_its_organization_s_scope(organization, other_organization, monkeypatch):
    answer = through(lambda _: HttpResponse(organization_in_force()), organization, monkeypatch)

    assert answer.content.decode() == str(organization.id)


def test_a_door_with_its_own_scope_keeps_what_it_wrote_before_an_error(organization, monkeypatch):
    @own_scope
    def view(request):
        services.create_team(organization_id=request.identity.organization_id, name="kept")
        return HttpResponse(status=500)

    through(view, organization, monkeypatch)

    with organization_scope(organization.id):
        assert list(Team.objects.values_list("name", flat=True)) == ["kept"]


def test_a_door_that_finds_out_itself_gets_no_identity(organization, monkeypatch):
    @own_identity
    def view(request):
        return HttpResponse(str(request.identity))

    assert through(view, organization, monkeypatch).content == b"None"


def test_nobody_acts_after_their_request(twofold):
    answer = twofold.get(SETTINGS)

    assert answer.wsgi_request.identity.actor.name == "Ada Example"
    assert current_actor() == SYSTEM
