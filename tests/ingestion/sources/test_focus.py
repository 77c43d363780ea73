"""FOCUS bills: the samples reach their sums, and each row becomes what it means."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pytest

from ingestion.sources import focus
from ingestion.sources.base import Context
from tests.ingestion.sources.bills import (
    AI_1_2,
    AI_1_3,
    MACHINE,
    PAYLOADS,
    REAL,
    RECEIVED_AT,
    STORAGE,
    TOKENS,
    activity_of,
    bill,
    parsed,
    read,
    record,
    records,
)

EXPECTED = json.loads((PAYLOADS / "expected.json").read_text())


# --- samples ----------------------------------------------------------------------------------------------------------


def where(frame: pd.DataFrame, conditions: Mapping[str, str | None]) -> pd.DataFrame:
    for column, value in conditions.items():
        frame = frame[frame[column].isna() if value is None else frame[column] == value]
    return frame


@pytest.mark.parametrize("sample", EXPECTED, ids=lambda sample: f"{len(sample['files'])} x {sample['files'][0]}")
def test_samples_reach_their_expected_sums(sample: dict[str, Any]) -> None:
    deliveries = [read(PAYLOADS / name, **sample["setting"]) for name in sample["files"]]

    chunks = [chunk for delivery in deliveries for chunk in delivery]
    counts = {
        "received": sum(chunk.received for chunk in chunks),
        "quarantined": sum(len(chunk.rejected) for chunk in chunks),
    }
    assert {name: counts[name] for name in sample["counts"]} == sample["counts"]
    frame = activity_of(deliveries[-1])  # a later delivery of the same keys replaces the earlier
    assert sample["checks"]
    for check in sample["checks"]:
        for measure, expected in check["sum"].items():
            total = float(where(frame, check["where"])[measure].sum())
            assert total == pytest.approx(expected, rel=sample["tolerance"]), check


def test_same_file_twice_gives_the_same_records() -> None:
    first, second = activity_of(read(AI_1_2)), activity_of(read(AI_1_2))

    pd.testing.assert_frame_equal(first, second)
    assert first["record_id"].is_unique


def test_real_rows_are_each_in_one_place() -> None:
    (chunk,) = read(REAL, max_age_days=36500)

    assert chunk.received == 200
    assert chunk.rejected == []
    assert int(chunk.activity["rows"].sum()) + chunk.outside == 200
    by = chunk.outside_by
    assert by is not None
    assert int(by["rows"].sum()) == chunk.outside
    machine_learning = by[by["service"] == "Azure Machine Learning"].iloc[0]
    assert (machine_learning["classification"], machine_learning["rows"]) == ("supporting", 5)


def test_real_rows_keep_their_quirks_out_of_the_records() -> None:
    (chunk,) = read(REAL, max_age_days=36500)
    frame = chunk.activity

    assert "NULL" not in frame.select_dtypes("str").to_numpy()
    assert set(frame["flags"]) == {("naive_time",)}
    correction = frame[frame["instance_type"] == "Standard_D11_v2"].iloc[0]
    assert correction["instance_hours"] == -1.0
    assert correction["corrects"].startswith("focus:")
    assert correction["account"] == "64e355d7-997c-491d-b0c1-8414dccfcf42"


def test_old_rows_of_ai_services_are_quarantined_with_what_was_read() -> None:
    (chunk,) = read(REAL, max_age_days=30)

    assert {(rejection.field, rejection.reason) for rejection in chunk.rejected} == {("ChargePeriodStart", "too_old")}
    first = chunk.rejected[0]
    assert first.row == 102
    assert isinstance(first.payload, dict)
    assert first.payload["SkuId"] == "4GQWNPC9K2PZAY97"
    assert "CommitmentDiscountId" not in first.payload
    assert chunk.cover == []  # nothing of that time is accepted, so nothing is spoken for


def test_a_model_vendors_service_runs_at_its_host() -> None:
    frame = activity_of(read(AI_1_3))

    bedrock = frame[frame["record_id"].notna() & (frame["model"] == "Claude4.6Sonnet")]
    assert set(bedrock["provider"]) == {"aws"}
    assert {labels["service_provider"] for labels in bedrock["labels"]} == {"anthropic"}


# --- what a row becomes -----------------------------------------------------------------------------------------------


def test_token_meter_becomes_tokens_of_a_model() -> None:
    found = record(TOKENS)

    assert (found["input_tokens"], found["model"], found["provider"]) == (2000, "NovaPro", "aws")
    assert (found["stage"], found["hosting"], found["evidence"]) == ("inference", "api", "modelled")
    assert (found["team"], found["account"], found["region"]) == ("search", "123456789012", "eu-west-1")
    assert (found["cost"], found["currency"]) == (0.5, "EUR")
    assert (found["snapshot"], found["row"], found["rows"]) == ("focus:999988887777:2026-10", 1, 1)
    assert (found["started_at"], found["ended_at"]) == (
        pd.Timestamp("2026-10-01T09:00Z"),
        pd.Timestamp("2026-10-01T10:00Z"),
    )
    assert pd.isna(found["requests"])
    assert pd.isna(found["instance_type"])


def test_machine_becomes_hours_and_device_hours_where_gpus_are_stated() -> None:
    found = record(MACHINE)

    assert (found["instance_hours"], found["device_hours"], found["instance_type"]) == (1.0, 8.0, "p5.48xlarge")
    assert (found["stage"], found["hosting"]) == ("training", "cloud")


def test_machine_without_stated_gpus_leaves_device_hours_open() -> None:
    found = record({**MACHINE, "SkuPriceDetails": ""})

    assert (found["instance_hours"], found["instance_type"]) == (1.0, "p5.48xlarge")
    assert pd.isna(found["device_hours"])


@pytest.mark.parametrize(
    ("setting", "defaults", "stage"),
    [
        ({}, {}, "training"),
        ({}, {"stage": "inference"}, "inference"),
        ({"stage": "experimentation"}, {"stage": "inference"}, "experimentation"),
    ],
)
def test_stage_of_a_machine_comes_from_source_then_token(
    setting: dict[str, object], defaults: dict[str, str | None], stage: str
) -> None:
    (chunk,) = focus.parse(bill(MACHINE), Context(RECEIVED_AT, setting, defaults))

    assert chunk.activity["stage"].tolist() == [stage]


@pytest.mark.parametrize(
    ("meter", "measures"),
    [
        ("NovaPro-input-token-count", {"input_tokens": 2000}),
        ("NovaPro-output-token-count", {"output_tokens": 2000}),
        ("NovaPro-cache-read-input-token-count", {"input_tokens": 2000, "cached_input_tokens": 2000}),
        ("NovaPro-cache-write-input-token-count", {"input_tokens": 2000}),
    ],
)
def test_four_kinds_of_tokens_add_up_to_input_and_output(meter: str, measures: dict[str, int]) -> None:
    found = record({**TOKENS, "SkuMeter": meter, "ChargeDescription": ""})

    names = ("input_tokens", "cached_input_tokens", "output_tokens")
    assert {name: found[name] for name in names if not pd.isna(found[name])} == measures


@pytest.mark.parametrize(
    ("quantity", "unit", "tokens"),
    [
        ("7.837", "1000 Tokens", 7837),
        ("1.5", "1K tokens", 1500),
        ("6.696", "1M Tokens", 6_696_000),
        ("2366.0", "Tokens", 2366),
        ("0.0025", "1K tokens", 2),  # a half goes to the even neighbour
        ("0.0035", "1K tokens", 4),
    ],
)
def test_units_of_tokens(quantity: str, unit: str, tokens: int) -> None:
    assert record({**TOKENS, "ConsumedQuantity": quantity, "ConsumedUnit": unit})["input_tokens"] == tokens


def test_pricing_quantity_stands_in_for_a_missing_consumed_one() -> None:
    row = {**TOKENS, "ConsumedQuantity": "NULL", "PricingQuantity": "3", "PricingUnit": "1M Tokens"}

    assert record(row)["input_tokens"] == 3_000_000


def test_units_that_only_count_take_the_priced_block() -> None:
    row = {**TOKENS, "ConsumedUnit": "Units", "PricingQuantity": "3", "PricingUnit": "1K Tokens"}

    assert record(row)["input_tokens"] == 3000


def test_azure_units_are_told_by_its_own_description() -> None:
    azure = {**TOKENS, "ProviderName": "Microsoft", "ServiceName": "Azure OpenAI", "ChargeDescription": ""}
    row = {**azure, "SkuMeter": "gpt 4.1 Inp glbl Tokens", "ConsumedUnit": "Units", "PricingUnit": "Units"}

    assert record({**row, "x_PricingUnitDescription": "1K"})["input_tokens"] == 2000
    assert record({**row, "x_PricingUnitDescription": "1M"})["input_tokens"] == 2_000_000
    (chunk,) = parsed(bill(row))
    assert [each.reason for each in chunk.rejected] == ["unknown_unit"]


def test_global_meters_have_no_region() -> None:
    azure = {**TOKENS, "ProviderName": "Microsoft", "ServiceName": "Azure OpenAI", "RegionId": "swedencentral"}

    found = record({**azure, "SkuMeter": "gpt 4.1 mini Inp glbl Tokens", "ChargeDescription": "NULL"})
    assert (found["model"], found["flags"]) == ("gpt 4.1 mini", ("global_routing",))
    assert pd.isna(found["region"])
    found = record({**azure, "SkuMeter": "gpt 4.1 Inp Data Zone Tokens", "ChargeDescription": ""})
    assert found["labels"]["geography"] == "eu"
    assert pd.isna(found["region"])
    found = record({**azure, "SkuMeter": "gpt 4.1 Inp regnl Tokens", "ChargeDescription": ""})
    assert (found["region"], found["flags"]) == ("swedencentral", ())


@pytest.mark.parametrize(
    "changes",
    [
        {"ChargeCategory": "Credit", "EffectiveCost": "-12.5"},
        {"ChargeCategory": "Purchase"},
        {"ChargeCategory": "Adjustment"},
        {"CommitmentDiscountStatus": "Unused"},
        {"EffectiveCost": "-0.5"},
    ],
)
def test_rows_that_are_money_only_never_count_use(changes: dict[str, str]) -> None:
    found = record({**TOKENS, **changes})

    assert pd.isna(found["input_tokens"])
    assert found["cost"] == float(changes.get("EffectiveCost", "0.5"))
    assert pd.isna(found["corrects"])
    category = changes.get("ChargeCategory", "Usage").lower()
    assert found["labels"].get("charge_category") == (None if category == "usage" else category)


def test_idle_reservation_is_held_at_utilization_zero() -> None:
    found = record({**MACHINE, "CapacityReservationStatus": "Unused"})

    assert (found["instance_hours"], found["instance_utilization"]) == (1.0, 0.0)


def test_correction_names_the_record_that_it_corrects() -> None:
    correction = {**TOKENS, "ChargeClass": "Correction", "ConsumedQuantity": "-1", "EffectiveCost": "-0.25"}

    frame = records(TOKENS, correction)
    assert frame["input_tokens"].tolist() == [2000, -1000]
    assert frame["corrects"].iloc[1] == frame["record_id"].iloc[0]
    assert pd.isna(frame["corrects"].iloc[0])


def test_correction_in_a_later_bill_points_at_the_month_of_its_charge() -> None:
    later = {"BillingPeriodStart": "2026-11-01T00:00:00Z", "ChargeClass": "Correction", "ConsumedQuantity": "-1"}

    frame = records(TOKENS, {**TOKENS, **later, "EffectiveCost": "-0.25"})
    assert frame["corrects"].iloc[1] == frame["record_id"].iloc[0]
    assert frame["snapshot"].tolist() == ["focus:999988887777:2026-10", "focus:999988887777:2026-11"]


def test_negative_quantity_in_a_usage_row_is_a_correction_of_its_key() -> None:
    frame = records(TOKENS, {**TOKENS, "ConsumedQuantity": "-0.5", "EffectiveCost": "-0.1"})

    assert frame["input_tokens"].tolist() == [2000, -500]
    assert frame["corrects"].tolist()[1] == frame["record_id"].iloc[0]


def test_unknown_meter_of_an_ai_service_keeps_its_cost_and_is_said_aloud() -> None:
    (chunk,) = parsed(
        bill({**TOKENS, "SkuMeter": "Quantum credits", "ChargeDescription": "", "ConsumedUnit": "Credits"})
    )

    assert chunk.rejected == []
    assert chunk.activity["flags"].tolist() == [("unknown_meter",)]
    assert chunk.activity["cost"].tolist() == [0.5]
    assert chunk.activity["input_tokens"].isna().all()
    assert "Amazon Bedrock (1)" in chunk.log[1]


def test_usage_without_a_quantity_is_flagged() -> None:
    found = record({**TOKENS, "ConsumedQuantity": "", "ConsumedUnit": ""})

    assert (found["flags"], found["cost"]) == (("no_usage",), 0.5)


def test_other_services_are_counted_with_their_cost() -> None:
    dollars = {**STORAGE, "BillingCurrency": "USD", "EffectiveCost": "2.25"}

    (chunk,) = parsed(bill(STORAGE, STORAGE, dollars, TOKENS))
    assert (chunk.received, chunk.outside, len(chunk.activity)) == (4, 3, 1)
    assert chunk.outside_by is not None
    assert chunk.outside_by.to_dict("list") == {
        "classification": ["outside", "outside"],
        "service": ["Amazon Simple Storage Service"] * 2,
        "currency": ["EUR", "USD"],
        "rows": [2, 1],
        "cost": [1.0, 2.25],
    }


PLAIN = {
    **MACHINE,
    "SkuMeter": "BoxUsage:m7i.2xlarge",
    "SkuPriceDetails": '{"InstanceType": "m7i.2xlarge"}',
    "ChargeDescription": "",
}
TRAFFIC = {
    **TOKENS,
    "ProviderName": "Microsoft",
    "ServiceName": "Azure Machine Learning",
    "SkuMeter": "",
    "ChargeDescription": "Load Balancer - Standard Data Processed",
    "ConsumedUnit": "GB",
}


@pytest.mark.parametrize(
    ("setting", "kept"),
    [({}, 0), ({"plain_machines": True}, 1), ({"include_supporting": True}, 2)],
)
def test_supporting_rows_become_records_only_where_a_setting_asks(setting: dict[str, object], kept: int) -> None:
    (chunk,) = parsed(bill(PLAIN, TRAFFIC), **setting)

    assert (len(chunk.activity), chunk.outside) == (kept, 2 - kept)
    if kept:
        assert chunk.activity["instance_hours"].tolist()[0] == 1.0
        assert chunk.activity["instance_type"].tolist()[0] == "m7i.2xlarge"


def test_settings_of_the_wrong_type_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="plain_machines"):
        parsed(bill(TOKENS), plain_machines="yes")
    with pytest.raises(ValueError, match="labels"):
        parsed(bill(TOKENS), labels="org")


def test_tags_become_attribution_and_allowed_labels_only() -> None:
    tags = {
        "user:Team": "nlp",
        "Project": "rag",
        "Env ": "prod",
        "app": "chat",
        "CostCenter": "CC1",
        "org": "x",
        "owner": "jane",
    }

    found = record({**TOKENS, "Tags": json.dumps(tags)}, labels=["Org", "user"])
    assert [found[name] for name in ("team", "project", "environment", "application")] == ["nlp", "rag", "prod", "chat"]
    assert found["labels"] == {"cost_center": "CC1", "org": "x", "service": "Amazon Bedrock", "sku": "SKUIN"}


def test_training_jobs_are_runs_and_passing_machines_no_dimension() -> None:
    job = {**MACHINE, "ServiceName": "Amazon SageMaker", "SkuMeter": "EUW1-Train:ml.g5.12xlarge", "SkuPriceDetails": ""}

    found = record({**job, "ResourceId": "arn:aws:sagemaker:eu-west-1:1:training-job/bert-17"})
    assert (found["run"], found["stage"], found["instance_type"]) == ("bert-17", "training", "g5.12xlarge")
    found = record({**MACHINE, "ResourceId": "arn:aws:ec2:us-east-1:1:instance/i-0a1"})
    assert "resource" not in found["labels"]
