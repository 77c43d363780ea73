"""System: whether the installation is well, for owners and administrators."""

from __future__ import annotations

import re

import psycopg
import pytest
from django.conf import settings
from redis import Redis

from core.organizations import services
from core.organizations.models import AuditEvent, Person, Role
from core.organizations.tenancy import organization_scope
from ingestion.services import beat
from reporting.selectors import system as selectors
from tests.deliver import deliver, metered

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def page(client, organization):
    person = Person.objects.create_user("owner@example.org", name="Ada")
    services.add_member(organization_id=organization.id, person=person, role=Role.OWNER)
    client.force_login(person)
    return client


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode().partition("<main")[2]))


def test_it_tells_versions_queues_and_partitions(page, organization, django_assert_max_num_queries):
    deliver(organization, [metered("one", 1.0)])
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.delete("restatements")
        redis.lpush("restatements", b"one", b"two")

    with django_assert_max_num_queries(30):
        text = text_of(page.get("/system/"))

    assert settings.VERSION in text
    assert "all applied" in text
    assert "ledger_record" in text
    months = re.search(r"ledger_record \d+ .*? (\d{4}_\d\d) (\d{4}_\d\d)", text)
    assert months is not None
    assert months[1] <= "2026_07" <= months[2]  # the month of the record
    assert "queue restatements 2" in text
    with Redis.from_url(settings.REDIS_URL) as redis:
        redis.delete("restatements")


def test_a_worker_that_was_not_seen_is_said_and_one_that_was_is_not(page, monkeypatch):
    stalled = text_of(page.get("/system/"))
    beat("worker")
    at_work = text_of(page.get("/system/"))

    assert "Worker last seen: never" in stalled
    assert "Worker last seen:" not in at_work


def test_ledger_and_figures_are_compared_and_the_answer_is_kept(page, organization, servers):
    deliver(organization, [metered("one", 1.0)])

    equal = text_of(page.post("/system/reconcile/", follow=True))
    with psycopg.connect(servers.admin_url, autocommit=True) as connection:
        connection.execute("update ledger_cell set energy_pkwh = energy_pkwh + 1")
    different = text_of(page.post("/system/reconcile/", follow=True))

    assert "equal from 2026-07-15 to 2026-07-15" in equal
    assert "by Ada" in equal
    assert "2 differences" in different  # ledger against cells, and cells against daily rows
    with organization_scope(organization.id):
        assert AuditEvent.objects.filter(action="reconcile").count() == 2


def test_with_nothing_to_compare_it_says_so(page):
    assert "nothing to compare" in text_of(page.post("/system/reconcile/", follow=True))


def test_a_broker_that_is_away_is_said(page, monkeypatch):
    monkeypatch.setattr(settings, "REDIS_URL", "unix:///nowhere/valkey.sock")

    assert selectors.queue_lengths() is None
    assert "cannot be reached" in text_of(page.get("/system/"))
