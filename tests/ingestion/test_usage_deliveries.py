"""Usage read again: overlapping pages, other widths, pages apart and late versions end in the same ledger as one tidy reading."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

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


def observation(name: str, version: int, tokens: int) -> dict[str, Any]:
    """Make one version of an observation; the first has neither end nor usage."""
    moment = datetime(2026, 10, 1, 9, version, tzinfo=UTC).isoformat()
    usage = {"endTime": moment, "usageDetails": {"input": tokens, "output": 1}} if version else {"usageDetails": {}}
    about = {"id": name, "type": "GENERATION", "startTime": "2026-10-01T09:00:00Z", "model": "gpt-4o"}
    return {**about, "traceId": "t", "updatedAt": moment, **usage}


@settings(
    deadline=None,
    max_examples=8,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    exports=st.lists(
        st.dictionaries(st.sampled_from("abc"), st.integers(0, 3), min_size=1),
        min_size=2,
        max_size=5,
    ),
    together=st.lists(st.booleans(), min_size=5, max_size=5),
    random=st.randoms(use_true_random=False),
)
def test_newest_version_of_an_observation_stands_in_whatever_order_files_come(
    deliver: Any, organization: Any, exports: list[dict[str, int]], together: list[bool], random: Any
) -> None:
    example = uuid4().hex  # the ledger is one for all examples
    before = deliver("langfuse", ("none.json", b'{"data": []}'))
    newest: dict[str, tuple[int, int]] = {}
    files = []
    for number, export in enumerate(exports):
        # what an observation says follows from its version
        seen = {name: (version, 100 * version + ord(name)) for name, version in export.items()}
        newest |= {name: max(newest.get(name, (0, 0)), each) for name, each in seen.items()}
        content = [observation(f"{example}-{name}", *each) for name, each in seen.items()]
        files.append((f"{number}.json", json.dumps({"data": content}).encode()))
    random.shuffle(files)
    deliveries: list[list[tuple[str, bytes]]] = []
    for file, joined in zip(files, together, strict=False):
        if joined and deliveries:
            deliveries[-1].append(file)
        else:
            deliveries.append([file])
    for delivery in [*deliveries, deliveries[0]]:
        after = deliver("langfuse", *delivery)

    assert after[0] - before[0] == sum(tokens for version, tokens in newest.values() if version)
    assert after[1] - before[1] == len(newest)
    with organization_scope(organization.id):
        assert selectors.quarantine(organization.id).count() == 0


def test_older_export_that_comes_late_is_outside_and_a_contradiction_is_quarantined(
    deliver: Any, organization: Any
) -> None:
    def send(name: str, *observations: dict[str, Any]) -> tuple[int, int]:
        return deliver("langfuse", (name, json.dumps({"data": observations}).encode()))  # type: ignore[no-any-return]

    assert send("new.json", observation("a", 2, 500)) == (500, 1)
    assert send("old.json", observation("a", 1, 300)) == (500, 1)
    assert send("other.json", observation("a", 2, 900)) == (500, 1)
    assert send("newer.json", observation("a", 3, 700)) == (700, 1)

    with organization_scope(organization.id):
        batches = list(selectors.batches(organization.id).order_by("received_at"))
        reasons = [(row.reason, row.field) for row in selectors.quarantine(organization.id)]
    assert [batch.counts["outside"] for batch in batches] == [0, 1, 0, 0]
    assert "newer version" in batches[1].log[-1]
    assert reasons == [("conflicting_duplicate", "updatedAt")]


def test_team_that_gave_its_seats_back_is_corrected_away(deliver: Any, organization: Any) -> None:
    header = "month,vendor,product,team,seats\n"
    lines = [f"2026-10,OpenAI,ChatGPT,{team},{seats}\n" for team, seats in (("A", 10), ("B", 5), ("C", 2))]

    deliver("assistant_seats", ("seats.csv", (header + "".join(lines)).encode()))
    deliver("assistant_seats", ("seats.csv", (header + "".join(lines[:2])).encode()))

    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select sum(seat_months) from ledger_record")
        assert float(cursor.fetchone()[0]) == 15
