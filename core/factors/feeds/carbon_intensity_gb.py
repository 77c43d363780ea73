"""The Carbon Intensity API of Great Britain: half hours of combustion CO2, national and by region."""

from __future__ import annotations

from typing import Any

from core.factors.feeds.slot import FeedError, Slot, field_of, from_json, items_of, number_of, time_of


def read(body: bytes) -> list[Slot]:
    """Read national or regional half hours: the actual value where it is there, else the forecast. Raises FeedError."""
    slots: list[Slot] = []
    found = field_of(from_json(body), "data")
    for item in found if isinstance(found, list) else [found]:  # a postcode or region may answer one object
        if isinstance(item, dict) and "regionid" in item:
            slots += [_slot(part, f"GB-{item['regionid']}") for part in items_of(item, "data")]
        else:
            slots.append(_slot(item, "GB"))
    return slots


def _slot(item: Any, zone: str) -> Slot:
    intensity = field_of(item, "intensity")
    actual = number_of(intensity.get("actual")) if isinstance(intensity, dict) else None
    value = number_of(field_of(intensity, "forecast")) if actual is None else actual
    if value is None:
        raise FeedError("a half hour has neither an actual value nor a forecast")
    return Slot(
        zone=zone,
        start=time_of(field_of(item, "from")),
        end=time_of(field_of(item, "to")),
        g_per_kwh=value,
        kind="forecast" if actual is None else "measured",
        signal="average",
        boundary="direct",
        gas_basis="CO2",
    )
