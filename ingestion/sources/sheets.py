"""
Sheets that people fill in, a line at a time: CSV, or JSON objects with the same names (an array, or one after the other).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification.prose import brief
from ingestion.sources import bill_tables, json_stream
from ingestion.sources.byte_streams import open_maybe_compressed, unpacked_head

HEAD_BYTES: Final = 4096


def plain(name: str) -> str:
    """
    Write a column's name as a template does.

    >>> plain(" Metered-Seats ")
    'metered_seats'
    """
    return "_".join(name.removeprefix("\ufeff").strip().lower().replace("-", " ").split())


def is_json(stream: BinaryIO) -> bool:
    """Tell whether a seekable stream, which may be packed, begins like JSON; it stays where it was."""
    return unpacked_head(stream, HEAD_BYTES).lstrip()[:1] in (b"{", b"[")


def documents(stream: BinaryIO, what: str, cut: json_stream.Cut | None = None) -> Iterator[Any]:
    """Give the documents of a JSON file; see `json_stream.shares`."""
    return (value for _, value in json_stream.shares(open_maybe_compressed(stream), what, cut))


def lines(stream: BinaryIO, what: str) -> Iterator[dict[str, Any] | None]:
    """
    Give the lines of a sheet by their columns' plain names; None for one that has not the cells of the header.

    Args:
        stream: seekable, at its start; may be packed.
        what: for messages.
    """
    if is_json(stream):
        for value in documents(stream, what):
            yield {plain(str(key)): item for key, item in value.items()} if isinstance(value, dict) else None
        return
    names = [name for name in bill_tables.column_names(unpacked_head(stream, bill_tables.HEAD_BYTES)) if name]
    for chunk in bill_tables.open_table(stream, bill_tables.picker(names), json_stream.CHUNK_ITEMS).chunks:
        columns = {plain(name): column.to_pylist() for name, column in chunk.columns.items()}
        yield from ({name: cells[at] for name, cells in columns.items()} for at in range(len(chunk.rows)))
        yield from [None] * len(chunk.broken)


def as_json_lines(values: Iterator[Any]) -> Iterator[bytes]:
    """Write values as lines of JSON, without prose where none belongs; of none there is an empty array, no empty file."""
    found = False
    for value in values:
        found = True
        yield msgspec.json.encode(brief_event(value)) + b"\n"
    if not found:
        yield b"[]"


def brief_event(value: Any) -> Any:
    """
    Hold an event to what its fields hold; what a format itself says of a line that it cannot read stays.

    >>> brief_event({"form": "broken", "detail": "the line has 3 cells, the header 4"})["detail"]
    'the line has 3 cells, the header 4'
    """
    return value if isinstance(value, dict) and value.get("form") == "broken" else brief(value)
