"""Anthropic's usage and cost reports, on pages after the published reference."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from ingestion.sources import anthropic_usage
from ingestion.sources.base import UnreadablePayload
from tests.ingestion.sources.samples import PAYLOADS, activity_of, check, expected, read

USAGE = json.loads((PAYLOADS / "anthropic" / "usage-report-messages.json").read_text())
COST = json.loads((PAYLOADS / "anthropic" / "cost-report.json").read_text())


def page(like: dict[str, Any], **changes: Any) -> bytes:
    """A page whose first result is changed."""
    first, *others = like["data"][0]["results"]
    bucket = {**like["data"][0], "results": [{**first, **changes}, *others]}
    return json.dumps({**like, "data": [bucket]}).encode()


@pytest.mark.parametrize("entry", expected("anthropic", "anthropic_usage"))
def test_pages_reach_their_sums(entry: dict[str, Any]) -> None:
    parsed = [
        each for file in entry["files"] for each in read(anthropic_usage, (PAYLOADS / "anthropic" / file).read_bytes())
    ]

    assert sum(each.received for each in parsed) == entry["counts"]["received"]
    assert len(activity_of(parsed)) == entry["counts"]["written"]
    check(activity_of(parsed), entry)


def test_input_holds_what_was_written_to_and_read_from_the_cache() -> None:
    [parsed] = read(anthropic_usage, json.dumps(USAGE).encode())

    first = parsed.activity.iloc[0]
    assert first["input_tokens"] == 20_067 + 4 + 8_202 + 145_723
    assert (first["cached_input_tokens"], first["output_tokens"]) == (145_723, 18_846)
    assert (first["project"], first["model"], first["provider"]) == (
        "wrkspc_01SEARCH",
        "claude-sonnet-4-5-20250929",
        "anthropic",
    )
    assert parsed.activity["requests"].isna().all()
    assert first["flags"] == ("global_routing",)


def test_amounts_are_cents() -> None:
    """123.78912 cents of the sample are 1.2378912 dollars."""
    [parsed] = read(anthropic_usage, json.dumps(COST).encode())
    [credit] = read(anthropic_usage, page(COST, amount="-50.5"))

    assert parsed.activity["cost"].tolist() == [1.2378912]
    assert credit.activity["cost"].tolist() == [-0.505]
    assert parsed.activity["labels"].iloc[0]["token_type"] == "uncached_input_tokens"


def test_page_speaks_for_its_buckets_also_the_empty_one() -> None:
    [parsed] = read(anthropic_usage, json.dumps(USAGE).encode())

    assert {each.snapshot for each in parsed.cover} == {
        f"anthropic_usage:messages:{width}" for width in (60, 3600, 86400)
    }
    assert {(each.started_at, each.ended_at) for each in parsed.cover} == {
        (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 3, tzinfo=UTC))
    }


def test_subscriptions_are_a_report_of_their_own_by_product() -> None:
    [parsed] = read(anthropic_usage, page(USAGE, product="claude_code", requests=12, speed="fast"))

    first = parsed.activity.iloc[0]
    assert (first["application"], first["requests"]) == ("claude_code", 12)
    assert first["snapshot"] == "anthropic_usage:analytics_messages:86400"
    assert first["labels"]["speed"] == "fast"


def test_rows_by_dimension_are_read_like_buckets() -> None:
    """The newer analytics API answers rows: what they are grouped by, and their usage or cost."""
    common = {"starting_at": "2026-10-01T00:00:00Z", "ending_at": "2026-10-02T00:00:00Z"}
    group = {"product": "chat", "model": "claude-opus-5", "actor": {"email_address": "ada@example.org"}}
    usage = {
        "uncached_input_tokens": 10,
        "cache_creation": {"ephemeral_5m_input_tokens": 2, "ephemeral_1h_input_tokens": 3},
        "cache_read_input_tokens": 5,
        "output_tokens": 7,
        "requests": 2,
    }
    rows = [
        {**common, "group": group, "usage": usage},
        {**common, "group": group, "cost": {"amount": "1250", "list_amount": "2000", "currency": "USD"}},
    ]

    [parsed] = read(anthropic_usage, json.dumps({"data": rows}).encode())

    assert parsed.activity["input_tokens"].tolist()[0] == 20
    assert parsed.activity["cost"].tolist()[1] == 12.5
    assert parsed.activity["application"].tolist() == ["chat", "chat"]
    assert "ada" not in anthropic_usage.scrub(json.dumps({"data": rows}).encode(), "").decode()


@pytest.mark.parametrize(
    ("like", "changes", "field", "reason"),
    [
        (USAGE, {"uncached_input_tokens": None}, "uncached_input_tokens", "bad_field"),
        (USAGE, {"cache_read_input_tokens": -1}, "cache_read_input_tokens", "negative_quantity"),
        (USAGE, {"output_tokens": 1.5}, "output_tokens", "bad_field"),
        (COST, {"amount": "12,5"}, "amount", "bad_field"),
        (COST, {"amount": "NaN"}, "amount", "bad_field"),
        (COST, {"currency": "dollars"}, "currency", "bad_field"),
    ],
)
def test_bad_result_goes_alone(like: dict[str, Any], changes: dict[str, Any], field: str, reason: str) -> None:
    [parsed] = read(anthropic_usage, page(like, **changes))

    assert [(found.row, found.field, found.reason) for found in parsed.rejected] == [(1, field, reason)]
    assert len(parsed.activity) == len(like["data"][0]["results"]) - 1


def test_unknown_tier_is_kept_and_flagged() -> None:
    [parsed] = read(anthropic_usage, page(USAGE, service_tier="platinum"))

    first = parsed.activity.iloc[0]
    assert first["labels"]["service_tier"] == "platinum"
    assert "unknown_tier" in first["flags"]


def test_report_of_people_is_refused_with_the_one_to_use() -> None:
    report = {"data": [{"actor": {"email_address": "ada@example.org"}, "core_metrics": {"num_sessions": 3}}]}

    with pytest.raises(UnreadablePayload, match="usage_report/messages"):
        read(anthropic_usage, json.dumps(report).encode())


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"data": 1}', b'{"type": "error"}', b"\xff\xfe"])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(anthropic_usage, content)
