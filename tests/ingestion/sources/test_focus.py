"""FOCUS bills: what becomes a record, what stays outside, what goes to quarantine, and that a file's cut never shows."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantification.rejections import Cover
from ingestion.sources import focus
from ingestion.sources.base import Context, Parsed, UnreadablePayload
from tests.ingestion.sources.bills import (
    MACHINE,
    RECEIVED_AT,
    STORAGE,
    TOKENS,
    activity_of,
    bill,
    parsed,
    record,
    records,
    summed,
)
from tests.payloads.focus.make_large import write_focus_csv

PAYLOADS = Path(__file__).parents[2] / "payloads" / "focus"
EXPECTED = json.loads((PAYLOADS / "expected.json").read_text())
AI_1_2, AI_1_3, REAL = (
    PAYLOADS / name for name in ("focus-1.2-ai.csv", "focus-1.3-ai.csv", "focus-1.0-real-subset.csv")
)


def read(path: Path, **setting: object) -> list[Parsed]:
    with path.open("rb") as stream:
        return list(focus.parse(stream, Context(RECEIVED_AT, setting)))


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


# --- equal keys -------------------------------------------------------------------------------------------------------


def test_rows_of_one_key_are_summed_and_counted() -> None:
    frame = records(TOKENS, STORAGE, {**TOKENS, "ConsumedQuantity": "0.5", "EffectiveCost": "0.25"})

    assert len(frame) == 1
    assert frame[["input_tokens", "cost", "row", "rows"]].iloc[0].tolist() == [2500, 0.75, 1, 2]


def test_order_of_tags_and_spelling_of_times_do_not_make_another_key() -> None:
    one = {**TOKENS, "Tags": '{"team": "search", "env": "prod"}'}
    other = {**TOKENS, "Tags": '"env": "prod","team": "search"', "ChargePeriodStart": "2026-10-01 11:00:00+02:00"}

    assert len(records(one, other)) == 1


def test_money_of_two_currencies_is_never_added() -> None:
    frame = records(TOKENS, {**TOKENS, "BillingCurrency": "USD"})

    assert frame["currency"].tolist() == ["EUR", "USD"]
    assert frame["record_id"].is_unique


@pytest.mark.parametrize(
    "column",
    [
        *(
            "BillingAccountId",
            "SubAccountId",
            "ServiceName",
            "SkuId",
            "SkuPriceId",
            "SkuMeter",
            "RegionId",
            "ResourceId",
        ),
        *("PricingCategory", "CommitmentDiscountId"),
    ],
)
def test_every_part_of_the_key_makes_another_record(column: str) -> None:
    other = {**TOKENS, column: "Amazon Bedrock 2" if column == "ServiceName" else "input-other"}

    assert len(records(TOKENS, other)) == 2


def test_resources_of_azure_are_compared_without_regard_to_case() -> None:
    azure = {**TOKENS, "ProviderName": "Microsoft", "ServiceName": "Azure OpenAI", "SkuMeter": "gpt 4.1 Inp Tokens"}

    frame = records({**azure, "ResourceId": "/a/RG/x"}, {**azure, "ResourceId": "/a/rg/X"})
    assert len(frame) == 1


def test_summing_money_is_exact() -> None:
    rows = [{**TOKENS, "EffectiveCost": "0.1"}] * 30

    assert records(*rows)["cost"].tolist() == [3.0]


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("focus") / "large.csv"
    write_focus_csv(path, 400, seed=4)
    return path.read_bytes()


@pytest.mark.parametrize("chunk_rows", [7, 100, 399])
def test_the_cut_into_chunks_does_not_show(large: bytes, chunk_rows: int) -> None:
    doubled = io.BytesIO(large + large.split(b"\n", 1)[1])  # every key twice
    whole = parsed(doubled)

    doubled.seek(0)
    cut = parsed(doubled, chunk_rows)
    assert len(cut) == -(-800 // chunk_rows)
    pd.testing.assert_frame_equal(summed(cut), summed(whole))
    assert cut[-1].cover == whole[-1].cover
    assert all(chunk.cover == [] for chunk in cut[:-1])
    assert sum(chunk.outside for chunk in cut) == whole[0].outside


AMOUNTS = st.decimals(-1000, 1000, places=6)


@pytest.mark.slow
@settings(deadline=None, max_examples=20)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from([TOKENS, MACHINE, STORAGE]), AMOUNTS, AMOUNTS, st.integers(0, 2)),
        min_size=1,
        max_size=6,
    ),
    chunk_rows=st.integers(1, 3),
)
def test_sums_do_not_depend_on_chunks_whatever_the_amounts(
    rows: list[tuple[dict[str, str], Any, Any, int]], chunk_rows: int
) -> None:
    table = [
        {**row, "ConsumedQuantity": str(quantity), "EffectiveCost": str(cost), "SkuPriceId": str(price)}
        for row, quantity, cost, price in rows
    ]

    whole, cut = parsed(bill(*table)), parsed(bill(*table), chunk_rows)
    assert sum(chunk.outside for chunk in cut) == whole[0].outside
    if len(whole[0].activity):
        left, right = summed(cut), summed(whole)
        pd.testing.assert_frame_equal(left, right, rtol=1e-12)


# --- what the delivery speaks for -------------------------------------------------------------------------------------


def test_cover_names_accounts_from_first_to_last_usage() -> None:
    other = {
        **STORAGE,
        "SubAccountId": "2",
        "ChargePeriodStart": "2026-10-05T00:00:00Z",
        "ChargePeriodEnd": "2026-10-06T00:00:00Z",
    }
    fee = {**STORAGE, "ChargeCategory": "Purchase", "ChargePeriodEnd": "2029-10-01T00:00:00Z"}

    (chunk,) = parsed(bill(TOKENS, other, fee))
    start, end = datetime(2026, 10, 1, 9, tzinfo=UTC), datetime(2026, 10, 6, tzinfo=UTC)
    assert chunk.cover == [
        Cover("focus:999988887777:2026-10", {"account": "123456789012"}, start, end),
        Cover("focus:999988887777:2026-10", {"account": "2"}, start, end),
    ]


def test_rows_without_sub_account_belong_to_the_billing_account() -> None:
    (chunk,) = parsed(bill({**TOKENS, "SubAccountId": "NULL"}))

    assert chunk.activity["account"].tolist() == ["999988887777"]
    assert [cover.scope for cover in chunk.cover] == [{"account": "999988887777"}]


def test_cover_of_two_months_is_kept_apart() -> None:
    november = {
        "BillingPeriodStart": "2026-11-01T00:00:00Z",
        "ChargePeriodStart": "2026-11-03T00:00:00Z",
        "ChargePeriodEnd": "2026-11-04T00:00:00Z",
    }

    (chunk,) = parsed(bill(TOKENS, {**TOKENS, **november}))
    assert [(cover.snapshot[-7:], cover.started_at, cover.ended_at) for cover in chunk.cover] == [
        ("2026-10", datetime(2026, 10, 1, 9, tzinfo=UTC), datetime(2026, 10, 1, 10, tzinfo=UTC)),
        ("2026-11", datetime(2026, 11, 3, tzinfo=UTC), datetime(2026, 11, 4, tzinfo=UTC)),
    ]


# --- quarantine -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"BillingAccountId": "NULL"}, "BillingAccountId", "bad_field"),
        ({"BillingCurrency": ""}, "BillingCurrency", "bad_field"),
        ({"BillingCurrency": "Euro"}, "BillingCurrency", "bad_field"),
        ({"BillingPeriodStart": ""}, "BillingPeriodStart", "bad_field"),
        ({"ChargePeriodStart": "yesterday"}, "ChargePeriodStart", "bad_field"),
        ({"ChargePeriodEnd": "2026-10-01T08:00:00Z"}, "ChargePeriodEnd", "negative_interval"),
        ({"ChargeCategory": "Gift"}, "ChargeCategory", "bad_field"),
        ({"ChargeCategory": ""}, "ChargeCategory", "bad_field"),
        ({"EffectiveCost": "1,50"}, "EffectiveCost", "bad_field"),
        ({"EffectiveCost": "1e30"}, "EffectiveCost", "bad_field"),
        ({"ConsumedQuantity": "two"}, "ConsumedQuantity", "bad_field"),
        ({"ConsumedQuantity": "1e30"}, "ConsumedQuantity", "bad_field"),
        ({"ConsumedUnit": "Barrels"}, "ConsumedUnit", "unknown_unit"),
        ({"ConsumedUnit": ""}, "ConsumedUnit", "unknown_unit"),
        ({"EffectiveCost": "", "ConsumedQuantity": ""}, "EffectiveCost", "bad_field"),
        ({"Tags": "{broken"}, "Tags", "bad_field"),
        ({"Tags": "[1]"}, "Tags", "bad_field"),
        ({"ChargePeriodStart": "2027-01-01", "ChargePeriodEnd": "2027-01-02"}, "ChargePeriodStart", "clock_skew"),
        ({"ChargePeriodEnd": "2036-10-01T00:00:00Z"}, "ChargePeriodEnd", "clock_skew"),
        ({"ChargePeriodStart": "2019-10-01T00:00:00Z"}, "ChargePeriodStart", "too_old"),
        ({"ResourceId": "x", "SubAccountId": "y" * 201}, "account", "bad_field"),
    ],
)  # fmt: skip
def test_bad_row_is_quarantined_alone(changes: dict[str, str], field: str, reason: str) -> None:
    (chunk,) = parsed(bill(TOKENS, {**TOKENS, **changes}, STORAGE, MACHINE))

    assert [(each.row, each.field, each.reason) for each in chunk.rejected] == [(2, field, reason)]
    assert chunk.rejected[0].detail
    assert (chunk.received, len(chunk.activity), chunk.outside) == (4, 2, 1)


def test_rejected_row_is_kept_as_it_was_read() -> None:
    (chunk,) = parsed(bill({**TOKENS, "ConsumedUnit": "Barrels"}))

    assert chunk.rejected[0].payload == {
        name: value for name, value in {**TOKENS, "ConsumedUnit": "Barrels"}.items() if value
    }


def test_rows_outside_need_no_tags_or_units() -> None:
    (chunk,) = parsed(bill({**STORAGE, "Tags": "{broken", "ConsumedQuantity": "?", "ChargePeriodStart": "2019-10-01"}))

    assert (chunk.outside, chunk.rejected) == (1, [])


def test_a_running_day_is_no_fault_of_the_clock() -> None:
    running = {"ChargePeriodStart": "2026-11-25T00:00:00Z", "ChargePeriodEnd": "2026-11-26T00:00:00Z"}

    assert record({**TOKENS, **running})["input_tokens"] == 2000


def test_infinite_and_blank_amounts_are_absent() -> None:
    found = record({**TOKENS, "EffectiveCost": "NaN"})

    assert pd.isna(found["cost"])
    assert found["input_tokens"] == 2000


def test_line_with_too_few_cells_is_quarantined_alone() -> None:
    lines = bill(TOKENS, TOKENS, TOKENS).getvalue().splitlines(keepends=True)
    lines[2] = b"a,b,c\r\n"

    (chunk,) = parsed(io.BytesIO(b"".join(lines)))
    assert [(each.row, each.reason, each.detail) for each in chunk.rejected] == [
        (2, "bad_field", "3 cells where the header has 24")
    ]
    assert (chunk.received, chunk.activity["rows"].tolist(), chunk.activity["row"].tolist()) == (3, [2], [1])


# --- files ------------------------------------------------------------------------------------------------------------


def as_parquet(rows: list[dict[str, str]]) -> io.BytesIO:
    """Write rows as providers do: typed times and numbers, tags as a map."""
    table = pa.csv.read_csv(
        bill(*rows), convert_options=pa.csv.ConvertOptions(column_types={name: pa.string() for name in rows[0]})
    )
    typed: dict[str, Any] = {}
    for name in table.column_names:
        column = table[name].combine_chunks()
        if name.endswith(("Start", "End")):
            typed[name] = pa.array(pd.to_datetime(column.to_pandas(), utc=True))
        elif name.endswith(("Quantity", "Cost")):
            typed[name] = pa.array([float(value.as_py()) if value.as_py() else None for value in column])
        elif name == "Tags":
            pairs = [list(json.loads(value.as_py()).items()) if value.as_py() else None for value in column]
            typed[name] = pa.array(pairs, pa.map_(pa.string(), pa.string()))
        else:
            typed[name] = column
    stream = io.BytesIO()
    pa.parquet.write_table(pa.table(typed), stream, row_group_size=2)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("chunk_rows", [2, 20_000])
def test_parquet_and_csv_give_the_same_records(chunk_rows: int) -> None:
    rows = [TOKENS, MACHINE, STORAGE, {**TOKENS, "Tags": '{"team": "a \\"b\\"", "env": "x"}'}, {**TOKENS, "Tags": ""}]

    from_parquet, from_csv = parsed(as_parquet(rows), chunk_rows), parsed(bill(*rows), chunk_rows)
    pd.testing.assert_frame_equal(activity_of(from_parquet), activity_of(from_csv))
    assert from_parquet[-1].log == ["Read as FOCUS 1.1, Parquet."]


@pytest.mark.parametrize("form", ["list of pairs", "struct"])
def test_nested_tags_of_parquet_are_read(form: str) -> None:
    table = pa.parquet.read_table(as_parquet([TOKENS, TOKENS]))
    nested = {
        "list of pairs": [[{"key": "team", "value": "nlp"}, {"key": "x", "value": None}], None],
        "struct": [{"team": "nlp", "env": None}, None],
    }
    stream = io.BytesIO()
    pa.parquet.write_table(table.set_column(table.column_names.index("Tags"), "Tags", pa.array(nested[form])), stream)
    stream.seek(0)

    found = activity_of(parsed(stream))
    assert found["team"].fillna("").tolist() == ["nlp", ""]


def test_column_of_an_impossible_type_is_named() -> None:
    table = pa.parquet.read_table(as_parquet([TOKENS]))
    stream = io.BytesIO()
    odd = table.set_column(table.column_names.index("EffectiveCost"), "EffectiveCost", pa.array([[1.5]]))
    pa.parquet.write_table(odd, stream)
    stream.seek(0)

    with pytest.raises(UnreadablePayload, match="EffectiveCost of type list"):
        parsed(stream)


def test_gzip_is_read_as_it_is() -> None:
    (chunk,) = parsed(io.BytesIO(gzip.compress(bill(TOKENS).getvalue())))

    assert len(chunk.activity) == 1


def test_truncated_gzip_is_unreadable(large: bytes) -> None:
    packed = gzip.compress(large)

    with pytest.raises(UnreadablePayload, match="truncated or damaged"):
        parsed(io.BytesIO(packed[: len(packed) // 2]), 100)


def test_truncated_parquet_is_unreadable() -> None:
    with pytest.raises(UnreadablePayload, match="truncated or damaged"):
        parsed(io.BytesIO(as_parquet([TOKENS]).getvalue()[:-20]))


@pytest.mark.parametrize("write", [bill, lambda row: as_parquet([row])])
def test_missing_columns_are_named_with_the_version_found(write: Any) -> None:
    row = {
        name: value for name, value in TOKENS.items() if name not in ("EffectiveCost", "ProviderName", "ServiceName")
    }

    with pytest.raises(UnreadablePayload) as caught:
        parsed(write(row))
    assert "FOCUS 1.1" in str(caught.value)
    assert "EffectiveCost, ServiceName, ProviderName or ServiceProviderName or HostProviderName" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (bill(TOKENS).getvalue().decode().encode("utf-16"), "UTF-8"),
        (bill({**TOKENS, "ServiceName": "Caf\u00e9"}).getvalue().decode().encode("latin-1"), "UTF-8"),
        (b"just a text", "columns are missing"),
    ],
)
def test_what_is_no_bill_is_unreadable(content: bytes, message: str) -> None:
    with pytest.raises(UnreadablePayload, match=message):
        parsed(io.BytesIO(content))


def test_header_only_is_an_empty_delivery() -> None:
    stream = io.BytesIO(bill(TOKENS).getvalue().splitlines(keepends=True)[0])

    (chunk,) = parsed(stream)
    assert (chunk.received, len(chunk.activity), chunk.cover) == (0, 0, [])


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_byte_order_mark_spelling_and_delimiter_of_the_header_do_not_matter(delimiter: str) -> None:
    row = {name: value.replace(delimiter, "") for name, value in TOKENS.items() if name != "Tags"}
    text = delimiter.join(f" {name.lower()} " for name in row) + "\n" + delimiter.join(row.values()) + "\n"

    (chunk,) = parsed(io.BytesIO(b"\xef\xbb\xbf" + text.encode()))
    assert chunk.activity["input_tokens"].tolist() == [2000]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        (AI_1_2, "FOCUS 1.2, CSV (it has InvoiceId, BillingAccountType, SubAccountType, PricingCurrency)"),
        (AI_1_3, "FOCUS 1.3, CSV (it has ServiceProviderName, HostProviderName)"),
        (REAL, "FOCUS 1.0, CSV"),
    ],
)
def test_detection_says_the_version_and_why(path: Path, reason: str) -> None:
    assert focus.detect(path.read_bytes()[:65_536], path.name) == reason


def test_detection_of_other_files() -> None:
    assert focus.detect(b"record_id,started_at\n", "activity.csv") is None
    assert focus.detect(as_parquet([TOKENS]).getvalue(), "part-0.parquet") == "FOCUS, Parquet"
    assert focus.detect(b"PAR1....", "FOCUS_1_2_AWS-00001.snappy.parquet") == "FOCUS, Parquet"
    assert focus.detect(b"PAR1....", "data.parquet") is None


MEASURE = """
import resource, sys
from datetime import UTC, datetime
from ingestion.sources import focus
from ingestion.sources.base import Context
with open(sys.argv[1], "rb") as stream:
    rows = sum(chunk.received for chunk in focus.parse(stream, Context(datetime(2026, 11, 25, tzinfo=UTC))))
print(rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks_mb = []
    for rows in (60_000, 200_000):
        path = tmp_path / f"{rows}.csv"
        write_focus_csv(path, rows)
        done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
        read_rows, peak_mb = map(int, done.stdout.split())
        assert read_rows == rows
        peaks_mb.append(peak_mb)

    assert peaks_mb[1] < 400
    assert peaks_mb[1] < peaks_mb[0] + 60


def test_integers_of_amounts_survive_as_floats() -> None:
    rows = [
        {**TOKENS, "EffectiveCost": f"{number}.000000001", "SkuPriceId": str(number)}
        for number in (1, 10**6, 8 * 10**6)
    ]

    nano = np.rint(records(*rows)["cost"].to_numpy() * 1e9).astype("int64").tolist()
    assert nano == [1_000_000_001, 10**15 + 1, 8 * 10**15 + 1]
