"""Overrides: an organization's own factors, as `quantify` accepts them (contracts.md section 5)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from core.quantification.factor import Factor

UNITS: Final = {
    "grid_g_co2e_per_kwh": ("grid_location", "g CO2e/kWh"),
    "market_g_co2e_per_kwh": ("grid_market", "g CO2e/kWh"),
    "grid_loss_fraction": ("grid_losses", "1"),
    "pue": ("pue", "1"),
    "wue_l_per_kwh": ("wue", "L/kWh"),
    "grid_water_l_per_kwh": ("grid_water", "L/kWh"),
    "device_tdp_w": ("device_power", "W"),
    "device_idle_w": ("device_power", "W"),
    "embodied_kg_co2e": ("embodied", "kg CO2e"),
    "lifetime_h": ("lifetime", "h"),
    "model_active_params_b": ("token_energy", "10^9 parameters"),
    "model_total_params_b": ("token_energy", "10^9 parameters"),
    "seat_kg_co2e": ("seat", "kg CO2e/seat-month"),
    "seat_it_kwh": ("seat", "kWh/seat-month"),
    "spend_kg_co2e": ("spend", "kg CO2e/unit of currency"),
}
"""Override to the name of its factor and its unit."""

Overrides = Mapping[str, tuple[float, float, float]]
"""Override to (value, low, high)."""


class Override(NamedTuple):
    """
    A number that goes before the pack's, and who says so.

    Attributes:
        id: of the organization's own factor; empty: given with the record.
        valid_from: ISO 8601; None: no date of its own.
        match: one of ``factor.MATCHES``.
        detail: what else a reader should see, in order.
    """

    value: float
    low: float
    high: float
    id: str = ""
    source: str = "given with the record"
    valid_from: str | None = None
    match: str = "override"
    detail: tuple[tuple[str, str | int | float | bool], ...] = ()

    def as_list(self) -> list[object]:
        """Return the values in their order, as JSON takes them; no detail is left out."""
        values: list[object] = list(self[:-1])
        return [*values, [list(pair) for pair in self.detail]] if self.detail else values

    @classmethod
    def from_list(cls, values: Sequence[Any]) -> Override:
        """Read what `as_list` wrote."""
        known = len(cls._fields) - 1
        return cls(*values[:known])._replace(
            detail=tuple((name, each) for pairs in values[known:] for name, each in pairs)
        )


Given = tuple[tuple[str, Override], ...]
"""Overrides of one use, sorted by name."""

_MINIMUM: Final = {"pue": 1.0}
_POSITIVE: Final = frozenset({"device_tdp_w", "lifetime_h", "model_active_params_b", "model_total_params_b"})


class ImpossibleFactor(ValueError):  # said in the words of the product
    """An override that cannot be: unknown, not a number, outside its range, or an interval without its value."""

    def __init__(self, field: str, reason: str, detail: str) -> None:
        super().__init__(f"{field}: {detail}")
        self.field = field
        self.reason = reason


def parse_overrides(given: Mapping[str, object]) -> dict[str, tuple[float, float, float]]:
    """
    Read overrides, each a number or ``{"value", "low", "high"}``.

    Raises:
        ImpossibleFactor: naming the first that cannot be.

    >>> parse_overrides({"pue": 1.2, "grid_g_co2e_per_kwh": {"value": 400, "low": 380, "high": 420}})
    {'pue': (1.2, 1.2, 1.2), 'grid_g_co2e_per_kwh': (400.0, 380.0, 420.0)}
    """
    parsed = {}
    for name, raw in given.items():
        if raw is None and name in UNITS:
            continue
        parsed[name] = parse_override(name, raw)
    if ("embodied_kg_co2e" in parsed) != ("lifetime_h" in parsed):
        missing = "lifetime_h" if "embodied_kg_co2e" in parsed else "embodied_kg_co2e"
        raise ImpossibleFactor(missing, "missing", "embodied_kg_co2e and lifetime_h go together")
    idle, peak = parsed.get("device_idle_w"), parsed.get("device_tdp_w")
    if idle is not None and peak is not None and idle[0] > peak[0]:
        raise ImpossibleFactor("device_idle_w", "out_of_range", f"{idle[0]:g} W idle is above {peak[0]:g} W peak")
    return parsed


def parse_override(name: str, raw: object) -> tuple[float, float, float]:
    """Read one override as (value, low, high). Raises `ImpossibleFactor` where it cannot be."""
    if name not in UNITS:
        raise ImpossibleFactor(name, "unknown_factor", f"no such factor; known: {', '.join(UNITS)}")
    parts = raw if isinstance(raw, Mapping) else {"value": raw, "low": raw, "high": raw}
    if set(parts) != {"value", "low", "high"}:
        raise ImpossibleFactor(name, "bad_interval", "an interval has value, low and high")
    numbers = []
    for key in ("value", "low", "high"):
        number = parts[key]
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise ImpossibleFactor(name, "not_a_number", f"{key} is {number!r}")
        numbers.append(float(number))
    value, low, high = numbers
    if not low <= value <= high:
        raise ImpossibleFactor(name, "bad_interval", f"{value:g} lies outside {low:g} .. {high:g}")
    check_range(name, low)
    if name == "grid_loss_fraction" and high >= 1.0:
        raise ImpossibleFactor(name, "out_of_range", "losses are below 1")
    return value, low, high


def check_range(name: str, low: float) -> None:
    """Raise `ImpossibleFactor` where a number is below what its kind allows."""
    minimum = _MINIMUM.get(name, 0.0)
    if low < minimum or (name in _POSITIVE and low <= 0.0):
        least = f"at least {minimum:g}" if name not in _POSITIVE else "above 0"
        raise ImpossibleFactor(name, "out_of_range", f"{low:g} is not {least}")


def override_factor(name: str, overrides: Mapping[str, Override], *, as_name: str | None = None) -> Factor | None:
    """Return an override as a factor, None where it is not given; no width unless given as an interval."""
    given = overrides.get(name)
    if given is None:
        return None
    factor_name, unit = UNITS[name]
    return Factor(
        id=given.id or f"override:{name}",
        name=as_name or factor_name,
        value=given.value,
        low=given.low,
        high=given.high,
        unit=unit,
        source=given.source,
        valid_from=given.valid_from,
        match=given.match,
    )
