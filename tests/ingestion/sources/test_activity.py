"""Canonical records in their six forms: JSON array, JSON lines, Arrow stream, Parquet, CSV and XLSX."""

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
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantification import records
from ingestion.sources import activity
from ingestion.sources.base import Context, Parsed, UnreadablePayload, finish_drafts
from tests.ingestion.sources.samples import PAYLOADS, RECEIVED_AT, activity_of, read

VALID = [json.loads(line) for line in (PAYLOADS / "activity" / "valid.jsonl").read_text().splitlines()]
INVALID = [json.loads(line) for line in (PAYLOADS / "activity" / "invalid.jsonl").read_text().splitlines()]

GOOD: dict[str, Any] = {
    "record_id": "r1",
    "started_at": "2026-11-22T01:00:00Z",
    "ended_at": "2026-11-22T02:00:00Z",
    "stage": "inference",
    "hosting": "api",
    "evidence": "modelled",
    "requests": 1,
    "input_tokens": 12,
}


def good(record_id: str, **changes: Any) -> dict[str, Any]:
    return {**GOOD, "record_id": record_id, **changes}


def array(*values: Any) -> bytes:
    return json.dumps(values).encode()


def lines(*values: Any) -> bytes:
    return b"\n".join(json.dumps(value).encode() for value in values)


def one(body: bytes, **context: Any) -> Parsed:
    [parsed] = read(activity, body, **context)
    return parsed


def table(*values: dict[str, Any]) -> pa.Table:
    typed = [
        {name: datetime.fromisoformat(value) if name.endswith("_at") else value for name, value in value.items()}
        for value in values
    ]
    return pa.Table.from_pylist(typed)


def parquet(source: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(source, buffer)
    return buffer.getvalue()


def arrow(source: pa.Table) -> bytes:
    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, source.schema) as writer:
        writer.write_table(source)
    return buffer.getvalue()


def csv(*rows: str, header: str = "record_id,started_at,ended_at,stage,hosting,evidence,requests,energy_kwh") -> bytes:
    return "\r\n".join([header, *rows]).encode()


def csv_row(record_id: str, *cells: str) -> str:
    return ",".join([record_id, "2026-11-22T01:00:00Z", "2026-11-22T02:00:00Z", "inference", "api", "modelled", *cells])


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
        (b'[{"energy_kwh": NaN}]', r"invalid character at byte 16"),
        (b'[{"energy_kwh": Infinity}]', r"invalid character at byte 16"),
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


# --- columns ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [parquet, arrow])
def test_columns_that_are_missing_are_named(write: Any) -> None:
    body = write(table(GOOD).drop_columns(["hosting", "record_id"]))

    with pytest.raises(UnreadablePayload, match="lacks the columns record_id, hosting"):
        one(body)


def test_stage_may_come_from_the_token_in_parquet_too() -> None:
    parsed = one(parquet(table(GOOD).drop_columns(["stage"])), defaults={"stage": "training"})

    assert parsed.activity["stage"].tolist() == ["training"]


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("emissions_kg", pa.array([1.0]), "columns that no record has: 'emissions_kg'"),
        ("started_at", pa.array([datetime(2026, 11, 22, 1)]), "started_at is timestamp"),  # noqa: DTZ001  # that is the fault
        ("requests", pa.array(["1"]), "requests is string, it must be a number"),
        ("team", pa.array([1]), "team is int64, it must be text"),
    ],
)
def test_columns_of_another_name_or_type_are_named(column: str, values: pa.Array, said: str) -> None:
    source = table(GOOD)
    source = source.drop_columns([column]) if column in source.column_names else source

    with pytest.raises(UnreadablePayload, match=said):
        one(parquet(source.append_column(column, values)))


def test_values_that_are_no_numbers_are_quarantined_in_columns() -> None:
    source = pa.table(
        {
            **{name: [value] * 5 for name, value in GOOD.items() if name != "record_id"},
            "record_id": ["a", "nan", "inf", "half", "e"],
            "requests": pa.array([1.0, None, None, 1.5, None]),
            "generation_s": pa.array([None, float("nan"), float("inf"), 1.0, 2.0]),
        }
    )

    parsed = one(parquet(source))

    assert parsed.activity["record_id"].tolist() == ["a", "e"]
    assert [(found.record_id, found.field) for found in parsed.rejected] == [
        ("nan", "generation_s"),
        ("inf", "generation_s"),
        ("half", "requests"),
    ]


@pytest.mark.parametrize("write", [parquet, arrow])
def test_truncated_columns_are_unreadable(write: Any) -> None:
    body = write(table(*(good(f"r{at}") for at in range(1000))))

    with pytest.raises(UnreadablePayload, match="truncated or damaged"):
        read(activity, body[: len(body) // 2])


def test_arrow_with_packed_buffers_is_refused() -> None:
    source = table(*(good(f"r{at}") for at in range(100)))
    for packed in (source, source.set_column(0, "record_id", source["record_id"].dictionary_encode())):
        buffer = io.BytesIO()
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(buffer, packed.schema, options=options) as writer:
            writer.write_table(packed)

        with pytest.raises(UnreadablePayload, match="packs its buffers"):
            one(buffer.getvalue())

    assert len(one(arrow(source.set_column(0, "record_id", source["record_id"].dictionary_encode()))).activity) == 100


def test_parquet_that_is_a_bomb_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.sources.activity_columns.RATIO_FREE_BYTES", 1000)
    monkeypatch.setattr("ingestion.sources.activity_columns.PACKED_RATIO_LIMIT", 0.01)

    with pytest.raises(UnreadablePayload, match="bomb"):
        one(parquet(table(*(good(f"r{at}" * 20) for at in range(1000)))))


def test_array_of_many_is_given_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(activity, "CHUNK_ROWS", 10)
    values = [good(f"r{at}") for at in range(1, 26)]

    whole = read(activity, array(*values))
    with_a_bad_one = read(activity, array(*values, {}))

    assert [each.received for each in whole] == [10, 10, 5]
    assert activity_of(whole)["row"].tolist() == [*range(1, 26)]
    assert [each.received for each in with_a_bad_one] == [10, 10, 6]
    assert [found.row for each in with_a_bad_one for found in each.rejected] == [26]


def test_maps_lists_and_dictionaries_of_parquet_are_read() -> None:
    source = table(GOOD).append_column("labels", pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string())))
    source = source.append_column("techniques", pa.array([["cached", "pruned"]]))
    source = source.append_column("team", pa.array(["search"]).dictionary_encode())

    frame = one(parquet(source)).activity

    assert frame.loc[0, "labels"] == {"a": "b"}
    assert frame.loc[0, "techniques"] == ("cached", "pruned")
    assert frame.loc[0, "team"] == "search"


# --- sheets -----------------------------------------------------------------------------------------------------------


def test_templates_can_be_sent_back() -> None:
    for template in (activity.template_csv(), activity.template_xlsx()):
        parsed = one(template)
        assert parsed.rejected == []
        assert parsed.activity["record_id"].tolist() == ["example-1"]
        assert parsed.activity["labels"].tolist() == [{"cost_center": "4711"}]
        assert activity.detect(template, "template") is not None


def test_xlsx_template_explains_itself() -> None:
    workbook = openpyxl.load_workbook(io.BytesIO(activity.template_xlsx()))

    assert workbook.sheetnames == ["records", "instructions"]
    assert any("UTC" in str(cell.value) for (cell,) in workbook["instructions"].iter_rows())


def test_bad_cells_and_torn_rows_of_a_csv_are_quarantined_with_their_field() -> None:
    body = csv(
        csv_row("a", "1", ""),
        csv_row("comma", "1,5", ""),
        csv_row("text", "many", ""),
        csv_row("nan", "1", "nan"),
        "zoned,2026-11-22T01:00:00+01:00,2026-11-22T02:00:00Z,inference,api,modelled,1,",
        "naive,2026-11-22 01:00,2026-11-22T02:00:00Z,inference,api,modelled,1,",
        csv_row("f", "2", ""),
    )

    parsed = one(body, filename="use.csv")

    assert parsed.activity[["record_id", "row"]].to_numpy().tolist() == [["a", 1], ["f", 7]]
    assert [(found.row, found.field) for found in parsed.rejected] == [
        (2, None),
        (3, "requests"),
        (4, "energy_kwh"),
        (5, "started_at"),
        (6, "started_at"),
    ]


def test_long_csv_keeps_row_numbers_over_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.sources.activity_sheets.BLOCK_BYTES", 2000)
    rows = [csv_row(f"r{at}", "1", "") for at in range(1, 101)]
    rows[49] = "torn"

    parsed = read(activity, csv(*rows), filename="use.csv")

    assert len(parsed) > 2
    assert sum(each.received for each in parsed) == 100
    assert [found.row for each in parsed for found in each.rejected] == [50]
    frame = activity_of(parsed)
    assert frame["record_id"].tolist() == [f"r{at}" for at in frame["row"]]


def test_torn_row_that_is_no_utf8_is_not_lost() -> None:
    with pytest.raises(UnreadablePayload, match="not in UTF-8"):
        one(csv(csv_row("a", "1", "")) + b"\r\ntorn \xff\r\n", filename="use.csv")


def test_csv_without_the_columns_is_refused() -> None:
    with pytest.raises(UnreadablePayload, match="lacks the columns started_at"):
        one(csv("a,inference", header="record_id,stage"), filename="use.csv")


@pytest.mark.parametrize("body", [b"PK\x03\x04 nothing", b"\xff\xfe\x00r"])
def test_files_that_only_look_right_are_refused(body: bytes) -> None:
    with pytest.raises(UnreadablePayload):
        one(body, filename="use.csv")


def test_numbers_that_excel_made_of_names_stay_names() -> None:
    workbook = openpyxl.Workbook()
    sheet: Any = workbook.active
    sheet.append([*GOOD, "account"])
    sheet.append([*GOOD.values(), 123456789012])
    sheet.append([None] * len(GOOD))
    sheet.append([*{**GOOD, "record_id": 7, "started_at": datetime(2026, 11, 22, 1)}.values(), 1.5])  # noqa: DTZ001  # Excel's
    body = io.BytesIO()
    workbook.save(body)

    parsed = one(body.getvalue())

    assert parsed.rejected == []
    assert parsed.activity["account"].tolist() == ["123456789012", "1.5"]
    assert parsed.activity["record_id"].tolist() == ["r1", "7"]
    assert parsed.activity["row"].tolist() == [1, 3]
    assert parsed.activity["started_at"].nunique() == 1


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
