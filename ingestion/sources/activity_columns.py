"""Canonical records that come as columns: Arrow streams and Parquet files, and the typing that sheets share with them."""

from __future__ import annotations

import io
import json
import re
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO, Final, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from core.quantification import activity, records
from core.quantification.rejections import Rejection
from ingestion.sources import private_columns, private_texts
from ingestion.sources.base import CHUNK_ROWS, UnreadablePayload
from ingestion.sources.byte_streams import PACKED_RATIO_LIMIT, RATIO_FREE_BYTES

Chunk = tuple[pd.DataFrame, list[Rejection], int]
"""Activity rows with `row`, rejections, rows received."""

REQUIRED: Final = ("record_id", "started_at", "ended_at", "stage", "hosting", "evidence")
LABEL_PREFIX: Final = "label."

_WHOLE: Final = re.compile(r"[+-]?\d{1,19}(?:\.0*)?")


def read_arrow(stream: BinaryIO, *, has_stage: bool) -> Iterator[Chunk]:
    """Read an Arrow IPC stream batch by batch; raise UnreadablePayload for a stream or columns that cannot be read."""
    try:
        _refuse_packed_buffers(stream)
        with pa.ipc.open_stream(cast("io.IOBase", stream)) as reader:
            check_columns(reader.schema.names, "Arrow stream", has_stage=has_stage)
            check_types(reader.schema, "Arrow stream")
            yield from _numbered(reader)
    except (pa.ArrowException, OSError, struct.error) as error:
        raise UnreadablePayload(f"The Arrow stream is truncated or damaged: {_first_line(error)}") from error


def scrub_arrow(body: bytes, rules: private_texts.Rules) -> bytes:
    """Empty the columns of an Arrow stream that are not stored, and clean the others; a damaged one raises."""
    stream = io.BytesIO(body)
    try:
        _refuse_packed_buffers(stream)
        with pa.ipc.open_stream(stream) as reader:
            batches = list(reader)
            schema = reader.schema
        clean = [private_columns.scrub_batch(batch, rules) for batch in batches]
        if all(new is old for new, old in zip(clean, batches, strict=True)):
            return body
        target = io.BytesIO()
        nullable = private_columns.nullable(schema)
        with pa.ipc.new_stream(target, nullable) as writer:
            for batch in clean:
                writer.write_batch(batch.cast(nullable))
    except (pa.ArrowException, OSError, struct.error) as error:
        raise UnreadablePayload(f"The Arrow stream is truncated or damaged: {_first_line(error)}") from error
    return target.getvalue()


def read_parquet(stream: BinaryIO, *, has_stage: bool) -> Iterator[Chunk]:
    """Read a Parquet file in batches; raise UnreadablePayload naming the columns it lacks."""
    try:
        file = pq.ParquetFile(stream)
        _refuse_bomb(file, stream)
        check_columns(file.schema_arrow.names, "Parquet file", has_stage=has_stage)
        check_types(file.schema_arrow, "Parquet file")
        yield from _numbered(file.iter_batches(batch_size=CHUNK_ROWS))
    except (pa.ArrowException, OSError) as error:
        raise UnreadablePayload(f"The Parquet file is truncated or damaged: {_first_line(error)}") from error


def _refuse_packed_buffers(stream: BinaryIO) -> None:
    """
    Refuse a stream whose buffers are packed one by one: nothing bounds what they unpack to. It stays where it was.

    Arrow columnar format, "Message.fbs": a message's third field is its header; the fourth of a record batch its
    compression; the second of a dictionary batch its record batch.
    """
    start = stream.tell()
    for message in pa.ipc.MessageReader.open_stream(cast("io.IOBase", stream)):
        table = _Flat.root(message.metadata.to_pybytes()).table(2)
        if message.type == "dictionary" and table is not None:
            table = table.table(1)
        if message.type in ("record batch", "dictionary") and table is not None and table.table(3) is not None:
            raise UnreadablePayload(
                "The Arrow stream packs its buffers one by one. Write it without compression and pack the body as a "
                "whole (Content-Encoding: zstd or gzip)."
            )
    stream.seek(start)


@dataclass(frozen=True)
class _Flat:
    """A table of a FlatBuffer; raises struct.error where the bytes end early."""

    data: bytes
    at: int

    @classmethod
    def root(cls, data: bytes) -> _Flat:
        return cls(data, struct.unpack_from("<I", data, 0)[0])

    def table(self, field: int) -> _Flat | None:
        """Give the table that a field points at, None when it is absent."""
        directory = self.at - struct.unpack_from("<i", self.data, self.at)[0]
        if 4 + 2 * field >= struct.unpack_from("<H", self.data, directory)[0]:
            return None
        offset = struct.unpack_from("<H", self.data, directory + 4 + 2 * field)[0]
        if offset == 0:
            return None
        place = self.at + offset
        return _Flat(self.data, place + struct.unpack_from("<I", self.data, place)[0])


def _refuse_bomb(file: pq.ParquetFile, stream: BinaryIO) -> None:
    unpacked = sum(file.metadata.row_group(at).total_byte_size for at in range(file.metadata.num_row_groups))
    packed = stream.seek(0, io.SEEK_END)
    if unpacked > RATIO_FREE_BYTES and unpacked > PACKED_RATIO_LIMIT * packed:
        raise UnreadablePayload(
            f"The Parquet file unpacks to more than {PACKED_RATIO_LIMIT} times its size, as a decompression bomb would."
        )


def _numbered(batches: Iterator[pa.RecordBatch]) -> Iterator[Chunk]:
    first = 1
    for batch in batches:
        for start in range(0, batch.num_rows, CHUNK_ROWS):
            piece = batch.slice(start, CHUNK_ROWS)
            yield typed(piece, range(first, first + piece.num_rows))
            first += piece.num_rows


def check_columns(names: Sequence[str], what: str, *, has_stage: bool) -> None:
    """Hold a header to the canonical columns; raise UnreadablePayload naming what is missing, unknown or repeated."""
    missing = [name for name in REQUIRED if name not in names and not (name == "stage" and has_stage)]
    if missing:
        raise UnreadablePayload(
            f"The {what} lacks the columns {', '.join(missing)}. Name the columns as in the template; "
            "every record needs these."
        )
    unknown = [name for name in names if name not in activity.COLUMNS and not name.startswith(LABEL_PREFIX)]
    if unknown:
        raise UnreadablePayload(
            f"The {what} has columns that no record has: {', '.join(sorted(map(repr, unknown))[:20])}. "
            f"Rename or remove them; what you want to keep as a label goes into a column {LABEL_PREFIX}<name>."
        )
    repeated = sorted({name for name in names if list(names).count(name) > 1})
    if repeated:
        raise UnreadablePayload(f"The {what} has columns more than once: {', '.join(repeated)}.")


def check_types(schema: pa.Schema, what: str) -> None:
    """Refuse columns whose type cannot hold what they are named for; raise UnreadablePayload naming them."""
    faults = [
        f"{column.name} is {column.type}, it must be {wanted}"
        for column in schema
        if (wanted := _unfit(column.name, column.type)) is not None
    ]
    if faults:
        raise UnreadablePayload(f"The {what} has columns of another type: {'; '.join(faults)}.")


def _unfit(name: str, kind: pa.DataType) -> str | None:
    """Name the type that a column needs, or None when the one it has will do."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    if pa.types.is_null(kind):
        return None
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if name in activity.TIMES:
        zoned = pa.types.is_timestamp(kind) and kind.tz is not None
        return None if zoned or text else "a timestamp with time zone UTC, or text like 2026-10-01T09:00:00Z"
    if name in activity.COUNTS or name in activity.NUMBERS:
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
        return None if number else "a number"
    if name in ("techniques", "flags"):
        return None if listed else "a list of text"
    if name == "labels":
        return None if pa.types.is_map(kind) or pa.types.is_struct(kind) or text else "a map, a struct or JSON text"
    if name.startswith(LABEL_PREFIX):
        return None if not pa.types.is_nested(kind) else "text, a number or a boolean"
    return None if text else "text"


@dataclass
class _Faults:
    """The first fault of each row of one table."""

    found: dict[int, tuple[str, str]] = field(default_factory=dict)

    def add(self, positions: Sequence[int], column: str, detail: Callable[[int], str] | str) -> None:
        for at in positions:
            self.found.setdefault(at, (column, detail if isinstance(detail, str) else detail(at)))


def typed(batch: pa.RecordBatch, rows: Sequence[int]) -> Chunk:
    """
    Bring a batch of canonical columns (Arrow types, or all text from a sheet) to the activity table.

    Args:
        batch: canonical and `label.` columns; their names and types have been checked.
        rows: number of each row in the payload.

    Returns:
        Rows that can be read, one rejection `bad_field` for each other one, and how many there were.
    """
    faults = _Faults()
    columns: dict[str, Any] = {}
    for name in batch.schema.names:
        values: Any = batch.column(name)
        if pa.types.is_dictionary(values.type):
            values = values.dictionary_decode()
        if name.startswith(LABEL_PREFIX):
            continue
        if name in activity.TIMES:
            columns[name] = _times(name, values, faults)
        elif name in activity.COUNTS:
            columns[name] = _counts(name, values, faults)
        elif name in activity.NUMBERS:
            columns[name] = _numbers(name, values, faults)
        elif name in ("techniques", "flags"):
            columns[name] = _lists(name, values, faults)
        elif name != "labels":
            columns[name] = values.cast(pa.string())
    labels = _labels(batch, faults)
    if labels is not None:
        columns["labels"] = labels
    frame = records.from_columns(columns, batch.num_rows)
    frame["row"] = np.asarray(rows, dtype="int64")
    frame["rows"] = 1
    if not faults.found:
        return frame, [], batch.num_rows
    read = batch.take(pa.array(sorted(faults.found))).to_pylist()
    rejected = [
        Rejection(int(rows[at]), _text_or_none(row.get("record_id")), column, "bad_field", detail, _readable(row))
        for (at, (column, detail)), row in zip(sorted(faults.found.items()), read, strict=True)
    ]
    return frame.drop(index=list(faults.found)).reset_index(drop=True), rejected, batch.num_rows


def _is_text(values: Any) -> bool:
    return pa.types.is_string(values.type) or pa.types.is_large_string(values.type)


def _times(name: str, values: Any, faults: _Faults) -> Any:
    wanted = pa.timestamp("us", tz="UTC")
    if _is_text(values):
        texts = values.to_pylist()
        times, odd = records.read_times([text or "" for text in texts])
        absent = {at for at, text in enumerate(texts) if not text}
        shown = [at for at in odd if at not in absent]
        faults.add(shown, name, lambda at: f"{texts[at][:60]!r} {records.TIME_FAULT}")
        return times
    if pa.types.is_null(values.type):
        return pa.nulls(len(values), wanted)
    return pc.floor_temporal(values, unit="microsecond").cast(wanted, safe=False)


def _counts(name: str, values: Any, faults: _Faults) -> Any:
    if (pa.types.is_integer(values.type) and not pa.types.is_uint64(values.type)) or pa.types.is_null(values.type):
        return values.cast(pa.int64())
    read: list[int | None] = []
    for at, value in enumerate(values.to_pylist()):
        count = _whole(value)
        if count is None and value is not None:
            faults.add([at], name, f"{str(value)[:40]!r} is not a whole number that fits 64 bits")
        read.append(count)
    return pa.array(read, pa.int64())


def _whole(value: object) -> int | None:
    if isinstance(value, str):
        text = value.strip()
        count = int(float(text)) if _WHOLE.fullmatch(text) and "." in text else None
        if count is None and _WHOLE.fullmatch(text):
            count = int(text)
    elif isinstance(value, float):
        count = int(value) if value.is_integer() else None
    else:
        count = int(value) if value is not None and value == int(value) else None  # type: ignore[call-overload]  # decimal
    return count if count is not None and -(2**63) <= count < 2**63 else None


def _numbers(name: str, values: Any, faults: _Faults) -> Any:
    given = values.is_valid().to_numpy(zero_copy_only=False)
    if _is_text(values):
        read = np.array([_number(value) for value in values.to_pylist()], dtype="float64")
    else:
        read = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    odd = np.flatnonzero(given & ~np.isfinite(read)).tolist()
    faults.add(odd, name, lambda at: f"{str(values[at].as_py())[:40]!r} is not a number (write 1234.5)")
    return pa.array(read, pa.float64(), mask=~given)


def _number(text: str | None) -> float:
    try:
        return float(text) if text and "_" not in text else float("nan")
    except ValueError:
        return float("nan")


def _lists(name: str, values: Any, faults: _Faults) -> list[tuple[str, ...] | None]:
    read: list[tuple[str, ...] | None] = []
    for at, value in enumerate(values.to_pylist()):
        items = [item.strip() for item in value.split(";") if item.strip()] if isinstance(value, str) else value or []
        if any(not isinstance(item, str) for item in items) or len(set(items)) < len(items):
            faults.add([at], name, "it must hold different texts")
            items = []
        read.append(tuple(items))
    return read


def _labels(batch: pa.RecordBatch, faults: _Faults) -> list[dict[str, Any]] | None:
    """Join the column `labels` (map, struct or JSON text) and the columns `label.<key>`."""
    single = [name for name in batch.schema.names if name.startswith(LABEL_PREFIX)]
    if "labels" not in batch.schema.names and not single:
        return None
    labels: list[dict[str, Any]] = [{} for _ in range(batch.num_rows)]
    if "labels" in batch.schema.names:
        for at, value in enumerate(batch.column("labels").to_pylist()):
            given = _label_map(value)
            if given is None:
                faults.add([at], "labels", "it is not a JSON object of text, numbers and booleans")
            else:
                labels[at].update(given)
    for name in single:
        key = name.removeprefix(LABEL_PREFIX)
        for at, value in enumerate(batch.column(name).to_pylist()):
            if value is not None:
                labels[at][key] = value
    return labels


def _label_map(value: object) -> dict[str, Any] | None:
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return None
    elif isinstance(value, list):  # what Arrow makes of a map
        value = dict(value)
    if value is None:
        return {}
    if not isinstance(value, dict):
        return None
    return {key: item for key, item in value.items() if item is not None}


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Give a row as JSON values; absent ones left out."""
    plain: dict[str, Any] = {}
    for key, value in row.items():
        if value is None:
            continue
        simple = isinstance(value, str | int | bool | list | dict) or (isinstance(value, float) and np.isfinite(value))
        plain[key] = value if simple else str(value)
    return plain


def _text_or_none(value: object) -> str | None:
    return value[: records.ID_LENGTH] if isinstance(value, str) else None


def _first_line(error: BaseException) -> str:
    return str(error).split("\n", 1)[0][:200]
