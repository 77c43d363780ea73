"""Azure cost details: spellings of columns, days, units and meters, and what each row becomes."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.quantification.rejections import Cover
from ingestion.sources import azure_cost
from ingestion.sources.base import Context, Parsed, UnreadablePayload
from tests.ingestion.sources.bills import summed
from tests.ingestion.sources.samples import PAYLOADS, RECEIVED_AT, activity_of, check, expected, read

SAMPLE = PAYLOADS / "azure" / "cost-details-actual.csv"
SUBSCRIPTION = "5f1d2c3b-0a9e-4f4d-8c7b-6a5e4d3c2b1a"

TOKENS = {
    "BillingAccountId": "8611537",
    "BillingPeriodStartDate": "10/01/2026",
    "BillingPeriodEndDate": "10/31/2026",
    "SubscriptionId": SUBSCRIPTION,
    "Date": "10/01/2026",
    "Product": "Cognitive Services - gpt 4.1 mini Inp regnl Tokens",
    "MeterId": "11111111-aaaa-4bbb-8ccc-000000000001",
    "MeterCategory": "Cognitive Services",
    "MeterSubCategory": "Azure OpenAI",
    "MeterName": "gpt 4.1 mini Inp regnl Tokens",
    "Quantity": "6.5",
    "Cost": "2.5",
    "BillingCurrency": "EUR",
    "ResourceLocation": "Sweden Central",
    "ConsumedService": "Microsoft.CognitiveServices",
    "ResourceId": f"/subscriptions/{SUBSCRIPTION}/resourceGroups/RG-AI/providers/Microsoft.CognitiveServices/accounts/a",
    "AdditionalInfo": "",
    "Tags": '"team": "search","env": "prod"',
    "CostCenter": "CC-77",
    "UnitOfMeasure": "1K",
    "ResourceGroup": "RG-AI",
    "ChargeType": "Usage",
    "PricingModel": "OnDemand",
}
MACHINE = {
    **TOKENS,
    "Product": "Virtual Machines - NC40ads H100 v5",
    "MeterId": "22222222-aaaa-4bbb-8ccc-000000000001",
    "MeterCategory": "Virtual Machines",
    "MeterSubCategory": "NCadsH100v5 Series",
    "MeterName": "NC40ads H100 v5",
    "Quantity": "5",
    "Cost": "35",
    "ConsumedService": "Microsoft.Compute",
    "AdditionalInfo": '{"ServiceType":"Standard_NC40ads_H100_v5","VMName":"nc-0","VCPUs":40}',
    "Tags": "",
    "UnitOfMeasure": "1 Hour",
}
STORAGE = {**TOKENS, "MeterCategory": "Storage", "MeterName": "LRS Data Stored", "UnitOfMeasure": "1 GB/Month"}


def details(*rows: Mapping[str, str]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parsed(*rows: Mapping[str, str], **setting: Any) -> Parsed:
    [chunk] = read(azure_cost, details(*rows), setting=setting)
    return chunk


def record(row: Mapping[str, str], **setting: Any) -> pd.Series:
    chunk = parsed(row, **setting)
    assert chunk.rejected == []
    assert len(chunk.activity) == 1
    return chunk.activity.iloc[0]


# --- samples ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("entry", expected("azure", "azure_cost"))
def test_details_reach_their_sums(entry: dict[str, Any]) -> None:
    [chunk] = read(azure_cost, SAMPLE.read_bytes())

    assert {"received": chunk.received, "quarantined": len(chunk.rejected)} == entry["counts"]
    check(activity_of([chunk]), entry)


# --- what a row becomes -----------------------------------------------------------------------------------------------


def test_token_meter_is_a_day_of_a_model() -> None:
    found = record(TOKENS)

    assert (found["input_tokens"], found["model"], found["provider"], found["hosting"]) == (
        6500,
        "gpt 4.1 mini",
        "azure",
        "api",
    )
    assert (found["started_at"], found["ended_at"]) == (pd.Timestamp("2026-10-01T00Z"), pd.Timestamp("2026-10-02T00Z"))
    assert (found["account"], found["region"], found["team"], found["environment"]) == (
        SUBSCRIPTION,
        "swedencentral",
        "search",
        "prod",
    )
    assert (found["cost"], found["currency"], found["snapshot"]) == (2.5, "EUR", "azure_cost:8611537:2026-10")
    assert found["labels"] == {
        "service": "Cognitive Services",
        "sku": "11111111-aaaa-4bbb-8ccc-000000000001",
        "resource": "a",
        "resource_group": "rg-ai",
        "cost_center": "CC-77",
    }
    assert found["flags"] == ()


@pytest.mark.parametrize(
    ("meter", "unit", "column", "model"),
    [
        ("gpt 4.1 mini Inp glbl Tokens", "1K", "input_tokens", "gpt 4.1 mini"),
        ("gpt-4o-0513 Inp glbl Tokens", "1K", "input_tokens", "gpt-4o-0513"),
        ("GPT 5 Mini Inpt Glbl 1M Tokens", "1M", "input_tokens", "GPT 5 Mini"),
        ("gpt 4.1 mini cached Inp glbl Tokens", "1K", "cached_input_tokens", "gpt 4.1 mini"),
        ("GPT 5 Cd Inp glbl 1M Tokens", "1M", "cached_input_tokens", "GPT 5"),
        ("gpt 4.1 mini Outp glbl Tokens", "10K", "output_tokens", "gpt 4.1 mini"),
        ("GPT 5 Mini outpt Glbl 1M Tokens", "1M", "output_tokens", "GPT 5 Mini"),
        ("GPT 5.1 opt Gl 1M Tokens", "1M", "output_tokens", "GPT 5.1"),
        ("gpt-4o-mini output global tokens", "1", "output_tokens", "gpt-4o-mini"),
    ],
)
def test_spellings_of_token_meters(meter: str, unit: str, column: str, model: str) -> None:
    block = {"1": 1, "1K": 1_000, "10K": 10_000, "1M": 1_000_000}[unit]

    found = record({**TOKENS, "MeterName": meter, "UnitOfMeasure": unit, "Quantity": "2"})

    assert (found[column], found["model"]) == (2 * block, model)
    assert pd.isna(found["region"])
    assert found["flags"] == ("global_routing",)
    if column == "cached_input_tokens":
        assert found["input_tokens"] == found["cached_input_tokens"]


def test_data_zone_is_a_part_of_the_world() -> None:
    found = record({**TOKENS, "MeterName": "gpt 4.1 Inp Data Zone Tokens"})

    assert pd.isna(found["region"])
    assert (found["labels"]["geography"], found["flags"]) == ("eu", ())


@pytest.mark.parametrize(("word", "tier"), [("Batch ", "batch"), ("PP ", "interactive"), ("", None)])
def test_service_levels(word: str, tier: str | None) -> None:
    found = record({**TOKENS, "MeterName": f"gpt 4.1 {word}Inp regnl Tokens"})

    assert (found["tier"] if isinstance(found["tier"], str) else None) == tier


@pytest.mark.parametrize(
    ("unit", "hours"), [("1 Hour", 3), ("1/Hour", 3), ("100 Hours", 300), ("1 hora", 3), ("1 小时", 3)]
)
def test_provisioned_throughput_is_unit_hours_and_no_tokens(unit: str, hours: float) -> None:
    found = record(
        {
            **TOKENS,
            "MeterName": "Provisioned Managed Regional Unit",
            "Product": "Cognitive Services - Provisioned Managed Regional Unit",
            "UnitOfMeasure": unit,
            "Quantity": "3",
        }
    )

    assert found["instance_hours"] == hours
    assert pd.isna(found["input_tokens"])
    assert pd.isna(found["model"])


@pytest.mark.parametrize("info", [MACHINE["AdditionalInfo"], MACHINE["AdditionalInfo"].strip("{}"), "", "{broken"])
def test_machine_is_hours_of_its_type(info: str) -> None:
    found = record({**MACHINE, "AdditionalInfo": info})

    assert (found["instance_hours"], found["instance_type"], found["hosting"], found["stage"]) == (
        5,
        "Standard_NC40ads_H100_v5",
        "cloud",
        "training",
    )


def test_machines_of_a_workspace_are_ai_whatever_their_type() -> None:
    plain = {**MACHINE, "MeterName": "D4s v5", "AdditionalInfo": '{"ServiceType": "Standard_D4s_v5"}'}

    assert parsed(plain).outside == 1
    found = record({**plain, "ConsumedService": "Microsoft.MachineLearningServices"})
    assert (found["instance_hours"], found["instance_type"]) == (5, "Standard_D4s_v5")


def test_licence_beside_a_machine_counts_no_hours() -> None:
    assert parsed({**MACHINE, "MeterCategory": "Virtual Machines Licenses"}).outside == 1


@pytest.mark.parametrize(
    ("charge_type", "label"),
    [
        ("Refund", "credit"),
        ("Purchase", "purchase"),
        ("RoundingAdjustment", "adjustment"),
        ("UnusedReservation", None),
        ("UnusedSavingsPlan", None),
    ],
)
def test_other_charges_are_cost_only(charge_type: str, label: str | None) -> None:
    found = record({**MACHINE, "ChargeType": charge_type, "Quantity": "-1", "Cost": "-7"})

    assert (found["cost"], found["labels"].get("charge_category")) == (-7, label)
    assert pd.isna(found["instance_hours"])
    assert pd.isna(found["corrects"])


def test_negative_usage_corrects_the_usage() -> None:
    frame = parsed(MACHINE, {**MACHINE, "Quantity": "-1", "Cost": "-7"}).activity

    usage, correction = frame.to_dict("records")
    assert (usage["instance_hours"], correction["instance_hours"]) == (5, -1)
    assert correction["corrects"] == usage["record_id"] != correction["record_id"]


@pytest.mark.parametrize(
    ("tags", "team"), [('{"Team": "nlp"}', "nlp"), ('"team": "nlp"', "nlp"), ("", "rg-ai"), ("{}", "rg-ai")]
)
def test_team_is_a_tag_else_the_resource_group(tags: str, team: str) -> None:
    assert record({**TOKENS, "Tags": tags})["team"] == team


@pytest.mark.parametrize("location", ["", "Unassigned", "Unknown"])
def test_missing_location_is_no_region(location: str) -> None:
    assert pd.isna(record({**TOKENS, "ResourceLocation": location})["region"])


def test_meter_that_no_rule_knows_is_cost_only_and_named() -> None:
    chunk = parsed({**TOKENS, "MeterName": "Something new", "Product": "", "UnitOfMeasure": "1 Thing"})

    assert chunk.activity["flags"].tolist() == [("unknown_meter",)]
    assert "Cognitive Services (1)" in chunk.log[-1]


# --- spellings of a file ----------------------------------------------------------------------------------------------

OTHER_NAMES = {
    "Date": "UsageDateTime",
    "Quantity": "UsageQuantity",
    "Cost": "PreTaxCost",
    "ResourceId": "InstanceId",
    "SubscriptionId": "SubscriptionGuid",
    "BillingCurrency": "Currency",
    "Product": "ProductName",
}


@pytest.mark.parametrize(
    "spell", [str.lower, str.upper, lambda name: name[0].lower() + name[1:], lambda name: OTHER_NAMES.get(name, name)]
)
def test_headers_go_by_every_name_in_any_case(spell: Any) -> None:
    body = b"\xef\xbb\xbf" + details({spell(name): value for name, value in TOKENS.items()})

    [chunk] = read(azure_cost, body)
    pd.testing.assert_frame_equal(chunk.activity, parsed(TOKENS).activity)


def test_cost_in_billing_currency_wins_over_other_costs() -> None:
    row = {**TOKENS, "CostInBillingCurrency": "9", "PreTaxCost": "8", "costInUsd": "7"}
    del row["Cost"]

    assert record(row)["cost"] == 9


@pytest.mark.parametrize(
    ("days", "setting", "first"),
    [
        (["10/02/2026", "10/13/2026"], {}, date(2026, 10, 2)),
        (["02/10/2026", "13/10/2026"], {}, date(2026, 10, 2)),
        (["10/02/2026", "10/03/2026"], {}, date(2026, 10, 2)),
        (["02/10/2026", "03/10/2026"], {"date_order": "day_first"}, date(2026, 10, 2)),
        (["2026-10-02", "2026-10-03"], {"date_order": "day_first"}, date(2026, 10, 2)),
        (["2026-10-02T00:00:00Z", "2026-10-03 00:00"], {}, date(2026, 10, 2)),
        (["20261002", "20261003"], {}, date(2026, 10, 2)),
        (["10/2/2026 12:00:00 AM", "10/13/2026 12:00:00 AM"], {}, date(2026, 10, 2)),
    ],
)
def test_days_are_read_in_the_order_that_the_file_tells(days: list[str], setting: dict[str, str], first: date) -> None:
    plain = {name: value for name, value in TOKENS.items() if not name.startswith("BillingPeriod")}

    frame = parsed(*({**plain, "Date": day} for day in days), **setting).activity

    assert frame["started_at"].dt.date.iloc[0] == first
    assert (frame["ended_at"] - frame["started_at"]).unique().tolist() == [pd.Timedelta(days=1)]


def test_end_of_the_billing_period_tells_the_order_of_days() -> None:
    period = {"BillingPeriodStartDate": "01/10/2026", "BillingPeriodEndDate": "31/10/2026"}

    assert record({**TOKENS, **period, "Date": "03/10/2026"})["started_at"] == pd.Timestamp("2026-10-03T00Z")


def test_order_of_days_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'date_order' must be month_first or day_first"):
        parsed(TOKENS, date_order="year_first")


def as_parquet(*rows: Mapping[str, str]) -> bytes:
    typed = [
        {
            **row,
            "Date": datetime.strptime(row["Date"], "%m/%d/%Y").replace(tzinfo=UTC),
            "Quantity": float(row["Quantity"]),
            "Cost": float(row["Cost"]),
        }
        for row in rows
    ]
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(typed), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("body", [gzip.compress(details(TOKENS, MACHINE)), as_parquet(TOKENS, MACHINE)])
def test_every_form_gives_the_same_records(body: bytes) -> None:
    [chunk] = read(azure_cost, body)

    pd.testing.assert_frame_equal(chunk.activity, parsed(TOKENS, MACHINE).activity)


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"Date": "yesterday"}, "Date", "bad_field"),
        ({"Date": "13/13/2026"}, "Date", "bad_field"),
        ({"Date": ""}, "Date", "bad_field"),
        ({"Date": "10/01/2019"}, "Date", "too_old"),
        ({"Date": "10/01/2027"}, "Date", "clock_skew"),
        ({"Quantity": "many"}, "Quantity", "bad_field"),
        ({"Cost": "1,50"}, "Cost", "bad_field"),
        ({"BillingCurrency": "Euro"}, "BillingCurrency", "bad_field"),
        ({"ChargeType": "Gift"}, "ChargeType", "bad_field"),
        ({"UnitOfMeasure": "1 Barrel"}, "UnitOfMeasure", "unknown_unit"),
        ({"UnitOfMeasure": "1 GB/hora"}, "UnitOfMeasure", "unknown_unit"),
        ({"Tags": "[1]"}, "Tags", "bad_field"),
    ],
)
def test_bad_row_is_quarantined_alone(changes: dict[str, str], field: str, reason: str) -> None:
    body = details(TOKENS, {**TOKENS, **changes}, STORAGE, MACHINE)

    [chunk] = list(azure_cost.parse(io.BytesIO(body), Context(RECEIVED_AT)))

    assert [(each.row, each.field, each.reason) for each in chunk.rejected] == [(2, field, reason)]
    assert (chunk.received, len(chunk.activity), chunk.outside) == (4, 2, 1)


def test_missing_columns_are_named_with_their_other_names() -> None:
    row = {name: value for name, value in TOKENS.items() if name not in ("Cost", "UnitOfMeasure")}

    with pytest.raises(UnreadablePayload, match="Cost or CostInBillingCurrency or PreTaxCost, UnitOfMeasure"):
        parsed(row)


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"just a text", b"PAR1 and more", details(TOKENS)[:-5].decode().encode("utf-16")]
)
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        read(azure_cost, content)


# --- people -----------------------------------------------------------------------------------------------------------


def test_people_are_dropped_before_storage() -> None:
    row = {
        **TOKENS,
        "AccountOwnerId": "ada@example.org",
        "AccountName": "Ada Lovelace",
        "Tags": '{"team": "nlp", "user": "ada@example.org"}',
    }

    stored = azure_cost.scrub(details(row), "text/csv")

    assert b"ada" not in stored.lower()
    [chunk] = list(azure_cost.parse(io.BytesIO(stored), Context(RECEIVED_AT)))
    assert chunk.activity["team"].tolist() == ["nlp"]


def test_people_reach_no_quarantine() -> None:
    chunk = parsed({**TOKENS, "Quantity": "x", "Tags": '{"owner": "o", "user_email": "ada@example.org"}'})

    assert "ada@" not in str(chunk.rejected[0].payload)


# --- cuts, order and what is spoken for -------------------------------------------------------------------------------


def test_file_speaks_for_its_subscriptions_and_days() -> None:
    later = {**STORAGE, "Date": "10/05/2026", "SubscriptionId": "OTHER"}

    start, end = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 6, tzinfo=UTC)
    assert parsed(TOKENS, later).cover == [
        Cover("azure_cost:8611537:2026-10", {"account": SUBSCRIPTION}, start, end),
        Cover("azure_cost:8611537:2026-10", {"account": "other"}, start, end),
    ]


def test_case_of_ids_is_no_difference() -> None:
    shouted = {**TOKENS, "ResourceId": TOKENS["ResourceId"].upper(), "MeterId": TOKENS["MeterId"].upper()}

    assert len(parsed(TOKENS, shouted).activity) == 1


ROWS = st.lists(
    st.tuples(
        st.sampled_from(
            [TOKENS, MACHINE, STORAGE, {**MACHINE, "AdditionalInfo": ""}, {**TOKENS, "ChargeType": "Refund"}]
        ),
        st.decimals(-100, 100, places=4),
        st.decimals(-100, 100, places=4),
        st.sampled_from(["10/01/2026", "10/02/2026", "10/31/2026"]),
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(ROWS, st.integers(1, 3), st.randoms(use_true_random=False))
def test_neither_order_nor_cut_of_rows_shows(rows: Any, chunk_rows: int, random: Any) -> None:
    table = [{**row, "Quantity": str(quantity), "Cost": str(cost), "Date": day} for row, quantity, cost, day in rows]
    whole = list(azure_cost.parse(io.BytesIO(details(*table)), Context(RECEIVED_AT)))
    random.shuffle(table)

    cut = list(azure_cost.parse(io.BytesIO(details(*table)), Context(RECEIVED_AT), chunk_rows))

    assert sum(chunk.outside for chunk in cut) == whole[0].outside
    assert cut[-1].cover == whole[-1].cover
    if len(whole[0].activity):
        left, right = (summed(chunks).drop(columns="row") for chunks in (cut, whole))
        pd.testing.assert_frame_equal(left, right, rtol=1e-12)


CELL = st.text(max_size=12) | st.sampled_from([*TOKENS.values(), *MACHINE.values()])


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(st.sampled_from(sorted(TOKENS)), CELL, max_size=5), min_size=1, max_size=4))
def test_whatever_cells_hold_every_row_has_one_place(changes: list[dict[str, str]]) -> None:
    body = details(*({**TOKENS, **each} for each in changes))
    try:
        chunks = list(azure_cost.parse(io.BytesIO(body), Context(RECEIVED_AT)))
    except UnreadablePayload:
        return

    for chunk in chunks:  # Parsed itself holds that the four places add up
        assert chunk.received == int(chunk.activity["rows"].sum()) + len(chunk.rejected) + chunk.outside


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300), st.sampled_from([b"", details(TOKENS), as_parquet(TOKENS)[:200], gzip.compress(b"x")]))
def test_no_bytes_end_in_anything_but_rows_or_a_refusal(content: bytes, before: bytes) -> None:
    azure_cost.detect(before + content, "x")
    try:
        read(azure_cost, before + content)
    except UnreadablePayload:
        return
