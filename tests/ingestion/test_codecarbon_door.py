"""The CodeCarbon client's API: what its trackers send is kept within milliseconds, and counts once."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection

from core.organizations import services as organizations
from core.organizations.tenancy import organization_scope
from ingestion import payloads, services
from ingestion.models import CodeCarbonRun
from ingestion.sources.byte_streams import open_maybe_compressed

pytestmark = pytest.mark.usefixtures("committed_db")

EXPERIMENT = "11111111-2222-4333-8444-555555555555"


def run_body(**fields: Any) -> dict[str, Any]:
    return {
        "timestamp": datetime.now(UTC).isoformat(),
        "experiment_id": EXPERIMENT,
        "os": "Linux",
        "python_version": "3.11.7",
        "codecarbon_version": "3.3.2",
        "cpu_count": 8,
        "cpu_model": "AMD EPYC",
        "gpu_count": None,
        "gpu_model": "",
        "ram_total_size": 31.2,
        "region": "eu-west-3",
        "provider": "aws",
        "tracking_mode": "machine",
    } | fields


def emission_body(run_id: str, **fields: Any) -> dict[str, Any]:
    return {
        "timestamp": (datetime.now(UTC) - timedelta(minutes=1)).isoformat(),
        "run_id": run_id,
        "duration": 60,
        "emissions_sum": 0.0001,
        "emissions_rate": 0.000001,
        "cpu_energy": 0.001,
        "gpu_energy": 0.0,
        "ram_energy": 0.0005,
        "energy_consumed": 0.0015,
    } | fields


@pytest.fixture
def run_id(post: Any) -> str:
    return str(post("/codecarbon/runs", run_body()).json()["id"])


def test_an_emission_is_written_once_however_often_it_comes(post: Any, drained: Any, run_id: str) -> None:
    body = emission_body(run_id)

    first = post("/codecarbon/emissions", body)
    again = post("/codecarbon/emissions", body)

    assert (first.status_code, again.status_code) == (201, 201)
    assert drained(first.json())["counts"]["written"] == 1
    assert drained(again.json())["counts"]["duplicate"] == 1


def test_the_client_token_header_and_doubled_slashes_are_taken(client: Any, token: str, woken: Any) -> None:
    answer = client.post(
        "/codecarbon//runs", run_body(), content_type="application/json", headers={"x-api-token": token}
    )

    assert answer.status_code == 201


@pytest.mark.parametrize(
    ("fields", "status", "field"),
    [
        ({"run_id": "None"}, 422, "run_id"),
        ({"run_id": str(uuid4())}, 404, "run_id"),
        ({"energy_consumed": -1.0}, 422, "energy_consumed"),
        ({"duration": 0}, 422, "duration"),
        ({"timestamp": "yesterday"}, 422, "timestamp"),
    ],
)
def test_a_wrong_emission_names_the_field(
    post: Any, run_id: str, fields: dict[str, Any], status: int, field: str
) -> None:
    answer = post("/codecarbon/emissions", emission_body(run_id) | fields)

    assert (answer.status_code, answer.json()["field"]) == (status, field)


def test_an_implausible_energy_is_taken_and_quarantined(post: Any, drained: Any, run_id: str) -> None:
    answer = post("/codecarbon/emissions", emission_body(run_id, energy_consumed=5000.0))

    batch = drained(answer.json())
    assert answer.status_code == 201
    assert [row["reason"] for row in batch["rejected"]] == ["implausible_energy"]


def test_the_run_of_another_organization_does_not_exist(post: Any, run_id: str, other_organization: Any) -> None:
    secret = organizations.issue_token(organization_id=other_organization.id, name="x", scopes=["ingest"])[1]

    assert post("/codecarbon/emissions", emission_body(run_id), secret=secret).status_code == 404


def test_calls_of_the_public_service_are_not_offered(client: Any) -> None:
    answer = client.get("/codecarbon/organizations")

    assert answer.status_code == 501
    assert "experiment_id" in answer.json()["detail"]


def test_the_http_output_carries_its_token_in_the_address(client: Any, token: str, woken: Any, drained: Any) -> None:
    body = {
        "timestamp": "2026-11-22T01:50:17",
        "project_name": "summarizer",
        "run_id": "None",
        "experiment_id": EXPERIMENT,
        "duration": 7.5,
        "emissions": 9.7e-08,
        "energy_consumed": 2.4e-05,
        "cpu_energy": 1e-05,
        "gpu_energy": 0.0,
        "ram_energy": 1.4e-05,
        "country_iso_code": "DEU",
        "tracking_mode": "process",
        "user": "ada",
    }

    answer = client.post(f"/codecarbon/http-output/{token}", body, content_type="application/json")

    assert answer.status_code == 201
    assert drained(answer.json())["counts"]["written"] == 1
    assert client.post("/codecarbon/http-output/wl_1_wrong", body, content_type="application/json").status_code == 401


def test_runs_that_measure_one_machine_at_once_are_numbered(post: Any, organization: Any) -> None:
    bodies = [run_body(), run_body(), run_body(cpu_model="Intel Xeon"), run_body(tracking_mode="process"), run_body()]

    ids = [post("/codecarbon/runs", body).json()["id"] for body in bodies]

    with organization_scope(organization.id):
        kept = {str(run.id): run.body["concurrent"] for run in CodeCarbonRun.objects.all()}
    assert [kept[run_id] for run_id in ids] == [0, 1, 0, 0, 2]


def test_a_client_cannot_number_its_runs_itself(post: Any, organization: Any) -> None:
    run_id = post("/codecarbon/runs", run_body(concurrent=7, tracking_mode="process")).json()["id"]

    with organization_scope(organization.id):
        assert CodeCarbonRun.objects.get(id=run_id).body["concurrent"] == 0


def test_a_run_that_is_no_longer_heard_of_leaves_its_number(post: Any, organization: Any) -> None:
    first = post("/codecarbon/runs", run_body()).json()["id"]
    with organization_scope(organization.id):
        CodeCarbonRun.objects.filter(id=first).update(created_at=datetime.now(UTC) - timedelta(minutes=16))

    second = post("/codecarbon/runs", run_body()).json()["id"]

    with organization_scope(organization.id):
        assert CodeCarbonRun.objects.get(id=second).body["concurrent"] == 0


def test_coordinates_of_a_run_are_not_stored_but_tell_places_apart(post: Any, organization: Any) -> None:
    places = [(8.7, 50.1), (8.7, 50.1), (2.3, 48.9), (-71.2, 46.8)]
    bodies = [run_body(longitude=lon, latitude=lat, provider=None, region=None, place="x") for lon, lat in places]

    ids = [post("/codecarbon/runs", body).json()["id"] for body in bodies]

    with organization_scope(organization.id):
        kept = {str(run.id): run.body for run in CodeCarbonRun.objects.all()}
    assert not any({"longitude", "latitude"} & body.keys() for body in kept.values())
    assert [kept[run_id]["concurrent"] for run_id in ids] == [0, 1, 0, 0]
    assert [kept[run_id]["unlocated"] for run_id in ids] == [False, False, False, True]
    assert not any(str(number) in str(kept[ids[2]].values()) for number in places[2])


def read_stored(body: Any, location: str | None, encoding: str) -> str:
    """Read what the inbox keeps, in its row or as a file."""
    if body is not None:
        return payloads.unpack(bytes(body), encoding, 10**6).decode()
    with payloads.open_stored(location or "") as stream:
        return open_maybe_compressed(stream).read().decode()


def test_coordinates_reach_neither_ledger_nor_inbox_nor_quarantine(
    client: Any, token: str, post: Any, organization: Any, woken: Any
) -> None:
    """By all three ways of the client, and in a row that is refused; the country is the client's own word."""
    where = {"longitude": 8.6821, "latitude": 50.1109}
    run_id = post("/codecarbon/runs", run_body(**where, provider=None, region=None)).json()["id"]
    post("/codecarbon/emissions", emission_body(run_id, **where))
    now = datetime.now(UTC).replace(tzinfo=None).isoformat(timespec="seconds")
    totals = {
        "timestamp": now,
        "project_name": "p",
        "duration": 60,
        "emissions": 0.1,
        "tracking_mode": "machine",
        "country_iso_code": "DEU",
        "energy_consumed": 0.001,
        **where,
    }
    for run, energy in (("a", 0.001), ("b", -1)):
        body = totals | {"run_id": run, "energy_consumed": energy}
        client.post(f"/codecarbon/http-output/{token}", body, content_type="application/json")
        table = io.StringIO()
        writer = csv.DictWriter(table, list(body))
        writer.writeheader()
        writer.writerow(body)
        form = {"file": SimpleUploadedFile("emissions.csv", table.getvalue().encode()), "source": "codecarbon_csv"}
        client.post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})
    services.drain_inbox(organization.id)

    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select zone, count(*) from ledger_series group by 1 order by 1")
        assert cursor.fetchall() == [("DEU", 2), (None, 1)]
        cursor.execute("select body, location, encoding from ingestion_payload")
        stored = [read_stored(*row) for row in cursor.fetchall()]
        cursor.execute("select payload::text from ingestion_quarantine")
        refused = [text for (text,) in cursor.fetchall()]
        cursor.execute("select body::text from ingestion_codecarbon_run")
        runs = [text for (text,) in cursor.fetchall()]
        cursor.execute("select labels::text from ledger_series")
        labels = [text for (text,) in cursor.fetchall()]
    assert len(refused) == 2
    assert len(stored) == 5
    for text in [*stored, *refused, *runs, *labels]:
        assert "8.68" not in text
        assert "50.11" not in text
