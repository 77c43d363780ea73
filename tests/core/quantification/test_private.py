"""What is never kept: who is recognized by keys and by values, in what forms, and in a time that a sender cannot stretch."""

from __future__ import annotations

import json
import time
import tracemalloc
from typing import Any

import pytest

from core.quantification.private import (
    holds_content,
    masked,
    names_a_person,
    names_private_value,
    scrub_text,
    without_private,
)

PERSONS = (
    *("user", "endUserId", "litellmEndUser", "customerEmail", "userPrincipalName", "UPN", "enduser.pseudo.id"),
    *(
        "client.address",
        "source_ip",
        "X-Forwarded-For",
        "givenName",
        "surname",
        "openaiApiKey",
        "aws_secret_access_key",
    ),
    *("private_key", "auth_token", "dbPasswd", "credentials"),
)
NOBODY = (
    *(
        "team",
        "users",
        "user:Name",
        "host.name",
        "server.address",
        "service.name",
        "input_tokens",
        "cost_center",
        "region",
    ),
    *("max_tokens", "sku_key", "BillingAccountName", "authority", "device_name", "token_type", "address_space"),
)
CONTENT = (
    *(
        "prompt",
        "gen_ai.prompt.0.content",
        "toolArguments",
        "question",
        "chatHistory",
        "llm.prompt_template",
        "reasoning",
    ),
    *("thinking", "reasoning_content"),
)
NO_CONTENT = ("prompt_tokens", "reasoning_tokens", "conversation_id", "gen_ai.conversation.id", "value", "document_id")

MAIL = "(mail address, not kept)"
KEY = "(key, not kept)"


@pytest.mark.parametrize("key", PERSONS)
def test_key_names_a_person_or_a_credential(key: str) -> None:
    assert names_a_person(key)


@pytest.mark.parametrize("key", NOBODY)
def test_key_names_nobody(key: str) -> None:
    assert not names_a_person(key)


@pytest.mark.parametrize("key", CONTENT)
def test_key_holds_content(key: str) -> None:
    assert holds_content(key)


@pytest.mark.parametrize("key", NO_CONTENT)
def test_key_holds_no_content(key: str) -> None:
    assert not holds_content(key)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("run of ada@example.org", f"run of {MAIL}"),
        ("job_ada.l@example.org_2026", f"{MAIL}_2026"),
        ("ada@müller.de, bo@example.org", f"{MAIL}, {MAIL}"),
        ("/users/ada%40example.org/jobs", f"/users/{MAIL}/jobs"),
        ("https://x.googleapis.com/?key=AIza" + "x" * 35, f"https://x.googleapis.com/?key={KEY}"),
        ("ASIA" + "A" * 16, KEY),
        ("gsk_" + "a" * 40, KEY),
        ("hf_" + "a" * 34, KEY),
        ("github_pat_11" + "a" * 40, KEY),
        ("glpat-" + "a" * 20, KEY),
        ("job_sk-ant-" + "a" * 40, f"job_{KEY}"),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.c2ln", KEY),
    ],
)
def test_addresses_and_keys_are_masked_wherever_they_stand(text: str, kept: str) -> None:
    assert masked(text) == kept


@pytest.mark.parametrize(
    "text",
    [
        *("claude@20240229", "image@sha256:0ab", "model@v1.beta3", "@scope.name", "a@b", "task_force_with_long_name"),
        *("disk-sku-premium", "half_life_of_something_long", "risk-assessment-of-models"),
    ],
)
def test_what_only_looks_like_one_stays(text: str) -> None:
    assert masked(text) == text


def test_addresses_as_keys_go_with_what_they_hold() -> None:
    assert without_private({"spend": {"ada@example.org": 3.2, "nlp": 1.0}}) == {"spend": {"nlp": 1.0}}


@pytest.mark.parametrize(
    "value", [{"key": "user", "value": "ada"}, {"Name": "email", "stringValue": "x"}, '{"key": "user", "value": "ada"}']
)
def test_pair_that_stands_by_itself_is_dropped_like_one_in_a_list(value: Any) -> None:
    assert without_private({"label": value, "team": "nlp"}) in (
        {"label": None, "team": "nlp"},
        {"label": "null", "team": "nlp"},
    )


def test_json_inside_a_text_is_judged_like_any_other() -> None:
    inner = json.dumps({"user": "ada", "team": "nlp"})

    assert without_private({"metadata": inner}) == {"metadata": '{"team": "nlp"}'}
    assert names_private_value(inner)
    assert scrub_text(json.dumps({"metadata": inner})) == json.dumps({"metadata": '{"team": "nlp"}'})


@pytest.mark.parametrize(
    "text",
    [
        *("eyJaaaaaaaa-" * 40_000, "eyJaaaaaaaa.eyJaaaaaaaa-" * 20_000, "@" + "a." * 250_000, "a" * 500_000 + "@"),
        *("sk-" * 150_000, "a@" + "b-" * 250_000, "@a.b" * 120_000),
    ],
    ids=lambda text: text[:12],
)
def test_no_text_takes_more_time_than_in_proportion(text: str) -> None:
    began = time.perf_counter()

    masked(text)

    assert time.perf_counter() - began < 1.0


def test_long_keys_take_no_more_time_than_short_ones() -> None:
    began = time.perf_counter()

    assert not holds_content("/1" * 100_000 + "x")
    assert names_a_person("x." * 100_000 + "user")

    assert time.perf_counter() - began < 0.1


def test_long_texts_are_not_remembered() -> None:
    texts = (json.dumps({"user": "ada", "team": number, "note": "x" * 100_000}) for number in range(100))
    tracemalloc.start()
    try:
        for text in texts:
            scrub_text(text)
        held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held_bytes < 1_000_000  # of 10 MB
