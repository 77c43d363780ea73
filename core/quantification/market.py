"""Market-based emissions: what was contracted, in order, and the residual mix for the rest (methodology 3.3, 3.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
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

ORDER: Final = ("certificate", "contract", "supplier_rate")


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
    value = energy["value"] * rate["value"] / units.G_PER_KG
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.hypot(np.log(energy["value"] / energy["low"]), np.log(rate["value"] / rate["low"]))
        above = np.hypot(np.log(energy["high"] / energy["value"]), np.log(rate["high"] / rate["value"]))
    low = (value * np.exp(-below)).where(value > 0.0, value)
    high = (value * np.exp(above)).where(value > 0.0, value)
    return pd.DataFrame({"value": value, "low": low, "high": high})


@dataclass(frozen=True)
class Instrument:
    """A contractual instrument: what it covers, how clean, and whether it may be claimed."""

    id: str
    type: str
    kwh: float
    intensity_kg_per_kwh: float
    market: str | None = None
    vintage_year: int | None = None
    retired: bool = True


@dataclass(frozen=True)
class Coverage:
    """Market-based emissions of one market and period, with what was covered and what was refused."""

    location_kg: float
    market_kg: float
    covered_kwh: float
    uncovered_kwh: float
    rejected: tuple[tuple[str, tuple[str, ...]], ...]


def cover_consumption(
    consumption_kwh: float,
    instruments: Sequence[Instrument],
    *,
    location_kg_per_kwh: float,
    residual_kg_per_kwh: float,
    market: str | None = None,
    reporting_year: int | None = None,
) -> Coverage:
    """
    Cover a consumption with instruments, certificates first and the cleanest first within a type.

    Never covers more than the consumption; excess moves nowhere. An absent market or vintage passes.

    Source: GHG Protocol Scope 2 Guidance (2015), quality criteria and hierarchy; methodology 3.3.
    """
    left = consumption_kwh
    emitted: list[float] = []
    rejected: list[tuple[str, tuple[str, ...]]] = []
    for instrument in sorted(instruments, key=lambda each: (ORDER.index(each.type), each.intensity_kg_per_kwh)):
        reasons = _refusals(instrument, market, reporting_year)
        if reasons:
            rejected.append((instrument.id, reasons))
            continue
        taken = min(left, instrument.kwh)
        emitted.append(taken * instrument.intensity_kg_per_kwh)
        left -= taken
    return Coverage(
        location_kg=consumption_kwh * location_kg_per_kwh,
        market_kg=math.fsum([*emitted, left * residual_kg_per_kwh]),
        covered_kwh=consumption_kwh - left,
        uncovered_kwh=left,
        rejected=tuple(rejected),
    )


def _refusals(instrument: Instrument, market: str | None, reporting_year: int | None) -> tuple[str, ...]:
    reasons = []
    if not instrument.retired:
        reasons.append("not_retired")
    if market is not None and instrument.market is not None and instrument.market != market:
        reasons.append("market")
    if reporting_year is not None and instrument.vintage_year is not None and instrument.vintage_year != reporting_year:
        reasons.append("vintage")
    return tuple(reasons)


def carbon_free_net_kg_per_kwh(grid_kg_per_kwh: float, carbon_free_share: float) -> float:
    """
    Reduce a grid's intensity by its carbon-free share: a market-type indicator for comparisons, never location-based.

    >>> round(carbon_free_net_kg_per_kwh(0.06, 0.88), 4)
    0.0072
    """
    return grid_kg_per_kwh * (1.0 - carbon_free_share)


@dataclass(frozen=True)
class HourlyMatch:
    """How contracted carbon-free energy meets a load hour by hour, and on the yearly sum."""

    matched_kwh: float
    excess_kwh: float
    cfe_score: float
    annual_match_ratio: float
    market_hourly_kg: float
    market_annual_kg: float
    location_kg: float


def match_hourly(
    *,
    load_kwh: Sequence[float],
    contracted_kwh: Sequence[float],
    grid_cfe_fraction: Sequence[float],
    grid_kg_per_kwh: Sequence[float],
    residual_kg_per_kwh: Sequence[float],
) -> HourlyMatch:
    """
    Match contracted carbon-free energy with load in each hour; what exceeds an hour's load earns nothing.

    Args:
        load_kwh, contracted_kwh: per UTC hour. [kWh]
        grid_cfe_fraction: carbon-free share of the grid. [0..1]
        grid_kg_per_kwh, residual_kg_per_kwh: intensities. [kg CO2e/kWh]

    Source: methodology 3.4; Google's carbon-free energy score (Patterson et al. 2021, appendix B).
    """
    load, contracted, grid_cfe, grid, residual = (
        np.asarray(series, dtype=float)
        for series in (load_kwh, contracted_kwh, grid_cfe_fraction, grid_kg_per_kwh, residual_kg_per_kwh)
    )
    matched = np.minimum(load, contracted)
    unmatched = load - matched
    total = math.fsum(load)
    weighted_residual = math.fsum(load * residual) / total if total else 0.0
    return HourlyMatch(
        matched_kwh=math.fsum(matched),
        excess_kwh=math.fsum(contracted - matched),
        cfe_score=math.fsum(matched + unmatched * grid_cfe) / total if total else math.nan,
        annual_match_ratio=min(1.0, math.fsum(contracted) / total) if total else math.nan,
        market_hourly_kg=math.fsum(unmatched * residual),
        market_annual_kg=max(0.0, total - math.fsum(contracted)) * weighted_residual,
        location_kg=math.fsum(load * grid),
    )
