"""Usage read again: overlapping pages, other widths, pages apart and late versions end in the same ledger as one tidy reading."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client

from core.ledger.services import ensure_source, update_source
from core.organizations.tenancy import organization_scope
from ingestion import selectors, services
from tests.ingestion.sources.samples import PAYLOADS

pytestmark = [pytest.mark.usefixtures("committed_db", "woken"), pytest.mark.slow]

DAY_S = 86_400
FIRST_S = int(datetime(2026, 10, 1, tzinfo=UTC).timestamp())


@pytest.fixture
def deliver(organization: Any, token: str, client: Client) -> Any:
    """Upload files as one delivery, let a held one pass, and give the sums of the ledger: (input tokens, requests)."""

    def send(kind: str, *files: tuple[str, bytes]) -> tuple[int, int]:
        source = ensure_source(organization.id, kind)
        update_source(organization_id=organization.id, source_id=source.id, settings={"max_age_days": 36500})
        form = {"file": [SimpleUploadedFile(name, body) for name, body in files], "source": kind}
        answer = client.post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 202, answer.content
        services.drain_inbox(organization.id)
        with organization_scope(organization.id):
            batch = selectors.batches(organization.id).get(id=answer.json()["batch"])
        if batch.held:
            services.confirm_held(organization.id, batch.id)
            services.drain_inbox(organization.id)
        with organization_scope(organization.id), connection.cursor() as cursor:
            cursor.execute("select coalesce(sum(input_tokens), 0), coalesce(sum(requests), 0) from ledger_record")
            tokens, requests = cursor.fetchone()
        return int(tokens), int(requests)

    return send


def page(*buckets: tuple[int, int, int]) -> bytes:
    """A page of completions: (start in s after 1 October, width in s, input tokens), ten requests each."""
    data = [
        {
            "object": "bucket",
            "start_time": FIRST_S + start,
            "end_time": FIRST_S + start + width,
            "results": [
                {
                    "object": "organization.usage.completions.result",
                    "input_tokens": tokens,
                    "output_tokens": 1,
                    "num_model_requests": 10,
                    "project_id": "p",
                    "model": "gpt-4o",
                }
            ],
        }
        for start, width, tokens in buckets
    ]
    return json.dumps({"object": "page", "data": data, "has_more": False, "next_page": None}).encode()


def test_overlapping_pages_count_once_and_the_later_value_stands(deliver: Any) -> None:
    assert deliver("openai_usage", ("a.json", page((0, DAY_S, 100), (DAY_S, DAY_S, 200)))) == (300, 20)
    assert deliver("openai_usage", ("b.json", page((DAY_S, DAY_S, 250), (2 * DAY_S, DAY_S, 400)))) == (750, 30)
    assert deliver("openai_usage", ("a.json", page((0, DAY_S, 100), (DAY_S, DAY_S, 250)))) == (750, 30)


def test_hours_replace_the_day_that_they_fill(deliver: Any) -> None:
    hours = [(hour * 3600, 3600, 5) for hour in range(24)]

    assert deliver("openai_usage", ("day.json", page((0, DAY_S, 100), (DAY_S, DAY_S, 7)))) == (107, 20)
    assert deliver("openai_usage", ("hours.json", page(*hours))) == (127, 250)
    assert deliver("openai_usage", ("day.json", page((0, DAY_S, 100)))) == (107, 20)


def test_files_apart_leave_what_lies_between(deliver: Any) -> None:
    assert deliver("openai_usage", ("all.json", page(*((day * DAY_S, DAY_S, 10) for day in range(5))))) == (50, 50)

    ends = [("first.json", page((0, DAY_S, 11))), ("last.json", page((4 * DAY_S, DAY_S, 11)))]

    assert deliver("openai_usage", *ends) == (52, 50)


def test_observation_completed_later_is_corrected_and_no_other_vanishes(deliver: Any) -> None:
    observations = json.loads((PAYLOADS / "langfuse" / "observations-v2.json").read_text())["data"]
    completed = {**observations[3], "endTime": "2026-10-01T09:00:25Z", "usageDetails": {"input": 1000, "output": 90}}

    before = deliver("langfuse", ("page.json", json.dumps({"data": observations}).encode()))
    after = deliver("langfuse", ("late.json", json.dumps({"data": [completed]}).encode()))

    assert before == (872 + 881 + 607, 3)
    assert after == (872 + 881 + 1000, 3)


def test_team_that_gave_its_seats_back_is_corrected_away(deliver: Any, organization: Any) -> None:
    header = "month,vendor,product,team,seats\n"
    lines = [f"2026-10,OpenAI,ChatGPT,{team},{seats}\n" for team, seats in (("A", 10), ("B", 5), ("C", 2))]

    deliver("assistant_seats", ("seats.csv", (header + "".join(lines)).encode()))
    deliver("assistant_seats", ("seats.csv", (header + "".join(lines[:2])).encode()))

    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select sum(seat_months) from ledger_record")
        assert float(cursor.fetchone()[0]) == 15
