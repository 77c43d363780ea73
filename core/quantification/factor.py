"""A chosen factor: a number with unit, interval, source, date, and how well it matched the use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from core.quantification.bounds import gsd_interval

MATCHES: Final = ("exact", "region", "country", "world", "provider", "default", "override")
"""How a factor fits its use, from this very thing down to a named default."""

NAMES: Final = (
    "grid_location",
    "grid_market",
    "grid_upstream",
    "grid_losses",
    "pue",
    "wue",
    "grid_water",
    "host_factor",
    "device_power",
    "instance_power",
    "token_energy",
    "mfu",
    "seat",
    "spend",
    "reported",
    "embodied",
    "primary_energy",
    "adpe",
)


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """
    Hold one coefficient and where it comes from.

    Attributes:
        id: the row it was read from: ``<file>:<key>``, ``methodology:<setting>`` or ``override:<name>``.
        name: one of ``NAMES``; spreads and lifetimes have names of their own.
        value, low, high: median and 95 % interval, in ``unit``.
        valid_from: first day of the year the publication is about, ISO 8601; None for overrides and constants.
        match: one of ``MATCHES``.
        detail: what else a reader should see (year, age_years, boundary, zone, ...).
    """

    id: str
    name: str
    value: float
    low: float
    high: float
    unit: str
    source: str
    valid_from: str | None
    match: str
    detail: Mapping[str, str | int | float | bool] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return the entry that `quantify` prints (contracts.md section 5), details behind the promised keys."""
        return {
            "id": self.id,
            "name": self.name,
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "unit": self.unit,
            "source": self.source,
            "valid_from": self.valid_from,
            "match": self.match,
            **self.detail,
        }

    def fixed(self) -> Factor:
        """Return the same factor without width: for a coefficient whose uncertainty the method's spread holds."""
        return replace(self, low=self.value, high=self.value)


def with_gsd(
    *,
    factor_id: str,
    name: str,
    value: float,
    gsd: float,
    unit: str,
    source: str,
    valid_from: str | None,
    match: str,
    detail: Mapping[str, str | int | float | bool] | None = None,
) -> Factor:
    """Make a factor whose interval follows from a geometric standard deviation (methodology 9.2)."""
    low, high = gsd_interval(value, gsd)
    return Factor(factor_id, name, value, low, high, unit, source, valid_from, match, detail or {})


def spread(name: str, gsd: float, source: str) -> Factor:
    """Make the factor 1 whose interval is the spread of a whole method, so that a product shows it as an input."""
    return with_gsd(
        factor_id=f"methodology:{name}",
        name=name,
        value=1.0,
        gsd=gsd,
        unit="1",
        source=source,
        valid_from=None,
        match="default",
        detail={"gsd": gsd},
    )
