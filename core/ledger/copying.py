"""
Bulk writes: numpy and Arrow columns into PostgreSQL's binary COPY format, without a loop over rows.

The format (https://www.postgresql.org/docs/current/sql-copy.html, "Binary Format") is a signature, then for each row
the number of fields and for each field its length (-1: null) and bytes, then -1. Numbers are big-endian.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import psycopg
import pyarrow as pa

Bytes = npt.NDArray[np.uint8]

SIGNATURE: Final = b"PGCOPY\n\xff\r\n\x00" + b"\x00" * 8
END: Final = b"\xff\xff"
EPOCH_US: Final = 946_684_800_000_000
"""PostgreSQL counts time from 2000-01-01; this is that instant in microseconds since 1970."""


@dataclass(frozen=True)
class Column:
    """
    One encoded column of n rows.

    Args:
        lengths: bytes of each field, -1 where it is null. [n]
        data: the bytes of all fields that are not null, in order.
        width: bytes of each field where all have the same, else 0.
    """

    lengths: npt.NDArray[np.int32]
    data: Bytes
    width: int = 0


def integers(values: npt.NDArray[np.int64], dtype: str = ">i8", null: npt.NDArray[np.bool_] | None = None) -> Column:
    """Encode whole numbers as int8 (`>i8`), int4 (`>i4`) or int2 (`>i2`); `null` marks absent ones."""
    return _fixed(values.astype(dtype), null)


def floats(values: npt.NDArray[np.float64]) -> Column:
    """Encode float8; NaN is null."""
    return _fixed(values.astype(">f8"), np.isnan(values))


def booleans(values: npt.NDArray[np.bool_]) -> Column:
    """Encode bool."""
    return _fixed(values.astype(np.uint8), None)


def times(microseconds: npt.NDArray[np.int64]) -> Column:
    """Encode timestamptz from microseconds since 1970."""
    return _fixed((microseconds - EPOCH_US).astype(">i8"), None)


def uuids(keys: Bytes, null: npt.NDArray[np.bool_] | None = None) -> Column:
    """Encode uuid from n rows of 16 bytes."""
    return _fixed(np.ascontiguousarray(keys).view("V16").reshape(-1), null)


def texts(values: pd.Series) -> Column:
    """Encode text; missing values are null."""
    array: Any = pa.array(values, type=pa.large_string(), from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    present = array.drop_null()
    lengths = np.full(len(array), -1, dtype=np.int32)
    if not len(present):
        return Column(lengths, np.zeros(0, dtype=np.uint8))
    _, offsets, data = present.buffers()
    ends = np.frombuffer(offsets, dtype=np.int64)[present.offset : present.offset + len(present) + 1]
    lengths[~array.is_null().to_numpy(zero_copy_only=False)] = np.diff(ends)
    return Column(lengths, np.frombuffer(data or b"", dtype=np.uint8)[ends[0] : ends[-1]])


def _fixed(values: npt.NDArray[np.generic], null: npt.NDArray[np.bool_] | None) -> Column:
    width = values.dtype.itemsize
    lengths = np.full(len(values), width, dtype=np.int32)
    if null is not None and null.any():
        lengths[null] = -1
        values = values[~null]
    return Column(lengths, np.ascontiguousarray(values).view(np.uint8).reshape(-1), width)


def encode(columns: list[Column]) -> bytes:
    """Write columns of equal length as one complete binary COPY stream."""
    count = len(columns[0].lengths)
    sizes = [np.maximum(column.lengths, 0) for column in columns]
    row_bytes = np.sum(sizes, axis=0, dtype=np.int64) + 2 + 4 * len(columns)
    ends = np.cumsum(row_bytes)
    out = np.zeros(int(ends[-1]) if count else 0, dtype=np.uint8)
    at = ends - row_bytes
    _place(out, at, np.full(count, len(columns), dtype=">i2").view(np.uint8), 2)
    at = at + 2
    for column, size in zip(columns, sizes, strict=True):
        _place(out, at, column.lengths.astype(">i4").view(np.uint8), 4)
        at = at + 4
        present = column.lengths >= 0
        if column.width:
            _place(out, at if present.all() else at[present], column.data, column.width)
        else:
            _place_varying(out, at[present], size[present], column.data)
        at = at + size
    return SIGNATURE + out.tobytes() + END


def _place(out: Bytes, at: npt.NDArray[np.int64], data: Bytes, width: int) -> None:
    """Lay fields of one width at their places."""
    fields = data.reshape(-1, width)
    for byte in range(width):
        out[at + byte] = fields[:, byte]


def _place_varying(out: Bytes, at: npt.NDArray[np.int64], sizes: npt.NDArray[np.int32], data: Bytes) -> None:
    """Lay fields of different lengths at their places: byte i of the data goes to i plus its field's shift."""
    if len(data):
        begins = np.cumsum(sizes, dtype=np.int64) - sizes
        out[np.arange(len(data)) + np.repeat(at - begins, sizes)] = data


def copy_rows(cursor: psycopg.Cursor[tuple[object, ...]], table: str, columns: Mapping[str, Column]) -> None:
    """
    Append rows to a temporary table.

    Columns without any value are left out (most records have few of the measures). The table must not be under row-level
    security: PostgreSQL refuses COPY there, hence the way over temporary tables.
    """
    given = {
        name: column
        for name, column in columns.items()
        if len(column.data) or (column.width == 0 and (column.lengths >= 0).any())
    }
    names = ", ".join(given)
    with cursor.copy(f"copy {table} ({names}) from stdin (format binary)".encode()) as copy:
        copy.write(encode(list(given.values())))


def read_rows(
    cursor: psycopg.Cursor[tuple[object, ...]],
    query: str,
    parameters: Sequence[object],
    fields: Mapping[str, str],
    rows: int,
) -> Iterator[npt.NDArray[np.void]]:
    """
    Read a query's result as arrays, without a Python object for each value.

    Args:
        cursor: it can run nothing else until the reader is exhausted.
        query: its columns are those of ``fields``, in order, none of them ever null and each of the fixed width named there.
        parameters: for its placeholders.
        fields: name -> big-endian numpy type (`>i8` for bigint, `>f8` for double precision, `?` for boolean, ...).
        rows: most rows in one array.

    Returns:
        Structured arrays with the fields in native byte order; times (`>i8`) in microseconds since 2000 (``EPOCH_US``).
    """
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in fields.items():
        layout += [(f"{name} length", ">i4"), (name, kind)]
    wire = np.dtype(layout)
    native = np.dtype([(name, np.dtype(kind).newbyteorder("=")) for name, kind in fields.items()])
    header, held = len(SIGNATURE), bytearray()
    with cursor.copy(f"copy ({query}) to stdout (format binary)".encode(), parameters) as copy:
        for block in copy:
            held += block
            if len(held) >= header + rows * wire.itemsize:
                yield _parse(held, header, rows, wire, native)
                del held[: header + rows * wire.itemsize]
                header = 0
    count = (len(held) - header - len(END)) // wire.itemsize
    if count:
        yield _parse(held, header, count, wire, native)


def _parse(
    data: bytearray, start: int, rows: int, wire: np.dtype[np.void], native: np.dtype[np.void]
) -> npt.NDArray[np.void]:
    raw = np.frombuffer(bytes(data[start : start + rows * wire.itemsize]), dtype=wire)
    result = np.empty(rows, dtype=native)
    for name in native.names or ():
        result[name] = raw[name]
    return result
