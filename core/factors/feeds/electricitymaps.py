"""Electricity Maps v3: latest, history, past range and forecast of average, consumption-based intensity."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from core.factors.feeds.slot import FeedError, Slot, field_of, from_json, items_of, number_of, steps, time_of

LENGTHS: Final = {
    "5_minutes": timedelta(minutes=5),
    "15_minutes": timedelta(minutes=15),
    "hourly": timedelta(hours=1),
    "daily": timedelta(days=1),
}


def read(body: bytes) -> list[Slot]:
    """Read an answer of any of the four calls; slots without a value are left out. Raises FeedError."""
    answer = from_json(body)
    if not isinstance(answer, dict):
        raise FeedError("the answer is no object")
    if "forecast" in answer:
        return _forecast(answer)
    for name in ("history", "data"):
        if name in answer:
            return [slot for item in items_of(answer, name) if (slot := _slot(item, answer)) is not None]
    slot = _slot(answer, answer)
    return [] if slot is None else [slot]


def _slot(item: Any, answer: dict[str, Any]) -> Slot | None:
    value = number_of(field_of(item, "carbonIntensity"))
    if value is None:
        return None
    start = time_of(field_of(item, "datetime"))
    granularity = str(item.get("temporalGranularity") or "hourly")
    if granularity not in LENGTHS:
        raise FeedError(f"the granularity {granularity!r} is not known")
    return Slot(
        zone=_zone(item, answer),
        start=start,
        end=start + LENGTHS[granularity],
        g_per_kwh=value,
        kind="estimated" if item.get("isEstimated") else "measured",
        signal="average",
        boundary=item.get("emissionFactorType"),
        gas_basis="CO2e",
        revision=str(item.get("updatedAt") or ""),
    )


def _forecast(answer: dict[str, Any]) -> list[Slot]:
    points = items_of(answer, "forecast")
    starts = [time_of(field_of(point, "datetime")) for point in points]
    return [
        Slot(
            zone=_zone(point, answer),
            start=start,
            end=start + length,
            g_per_kwh=value,
            kind="forecast",
            signal="average",
            gas_basis="CO2e",
            revision=str(answer.get("updatedAt") or ""),
        )
        for point, start, length in zip(points, starts, steps(starts), strict=True)
        if (value := number_of(field_of(point, "carbonIntensity"))) is not None
    ]


def _zone(item: dict[str, Any], answer: dict[str, Any]) -> str:
    """Name the zone; without one the service has answered for the caller's own place, which is nobody's factor."""
    zone = item.get("zone") or answer.get("zone") or answer.get("zoneKey")
    if not zone:
        raise FeedError("the answer names no zone: it may be that of the caller's own place")
    return str(zone)
