"""Bad input, class by class: a clear problem document or a quarantined row; nothing valid beside it is lost."""

from __future__ import annotations

import gzip
import io
import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
import zstandard
from django.conf import LazySettings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from pyarrow import parquet

from core.organizations import services as organizations
from core.organizations.models import ApiToken
from ingestion.models import Batch
from tests.ingestion.conftest import make_record, stamp

pytestmark = pytest.mark.usefixtures("committed_db")

NDJSON = "application/x-ndjson"
NOW = datetime.now(UTC)


def problem_of(answer: Any) -> tuple[int, str]:
    """Give status and kind of a problem document, which must name both."""
    assert answer["Content-Type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == answer.status_code
    assert body["detail"]
    return answer.status_code, body["type"].removeprefix("urn:wattledger:problem:")


# --- the body as a whole ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "content_type", "status", "kind"),
    [
        (b"[{]", "application/json", 400, "unreadable-payload"),
        (b"[1, 2", "application/json", 400, "unreadable-payload"),
        (b'["\xff\xfe"]', "application/json", 400, "unreadable-payload"),
        (b"not json", "application/json", 400, "unreadable-payload"),
        (b'"text"', "application/json; charset=utf-8", 400, "unreadable-payload"),
        (b'{"record_id": ', "application/json", 400, "unreadable-payload"),
        (b"  ", "application/json", 400, "empty-body"),
        (b"[]", "text/html", 415, "unknown-media-type"),
        (b"\xff\xff\xff\xff\x10\x00\x00\x00", "application/vnd.apache.arrow.stream", 400, "unreadable-payload"),
    ],
    ids=[
        "malformed",
        "truncated",
        "not UTF-8",
        "no JSON",
        "a text",
        "half an object",
        "empty",
        "media type",
        "truncated Arrow",
    ],
)
def test_an_unreadable_body_is_refused_whole(post: Any, body: bytes, content_type: str, status: int, kind: str) -> None:
    answer = post("/api/v1/activity", body, content_type)

    assert problem_of(answer) == (status, kind)
    assert nothing_stored()


def nothing_stored() -> bool:
    """Tell that no batch of any organization was made."""
    from core.organizations.models import Organization
    from core.organizations.tenancy import organization_scope

    for organization in Organization.objects.all():
        with organization_scope(organization.id):
            if Batch.objects.exists():
                return False
    return True


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress)],
)
def test_packed_bodies_are_read_and_broken_or_bombs_refused(
    post: Any, drained: Any, settings: LazySettings, encoding: str, pack: Any
) -> None:
    packed = pack(json.dumps([make_record()]).encode())
    settings.MAX_PAYLOAD_MB = 1

    answer = post("/api/v1/activity", packed, Content_Encoding=encoding)
    assert drained(answer.json()["batch"])["counts"]["written"] == 1

    truncated = post("/api/v1/activity", packed[:-6], Content_Encoding=encoding)
    assert problem_of(truncated) == (400, "broken-encoding")
    bomb = post("/api/v1/activity", pack(b" " * 50_000_000), Content_Encoding=encoding)
    assert problem_of(bomb) == (413, "too-large")


def test_an_unpacked_body_above_the_limit_is_too_large(post: Any, settings: LazySettings) -> None:
    settings.MAX_PAYLOAD_MB = 1

    assert problem_of(post("/api/v1/activity", b"[" + b" " * 1_100_000 + b"]")) == (413, "too-large")


def test_an_unknown_encoding_is_refused(post: Any) -> None:
    assert problem_of(post("/api/v1/activity", b"[]", Content_Encoding="br")) == (415, "unknown-encoding")


def test_other_methods_are_refused_with_those_that_work(client: Any) -> None:
    answer = client.get("/codecarbon/emissions")

    assert problem_of(answer) == (405, "method-not-allowed")
    assert answer["Allow"] == "POST"


# --- who sends --------------------------------------------------------------------------------------------------------


def test_wrong_revoked_and_expired_tokens_are_refused(post: Any, organization: Any, client: Any) -> None:
    token, revoked = organizations.issue_token(organization_id=organization.id, name="old", scopes=["ingest"])
    organizations.revoke_token(organization_id=organization.id, token_id=token.id)

    assert problem_of(post("/api/v1/activity", [make_record()], secret=revoked)) == (401, "unknown-token")
    assert problem_of(post("/api/v1/activity", [make_record()], secret="wl_1_nonsense")) == (401, "unknown-token")
    assert problem_of(client.post("/api/v1/activity", b"[]", content_type="application/json")) == (401, "no-token")
    assert ApiToken.objects.count() == 0  # none can be seen outside an organization's scope


def test_a_token_that_only_reads_may_not_send(post: Any, organization: Any) -> None:
    _, reader = organizations.issue_token(organization_id=organization.id, name="bi", scopes=["read"])

    assert problem_of(post("/api/v1/activity", [make_record()], secret=reader)) == (403, "missing-scope")


def test_a_token_sees_its_own_batches_only(post: Any, client: Any, organization: Any) -> None:
    batch = post("/api/v1/activity", [make_record()]).json()["batch"]
    _, other = organizations.issue_token(organization_id=organization.id, name="other", scopes=["ingest"])

    answer = client.get(f"/api/v1/batches/{batch}", headers={"Authorization": f"Bearer {other}"})

    assert problem_of(answer)[0] == 404


def test_records_of_two_organizations_never_meet(
    post: Any, drained: Any, other_organization: Any, organization: Any
) -> None:
    """The same id, also a project named like another organization's, is two records: one each."""
    from ingestion import services

    _, secret = organizations.issue_token(organization_id=other_organization.id, name="x", scopes=["ingest"])
    post("/api/v1/activity", [make_record(project="secret plan")], secret=secret)
    services.drain_inbox(other_organization.id)

    batch = drained(post("/api/v1/activity", [make_record(project="secret plan")]).json()["batch"])

    assert batch["counts"]["written"] == 1


# --- rows -------------------------------------------------------------------------------------------------------------

FUTURE = stamp(NOW + timedelta(days=2))
ROWS: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "wrong type": ({"input_tokens": "many"}, "input_tokens", "bad_field"),
    "unknown field": ({"colour": "red"}, "colour", "bad_field"),
    "negative": ({"input_tokens": -1}, "input_tokens", "negative_quantity"),
    "absurd": ({"energy_kwh": 1e300, "energy_boundary": "it"}, "energy_kwh", "bad_field"),
    "fits no integer": ({"output_tokens": 10**30}, "output_tokens", "bad_field"),
    "naive time": ({"started_at": "2026-11-20T10:00:00"}, "started_at", "bad_field"),
    "no time": ({"ended_at": "soon"}, "ended_at", "bad_field"),
    "future": ({"started_at": FUTURE, "ended_at": FUTURE}, "ended_at", "clock_skew"),
    "end before start": (
        {"ended_at": "2026-01-01T00:00:00Z", "started_at": "2026-01-02T00:00:00Z"},
        "ended_at",
        "negative_interval",
    ),
    "too old": ({"started_at": "2001-01-01T00:00:00Z", "ended_at": "2001-01-01T00:00:00Z"}, "started_at", "too_old"),
    "unknown stage": ({"stage": "dreaming"}, "stage", "bad_field"),
    "id too long": ({"record_id": "x" * 201}, "record_id", "bad_field"),
    "id with control characters": ({"record_id": "a\u0000b"}, "record_id", "bad_field"),
    "energy without boundary": ({"energy_kwh": 1.0}, "energy_boundary", "bad_field"),
    "label that is a list": ({"labels": {"team": ["a"]}}, "labels", "bad_field"),
}


@pytest.mark.parametrize(("fields", "field", "reason"), ROWS.values(), ids=ROWS)
def test_a_bad_row_is_quarantined_beside_good_ones(
    post: Any, drained: Any, fields: dict[str, Any], field: str | None, reason: str
) -> None:
    answer = post("/api/v1/activity", [make_record("first"), make_record("odd") | fields, make_record("last")])

    batch = drained(answer.json()["batch"])
    assert answer.status_code == 202
    assert batch["counts"] == {"received": 3, "written": 2, "duplicate": 0, "quarantined": 1, "outside": 0}
    assert [(row["row"], row["reason"]) for row in batch["rejected"]] == [(2, reason)]
    assert batch["rejected"][0]["field"].split(".")[0] == field


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_spoil_their_line_only(post: Any, drained: Any, number: str) -> None:
    odd = json.dumps(make_record("odd", generation_s=0)).replace('"generation_s": 0', f'"generation_s": {number}')

    answer = post("/api/v1/activity", "\n".join([odd, json.dumps(make_record("good"))]).encode(), NDJSON)

    counts = drained(answer.json()["batch"])["counts"]
    assert (counts["written"], counts["quarantined"]) == (1, 1)


def test_unknown_names_are_kept_as_reported(post: Any, drained: Any) -> None:
    record = make_record(model="model-nobody-knows", region="atlantis-1", hardware="abacus", instance_type="x99.huge")

    assert drained(post("/api/v1/activity", [record]).json()["batch"])["counts"]["written"] == 1


def test_an_id_with_other_content_is_quarantined_and_the_first_stays(post: Any, drained: Any) -> None:
    drained(post("/api/v1/activity", [make_record("same")]).json()["batch"])

    batch = drained(post("/api/v1/activity", [make_record("same", input_tokens=7)]).json()["batch"])

    assert [row["reason"] for row in batch["rejected"]] == ["conflicting_duplicate"]


def test_a_parquet_without_its_columns_says_which(post: Any, client: Any, token: str, drained: Any) -> None:
    target = io.BytesIO()
    parquet.write_table(pa.table({"record_id": ["a"], "input_tokens": [1]}), target)
    form = {"file": SimpleUploadedFile("activity.parquet", target.getvalue()), "source": "activity"}

    answer = client.post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})

    batch = drained(answer.json()["batch"])
    said = json.dumps(batch)
    assert batch["counts"]["written"] == 0
    assert "started_at" in said


def test_a_truncated_gzip_file_is_refused_with_its_reason(client: Any, token: str, woken: Any) -> None:
    packed = gzip.compress(b"BillingAccountId,ChargePeriodStart\n" * 5000)[:-20]
    form = {"file": SimpleUploadedFile("bill.csv.gz", packed), "source": "focus"}

    answer = client.post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})

    assert answer.status_code == 400
    assert "truncated" in answer.json()["detail"]


def test_a_file_of_no_known_format_is_refused(client: Any, token: str, woken: Any) -> None:
    form = {"file": SimpleUploadedFile("notes.txt", b"hello")}

    answer = client.post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})

    assert problem_of(answer) == (422, "unknown-format")


@pytest.mark.parametrize("form", [{}, {"source": "focus"}])
def test_an_upload_without_a_file_is_refused(client: Any, token: str, form: dict[str, str]) -> None:
    answer = client.post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})

    assert problem_of(answer) == (400, "no-file")


# --- repeated requests and a database that is away --------------------------------------------------------------------


def test_an_idempotency_key_gives_the_first_answer_and_refuses_other_content(post: Any) -> None:
    body = [make_record()]

    first = post("/api/v1/activity", body, Idempotency_Key="k1")
    again = post("/api/v1/activity", body, Idempotency_Key="k1")
    other = post("/api/v1/activity", [make_record("other")], Idempotency_Key="k1")

    assert first.json() == again.json()
    assert problem_of(other) == (422, "idempotency-key-reused")


def test_keys_of_two_tokens_are_their_own(post: Any, organization: Any) -> None:
    _, other = organizations.issue_token(organization_id=organization.id, name="other", scopes=["ingest"])

    first = post("/api/v1/activity", [make_record()], Idempotency_Key="k1")
    second = post("/api/v1/activity", [make_record("b")], secret=other, Idempotency_Key="k1")

    assert (first.status_code, second.status_code) == (202, 202)


def test_a_database_that_is_away_is_busy_never_an_error(post: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr("ingestion.http.activity.accept_payload", away)
    monkeypatch.setattr("ingestion.http.otlp.accept_payload", away)

    answer = post("/api/v1/activity", [make_record()])

    assert problem_of(answer) == (503, "busy")
    assert answer["Retry-After"]


def test_waiting_answers_the_batch_when_it_is_done_in_time(post: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from ingestion import services, wake

    monkeypatch.setattr(wake, "drain", services.drain_inbox)

    answer = post("/api/v1/activity?wait=5", [make_record()])

    assert (answer.status_code, answer.json()["state"]) == (200, "done")
    assert problem_of(post("/api/v1/activity?wait=long", [make_record()])) == (400, "bad-parameter")
