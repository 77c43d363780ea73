"""What all wire formats share: counts that add up, ids, labels without people."""

from __future__ import annotations

import doctest
from importlib import import_module
from typing import Any

import pytest

from core.quantification import records
from core.quantification.rejections import Rejection
from ingestion.sources.base import (
    Context,
    Draft,
    Parsed,
    finish_drafts,
    limit_labels,
    names_a_person,
    natural_id,
)
from tests.ingestion.sources.samples import RECEIVED_AT


@pytest.mark.parametrize(
    "name",
    [
        "base",
        "vocabulary",
        "codecarbon",
        "counters",
        "otlp_resource",
        "otlp_spans",
        "json_stream",
        "sheets",
        "usage_pages",
        "versions",
    ],
)
def test_examples_in_docstrings_hold(name: str) -> None:
    result = doctest.testmod(import_module(f"ingestion.sources.{name}"))

    assert result.attempted > 0
    assert result.failed == 0


def test_chunk_whose_counts_do_not_add_up_is_refused() -> None:
    nothing = records.empty_activity()

    Parsed(nothing, [Rejection(1, None, None, "bad_field", rows=3)], received=5, outside=2)
    with pytest.raises(ValueError, match="6 rows received, but 0 kept"):
        Parsed(nothing, [Rejection(1, None, None, "bad_field", rows=3)], received=6, outside=2)


def test_long_natural_keys_are_hashed() -> None:
    assert natural_id("span", "a", "b") == "span:a:b"
    assert natural_id("x", "y" * 198) == "x:" + "y" * 198
    assert natural_id("x", "y" * 199).startswith("h:")
    assert len(natural_id("x", "y" * 199)) == 66


@pytest.mark.parametrize(
    "key",
    ["user", "User", "userId", "user_id", "user.email", "enduser.id", "end-user", "E-Mail", "api_key", "openai.api_key_id",
     "user_api_key_hash", "username", "requester_ip_address", "user_agent", "login", "first name"],
)  # fmt: skip
def test_keys_of_people_are_known(key: str) -> None:
    assert names_a_person(key)


@pytest.mark.parametrize(
    "key", ["team", "user:team", "users", "cost_center", "application", "key", "email_campaign", "ip_range"]
)
def test_other_keys_are_left(key: str) -> None:
    assert not names_a_person(key)


def test_labels_are_limited() -> None:
    labels: dict[str, Any] = {
        "a": "x" * 300,
        "n": 1.5,
        "t": True,
        "none": None,
        "list": [1],
        "nan": float("nan"),
        "user": "ada",
    }

    assert limit_labels(labels) == {"a": "x" * 200, "n": 1.5, "t": True}
    assert len(limit_labels({f"k{at:03}": "v" for at in range(100)})) == 64


@pytest.mark.parametrize("setting", [{"max_age_days": "long"}, {"max_age_days": True}])
def test_setting_that_is_no_number_is_named(setting: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="max_age_days"):
        _ = Context(RECEIVED_AT, setting=setting).max_age_days


def test_drafts_take_the_defaults_and_limits_of_their_own_payload() -> None:
    def draft(*, per_host: bool) -> Draft:
        found = {
            "record_id": "r",
            "started_at": RECEIVED_AT,
            "ended_at": RECEIVED_AT,
            "hosting": "api",
            "evidence": "modelled",
            "energy_kwh": 1.0,
            "energy_boundary": "it",
            "row": 1,
        }
        return Draft([found], received=1, fallback={"stage": "inference"}, per_host=per_host)

    drafts = [
        (draft(per_host=False), Context(RECEIVED_AT, defaults={"team": "a"})),
        (draft(per_host=True), Context(RECEIVED_AT)),
        (draft(per_host=False), Context(RECEIVED_AT, defaults={"stage": "training"})),
    ]

    group = finish_drafts(drafts)

    assert group.activity["payload"].tolist() == [0, 2]
    assert group.activity["stage"].tolist() == ["inference", "training"]
    assert group.activity["team"].fillna("-").tolist() == ["a", "-"]
    assert [found.reason for found in group.drafts[1].rejected] == ["implausible_energy"]


def test_no_drafts_are_an_empty_table() -> None:
    assert finish_drafts([(Draft(), Context(RECEIVED_AT))]).activity.empty
