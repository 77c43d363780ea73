"""Canonical records in their six forms, and as JSON: whole arrays, lines, defaults, privacy."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
from datetime import UTC, datetime
from typing import Any

import openpyxl
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantification import records
from ingestion.sources import activity
from ingestion.sources.base import Context, UnreadablePayload, finish_drafts
from tests.ingestion.sources.canonical import (
    GOOD,
    INVALID,
    VALID,
    array,
    arrow,
    csv,
    csv_row,
    good,
    lines,
    one,
    parquet,
    table,
)
from tests.ingestion.sources.samples import RECEIVED_AT, activity_of, read


def test_every_form_reads_the_same_record() -> None:
    workbook = openpyxl.Workbook()
    workbook.active.append([*GOOD])  # type: ignore[union-attr]
    workbook.active.append([*GOOD.values()])  # type: ignore[union-attr]
    sheet = io.BytesIO()
    workbook.save(sheet)
    cells = ",".join(map(str, GOOD.values()))
    bodies = {
        "array": array(GOOD),
        "lines": lines(GOOD),
        "one object over several lines": json.dumps(GOOD, indent=1).encode(),
        "arrow": arrow(table(GOOD)),
        "parquet": parquet(table(GOOD)),
        "csv": f"{','.join(GOOD)}\n{cells}".encode(),
        "csv with semicolons": f"\ufeff{';'.join(GOOD)}\n{cells.replace(',', ';')}".encode(),
        "xlsx": sheet.getvalue(),
    }

    frames = {form: one(body).activity for form, body in bodies.items()}

    for form, frame in frames.items():
        pd.testing.assert_frame_equal(frame, frames["array"], obj=form)
    assert frames["array"]["input_tokens"].tolist() == [12]


def test_valid_samples_are_all_read() -> None:
    parsed = one(lines(*VALID))

    assert parsed.rejected == []
    assert parsed.activity["record_id"].tolist() == [record["record_id"] for record in VALID]


def test_invalid_samples_go_one_by_one_and_the_valid_stay() -> None:
    mixed = [good("before"), *(line["record"] for line in INVALID), good("after")]

    for body in (array(*mixed), lines(*mixed)):
        parsed = one(body)
        assert parsed.activity["record_id"].tolist() == ["before", "after"]
        assert parsed.activity["row"].tolist() == [1, len(mixed)]
        assert [found.row for found in parsed.rejected] == [*range(2, len(mixed))]
        assert {found.reason for found in parsed.rejected} == {"bad_field", "negative_quantity"}


# --- JSON array: whole or not at all ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'[{"a": 1}', r"truncated at byte 9, line 1"),
        (b'[{"a": 1},\n{"a": nul}]', r"at byte 18, line 2"),
        (b'[{"record_id": "a"}, {"record_id": "b", "energy_kwh": NaN}]', r"Record 2 \('b'\), field energy_kwh: NaN is"),
        (b'[{"energy_kwh": -Infinity}]', r"Record 1, field energy_kwh: -Infinity is"),
        (b'[{"a": 1},]', r"trailing comma"),
        (b'[{"a": 1}] and more', r"trailing characters"),
        (b'["\xff"]', r"not UTF-8 \(byte 2\)"),
        (b"[" * 100_000, r"nested too deeply"),
    ],
)
def test_broken_array_is_refused_with_its_position(body: bytes, said: str) -> None:
    with pytest.raises(UnreadablePayload, match=said):
        activity.scrub(body, "application/json")
    with pytest.raises(UnreadablePayload, match=said):
        one(body)


def test_array_of_other_things_rejects_each() -> None:
    parsed = one(b'[1, null, "x", [], {}, 1e999]')

    assert [found.row for found in parsed.rejected] == [1, 2, 3, 4, 5, 6]
    assert {found.reason for found in parsed.rejected} == {"bad_field"}


def test_empty_array_is_nothing() -> None:
    parsed = one(b" [ ] ")

    assert (parsed.received, len(parsed.activity)) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "field", "reason"),
    [
        ({"requests": "1"}, "requests", "bad_field"),
        ({"input_tokens": 10**30}, "input_tokens", "bad_field"),
        ({"energy_kwh": 10**9, "energy_boundary": "it"}, "energy_kwh", "bad_field"),
        ({"emissions": 1}, "emissions", "bad_field"),
        ({"started_at": "2026-11-22T01:00:00"}, "started_at", "bad_field"),
        ({"started_at": "2026-11-22T01:00:00+01:00"}, "started_at", "bad_field"),
        ({"ended_at": "2026-11-22T00:00:00Z"}, "ended_at", "negative_interval"),
        ({"ended_at": "2027-01-01T00:00:00Z"}, "ended_at", "clock_skew"),
        ({"started_at": "1999-01-01T00:00:00Z"}, "started_at", "too_old"),
        ({"input_tokens": -1}, "input_tokens", "negative_quantity"),
        ({"input_tokens": 9 * 10**18}, "input_tokens", "implausible_count"),
        ({"device_hours": 2e7}, "device_hours", "implausible_hours"),
        ({"energy_kwh": 10**6, "energy_boundary": "it"}, "energy_kwh", "implausible_energy"),
        ({"stage": None}, "stage", "bad_field"),
        ({"labels": {"a": {"b": 1}}}, "labels", "bad_field"),
    ],
)
def test_bad_record_is_quarantined_alone(changes: dict[str, Any], field: str, reason: str) -> None:
    parsed = one(array(good("a"), good("bad", **changes), good("c")))

    assert parsed.activity["record_id"].tolist() == ["a", "c"]
    assert [(found.row, found.record_id, found.field, found.reason) for found in parsed.rejected] == [
        (2, "bad", field, reason)
    ]


# --- JSON lines -------------------------------------------------------------------------------------------------------


def test_broken_line_goes_alone_and_line_numbers_are_the_files() -> None:
    body = b"\n".join([lines(good("a")), b"", b'{"record_id": "b", ', lines(good("c")), b'{"x": NaN}', b""])

    parsed = one(body, content_type="application/x-ndjson")

    assert parsed.activity["row"].tolist() == [1, 4]
    assert [(found.row, found.reason) for found in parsed.rejected] == [(3, "bad_field"), (5, "bad_field")]
    assert parsed.received == 4


def test_a_line_with_nan_names_record_and_field() -> None:
    body = array(good("a")).strip()[1:-1] + b"\n" + array(good("b", water_l=float("nan"))).strip()[1:-1]

    [found] = one(body).rejected

    assert (found.row, found.record_id, found.field, found.reason) == (2, "b", "water_l", "bad_field")
    assert found.detail == "NaN is no number that JSON has"


def test_lines_are_read_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "BLOCK_BYTES", 1000)
    body = lines(*(good(f"r{at}") for at in range(50))) + b"\n"

    parsed = read(activity, body)

    assert len(parsed) > 5
    assert activity_of(parsed)["record_id"].tolist() == [f"r{at}" for at in range(50)]
    assert activity_of(parsed)["row"].tolist() == [*range(1, 51)]


def test_windows_line_ends_and_byte_order_mark_are_no_fault() -> None:
    parsed = one(b"\xef\xbb\xbf" + lines(good("a"), good("b")).replace(b"\n", b"\r\n"))

    assert parsed.activity["record_id"].tolist() == ["a", "b"]


@pytest.mark.parametrize(("body", "rows"), [(array(GOOD, GOOD), 2), (lines(GOOD, GOOD, GOOD) + b"\n\n", 3), (b"[]", 0)])
def test_rows_are_counted_for_the_door(body: bytes, rows: int) -> None:
    assert activity.count_rows(body, "application/json") == rows


# --- defaults, privacy ------------------------------------------------------------------------------------------------


def test_token_fills_what_the_record_leaves_open() -> None:
    body = array({key: value for key, value in GOOD.items() if key != "stage"}, good("own", team="nlp"))

    parsed = one(body, defaults={"team": "search", "project": None, "stage": "evaluation"})

    assert parsed.activity["stage"].tolist() == ["evaluation", "inference"]
    assert parsed.activity["team"].tolist() == ["search", "nlp"]
    assert parsed.activity["project"].isna().all()


def test_people_and_content_are_dropped_before_storage() -> None:
    record = good("a", labels={"User-Email": "ada@example.org", "cost_center": "4711"}, prompt="the secret plan")

    for body in (array(record), lines(record)):
        stored = activity.scrub(body, "application/json")
        assert b"ada@example.org" not in stored
        assert b"secret plan" not in stored
        assert b"4711" in stored


def test_labels_that_name_a_person_never_reach_a_record() -> None:
    body = parquet(
        table(GOOD).append_column("label.user", pa.array(["ada"])).append_column("label.cost", pa.array(["4711"]))
    )

    assert one(body).activity["labels"].tolist() == [{"cost": "4711"}]


def test_harmless_body_is_stored_as_it_came() -> None:
    body = array(*VALID)

    assert activity.scrub(body, "application/json") is body


# --- packed -----------------------------------------------------------------------------------------------------------


def test_packed_lines_are_read_and_truncated_ones_refused() -> None:
    packed = gzip.compress(lines(*(good(f"r{at}") for at in range(100))))
    context = Context(RECEIVED_AT)

    whole = list(activity.parse(io.BytesIO(packed), context))

    assert len(activity_of(whole)) == 100
    with pytest.raises(UnreadablePayload, match="truncated"):
        list(activity.parse(io.BytesIO(packed[:-20]), context))


def test_payloads_read_together_give_what_each_gives_alone() -> None:
    bodies = [
        array(good("a"), good("bad", input_tokens=-1), good("naive", started_at="2026-11-22")),
        lines(good("b", labels={"user": "ada", "k": "v"}), {}, {**good("c"), "stage": None}),
        csv(csv_row("d", "1", ""), csv_row("e", "x", "")),
        parquet(table(good("f"), good("late", ended_at="2026-11-23T00:00:00Z"))),
        b"[]",
        gzip.compress(lines(good("packed"))),
    ]
    contexts = [
        Context(RECEIVED_AT, defaults={"stage": stage}, filename="x")
        for stage in (None, "training", None, None, None, None)
    ]
    alone = [one(body, defaults=context.defaults, filename="x") for body, context in zip(bodies, contexts, strict=True)]

    drafts = [(activity.read(body, context), context) for body, context in zip(bodies, contexts, strict=True)]
    group = finish_drafts(drafts)

    for position, parsed in enumerate(alone):
        mine = group.activity[group.activity["payload"] == position].drop(columns="payload").reset_index(drop=True)
        pd.testing.assert_frame_equal(mine, parsed.activity)
        assert group.drafts[position].rejected == parsed.rejected
        assert group.drafts[position].received == parsed.received


def test_names_nobody_knows_are_no_fault() -> None:
    parsed = one(array(good("a", model="gpt-99", region="moon-1", hardware="Abacus", instance_type="x9", zone="QQ")))

    assert parsed.rejected == []
    assert parsed.activity["model"].tolist() == ["gpt-99"]


def test_times_are_utc() -> None:
    frame = one(array(GOOD)).activity

    assert frame["started_at"].iloc[0] == datetime(2026, 11, 22, 1, tzinfo=UTC)
    assert set(records.ARROW_SCHEMA.names) <= set(frame.columns)


# --- whatever comes ---------------------------------------------------------------------------------------------------

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        _json | st.dictionaries(st.sampled_from([*GOOD, "labels", "energy_kwh", "x"]), _json, max_size=4), max_size=4
    )
)
def test_any_json_is_read_or_rejected_and_never_lost(values: list[Any]) -> None:
    mixed = [{**GOOD, **value} if isinstance(value, dict) else value for value in values]

    for body, media_type in ((array(*mixed), "application/json"), (lines(*mixed), "application/x-ndjson")):
        parsed = read(activity, body, content_type=media_type)
        assert sum(each.received for each in parsed) == len(values)  # Parsed itself holds that they add up


_BEGINNINGS = (
    b"PAR1", b"PK\x03\x04", b"\xff\xff\xff\xff", b"\xff\xff\xff\xff\x08\x00\x00\x00", b"[", b"{", b"\x1f\x8b\x08\x00",
    b"\x28\xb5\x2f\xfd", b"record_id,started_at,ended_at,stage,hosting,evidence\n", b"\xef\xbb\xbf", arrow(table(GOOD))[:200],
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=60) | st.sampled_from([*_BEGINNINGS]).flatmap(lambda head: st.binary().map(head.__add__)))
def test_any_bytes_are_refused_kindly(body: bytes) -> None:
    with contextlib.suppress(UnreadablePayload):
        read(activity, body)
