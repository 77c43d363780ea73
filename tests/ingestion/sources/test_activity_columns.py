"""Canonical records as columns: Arrow streams and Parquet files."""

from __future__ import annotations

import io
from datetime import datetime
from typing import Any

import pyarrow as pa
import pytest

from ingestion.sources import activity
from ingestion.sources.base import UnreadablePayload
from tests.ingestion.sources.canonical import (
    GOOD,
    array,
    arrow,
    good,
    one,
    parquet,
    table,
)
from tests.ingestion.sources.samples import activity_of, read


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


@pytest.mark.parametrize(
    "text", ["[1]", '["ab"]', '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}"], ids=["list", "texts", "deep"]
)
def test_labels_that_are_no_object_send_their_row_alone_to_quarantine(text: str) -> None:
    source = pa.concat_tables([table(GOOD), table(good(record_id="other"))])
    source = source.append_column("labels", pa.array(['{"a": "b"}', text]))

    parsed = one(parquet(source))

    assert parsed.activity["labels"].tolist() == [{"a": "b"}]
    assert [(each.row, each.field) for each in parsed.rejected] == [(2, "labels")]
