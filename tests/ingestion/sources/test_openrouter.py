"""OpenRouter's activity, on items after its own client library's types."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion.sources import openrouter
from ingestion.sources.base import UnreadablePayload
from tests.ingestion.sources.samples import PAYLOADS, activity_of, check, expected, read

ACTIVITY = json.loads((PAYLOADS / "openrouter" / "activity.json").read_text())


def items(**changes: Any) -> bytes:
    first, *others = ACTIVITY["data"]
    return json.dumps({"data": [{**first, **changes}, *others]}).encode()


@pytest.mark.parametrize("entry", expected("openrouter", "openrouter"))
def test_activity_reaches_its_sums(entry: dict[str, Any]) -> None:
    parsed = [
        each for file in entry["files"] for each in read(openrouter, (PAYLOADS / "openrouter" / file).read_bytes())
    ]

    assert len(activity_of(parsed)) == entry["counts"]["written"]
    check(activity_of(parsed), entry)


def test_host_is_the_provider_and_the_day_is_utc() -> None:
    [parsed] = read(openrouter, items(provider_name="Amazon Bedrock"))

    first = parsed.activity.iloc[0]
    assert (first["provider"], first["model"]) == ("aws", "openai/gpt-4.1-2025-04-14")
    assert (first["started_at"], first["ended_at"]) == (
        datetime(2026, 10, 1, tzinfo=UTC),
        datetime(2026, 10, 2, tzinfo=UTC),
    )


def test_answers_for_days_apart_speak_for_those_days_only() -> None:
    later = items(date="2026-10-20")

    [parsed] = read(openrouter, later)

    assert [(each.started_at.day, each.ended_at.day) for each in parsed.cover] == [(2, 4), (20, 21)]  # type: ignore[union-attr]


def test_money_of_an_own_key_is_billed_elsewhere() -> None:
    [parsed] = read(openrouter, items(usage=0.1, byok_usage_inference=9.0))

    assert parsed.activity["cost"].iloc[0] == 0.1


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"date": "01.10.2026"}, "date", "bad_field"),
        ({"prompt_tokens": -1}, "input_tokens", "negative_quantity"),
        ({"requests": "8"}, "requests", "bad_field"),
    ],
)
def test_bad_item_goes_alone(changes: dict[str, Any], field: str, reason: str) -> None:
    [parsed] = read(openrouter, items(**changes))

    assert [(found.row, found.field, found.reason) for found in parsed.rejected] == [(1, field, reason)]
    assert len(parsed.activity) == 2


def test_today_waits_until_it_is_over() -> None:
    [parsed] = read(openrouter, items(), received_at=datetime(2026, 10, 3, 9, tzinfo=UTC))

    assert (len(parsed.activity), parsed.outside) == (2, 1)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"error": {"code": 401}}'])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(openrouter, content)
