"""
Market-based emissions without instruments: a rate per market and year, joined on read (methodology 3.3).

What instruments make of these rates is in `core.quantification.market_coverage`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd

from core.quantification import units
from core.quantification.entries import Place, number
from core.quantification.factor import Factor, with_gsd
from core.quantification.methods import Methodology
from core.quantification.operational import GRID_UNIT, Grid, nearest_year, stated_metric
from core.quantification.pack import FILE, FactorPack, Row
from core.quantification.resolve import catalog_of
from core.quantification.terms import Quantity


@dataclass(frozen=True)
class Market:
    """
    The market-based rate of a use, to be joined on read.

    Attributes:
        key: market and basis, such as ``residual:AU`` or ``provider:aws:eu-north-1``; together with the year of use
            it names one rate.
        rate: g CO2e per facility kWh with its interval; None where there is no factor at all.
    """

    key: str
    rate: Factor | None
    notes: tuple[str, ...] = ()


HOURLY: Final = ":hourly:"
"""Stands in the key of a rate that equals the location factor of a grid hour by hour."""


def follows_hours(key: str | None) -> bool:
    """
    Tell whether a market's figures follow the grid hour by hour, since no market factor is known.

    >>> follows_hours("location:DE:exact:hourly:series:DE:2026-Q3:1f2e"), follows_hours("residual:AU")
    (True, False)
    """
    return key is not None and HOURLY in key


@lru_cache(maxsize=8)
def _residuals(pack: FactorPack) -> dict[str, dict[int, Row]]:
    found: dict[str, dict[int, Row]] = {}
    for row in pack.rows("grid_residual_mix"):
        # An empty intensity means that no residual mix is calculated (full disclosure), never 0.
        if row["preferred"] == "True" and number(row["g_per_kwh"]) is not None:
            found.setdefault(row["zone_id"], {})[int(row["year"])] = row
    return found


@lru_cache(maxsize=100_000)
def choose_market(
    pack: FactorPack,
    place: Place,
    hosting: str | None,
    provider: str | None,
    grid: Grid,
    year: int,
    method: Methodology,
) -> Market:
    """
    Choose a market-based rate where no instrument covers the use.

    The provider's stated factor of the region, else the residual mix of the zone or its country, else the location
    factor with note ``no_market_factor``.
    """
    gsd = method.gsd["market"]
    stated = stated_metric(pack, place, hosting, provider, "market_based_intensity", "grid_market", year, gsd)
    if stated is not None:
        return Market(f"provider:{place.cloud}:{place.region}", replace(stated, unit=GRID_UNIT))
    residuals = _residuals(pack)
    country = catalog_of(pack).country_of.get(grid.zone or "", "")
    for zone, match in ((grid.zone or "", grid.match), (country, "country")):
        if zone in residuals and grid.match != "world":
            years = residuals[zone]
            row = years[nearest_year(list(years), year)]
            return Market(f"residual:{zone}", _residual(row, match, year, gsd))
    if grid.location is None:
        return Market("none", None, ("no_market_factor",))
    rate = replace(grid.location, name="grid_market")
    return Market(f"location:{grid.zone}:{grid.match}", rate, ("no_market_factor",))


def _residual(row: Row, match: str, year: int, gsd: float) -> Factor:
    return with_gsd(
        factor_id=f"{row[FILE]}:{row['zone_id']}:{row['year']}",
        name="grid_market",
        value=float(row["g_per_kwh"]),
        gsd=gsd,
        unit=GRID_UNIT if row["gas_basis"] == "CO2e" else "g CO2/kWh",
        source=row["source"],
        valid_from=f"{row['year']}-01-01",
        match=match,
        detail={
            "zone": row["zone_id"],
            "year": int(row["year"]),
            "age_years": year - int(row["year"]),
            "boundary": row["boundary"],
            "gas_basis": row["gas_basis"],
        },
    )


def market_based_kg_co2e(facility_energy_kwh: Quantity, market_g_co2e_per_kwh: Quantity) -> Quantity:
    """
    Weigh electricity by what was contracted for it.

    Args:
        facility_energy_kwh: at the site meter, PUE included. [kWh]
        market_g_co2e_per_kwh: rate of the market and period. [g CO2e/kWh]

    Source: GHG Protocol Scope 2 Guidance (2015), market-based method.

    >>> market_based_kg_co2e(10.0, 50.0)
    0.5
    """
    return facility_energy_kwh * market_g_co2e_per_kwh / units.G_PER_KG


def join_market(energy: pd.DataFrame, rate: pd.DataFrame) -> pd.DataFrame:
    """
    Multiply facility energy by a market rate joined on read, intervals included.

    Args:
        energy: columns value, low, high: facility energy of rows or sums. [kWh]
        rate: same index and columns: market rate. [g CO2e/kWh]

    Returns:
        Same index, columns value, low, high. [kg CO2e] Exactly linear in the value; the half-widths combine as in
        methodology 9.3.
    """
    value = market_based_kg_co2e(energy["value"], rate["value"])
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.hypot(np.log(energy["value"] / energy["low"]), np.log(rate["value"] / rate["low"]))
        above = np.hypot(np.log(energy["high"] / energy["value"]), np.log(rate["high"] / rate["value"]))
    low = (value * np.exp(-below)).where(value > 0.0, value)
    high = (value * np.exp(above)).where(value > 0.0, value)
    return pd.DataFrame({"value": value, "low": low, "high": high})
