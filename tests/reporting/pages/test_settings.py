"""Settings: tokens, members and teams, as those who may and those who may not."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html import unescape

import pytest

from core.ledger.services import ensure_source
from core.organizations import services
from core.organizations.models import ApiToken, AuditEvent, Membership, Person, Role, Team
from core.organizations.tenancy import organization_scope

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"wl_\d+_[A-Za-z0-9_-]{43}")


@pytest.fixture
def sign_in(client, organization):
    """Sign in as somebody new of a role, in a team or in none."""

    def enter(role, team=None):
        who = Person.objects.create_user(f"{role}@example.org")
        services.add_member(organization_id=organization.id, person=who, role=role, team=team)
        client.force_login(who)
        return client

    return enter


@pytest.fixture
def search(organization):
    return services.create_team(organization_id=organization.id, name="search")


def all_tokens(organization):
    with organization_scope(organization.id):
        return list(ApiToken.objects.order_by("id"))


def test_a_token_is_shown_once(sign_in, organization):
    client = sign_in(Role.ADMIN)

    page = client.post(
        "/settings/tokens/",
        {"name": "GPU cluster", "scopes": ["ingest", "read"], "team": "nlp", "expires_on": "2099-12-31"},
    ).content.decode()

    (secret,) = set(SECRET.findall(page))
    (token,) = all_tokens(organization)
    identity = services.authenticate_token(secret)
    assert (identity.scopes, identity.team) == ({"ingest", "read"}, "nlp")
    assert token.expires_at == datetime(2099, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)
    again = client.get("/settings/").content.decode()
    assert "GPU cluster" in again
    assert secret not in again
    with organization_scope(organization.id):
        event = AuditEvent.objects.get(action="issue_token")
    assert (event.actor_kind, event.actor_name) == ("person", "admin@example.org")


@pytest.mark.parametrize("role", [Role.MEMBER, Role.TEAM_LEAD])
def test_a_member_issues_ingest_tokens_for_the_own_team_whatever_they_send(sign_in, organization, search, role):
    sign_in(role, search).post("/settings/tokens/", {"name": "laptop", "scopes": ["admin"], "team": "finance"})

    (token,) = all_tokens(organization)
    assert (token.scopes, token.team) == (["ingest"], "search")


def test_a_member_of_no_team_issues_no_token(sign_in, organization):
    answer = sign_in(Role.MEMBER).post("/settings/tokens/", {"name": "laptop"})

    assert answer.status_code == 400
    assert "You belong to no team" in answer.content.decode()
    assert all_tokens(organization) == []


@pytest.mark.parametrize(
    ("form", "complaint"),
    [
        ({"name": "", "scopes": ["read"]}, "This field is required"),
        ({"name": "x", "scopes": []}, "This field is required"),
        ({"name": "x", "scopes": ["everything"]}, "everything is not one of the available choices"),
        ({"name": "x", "scopes": ["read"], "expires_on": "2020-01-01"}, "expired already"),
    ],
)
def test_a_token_that_cannot_be_issued_says_why(sign_in, organization, form, complaint):
    answer = sign_in(Role.OWNER).post("/settings/tokens/", form)

    assert answer.status_code == 400
    assert complaint in unescape(answer.content.decode())
    assert all_tokens(organization) == []


def test_members_see_and_revoke_their_own_tokens_only(sign_in, organization, search):
    theirs, _ = services.issue_token(organization_id=organization.id, name="of the admin", scopes=["read"])
    client = sign_in(Role.MEMBER, search)
    client.post("/settings/tokens/", {"name": "mine"})
    mine = all_tokens(organization)[1]

    page = client.get("/settings/").content.decode()
    refused = client.post(f"/settings/tokens/{theirs.id}/revoke/")
    revoked = client.post(f"/settings/tokens/{mine.id}/revoke/")

    assert ("mine" in page, "of the admin" in page) == (True, False)
    assert (refused.status_code, revoked.status_code) == (404, 302)
    assert [token.revoked_at is None for token in all_tokens(organization)] == [True, False]


def test_a_revoked_token_is_refused_at_once(sign_in, organization):
    token, secret = services.issue_token(organization_id=organization.id, name="lost", scopes=["read"])

    sign_in(Role.ADMIN).post(f"/settings/tokens/{token.id}/revoke/")

    assert services.authenticate_token(secret) is None


def test_a_token_of_another_organization_is_not_there(sign_in, other_organization):
    token, secret = services.issue_token(organization_id=other_organization.id, name="theirs", scopes=["read"])

    answer = sign_in(Role.OWNER).post(f"/settings/tokens/{token.id}/revoke/")

    assert answer.status_code == 404
    assert services.authenticate_token(secret) is not None


def membership(organization, email):
    with organization_scope(organization.id):
        found = Membership.objects.filter(person__email=email).select_related("team").first()
        return found and (found.role, found.team.name if found.team else None)


def test_a_new_member_signs_in_with_the_password_shown(sign_in, organization, search):
    client = sign_in(Role.ADMIN)

    answer = client.post(
        "/settings/members/", {"email": "Grace@Example.org", "name": "Grace", "role": "team_lead", "team": search.id}
    )

    (password,) = re.findall(
        r"First password of \S+ shown this once.*?<code>(\S+)</code>", answer.content.decode(), re.DOTALL
    )
    assert password not in str(answer.cookies)
    assert membership(organization, "grace@example.org") == ("team_lead", "search")
    assert client.login(username="grace@example.org", password=password) or client.login(
        email="grace@example.org", password=password
    )
    assert password not in client.get("/settings/").content.decode()


@pytest.mark.parametrize(("role", "status", "made"), [(Role.OWNER, 200, ("owner", None)), (Role.ADMIN, 400, None)])
def test_only_an_owner_makes_an_owner(sign_in, organization, role, status, made):
    answer = sign_in(role).post("/settings/members/", {"email": "grace@example.org", "role": "owner"})

    assert answer.status_code == status
    assert membership(organization, "grace@example.org") == made


def test_a_member_cannot_be_put_into_another_organization_s_team(sign_in, organization, other_organization):
    theirs = services.create_team(organization_id=other_organization.id, name="theirs")

    answer = sign_in(Role.ADMIN).post(
        "/settings/members/", {"email": "grace@example.org", "role": "member", "team": theirs.id}
    )

    assert answer.status_code == 400
    assert not Person.objects.filter(email="grace@example.org").exists()


def test_somebody_is_a_member_once(sign_in, organization, person):
    services.add_member(organization_id=organization.id, person=person, role=Role.MEMBER)

    answer = sign_in(Role.ADMIN).post("/settings/members/", {"email": person.email, "role": "auditor"})

    assert answer.status_code == 400
    assert membership(organization, person.email) == ("member", None)


def test_a_team_is_made_and_its_head_count_changed(sign_in, organization):
    client = sign_in(Role.ADMIN)

    first = client.post("/settings/teams/", {"name": "search", "head_count": 7})
    again = client.post("/settings/teams/", {"name": "search", "head_count": 9})
    nobody = client.post("/settings/teams/", {"name": "ghosts", "head_count": 0})

    assert (first.status_code, again.status_code, nobody.status_code) == (302, 302, 400)
    with organization_scope(organization.id):
        assert [(team.name, team.head_count) for team in Team.objects.all()] == [("search", 9)]
        event = AuditEvent.objects.get(action="set_head_count")
    assert (event.before, event.after) == ({"head_count": 7}, {"head_count": 9})


def test_an_organization_says_its_country(sign_in, organization):
    client = sign_in(Role.OWNER)
    fields = {"name": "Northwind", "country": "NO", "fiscal_year_start_month": 4, "minimum_group_size": 8}

    done = client.post("/settings/organization/", fields)
    wrong = client.post("/settings/organization/", fields | {"country": "Norway", "fiscal_year_start_month": 13})

    organization.refresh_from_db()
    assert (done.status_code, wrong.status_code) == (302, 400)
    assert (organization.country, organization.fiscal_year_start_month) == ("NO", 4)


def test_names_are_escaped(sign_in):
    client = sign_in(Role.ADMIN)
    client.post("/settings/teams/", {"name": "<script>alert(1)</script>"})

    page = client.get("/settings/").content.decode()

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_a_token_is_narrowed_to_one_source(sign_in, organization):
    source = ensure_source(organization.id, "codecarbon", "Cluster A")
    client = sign_in(Role.ADMIN)
    form = {"name": "node 7", "source": str(source.id)}

    reading = client.post("/settings/tokens/", {**form, "scopes": ["ingest", "read"]})
    page = client.post("/settings/tokens/", {**form, "scopes": ["ingest"]}).content.decode()

    assert reading.status_code == 400
    assert "only sends" in reading.content.decode()
    (secret,) = set(SECRET.findall(page))
    identity = services.authenticate_token(secret)
    assert identity.source_id == source.id
    assert "one source" in page


def test_a_source_of_another_organization_cannot_be_chosen(sign_in, organization, other_organization):
    ensure_source(organization.id, "codecarbon")
    theirs = ensure_source(other_organization.id, "codecarbon")

    answer = sign_in(Role.ADMIN).post(
        "/settings/tokens/", {"name": "x", "scopes": ["ingest"], "source": str(theirs.id)}
    )

    assert answer.status_code == 400
    assert all_tokens(organization) == []


def test_a_member_sees_issues_and_revokes_own_tokens_of_the_own_team_only(sign_in, organization, search):
    others, _secret = services.issue_token(organization_id=organization.id, name="the admin's", scopes=["ingest"])
    ensure_source(organization.id, "codecarbon", "not for members")
    client = sign_in(Role.MEMBER, search)

    page = client.post("/settings/tokens/", {"name": "laptop", "scopes": ["admin"], "team": "nlp"}).content.decode()

    (secret,) = set(SECRET.findall(page))
    identity = services.authenticate_token(secret)
    assert (identity.scopes, identity.team) == ({"ingest"}, "search")
    shown = client.get("/settings/").content.decode()
    assert "laptop" in shown
    assert "the admin's" not in unescape(shown)
    assert "not for members" not in shown
    assert client.post(f"/settings/tokens/{others.id}/revoke/").status_code == 404
    assert client.post(f"/settings/tokens/{identity.token_id}/revoke/").status_code == 302
    assert services.authenticate_token(secret) is None


@pytest.mark.parametrize("role", [Role.PROCUREMENT, Role.AUDITOR])
def test_who_may_issue_no_token_sees_none(sign_in, organization, search, role):
    client = sign_in(role, search)

    assert client.post("/settings/tokens/", {"name": "x"}).status_code == 403
    assert "API tokens" not in client.get("/settings/").content.decode()


def test_what_a_member_issues_is_for_the_team_alone_and_an_admin_chooses(sign_in, organization, search):
    sign_in(Role.ADMIN).post("/settings/tokens/", {"name": "gateway", "scopes": ["ingest"], "team": "search"})
    sign_in(Role.OWNER).post(
        "/settings/tokens/", {"name": "their laptop", "scopes": ["ingest"], "team": "search", "team_only": "on"}
    )
    page = sign_in(Role.MEMBER, search).post("/settings/tokens/", {"name": "laptop", "team_only": ""}).content.decode()

    assert [(token.name, token.team_only) for token in all_tokens(organization)] == [
        ("gateway", False),
        ("their laptop", True),
        ("laptop", True),
    ]
    assert "It sends records for the team search and does nothing else" in page
    assert "this team alone" in page


@pytest.mark.parametrize("fields", [{"scopes": ["ingest"]}, {"scopes": ["ingest", "read"], "team": "search"}])
def test_a_token_for_a_team_alone_names_it_and_only_sends(sign_in, organization, fields):
    answer = sign_in(Role.ADMIN).post("/settings/tokens/", {"name": "x", "team_only": "on", **fields})

    assert answer.status_code == 400
    assert "A token for one team alone only sends" in answer.content.decode()
    assert all_tokens(organization) == []


def test_a_team_lead_sees_and_revokes_what_the_team_issued(sign_in, organization, search):
    nlp = services.create_team(organization_id=organization.id, name="nlp")
    sign_in(Role.MEMBER, search).post("/settings/tokens/", {"name": "laptop of a member"})
    services.issue_token(
        organization_id=organization.id, name="of another team", scopes=["ingest"], team=nlp.name, team_only=True
    )
    services.issue_token(organization_id=organization.id, name="reads for search", scopes=["read"], team="search")
    client = sign_in(Role.TEAM_LEAD, search)

    page = client.get("/settings/").content.decode()

    assert "laptop of a member" in page
    assert "of another team" not in page
    assert "reads for search" not in page
    mine, others, reads = all_tokens(organization)
    assert client.post(f"/settings/tokens/{mine.id}/revoke/").status_code == 302
    assert client.post(f"/settings/tokens/{others.id}/revoke/").status_code == 404
    assert client.post(f"/settings/tokens/{reads.id}/revoke/").status_code == 404
