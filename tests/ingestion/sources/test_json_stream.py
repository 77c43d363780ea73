"""JSON of any size, an item at a time: the same items as from a body read whole, in a window that does not grow with it."""

from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.sources import json_stream
from ingestion.sources.base import UnreadablePayload

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)
ITEMS = st.lists(st.dictionaries(st.sampled_from(["id", "a", "b"]), VALUES, max_size=3), max_size=6)


def found(content: bytes, window: int = 1 << 18) -> list[tuple[Any, bool]]:
    before, json_stream.PIECE_BYTES = json_stream.PIECE_BYTES, window  # type: ignore[misc]
    try:
        return list(json_stream.items(io.BytesIO(content), "a test"))
    finally:
        json_stream.PIECE_BYTES = before  # type: ignore[misc]


@given(ITEMS, st.integers(1, 40), st.booleans())
def test_windows_of_any_size_give_what_a_whole_body_gives(items: list[Any], window: int, spaced: bool) -> None:
    indent = 1 if spaced else None
    page = {"meta": {"next": [1, {"data": [7]}]}, "data": items, "more": 12}

    assert found(json.dumps(page, indent=indent).encode(), window) == [(item, True) for item in items]
    assert found(json.dumps(items, indent=indent).encode(), window) == [(item, False) for item in items]
    assert found(json.dumps([page, page]).encode(), window) == [(item, True) for item in items + items]
    if items:
        lines = "\n".join(json.dumps(item, ensure_ascii=False) for item in items)
        assert found(lines.encode(), window) == [(item, False) for item in items]


@given(st.binary(max_size=60) | st.text(alphabet='{}[]",:\\1a data', max_size=60).map(str.encode), st.integers(1, 9))
def test_any_bytes_are_read_or_refused(content: bytes, window: int) -> None:
    try:
        found(content, window)
    except UnreadablePayload:
        return


@pytest.mark.parametrize(
    "content", [b"", b" ", b'{"data": [1, 2', b"[1 2]", b'{"data" 1}', b"[1,]", b'[{"a":NaN}]', b"\xff"]
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    for window in (1, 1 << 18):
        with pytest.raises(UnreadablePayload):
            found(content, window)


def test_item_without_end_is_refused_before_it_fills_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_stream, "MOST_CHARACTERS", 1 << 20)

    class Endless(io.RawIOBase):
        start = b'[{"a":"'

        def read(self, size: int = -1) -> bytes:
            piece, self.start = self.start, b""
            return piece or b"x" * size

    with pytest.raises(UnreadablePayload, match="million characters"):
        list(json_stream.items(Endless(), "a test"))  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["page", "array", "lines"])
def test_memory_does_not_grow_with_the_file(form: str) -> None:
    """A window of 256 KB, in characters and as bytes: a few MB, for 2 MB of JSON and for 16."""

    def peak(rows: int) -> int:
        made = [{"id": at, "text": "x" * 400} for at in range(rows)]
        lines = "\n".join(map(json.dumps, made))
        content = {"page": json.dumps({"data": made}), "array": json.dumps(made), "lines": lines}[form].encode()
        stream = io.BytesIO(content)
        tracemalloc.start()
        assert sum(1 for _ in json_stream.items(stream, "a test")) == rows
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    small, large = peak(5_000), peak(40_000)

    assert large < 1.2 * small < 6e6
