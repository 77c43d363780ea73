"""
Tables whose columns have parts (`service.description`), as BigQuery exports them: JSON lines, Parquet, flattened CSV.

All three come out alike: chunks of Arrow arrays by dotted name. Lists (labels, credits) stay whole: JSON text from JSON lines
and CSV, lists of structs from Parquet. CSV has no parts, so names there are flattened with `.` or `_`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any, BinaryIO, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from ingestion.sources import bill_tables
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.bill_columns import Column
from ingestion.sources.bill_tables import BrokenLine, Chunk, Table
from ingestion.sources.byte_streams import open_maybe_compressed

AVRO: Final = "Avro"
PARQUET: Final = "Parquet"
JSON_LINES: Final = "JSON lines"
CSV: Final = "CSV"

LINE_BYTES: Final = 1024 * 1024
"""No line of a bill is longer; a file without line ends would fill the memory."""
CHUNK_BYTES: Final = 32 * 1024 * 1024

pc: Any = pyarrow.compute  # the stubs know only some of its overloads


def open_table(stream: BinaryIO, wanted: Sequence[str], chunk_rows: int, lists: Collection[str] = ()) -> Table:
    """
    Open JSON lines, CSV (both plain, gzip or Zstandard) or Parquet.

    Args:
        stream: seekable, at its start.
        wanted: dotted names of the columns to read.
        chunk_rows: most rows of a chunk.
        lists: those of `wanted` that hold lists, which stay as they are written.

    Returns:
        The table; `names` are those of `wanted` that the file has (of JSON lines: in its first MiB).

    Raises UnreadablePayload here or while the chunks are read: no such table, truncated, Avro.
    """
    refuse_avro(stream)
    form = form_of(stream)
    if form == PARQUET:
        return _open_parquet(stream, wanted, chunk_rows)
    if form == JSON_LINES:
        paths = _Paths(wanted, lists)
        return Table(form, paths.found_in(_head(stream)), _json_chunks(stream, paths, chunk_rows))
    table = bill_tables.open_table(stream, _flat_picker(wanted), chunk_rows)
    return Table(table.form, tuple(_flat_picker(wanted)(table.names).values()), table.chunks)


def form_of(stream: BinaryIO) -> str:
    """Tell the form of a table by its beginning; the stream stays where it was. What is none of the others may be CSV."""
    start = stream.tell()
    magic = stream.read(4)
    stream.seek(start)
    if magic in _MAGIC:
        return _MAGIC[magic]
    return JSON_LINES if _head(stream).removeprefix(b"\xef\xbb\xbf").lstrip()[:1] == b"{" else CSV


def refuse_avro(stream: BinaryIO) -> None:
    """Raise UnreadablePayload for Avro: what cannot be read cannot be looked through either, so it is not stored."""
    if form_of(stream) == AVRO:
        raise UnreadablePayload("Avro is not read here. Export the table as Parquet or as newline-delimited JSON.")


_MAGIC: Final = {b"Obj\x01": AVRO, b"PAR1": PARQUET}


def _head(stream: BinaryIO) -> bytes:
    """Give the first bytes inside a stream, which stays where it was."""
    start = stream.tell()
    head = open_maybe_compressed(stream).read(LINE_BYTES)
    stream.seek(start)
    return head


def _flat_picker(wanted: Sequence[str]) -> bill_tables.Picker:
    """Pick columns by their dotted names, whatever stands for the dots and in whatever case."""

    def pick(names: Sequence[str]) -> dict[str, str]:
        ours = {_flat(name): name for name in wanted}
        found = {name: ours.pop(_flat(name), None) for name in names}
        return {name: mine for name, mine in found.items() if mine is not None}

    return pick


def _flat(name: str) -> str:
    return name.strip().lower().replace(".", "_")


# --- JSON lines -------------------------------------------------------------------------------------------------------


class _Paths:
    """Takes the wanted parts out of lines of JSON, column by column; what is not wanted is not even decoded."""

    def __init__(self, wanted: Sequence[str], lists: Collection[str]) -> None:
        self.wanted = tuple(wanted)
        self._parts = [tuple(name.split(".")) for name in wanted]
        self._raw = frozenset(lists)
        self.decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_struct_of("row", wanted, self._raw))

    def found_in(self, head: bytes) -> tuple[str, ...]:
        """
        Tell which columns the first lines have, be they null there.

        Raises UnreadablePayload when none of them is a JSON object.
        """
        found: set[str] = set()
        objects = 0
        for line in head.removeprefix(b"\xef\xbb\xbf").splitlines():
            try:
                row = msgspec.json.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
            objects += isinstance(row, dict)
            for name, parts in zip(self.wanted, self._parts, strict=True):
                if isinstance(row, dict) and _has(row, parts):
                    found.add(name)
        if not objects:
            raise UnreadablePayload("No line is a JSON object. Export newline-delimited JSON: one object a line.")
        return tuple(name for name in self.wanted if name in found)

    def columns(self, rows: Sequence[Any]) -> dict[str, Column]:
        """Give each wanted column of some decoded rows; what is missing is null."""
        columns: dict[str, Column] = {}
        for name, parts in zip(self.wanted, self._parts, strict=True):
            values: list[Any] = list(rows)
            for part in parts:
                get = attrgetter(part)
                values = [None if each is None else get(each) for each in values]
            columns[name] = _raw_array(values) if name in self._raw else _array(values)
        return columns


def _struct_of(title: str, wanted: Sequence[str], lists: Collection[str], prefix: str = "") -> Any:
    """Make the type of a row: its wanted parts, nested as their names are dotted; lists stay as they are written."""
    inner: dict[str, list[str]] = {}
    for name in wanted:
        first, _, rest = name.partition(".")
        inner.setdefault(first, []).extend([rest] if rest else [])
    fields: list[tuple[str, Any, Any]] = []
    for first, parts in inner.items():
        kind: Any = msgspec.Raw if f"{prefix}{first}" in lists else Any
        if parts:
            part: Any = _struct_of(first, parts, lists, f"{prefix}{first}.")
            kind = part | None
        fields.append((first, kind, None))
    return msgspec.defstruct(title, fields, gc=False)


def _raw_array(values: list[Any]) -> Column:
    """Make a column of JSON texts as they are written."""
    return pa.array(
        [None if value is None else bytes(value).decode("utf-8", "replace") for value in values], pa.string()
    )


def _has(row: object, parts: Sequence[str]) -> bool:
    """Tell whether an object has a part, or may have it (what holds it is null)."""
    for part in parts:
        if not isinstance(row, dict):
            return row is None
        if part not in row:
            return False
        row = row[part]
    return True


def _array(values: list[Any]) -> Column:
    """Make a column of JSON values: numbers or texts where all are, else everything as text; lists and objects as JSON."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds <= {str}:
        return pa.array(values, pa.string())
    if kinds <= {int, float}:
        try:
            return pa.array(values, pa.float64())
        except (OverflowError, pa.ArrowException):
            pass  # a number beyond any double: as text, so that its row is at fault and not the chunk
    return pa.array([value if value is None or type(value) is str else _json(value) for value in values], pa.string())


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _json_chunks(stream: BinaryIO, paths: _Paths, chunk_rows: int) -> Iterator[Chunk]:
    numbered = enumerate(_lines(open_maybe_compressed(stream)), 1)
    while some := _some(numbered, chunk_rows):
        rows: list[Any] = []
        numbers: list[int] = []
        broken: list[BrokenLine] = []
        for number, line in some:
            try:
                rows.append(paths.decoder.decode(line))
                numbers.append(number)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                broken.append(BrokenLine(number, fault=f"it is no JSON object ({str(error)[:200]})"))
        yield Chunk(paths.columns(rows), np.array(numbers, dtype="int64"), broken)


def _some(numbered: Iterator[tuple[int, bytes]], chunk_rows: int) -> list[tuple[int, bytes]]:
    """Take the lines of a chunk: at most so many rows, and fewer where they are long."""
    some: list[tuple[int, bytes]] = []
    size = 0
    for number, line in islice(numbered, chunk_rows):
        some.append((number, line))
        size += len(line)
        if size >= CHUNK_BYTES:
            break
    return some


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Give the lines that are not empty. Raises UnreadablePayload for one that is longer than any row."""
    first = True
    while line := stream.readline(LINE_BYTES + 1):
        if len(line) > LINE_BYTES:
            raise UnreadablePayload(
                f"A line is longer than {LINE_BYTES} bytes. Export newline-delimited JSON: one object a line."
            )
        if first:
            line, first = line.removeprefix(b"\xef\xbb\xbf"), False
        if line.strip():
            yield line


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _open_parquet(stream: BinaryIO, wanted: Sequence[str], chunk_rows: int) -> Table:
    try:
        file = pa.parquet.ParquetFile(stream, pre_buffer=False, buffer_size=bill_tables.PARQUET_BUFFER_BYTES)
        schema = file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        raise UnreadablePayload(
            f"The Parquet file is truncated or damaged ({error}). Transfer it again in binary mode."
        ) from error
    flat = _flat_picker(wanted)(schema.names)
    columns: dict[str, tuple[str, ...]] = {mine: (name,) for name, mine in flat.items()}
    for name in wanted:
        path = _path_in(schema, name)
        if path is not None:
            columns.setdefault(name, path)
    names = tuple(name for name in wanted if name in columns)
    return Table("Parquet", names, _parquet_chunks(file, columns, chunk_rows))


def _path_in(schema: pa.Schema, name: str) -> tuple[str, ...] | None:
    """Find a dotted name in nested structs, as the file spells it."""
    fields: Any = schema
    path: list[str] = []
    for part in name.split("."):
        if isinstance(fields, pa.DataType) and not pa.types.is_struct(fields):
            return None
        found = next((field for field in fields if field.name.lower() == part.lower()), None)
        if found is None:
            return None
        path.append(found.name)
        fields = found.type
    return tuple(path)


def _parquet_chunks(
    file: pa.parquet.ParquetFile, columns: Mapping[str, Sequence[str]], chunk_rows: int
) -> Iterator[Chunk]:
    following = 1
    tops = list(dict.fromkeys(path[0] for path in columns.values()))
    try:
        for batch in file.iter_batches(batch_size=chunk_rows, columns=tops, use_threads=False):
            numbers = np.arange(following, following + batch.num_rows)
            following += batch.num_rows
            yield Chunk({name: _part(batch.column(path[0]), path[1:]) for name, path in columns.items()}, numbers, [])
    except (pa.ArrowException, OSError) as error:
        raise UnreadablePayload(
            f"The Parquet file is damaged after row {following - 1} ({error}). Transfer it again in binary mode."
        ) from error


def _part(array: Column, path: Sequence[str]) -> Column:
    return pc.struct_field(array, list(path)) if path else array
