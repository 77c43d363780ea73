"""
Prometheus remote write 1.0 and 2.0 (rc.4), decoded: snappy blocks of protobuf.

Only what is read is decoded: labels and samples. The messages are four levels of length-prefixed fields, so they are read
directly instead of through generated classes.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from ingestion.sources.base import UnreadablePayload

LIMIT_BYTES: Final = 64 * 1024 * 1024
V1: Final = "prometheus.WriteRequest"
V2: Final = "io.prometheus.write.v2.Request"
MEDIA_TYPE: Final = "application/x-protobuf"


class RefusedError(UnreadablePayload):  # said in the words of the protocol
    """A request that is not taken; `status` is what its sender is answered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Sample:
    """One value of a series at a time. [ms since 1970]"""

    labels: Mapping[str, str]
    at_ms: int
    value: float


def samples(body: bytes, content_type: str, encoding: str = "snappy", limit: int = LIMIT_BYTES) -> list[Sample]:
    """
    Decode a request.

    Raises RefusedError: 415 for another encoding or message, 413 when it announces more than `limit` bytes (before it is
    unpacked), 400 when it cannot be decoded.
    """
    message = message_of(content_type)
    if encoding.strip().lower() != "snappy":
        raise RefusedError(415, f"Content-Encoding {encoding!r} is not offered; remote write uses snappy.")
    try:
        announced, _ = _varint(body, 0)
        if announced > limit:
            raise RefusedError(413, f"The body announces {announced} bytes unpacked; {limit} are taken.")
        plain = bytes(pa.Codec("snappy").decompress(body, decompressed_size=announced))
        return list(_series_v2(plain) if message == V2 else _series_v1(plain))
    except (pa.ArrowException, OSError, IndexError, ValueError, KeyError, struct.error) as error:
        raise RefusedError(400, f"The body is no remote-write request: {str(error)[:120]}") from error


def message_of(content_type: str) -> str:
    """Tell which message a media type announces. Raises RefusedError (415)."""
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    named = dict(part.partition("=")[::2] for part in parameters)
    message = named.get("proto", V1).strip('"')
    if media_type.lower() != MEDIA_TYPE or message not in (V1, V2):
        raise RefusedError(415, f"Content-Type {content_type!r} is not offered.")
    return message


def _series_v1(body: bytes) -> Iterator[Sample]:
    for number, series in _fields(body):
        if number != 1 or not isinstance(series, bytes):
            continue
        labels: dict[str, str] = {}
        values: list[dict[int, int | bytes]] = []
        for part, content in _fields(series):
            if part == 1 and isinstance(content, bytes):
                pair = dict(_fields(content))
                labels[_text(pair.get(1, b""))] = _text(pair.get(2, b""))
            elif part == 2 and isinstance(content, bytes):
                values.append(dict(_fields(content)))
        yield from _of_series(labels, values)


def _series_v2(body: bytes) -> Iterator[Sample]:
    symbols: list[str] = []
    found: list[bytes] = []
    for number, content in _fields(body):
        if number == 4 and isinstance(content, bytes):
            symbols.append(_text(content))
        elif number == 5 and isinstance(content, bytes):
            found.append(content)
    for series in found:
        references: list[int] = []
        values: list[dict[int, int | bytes]] = []
        for part, content in _fields(series):
            if part == 1:
                references += _packed(content) if isinstance(content, bytes) else [content]
            elif part == 2 and isinstance(content, bytes):
                values.append(dict(_fields(content)))
        names = [symbols[at] for at in references]
        yield from _of_series(dict(zip(names[::2], names[1::2], strict=True)), values)


def _of_series(labels: Mapping[str, str], values: list[dict[int, int | bytes]]) -> Iterator[Sample]:
    for value in values:
        raw = value.get(1, b"\x00" * 8)
        at_ms = value.get(2, 0)
        if not isinstance(raw, bytes) or not isinstance(at_ms, int):
            raise ValueError("a sample has fields of another type")
        yield Sample(labels, at_ms, struct.unpack("<d", raw)[0])


def is_stale(value: float) -> bool:
    """Tell the mark that ends a series, and any other value that is no number."""
    return math.isnan(value)


def _fields(body: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Read the fields of a protobuf message: varints as numbers, all others as bytes."""
    at = 0
    while at < len(body):
        key, at = _varint(body, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(body, at)
            yield number, value
            continue
        if kind == 2:
            size, at = _varint(body, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind}")
        if at + size > len(body):
            raise ValueError("a field ends after the message")
        yield number, body[at : at + size]
        at += size


def _varint(body: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise ValueError("a number of more than 64 bits")


def _packed(content: bytes) -> list[int]:
    numbers = []
    at = 0
    while at < len(content):
        number, at = _varint(content, at)
        numbers.append(number)
    return numbers


def _text(content: int | bytes) -> str:
    if not isinstance(content, bytes):
        raise ValueError("a label is no text")
    return content.decode()
