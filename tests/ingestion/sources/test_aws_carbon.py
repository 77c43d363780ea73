"""What AWS states for emissions: both forms, both bases, and every version of its model."""

from __future__ import annotations

import csv
import doctest
import io
import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from ingestion.sources import aws_carbon, aws_carbon_api
from ingestion.sources.base import Context, Parsed, UnreadablePayload
from tests.ingestion.sources.bills import RECEIVED_AT
from tests.ingestion.sources.reports import PAYLOADS

EXPORT = PAYLOADS / "carbon-emissions-export.csv"
ANSWER = PAYLOADS / "sustainability-get-estimated-carbon-emissions.json"
EXPECTED = [each for each in json.loads((PAYLOADS / "expected.json").read_text()) if each["source"] == "aws_carbon"]

STATED = {
    "model_version": "v3.0.0",
    "payer_account_id": "999988887777",
    "usage_account_id": "123456789012",
    "product_code": "AmazonBedrock",
    "region_code": "eu-west-1",
    "location": "eu-west-1",
    "usage_period_start": "2026-10-01 00:00:00",
    "usage_period_end": "2026-11-01 00:00:00",
    "total_lbm_emissions_value": "0.004",
    "total_lbm_emissions_unit": "MTCO2e",
    "total_mbm_emissions_value": "0",
    "total_mbm_emissions_unit": "MTCO2e",
}


def export(*rows: Mapping[str, str]) -> io.BytesIO:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), restval="")
    writer.writeheader()
    writer.writerows(rows)
    return io.BytesIO(text.getvalue().encode())


def parsed(
    stream: Any, chunk_rows: int = 20_000, known: Mapping[str, object] | None = None, **setting: object
) -> list[Parsed]:
    return list(aws_carbon.parse(stream, Context(RECEIVED_AT, setting, known=known or {}), chunk_rows))


def records(chunks: list[Parsed]) -> pd.DataFrame:
    return pd.concat([chunk.activity for chunk in chunks], ignore_index=True)


def totals(frame: pd.DataFrame) -> dict[str, float]:
    return {basis: float(part.sum()) for basis, part in frame.groupby("reported_basis")["reported_kg_co2e"]}


@pytest.mark.parametrize("sample", EXPECTED, ids=lambda sample: f"{len(sample['files'])} x {sample['files'][0]}")
def test_samples_reach_their_expected_sums(sample: dict[str, Any]) -> None:
    with (PAYLOADS / sample["files"][-1]).open("rb") as stream:
        chunks = parsed(stream)

    frame = records(chunks)
    assert sum(len(chunk.rejected) for chunk in chunks) == 0
    for check in sample["checks"]:
        rows = frame
        for column, value in check["where"].items():
            rows = rows[rows[column] == value]
        assert rows["reported_kg_co2e"].sum() == pytest.approx(check["sum"]["reported_kg_co2e"], rel=1e-9)


def test_a_row_gives_a_record_for_each_basis_in_kg() -> None:
    frame = records(parsed(export(STATED)))

    # 0.004 t are 4 kg; market-based zero is a value.
    assert totals(frame) == {"location": 4.0, "market": 0.0}
    assert set(frame["evidence"]) == {"stated"}
    assert frame["labels"][0] == {
        "service": "AmazonBedrock",
        "classification": "ai",
        "model_version": "v3.0.0",
        "scopes": "1, 2",
    }
    assert (frame["rows"].tolist(), frame["snapshot"].unique().tolist()) == (
        [1, 0],
        ["aws_carbon:999988887777:2026-10"],
    )
    assert [str(frame[name][0]) for name in ("started_at", "ended_at")] == [
        "2026-10-01 00:00:00+00:00",
        "2026-11-01 00:00:00+00:00",
    ]


def test_every_service_of_the_account_is_kept_and_classified() -> None:
    with EXPORT.open("rb") as stream:
        frame = records(parsed(stream))

    said = {labels["service"]: labels["classification"] for labels in frame["labels"]}
    assert said == {"AmazonEC2": "outside", "AmazonBedrock": "ai", "OtherServices": "outside"}


def test_own_rules_classify_statements_too() -> None:
    rule = {"rule": "ec2-is-ours", "service": "amazonec2", "class": "supporting"}
    frame = records(parsed(export({**STATED, "product_code": "AmazonEC2"}), service_rules=[rule]))

    assert frame["labels"][0]["classification"] == "supporting"


@pytest.mark.parametrize(
    ("region", "location", "expected"),
    [("eu-west-1", "", "eu-west-1"), ("", "Global", None), ("Global", "", None), ("", "us-east-1", "us-east-1")],
)
def test_a_global_region_is_no_region(region: str, location: str, expected: str | None) -> None:
    frame = records(parsed(export({**STATED, "region_code": region, "location": location})))

    assert (None if pd.isna(frame["region"][0]) else frame["region"][0]) == expected
    assert frame["flags"][0] == (() if expected else ("global_routing",))


def test_parts_that_miss_their_total_are_flagged() -> None:
    units = {f"total_{scope}_emissions_unit": "MTCO2e" for scope in ("scope_1", "scope_2_lbm", "scope_3_lbm")}
    right = {"total_scope_1_emissions_value": "0.001", "total_scope_2_lbm_emissions_value": "0.002"}
    fits = records(parsed(export({**STATED, **units, **right, "total_scope_3_lbm_emissions_value": "0.001"})))
    misses = records(parsed(export({**STATED, **units, **right, "total_scope_3_lbm_emissions_value": "0.002"})))

    assert (fits["flags"][0], misses["flags"][0]) == ((), ("parts_mismatch",))
    assert fits["labels"][0]["scopes"] == "1, 2, 3"


def test_parquet_gives_the_same_records() -> None:
    with EXPORT.open(newline="") as file:
        rows = list(csv.DictReader(file))
    columns = {}
    for name in rows[0]:
        texts = [row[name] or None for row in rows]
        if name.endswith("_value"):
            columns[name] = pa.array([None if text is None else float(text) for text in texts])
        elif name.startswith("usage_period"):
            columns[name] = pa.array(pd.to_datetime(pd.Series(texts)), pa.timestamp("ms"))
        else:
            columns[name] = pa.array(texts, pa.string())
    stream = io.BytesIO()
    pa.parquet.write_table(pa.table(columns), stream)
    stream.seek(0)

    with EXPORT.open("rb") as file_of_text:
        pd.testing.assert_frame_equal(records(parsed(stream)), records(parsed(file_of_text)))


# --- versions of the model --------------------------------------------------------------------------------------------

OLDER = {**STATED, "model_version": "v2.0.0", "total_lbm_emissions_value": "0.001"}


def test_the_highest_version_of_a_month_counts_and_the_older_stands_as_history() -> None:
    frame = records(parsed(export(OLDER, {**STATED, "model_version": "v10.0.0"})))

    assert totals(frame) == {"location": 4.0, "market": 0.0}
    old = frame[[labels["model_version"] == "v2.0.0" for labels in frame["labels"]]]
    assert sorted(old["reported_kg_co2e"]) == [-1.0, 0.0, 0.0, 1.0]
    assert set(old["snapshot"]) == {"aws_carbon:999988887777:2026-10:v2.0.0"}
    assert set(old["corrects"].dropna()) < set(old["record_id"])


def test_months_have_versions_of_their_own() -> None:
    september = {"usage_period_start": "2026-09-01 00:00:00", "usage_period_end": "2026-10-01 00:00:00"}
    frame = records(parsed(export({**OLDER, **september}, STATED)))

    assert totals(frame)["location"] == 5.0


def test_a_version_that_is_known_to_be_newer_keeps_an_older_delivery_out_of_the_month() -> None:
    known = {"aws_carbon:999988887777:2026-10": ["v3.0.0"]}
    chunks = parsed(export(OLDER), known=known)

    assert totals(records(chunks)) == {"location": 0.0, "market": 0.0}
    assert [chunk.cover for chunk in chunks] == [[], []]
    assert "v2.0.0; v3.0.0 counts" in chunks[-1].log[-1]


@pytest.mark.parametrize("chunk_rows", [1, 2, 3])
def test_the_cut_into_chunks_does_not_show(chunk_rows: int) -> None:
    with EXPORT.open("rb") as one, EXPORT.open("rb") as other:
        cut, whole = parsed(one, chunk_rows), parsed(other)

    pd.testing.assert_frame_equal(records(cut), records(whole))
    assert cut[-1].cover == whole[-1].cover


# --- the API ----------------------------------------------------------------------------------------------------------


def answer(**changes: Any) -> dict[str, Any]:
    page = json.loads(ANSWER.read_text())
    page["Results"][0] |= changes
    return page  # type: ignore[no-any-return]  # JSON


def test_pages_of_answers_add_up_and_times_may_be_seconds() -> None:
    # 1790812800 s is 2026-10-01T00:00:00Z, 1793491200 s is 2026-11-01T00:00:00Z.
    seconds = answer(TimePeriod={"Start": 1790812800, "End": 1793491200}, DimensionsValues={"REGION": "eu-west-1"})
    pages = [answer(), answer(DimensionsValues={"REGION": "eu-west-1", "USAGE_ACCOUNT_ID": "1"}), seconds]
    chunks = parsed(io.BytesIO(json.dumps(pages).encode()))

    assert totals(records(chunks))["location"] == pytest.approx(2 * 117.650712)
    assert [(each.field, each.row) for each in chunks[0].rejected] == [("usage_account_id", 3)]


def test_the_payer_of_an_answer_is_a_setting_and_then_its_keys_are_those_of_the_export() -> None:
    with EXPORT.open("rb") as stream:
        exported = set(records(parsed(stream))["record_id"])
    with ANSWER.open("rb") as one, ANSWER.open("rb") as other:
        alone, told = records(parsed(one)), records(parsed(other, payer_account_id="999988887777"))

    assert set(told["record_id"]) < exported
    assert alone["snapshot"].unique().tolist() == ["aws_carbon:api:2026-10"]


# --- what cannot be read ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"total_lbm_emissions_unit": "lb"}, "total_lbm_emissions_unit", "unknown_unit"),
        ({"total_lbm_emissions_value": "much"}, "total_lbm_emissions_value", "bad_field"),
        ({"total_lbm_emissions_value": "-1"}, "total_lbm_emissions_value", "negative_quantity"),
        ({"total_lbm_emissions_value": "", "total_mbm_emissions_value": ""}, "total_lbm_emissions_value", "bad_field"),
        ({"usage_account_id": ""}, "usage_account_id", "bad_field"),
        ({"usage_period_start": "October"}, "usage_period_start", "bad_field"),
        ({"usage_period_start": "2026-12-01"}, "usage_period_end", "negative_interval"),
        ({"usage_period_end": "2027-12-01"}, "usage_period_end", "clock_skew"),
        ({"usage_period_start": "2019-10-01"}, "usage_period_start", "too_old"),
    ],
)
def test_a_bad_row_is_quarantined_once_for_both_records(changes: dict[str, str], field: str, reason: str) -> None:
    chunks = parsed(export(STATED, {**STATED, **changes}))

    assert [(each.row, each.field, each.reason) for each in chunks[0].rejected] == [(2, field, reason)]
    assert (chunks[0].received, len(chunks[0].activity)) == (2, 2)


def test_a_file_without_any_good_row_is_quarantined_whole() -> None:
    chunks = parsed(export({**STATED, "total_lbm_emissions_unit": "lb"}))

    assert [rejection.reason for chunk in chunks for rejection in chunk.rejected] == ["unknown_unit"]
    assert sum(len(chunk.activity) for chunk in chunks) == 0


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "empty"),
        (b"a,b\n1,2\n", "columns are missing: usage_account_id"),
        (b'{"Results": 3}', "no answer of GetEstimatedCarbonEmissions"),
        (b'{"Results": [', "no answer"),
        (b"[" * 5000, "no answer"),
    ],
)
def test_what_is_no_statement_is_unreadable(body: bytes, message: str) -> None:
    with pytest.raises(UnreadablePayload, match=message):
        parsed(io.BytesIO(body))


def test_detection_of_both_forms() -> None:
    assert aws_carbon.detect(EXPORT.read_bytes(), "x.csv") == "AWS carbon emissions export"
    assert aws_carbon.detect(ANSWER.read_bytes(), "x.json") == "AWS Sustainability API, JSON"
    assert aws_carbon.detect(b'{"data": []}', "x.json") is None


@pytest.mark.parametrize("module", [aws_carbon, aws_carbon_api])
def test_examples_in_docstrings_hold(module: object) -> None:
    assert doctest.testmod(module).failed == 0  # type: ignore[arg-type]  # a module, whatever its type says
