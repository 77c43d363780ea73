"""
People out of tables with nested labels (Google Cloud), before a file is kept: lists of keys and values, in any column.

Only what has to change is written anew: a line of JSON without such a key stays byte for byte.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, BinaryIO, Final, cast

import msgspec

from core.quantification.private import is_private, scrub_text, without_private
from ingestion.sources import nested_tables
from ingestion.sources.base import open_maybe_compressed
from ingestion.sources.bill_scrub import Cleaner, Pieces, repacked, scrub_bill
from ingestion.sources.private_tables import mentions_address

LISTS: Final = ("labels", "system_labels", "tags", "project")
"""Columns with keys and values in them; of Parquet also those inside a struct."""

OF_THE_SCHEMA: Final = frozenset({"full_name"})
"""Fields of the export that only sound like a person's: a credit's full name."""

_KEY: Final = re.compile(rb'"key"\s*:\s*"((?:[^"\\]|\\.)*)"')


@lru_cache(maxsize=20_000)
def entries_of(text: str) -> Mapping[str, str] | None:
    """
    Read labels: a JSON list of keys and values, or a JSON object; None for anything else.

    >>> entries_of('[{"key": "team", "value": "nlp"}]'), entries_of('{"team": "nlp"}'), entries_of("team")
    ({'team': 'nlp'}, {'team': 'nlp'}, None)
    """
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(read, dict):
        return {str(key): _value(value) for key, value in read.items()}
    if not isinstance(read, list) or not all(isinstance(entry, dict) and "key" in entry for entry in read):
        return None
    return {str(entry["key"]): _value(entry.get("value")) for entry in read}


def _value(value: object) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def cleaner_of(column: str) -> Cleaner | None:
    """Give what takes people out of the texts of a column of labels; None for other columns."""
    name = column.strip().lower().replace(".", "_")
    if name in (*LISTS, "project_labels"):
        return without_people
    return _nothing if _names_somebody(name) else scrub_text if name.rsplit("_", 1)[-1] in OF_THE_SCHEMA else None


def _nothing(_: str) -> None:
    return None


@lru_cache(maxsize=20_000)
def without_people(text: str) -> str | None:
    """
    Take the labels that name a person out; None for a text that is none of labels, since it may hold anything.

    >>> without_people('[{"key": "user", "value": "ada"}, {"key": "team", "value": "nlp"}]')
    '{"team": "nlp"}'
    """
    entries = entries_of(text)
    if entries is None:
        return None
    kept = {key: value for key, value in entries.items() if not is_private(key)}
    return scrub_text(text if len(kept) == len(entries) else json.dumps(kept, ensure_ascii=False))


def scrub_nested(stream: BinaryIO) -> BinaryIO:
    """
    Give a table without the people in its labels: the stream itself where there are none, else a copy.

    Args:
        stream: seekable, at its start, where it is again afterwards; JSON lines or CSV (plain or packed), or Parquet.

    Raises UnreadablePayload: no table, truncated or damaged; for a copy also while it is read.
    """
    start = stream.tell()
    form = nested_tables.form_of(stream)
    if form == nested_tables.AVRO:
        return stream  # it is refused when it is read
    if form != nested_tables.JSON_LINES:
        return scrub_bill(stream, cleaner_of)
    found = any(_may_name(line) for line in _lines(stream))
    stream.seek(start)
    if not found:
        return stream
    is_packed = open_maybe_compressed(stream) is not stream
    stream.seek(start)
    pieces = (_clean_line(line) for line in _lines(stream))
    return cast(BinaryIO, io.BufferedReader(Pieces(repacked(pieces) if is_packed else pieces), 256 * 1024))


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Give the lines as they are; one that is longer than any row comes in pieces."""
    plain = open_maybe_compressed(stream)
    while line := plain.readline(nested_tables.LINE_BYTES + 1):
        yield line


def _may_name(line: bytes) -> bool:
    """
    Tell whether a line may have a field or a label that names a person: of one that cannot be read nobody knows.

    Labels come again in other lines and are looked at once.
    """
    try:
        row = _FIELDS.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return bool(line.strip())
    return (
        mentions_address(line)
        or _fields_name(tuple(row))
        or any(_names_in(bytes(raw)) for raw in row.values() if len(raw) > 2)
    )


_FIELDS: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


@lru_cache(maxsize=1_000)
def _fields_name(fields: tuple[str, ...]) -> bool:
    return any(map(_names_somebody, fields))


@lru_cache(maxsize=20_000)
def _names_in(text: bytes) -> bool:
    if text[:1] not in (b"{", b"["):
        return False
    return any(map(_is_person, _KEY.findall(text))) or any(map(_is_person, _NAMES.findall(text)))


_NAMES: Final = re.compile(rb'"((?:[^"\\]|\\.)*)"\s*:')


@lru_cache(maxsize=20_000)
def _is_person(key: bytes) -> bool:
    try:
        return _names_somebody(json.loads(b'"' + key + b'"'))
    except ValueError:
        return True  # not JSON: the line is looked at as a whole


def _names_somebody(key: str) -> bool:
    return is_private(key) and key not in OF_THE_SCHEMA


def _clean_line(line: bytes) -> bytes:
    """Write a line without what names people; one that cannot be read keeps nothing, and is at fault when it is read."""
    if not _may_name(line):
        return line
    try:
        row = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b"{not JSON\n"
    return msgspec.json.encode(_clean(row)) + b"\n"


def _clean(value: Any) -> Any:
    """Drop fields that name a person and entries whose key does, at any depth."""
    if isinstance(value, dict):
        return {key: _clean(inner) for key, inner in value.items() if not _names_somebody(key)}
    if isinstance(value, list):
        return [_clean(inner) for inner in value if not _names(inner)]
    return without_private(value)


def _names(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("key"), str) and is_private(entry["key"])
