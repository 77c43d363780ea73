"""The columns of the figures: impacts in fixed integer units, beside the measures that they follow from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from core.quantification import units
from core.quantification.activity import MEASURE_COLUMNS

SUFFIXES: Final = ("", "_low", "_high")
SAMPLED: Final = "sampled"
"""Beside the shared widths of impacts: the relative variance of a total that is estimated from one kept record."""


@dataclass(frozen=True)
class Impact:
    """A result: its name outside (with the unit), its column in daily rows, and how many integers make one unit."""

    name: str
    column: str
    per_unit: int


ENERGY_IT: Final = Impact("energy_it_kwh", "energy_it_pkwh", units.PER_KWH)
ENERGY_FACILITY: Final = Impact("energy_facility_kwh", "energy_facility_pkwh", units.PER_KWH)
LOCATION: Final = Impact("location_kg_co2e", "location_nkg", units.PER_KG)
MARKET: Final = Impact("market_kg_co2e", "market_nkg", units.PER_KG)
UPSTREAM: Final = Impact("upstream_kg_co2e", "upstream_nkg", units.PER_KG)
EMBODIED: Final = Impact("embodied_kg_co2e", "embodied_nkg", units.PER_KG)
WATER: Final = Impact("water_l", "water_use_nl", units.PER_L)
PRIMARY_ENERGY: Final = Impact("primary_energy_mj", "primary_energy_nmj", units.PER_MJ)
ADPE: Final = Impact("adpe_kg_sbeq", "adpe_nkg", units.PER_KG)

IMPACTS: Final = (
    ENERGY_IT,
    ENERGY_FACILITY,
    LOCATION,
    MARKET,
    UPSTREAM,
    EMBODIED,
    WATER,
    PRIMARY_ENERGY,
    ADPE,
)
"""
Every impact. ``market_nkg`` is stored only where it is a fact of the row (a supplier's own figure, a spend) or equals the
location figure of a grid with hourly factors; it is null where it follows from the energy and the market's rate, which is joined
on read.
"""

IMPACT_COLUMNS: Final = tuple(impact.column + suffix for impact in IMPACTS for suffix in SUFFIXES)

FIGURES: Final = ("records", *MEASURE_COLUMNS, *IMPACT_COLUMNS)
"""What a daily or monthly row holds beside its key. All but ``records`` may be null: absent is never 0."""
