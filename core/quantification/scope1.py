"""What a site itself emits: fuel that it burns and refrigerant that it loses (methodology 8.1, scope 1)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from core.quantification.factor import Factor, with_gsd
from core.quantification.pack import FILE, FactorPack, Row

GWP_SET: Final = "AR5"
"""Edition of the global warming potentials; an inventory names it, and mixes no two of them."""

FUEL_UNITS: Final = {"fuel_l": "L", "fuel_m3": "m3", "fuel_kg": "kg", "fuel_kwh": "kWh"}
"""Columns of a fuel's quantity in the register, one of which an entry fills, and their units; kWh are gross calorific."""

FUEL_GSD: Final = 1.05
"""Spread of a fuel's factor, judged: the carbon of oil products and gas varies by a few percent."""

GWP_GSD: Final = 1.2
"""Spread of a GWP-100, judged: IPCC AR5, section 8.7.1.4, speaks of a third and more for gases that live for decades."""


def fuel_kg_co2e(quantity: float, kg_co2e_per_unit: float) -> float:
    """
    Weigh burnt fuel by what a unit of it emits.

    Args:
        quantity: in the unit of the factor: L, m3, kg, or kWh of gross calorific value.
        kg_co2e_per_unit: direct emissions with CH4 and N2O; biogenic CO2 is outside the scopes. [kg CO2e/unit]

    Source: GHG Protocol Corporate Standard (2004), stationary combustion.

    >>> fuel_kg_co2e(1000.0, 2.66155)
    2661.55
    """
    return quantity * kg_co2e_per_unit


def refrigerant_kg_co2e(gas_kg: float, gwp100: float) -> float:
    """
    Weigh lost gas by its global warming potential: what is topped up is what has leaked.

    Args:
        gas_kg: filled in to replace losses, not the first charge. [kg]
        gwp100: of the gas, over a hundred years. [kg CO2e/kg]

    Source: GHG Protocol Corporate Standard (2004), fugitive emissions.

    >>> refrigerant_kg_co2e(2.5, 1300.0)
    3250.0
    """
    return gas_kg * gwp100


@dataclass(frozen=True)
class Fuel:
    """A fuel in one unit, with its factor [kg CO2e/unit] and the energy carrier that an inventory lists it under."""

    name: str
    label: str
    unit: str
    carrier: str
    factor: Factor


@dataclass(frozen=True)
class Gas:
    """A gas or blend, with its GWP-100 [kg CO2e/kg]."""

    name: str
    factor: Factor


@lru_cache(maxsize=8)
def fuels(pack: FactorPack) -> dict[tuple[str, str], Fuel]:
    """Index the fuels that the tables know by name and unit; the newest edition of each."""
    found: dict[tuple[str, str], Fuel] = {}
    for row in sorted(_usable(pack, "fuels"), key=lambda row: int(row["source_year"])):
        factor = with_gsd(
            factor_id=f"{row[FILE]}:{row['fuel']}:{row['fuel_unit']}",
            name="fuel",
            value=float(row["kg_co2e_per_unit"]),
            gsd=FUEL_GSD,
            unit=row["unit"],
            source=row["source"],
            valid_from=f"{row['source_year']}-01-01",
            match="default",
            detail={"fuel": row["name"], "gwp_set": row["gwp_set"], "year": int(row["source_year"])},
        )
        name, unit = row["fuel"], row["fuel_unit"]
        found[name, unit] = Fuel(name, row["name"], unit, row["carrier"], factor)
    return found


@lru_cache(maxsize=32)
def gases(pack: FactorPack, gwp_set: str = GWP_SET) -> dict[str, Gas]:
    """
    Index gases by every name that the tables give them, in capitals; a blend's potential is the mean by mass of its parts.

    A blend with a part that the edition does not list is left out: nothing is guessed.
    """
    found: dict[str, Gas] = {}
    pure: dict[str, Gas] = {}
    for row in _usable(pack, "refrigerants"):
        if row["gwp_set"] == gwp_set:
            gas = Gas(row["gas"], _gwp(row["gas"], float(row["gwp100"]), f"{row[FILE]}:{row['gas']}", row, gwp_set))
            pure[gas.name] = gas
            found |= {name.upper(): gas for name in (gas.name, *row["aliases"].split("|")) if name}
    blends: dict[str, list[Row]] = {}
    for row in _usable(pack, "refrigerant_blends"):
        blends.setdefault(row["gas"], []).append(row)
    for name, parts in blends.items():
        if all(row["component"] in pure for row in parts):
            gwp = math.fsum(float(row["mass_share"]) * pure[row["component"]].factor.value for row in parts)
            of_part = pure[parts[0]["component"]].factor
            row = {**parts[0], "source": f"{of_part.source}; {parts[0]['source']}"}
            factor = _gwp(name, gwp, f"{row[FILE]}:{name}:{gwp_set}", row, gwp_set)
            found[name.upper()] = Gas(name, factor)
    return found


def _gwp(name: str, value: float, factor_id: str, row: Row, gwp_set: str) -> Factor:
    return with_gsd(
        factor_id=factor_id,
        name="refrigerant",
        value=value,
        gsd=GWP_GSD,
        unit="kg CO2e/kg",
        source=row["source"],
        valid_from=f"{row['source_year']}-01-01",
        match="exact",
        detail={"gas": name, "gwp_set": gwp_set},
    )


def _usable(pack: FactorPack, table: str) -> list[Row]:
    return [row for row in pack.rows(table) if row["verification"] != "unverified"]
