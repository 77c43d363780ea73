"""Where payloads lie until their retention ends: small ones in the database, large ones as files under ``PAYLOAD_URL``."""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, BinaryIO, Final, cast
from uuid import UUID

import fsspec
import zstandard
from django.conf import settings
from fsspec.implementations.local import LocalFileSystem

INLINE_BYTES: Final = 1024 * 1024
"""Bodies up to this size lie in the payload's row, larger ones in a file of their own."""

PIECE_BYTES: Final = 1024 * 1024
ENCODINGS: Final = ("", "gzip", "deflate", "zstd")


class TooLargeError(Exception):
    """The body unpacks to more than is allowed."""


class UndecodableError(Exception):
    """The body is not what its Content-Encoding says: truncated, damaged, or another encoding."""


@dataclass(frozen=True)
class PayloadFile:
    """
    One stored file of a delivery, or the body of one request.

    Args:
        content_type, filename: as sent; of a push, `filename` is the last part of the address.
        encoding: Content-Encoding of what is stored; "" for files.
        size_bytes: as stored.
        digest: sha256 of the unpacked, scrubbed content.
        body: the content, when it is small; else `location` names it below PAYLOAD_URL.
    """

    content_type: str
    filename: str
    encoding: str
    size_bytes: int
    digest: bytes
    body: bytes | None = None
    location: str | None = None


def unpack(body: bytes, encoding: str, limit: int) -> bytes:
    """
    Undo a Content-Encoding, stopping as soon as more than `limit` bytes have come out.

    Raises TooLargeError, or UndecodableError when the body is truncated, damaged or has something after its end.
    """
    if encoding == "":
        if len(body) > limit:
            raise TooLargeError
        return body
    if encoding == "zstd":
        return _unpack_zstd(body, limit)
    return _unpack_zlib(body, encoding, limit)


def _unpack_zlib(body: bytes, encoding: str, limit: int) -> bytes:
    raw_deflate = encoding == "deflate" and (len(body) < 2 or body[0] & 0x0F != 8 or int.from_bytes(body[:2]) % 31)
    bits = 31 if encoding == "gzip" else -15 if raw_deflate else 15
    pieces: list[bytes] = []
    size, rest = 0, body
    try:
        while rest or not pieces:
            member = zlib.decompressobj(bits)
            while not member.eof:
                piece = member.decompress(rest, min(PIECE_BYTES, limit - size + 1))
                rest = member.unused_data if member.eof else member.unconsumed_tail
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    raise TooLargeError
                if not member.eof and not rest and not piece:
                    raise UndecodableError(f"it ends in the middle, after {size} unpacked bytes")
            if encoding != "gzip" and rest:
                raise UndecodableError(f"{len(rest)} bytes follow after its end")
    except zlib.error as error:
        raise UndecodableError(str(error)) from error
    return b"".join(pieces)


def _unpack_zstd(body: bytes, limit: int) -> bytes:
    pieces: list[bytes] = []
    size, rest = 0, body
    try:
        while rest or not pieces:
            frame = zstandard.ZstdDecompressor(max_window_size=2**27).decompressobj()
            # Fed in small steps: the library gives no bound on what comes out of one step but 128 KiB a block.
            position = 0
            while not frame.eof:
                if position >= len(rest):
                    raise UndecodableError(f"it ends in the middle, after {size} unpacked bytes")
                piece = frame.decompress(rest[position : position + 512])
                position += 512
                pieces.append(piece)
                size += len(piece)
                if size > limit:
                    raise TooLargeError
            rest = frame.unused_data + rest[position:]
    except zstandard.ZstdError as error:
        raise UndecodableError(str(error)) from error
    return b"".join(pieces)


def from_body(
    stored: bytes, *, digest: bytes, encoding: str, content_type: str, filename: str, name: str
) -> PayloadFile:
    """Keep the body of a request: beside its row, or in a file when it is large. `name` must be new."""
    inline = len(stored) <= INLINE_BYTES
    return PayloadFile(
        content_type=content_type,
        filename=filename,
        encoding=encoding,
        size_bytes=len(stored),
        digest=digest,
        body=stored if inline else None,
        location=None if inline else store(io.BytesIO(stored), name)[0],
    )


def from_stream(stream: BinaryIO, *, content_type: str, filename: str, name: str) -> PayloadFile:
    """Keep an uploaded file, whatever its size, in constant memory. `name` must be new."""
    location, digest, size = store(stream, name)
    return PayloadFile(content_type, filename, "", size, digest, location=location)


def new_name(organization_id: int, day: date, batch_id: UUID, number: int) -> str:
    """Name a payload's file: days first, so that retention removes whole folders."""
    return f"{day.isoformat()}/{organization_id}/{batch_id}-{number}"


def store(stream: BinaryIO, name: str) -> tuple[str, bytes, int]:
    """
    Copy a stream below PAYLOAD_URL; it is on the disk, under its final name, when this returns.

    Returns:
        (location, sha256 of the content, size). [bytes]
    """
    files, root = _place()
    path = f"{root}/{name}"
    hashed, size = hashlib.sha256(), 0
    if isinstance(files, LocalFileSystem):
        final = Path(path)
        final.parent.mkdir(parents=True, exist_ok=True)
        unfinished = final.with_name(final.name + ".part")
        with unfinished.open("wb") as target:
            for piece in _pieces(stream):
                hashed.update(piece)
                size += target.write(piece)
            target.flush()
            os.fsync(target.fileno())
        unfinished.rename(final)
        _sync_folder(final.parent)
    else:
        with files.open(path, "wb") as target:  # object stores show the object when it is closed, whole or not at all
            for piece in _pieces(stream):
                hashed.update(piece)
                size += len(piece)
                target.write(piece)
    return name, hashed.digest(), size


def open_stored(location: str) -> BinaryIO:
    """Open a stored file; raises FileNotFoundError when its retention is over."""
    files, root = _place()
    return cast(BinaryIO, files.open(f"{root}/{location}", "rb"))


def remove_days_before(day: date, organization_id: int | None = None) -> int:
    """Remove the files of all days before `day`, of one organization or of all; tell how many days went."""
    files, root = _place()
    if not files.exists(root):
        return 0
    old = [
        path.rstrip("/")
        for path in files.ls(root, detail=False)
        if (name := path.rstrip("/").rsplit("/", 1)[-1]) < day.isoformat() and len(name) == 10
    ]
    if organization_id is not None:
        old = [path for each in old if files.exists(path := f"{each}/{organization_id}")]
    for path in old:
        files.rm(path, recursive=True)
    return len(old)


def _place() -> tuple[Any, str]:
    files, root = fsspec.core.url_to_fs(settings.PAYLOAD_URL)
    return files, root.rstrip("/")


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while piece := stream.read(PIECE_BYTES):
        yield piece


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
