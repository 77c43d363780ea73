"""Signing in, and what pages and the API do with those who have not."""

from __future__ import annotations

import io

import pytest
from django.core.cache import caches  # not `cache`: pytest's collecting would connect it before the servers run
from django.test import Client

from core.organizations import services
from core.organizations.models import Role

pytestmark = pytest.mark.django_db
LOGIN = "/accounts/login/"
PASSWORD = "correct horse battery"


def sign_in(client, email="ada@example.org", password=PASSWORD, **form):
    return client.post(LOGIN, {"login": email, "password": password, **form})


@pytest.fixture(autouse=True)
def _no_failed_attempts(servers):
    """Failed attempts are counted in the cache, which no test rolls back."""
    caches["default"].clear()
    yield
    caches["default"].clear()


@pytest.fixture
def member(organization, person):
    services.add_member(organization_id=organization.id, person=person, role=Role.ADMIN)
    return person


def test_a_stranger_comes_back_to_the_page_that_was_asked_for(client, member):
    sent = client.get("/teams/?team=search")
    answer = sign_in(client, next="/teams/?team=search")

    assert sent["Location"] == "/accounts/login/?next=/teams/%3Fteam%3Dsearch"
    assert answer["Location"] == "/teams/?team=search"


@pytest.mark.parametrize(
    "place", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "/\\evil.example"]
)
def test_signing_in_never_leads_elsewhere(client, member, settings, place):
    settings.ALLOWED_HOSTS = ["*"]

    assert sign_in(client, next=place)["Location"] == "/"


def test_an_e_mail_is_the_same_in_capitals(client, member):
    assert sign_in(client, email="Ada@Example.org").status_code == 302


def test_a_wrong_password_is_refused(client, member):
    answer = sign_in(client, password="wrong")

    assert answer.status_code == 200
    assert client.get("/settings/").status_code == 302


@pytest.mark.slow
def test_guessing_a_password_is_stopped(client, member):
    answers = [sign_in(client, password=f"guess {number}") for number in range(7)]

    after = sign_in(client)

    assert "Too many failed login attempts" not in answers[0].content.decode()
    assert "Too many failed login attempts" in answers[-1].content.decode() or answers[-1].status_code == 429
    assert after.status_code != 302, "even the right password has to wait"


def test_without_the_cache_people_can_still_sign_in(client, member, settings):
    settings.CACHES = {
        "default": {"BACKEND": "core.cache.ForgivingRedisCache", "LOCATION": "redis://127.0.0.1:1/0"},
    }

    assert sign_in(client).status_code == 302


def test_a_part_of_a_page_sends_the_whole_page_to_sign_in(client, db):
    answer = client.get(
        "/sources/", headers={"HX-Request": "true", "HX-Current-URL": "http://testserver/sources/batches/?state=done"}
    )

    assert answer["HX-Redirect"] == "/accounts/login/?next=/sources/batches/%3Fstate%3Ddone"
    assert answer.content == b""


def test_a_form_of_a_stranger_leads_to_the_overview_after_signing_in(client, db):
    assert client.post("/settings/teams/")["Location"] == "/accounts/login/?next=/"


def test_a_refusal_names_the_roles_that_may(client, organization, person):
    services.add_member(organization_id=organization.id, person=person, role=Role.PROCUREMENT)
    client.force_login(person)

    answer = client.get("/audit/")

    assert answer.status_code == 403
    assert "Owner, Admin, Sustainability lead, Auditor" in answer.content.decode()


def test_pages_are_not_kept_by_shared_caches(client, member):
    client.force_login(member)

    assert client.get("/settings/")["Cache-Control"] == "private, no-cache"


def test_a_form_needs_its_csrf_token_and_says_so(member):
    client = Client(enforce_csrf_checks=True)
    client.force_login(member)

    answer = client.post("/settings/teams/", {"name": "search"})

    assert answer.status_code == 403
    assert "load the page anew" in answer.content.decode()


def test_a_session_s_write_to_the_api_needs_a_csrf_token_and_a_token_s_does_not(member, organization):
    client = Client(enforce_csrf_checks=True)
    _, secret = services.issue_token(organization_id=organization.id, name="ci", scopes=["ingest"])
    form = {"source": "activity"}
    by_token = client.post("/api/v1/imports", form, headers={"Authorization": f"Bearer {secret}"})

    client.force_login(member)
    with_file = {"file": io.BytesIO(b"{}")}
    by_session = client.post("/api/v1/imports", with_file)

    assert (by_token.status_code, by_token.json()["type"]) == (400, "urn:wattledger:problem:no-file")
    assert (by_session.status_code, by_session.json()["type"]) == (403, "urn:wattledger:problem:csrf")


@pytest.mark.slow
@pytest.mark.parametrize(("proxies", "stopped"), [(1, False), (0, True)])
def test_people_behind_one_proxy_do_not_share_a_limit(client, member, settings, proxies, stopped):
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies

    def attempt(number, email, guess):
        form = {"login": email, "password": guess}
        return client.post(LOGIN, form, headers={"X-Forwarded-For": f"198.51.100.{number}"})

    for number in range(12):
        attempt(number, f"guess{number}@example.org", "wrong")

    assert (attempt(99, member.email, PASSWORD).status_code != 302) == stopped
