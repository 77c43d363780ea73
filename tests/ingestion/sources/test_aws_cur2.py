"""AWS Cost and Usage Reports: what each line item means, in every spelling and form of the report."""

from __future__ import annotations

import csv
import doctest
import gzip
import io
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import zstandard

from ingestion.sources import aws_cur2, aws_principals, private_tables, private_texts
from ingestion.sources.base import Context, UnreadablePayload
from tests.ingestion.sources.bills import RECEIVED_AT, summed
from tests.ingestion.sources.reports import (
    BEDROCK,
    FIRST,
    MACHINE,
    SECOND,
    STORAGE,
    as_parquet,
    legacy,
    parsed,
    record,
    records,
    report,
)
from tests.payloads.aws.make_large import write_report

MARKETPLACE = {
    **BEDROCK,
    "bill_billing_entity": "AWS Marketplace",
    "line_item_product_code": "7e1xampl3marketplac3code",
    "product_servicecode": "7e1xampl3marketplac3code",
    "product": '{"product_name": "Claude Sonnet 4.5 (Amazon Bedrock Edition)"}',
    "line_item_usage_type": "USE1-MP:USE1_InputTokenCount-Units",
    "line_item_line_item_description": "AWS Marketplace hourly software usage|us-east-1|Million Input Tokens",
    "line_item_usage_amount": "47.03",
    "pricing_unit": "Units",
}


def sample(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


# --- Bedrock ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage_type", "measures"),
    [
        ("USE1-Claude4.6Sonnet-input-tokens", {"input_tokens": 2000}),
        ("USE1-Claude4.6Sonnet-output-tokens", {"output_tokens": 2000}),
        ("USE1-NovaPro-cache-read-input-token-count", {"input_tokens": 2000, "cached_input_tokens": 2000}),
        ("USE1-NovaPro-cache-write-input-token-count", {"input_tokens": 2000}),
        ("USE1-Nova2.0Pro-input-token-count-cross-region-global", {"input_tokens": 2000}),
        ("USE1-NovaLite-customization-training", {"input_tokens": 2000}),
        ("USE1-Guardrail-ContentPolicyUnitsConsumed", {}),
        ("USE1-NovaLite-customization-storage", {}),
    ],
)
def test_kinds_of_bedrock_meters(usage_type: str, measures: dict[str, int]) -> None:
    found = record({**BEDROCK, "line_item_usage_type": usage_type, "line_item_line_item_description": ""})

    tokens = ("input_tokens", "cached_input_tokens", "output_tokens")
    assert {name: found[name] for name in tokens if not pd.isna(found[name])} == measures
    assert found["cost"] == 0.5


@pytest.mark.parametrize(
    ("unit", "amount", "tokens"),
    [("1K tokens", "6.946", 6946), ("1M tokens", "0.25", 250_000), ("Tokens", "3", 3), ("1K tokens", "0.0005", 0)],
)
def test_the_pricing_unit_scales_tokens(unit: str, amount: str, tokens: int) -> None:
    assert record({**BEDROCK, "pricing_unit": unit, "line_item_usage_amount": amount})["input_tokens"] == tokens


def test_marketplace_models_are_metered_in_millions_and_named_by_their_product() -> None:
    found = record(MARKETPLACE)

    assert (found["input_tokens"], found["model"], found["hosting"]) == (47_030_000, "Claude Sonnet 4.5", "api")
    assert found["labels"]["service"] == "Claude Sonnet 4.5 (Amazon Bedrock Edition)"


def test_a_marketplace_product_that_is_no_model_is_outside() -> None:
    (chunk,) = parsed(
        report(
            {
                **MARKETPLACE,
                "product": '{"product_name": "A firewall"}',
                "pricing_unit": "Hrs",
                "line_item_line_item_description": "per hour",
                "line_item_usage_type": "MP:fw-Hrs",
            }
        )
    )

    assert (chunk.outside, len(chunk.activity)) == (1, 0)


@pytest.mark.parametrize(
    ("suffix", "tier"),
    [("-batch", "batch"), ("-flex", "standard"), ("-priority", "interactive"), ("-latency-optimized", "interactive")],
)
def test_service_levels(suffix: str, tier: str) -> None:
    found = record({**BEDROCK, "line_item_usage_type": f"USE1-NovaPro-input-tokens{suffix}"})

    assert (found["tier"], found["model"]) == (tier, "NovaPro")


def test_model_units_are_hours_and_no_tokens() -> None:
    meter = {"line_item_usage_type": "USE1-NovaPro-ProvisionedThroughput-ModelUnits", "pricing_unit": "Hrs"}
    found = record({**BEDROCK, **meter, "line_item_usage_amount": "24"})

    assert (found["instance_hours"], found["model"]) == (24, "NovaPro")
    assert pd.isna(found["input_tokens"])


def test_a_role_is_a_label_and_tags_of_the_principal_give_the_team() -> None:
    principal = {
        "line_item_iam_principal": "arn:aws:iam::123456789012:role/service/search-app",
        "resource_tags": '{"iamPrincipal/team": "search"}',
    }
    found = record({**BEDROCK, **principal})

    assert (found["labels"]["iam_principal"], found["team"]) == ("search-app", "search")


# --- machines ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "usage_type", "stage"),
    [
        ("AmazonEC2", "USE1-BoxUsage:p4d.24xlarge", "training"),
        ("AmazonEC2", "USE1-SpotUsage:p4d.24xlarge", "training"),
        ("AmazonEC2", "DedicatedUsage:p4d.24xlarge", "training"),
        ("AmazonSageMaker", "USE1-Train:ml.p4d.24xlarge", "training"),
        ("AmazonSageMaker", "USE1-Host:ml.p4d.24xlarge", "inference"),
        ("AmazonSageMaker", "USE1-Notebk:ml.p4d.24xlarge", "experimentation"),
        ("AmazonSageMaker", "USE1-Processing:ml.p4d.24xlarge", "data_preparation"),
        ("AmazonSageMaker", "USE1-Tsform:ml.p4d.24xlarge", "inference"),
    ],
)
def test_machines_hold_hours_of_their_type(code: str, usage_type: str, stage: str) -> None:
    row = {**MACHINE, "line_item_product_code": code, "line_item_usage_type": usage_type, "product_instance_type": ""}
    found = record({**row, "line_item_line_item_description": ""})

    assert (found["instance_hours"], found["instance_type"]) == (1, "p4d.24xlarge")
    assert (found["stage"], found["hosting"]) == (stage, "cloud")


def test_a_stated_number_of_gpus_gives_device_hours() -> None:
    found = record({**MACHINE, "product": '{"gpu": "8", "gpu_memory": "320 GB"}', "line_item_usage_amount": "0.5"})

    assert (found["instance_hours"], found["device_hours"]) == (0.5, 4.0)


def test_an_unused_reservation_is_held_at_utilization_zero() -> None:
    found = record({**MACHINE, "line_item_usage_type": "USE1-UnusedBox:p4d.24xlarge"})

    assert (found["instance_hours"], found["instance_utilization"]) == (1, 0)


def test_machines_without_accelerators_are_supporting() -> None:
    plain = {**MACHINE, "product_instance_type": "m5.large", "line_item_usage_type": "USE1-BoxUsage:m5.large"}

    (chunk,) = parsed(report({**plain, "line_item_line_item_description": ""}))
    assert chunk.outside_by is not None
    assert chunk.outside_by["classification"].tolist() == ["supporting"]


# --- line item types --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["Usage", "DiscountedUsage", "SavingsPlanCoveredUsage"])
def test_line_items_of_usage_have_quantities(kind: str) -> None:
    found = record({**MACHINE, "line_item_line_item_type": kind})

    assert found["instance_hours"] == 1
    assert "charge_category" not in found["labels"]


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("SavingsPlanNegation", "adjustment"),
        ("RIFee", "purchase"),
        ("SavingsPlanRecurringFee", "purchase"),
        ("SavingsPlanUpfrontFee", "purchase"),
        ("Fee", "purchase"),
        ("Tax", "tax"),
        ("Credit", "credit"),
        ("Refund", "credit"),
        ("EdpDiscount", "adjustment"),
        ("PrivateRateDiscount", "adjustment"),
        ("Discount", "adjustment"),
    ],
)
def test_other_line_items_are_money_only(kind: str, category: str) -> None:
    found = record({**MACHINE, "line_item_line_item_type": kind, "line_item_unblended_cost": "-3"})

    assert pd.isna(found["instance_hours"])
    assert (found["cost"], found["labels"]["charge_category"]) == (-3, category)


def test_rows_of_split_cost_are_outside_since_their_machine_is_billed() -> None:
    share = {
        **MACHINE,
        "split_line_item_parent_resource_id": MACHINE["line_item_resource_id"],
        "line_item_unblended_cost": "0",
        "line_item_usage_amount": "0.5",
    }

    (chunk,) = parsed(report(MACHINE, share))
    assert (chunk.outside, chunk.activity["instance_hours"].tolist()) == (1, [1.0])


def test_a_negative_amount_corrects_the_record_of_its_key() -> None:
    frame = records(BEDROCK, {**BEDROCK, "line_item_usage_amount": "-1", "line_item_unblended_cost": "-0.25"})

    assert frame["input_tokens"].tolist() == [2000, -1000]
    assert frame["corrects"].iloc[1] == frame["record_id"].iloc[0]


# --- keys -------------------------------------------------------------------------------------------------------------


def test_line_item_ids_make_no_difference_and_rows_of_one_key_are_summed() -> None:
    one, two = records({**BEDROCK, "identity_line_item_id": "other"}), records(BEDROCK, BEDROCK)

    assert one["record_id"].tolist() == two["record_id"].tolist()
    assert (two["input_tokens"].tolist(), two["rows"].tolist()) == ([4000], [2])


@pytest.mark.parametrize(
    ("column", "other"),
    [
        ("line_item_usage_start_date", "2026-10-01 08:00:00.000"),
        ("line_item_usage_end_date", "2026-10-01 11:00:00.000"),
        ("line_item_usage_account_id", "2"),
        ("line_item_line_item_type", "DiscountedUsage"),
        ("line_item_usage_type", "USE1-NovaLite-input-tokens"),
        ("line_item_operation", "InvokeModelStreamingInference"),
        ("line_item_resource_id", "arn:aws:bedrock:::x"),
        ("line_item_iam_principal", "arn:aws:iam::1:role/other"),
        ("product_region_code", "us-east-1"),
        ("resource_tags", '{"user_team": "other"}'),
        ("line_item_currency_code", "EUR"),
        ("bill_payer_account_id", "1"),
    ],
)
def test_every_part_of_the_key_makes_another_record(column: str, other: str) -> None:
    assert records(BEDROCK, {**BEDROCK, column: other})["record_id"].nunique() == 2


def test_money_of_two_currencies_is_kept_per_row() -> None:
    frame = records(BEDROCK, {**BEDROCK, "line_item_currency_code": "CNY"})

    assert sorted(zip(frame["currency"], frame["cost"], strict=True)) == [("CNY", 0.5), ("USD", 0.5)]


def test_snapshot_and_cover_are_the_payers_month() -> None:
    (chunk,) = parsed(report(BEDROCK, {**STORAGE, "line_item_usage_end_date": "2026-10-02 10:00:00.000"}))

    assert chunk.activity["snapshot"].tolist() == ["aws_cur2:999988887777:2026-10"]
    (cover,) = chunk.cover
    assert (cover.snapshot, cover.scope) == ("aws_cur2:999988887777:2026-10", {"account": "123456789012"})
    assert (cover.started_at.isoformat(), cover.ended_at.isoformat()) == (  # type: ignore[union-attr]  # it has both
        "2026-10-01T09:00:00+00:00",
        "2026-10-02T10:00:00+00:00",
    )


# --- spellings and forms ----------------------------------------------------------------------------------------------

SAMPLE = sample(FIRST)


@pytest.mark.parametrize("separator", ["/", "_"])
def test_the_legacy_report_gives_the_same_records(separator: str) -> None:
    rows = [legacy({name: text for name, text in row.items() if name != "cost_category"}, separator) for row in SAMPLE]

    (old,), (new,) = parsed(report(*rows)), parsed(io.BytesIO(FIRST.read_bytes()))
    pd.testing.assert_frame_equal(summed([old]), summed([new]))
    assert (old.outside, old.cover) == (new.outside, new.cover)
    assert old.log == ["Read as AWS legacy CUR, CSV.", *new.log[1:]]


@pytest.mark.parametrize("chunk_rows", [2, 20_000])
def test_parquet_with_maps_gives_the_same_records(chunk_rows: int) -> None:
    rows = [{name: row[name] for name in BEDROCK} for row in SAMPLE]

    parquet, (plain,) = parsed(as_parquet(rows), chunk_rows), parsed(report(*rows))
    pd.testing.assert_frame_equal(summed(parquet), summed([plain]))
    assert sum(chunk.outside for chunk in parquet) == plain.outside == 2


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.ZstdCompressor().compress], ids=["gzip", "zstandard"])
def test_packed_reports_are_read_as_they_are(pack: object) -> None:
    packed = io.BytesIO(pack(SECOND.read_bytes()))  # type: ignore[operator]  # both pack bytes

    pd.testing.assert_frame_equal(summed(parsed(packed)), summed(parsed(io.BytesIO(SECOND.read_bytes()))))


def test_times_of_the_report_are_utc_by_definition() -> None:
    assert record(BEDROCK)["flags"] == ()


def test_detection_tells_the_editions_and_leaves_others_alone() -> None:
    assert "CUR 2.0, CSV" in str(aws_cur2.detect(FIRST.read_bytes(), "x.csv"))
    assert "legacy CUR, CSV" in str(aws_cur2.detect(report(legacy(BEDROCK)).getvalue(), "x.csv"))
    assert aws_cur2.detect(b"PAR1\nline_item_line_item_type\nbill_payer_account_id\nresource_tags\n", "x") is not None
    assert aws_cur2.detect(b"a,b\n1,2\n", "cur.csv") is None


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"line_item_usage_amount": "two"}, "line_item_usage_amount", "bad_field"),
        ({"line_item_usage_amount": "1e30"}, "line_item_usage_amount", "bad_field"),
        ({"pricing_unit": "Furlongs"}, "pricing_unit", "unknown_unit"),
        ({"line_item_unblended_cost": "1,5"}, "line_item_unblended_cost", "bad_field"),
        ({"line_item_currency_code": "Dollars"}, "line_item_currency_code", "bad_field"),
        ({"line_item_usage_start_date": "soon"}, "line_item_usage_start_date", "bad_field"),
        ({"line_item_usage_end_date": "2026-10-01 08:00:00"}, "line_item_usage_end_date", "negative_interval"),
        ({"line_item_usage_start_date": "2019-10-01 09:00:00"}, "line_item_usage_start_date", "too_old"),
        ({"line_item_line_item_type": "Gift"}, "line_item_line_item_type", "bad_field"),
        ({"bill_payer_account_id": ""}, "bill_payer_account_id", "bad_field"),
        ({"resource_tags": "{broken"}, "resource_tags", "bad_field"),
    ],
)
def test_a_bad_row_is_quarantined_alone_by_the_reports_own_names(
    changes: dict[str, str], field: str, reason: str
) -> None:
    (chunk,) = parsed(report(BEDROCK, {**BEDROCK, **changes}, STORAGE))

    assert [(each.row, each.field, each.reason) for each in chunk.rejected] == [(2, field, reason)]
    assert (chunk.received, len(chunk.activity), chunk.outside) == (3, 1, 1)


def test_missing_columns_are_named() -> None:
    with pytest.raises(UnreadablePayload, match=r"AWS CUR 2\.0.*missing: line_item_usage_amount, pricing_unit"):
        parsed(report({k: v for k, v in BEDROCK.items() if k not in ("line_item_usage_amount", "pricing_unit")}))


def test_what_is_conserved() -> None:
    rows = [*SAMPLE, {**SAMPLE[0], "pricing_unit": "Furlongs"}, {**SAMPLE[0], "line_item_unblended_cost": "9.5"}]
    (chunk,) = parsed(report(*rows))

    assert chunk.outside_by is not None
    rejected_cost = float(chunk.rejected[0].payload["line_item_unblended_cost"])  # type: ignore[index]  # a row
    kept = chunk.activity["cost"].sum() + chunk.outside_by["cost"].sum() + rejected_cost
    assert kept == pytest.approx(sum(float(row["line_item_unblended_cost"]) for row in rows), rel=1e-12)
    assert chunk.received == len(rows) == chunk.activity["rows"].sum() + chunk.outside + 1


@pytest.mark.parametrize("module", [aws_cur2, aws_principals, private_tables, private_texts])
def test_examples_in_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]  # a module, whatever its type says


def test_a_setting_of_no_use_is_named() -> None:
    with pytest.raises(UnreadablePayload, match="'labels' must be a list"):
        list(aws_cur2.parse(report(BEDROCK), Context(RECEIVED_AT, {"labels": "team"})))


# --- size -------------------------------------------------------------------------------------------------------------

MEASURE = """
import sys
from datetime import UTC, datetime
from ingestion.sources import aws_cur2
from ingestion.sources.base import Context
with open(sys.argv[1], "rb") as stream, aws_cur2.scrub_file(stream) as kept:
    while kept.read(1024 * 1024):
        pass
with open(sys.argv[1], "rb") as stream:
    rows = sum(chunk.received for chunk in aws_cur2.parse(stream, Context(datetime(2026, 11, 25, tzinfo=UTC))))
# Not getrusage: its peak begins with that of the parent, which is a whole test run.
with open("/proc/self/status") as status:
    print(rows, next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    peaks_mb = []
    for rows in (60_000, 200_000):
        path = tmp_path / f"{rows}.csv"
        write_report(path, rows)
        path.write_bytes(path.read_bytes().replace(b":role/", b":user/"))  # so that it is written anew
        done = subprocess.run([sys.executable, "-c", MEASURE, str(path)], capture_output=True, text=True, check=True)
        read_rows, peak_mb = map(int, done.stdout.split())
        assert read_rows == rows
        peaks_mb.append(peak_mb)

    assert peaks_mb[1] < 400
    assert peaks_mb[1] < peaks_mb[0] + 60
