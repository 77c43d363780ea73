"""OpenAI's organization usage and costs, on pages that its own client library accepts."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from core.quantification.rejections import Cover
from ingestion.sources import openai_usage
from ingestion.sources.base import UnreadablePayload
from tests.ingestion.sources.samples import PAYLOADS, activity_of, check, expected, read

PAGE = json.loads((PAYLOADS / "openai" / "usage-completions-page1.json").read_text())


def page(**changes: Any) -> bytes:
    result = {**PAGE["data"][0]["results"][0], **changes}
    bucket = {**PAGE["data"][0], "results": [result, PAGE["data"][0]["results"][1]]}
    return json.dumps({**PAGE, "data": [bucket]}).encode()


@pytest.mark.parametrize("entry", expected("openai", "openai_usage"))
def test_pages_reach_their_sums(entry: dict[str, Any]) -> None:
    parsed = [each for file in entry["files"] for each in read(openai_usage, (PAYLOADS / "openai" / file).read_bytes())]

    assert sum(each.received for each in parsed) == entry["counts"]["received"]
    assert len(activity_of(parsed)) == entry["counts"]["written"]
    check(activity_of(parsed), entry)


def test_page_speaks_for_the_buckets_it_holds_in_every_width() -> None:
    [parsed] = read(openai_usage, json.dumps(PAGE).encode())

    assert parsed.cover == [
        Cover(
            f"openai_usage:completions:{width}",
            {},
            datetime(2026, 10, 1, tzinfo=UTC),
            datetime(2026, 10, 3, tzinfo=UTC),
            told_otherwise=width != 86400,  # the page's buckets are days
        )
        for width in (3600, 60, 86400)
    ]
    assert set(parsed.activity["snapshot"]) == {"openai_usage:completions:86400"}


def test_pages_apart_do_not_speak_for_what_lies_between() -> None:
    later = json.loads(json.dumps(PAGE))
    for bucket in later["data"]:
        bucket["start_time"] += 10 * 86400
        bucket["end_time"] += 10 * 86400

    [parsed] = read(openai_usage, json.dumps([PAGE, later]).encode())

    days = {(each.started_at.day, each.ended_at.day) for each in parsed.cover}  # type: ignore[union-attr]
    assert days == {(1, 3), (11, 13)}


def test_keys_hold_what_was_grouped_by_and_no_quantity() -> None:
    [before] = read(openai_usage, page())
    [after] = read(openai_usage, page(input_tokens=1))
    [other] = read(openai_usage, page(model="gpt-9"))

    assert before.activity["record_id"].tolist() == after.activity["record_id"].tolist()
    assert before.activity["record_id"].iloc[0] != other.activity["record_id"].iloc[0]


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"input_tokens": "12"}, "input_tokens", "bad_field"),
        ({"num_model_requests": -1}, "requests", "negative_quantity"),
        ({"output_tokens": 2**63}, "output_tokens", "bad_field"),
        ({"object": "organization.something.else"}, "object", "unsupported_version"),
    ],
)
def test_bad_result_goes_alone(changes: dict[str, Any], field: str, reason: str) -> None:
    [parsed] = read(openai_usage, page(**changes))

    assert parsed.activity["row"].tolist() == [2]
    assert [(found.row, found.field, found.reason) for found in parsed.rejected] == [(1, field, reason)]


def test_results_without_requests_or_tokens_are_outside() -> None:
    content = page(
        object="organization.usage.vector_stores.result", num_model_requests=None, input_tokens=None, output_tokens=None
    )

    [parsed] = read(openai_usage, content)

    assert (parsed.received, parsed.outside, len(parsed.activity)) == (2, 1, 1)


def test_users_and_keys_are_dropped_before_storage() -> None:
    stored = openai_usage.scrub(page(user_id="user-ada", api_key_id="key_1"), "application/json")

    assert b"user-ada" not in stored
    assert b"key_1" not in stored
    [parsed] = read(openai_usage, stored)
    assert len(parsed.activity) == 2


def test_cached_above_input_is_cut_and_flagged() -> None:
    [parsed] = read(openai_usage, page(input_tokens=10, input_cached_tokens=11))

    assert parsed.activity["cached_input_tokens"].iloc[0] == 10
    assert parsed.activity["flags"].iloc[0] == ("cached_exceeds_input",)


def test_bucket_that_is_still_running_waits_for_the_next_reading() -> None:
    noon = datetime(2026, 10, 1, 12, tzinfo=UTC)

    [parsed] = read(openai_usage, page(), received_at=noon)

    assert (parsed.received, parsed.outside, len(parsed.activity), parsed.cover) == (2, 2, 0, [])
    assert any("not over" in line for line in parsed.log)


def test_parts_by_user_are_two_rows_of_one_key() -> None:
    """An API that is asked to group by user answers a result for each; the ledger sums what has one key."""
    result = PAGE["data"][0]["results"][0]
    bucket = {**PAGE["data"][0], "results": [{**result, "user_id": "a"}, {**result, "user_id": "b"}]}

    [parsed] = read(openai_usage, json.dumps({**PAGE, "data": [bucket]}).encode())

    assert len(parsed.activity) == 2
    assert parsed.activity["record_id"].nunique() == 1


def test_page_repeated_in_a_file_counts_once() -> None:
    [parsed] = read(openai_usage, page(input_tokens=1) + b"\n" + page(input_tokens=7))

    assert (parsed.received, parsed.outside) == (4, 2)
    assert parsed.activity["input_tokens"].tolist()[0] == 7


def test_tools_repeat_the_model_requests_of_completions() -> None:
    [parsed] = read(openai_usage, page(object="organization.usage.web_searches.result", num_model_requests=5))

    assert (parsed.outside, len(parsed.activity)) == (1, 1)


def test_projects_in_the_file_or_the_settings_give_names() -> None:
    listing = {"object": "list", "data": [{"object": "organization.project", "id": "proj_A1search", "name": "Search"}]}

    [parsed] = read(openai_usage, json.dumps([listing, PAGE]).encode())
    [by_setting] = read(openai_usage, page(), setting={"projects": {"proj_B2support": "Support"}})

    assert parsed.received == 2
    assert parsed.activity["project"].tolist() == ["Search", "proj_B2support"]
    assert parsed.activity["labels"].iloc[0]["project_id"] == "proj_A1search"
    assert by_setting.activity["project"].tolist() == ["proj_A1search", "Support"]


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"data": 1}', b'{"error": {"message": "no"}}'])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(openai_usage, content)
