"""Search finds what has a name, and only what the asker may see."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from core.organizations.models import Role
from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = pytest.mark.usefixtures("committed_db")
RECENT = datetime.now(UTC).date() - timedelta(days=2)  # the ids of records expire
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def lately(name, **fields):
    return metered(name, 1.0, started_at=f"{RECENT}T10:00:00Z", ended_at=f"{RECENT}T11:00:00Z", **fields)


@pytest.fixture
def records(organization):
    deliver(
        organization,
        [
            lately("req-1", team="nebula", model="nebula-7b", run="nebula/1", trace=TRACE),
            lately("req-2", team="quasar", model="<b>nebula</b>", run="nebula/2", request="call-9"),
        ],
    )


def found(page, text):
    """Give the names that were found, by kind."""
    body = page.get("/search/", {"q": text}).content.decode().partition("<main")[2]
    groups = re.findall(r"<h2>(.*?)</h2>(.*?)</section>", body, re.S)
    names = {title: re.findall(r'<a class="breaks"[^>]*>(.*?)</a>', rest, re.S) for title, rest in groups}
    return {title: hits for title, hits in names.items() if hits}


@pytest.mark.slow
def test_everything_with_a_name_is_found_by_a_part_of_it(client, organization, records):
    page = sign_in(client, organization, Role.OWNER)

    hits = found(page, "NEBULA")

    assert hits["Teams"] == ["nebula"]
    assert hits["Models"] == ["&lt;b&gt;nebula&lt;/b&gt;", "nebula-7b"]
    assert hits["Training runs"] == ["nebula/1", "nebula/2"]
    assert found(page, "agent")["Sources"] == ["agent"]
    assert found(page, "quality")["Pages"] == ["Data quality"]
    assert "Teams" not in found(page, "nothing-like-this")
    assert found(page, "Q3 2026")["Periods"] == ["Overview of 2026-Q3"]
    assert any("H100" in name or "h100" in name for name in found(page, "h100")["Factors"])
    assert found(page, "uncertainty")["Handbook"]


def test_a_record_is_found_by_its_own_id_and_those_of_its_request_and_trace(client, organization, records):
    page = sign_in(client, organization, Role.OWNER)

    assert found(page, "req-1")["Requests"] == ["req-1"]
    assert found(page, TRACE)["Requests"] == ["req-1"]
    assert found(page, "call-9")["Requests"] == ["req-2"]
    assert "Requests" not in found(page, "req")  # ids as a whole


def test_a_member_finds_the_own_team_alone(client, organization, records):
    page = sign_in(client, organization, Role.MEMBER, "quasar")

    hits = found(page, "nebula")

    assert "Teams" not in hits
    assert hits["Models"] == ["&lt;b&gt;nebula&lt;/b&gt;"]
    assert hits["Training runs"] == ["nebula/2"]
    assert found(page, "req-1") == {}
    assert "Sources" not in found(page, "agent")
    assert "Pages" not in found(page, "system")


def test_a_team_lead_finds_the_records_of_the_own_team_alone(client, organization, records):
    page = sign_in(client, organization, Role.TEAM_LEAD, "quasar")

    assert "Requests" not in found(page, "req-1")
    assert "Requests" not in found(page, TRACE)
    assert found(page, "req-2")["Requests"] == ["req-2"]


def test_nobody_finds_another_organization_s(client, other_organization, records):
    page = sign_in(client, other_organization, Role.OWNER)

    assert found(page, "nebula") == {}
    assert found(page, "req-1") == {}


@pytest.mark.parametrize("text", ["", "x", "%", "\0\0\0", "' or 1=1 --", "(" * 300, "<script>alert(1)</script>"])
def test_nonsense_gives_a_page(client, organization, text):
    response = sign_in(client, organization, Role.OWNER).get("/search/", {"q": text})

    assert response.status_code == 200
    assert b"<script>alert(1)" not in response.content


def test_it_takes_few_questions(client, organization, records, django_assert_max_num_queries):
    page = sign_in(client, organization, Role.OWNER)
    page.get("/search/", {"q": "nebula"})

    with django_assert_max_num_queries(40):
        page.get("/search/", {"q": "nebula"})
