"""Jobs: one list over all long work, files of long lists, and who may see and stop them."""

from __future__ import annotations

import csv
import gzip
import io
import re
from datetime import UTC, datetime, timedelta

import pytest

from core.accounting.models import JobState, RestatementJob
from core.factors.models import FactorSet
from core.organizations.models import Role
from core.organizations.tenancy import organization_scope
from reporting.models import Export, ExportPart, ExportState
from reporting.pages import request_files
from reporting.services.exports import cancel_export, forget_exports, run_exports
from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = pytest.mark.usefixtures("committed_db")
RECENT = datetime.now(UTC).date() - timedelta(days=2)  # the ids of records expire
LATELY = {"from": f"{RECENT - timedelta(days=1)}", "to": f"{RECENT}"}
DE_KG_PER_KWH = 0.329 + 0.0346  # Germany: EEA 2023, and upstream by Ember 2026
HOSTILE = '=HYPERLINK("http://evil.example")'


def lately(name, kwh, days=0, **fields):
    day = RECENT - timedelta(days=days)
    return metered(name, kwh, started_at=f"{day}T10:00:00Z", ended_at=f"{day}T11:00:00Z", **fields)


@pytest.fixture
def records(organization):
    deliver(
        organization,
        [
            lately("one", 1.0, team="search", requests=10, failed_requests=2),
            lately("two", 2.0, team=HOSTILE),
            lately("three", 4.0, days=1, team="search"),
        ],
    )


def ask(page, monkeypatch, **query):
    """Ask for the file of a list that is too long to be answered at once; give the address of its job."""
    monkeypatch.setattr(request_files, "STREAMED", 1)
    monkeypatch.setattr("reporting.pages.requests.STREAMED", 1)
    form = re.search(r'action="(/requests/export/[^"]+)"', page.get("/requests/", LATELY | query).content.decode())
    answer = page.post(form[1].replace("&amp;", "&"))
    assert answer.status_code == 302
    return answer["Location"]


def rows_of(body):
    return list(csv.DictReader(io.StringIO(body.decode())))


@pytest.mark.slow
def test_a_short_list_is_streamed_with_every_figure_in_full_and_nothing_to_run(client, organization, records):
    page = sign_in(client, organization, Role.OWNER)

    response = page.get("/requests/", LATELY | {"format": "csv"})
    rows = rows_of(b"".join(response.streaming_content))

    assert {row["record_id"]: float(row["total_kg_co2e"]) for row in rows} == {
        name: pytest.approx(kwh * DE_KG_PER_KWH) for name, kwh in {"one": 1.0, "two": 2.0, "three": 4.0}.items()
    }
    assert [row["record_id"] for row in rows][-1] == "three"  # the latest day first
    by_id = {row["record_id"]: row for row in rows}
    assert by_id["two"]["team"] == f"'{HOSTILE}"
    assert by_id["two"]["failed_requests"] == ""  # absent, not 0
    assert by_id["one"]["failed_requests"] == "2"
    assert by_id["one"]["started_at"] == f"{RECENT}T10:00:00Z"


@pytest.mark.slow
def test_a_file_keeps_the_list_s_order_and_tab(client, organization, records):
    page = sign_in(client, organization, Role.OWNER)

    def names(**query):
        response = page.get("/requests/", LATELY | {"format": "csv"} | query)
        return [row["record_id"] for row in rows_of(b"".join(response.streaming_content))]

    assert names(sort="-kg") == ["three", "two", "one"]
    assert names(sort="kg") == ["one", "two", "three"]
    assert names(tab="failed") == ["one"]


@pytest.mark.slow
def test_a_long_list_is_written_by_a_worker_and_fetched(client, organization, records, monkeypatch):
    page = sign_in(client, organization, Role.OWNER)
    address = ask(page, monkeypatch)
    waiting = page.get(address).content.decode()

    assert run_exports(organization.id) == 1
    done = page.get(address).content.decode()
    link = re.search(r"/jobs/export/\d+/file/", done)[0]
    body = gzip.decompress(b"".join(page.get(link).streaming_content))

    assert "Waiting" in waiting
    assert "0 of 3 rows" in waiting
    assert "Cancel" in waiting
    assert "3 rows" in done
    assert [row["record_id"] for row in rows_of(body)][-1] == "three"
    assert sum(float(row["total_kg_co2e"]) for row in rows_of(body)) == pytest.approx(7.0 * DE_KG_PER_KWH)
    assert run_exports(organization.id) == 0


def test_an_export_that_a_dead_worker_left_begins_again(client, organization, records, monkeypatch):
    page = sign_in(client, organization, Role.OWNER)
    ask(page, monkeypatch)
    with organization_scope(organization.id):
        export = Export.objects.get()
        Export.objects.update(state=ExportState.RUNNING, rows_done=2)
        ExportPart.objects.create(organization=organization, export=export, number=1, content=b"half")

    assert run_exports(organization.id) == 1

    with organization_scope(organization.id):
        export.refresh_from_db()
        assert (export.state, export.rows_done) == (ExportState.DONE, 3)
        assert b"half" not in [bytes(part.content) for part in ExportPart.objects.all()]


def test_a_cancelled_export_keeps_nothing_and_is_not_written(client, organization, records, monkeypatch):
    page = sign_in(client, organization, Role.OWNER)
    address = ask(page, monkeypatch)

    answer = page.post(f"{address}cancel/", follow=True).content.decode()

    assert "It is cancelled" in answer
    assert run_exports(organization.id) == 0
    assert not cancel_export(organization_id=organization.id, export_id=int(address.split("-")[-1].strip("/")))
    assert "Too late" in page.post(f"{address}cancel/", follow=True).content.decode()


def test_a_team_lead_s_file_holds_the_own_team_and_is_theirs_alone(client, organization, records, monkeypatch):
    lead = sign_in(client, organization, Role.TEAM_LEAD, "search")
    address = ask(lead, monkeypatch)
    run_exports(organization.id)
    link = re.search(r"/jobs/export/\d+/file/", lead.get(address).content.decode())[0]
    body = gzip.decompress(b"".join(lead.get(link).streaming_content))
    other = sign_in(type(client)(), organization, Role.MEMBER)
    with organization_scope(organization.id):
        Export.objects.update(person_id=None)

    assert {row["record_id"] for row in rows_of(body)} == {"one", "three"}
    assert lead.get(link).status_code == 404
    assert lead.get(address).status_code == 404
    assert other.get(address).status_code == 404


def test_a_file_expires_a_week_after_it_was_written_and_its_job_stays(client, organization, records, monkeypatch):
    page = sign_in(client, organization, Role.OWNER)
    address = ask(page, monkeypatch)
    run_exports(organization.id)

    with organization_scope(organization.id):
        assert forget_exports(organization.id, datetime.now(UTC) + timedelta(days=6, hours=23)) == 0
        assert forget_exports(organization.id, datetime.now(UTC) + timedelta(days=7, minutes=1)) == 1

    assert "/file/" not in page.get(address).content.decode()
    assert page.get(address).status_code == 200


def test_jobs_of_every_kind_stand_in_one_list_and_the_navigation_counts_the_open_ones(
    client, organization, records, monkeypatch, django_assert_max_num_queries
):
    page = sign_in(client, organization, Role.OWNER)
    ask(page, monkeypatch)
    with organization_scope(organization.id):
        RestatementJob.objects.create(
            organization=organization,
            factor_set=FactorSet.objects.first(),
            methodology="2026.1",
            from_day=RECENT,
            to_day=RECENT,
            state=JobState.RUNNING,
            months_done=3,
            months=12,
            asked_by="Ada <script>alert(1)</script>",
        )

    with django_assert_max_num_queries(20):
        listed = page.get("/jobs/").content.decode()

    assert "Rehearsal" in listed
    assert "3 of 12 months" in listed
    assert "Export" in listed
    assert "<script>alert(1)" not in listed
    assert 'hx-get="/jobs/running/"' in listed
    assert re.search(r'<span class="badge accent"[^>]*>2</span>', page.get("/jobs/running/").content.decode())
    assert "it begins anew" in page.get("/jobs/", {"after": "yesterday"}).content.decode()
    assert page.get("/jobs/", {"after": "2000-01-01T00:00:00Z"}).status_code == 200
    for wrong in ("export-x", "export-99999999999999999999", "nothing-1", "delivery-1"):
        assert page.get(f"/jobs/{wrong}/").status_code == 404
