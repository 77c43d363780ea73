"""
What contractual instruments make of the rates of their markets (methodology 3.3).

Pools come first, each with the instruments that are assigned to it; what they leave uncovered shares the instruments of the
whole market with everybody else, pro rata. What nothing covers keeps its own residual mix, so a contract for one country does
not change what the grid of another weighs.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from core.quantification import units
from core.quantification.bounds import gsd_interval
from core.quantification.instruments import Coverage, Instrument, cover_consumption, refusals

Interval = tuple[float, float, float]
"""Value, low, high. [g CO2e/kWh]"""

WHOLE_MARKET: Final = "own"
"""The pool of all own electricity that no other pool holds."""


UNCOVERED: Final = ""
"""The pool of what no instrument may cover: its rate is the one without instruments."""


@dataclass(frozen=True)
class Rates:
    """
    The rates of a view, with and without instruments.

    Args:
        known: by key, pool and year.
    """

    known: Mapping[tuple[str, str, int], Interval]

    def of(self, key: str, pool: str, year: int) -> Interval | None:
        """Return the rate of a pool, else the one without instruments; None where neither is known."""
        return self.known.get((key, pool, year), self.known.get((key, UNCOVERED, year)))

    def cover(self, key: str, pool: str, year: int) -> bool:
        """Tell whether instruments have made a rate for a pool."""
        return pool != UNCOVERED and (key, pool, year) in self.known

    @property
    def pools(self) -> frozenset[str]:
        """Return the pools that instruments have made rates for."""
        return frozenset(pool for _, pool, _ in self.known if pool != UNCOVERED)


@dataclass(frozen=True)
class Consumed:
    """
    Own electricity of one year that weighs the same without instruments.

    Args:
        key: of the rate without instruments, such as ``residual:DE``.
        market: that it may be covered in; None where its place is not known well enough.
        pool: ``WHOLE_MARKET``, or the name of an assigned pool.
        kwh, location_kg: at the facility.
        rate: without instruments.
    """

    key: str
    market: str | None
    pool: str
    kwh: float
    location_kg: float
    rate: Interval


@dataclass(frozen=True)
class Assigned:
    """An instrument and the pool that it is for."""

    instrument: Instrument
    pool: str = WHOLE_MARKET


@dataclass(frozen=True)
class Part:
    """The share of a rate that comes from one instrument."""

    instrument: str
    share: float


@dataclass(frozen=True)
class CoveredRate:
    """
    The rate of one key and pool after instruments.

    Args:
        kwh, covered_kwh: of that key and pool. [kWh]
        parts: what instruments contribute, in the order in which they were used; their shares and that of the rate without
            instruments make 1.
    """

    key: str
    market: str
    pool: str
    rate: Interval
    kwh: float
    covered_kwh: float
    parts: tuple[Part, ...]


@dataclass(frozen=True)
class MarketCoverage:
    """
    One market and year.

    Args:
        pools: pool to what `cover_consumption` says of it; that of ``WHOLE_MARKET`` includes what the others left uncovered.
        market_kg: of all own electricity in the market.
        rates: of every key and pool.
    """

    market: str
    consumption_kwh: float
    covered_kwh: float
    location_kg: float
    market_kg: float
    pools: dict[str, Coverage]
    rates: tuple[CoveredRate, ...]

    @property
    def used_kwh(self) -> dict[str, float]:
        """Return what was taken of each instrument."""
        return {name: kwh for coverage in self.pools.values() for name, kwh in coverage.used}


def cover_markets(
    consumed: Sequence[Consumed], assigned: Sequence[Assigned], *, year: int, supplier_gsd: float
) -> list[MarketCoverage]:
    """
    Cover a year's own electricity market by market; electricity without a known market is left out.

    Args:
        consumed: one entry for each market, pool and key.
        assigned: every instrument; those of other markets and years are refused or left alone.
        supplier_gsd: spread of a supplier's rate; certificates and contracts convey theirs without one (9.2).
    """
    ordered = sorted(assigned, key=lambda each: each.instrument.id)
    markets = sorted({each.market for each in consumed if each.market is not None})
    return [
        _cover(
            market,
            [each for each in consumed if each.market == market],
            [each for each in ordered if each.instrument.market == market],
            year,
            supplier_gsd,
        )
        for market in markets
    ]


def _cover(
    market: str, consumed: list[Consumed], assigned: list[Assigned], year: int, supplier_gsd: float
) -> MarketCoverage:
    intensity = {each.instrument.id: _intensity(each.instrument, supplier_gsd) for each in assigned}
    pools = sorted({each.pool for each in consumed} - {WHOLE_MARKET})
    coverages: dict[str, Coverage] = {}
    left = {each: each.kwh for each in consumed}
    for pool in [*pools, WHOLE_MARKET]:
        inside = [each for each in consumed if pool in (WHOLE_MARKET, each.pool)]
        own = [each.instrument for each in assigned if each.pool == pool]
        coverages[pool] = _cover_pool({each: left[each] for each in inside}, own, market, year)
        if pool != WHOLE_MARKET:
            uncovered = 1.0 - _share(coverages[pool])
            left |= {each: left[each] * uncovered for each in inside}
    rates = tuple(_rate(each, market, coverages, intensity) for each in consumed)
    return MarketCoverage(
        market=market,
        consumption_kwh=math.fsum(each.kwh for each in consumed),
        covered_kwh=math.fsum(coverage.covered_kwh for coverage in coverages.values()),
        location_kg=math.fsum(each.location_kg for each in consumed),
        market_kg=math.fsum(each.kwh * each.rate[0] for each in rates) / units.G_PER_KG,
        pools=coverages,
        rates=rates,
    )


def _cover_pool(left: dict[Consumed, float], instruments: list[Instrument], market: str, year: int) -> Coverage:
    """Cover what is left of a pool; its residual mix is the mean of its keys, weighted by their kWh."""
    kwh = math.fsum(left.values())
    residual_g = math.fsum(each.rate[0] * amount for each, amount in left.items()) / kwh if kwh else 0.0
    location_g = math.fsum(each.location_kg / each.kwh * amount for each, amount in left.items() if each.kwh)
    return cover_consumption(
        kwh,
        instruments if kwh > 0.0 else [],
        location_kg_per_kwh=location_g / kwh if kwh else 0.0,
        residual_kg_per_kwh=residual_g / units.G_PER_KG,
        market=market,
        reporting_year=year,
    )


def _share(coverage: Coverage) -> float:
    whole = coverage.covered_kwh + coverage.uncovered_kwh
    return coverage.covered_kwh / whole if whole > 0.0 else 0.0


def _intensity(instrument: Instrument, supplier_gsd: float) -> Interval:
    value = instrument.intensity_kg_per_kwh * units.G_PER_KG
    if instrument.type != "supplier_rate" or value == 0.0:
        return value, value, value
    return (value, *gsd_interval(value, supplier_gsd))


def _rate(
    consumed: Consumed, market: str, coverages: dict[str, Coverage], intensity: dict[str, Interval]
) -> CoveredRate:
    """Add the terms of one rate up, values, lows and highs each for themselves (9.3): instruments, then the residual mix."""
    parts: list[Part] = []
    rest = 1.0
    for pool in [each for each in (consumed.pool, WHOLE_MARKET) if each in coverages]:
        coverage = coverages[pool]
        whole = coverage.covered_kwh + coverage.uncovered_kwh
        if whole > 0.0:
            parts += [Part(name, rest * kwh / whole) for name, kwh in coverage.used if kwh]
            rest *= coverage.uncovered_kwh / whole
        if pool == WHOLE_MARKET:
            break
    value, low, high = (
        math.fsum([*(part.share * intensity[part.instrument][side] for part in parts), rest * consumed.rate[side]])
        for side in range(3)
    )
    return CoveredRate(
        key=consumed.key,
        market=market,
        pool=consumed.pool,
        rate=(value, low, high),
        kwh=consumed.kwh,
        covered_kwh=consumed.kwh * (1.0 - rest),
        parts=tuple(parts),
    )


def refused_because(assigned: Assigned, places: Iterable[tuple[str, str, int]]) -> tuple[str, ...]:
    """
    Say why an instrument counts for nothing that an organization has consumed.

    Args:
        places: market, pool and year of all own electricity.

    Returns:
        ``not_retired``, ``market``, ``vintage``, in this order, and ``pool`` where nothing was consumed in its pool; of
        market and vintage only what no consumption fits. Empty: it counts.
    """
    instrument, found = assigned.instrument, list(places)
    reasons = list(refusals(replace(instrument, market=None), None, None))
    in_market = [each for each in found if each[0] == instrument.market]
    in_year = [each for each in in_market if each[2] == instrument.vintage_year]
    if not in_market:
        reasons.append("market")
    elif not in_year:
        reasons.append("vintage")
    elif assigned.pool != WHOLE_MARKET and not any(each[1] == assigned.pool for each in in_year):
        reasons.append("pool")
    return tuple(reasons)
