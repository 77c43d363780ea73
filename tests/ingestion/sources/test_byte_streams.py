"""Packed files are opened, and refused where they are damaged or would fill the memory."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pytest
import zstandard

from ingestion.sources import byte_streams
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.byte_streams import open_maybe_compressed, unpacked_head

CONTENT = b"".join(b"line %d\n" % at for at in range(20_000))


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress, bytes])
def test_packed_files_are_opened(pack: Any) -> None:
    stream = io.BytesIO(pack(CONTENT))

    assert unpacked_head(stream, 6) == b"line 0"
    assert open_maybe_compressed(stream).read() == CONTENT


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_truncated_and_damaged_files_are_refused(pack: Any) -> None:
    packed = pack(CONTENT)

    with pytest.raises(UnreadablePayload, match="truncated or damaged"):
        open_maybe_compressed(io.BytesIO(packed[:-3])).read()
    with pytest.raises(UnreadablePayload, match="truncated or damaged"):
        open_maybe_compressed(io.BytesIO(packed[:8] + b"\xff" * 100)).read()


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_limit_and_bomb_stop_while_unpacking(pack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(byte_streams, "RATIO_FREE_BYTES", 1_000_000)
    bomb = pack(bytes(20_000_000))

    with pytest.raises(UnreadablePayload, match="more than 1000 bytes"):
        open_maybe_compressed(io.BytesIO(pack(CONTENT)), limit=1000).read()
    with pytest.raises(UnreadablePayload, match="bomb"):
        open_maybe_compressed(io.BytesIO(bomb)).read()
