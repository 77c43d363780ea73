"""WattTime v3: historical values and forecasts of marginal (MOER) and average (AOER) CO2, in lb/MWh."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from core.factors.feeds.slot import FeedError, Slot, field_of, from_json, items_of, number_of, time_of

KG_PER_LB: Final = 0.45359237
G_PER_KWH: Final = {"lbs_co2_per_mwh": KG_PER_LB}
"""Unit -> g/kWh: 1 lb/MWh = 0.45359237 kg/MWh = 0.45359237 g/kWh, exactly."""
SIGNALS: Final = {"co2_moer": "marginal", "co2_aoer": "average"}


def read(body: bytes) -> list[Slot]:
    """Read `/historical`, `/forecast` or `/forecast/historical`. Raises FeedError; a percentile is no intensity."""
    answer = from_json(body)
    meta = field_of(answer, "meta")
    unit, signal = str(field_of(meta, "units")), str(field_of(meta, "signal_type"))
    if unit not in G_PER_KWH or signal not in SIGNALS:
        raise FeedError(f"{signal} in {unit} is no carbon intensity that is known here")
    length = number_of(field_of(meta, "data_point_period_seconds"))
    if not length or length <= 0:
        raise FeedError("'data_point_period_seconds' is no length of a slot")
    slots: list[Slot] = []
    for item in items_of(answer, "data"):
        made = item.get("generated_at") if isinstance(item, dict) else None
        points = items_of(item, "forecast") if made else [item]
        slots += [_slot(point, meta, made or meta.get("generated_at"), timedelta(seconds=length)) for point in points]
    return slots


def _slot(point: Any, meta: dict[str, Any], made: str | None, length: timedelta) -> Slot:
    value = number_of(field_of(point, "value"))
    if value is None:
        raise FeedError("a point has no value")
    start = time_of(field_of(point, "point_time"))
    model = meta.get("model")
    return Slot(
        zone=str(field_of(meta, "region")),
        start=start,
        end=start + length,
        g_per_kwh=value * G_PER_KWH[meta["units"]],
        kind="forecast" if made else "estimated",
        signal=SIGNALS[meta["signal_type"]],
        gas_basis="CO2",
        revision=f"{(model or {}).get('date', '')}/{made or ''}",
    )
