"""
Running totals: from the readings of a counter to what was used between them.

A counter is named by its series and, where the sender tells, by the time at which it began to count: a process that starts
anew is another counter, so readings that arrive late or out of order still find their own. Its latest reading is remembered
(`Memory`); the service keeps what was remembered in the transaction that writes the records, so that nothing is lost or
counted twice whatever is repeated, late or killed.

Source: OpenTelemetry metrics data model, "Temporality" and "Resets and gaps"; Prometheus `increase()` for unknown starts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

Key = tuple[str, int]
"""(series: 32 hex digits, when it began to count: nanoseconds since 1970, 0 for not known)"""


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What a counter showed.

    Args:
        time_ns: when. [ns since 1970]
        value: its total, in whatever unit it counts.
        count: how many observations make it up, of a histogram; else 0.
    """

    time_ns: int
    value: float
    count: int = 0


class Kind(Enum):
    """What a reading is to the ones before it."""

    USE = "use"
    FIRST = "first"
    REPEATED = "repeated"


@dataclass(frozen=True, slots=True)
class Step:
    """
    What a reading adds.

    Args:
        kind: `FIRST` only sets the line to count from, `REPEATED` lies behind what was counted already.
        start_ns: the use began here and ended with the reading. [ns since 1970]
        value, count: used in between.
    """

    kind: Kind
    start_ns: int = 0
    value: float = 0.0
    count: int = 0


REPEATED: Final = Step(Kind.REPEATED)
FIRST: Final = Step(Kind.FIRST)


def step(start_ns: int, latest: Reading | None, reading: Reading) -> Step:
    """
    Compare a reading with the latest one of its counter.

    A counter whose start is not known (or is the first reading itself) has counted nobody knows since when: its first reading
    counts nothing. A smaller value is a counter that began again from zero.

    >>> step(100, None, Reading(160, 7.0))
    Step(kind=<Kind.USE: 'use'>, start_ns=100, value=7.0, count=0)
    >>> step(100, Reading(160, 7.0), Reading(220, 9.0)).value, step(100, Reading(160, 7.0), Reading(220, 2.0)).value
    (2.0, 2.0)
    >>> step(0, None, Reading(160, 7.0)).kind, step(100, Reading(160, 7.0), Reading(160, 9.0)).kind
    (<Kind.FIRST: 'first'>, <Kind.REPEATED: 'repeated'>)
    """
    if latest is None:
        known = 0 < start_ns < reading.time_ns
        return Step(Kind.USE, start_ns, reading.value, reading.count) if known else FIRST
    if reading.time_ns <= latest.time_ns:
        return REPEATED
    if reading.value < latest.value or reading.count < latest.count:
        return Step(Kind.USE, latest.time_ns, reading.value, reading.count)
    return Step(Kind.USE, latest.time_ns, reading.value - latest.value, reading.count - latest.count)


class Memory:
    """
    The latest readings of a source's counters.

    Args:
        ask: looks readings up that are not in memory yet.
    """

    def __init__(self, ask: Callable[[Collection[Key]], Mapping[Key, Reading]] | None = None) -> None:
        self._ask = ask
        self._found: dict[Key, Reading | None] = {}
        self.changed: dict[Key, Reading] = {}

    def recall(self, keys: Iterable[Key]) -> None:
        """Look many counters up at once; those of one payload, before their readings are passed on."""
        missing = {key for key in keys if key not in self._found and key not in self.changed}
        if missing:
            found = self._ask(missing) if self._ask else {}
            self._found |= {key: found.get(key) for key in missing}

    def latest(self, key: Key) -> Reading | None:
        """Give the latest reading of a counter."""
        self.recall([key])
        return self.changed[key] if key in self.changed else self._found[key]

    def remember(self, key: Key, reading: Reading) -> None:
        """Take a reading for the latest, whatever it is to the one before."""
        self.changed[key] = reading
        self._found.pop(key, None)

    def look(self, key: Key, reading: Reading) -> Step:
        """Tell what a reading adds, without remembering it."""
        return step(key[1], self.latest(key), reading)

    def advance(self, key: Key, reading: Reading) -> Step:
        """Tell what a reading adds, and remember it as the latest unless it lies behind."""
        taken = self.look(key, reading)
        if taken.kind is not Kind.REPEATED:
            self.remember(key, reading)
        return taken
