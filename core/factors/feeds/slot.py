"""One value of carbon intensity over one interval, and what every reader of a feed shares."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any


class FeedError(ValueError):
    """An answer that cannot be read, or that is no carbon intensity; the message says what was found."""


@dataclass(frozen=True)
class Slot:
    """
    Carbon intensity of a place over a half-open interval.

    Args:
        zone: as the service names the place.
        start, end: UTC, half-open.
        g_per_kwh: of `gas_basis`, at the point that `signal` says. [g/kWh]
        kind: measured, estimated (to be replaced by a later answer) or forecast.
        signal: average or marginal; None where the answer does not say.
        boundary: lifecycle or direct (combustion only); None where the answer does not say.
        gas_basis: CO2e, or CO2 alone; None where the answer does not say.
        revision: what a restatement of the same slot changes (a model's date, the time of an update), "" for none.
    """

    zone: str
    start: datetime
    end: datetime
    g_per_kwh: float
    kind: str
    signal: str | None = None
    boundary: str | None = None
    gas_basis: str | None = None
    revision: str = ""


def from_json(body: bytes) -> Any:
    """Read a JSON answer. Raises FeedError."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FeedError(f"the answer is not JSON: {error}") from error


def field_of(item: Any, name: str) -> Any:
    """Give a field of a JSON object. Raises FeedError naming what is missing, or what the service said instead."""
    if isinstance(item, dict) and name in item:
        return item[name]
    said = item.get("error") or item.get("message") or item.get("title") if isinstance(item, dict) else None
    raise FeedError(f"the answer has no {name!r}" + (f": {said}" if said else ""))


def items_of(item: Any, name: str) -> list[Any]:
    """Give a field that must be a list. Raises FeedError."""
    found = field_of(item, name)
    if not isinstance(found, list):
        raise FeedError(f"{name!r} is no list")
    return found


def number_of(value: Any) -> float | None:
    """Give a finite number, None for null. Raises FeedError for anything else."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value - value != 0:
        raise FeedError(f"{str(value)[:40]!r} is no number")
    return float(value)


def time_of(value: Any) -> datetime:
    """Give a time in UTC; one without offset is UTC. Raises FeedError."""
    try:
        read = datetime.fromisoformat(str(value))
    except ValueError:
        raise FeedError(f"{str(value)[:40]!r} is no time") from None
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def steps(starts: Sequence[datetime]) -> list[timedelta]:
    """
    Give the length of each slot from its start and the next; the last is as long as the one before.

    Raises FeedError when times do not rise, or when there is one only.
    """
    lengths = [after - before for before, after in pairwise(starts)]
    if not lengths or min(lengths) <= timedelta(0):
        raise FeedError("the times of the slots do not rise, so their length is not known")
    return [*lengths, lengths[-1]]


def distinct(slots: Iterable[Slot]) -> list[Slot]:
    """Give slots in order of time, each once: an answer read twice says nothing new."""
    return sorted(set(slots), key=lambda slot: (slot.start, slot.zone, slot.kind, slot.revision))
