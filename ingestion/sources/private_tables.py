"""
Tables (CSV and Parquet) before they are stored: without the columns and cells that hold people, secrets or content.

Bills are large and hold nothing private as a rule, so a file is looked through once, block by block, and kept as it came
when it has none; else it is written anew, packed, in constant memory, with the same rows under the same header.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, cast

import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

from core.quantification.private import is_private, names_a_person, names_private_value, scrub_text, without_private
from ingestion.sources.base import UnreadablePayload, digest, open_maybe_compressed

Stores = Callable[[str], bool]
"""Column name -> whether its cells are stored."""

BLOCK_BYTES: Final = 1024 * 1024
HEAD_BYTES: Final = 256 * 1024
OVERLAP_BYTES: Final = 1024
"""Looked at again with the next block: a key or an address may be cut by its border."""
KEY_BYTES: Final = 200
ROWS: Final = 20_000
CELL_LENGTH: Final = 1024 * 1024

_SEPARATORS: Final = (",", ";", "\t", "|")
_BOM: Final = b"\xef\xbb\xbf"
_AFTER_KEY: Final = re.compile(rb'"\s*:')
_ODD: Final = (
    *(b"@", b"\\u", b"k-", b"k_", b"wl_", b"AKIA", b"xox", b"eyJ"),
    *(b"ghp_", b"gho_", b"ghs_", b"ghu_", b"ghr_"),
)
"""Without one of these a text holds no address, no key and no escape; looking for bytes is faster than for patterns."""
_NAMED: Final = re.compile(rb"\b(?:[spr]k[-_]|wl_|AKIA|gh[opsur]_|xox[abpr]-|eyJ)")
_LABEL: Final = re.compile(r"^(?:labels?|tags?|attributes?|resource_?tags|x_labels?|x_tags?)[./:_]", re.IGNORECASE)


def no_private_column(name: str) -> bool:
    """Tell whether a column's name leaves nothing to suspect: the rule where a format does not name what it stores."""
    return not (is_private(name) or names_a_person(_LABEL.sub("", name.strip())))


def is_table(head: bytes) -> bool:
    """Tell whether a file, unpacked, begins like Parquet or like text in columns."""
    if head[:4] == b"PAR1":
        return True
    line = head.removeprefix(_BOM).split(b"\n", 1)[0]
    printable = not re.search(rb"[\x00-\x08\x0e-\x1f]", line)
    return printable and line.lstrip()[:1] not in (b"{", b"[", b"<", b"#", b"") and _separator(line) is not None


def scrubbed(stream: BinaryIO, stores: Stores = no_private_column, identifiers: Collection[str] = ()) -> BinaryIO:
    """
    Give a table without what is private.

    Args:
        stream: seekable, at its start; CSV may be packed.
        stores: which columns' cells may be kept; the names of all columns stay.
        identifiers: columns whose cells are hashed where they hold an address, so that they stay different.

    Returns the same stream at its start when nothing had to go, else the new file: CSV packed by Zstandard, or Parquet.
    Raises UnreadablePayload: damaged, or a line longer than a table has.
    """
    start = stream.tell()
    if stream.read(4) == b"PAR1":
        stream.seek(start)
        return _parquet(stream, stores, identifiers)
    stream.seek(start)
    head = open_maybe_compressed(stream).read(HEAD_BYTES)
    stream.seek(start)
    separator = _separator(head.removeprefix(_BOM).split(b"\n", 1)[0]) or ","
    names = _names(head.removeprefix(_BOM), separator)
    columns = [_Column.of(name.strip(), stores, identifiers) for name in names]
    if all(column.kept for column in columns) and not _stream_mentions_private(open_maybe_compressed(stream)):
        stream.seek(start)
        return stream
    stream.seek(start)
    lines = _rewritten(open_maybe_compressed(stream), separator, columns)
    packed: Any = zstandard.ZstdCompressor(level=3).stream_reader(cast("BinaryIO", Pieces(lines)))
    return cast(BinaryIO, packed)


@dataclass(frozen=True)
class _Column:
    """What is done to the cells of a column."""

    kept: bool
    identifies: bool

    @classmethod
    def of(cls, name: str, stores: Stores, identifiers: Collection[str]) -> _Column:
        return cls(stores(name), name in identifiers)

    def clean(self, cell: str) -> str:
        if not self.kept:
            return ""
        if self.identifies and names_private_value(cell):
            return f"h:{digest(cell)}"
        return scrub_text(cell)


def scrubbed_bytes(body: bytes, stores: Stores = no_private_column, identifiers: Collection[str] = ()) -> bytes:
    """Give a small table without what is private; see `scrubbed`."""
    with scrubbed(io.BytesIO(body), stores, identifiers) as stream:
        return stream.read()


class Pieces(io.RawIOBase):
    """Reads pieces one after the other."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return b""
            self._rest = piece
        part, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        return part


def _names(head: bytes, separator: str) -> list[str]:
    try:
        return next(csv.reader(io.StringIO(head.decode(errors="replace"), newline=""), delimiter=separator), [])
    except csv.Error as error:
        raise UnreadablePayload(f"The first line of the CSV file names no columns: {error}.") from error


def _separator(line: bytes) -> str | None:
    counts = {separator: line.count(separator.encode()) for separator in _SEPARATORS}
    found = max(_SEPARATORS, key=lambda separator: counts[separator])
    return found if counts[found] else None


def _stream_mentions_private(stream: BinaryIO) -> bool:
    """Look through a text for private keys of JSON objects, mail addresses and keys; escapes may spell any of them."""
    rest = b""
    while piece := stream.read(BLOCK_BYTES):
        block = rest + piece
        if mentions_private(block):
            return True
        rest = block[-OVERLAP_BYTES:]
    return False


def mentions_private(text: bytes) -> bool:
    """Tell whether a text holds a private key of a JSON object, a mail address or a key."""
    return mentions_address(text) or any(map(is_private, _keys(text)))


def _keys(text: bytes) -> set[str]:
    """Give what stands in quotes before colons; in CSV the quotes come twice."""
    before = {part[-KEY_BYTES:].rstrip(b'"').rpartition(b'"')[2] for part in _AFTER_KEY.split(text)[:-1]}
    return {key.decode(errors="replace") for key in before}


def mentions_address(text: bytes) -> bool:
    """Tell whether a text holds a mail address or a key; escapes may spell any of them."""
    if not any(sign in text for sign in _ODD):
        return False
    if b"\\u" in text:
        return True
    if b"@" not in text and _NAMED.search(text) is None:
        return False
    return names_private_value(text.decode(errors="replace"))


def _rewritten(stream: BinaryIO, separator: str, columns: Sequence[_Column]) -> Iterator[bytes]:
    """Write a CSV file anew, line by line. Of a line that is torn nothing is kept but how many cells it has."""
    text = io.TextIOWrapper(stream, encoding="utf-8", errors="surrogateescape", newline="")
    limit = csv.field_size_limit(CELL_LENGTH)
    try:
        reader = csv.reader(text, delimiter=separator)
        written = io.StringIO(newline="")
        writer = csv.writer(written, delimiter=separator, lineterminator="\n")
        writer.writerow(next(reader, []))
        for cells in reader:
            if len(cells) == len(columns):
                writer.writerow([column.clean(cell) for column, cell in zip(columns, cells, strict=True)])
            else:
                writer.writerow([""] * len(cells))
            if written.tell() > BLOCK_BYTES:
                yield written.getvalue().encode(errors="surrogateescape")
                written.seek(0)
                written.truncate()
        yield written.getvalue().encode(errors="surrogateescape")
    except csv.Error as error:
        raise UnreadablePayload(f"The CSV file cannot be read: {error}. Export it as UTF-8 CSV.") from error
    finally:
        csv.field_size_limit(limit)
        text.detach()


# --- Parquet and Arrow ------------------------------------------------------------------------------------------------


def _parquet(stream: BinaryIO, stores: Stores, identifiers: Collection[str]) -> BinaryIO:
    """Write a Parquet file anew when it holds something private, batch by batch, to the disk."""
    start = stream.tell()
    target = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # whoever reads it closes it
    try:
        if _write_clean(stream, target, stores, identifiers):
            target.seek(0)
            return target
    except (pa.ArrowException, OSError) as error:
        target.close()
        raise UnreadablePayload(
            f"The Parquet file is truncated or damaged ({str(error)[:200]}). Transfer it again in binary mode."
        ) from error
    target.close()
    stream.seek(start)
    return stream


def _write_clean(stream: BinaryIO, target: BinaryIO, stores: Stores, identifiers: Collection[str]) -> bool:
    """Write the rows of a Parquet file without what is private; tell whether anything had to go."""
    changed = False
    file = pq.ParquetFile(stream, pre_buffer=False)
    schema = pa.schema([field.with_nullable(nullable=True) for field in file.schema_arrow])
    with pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in file.iter_batches(batch_size=ROWS, use_threads=False):
            clean = scrub_batch(batch, stores, identifiers)
            changed = changed or clean is not batch
            writer.write_batch(clean.cast(schema))
    return changed


def scrub_batch(batch: pa.RecordBatch, stores: Stores, identifiers: Collection[str] = ()) -> pa.RecordBatch:
    """Empty the columns that are not stored and clean the others; the same batch when nothing had to go."""
    columns: list[Any] = []
    changed = False
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        rule = _Column.of(name, stores, identifiers)
        clean = _scrub_array(column, rule) if rule.kept else _emptied(column)
        changed = changed or clean is not column
        columns.append(clean)
    if not changed:
        return batch
    fields = [field.with_nullable(nullable=True) for field in batch.schema]
    return pa.RecordBatch.from_arrays(columns, schema=pa.schema(fields))


def _emptied(column: Any) -> Any:
    return column if column.null_count == len(column) else pa.nulls(len(column), column.type)


def _scrub_array(column: Any, rule: _Column) -> Any:
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        encoded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        clean = [None if text is None else rule.clean(text) for text in texts]
        if clean == texts:
            return column
        return pa.array(clean, kind).take(encoded.indices).cast(column.type)
    if not pa.types.is_nested(kind):
        return column
    values = column.to_pylist()
    cleaned = [_full(without_private(value), kind) for value in values]
    return column if cleaned == values else pa.array(cleaned, column.type)


def _full(value: Any, kind: pa.DataType) -> Any:
    """Give a struct its absent fields back as null, as its type asks for."""
    if isinstance(value, dict) and pa.types.is_struct(kind):
        return {field.name: value.get(field.name) for field in kind}
    return value
