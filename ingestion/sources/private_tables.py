"""
Tables (CSV, JSON lines and Parquet) before they are stored: without the columns and cells that hold people, secrets or content.

Bills are large and hold nothing private as a rule, so a file is looked through once, block by block, and kept as it came
when it has none; else it is written anew in constant memory: the same rows under the same header.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, Literal, cast

import msgspec
import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet as pq
import zstandard

from core.quantification.remembering import LONGEST
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.byte_streams import Utf8, from_pieces, open_maybe_compressed
from ingestion.sources.private_columns import nullable, scrub_batch
from ingestion.sources.private_texts import Cleaner, Rules, mentions_private, without_private_line

BLOCK_BYTES: Final = 1024 * 1024
HEAD_BYTES: Final = 256 * 1024
OVERLAP_BYTES: Final = 1024
"""Looked at again with the next block: a key or an address may be cut by its border."""
ROWS: Final = 20_000
CELL_LENGTH: Final = 1024 * 1024
csv.field_size_limit(
    CELL_LENGTH
)  # one for the whole process, so files that are read at once must not change it in turn
LINE_BYTES: Final = 1024 * 1024
"""No line of JSON is longer; a file without line ends would fill the memory."""

pc: Any = pyarrow.compute  # the stubs know only some of its overloads

_SEPARATORS: Final = (",", ";", "\t", "|")
_BOM: Final = b"\xef\xbb\xbf"
_NO_JSON: Final = b"{not JSON\n"
_ANY_JSON: Final = msgspec.json.Decoder(msgspec.Raw)


def is_table(head: bytes) -> bool:
    """Tell whether a file, unpacked, begins like Parquet or like text in columns."""
    if head[:4] == b"PAR1":
        return True
    line = head.removeprefix(_BOM).split(b"\n", 1)[0]
    printable = not re.search(rb"[\x00-\x08\x0e-\x1f]", line)
    return printable and line.lstrip()[:1] not in (b"{", b"[", b"<", b"#", b"") and _separator(line) is not None


def scrubbed(stream: BinaryIO, rules: Rules = Rules()) -> BinaryIO:  # noqa: B008  # frozen
    """
    Give a table without what is private.

    Args:
        stream: seekable, at its start; CSV and JSON lines may be packed.
        rules: what the format adds to the rule for every table.

    Returns the same stream at its start when nothing had to go, else the new file, packed if the old one was.
    Raises UnreadablePayload: damaged, or a line longer than a table has; for a new file also while it is read.
    """
    start = stream.tell()
    magic = stream.read(4)
    stream.seek(start)
    if magic == b"PAR1":
        return _parquet(stream, rules)
    plain = open_maybe_compressed(stream)
    packed = plain is not stream
    head = plain.read(HEAD_BYTES).removeprefix(_BOM)
    stream.seek(start)
    if head.lstrip()[:1] == b"{":
        has_private, pieces = _lines_mention(stream, rules), _clean_lines(stream, rules)
    else:
        separator = _separator(head.split(b"\n", 1)[0]) or ","
        names = _names(head, separator)
        has_private = _csv_mentions(stream, separator, names, rules)
        pieces = _clean_csv(stream, separator, [rules.cleaner(name) for name in names])
    stream.seek(start)
    if not has_private:
        return stream
    return from_pieces(_packed(pieces) if packed else pieces, BLOCK_BYTES)


def scrubbed_bytes(body: bytes, rules: Rules = Rules()) -> bytes:  # noqa: B008  # frozen
    """Give a small table without what is private; see `scrubbed`."""
    with scrubbed(io.BytesIO(body), rules) as stream:
        return stream.read()


def _packed(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zstandard.ZstdCompressor(level=3).compressobj()
    for piece in pieces:
        if packed := packer.compress(piece):
            yield packed
    yield packer.flush()


# --- CSV --------------------------------------------------------------------------------------------------------------


def _names(head: bytes, separator: str) -> list[str]:
    try:
        line = next(csv.reader(io.StringIO(head.decode(errors="replace"), newline=""), delimiter=separator), [])
    except csv.Error as error:
        raise UnreadablePayload(f"The first line of the CSV file names no columns: {error}.") from error
    return [name.strip() for name in line]


def _separator(line: bytes) -> str | None:
    counts = {separator: line.count(separator.encode()) for separator in _SEPARATORS}
    found = max(_SEPARATORS, key=lambda separator: counts[separator])
    return found if counts[found] else None


def _csv_mentions(stream: BinaryIO, separator: str, names: Sequence[str], rules: Rules) -> bool:
    """Tell whether a cell may have to change, or a line is torn: of what that holds nobody knows."""
    looked = _Looked(open_maybe_compressed(stream))
    torn: list[int] = []

    def note(line: pa.csv.InvalidRow) -> Literal["skip"]:
        torn.append(line.actual_columns)
        return "skip"

    special = {str(at): rules.cleaner(name) for at, name in enumerate(names) if rules.is_special(name)}
    columns = [str(at) for at in range(len(names))]
    included = [*special] or columns[:1]
    try:
        reader = pa.csv.open_csv(
            io.BufferedReader(looked, BLOCK_BYTES),
            pa.csv.ReadOptions(
                use_threads=False, block_size=BLOCK_BYTES, column_names=columns, skip_rows_after_names=1
            ),
            pa.csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=note),
            pa.csv.ConvertOptions(
                column_types=dict.fromkeys(included, pa.string()), include_columns=included, strings_can_be_null=False
            ),
        )
        for batch in reader:
            if torn or looked.found or _changes(batch, special):
                return True
    except (pa.ArrowException, OSError):
        return True  # the lines are read one by one then, and what is wrong with them is for the format to say
    return bool(torn) or looked.found


def _changes(batch: pa.RecordBatch, special: Mapping[str, Cleaner]) -> bool:
    return any((cleaner(text) or "") != text for at, cleaner in special.items() for text in _distinct(batch.column(at)))


def _distinct(column: Any) -> list[str]:
    return [text for text in pc.unique(column).to_pylist() if text]


class _Looked(Utf8):
    """Reads on from a stream of UTF-8 and looks through what passes."""

    def __init__(self, stream: BinaryIO) -> None:
        super().__init__(stream)
        self._rest, self.found = b"", False

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # as in Utf8
        size = super().readinto(buffer)
        if not self.found:
            block = self._rest + bytes(buffer[:size])
            self.found = mentions_private(block)
            self._rest = block[-OVERLAP_BYTES:]
        return size


class _Cleaned(dict[str, str]):
    """Remembers what was left of the cells of a column, within bounds."""

    def __init__(self, cleaner: Cleaner) -> None:
        super().__init__({"": ""})
        self._cleaner = cleaner

    def __missing__(self, cell: str) -> str:
        kept = self._cleaner(cell) or ""
        if len(cell) <= LONGEST:
            if len(self) > ROWS:
                self.clear()
            self[cell] = kept
        return kept


def _clean_csv(stream: BinaryIO, separator: str, cleaners: Sequence[Cleaner]) -> Iterator[bytes]:
    """Write a CSV file anew, line by line. Of a line that is torn nothing is kept but how many cells it has."""
    columns = [_Cleaned(cleaner) for cleaner in cleaners]
    text = io.TextIOWrapper(open_maybe_compressed(stream), encoding="utf-8", errors="surrogateescape", newline="")
    try:
        reader = csv.reader(text, delimiter=separator)
        written = io.StringIO(newline="")
        writer = csv.writer(written, delimiter=separator, lineterminator="\n")
        writer.writerow(next(reader, []))
        for cells in reader:
            if len(cells) == len(columns):
                writer.writerow([column[cell] for column, cell in zip(columns, cells, strict=True)])
            elif cells:
                writer.writerow([""] * len(cells))
            if written.tell() > BLOCK_BYTES:
                yield written.getvalue().encode(errors="surrogateescape")
                written.seek(0)
                written.truncate()
        yield written.getvalue().encode(errors="surrogateescape")
    except csv.Error as error:
        raise UnreadablePayload(f"The CSV file cannot be read: {error}. Export it as UTF-8 CSV.") from error
    finally:
        if not text.closed and not text.buffer.closed:
            text.detach()  # else it would close the stream, which is the caller's


# --- JSON lines -------------------------------------------------------------------------------------------------------


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Give the lines as they are; one that is longer than any row comes in pieces."""
    plain = open_maybe_compressed(stream)
    while line := plain.readline(LINE_BYTES + 1):
        yield line


def _lines_mention(stream: BinaryIO, rules: Rules) -> bool:
    """Tell whether a line mentions something private, or is no JSON: of what that holds nobody knows."""
    waiting: list[bytes] = []
    size = 0
    for line in _lines(stream):
        if not _is_json(line):
            return True
        waiting.append(line)
        size += len(line)
        if size > BLOCK_BYTES:
            if mentions_private(b"".join(waiting), rules.allowed):
                return True
            waiting, size = [], 0
    return mentions_private(b"".join(waiting), rules.allowed)


def _is_json(line: bytes) -> bool:
    try:
        _ANY_JSON.decode(line.removeprefix(_BOM))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return not line.strip()
    return True


def _clean_lines(stream: BinaryIO, rules: Rules) -> Iterator[bytes]:
    """Write anew the lines that mention something; one that is no JSON keeps nothing, and is at fault when it is read."""
    for line in _lines(stream):
        if not _is_json(line):
            yield _NO_JSON
        elif not mentions_private(line, rules.allowed):
            yield line
        else:
            try:
                yield without_private_line(line.removeprefix(_BOM), rules.allowed)
            except (ValueError, RecursionError):
                yield _NO_JSON


# --- Parquet ----------------------------------------------------------------------------------------------------------


def _parquet(stream: BinaryIO, rules: Rules) -> BinaryIO:
    """Look through a Parquet file; write it anew, batch by batch, to the disk when it holds something private."""
    start = stream.tell()
    try:
        found = any(
            scrub_batch(batch, rules) is not batch for batch in _batches(pq.ParquetFile(stream, pre_buffer=False))
        )
        stream.seek(start)
        return _clean_parquet(stream, rules) if found else stream
    except (pa.ArrowException, OSError) as error:
        raise UnreadablePayload(
            f"The Parquet file is truncated or damaged ({str(error)[:200]}). Transfer it again in binary mode."
        ) from error


def _batches(file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    return iter(file.iter_batches(batch_size=ROWS, use_threads=False))


def _clean_parquet(stream: BinaryIO, rules: Rules) -> BinaryIO:
    file = pq.ParquetFile(stream, pre_buffer=False)
    schema = nullable(file.schema_arrow)
    target = cast(BinaryIO, tempfile.TemporaryFile())  # noqa: SIM115  # whoever reads it closes it
    try:
        with pq.ParquetWriter(target, schema, compression="zstd") as writer:
            for batch in _batches(file):
                writer.write_batch(scrub_batch(batch, rules).cast(schema))
    except BaseException:
        target.close()
        raise
    target.seek(0)
    return target
