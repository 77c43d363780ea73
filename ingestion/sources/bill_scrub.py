"""
People, secrets and content in bills: cells are cleaned before a file is kept, and before a row goes to quarantine.

A file is read once, by the distinct texts of its columns; only where a cell has to change is it written anew, line by
line, so that broken lines stay broken for the reader to report.
"""

from __future__ import annotations

import contextlib
import csv
import io
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, BinaryIO, Final, TypeAlias, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet
import zstandard

from core.quantification.private import is_private, scrub_text
from ingestion.sources import bill_columns, bill_tables
from ingestion.sources.base import UnreadablePayload, open_maybe_compressed
from ingestion.sources.bill_columns import Column

pc: Any = pyarrow.compute  # the stubs know only some of its overloads

Cleaner: TypeAlias = Callable[[str], str | None]
"""Gives what of a text may be kept; None for nothing."""
CleanerOf: TypeAlias = Callable[[str], Cleaner | None]
"""Gives a format's own cleaner of a column by its name in the file; None for columns that need none of their own."""

CHUNK_ROWS: Final = 20_000
PIECE_BYTES: Final = 256 * 1024
_LONGEST_CELL: Final = bill_tables.CSV_BLOCK_BYTES


def cleaner(name: str, own: CleanerOf) -> Cleaner:
    """Give what cleans a column's texts: the format's own rule, then the one for every text."""
    first = own(name)
    if first is None:
        return _nothing if is_private(name) else scrub_text
    return lambda text: scrub_text(kept) if (kept := first(text)) else kept


def _nothing(_: str) -> None:
    return None


def scrub_bill(stream: BinaryIO, cleaner_of: CleanerOf) -> BinaryIO:
    """
    Give a bill without what is private in it: the stream itself where there are none, else a copy.

    Args:
        stream: seekable, at its start, where it is again afterwards; CSV (plain or packed) or Parquet.
        cleaner_of: of the bill's format.

    Raises UnreadablePayload: no table, truncated or damaged; for a copy also while it is read.
    """
    start = stream.tell()
    magic = stream.read(4)
    stream.seek(start)
    names: list[str] = []

    def pick(given: Sequence[str]) -> Mapping[str, str]:
        names.extend(given)
        return {name: name for name in given}

    table = bill_tables.open_table(stream, pick, CHUNK_ROWS)
    clean = {name: lru_cache(CHUNK_ROWS)(cleaner(name, cleaner_of)) for name in names}
    found = bool(clean) and any(_changes(chunk, clean) for chunk in table.chunks)
    stream.seek(start)
    if not found:
        return stream
    if magic == b"PAR1":
        return _clean_parquet(stream, clean)
    packed = open_maybe_compressed(stream) is not stream
    stream.seek(start)
    lines = _clean_csv(stream, clean)
    return cast(BinaryIO, io.BufferedReader(Pieces(repacked(lines) if packed else lines), PIECE_BYTES))


def _changes(chunk: bill_tables.Chunk, clean: Mapping[str, Cleaner]) -> bool:
    """Tell whether a cell of a chunk, or one of a broken line, has to change: of the latter nobody knows."""
    if chunk.broken:
        return True
    for name, column in chunk.columns.items():
        cleaned = _cleaned(column, clean[name])
        if not cleaned.equals(column):
            return True
    return False


def _cleaned(column: Column, cleaner: Cleaner) -> Column:
    """Clean a column of texts; of maps, lists of keys and values, and structs the values of private keys."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_map(column.type) or pa.types.is_list(column.type) or pa.types.is_large_list(column.type):
        return _cleaned_entries(column)
    if pa.types.is_struct(column.type):
        children = [
            pa.nulls(len(column), field.type) if is_private(field.name) else _cleaned(column.field(at), scrub_text)
            for at, field in enumerate(column.type)
        ]
        return pa.StructArray.from_arrays(children, fields=list(column.type), mask=column.is_null())
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    codes = bill_columns.encode(column.cast(pa.string()))
    values: Column = pa.array([*(cleaner(value) if value else value for value in codes.values), None], column.type)
    return values.take(pa.array(np.where(codes.codes < 0, len(codes.values), codes.codes)))


def _cleaned_entries(column: Column) -> Column:
    """Empty the values of private keys, in maps and in lists of structs of a key and a value; clean the others."""
    whole: Any = column.take(pa.array(np.arange(len(column))))  # a slice has its entries and offsets elsewhere
    entries = whole.values
    if not pa.types.is_struct(entries.type) or entries.type.num_fields != 2:
        return column
    keys, values = entries.field(0), entries.field(1)
    private = _private_keys(keys)
    kept = pc.if_else(
        private, pa.scalar("", values.type) if pa.types.is_string(values.type) else None, _cleaned(values, scrub_text)
    )
    renewed = pa.StructArray.from_arrays([keys, kept], fields=list(entries.type))
    maker: Any = pa.LargeListArray if pa.types.is_large_list(column.type) else pa.ListArray
    lists = maker.from_arrays(whole.offsets, renewed, mask=whole.is_null())
    return lists.cast(column.type) if not pa.types.is_map(column.type) else _as_map(whole, keys, kept)


def _as_map(whole: Any, keys: Column, values: Column) -> Column:
    maker: Any = pa.MapArray
    return maker.from_arrays(whole.offsets, keys, values, mask=whole.is_null()).cast(whole.type)


def _private_keys(keys: Column) -> Column:
    codes = bill_columns.encode(keys.cast(pa.string()))
    private = np.array([is_private(key) for key in codes.values], dtype=bool)
    return pa.array(codes.take(private, absent=False))


def _clean_parquet(stream: BinaryIO, clean: Mapping[str, Cleaner]) -> BinaryIO:
    copy = tempfile.TemporaryFile()  # noqa: SIM115  # handed on open; it is gone when it is closed
    try:
        file = pa.parquet.ParquetFile(stream, pre_buffer=False, buffer_size=bill_tables.PARQUET_BUFFER_BYTES)
        with pa.parquet.ParquetWriter(copy, file.schema_arrow, compression="zstd") as writer:
            for batch in file.iter_batches(batch_size=CHUNK_ROWS, use_threads=False):
                columns = [
                    _cleaned(column, clean[name]).cast(column.type) if name in clean else column
                    for name, column in zip(batch.schema.names, batch.columns, strict=True)
                ]
                writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=batch.schema))
    except (pa.ArrowException, OSError) as error:
        raise UnreadablePayload(f"The Parquet file is damaged ({error}). Transfer it again in binary mode.") from error
    copy.seek(0)
    return cast(BinaryIO, copy)


# --- CSV --------------------------------------------------------------------------------------------------------------


def _clean_csv(stream: BinaryIO, clean: Mapping[str, Cleaner]) -> Iterator[bytes]:
    """Write a CSV file anew, line by line; of lines that do not fit the header nothing is left but their cells' number."""
    start = stream.tell()
    head = open_maybe_compressed(stream).read(bill_tables.HEAD_BYTES)
    stream.seek(start)
    delimiter = bill_tables.delimiter_of(head.decode("utf-8", "replace"))
    text = io.TextIOWrapper(open_maybe_compressed(stream), "utf-8-sig", newline="")
    written = io.StringIO()
    writer = csv.writer(written, delimiter=delimiter, lineterminator="\n")
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        lines = csv.reader(text, delimiter=delimiter)
        header = next(lines, [])
        writer.writerow(header)
        at = [(position, clean[name.strip()]) for position, name in enumerate(header) if name.strip() in clean]
        for cells in lines:
            if len(cells) == len(header):
                for position, cleaner in at:
                    if cells[position]:
                        cells[position] = cleaner(cells[position]) or ""
            elif cells:
                cells = [""] * len(cells)
            writer.writerow(cells)
            if written.tell() >= PIECE_BYTES:
                yield _taken(written)
    except (csv.Error, UnicodeDecodeError) as error:
        raise UnreadablePayload(f"The CSV file cannot be read: {error}. Export it as UTF-8 CSV.") from error
    finally:
        csv.field_size_limit(limit)
        with contextlib.suppress(ValueError):  # closed already
            text.detach()  # else it would close the stream, which is the caller's
    yield _taken(written)


def _taken(written: io.StringIO) -> bytes:
    piece = written.getvalue().encode()
    written.seek(0)
    written.truncate()
    return piece


def repacked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Pack pieces of a file with Zstandard."""
    packer = zstandard.ZstdCompressor().compressobj()
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


class Pieces(io.RawIOBase):
    """Reads pieces one after the other."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # the buffer type has no public name before 3.12
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = piece
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
