"""LiteLLM's callback at its door: committed before the answer, refused in words, and read once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection

from core.organizations.tenancy import organization_scope
from tests.ingestion.sources.samples import PAYLOADS, requests

pytestmark = pytest.mark.usefixtures("committed_db")

DOOR = "/api/v1/sources/litellm"
BODIES = [request.body for request in requests("litellm", "generic-api-1.106.2.jsonl")]


def test_events_are_taken_and_counted_once(post: Any, drained: Any) -> None:
    first, again = (post(DOOR, BODIES[1]) for _ in range(2))

    assert (first.status_code, first.json()["received"]) == (202, 5)
    assert drained(first.json()["batch"])["counts"]["written"] == 5
    assert drained(again.json()["batch"])["counts"]["duplicate"] == 5


def test_lines_are_sent_as_json_too(post: Any, drained: Any) -> None:
    lines = b"\n".join(json.dumps(event).encode() for event in json.loads(BODIES[1]))

    assert drained(post(DOOR, lines).json()["batch"])["counts"]["written"] == 5


def test_spend_log_of_calls_that_the_callback_sent_counts_nothing_twice(
    post: Any, organization: Any, drained: Any
) -> None:
    for body in BODIES:
        post(DOOR, body)
    rows = (PAYLOADS / "litellm" / "spend-logs.json").read_bytes()

    counts = drained(post(DOOR, rows).json()["batch"])["counts"]

    assert (counts["received"], counts["written"]) == (6, 0)
    assert counts["duplicate"] + counts["quarantined"] == 6
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select count(*), sum(requests), sum(input_tokens) from ledger_record")
        assert cursor.fetchone() == (6, 6, 1946)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b" ", "application/json", 400),
        (b"{", "application/json", 400),
        (b'[{"id": "1", "modelParameters": "{}", "usage": "Usage()"}]', "application/json", 400),
        (b"[]", "text/plain", 415),
        (b"[]", "application/json", 202),
    ],
)
def test_what_cannot_be_read_is_refused(post: Any, body: bytes, content_type: str, status: int) -> None:
    assert post(DOOR, body, content_type).status_code == status


def test_old_form_is_told_what_to_change(post: Any) -> None:
    answer = post(DOOR, b'[{"id": "1", "modelParameters": "{}", "usage": "Usage()"}]')

    assert "generic_api_use_v1" in answer.json()["detail"]


def test_messages_and_people_reach_neither_inbox_nor_quarantine(post: Any, organization: Any, drained: Any) -> None:
    events = json.loads(BODIES[1])
    events[0] |= {"prompt_tokens": -1, "messages": "SECRET", "end_user": "SECRET", "user_agent": "SECRET"}

    assert drained(post(DOOR, events).json()["batch"])["counts"]["quarantined"] == 1

    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select body from ingestion_payload")
        stored = b"".join(bytes(row[0]) for row in cursor.fetchall())
        cursor.execute("select * from ingestion_quarantine")
        stored += repr(cursor.fetchall()).encode()
    assert stored
    assert b"SECRET" not in stored
    assert b"cust-1" not in stored
