"""
Tables of bills, read in chunks of columns: CSV (comma, semicolon or tab; plain, gzip or Zstandard) and Parquet.

A chunk holds Arrow arrays of the columns asked for and never more than `chunk_rows` rows, so that a file of any size
takes the same memory.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from ingestion.sources.base import UnreadablePayload
from ingestion.sources.bill_columns import Column
from ingestion.sources.byte_streams import Utf8, open_maybe_compressed

CSV_BLOCK_BYTES: Final = 1024 * 1024
"""CSV is read in blocks of this size; no single line may be longer. Blocks of 4 MiB take 80 MB more and gain nothing."""
PARQUET_BUFFER_BYTES: Final = 1024 * 1024
HEAD_BYTES: Final = 256 * 1024

Picker: TypeAlias = Callable[[Sequence[str]], Mapping[str, str]]
"""Chooses the columns to read among a file's names: its spelling -> the name of the column in the chunks."""

_DELIMITERS: Final = (",", ";", "\t")


@dataclass(frozen=True)
class BrokenLine:
    """A line that could not be cut into columns: its number of cells is not that of the header, or `fault` says why."""

    row: int
    cells: int = 0
    expected: int = 0
    fault: str = ""

    @property
    def detail(self) -> str:
        """Say what is wrong with it."""
        return self.fault or f"{self.cells} cells where the header has {self.expected}"


@dataclass(frozen=True)
class Chunk:
    """
    Some rows of a table.

    Args:
        columns: Arrow arrays of equal length, by the names asked for; columns that the file lacks are not there.
        rows: number of each row in the file, from 1; header and empty lines do not count. [int64]
        broken: lines between them that could not be cut into cells.
    """

    columns: Mapping[str, Column]
    rows: np.ndarray
    broken: Sequence[BrokenLine]


@dataclass(frozen=True)
class Table:
    """A file opened for reading: its format, its column names as spelled there, and its chunks, to be read once."""

    form: str
    names: tuple[str, ...]
    chunks: Iterator[Chunk]


def column_names(head: bytes) -> tuple[str, ...]:
    """Give the column names in the first bytes of a CSV file (unpacked); () when they hold no header line."""
    text = head.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace")
    try:
        return tuple(name.strip() for name in next(csv.reader(io.StringIO(text), delimiter=delimiter_of(text)), []))
    except csv.Error:
        return ()


def picker(wanted: Sequence[str]) -> Picker:
    """Pick columns by name, without regard to case and surrounding spaces; of two alike the first counts."""

    def pick(names: Sequence[str]) -> dict[str, str]:
        ours = {name.lower(): name for name in wanted}
        picked: dict[str, str] = {}
        for name in names:
            mine = ours.pop(name.strip().lower(), None)
            if mine is not None:
                picked[name] = mine
        return picked

    return pick


def open_table(stream: BinaryIO, pick: Picker, chunk_rows: int) -> Table:
    """
    Open a CSV or Parquet file.

    Args:
        stream: seekable, at its start.
        pick: chooses the columns to read.
        chunk_rows: most rows of a chunk.

    Raises UnreadablePayload here or while the chunks are read: no table, no header, truncated, not UTF-8.
    """
    start = stream.tell()
    magic = stream.read(4)
    stream.seek(start)
    if magic == b"PAR1":
        return _open_parquet(stream, pick, chunk_rows)
    head = open_maybe_compressed(stream).read(HEAD_BYTES)
    stream.seek(start)
    if not head.strip():
        raise UnreadablePayload("The file is empty.")
    if b"\x00" in head:
        raise UnreadablePayload(
            "The file is neither UTF-8 text nor Parquet (it holds zero bytes). Export it as UTF-8 CSV or as Parquet."
        )
    names = column_names(head)
    if not any(names):
        raise UnreadablePayload(
            "The file has no header line. Export it as UTF-8 CSV with the names of its columns first."
        )
    chunks = _rechunked(_csv_batches(stream, head, pick(names)), chunk_rows)
    return Table("CSV", names, chunks)


def delimiter_of(text: str) -> str:
    """Tell the delimiter of a CSV file by the beginning of its text."""
    line = text.split("\n", 1)[0]
    return max(_DELIMITERS, key=line.count)


# --- CSV --------------------------------------------------------------------------------------------------------------


def _csv_batches(stream: BinaryIO, head: bytes, picked: Mapping[str, str]) -> Iterator[Chunk]:
    names = column_names(head)
    broken: list[BrokenLine] = []

    def note(line: pa.csv.InvalidRow) -> Literal["skip"]:
        if line.number is None:
            raise RuntimeError("pyarrow numbers lines only when it reads without threads")
        broken.append(BrokenLine(line.number - 1, line.actual_columns, line.expected_columns))  # the header is line 1
        return "skip"

    try:
        reader = pa.csv.open_csv(
            io.BufferedReader(Utf8(open_maybe_compressed(stream)), CSV_BLOCK_BYTES),
            # Threads would lose the line numbers.
            read_options=pa.csv.ReadOptions(
                use_threads=False, block_size=CSV_BLOCK_BYTES, column_names=list(names), skip_rows_after_names=1
            ),
            parse_options=pa.csv.ParseOptions(
                delimiter=delimiter_of(head.decode("utf-8", "replace")),
                newlines_in_values=True,
                invalid_row_handler=note,
            ),
            convert_options=pa.csv.ConvertOptions(
                column_types={name: pa.string() for name in picked},
                include_columns=list(picked),
                strings_can_be_null=False,
            ),
        )
        following = 1
        for batch in reader:
            numbers, following = _row_numbers(batch.num_rows, following, [line.row for line in broken])
            due = [line for line in broken if line.row < following]
            broken[:] = [line for line in broken if line.row >= following]
            yield Chunk({picked[name]: batch.column(name) for name in picked}, numbers, due)
        if broken:
            yield Chunk({ours: pa.array([], pa.string()) for ours in picked.values()}, np.empty(0, "int64"), broken)
    except pa.ArrowInvalid as error:
        raise UnreadablePayload(
            f"The CSV file cannot be read: {error}. Export it as UTF-8 CSV with a header line."
        ) from error


def _row_numbers(count: int, following: int, skipped: Sequence[int]) -> tuple[np.ndarray, int]:
    """Number the next `count` rows from `following` on, leaving out the skipped numbers; give the next free number."""
    candidates = np.arange(following, following + count + len(skipped))
    numbers = candidates[~np.isin(candidates, skipped)][:count]
    return numbers, int(numbers[-1]) + 1 if count else following


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _open_parquet(stream: BinaryIO, pick: Picker, chunk_rows: int) -> Table:
    try:
        file = pa.parquet.ParquetFile(stream, pre_buffer=False, buffer_size=PARQUET_BUFFER_BYTES)
        names = tuple(file.schema_arrow.names)
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadablePayload(
            f"The Parquet file is truncated or damaged ({error}). Transfer it again in binary mode."
        ) from error
    return Table("Parquet", names, _parquet_chunks(file, pick(names), chunk_rows))


def _parquet_chunks(file: pa.parquet.ParquetFile, picked: Mapping[str, str], chunk_rows: int) -> Iterator[Chunk]:
    following = 1
    try:
        for batch in file.iter_batches(batch_size=chunk_rows, columns=list(picked), use_threads=False):
            numbers = np.arange(following, following + batch.num_rows)
            following += batch.num_rows
            yield Chunk({picked[name]: batch.column(name) for name in picked}, numbers, [])
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadablePayload(
            f"The Parquet file is damaged after row {following - 1} ({error}). Transfer it again in binary mode."
        ) from error


# --- chunks of equal size ---------------------------------------------------------------------------------------------


def _rechunked(batches: Iterator[Chunk], chunk_rows: int) -> Iterator[Chunk]:
    """Join and cut batches so that each chunk but the last has `chunk_rows` rows."""
    waiting: list[Chunk] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += len(batch.rows)
        if count >= chunk_rows:
            joined = _joined(waiting)
            full = count - count % chunk_rows
            for start in range(0, full, chunk_rows):
                yield _sliced(joined, start, chunk_rows)
            count -= full
            waiting = [_sliced(joined, full, chunk_rows)] if count else []
    if waiting:
        yield _joined(waiting)


def _joined(chunks: Sequence[Chunk]) -> Chunk:
    if len(chunks) == 1:
        return chunks[0]
    columns = {name: pa.concat_arrays([chunk.columns[name] for chunk in chunks]) for name in chunks[0].columns}
    rows = np.concatenate([chunk.rows for chunk in chunks])
    return Chunk(columns, rows, [line for chunk in chunks for line in chunk.broken])


def _sliced(chunk: Chunk, start: int, length: int) -> Chunk:
    """Cut rows out of a chunk; broken lines stay with its first slice."""
    columns = {name: array.slice(start, length) for name, array in chunk.columns.items()}
    return Chunk(columns, chunk.rows[start : start + length], chunk.broken if start == 0 else [])
