"""Google's Carbon Footprint export in its three forms: two figures a row, and the newest carbon model of a month."""

from __future__ import annotations

import csv
import gzip
import io
import json
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.quantification.rejections import Cover
from ingestion.sources import gcp_carbon
from ingestion.sources.base import Context, Parsed, UnreadablePayload
from tests.ingestion.sources.samples import PAYLOADS, RECEIVED_AT, activity_of, check, expected, read

FILE = (PAYLOADS / "gcp" / "carbon-footprint.jsonl").read_bytes()
ROWS = [json.loads(line) for line in FILE.splitlines()]
VERTEX = ROWS[0]
SNAPSHOT = "gcp_carbon:01A2B3-C4D5E6-F70819:2026-10"
OCTOBER = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))


def lines(*rows: Any) -> bytes:
    return b"\n".join(json.dumps(row).encode() for row in rows)


def parsed(body: bytes, **known: Any) -> Parsed:
    [chunk] = read(gcp_carbon, body, known=known)
    return chunk


def flat(row: dict[str, Any], mark: str, prefix: str = "") -> dict[str, Any]:
    """Write the parts of a row as BigQuery flattens them."""
    found: dict[str, Any] = {}
    for name, value in row.items():
        found |= flat(value, mark, f"{prefix}{name}{mark}") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def as_csv(mark: str) -> bytes:
    rows = [flat(row, mark) for row in ROWS]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def as_parquet(rows: list[dict[str, Any]] = ROWS) -> bytes:
    buffer = io.BytesIO()
    typed = [{**row, "usage_month": date.fromisoformat(row["usage_month"])} for row in rows]
    pq.write_table(pa.Table.from_pylist(typed), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("entry", expected("gcp", "gcp_carbon"))
def test_export_reaches_its_sums(entry: dict[str, Any]) -> None:
    chunk = parsed(FILE)

    assert (chunk.received, len(chunk.activity), chunk.rejected) == (6, 6, [])
    check(activity_of([chunk]), entry)


@pytest.mark.parametrize("body", [as_csv("."), as_csv("_"), as_parquet(), gzip.compress(FILE)])
def test_every_form_gives_the_same_records(body: bytes) -> None:
    pd.testing.assert_frame_equal(parsed(body).activity, parsed(FILE).activity)


def test_row_becomes_one_record_for_each_basis() -> None:
    chunk = parsed(lines(VERTEX))

    location, market = chunk.activity.to_dict("records")
    assert (location["reported_basis"], location["reported_kg_co2e"]) == ("location", 5.17969)
    assert (market["reported_basis"], market["reported_kg_co2e"]) == ("market", 1.162949)
    assert (location["started_at"], location["ended_at"]) == OCTOBER
    assert (location["account"], location["region"], location["evidence"]) == (
        "rag-prod-481516",
        "europe-west4",
        "stated",
    )
    assert location["labels"] == {
        "service": "Vertex AI",
        "classification": "ai",
        "model_version": "14",
        "location": "europe-west4",
    }
    assert location["record_id"] != market["record_id"]
    assert chunk.cover == [Cover(SNAPSHOT, {"account": "rag-prod-481516"}, *OCTOBER)]


def test_missing_basis_is_absent_and_zero_is_a_figure() -> None:
    total = {"location_based": None, "market_based": 0.0, "after_offsets": None}

    frame = parsed(lines({**VERTEX, "carbon_footprint_total_kgCO2e": total})).activity
    assert frame[["reported_basis", "reported_kg_co2e"]].to_numpy().tolist() == [["market", 0.0]]


@pytest.mark.parametrize(
    ("project", "account"),
    [
        ({"id": None, "number": "802583874831"}, "802583874831"),
        ({"id": None, "number": ""}, "01A2B3-C4D5E6-F70819"),
        (None, "01A2B3-C4D5E6-F70819"),
    ],
)
def test_deleted_and_missing_projects_have_an_account(project: Any, account: str) -> None:
    assert set(parsed(lines({**VERTEX, "project": project})).activity["account"]) == {account}


def test_scopes_that_miss_their_total_are_flagged() -> None:
    parts = {**VERTEX["carbon_footprint_kgCO2e"], "scope3": 5.0}

    assert parsed(lines(VERTEX)).activity["flags"].tolist() == [(), ()]
    frame = parsed(lines({**VERTEX, "carbon_footprint_kgCO2e": parts})).activity
    assert frame["flags"].tolist() == [("parts_mismatch",), ("parts_mismatch",)]


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"usage_month": "October"}, "usage_month", "bad_field"),
        ({"usage_month": "2026-13-01"}, "usage_month", "bad_field"),
        ({"usage_month": "2026-02-30"}, "usage_month", "bad_field"),
        ({"usage_month": None}, "usage_month", "bad_field"),
        ({"billing_account_id": ""}, "billing_account_id", "bad_field"),
        ({"carbon_model_version": None}, "carbon_model_version", "bad_field"),
        ({"carbon_model_version": "newest"}, "carbon_model_version", "bad_field"),
        ({"carbon_footprint_total_kgCO2e": None}, "carbon_footprint_total_kgCO2e.location_based", "bad_field"),
        (
            {"carbon_footprint_total_kgCO2e": {"market_based": "little"}},
            "carbon_footprint_total_kgCO2e.market_based",
            "bad_field",
        ),
        (
            {"carbon_footprint_total_kgCO2e": {"market_based": -1}},
            "carbon_footprint_total_kgCO2e.market_based",
            "negative_quantity",
        ),
    ],
)
def test_bad_row_is_quarantined_alone(changes: dict[str, Any], field: str, reason: str) -> None:
    chunk = parsed(lines(ROWS[1], {**VERTEX, **changes}, ROWS[2]))

    assert [(each.row, each.field, each.reason) for each in chunk.rejected] == [(2, field, reason)]
    assert (chunk.received, chunk.activity["row"].tolist()) == (5, [1, 1, 3, 3])


def test_broken_line_is_quarantined_alone() -> None:
    chunk = parsed(lines(VERTEX) + b'\n{"usage_month": \n[1]\n' + lines(ROWS[1]))

    assert [(each.row, each.reason) for each in chunk.rejected] == [(2, "bad_field"), (3, "bad_field")]
    assert chunk.activity["row"].tolist() == [1, 1, 4, 4]


def test_older_model_version_of_the_delivery_is_left_out() -> None:
    chunk = parsed(lines({**VERTEX, "carbon_model_version": 9}), **{SNAPSHOT: ["14", "9"]})

    assert (chunk.received, chunk.outside, len(chunk.activity), chunk.cover) == (1, 1, 0, [])
    assert chunk.log[-1] == "1 rows of carbon model version 9 are restated by version 14: left out."


def test_newer_model_version_restates_the_whole_month() -> None:
    known = {SNAPSHOT: ["14", "9"]}

    assert parsed(FILE, **known).cover == [Cover(SNAPSHOT, {}, *OCTOBER)]


def test_survey_finds_the_versions_of_each_month() -> None:
    rows = [{**VERTEX, "carbon_model_version": version} for version in ("9", 14, 13, "x", None)]

    assert gcp_carbon.survey(io.BytesIO(lines(*rows)), Context(RECEIVED_AT)) == {SNAPSHOT: ["13", "14", "9"]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"{}", "columns are missing: usage_month"),
        (b"a,b\n1,2\n", "columns are missing"),
        (b"PAR1 but no more", "truncated or damaged"),
        (b"Obj\x01 and so on", "Avro is not read here. Export the table as Parquet"),
        (gzip.compress(FILE)[:-30], "truncated or damaged"),
        (as_parquet()[:-20], "truncated or damaged"),
    ],
)
def test_other_files_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(UnreadablePayload, match=message):
        parsed(content)


def test_columns_of_people_are_dropped_before_storage() -> None:
    row = {**VERTEX, "user_email": "ada@example.org"}

    from_lines, from_parquet = gcp_carbon.scrub(lines(row), ""), gcp_carbon.scrub(as_parquet([row]), "")

    assert b"ada@" not in from_lines
    assert "ada@" not in str(pq.read_table(io.BytesIO(from_parquet)).to_pylist())
    assert len(parsed(from_lines).activity) == len(parsed(from_parquet).activity) == 2


def test_endless_line_does_not_fill_the_memory() -> None:
    with pytest.raises(UnreadablePayload, match="one object a line"):
        parsed(lines(VERTEX)[:-1] + b', "note": "' + b"x" * 2_000_000 + b'"}')


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(st.sampled_from(sorted(VERTEX)), JSON, max_size=4), max_size=4))
def test_whatever_rows_hold_every_figure_has_one_place(changes: list[dict[str, Any]]) -> None:
    chunk = parsed(lines(VERTEX, *({**VERTEX, **each} for each in changes)))

    assert len(chunk.activity) + len(chunk.rejected) + chunk.outside == chunk.received
    assert {*chunk.activity["row"], *(each.row for each in chunk.rejected)} == set(range(1, len(changes) + 2))


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300), st.sampled_from([b"", FILE[:600], as_parquet()[:200]]))
def test_no_bytes_end_in_anything_but_rows_or_a_refusal(content: bytes, before: bytes) -> None:
    gcp_carbon.detect(before + content, "x")
    try:
        chunk = parsed(before + content)
    except UnreadablePayload:
        return
    assert len(chunk.activity) + len(chunk.rejected) + chunk.outside == chunk.received
