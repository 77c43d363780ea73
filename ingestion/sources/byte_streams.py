"""
Streams of bytes as adapters read and give them: packed files with a guard against bombs, text that must be UTF-8, and pieces
one after the other.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

import zstandard

from ingestion.sources.base import UnreadablePayload

GZIP: Final = b"\x1f\x8b"
ZSTANDARD: Final = b"\x28\xb5\x2f\xfd"

PACKED_RATIO_LIMIT: Final = 500
"""A bill packs 10 to 60 times; gzip of zeros 1,030 times. Judged only above RATIO_FREE_BYTES."""
RATIO_FREE_BYTES: Final = 64 * 1024 * 1024


class Utf8(io.RawIOBase):
    """
    Hands bytes through and raises UnreadablePayload at the first that is not UTF-8.

    pyarrow's CSV reader loses a line that is both torn and not UTF-8: its handler of such lines never gets to see it.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._count = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # the buffer type has no public name before 3.12
        piece = self._stream.read(len(buffer))
        try:
            self._decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            raise UnreadablePayload(
                f"The file is not in UTF-8 (near byte {self._count + error.start}). Save it as 'CSV UTF-8'."
            ) from error
        self._count += len(piece)
        buffer[: len(piece)] = piece
        return len(piece)


class _Zstandard:
    """
    Unpacks Zstandard frames one after the other; the library's own reader takes a truncated frame for the end.

    It is fed 1 KiB at a time, since a block of 4 bytes may unpack to 128 KiB.
    """

    def __init__(self, packed: BinaryIO) -> None:
        self._packed, self._rest, self._ready = packed, b"", b""
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False

    def read(self, size: int) -> bytes:
        while not self._ready:
            piece = self._rest or self._packed.read(1024)
            self._rest = b""
            if not piece:
                if self._begun:
                    raise EOFError("a frame has no end")
                return b""
            self._begun = True
            self._ready = self._frame.decompress(piece)
            if self._frame.eof:
                self._rest, self._begun = self._frame.unused_data, False
                self._frame = zstandard.ZstdDecompressor().decompressobj()
        part, self._ready = self._ready[:size], self._ready[size:]
        return part


class _Unpacked(io.RawIOBase):
    """Reads a packed stream; stops at the limit, at a bomb's ratio, and at a broken or truncated end."""

    def __init__(self, packed: BinaryIO, unpacked: BinaryIO, limit: int | None) -> None:
        self._packed, self._unpacked, self._limit, self._count = packed, unpacked, limit, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # the buffer type has no public name before 3.12
        try:
            piece = self._unpacked.read(len(buffer))
        except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
            raise UnreadablePayload(
                f"The packed file is truncated or damaged after {self._count} unpacked bytes ({error}). "
                "Transfer it again in binary mode."
            ) from error
        self._count += len(piece)
        if self._limit is not None and self._count > self._limit:
            raise UnreadablePayload(f"The file unpacks to more than {self._limit} bytes. Split it and send the parts.")
        if self._count > RATIO_FREE_BYTES and self._count > PACKED_RATIO_LIMIT * max(self._packed.tell(), 1):
            raise UnreadablePayload(
                f"The file unpacks to more than {PACKED_RATIO_LIMIT} times its size, as a decompression bomb would. "
                "Send it unpacked if it is genuine."
            )
        buffer[: len(piece)] = piece
        return len(piece)


def unpacked_head(stream: BinaryIO, size: int) -> bytes:
    """Give the first bytes of what is inside a seekable stream, which stays where it was."""
    start = stream.tell()
    head = open_maybe_compressed(stream).read(size)
    stream.seek(start)
    return head


def unpacked(body: bytes, limit: int | None = None) -> bytes:
    """Give what is inside a small payload, which may be a packed file; see `open_maybe_compressed`."""
    return open_maybe_compressed(io.BytesIO(body), limit).read() if body[:4] == ZSTANDARD or body[:2] == GZIP else body


def open_maybe_compressed(stream: BinaryIO, limit: int | None = None) -> BinaryIO:
    """
    Give the stream itself, or a reader of what is inside when it begins like gzip or Zstandard.

    Args:
        stream: seekable, at its start.
        limit: most bytes that may come out. [bytes]; None: only the ratio of a bomb stops it.

    Raises UnreadablePayload while reading: truncated or damaged, over the limit, or a decompression bomb.
    """
    start = stream.tell()
    magic = stream.read(4)
    stream.seek(start)
    unpacked: BinaryIO
    if magic[:2] == GZIP:
        unpacked = gzip.GzipFile(fileobj=stream, mode="rb")  # type: ignore[assignment]  # a BinaryIO in all but name
    elif magic == ZSTANDARD:
        unpacked = _Zstandard(stream)  # type: ignore[assignment]  # it reads, which is all that is asked of it
    else:
        return stream
    return io.BufferedReader(_Unpacked(stream, unpacked, limit), 256 * 1024)


def from_pieces(pieces: Iterator[bytes], buffer_bytes: int = io.DEFAULT_BUFFER_SIZE) -> BinaryIO:
    """Give a stream of pieces, each made when it is read."""
    return cast(BinaryIO, io.BufferedReader(_Pieces(pieces), buffer_bytes))


class _Pieces(io.RawIOBase):
    """Reads pieces one after the other."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces, self._rest = pieces, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:  # type: ignore[no-untyped-def]  # the buffer type has no public name before 3.12
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return 0
            self._rest = memoryview(piece)  # cut without copying what is left
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)
