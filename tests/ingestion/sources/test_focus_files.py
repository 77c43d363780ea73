"""FOCUS files: rows that cannot be read, files that cannot be read, and every form of a readable one."""

from __future__ import annotations

import gzip
import io
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from ingestion.sources import focus, private_tables
from ingestion.sources.base import Context, UnreadablePayload
from tests.ingestion.sources.bills import (
    AI_1_2,
    AI_1_3,
    MACHINE,
    REAL,
    RECEIVED_AT,
    STORAGE,
    TOKENS,
    activity_of,
    bill,
    parsed,
    record,
    records,
)
from tests.payloads.focus.make_large import write_focus_csv

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


def test_truncated_gzip_is_unreadable() -> None:
    packed = gzip.compress(bill(*[{**TOKENS, "SkuId": str(number)} for number in range(2_000)]).getvalue())

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
import sys
from datetime import UTC, datetime
from ingestion.sources import focus
from ingestion.sources.base import Context
with open(sys.argv[1], "rb") as stream:
    rows = sum(chunk.received for chunk in focus.parse(stream, Context(datetime(2026, 11, 25, tzinfo=UTC))))
# Not getrusage: its peak begins with that of the parent, which is a whole test run.
with open("/proc/self/status") as status:
    print(rows, next(int(line.split()[1]) // 1024 for line in status if line.startswith("VmHWM")))
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


@pytest.mark.parametrize("column", ["Tags", "SkuPriceDetails"])
def test_json_nested_beyond_reading_harms_its_own_row_only(column: str) -> None:
    deep = {**TOKENS, "SkuId": "other", column: '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}"}

    [chunk] = parsed(bill(TOKENS, deep))

    assert (chunk.received, len(chunk.activity) + len(chunk.rejected)) == (2, 2)
    assert [(each.row, each.field) for each in chunk.rejected] == ([(2, "Tags")] if column == "Tags" else [])


def test_long_cells_are_not_remembered() -> None:
    rows = [{**TOKENS, "Tags": json.dumps({"user": "ada", "team": n, "note": "x" * 50_000})} for n in range(200)]
    content = bill(*rows).getvalue()  # 10 MB
    tracemalloc.start()
    try:
        with private_tables.scrubbed(io.BytesIO(content)) as kept:
            while kept.read(1024 * 1024):
                pass
            for _ in focus.parse(io.BytesIO(content), Context(RECEIVED_AT)):
                pass
            held_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert held_bytes < 4_000_000
