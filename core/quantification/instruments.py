"""Contracts for electricity: what they cover, in order, and how they meet the load by the hour (methodology 3.3, 3.4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

ORDER: Final = ("certificate", "contract", "supplier_rate")


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
    """
    Market-based emissions of one market and period, with what was covered and what was refused.

    Args:
        used: instrument and the kWh that were taken of it, in the order in which they were taken.
    """

    location_kg: float
    market_kg: float
    covered_kwh: float
    uncovered_kwh: float
    rejected: tuple[tuple[str, tuple[str, ...]], ...]
    used: tuple[tuple[str, float], ...] = ()


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
    used: list[tuple[str, float]] = []
    for instrument in sorted(instruments, key=lambda each: (ORDER.index(each.type), each.intensity_kg_per_kwh)):
        reasons = refusals(instrument, market, reporting_year)
        if reasons:
            rejected.append((instrument.id, reasons))
            continue
        taken = max(0.0, min(left, instrument.kwh))  # a consumption below 0, after corrections, takes nothing
        emitted.append(taken * instrument.intensity_kg_per_kwh)
        used.append((instrument.id, taken))
        left -= taken
    return Coverage(
        location_kg=consumption_kwh * location_kg_per_kwh,
        market_kg=math.fsum([*emitted, left * residual_kg_per_kwh]),
        covered_kwh=consumption_kwh - left,
        uncovered_kwh=left,
        rejected=tuple(rejected),
        used=tuple(used),
    )


def refusals(instrument: Instrument, market: str | None, reporting_year: int | None) -> tuple[str, ...]:
    """
    List why an instrument does not count for a market and year; none: it does.

    Source: GHG Protocol Scope 2 Guidance (2015), quality criteria.
    """
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
    assigned: Sequence[tuple[Sequence[float], Sequence[float]]] = (),
) -> HourlyMatch:
    """
    Match contracted carbon-free energy with load in each hour; what exceeds an hour's load earns nothing.

    Args:
        load_kwh: of all pools, per UTC hour. [kWh]
        contracted_kwh: for all of the load, per UTC hour. [kWh]
        assigned: load and contracted energy of each pool with contracts of its own. They serve this pool only, and before
            those for all; its load is part of `load_kwh`. [kWh]
        grid_cfe_fraction: carbon-free share of the grid. [0..1]
        grid_kg_per_kwh, residual_kg_per_kwh: intensities. [kg CO2e/kWh]

    Source: methodology 3.4; Google's carbon-free energy score (Patterson et al. 2021, appendix B).
    """
    load, contracted, grid_cfe, grid, residual = (
        np.asarray(series, dtype=float)
        for series in (load_kwh, contracted_kwh, grid_cfe_fraction, grid_kg_per_kwh, residual_kg_per_kwh)
    )
    pools = [(np.asarray(own, dtype=float), np.asarray(volumes, dtype=float)) for own, volumes in assigned]
    matched_in_pools = sum((np.minimum(own, volumes) for own, volumes in pools), np.zeros(len(load)))
    matched = matched_in_pools + np.minimum(load - matched_in_pools, contracted)
    unmatched = load - matched
    total, for_all = math.fsum(load), math.fsum(contracted)
    covered_in_pools = math.fsum(min(math.fsum(own), math.fsum(volumes)) for own, volumes in pools)
    covered = covered_in_pools + min(total - covered_in_pools, for_all)
    weighted_residual = math.fsum(load * residual) / total if total else 0.0
    return HourlyMatch(
        matched_kwh=math.fsum(matched),
        excess_kwh=math.fsum([for_all, *(math.fsum(volumes) for _, volumes in pools), -math.fsum(matched)]),
        cfe_score=math.fsum(matched + unmatched * grid_cfe) / total if total else math.nan,
        annual_match_ratio=min(1.0, covered / total) if total else math.nan,
        market_hourly_kg=math.fsum(unmatched * residual),
        market_annual_kg=max(0.0, total - covered) * weighted_residual,
        location_kg=math.fsum(load * grid),
    )
