"""Langfuse's observations: which are calls of a model, how keys add up, and that later versions stand."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest

from ingestion.sources import langfuse
from ingestion.sources.base import Context, UnreadablePayload
from tests.ingestion.sources.samples import PAYLOADS, RECEIVED_AT, activity_of, check, expected, read

OBSERVATIONS = json.loads((PAYLOADS / "langfuse" / "observations-v2.json").read_text())["data"]
GENERATION = OBSERVATIONS[1]


def page(*observations: Any) -> bytes:
    return json.dumps({"data": observations, "meta": {"cursor": None}}).encode()


@pytest.mark.parametrize("entry", expected("langfuse", "langfuse"))
def test_observations_reach_their_sums(entry: dict[str, Any]) -> None:
    parsed = [each for file in entry["files"] for each in read(langfuse, (PAYLOADS / "langfuse" / file).read_bytes())]

    check(activity_of(parsed), entry)
    assert (sum(each.received for each in parsed), sum(each.outside for each in parsed)) == (4, 1)


def test_record_of_a_generation() -> None:
    [parsed] = read(langfuse, page(GENERATION))

    record = parsed.activity.iloc[0]
    assert (record["team"], record["project"], record["environment"]) == ("search", "helpdesk", "production")
    assert (record["model"], record["trace"], record["request"]) == ("gpt-4o-mini-2024-07-18", "tr-10", "obs-11")
    assert record["account"] == "cm5projlf1"


@pytest.mark.parametrize("kind", ["SPAN", "EVENT", "AGENT", "TOOL", "CHAIN", "RETRIEVER", "SOMETHING_NEW"])
def test_what_stands_around_a_call_is_outside(kind: str) -> None:
    [parsed] = read(langfuse, page({**GENERATION, "type": kind}))

    assert (parsed.outside, len(parsed.activity)) == (1, 0)


def test_split_counts_are_summed() -> None:
    """Anthropic's and OpenAI's splits as the SDKs send them: 10 + 20 + 30 read, 7 of output with 5 of reasoning beside."""
    usage = {
        "input": 10,
        "cache_read_input_tokens": 20,
        "cache_creation_input_tokens": 30,
        "output": 7,
        "output_reasoning": 5,
    }

    [parsed] = read(langfuse, page({**GENERATION, "usageDetails": {**usage, "total": 72}}))

    record = parsed.activity.iloc[0]
    assert (record["input_tokens"], record["cached_input_tokens"], record["output_tokens"]) == (60, 20, 12)


def test_later_version_in_a_file_counts() -> None:
    late = {**GENERATION, "updatedAt": "2026-10-02T00:00:00Z", "usageDetails": {"input": 5, "output": 6}}
    early = {**GENERATION, "updatedAt": "2026-10-01T10:00:00Z"}

    [parsed] = read(langfuse, page(late, early))

    assert parsed.activity["input_tokens"].tolist() == [5]
    assert (parsed.received, parsed.outside) == (2, 1)


def test_answer_speaks_for_nothing_but_what_stands_in_it() -> None:
    [parsed] = read(langfuse, page(GENERATION))

    assert parsed.cover == []
    assert parsed.activity["snapshot"].tolist() == ["langfuse:2026-10-01"]


def test_observation_without_an_end_is_an_instant_and_flagged() -> None:
    [parsed] = read(langfuse, page(OBSERVATIONS[3]))

    record = parsed.activity.iloc[0]
    assert record["started_at"] == record["ended_at"]
    assert record["flags"] == ("open_end",)


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"startTime": "yesterday"}, "startTime", "bad_field"),
        ({"endTime": "2026-10-01T08:00:00Z"}, "ended_at", "negative_interval"),
        ({"usageDetails": {"input": -1}}, "input_tokens", "negative_quantity"),
        ({"usageDetails": {"input": 1.5}}, "usageDetails", "bad_field"),
        ({"id": 7}, "id", "bad_field"),
    ],
)
def test_bad_observation_goes_alone(changes: dict[str, Any], field: str, reason: str) -> None:
    [parsed] = read(langfuse, page({**GENERATION, **changes}, OBSERVATIONS[2]))

    assert [(found.row, found.field, found.reason) for found in parsed.rejected] == [(1, field, reason)]
    assert len(parsed.activity) == 1


def test_content_and_people_are_dropped_before_storage() -> None:
    secret = "SECRET"
    loaded = {
        **GENERATION,
        **dict.fromkeys(("input", "output", "userId", "sessionId", "statusMessage", "name"), secret),
        "modelParameters": {"stop": secret},
        "metadata": {
            "question": f"what is {secret}?",
            "user": secret,
            "mail": f"{secret}@example.org",
            "team": "search",
        },
        "tags": [secret, f"user:{secret}", "team:search"],
    }

    stored = langfuse.scrub(page(loaded), "application/json")

    assert secret not in stored.decode()
    [parsed] = langfuse.parse(io.BytesIO(stored), Context(RECEIVED_AT))
    assert parsed.activity["team"].tolist() == ["search"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"error": "x"}', b'{"data": 1}'])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(langfuse, content)
