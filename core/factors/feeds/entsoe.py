"""
ENTSO-E transparency platform, document A75: generation by fuel, from which the intensity of production follows.

The answer holds megawatts, no emissions: factors by fuel are an argument. Consumption of a plant (pumping) is another
direction and is left out. Zones that publish only some of their plants understate; whether the load is covered is the
caller's to check.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from xml.etree import ElementTree  # entities are refused before it is parsed

from core.factors.feeds.slot import FeedError, Slot, time_of

NO_DATA: Final = "999"
LENGTHS: Final = {"PT15M": timedelta(minutes=15), "PT30M": timedelta(minutes=30), "PT60M": timedelta(hours=1)}
STEP: Final = timedelta(minutes=15)


@dataclass(frozen=True)
class Generation:
    """Mean power of one fuel in one zone over a slot. [MW]"""

    zone: str
    fuel: str
    start: datetime
    end: datetime
    mw: float


def read(body: bytes, g_per_kwh: Mapping[str, float]) -> list[Slot]:
    """
    Weigh the generation of each quarter of an hour by its fuels.

    Args:
        body: the answer; "no matching data" has no slots.
        g_per_kwh: fuel (B01 to B25) -> its emissions; a fuel without one stops the reading.

    Raises FeedError.
    """
    grams: dict[tuple[str, datetime], float] = {}
    power: dict[tuple[str, datetime], float] = {}
    for each in generation(body):
        if each.fuel not in g_per_kwh:
            raise FeedError(f"there is no factor for the fuel {each.fuel}")
        start = each.start
        while start < each.end:
            key = (each.zone, start)
            grams[key] = grams.get(key, 0.0) + each.mw * g_per_kwh[each.fuel]
            power[key] = power.get(key, 0.0) + each.mw
            start += STEP
    return [
        Slot(zone, start, start + STEP, grams[zone, start] / mw, "measured", "average")
        for (zone, start), mw in sorted(power.items())
        if mw > 0
    ]


def generation(body: bytes) -> list[Generation]:
    """Read the megawatts by fuel and slot; positions left out repeat the last value (curve type A03). Raises FeedError."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise FeedError("the document declares entities, which no answer of ENTSO-E does")
    try:
        root = ElementTree.fromstring(body)  # noqa: S314
    except ElementTree.ParseError as error:
        raise FeedError(f"the answer is no XML: {error}") from error
    if _name(root) == "Acknowledgement_MarketDocument":
        codes = [each.text for each in root.iter() if _name(each) == "code"]
        if NO_DATA in codes:
            return []
        raise FeedError("; ".join(each.text or "" for each in root.iter() if _name(each) == "text") or "refused")
    if _name(root) != "GL_MarketDocument":
        raise FeedError(f"{_name(root)} is no document of generation")
    return [each for series in root if _name(series) == "TimeSeries" for each in _series(series)]


def _series(series: ElementTree.Element) -> Iterator[Generation]:
    zone = _text(series, "inBiddingZone_Domain.mRID")
    if zone is None:  # outBiddingZone_Domain: what the plants of this fuel took in
        return
    unit, fuel = _text(series, "quantity_Measure_Unit.name"), _text(series, "psrType")
    if unit != "MAW" or fuel is None:
        raise FeedError(f"a series has the unit {unit!r} and the fuel {fuel!r}")
    repeats = _text(series, "curveType") == "A03"
    for period in (each for each in series if _name(each) == "Period"):
        start, end = time_of(_text(period, "start")), time_of(_text(period, "end"))
        length = LENGTHS.get(_text(period, "resolution") or "")
        if length is None:
            raise FeedError(f"the resolution {_text(period, 'resolution')!r} is not known")
        points = {
            int(_text(point, "position") or 0): float(_text(point, "quantity") or 0)
            for point in period
            if _name(point) == "Point"
        }
        value: float | None = None
        for position in range(1, (end - start) // length + 1):
            value = points.get(position, value if repeats else None)
            if value is not None:
                at = start + (position - 1) * length
                yield Generation(zone, fuel, at, at + length, value)


def _name(element: ElementTree.Element) -> str:
    return re.sub(r"^\{.*\}", "", element.tag)


def _text(element: ElementTree.Element, name: str) -> str | None:
    return next((each.text for each in element.iter() if _name(each) == name), None)
