"""An organization's own rules: asked first, checked column by column, and never a danger to a worker."""

from __future__ import annotations

import doctest
import time
from typing import Any

import pandas as pd
import pytest

from ingestion.sources import service_rules
from ingestion.sources.base import SettingError, UnreadablePayload
from ingestion.sources.service_rules import MOST_RULES, Rulebook, own_rules
from tests.ingestion.sources import bills, reports

GATEWAY = {
    "rule": "our-gateway",
    "provider": "aws",
    "service": "amazons3",
    "meter": "vector",
    "class": "ai",
    "measure": "cost",
    "stage": "inference",
    "hosting": "api",
    "reason": "Vectors of our search.",
}


def test_own_rules_come_before_the_shipped_ones() -> None:
    bedrock = {"service": "Amazon Bedrock", "meter": "EUW1-NovaPro-input-tokens", "instance": ""}
    book = Rulebook.of({"service_rules": [{"rule": "not-ours", "service": "bedrock", "class": "outside"}]})

    assert Rulebook().classify(provider="aws", **bedrock).name == "bedrock-input"
    assert book.classify(provider="aws", **bedrock).name == "not-ours"
    assert book.classify(provider="gcp", service="Vertex AI", meter="GPU", instance="").name == "vertex-gpu"


def test_the_first_own_rule_decides() -> None:
    first, second = {**GATEWAY, "rule": "first", "flag": "unknown_meter"}, {**GATEWAY, "rule": "second"}

    found = Rulebook.of({"service_rules": [first, second]})
    assert found.classify(provider="aws", service="AmazonS3", meter="Vector-Queries", instance="").name == "first"


@pytest.mark.parametrize("provider", ["aws", "AWS"])
def test_providers_are_whole_slugs_and_case_does_not_matter(provider: str) -> None:
    book = Rulebook.of({"service_rules": [{**GATEWAY, "provider": provider}]})

    assert book.classify(provider="aws", service="AMAZONS3", meter="VECTOR", instance="").name == "our-gateway"
    assert book.classify(provider="aws2", service="AMAZONS3", meter="VECTOR", instance="").name != "our-gateway"


def test_token_meters_hours_and_storage_go_by_own_rules() -> None:
    tokens = {
        "rule": "t",
        "service": "amazonec2",
        "meter": "modeltokens",
        "class": "ai",
        "measure": "input_tokens",
        "hosting": "api",
    }
    hours = {
        "rule": "h",
        "instance": "^m5",
        "class": "ai",
        "measure": "instance_hours",
        "stage": "evaluation",
        "hosting": "cloud",
    }
    storage = {"rule": "s", "service": "amazons3", "class": "supporting"}
    meter = {"line_item_usage_type": "USE1-ModelTokens", "pricing_unit": "1K tokens"}
    plain = {"product_instance_type": "m5.large", "line_item_usage_type": "USE1-BoxUsage:m5.large"}
    rows = [{**reports.MACHINE, **meter}, {**reports.MACHINE, **plain}, reports.STORAGE]

    frame = reports.records(*rows, service_rules=[tokens, hours, storage], include_supporting=True)
    assert frame["input_tokens"].tolist()[0] == 1000
    assert (frame["instance_hours"].tolist()[1], frame["stage"].tolist()[1]) == (1.0, "evaluation")
    assert (frame["cost"].tolist()[2], pd.isna(frame["instance_hours"][2])) == (0.5, True)


def test_rules_hold_for_focus_as_well() -> None:
    rule = {"rule": "s", "service": "simple storage", "class": "ai", "measure": "cost", "hosting": "cloud"}

    assert bills.record(bills.STORAGE, service_rules=[rule])["cost"] == 0.5


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ("ours", "must be a list of at most 200 rules"),
        ([GATEWAY] * (MOST_RULES + 1), "must be a list of at most 200 rules"),
        (["x"], "rule 1, column 'rule': a rule is an object"),
        ([{**GATEWAY, "rule": ""}], "rule 1, column 'rule': it needs a name"),
        ([GATEWAY, GATEWAY], r"rule 2 \(our-gateway\), column 'rule': 'our-gateway' is the name of another rule"),
        ([{**GATEWAY, "rule": "ec2-plain"}], "is the name of another rule"),
        ([{**GATEWAY, "colour": "red"}], "column 'colour': there is no such column; there are: rule, provider"),
        ([{**GATEWAY, "class": "mine"}], "column 'class': 'mine' is none of ai, supporting, outside"),
        ([{**GATEWAY, "measure": "kilos"}], "column 'measure': 'kilos' is none of input_tokens"),
        ([{**GATEWAY, "measure": ""}], "column 'measure': '' is none of"),
        ([{**GATEWAY, "class": "outside"}], r"column 'measure': 'cost' is none of \(empty\)"),
        ([{**GATEWAY, "stage": "lunch"}], "column 'stage': 'lunch' is none of"),
        ([{**GATEWAY, "hosting": "moon"}], "column 'hosting': 'moon' is none of owned"),
        ([{**GATEWAY, "flag": "red"}], "column 'flag': 'red' is none of"),
        ([{**GATEWAY, "service": 3}], "column 'service': it must be text"),
        ([{**GATEWAY, "meter": "x" * 501}], "column 'meter': it must be text of at most 500"),
        ([{**GATEWAY, "service": "("}], "column 'service': it is no pattern of the RE2 dialect"),
        ([{**GATEWAY, "meter": "^(?!x)"}], "column 'meter': it is no pattern of the RE2 dialect"),
        ([{"rule": "all", "class": "outside"}], "a rule without any pattern would match every row"),
    ],
)
def test_a_rule_of_no_use_is_refused_with_its_column(rules: Any, message: str) -> None:
    with pytest.raises(SettingError, match=message) as refused:
        own_rules(rules)

    assert isinstance(refused.value, UnreadablePayload)  # so that a delivery fails with this sentence, not as our fault


def test_no_pattern_takes_long() -> None:
    book = Rulebook.of({"service_rules": [{**GATEWAY, "service": "(a+)+$"}]})

    started = time.perf_counter()
    book.classify(provider="aws", service="a" * 5000 + "!", meter="", instance="")
    assert time.perf_counter() - started < 0.5


def test_examples_in_docstrings_hold() -> None:
    assert doctest.testmod(service_rules).failed == 0
