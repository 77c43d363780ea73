"""A source from its making to the deletion of its data, as a person sees it."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from core.accounting.services import derive_dirty_days
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.ledger.models import DirtyDay, Source
from core.ledger.selectors import cells_of_day
from core.ledger.services import create_source, ensure_source
from core.organizations import services as organizations
from core.organizations.models import ApiToken, AuditEvent, Role
from core.organizations.tenancy import organization_scope
from ingestion import selectors, services
from ingestion.kinds import kinds
from ingestion.snippets import test_calls as calls_of
from ingestion.sources import registry

from .conftest import make_record

pytestmark = pytest.mark.usefixtures("committed_db", "woken")
SECRET = re.compile(r"wl_\d+_[A-Za-z0-9_-]{43}")


@pytest.fixture
def signed_in(client: Client, organization: Any, person: Any) -> Client:
    organizations.add_member(organization_id=organization.id, person=person, role=Role.SUSTAINABILITY_LEAD)
    client.force_login(person)
    return client


def made(client: Client, kind: str, **form: Any) -> tuple[str, str]:
    """Make a source in the page; give the page's text and the secret that it shows."""
    page = client.post("/sources/add/", {"kind": kind, "name": "Cluster A", **form}).content.decode()
    (secret,) = set(SECRET.findall(page))
    return page, secret


def sources(organization: Any) -> list[Source]:
    with organization_scope(organization.id):
        return list(Source.objects.filter(organization_id=organization.id).order_by("id"))


def send(call: Any, secret: str, taken: dict[str, str]) -> Any:
    """Send one call as the page's script does."""
    filled = json.dumps(call.body)
    for name, value in taken.items():
        filled = filled.replace(f"{{{name}}}", value)
    return Client().post(
        call.path, filled, content_type="application/json", headers={"Authorization": f"Bearer {secret}"}
    )


def test_every_format_can_be_chosen_with_one_sentence_or_none(signed_in: Client) -> None:
    page = signed_in.get("/sources/add/").content.decode()

    assert {kind.name for kind in kinds()} == set(registry.SOURCES)
    assert set(re.findall(r'href="\?kind=(\w+)"', page)) == set(registry.SOURCES)


@pytest.mark.parametrize(("kind", "ending"), [("openrouter", "json"), ("gcp_billing", "jsonl"), ("focus", "csv")])
def test_the_lines_of_a_file_name_it_as_its_exporter_does(signed_in: Client, kind: str, ending: str) -> None:
    page = unescape(made(signed_in, kind)[0])

    assert f"import_usage {kind} 'exports/*.{ending}'" in page
    assert f"file=@export.{ending}" in page


@pytest.mark.parametrize("kind", ["activity", "otlp", "codecarbon"])
def test_the_test_record_arrives_at_the_source_that_was_made(signed_in: Client, organization: Any, kind: str) -> None:
    load_factor_set(load_pack())
    ensure_source(organization.id, kind)  # another of its kind, to which unnarrowed tokens write
    page, secret = made(signed_in, kind)
    address = re.search(r'hx-get="(/sources/(\d+)/live/)"', page)
    assert address is not None
    assert "Waiting for the first record" in signed_in.get(address[1]).content.decode()
    taken: dict[str, str] = {}

    for call in calls_of(kind):
        answer = send(call, secret, taken)
        assert answer.status_code in {200, 201, 202}, answer.content
        if call.takes:
            taken[call.takes] = answer.json()[call.takes]
    services.drain_inbox(organization.id)

    shown = signed_in.get(address[1]).content.decode()
    assert "hx-get" not in shown  # it listens no more
    assert "As understood" in shown
    assert "Its first record" in shown
    arrived = re.search(r'href="(/sources/batches/[^"]+)">All that arrived with it', shown)
    assert arrived is not None
    assert signed_in.get(arrived[1]).status_code == 200
    assert signed_in.get(f"/sources/{address[2]}/").status_code == 200
    with organization_scope(organization.id):
        batches = {batch.source_id for batch in services_batches(organization)}
    assert batches == {int(address[2])}


def services_batches(organization: Any) -> Any:
    return list(selectors.batches(organization.id))


def test_a_token_of_one_source_writes_no_other_format(signed_in: Client) -> None:
    _, secret = made(signed_in, "otlp")

    answer = send(calls_of("activity")[0], secret, {})
    announced = send(calls_of("codecarbon")[0], secret, {})

    assert answer.status_code == 403
    assert answer.json()["type"] == "urn:wattledger:problem:wrong-source"
    assert "of the format OpenTelemetry (OTLP)" in answer.json()["detail"]
    assert announced.status_code == 403


def test_two_sources_of_one_format_are_told_apart_by_their_tokens(signed_in: Client, organization: Any) -> None:
    secrets = [made(signed_in, "activity", name=name)[1] for name in ("Berlin", "Paris")]
    for secret in secrets:
        record = make_record("same id")
        answer = Client().post(
            "/api/v1/activity",
            json.dumps([record]),
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )
        assert answer.status_code == 202
    services.drain_inbox(organization.id)

    with organization_scope(organization.id):
        batches = services_batches(organization)
    assert {batch.source.name: batch.written for batch in batches} == {"Berlin": 1, "Paris": 1}


def test_settings_of_the_kind_are_kept_and_checked(signed_in: Client, organization: Any) -> None:
    refused = signed_in.post("/sources/add/", {"kind": "otlp", "name": "A", "sample_rate": "1.5", "max_age_days": "0"})
    assert refused.status_code == 400
    assert sources(organization) == []

    made(
        signed_in,
        "otlp",
        team="search",
        hosting="api",
        sample_rate="0.1",
        count="metrics",
        labels="tier, cost.center\nregion",
        max_age_days="30",
    )

    (source,) = sources(organization)
    assert source.settings == {
        "team": "search",
        "hosting": "api",
        "sample_rate": 0.1,
        "count": "metrics",
        "labels": ["tier", "cost.center", "region"],
        "max_age_days": 30,
    }


def test_a_name_that_is_taken_is_said_beside_the_field(signed_in: Client, organization: Any) -> None:
    made(signed_in, "focus")

    again = signed_in.post("/sources/add/", {"kind": "focus", "name": "Cluster A"})

    assert again.status_code == 400
    assert b"is named" in again.content
    with organization_scope(organization.id):
        assert ApiToken.objects.count() == 1


@pytest.fixture
def reported(signed_in: Client, organization: Any) -> Source:
    """A source of one record that the figures hold."""
    load_factor_set(load_pack())
    source = create_source(organization_id=organization.id, kind="activity", name="Agent", settings={})
    _token, secret = organizations.issue_token(
        organization_id=organization.id, name="x", scopes=["ingest"], source_id=source.id
    )
    Client().post(
        "/api/v1/activity",
        json.dumps([make_record("a", account="acme"), make_record("b", account="acme", model=7)]),
        content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"},
    )
    services.drain_inbox(organization.id)
    derive_dirty_days(organization.id)
    return source


def test_the_page_shows_state_coverage_batches_and_tokens(signed_in: Client, reported: Source) -> None:
    page = unescape(signed_in.get(f"/sources/{reported.id}/").content.decode())

    assert ">live<" in page
    assert "records on 1 of 30 days" in page
    assert "acme" in page
    assert "50%" in page.replace("\u202f", "").replace("\xa0", "")  # one of two rows was rejected
    assert "New token and lines to copy" in page


def test_a_changed_default_derives_the_days_of_the_source_again(
    signed_in: Client, organization: Any, reported: Source
) -> None:
    reading = {"max_age_days": "100"}
    signed_in.post(f"/sources/{reported.id}/settings/", reading)
    with organization_scope(organization.id):
        assert not DirtyDay.objects.exists()

    signed_in.post(f"/sources/{reported.id}/settings/", {**reading, "team": "search"})

    (source,) = sources(organization)
    assert source.settings == {"max_age_days": 100, "team": "search"}
    with organization_scope(organization.id):
        assert DirtyDay.objects.count() == 1
        event = AuditEvent.objects.filter(action="update_source").order_by("sequence").last()
    assert event is not None
    assert event.before == {"settings": {"max_age_days": 100}}


def test_a_period_is_deleted_with_the_name_typed_and_restored(
    signed_in: Client, organization: Any, reported: Source
) -> None:
    today = datetime.now(UTC).date()
    form = {"from_day": str(today - timedelta(days=2)), "to_day": str(today), "reason": "wrong token", "name": "agent"}
    shown = signed_in.post(f"/sources/{reported.id}/delete/", {**form, "name": ""}).content.decode()
    assert "This takes back 1 records of" in shown
    refused = signed_in.post(f"/sources/{reported.id}/delete/", form)
    assert refused.status_code == 400
    assert b"Type the name of the source" in refused.content

    signed_in.post(f"/sources/{reported.id}/delete/", {**form, "name": "Agent"})
    progress = signed_in.get(f"/sources/{reported.id}/deletions/").content.decode()
    assert "hx-get" in progress
    assert services.work_on_deletions(organization.id, seconds=60) == 0
    assert tokens_counted(organization) == 0

    done = signed_in.get(f"/sources/{reported.id}/").content.decode()
    undo = re.search(rf'action="(/sources/{reported.id}/deletions/\d+/restore/)"', done)
    assert undo is not None
    signed_in.post(undo[1])
    services.work_on_deletions(organization.id, seconds=60)
    assert tokens_counted(organization) == make_record()["input_tokens"]


def tokens_counted(organization: Any) -> int:
    today = datetime.now(UTC).date()
    return sum(
        int(cells_of_day(organization.id, day)["input_tokens"].sum()) for day in (today - timedelta(days=1), today)
    )


def test_files_are_imported_into_the_source_that_was_chosen(signed_in: Client, organization: Any) -> None:
    made(signed_in, "activity", name="Sheets")
    (source,) = sources(organization)
    content = json.dumps(make_record("a")).encode()

    signed_in.post(
        "/sources/import/", {"file": SimpleUploadedFile("r.jsonl", content), "connection": str(source.id), "source": ""}
    )
    wrong = signed_in.post(
        "/sources/import/",
        {"file": SimpleUploadedFile("r.jsonl", content), "connection": str(source.id), "source": "focus"},
    )

    assert wrong.status_code == 400
    with organization_scope(organization.id):
        assert [batch.source_id for batch in services_batches(organization)] == [source.id]
