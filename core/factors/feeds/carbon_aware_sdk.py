"""The web API of the Carbon Aware SDK 1.8: emissions by location, and current forecasts."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

from core.factors.feeds.slot import FeedError, Slot, field_of, from_json, items_of, number_of, time_of


def read(body: bytes) -> list[Slot]:
    """
    Read either answer; an empty one (204) has no slots. Raises FeedError.

    Average or marginal depends on the data source of the host that answered, and the answer does not say which.
    """
    if not body.strip():
        return []
    answer = from_json(body)
    if not isinstance(answer, list):
        field_of(answer, "location")  # a problem document says why
        answer = [answer]
    slots: list[Slot] = []
    for item in answer:
        if isinstance(item, dict) and "forecastData" in item:
            made = str(item.get("generatedAt") or "")
            slots += [_slot(point, "timestamp", "value", "forecast", made) for point in items_of(item, "forecastData")]
        else:
            slots.append(_slot(item, "time", "rating", "measured", ""))
    return slots


def _slot(item: Any, time: str, value: str, kind: str, revision: str) -> Slot:
    start = time_of(field_of(item, time))
    number = number_of(field_of(item, value))
    if number is None:
        raise FeedError(f"a slot has no {value!r}")
    end = start + _length(field_of(item, "duration"))
    return Slot(str(field_of(item, "location")), start, end, number, kind, revision=revision)


def _length(value: Any) -> timedelta:
    """
    Read a length: minutes, or text `[d.]hh:mm:ss`.

    >>> _length(60) == _length("01:00:00")
    True
    """
    if isinstance(value, int | float) and not isinstance(value, bool) and value > 0:
        return timedelta(minutes=value)
    found = re.fullmatch(r"(?:(\d+)\.)?(\d{1,2}):(\d\d):(\d\d)", str(value))
    if not found:
        raise FeedError(f"{str(value)[:40]!r} is no length of a slot")
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
