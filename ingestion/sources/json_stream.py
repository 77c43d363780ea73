"""
JSON files of any size, an item at a time: arrays, pages with their items in a list `data`, objects one after the other.

Only a window of the file is held: it grows to hold one item and moves on. Python's own scanner finds where an item ends, and
msgspec reads it, so that what is JSON here is what is JSON in a small body.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO, Final, NoReturn

import msgspec

from ingestion.sources.base import UnreadablePayload

PIECE_BYTES: Final = 1 << 18
CHUNK_ITEMS: Final = 4_000
"""Items of which a chunk of records is made: objects take ten times the memory of a table's rows."""
MOST_CHARACTERS: Final = 1 << 24
"""Of one item, or of one object that is no page; a larger one is no event and no observation."""

_SPACE: Final = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True)
class Cut:
    """
    Where an object that is too large for the window is cut: at a list that it has.

    Args:
        name: of the list.
        after: fields of the object that every share of it must have; where one of them follows the list, it is read whole.
        inner: the same for the list's own items.
    """

    name: str
    after: frozenset[str] = frozenset()
    inner: Cut | None = None


PAGES: Final = Cut("data")


def items(stream: BinaryIO, what: str, mend: Callable[[bytes], bytes] | None = None) -> Iterator[tuple[Any, bool]]:
    """
    Read the items of a file, in their order.

    Args:
        stream: unpacked, at its start.
        what: the API's name, for messages.
        mend: makes JSON of an item that is none, as its sender spells it.

    Yields:
        An item, and whether it stood in a list `data`; else by itself or in an array. Raises UnreadablePayload where the file
        is no JSON; items before that have been given by then.
    """
    for _, value in shares(stream, what, PAGES, mend):
        if isinstance(value, dict) and isinstance(value.get(PAGES.name), list):
            yield from ((item, True) for item in value[PAGES.name])
        else:
            yield value, False


def shares(
    stream: BinaryIO, what: str, cut: Cut | None, mend: Callable[[bytes], bytes] | None = None
) -> Iterator[tuple[int, Any]]:
    """
    Read the documents of a file, in their order: by themselves, one after the other, or in an array.

    Args:
        stream, what, mend: as in `items`.
        cut: where a large document is cut; None: nowhere.

    Yields:
        The number of a document, from 0, and the document. A large one comes several times, each time with some items of its
        list and the fields that stand before it, the last time with all fields.
    """
    window = _Window(stream, what, mend)
    found = False
    number = 0
    while (mark := window.next()) != "":
        found = True
        if mark == "[":
            window.skip()
            documents = _elements(window)
        else:
            documents = iter([None])
        for _ in documents:
            for share in _shares(window, cut):
                yield number, share
            number += 1
    if not found:
        window.fail("it is empty")


def chunks(values: Iterator[Any], size: int) -> Iterator[list[Any]]:
    """
    Give values some at a time; of nothing there is one empty chunk.

    >>> list(chunks(iter("abc"), 2)), list(chunks(iter(""), 2))
    ([['a', 'b'], ['c']], [[]])
    """
    yield list(islice(values, size))
    while chunk := list(islice(values, size)):
        yield chunk


def _shares(window: _Window, cut: Cut | None) -> Iterator[Any]:
    """Give the next value: at once where it fits into the window or is not to be cut, else in shares."""
    value = window.value(at_once=cut is not None)
    if value is not _LARGE:
        yield value
    elif cut is None or window.next() != "{":
        yield window.value()
    else:
        yield from _cut_up(window, cut)


def _cut_up(window: _Window, cut: Cut) -> Iterator[dict[str, Any]]:
    """Go into an object that does not fit into the window at once."""
    window.skip()
    beside: dict[str, Any] = {}
    waiting: list[Any] | None = None
    for _ in _elements(window, "}"):
        name = window.value()
        if not isinstance(name, str) or window.next() != ":":
            window.fail("an object's name is missing")
        window.skip()
        if name == cut.name and cut.after <= beside.keys() and window.next() == "[":
            window.skip()
            for some in _some(window, cut.inner):
                if waiting is not None:
                    yield {**beside, name: waiting}
                waiting = some
        else:
            beside[name] = window.value()
    yield beside if waiting is None else {**beside, cut.name: waiting}


def _some(window: _Window, cut: Cut | None) -> Iterator[list[Any]]:
    """Give the items of a list, about a window of them at a time; of none there is one empty list."""
    found: list[Any] = []
    start = window.passed
    for _ in _elements(window):
        for item in _shares(window, cut):
            found.append(item)
            if window.passed - start >= PIECE_BYTES:
                yield found
                found, start = [], window.passed
    yield found


def _elements(window: _Window, end: str = "]") -> Iterator[None]:
    """Stop before each element of an array or object, and go over what lies between."""
    if window.next() == end:
        window.skip()
        return
    while True:
        yield
        mark = window.next()
        window.skip()
        if mark == end:
            return
        if mark != ",":
            window.fail(f"there is {mark!r} where a comma or {end} should be")


_LARGE: Final = object()


class _Window:
    """The part of the file that is held."""

    def __init__(self, stream: BinaryIO, what: str, mend: Callable[[bytes], bytes] | None) -> None:
        self._stream, self._what, self._mend = stream, what, mend
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self._scan = json.JSONDecoder().raw_decode
        self._text, self._at, self._ended = "", 0, False
        self._let_go = 0

    @property
    def passed(self) -> int:
        """Count the characters that were gone over."""
        return self._let_go + self._at

    def next(self) -> str:
        """Give the next character that is no space, without going over it; empty at the end."""
        while True:
            self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]  # it matches everywhere
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def skip(self) -> None:
        """Go over one character."""
        self._at += 1

    def value(self, *, at_once: bool = False) -> Any:
        """
        Read the next value and go over it.

        Args:
            at_once: give up, with `_LARGE`, on one that ends beyond what is held.
        """
        if self.next() == "":
            self.fail("it ends in the middle")
        wanted = PIECE_BYTES
        while True:
            try:
                _, end = self._scan(self._text, self._at)
            except (ValueError, RecursionError) as error:
                if self._ended:
                    self.fail(str(error))
                end = -1
            if end >= 0 and (self._ended or end < len(self._text)):
                return self._read(end)
            if at_once and end < 0 and len(self._text) - self._at >= PIECE_BYTES:
                return _LARGE
            while not self._ended and len(self._text) - self._at < wanted:
                self._more()
            if len(self._text) - self._at > MOST_CHARACTERS:
                self.fail(f"one object has more than {MOST_CHARACTERS // 1024**2} million characters")
            wanted *= 2

    def fail(self, why: str) -> NoReturn:
        """Raise UnreadablePayload."""
        raise UnreadablePayload(f"The file is not JSON: {why}. Save the answer of {self._what} as it is.")

    def _read(self, end: int) -> Any:
        body = self._text[self._at : end].encode()
        self._at = end
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            if self._mend is not None and (mended := self._mend(body)) != body:
                try:
                    return msgspec.json.decode(mended)
                except (msgspec.DecodeError, RecursionError) as again:
                    self.fail(str(again))
            self.fail(str(error))

    def _more(self) -> bool:
        """Hold another piece, and let go of what was read; False at the end."""
        if self._ended:
            return False
        piece = self._stream.read(PIECE_BYTES)
        try:
            more = self._decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            self.fail(str(error))
        self._ended = not piece
        self._let_go += self._at
        self._text, self._at = self._text[self._at :] + more, 0
        return True
