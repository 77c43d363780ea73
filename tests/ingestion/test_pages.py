"""Sources, imports, batches and quality, as a person uses them."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from core.accounting.services import derive_dirty_days
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.organizations import services as organizations
from core.organizations.models import Role
from core.organizations.tenancy import organization_scope
from ingestion import selectors, services
from ingestion.models import State
from tests.ingestion.sources.test_otlp import CHAT, span
from tests.ingestion.sources.test_otlp import body as traces
from tests.ingestion.sources.test_otlp_metrics import SECOND, tokens, usage
from tests.ingestion.sources.test_otlp_metrics import body as metrics

HOUR = 3600 * SECOND

pytestmark = pytest.mark.usefixtures("committed_db", "woken")


@pytest.fixture
def signed_in(client: Client, organization: Any, person: Any) -> Client:
    organizations.add_member(organization_id=organization.id, person=person, role=Role.SUSTAINABILITY_LEAD)
    client.force_login(person)
    return client


def upload(client: Client, content: bytes, name: str = "records.jsonl", **form: str) -> Any:
    return client.post("/sources/import/", {"file": SimpleUploadedFile(name, content), **form})


def lines(*records: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(record).encode() for record in records)


def test_pages_say_what_to_do_when_nothing_has_arrived(signed_in: Client) -> None:
    assert b"No source yet" in signed_in.get("/sources/").content
    assert b"Nothing in quarantine" in signed_in.get("/quality/").content
    assert signed_in.get("/sources/batches/").status_code == 200
    assert signed_in.get("/sources/import/").status_code == 200


def test_a_dry_run_counts_and_writes_nothing_then_is_imported(
    signed_in: Client, organization: Any, record: Any, batch_of: Any
) -> None:
    answer = upload(signed_in, lines(record("a"), record("b"), record("c", model=7)), dry_run="on")
    dry = re.search(r"batches/([0-9a-f-]{36})/", answer["Location"])[1]
    assert b"hx-get" in signed_in.get(answer["Location"]).content
    services.drain_inbox(organization.id)

    page = signed_in.get(answer["Location"]).content.decode()
    assert "Import it" in page
    assert "as understood" in page
    assert batch_of(dry).counts == {"received": 3, "written": 2, "duplicate": 0, "quarantined": 1, "outside": 0}
    assert quarantined(organization) == 0

    committed = signed_in.post(f"/sources/batches/{dry}/commit/")
    services.drain_inbox(organization.id)
    real = re.search(r"batches/([0-9a-f-]{36})/", committed["Location"])[1]
    assert batch_of(real).counts["written"] == 2
    assert quarantined(organization) == 1
    assert b"bad_field" in signed_in.get("/quality/").content


def quarantined(organization: Any) -> int:
    with organization_scope(organization.id):
        return selectors.quarantine(organization.id).count()


def test_an_unknown_format_is_said_beside_the_field(signed_in: Client) -> None:
    answer = upload(signed_in, b"hello, world", "notes.txt")

    assert answer.status_code == 400
    assert b"looks like none of the formats" in answer.content


@pytest.mark.parametrize(
    ("content", "filename", "said"),
    [
        (b"PK\x03\x04\x14\x00\x00\x00\x08\x00bill.csv", "bill.zip", b"is a ZIP archive. Unpack it"),
        ("BilledCost,Tags\n1,2\n".encode("utf-16"), "bill.csv", b"is in UTF-16. Save it in UTF-8."),
        (b"\n<!DOCTYPE html><title>403 Forbidden</title>", "usage.json", b"is a web page"),
    ],
)
def test_what_was_sent_by_mistake_is_called_by_its_name(
    signed_in: Client, content: bytes, filename: str, said: bytes
) -> None:
    answer = upload(signed_in, content, filename)

    assert answer.status_code == 400
    assert said in answer.content


def test_rows_are_discarded_only_with_a_reason(signed_in: Client, organization: Any, record: Any) -> None:
    upload(signed_in, lines(record("a", model=7)))
    services.drain_inbox(organization.id)
    group = {"source_id": source_id(organization), "reason": "bad_field"}

    signed_in.post("/quality/discard/", {**group, "why": " "})
    assert quarantined(organization) == 1

    signed_in.post("/quality/discard/", {**group, "why": "sent by a broken test"})
    assert quarantined(organization) == 0


def source_id(organization: Any) -> int:
    with organization_scope(organization.id):
        return selectors.quarantine(organization.id)[0].source_id


@pytest.mark.parametrize("verb", ["discard", "replay"])
def test_rows_are_decided_about_by_source_and_reason_only(
    signed_in: Client, organization: Any, record: Any, verb: str
) -> None:
    upload(signed_in, lines(record("a", model=7)))
    services.drain_inbox(organization.id)

    for group in ({}, {"source_id": source_id(organization)}, {"reason": "bad_field"}, {"source_id": "x"}):
        answer = signed_in.post(f"/quality/{verb}/", {**group, "why": "all of them"}, follow=True)
        assert b"of one source, under one reason" in answer.content

    assert quarantined(organization) == 1


def test_every_row_of_a_group_can_be_seen(signed_in: Client, organization: Any, record: Any) -> None:
    upload(signed_in, lines(*(record(f"r{at:02}", model=7) for at in range(60))))
    services.drain_inbox(organization.id)
    address = f"/quality/{source_id(organization)}/bad_field/"
    assert address in signed_in.get("/quality/").content.decode()

    first = signed_in.get(address).content.decode()
    second = signed_in.get(address + re.search(r'href="(\?after=\d+)"', first)[1]).content.decode()  # type: ignore[index]

    assert [first.count(f'"id">r{at:02}<') + second.count(f'"id">r{at:02}<') for at in range(60)] == [1] * 60
    assert "?after=" not in second
    assert signed_in.get("/quality/999999/bad_field/").status_code == 404


def test_another_organizations_batch_is_not_found(
    signed_in: Client, organization: Any, other_organization: Any, record: Any
) -> None:
    _, secret = organizations.issue_token(organization_id=other_organization.id, name="x", scopes=["ingest"])
    foreign = (
        Client()
        .post(
            "/api/v1/activity",
            [record()],
            content_type="application/json",
            headers={"Authorization": f"Bearer {secret}"},
        )
        .json()["batch"]
    )

    assert signed_in.get(f"/sources/batches/{foreign}/").status_code == 404
    assert signed_in.post(f"/sources/batches/{foreign}/commit/").status_code == 404
    assert signed_in.get(f"/api/v1/batches/{foreign}").status_code == 404
    assert signed_in.get(f"/api/v1/batches/{foreign}/rejected").status_code == 404


def test_the_templates_can_be_filled_in_and_imported(signed_in: Client, organization: Any, batch_of: Any) -> None:
    template = signed_in.get("/sources/import/template.csv")

    answer = upload(signed_in, template.content, "activity.csv")
    services.drain_inbox(organization.id)

    batch = batch_of(re.search(r"batches/([0-9a-f-]{36})/", answer["Location"])[1])
    assert batch.state == State.DONE
    assert batch.received == 1


def test_a_member_sees_no_sources(client: Client, organization: Any, person: Any) -> None:
    organizations.add_member(organization_id=organization.id, person=person, role=Role.MEMBER)
    client.force_login(person)

    assert [client.get(path).status_code for path in ("/sources/", "/sources/import/", "/quality/")] == [403] * 3


def test_an_experiment_gives_its_runs_a_team(signed_in: Client, organization: Any, post: Any, drained: Any) -> None:
    from tests.ingestion.test_codecarbon_door import emission_body, run_body

    made = signed_in.post("/sources/experiments/", {"name": "llama", "team": "nlp", "stage": "training", "pue": "1.2"})
    again = signed_in.post("/sources/experiments/", {"name": "llama"})
    page = signed_in.get("/sources/experiments/").content.decode()
    experiment = re.search(r"[0-9a-f]{8}-[0-9a-f-]{27}", page)[0]

    run_id = post("/codecarbon/runs", run_body(experiment_id=experiment)).json()["id"]
    drained(post("/codecarbon/emissions", emission_body(run_id)).json())

    assert (made.status_code, again.status_code) == (302, 400)
    assert series(organization, "team", "stage", "energy_boundary") == [("nlp", "training", "facility")]


def series(organization: Any, *columns: str) -> list[tuple[Any, ...]]:
    from core.ledger.models import Series

    with organization_scope(organization.id):
        return list(Series.objects.values_list(*columns))


def test_a_paused_source_keeps_its_batches_waiting(
    signed_in: Client, organization: Any, post: Any, batch_of: Any, record: Any
) -> None:
    batch = post("/api/v1/activity", [record()]).json()["batch"]
    source = batch_of(batch).source_id

    signed_in.post(f"/sources/{source}/pause/", {"paused": "1"})
    services.drain_inbox(organization.id)
    assert batch_of(batch).state == State.PENDING
    assert b"paused" in signed_in.get("/sources/").content

    signed_in.post(f"/sources/{source}/pause/", {"paused": "0"})
    services.drain_inbox(organization.id)
    assert batch_of(batch).state == State.DONE


def test_service_whose_spans_miss_tokens_of_its_metrics_is_shown(
    signed_in: Client, organization: Any, post: Any
) -> None:
    """An exporter sends both through the door: metrics of 1,000 tokens of output, spans of 700."""
    load_factor_set(load_pack())
    began = (time.time_ns() // HOUR - 1) * HOUR  # an hour lies on one day
    times = {"startTimeUnixNano": str(began), "timeUnixNano": str(began + 60 * SECOND)}
    resource = {"service.name": "rag-api"}
    call = span(
        CHAT | {"gen_ai.usage.output_tokens": 700},
        startTimeUnixNano=str(began),
        endTimeUnixNano=str(began + 60 * SECOND),
    )
    post("/otlp/v1/traces", traces(call, resource=resource))
    post("/otlp/v1/metrics", metrics(tokens(usage(1000, "output") | times), resource=resource))
    services.drain_inbox(organization.id)
    while derive_dirty_days(organization.id).left:
        pass

    page = signed_in.get("/quality/").content.decode()

    row = re.search(r'<th scope="row">rag-api</th>.*?</tr>', page, re.DOTALL)[0]
    cells = [" ".join(cell.split()) for cell in re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL)]
    assert cells == ["otlp", "700", "1,000", "−30 %"]
