"""
Versions of one thing that an export shows again and again: the newest stands, in whatever order the files come.

What was last read of each thing is remembered as the readings of counters are (`counters.Memory`), in the transaction that
writes it: its version, which is a time of the sender's, and a hash of its content.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

import numpy as np

from ingestion.sources.base import Context, digest
from ingestion.sources.counters import Key, Memory, Reading

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_NS: Final = 2**63 - 1

_NOTED: Final = np.dtype([("name", "S16"), ("time_ns", "i8"), ("content", "i8")])
_ROW: Final = struct.Struct("=16sqq")


class Verdict(Enum):
    """What a version is to the one that stands."""

    STANDS = "stands"
    OLDER = "older"
    REPEATED = "repeated"
    CONFLICT = "conflict"


@dataclass(frozen=True)
class Version:
    """
    A thing as one export shows it.

    Args:
        name: of the thing, unique in its source.
        at: when the sender last changed it.
        content: all that it says; two of one time that differ contradict each other.
    """

    name: str
    at: datetime
    content: bytes

    @property
    def key(self) -> Key:
        """Name it as counters are named."""
        return digest("version", self.name)[:32], 0

    @property
    def reading(self) -> Reading:
        """Give its time and content as a reading of a counter."""
        time_ns = (self.at - _EPOCH) // timedelta(microseconds=1) * 1000
        return Reading(min(time_ns, _LATEST_NS), 0.0, int(digest(self.content)[:15], 16))


def memory_of(context: Context) -> Memory:
    """Give what the source has read before; a fresh memory where nobody keeps one."""
    known = context.known.get("counters")
    return known if isinstance(known, Memory) else Memory()


@dataclass
class Delivery:
    """
    The newest version of each thing in a delivery, found before its files are read, and which of them have been read.

    Most things come once, of which nothing has to be known: versions are noted in 32 bytes each, and looked through for
    things that come again when the first is judged.
    """

    _noted: bytearray = field(default_factory=bytearray)
    _newest: dict[bytes, tuple[int, int]] = field(default_factory=dict)
    _read: set[bytes] = field(default_factory=set)

    def add(self, versions: Iterable[Version]) -> None:
        """Note versions, before any is judged; of those of one time the first counts."""
        for version in versions:
            reading = version.reading
            self._noted += _ROW.pack(bytes.fromhex(version.key[0]), reading.time_ns, reading.count)

    def judge(self, memory: Memory, version: Version) -> Verdict:
        """Compare a version with the others of its delivery, then with the one that stands; see `judge`."""
        self._settle()
        name, reading = bytes.fromhex(version.key[0]), version.reading
        newest = self._newest.get(name)
        if newest is None:
            return judge(memory, version)
        time_ns, content = newest
        if reading.time_ns < time_ns:
            return Verdict.OLDER
        if reading.count != content:
            return Verdict.CONFLICT
        if name in self._read:
            return Verdict.REPEATED
        self._read.add(name)
        return judge(memory, version)

    def _settle(self) -> None:
        """Find the newest version of each thing that was noted more than once."""
        if not self._noted:
            return
        noted = np.frombuffer(bytes(self._noted), dtype=_NOTED)
        self._noted.clear()
        order = np.argsort(noted["name"], kind="stable")
        same = noted["name"][order[1:]] == noted["name"][order[:-1]]
        again = np.zeros(len(noted), dtype=bool)
        again[order[1:][same]] = again[order[:-1][same]] = True
        for name, time_ns, content in noted[again].tolist():
            full = name.ljust(16, b"\0")  # numpy cuts zeros off the end
            newest = self._newest.get(full)
            if newest is None or time_ns > newest[0]:
                self._newest[full] = time_ns, content


def judge(memory: Memory, version: Version) -> Verdict:
    """
    Compare a version with the one that stands, and let it stand if it is not older.

    >>> memory, at = Memory(), datetime(2026, 10, 1, tzinfo=UTC)
    >>> [judge(memory, Version("a", at, text)).value for text in (b"x", b"x", b"y")]
    ['stands', 'stands', 'conflict']
    >>> later = at + timedelta(seconds=1)
    >>> [judge(memory, Version("a", moment, b"y")).value for moment in (later, at)]
    ['stands', 'older']
    """
    standing, reading = memory.latest(version.key), version.reading
    if standing is not None and reading.time_ns < standing.time_ns:
        return Verdict.OLDER
    if standing is not None and reading.time_ns == standing.time_ns:
        return Verdict.STANDS if reading.count == standing.count else Verdict.CONFLICT
    memory.remember(version.key, reading)
    return Verdict.STANDS
