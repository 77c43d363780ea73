"""What may stand in a field that takes a word, a unit, a name or an id."""

from __future__ import annotations

import hashlib

import pytest

from core.quantification.prose import TEXT, brief, holds_a_word

SENTENCE = "please tell me whether my neighbour who lost her job may keep the flat she rents from us"


@pytest.mark.parametrize(
    ("key", "text"),
    [
        # Values of the formats' own documentation.
        ("PricingModel", "Savings Plan"),
        ("State", "CANCELLED by 1000"),
        ("ServiceSubcategory", "Other (AI and Machine Learning)"),
        ("UnitOfMeasure", "1 Million API Calls"),
        ("location", "US East (N. Virginia)"),
        ("gen_ai.response.finish_reasons", "content_filter"),
        ("line_item_line_item_type", "SavingsPlanCoveredUsage"),
        ("cpu_model", "11th Gen Intel(R) Core(TM) i7-1185G7 @ 3.00GHz"),
        ("usage_start_time", "2026-10-01 09:00:00 UTC"),
        (
            "resourceId",
            "/subscriptions/5f1d2c3b-0a9e-4f4d-8c7b-6a5e4d3c2b1a/resourcegroups/rg-ai/providers/x/accounts/y",
        ),
    ],
)
def test_what_the_formats_say_stays(key: str, text: str) -> None:
    assert brief({key: text}) == {key: text}


@pytest.mark.parametrize(
    "key", ["operation", "finish_reason", "service_tier", "status", "unit", "startTime", "model", "team", "x"]
)
def test_a_sentence_goes_whatever_field_it_stands_in(key: str) -> None:
    assert brief({key: SENTENCE, "inner": [{key: [SENTENCE]}]}) == {key: TEXT, "inner": [{key: [TEXT]}]}


@pytest.mark.parametrize("text", ["a\nb\nc", "誰が" * 40, "x" * 65, "tell me about her"])
def test_lines_scripts_without_spaces_and_long_words_are_no_word_of_a_list(text: str) -> None:
    assert brief({"status": text}) == {"status": TEXT}


def test_ids_that_are_prose_still_tell_records_apart() -> None:
    one, two = (brief(f"{SENTENCE} {number}", "record_id") for number in (1, 2))

    assert one == "h:" + hashlib.sha256(f"{SENTENCE} 1".encode()).hexdigest()
    assert one != two


def test_keys_that_are_prose_go_and_what_people_call_their_tags_stays() -> None:
    tags = {"purpose": "nightly retraining of the ranking model", SENTENCE: "x"}

    assert brief({"labels": tags}) == {"labels": {"purpose": "nightly retraining of the ranking model"}}


def test_columns_of_names_hold_no_word() -> None:
    assert not any(map(holds_a_word, ("ResourceName", "ResourceType", "ChargeDescription", "MeterSubCategory", "Tags")))


def test_usage_types_of_bills_and_line_items_of_costs_are_names():
    # the longest of AWS's list of 2026-10: 72 characters
    usage_type = "USW2-anthropic.claude-opus-4-8-mantle-cache-write-tokens-global-standard"
    item = "web search tool calls, gpt-4o search preview, medium context"

    kept = brief({"line_item_usage_type": usage_type, "x_UsageType": usage_type, "line_item": item})

    assert kept == {"line_item_usage_type": usage_type, "x_UsageType": usage_type, "line_item": item}
