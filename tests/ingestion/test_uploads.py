"""Files on their way into the inbox: cleaned as they pass, never held whole."""

from __future__ import annotations

import io
from typing import Any, BinaryIO

import pytest

from ingestion import uploads
from ingestion.sources import activity
from ingestion.sources.base import UnreadablePayload

BLOCK_BYTES = 32 * 1024
RECORD = (
    b'{"record_id":"r-%d","started_at":"2026-10-01T00:00:00Z","kind":"inference","model":"m","input_tokens":9,'
    b'"prompt":"Dear Ada"}\n'
)
LINES = b"".join(RECORD % at for at in range(4_000))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "LINE_BLOCK_BYTES", BLOCK_BYTES)


def scrubbed(body: BinaryIO, filename: str) -> BinaryIO:
    return uploads.scrubbed(body, activity.NAME, uploads.Upload(filename, lambda: body))


def test_lines_are_cleaned_block_by_block_and_come_out_as_if_cleaned_at_once() -> None:
    given = io.BytesIO(LINES)
    clean = scrubbed(given, "records.jsonl")
    pieces, ahead = [], []
    while piece := clean.read(BLOCK_BYTES):
        pieces.append(piece)
        ahead.append(given.tell() - sum(map(len, pieces)))

    whole = b"".join(pieces)
    assert whole == activity.scrub(LINES, "application/x-ndjson", "records.jsonl")
    assert b"Dear Ada" not in whole
    dropped = 1 - len(whole) / len(LINES)
    assert max(ahead) < 4 * BLOCK_BYTES + dropped * len(LINES) < len(LINES) / 2


def test_a_line_without_an_end_is_refused(settings: Any) -> None:
    settings.MAX_PAYLOAD_MB = 1

    with pytest.raises(UnreadablePayload, match="A line is longer than 1048576 bytes"):
        scrubbed(io.BytesIO(LINES[:1_000] + b"x" * 2_000_000), "records.jsonl").read()


def test_an_array_too_large_to_hold_is_refused_with_what_to_send_instead(settings: Any) -> None:
    settings.MAX_PAYLOAD_MB = 1
    body = b"[" + b",".join(LINES.splitlines() * 3) + b"]"

    with pytest.raises(UnreadablePayload, match=r"may have 1 MB. Split it, or send JSON lines"):
        scrubbed(io.BytesIO(body), "records.json")
