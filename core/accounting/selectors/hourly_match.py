"""24/7: how contracted carbon-free electricity meets the own load hour by hour, computed on read (methodology 3.4)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from core.accounting.models import View
from core.accounting.pools import OWN_HOSTINGS, pools_of
from core.accounting.rows import hour_cells
from core.accounting.selectors.market import market_of_key
from core.accounting.selectors.on_read import derived_on_read
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.views import current_view
from core.catalog.selectors import sites_not_controlled
from core.factors.instrument_selectors import Held, held_instruments, markets_of, volumes_by_hour
from core.factors.selectors import pack_of
from core.organizations.tenancy import organization_scope
from core.quantification import units
from core.quantification.instruments import HourlyMatch, match_hourly
from core.quantification.market_coverage import UNCOVERED, WHOLE_MARKET
from core.quantification.resolve import catalog_of

Floats = npt.NDArray[np.float64]

DAYS_AT_MOST: Final = 366
HOURS_A_DAY: Final = 24


@dataclass(frozen=True)
class MarketHours:
    """
    A market's match over a period.

    Args:
        match: the grid's own carbon-free share is not known by the hour, so it counts as 0 in the score.
        load_kwh: of the whole period.
        hours: how many hours have a load.
    """

    market: str
    match: HourlyMatch
    load_kwh: float
    contracted_kwh: float
    hours: int


@dataclass
class _Load:
    """Own load of one market by UTC hour of the period."""

    pools: dict[str, Floats] = field(default_factory=dict)
    location_kg: Floats = field(default_factory=lambda: np.zeros(0))
    residual_kg: Floats = field(default_factory=lambda: np.zeros(0))


def hourly_match(organization_id: int, from_day: date, to_day: date) -> list[MarketHours]:
    """
    Match carbon-free instruments that have hourly volumes with the load of their markets.

    Args:
        from_day, to_day: UTC, both inclusive, at most a year.

    Returns:
        One entry for each market that has both, by name. What an hour does not need earns nothing; an hour without a volume
        is unmatched.

    Raises:
        ValueError: more than a year, or an end before the start.
    """
    if not timedelta(0) <= to_day - from_day < timedelta(days=DAYS_AT_MOST):
        raise ValueError(f"Hours are matched over at most {DAYS_AT_MOST} days.")
    with organization_scope(organization_id):
        view = current_view(organization_id)
        if view is None:
            return []
        countries = catalog_of(pack_of(view.factor_set.content_hash)).country_of
        held = [each for each in held_instruments(organization_id, countries) if _matches(each)]
        if not held:
            return []
        loads = _loads(organization_id, view, held, from_day, to_day)
        starts_at = datetime.combine(from_day, time(), UTC)
        found = []
        for market, load in sorted(loads.items()):
            own = [each for each in held if each.market == market]
            if own:
                found.append(_match(organization_id, market, load, own, starts_at))
    return found


def _matches(held: Held) -> bool:
    """Tell whether an instrument can be matched by the hour: carbon-free, retired where it has to be, with hours."""
    return held.has_hours and held.facts.carbon_free and held.assigned.instrument.retired and held.market is not None


def _match(organization_id: int, market: str, load: _Load, held: Sequence[Held], starts_at: datetime) -> MarketHours:
    """Give each pool its own instruments first; what it does not need is excess, as everybody's is."""
    total = np.sum(list(load.pools.values()), axis=0)
    nothing = np.zeros(len(total))
    volumes: dict[str, Floats] = {}
    for each in held:
        pool = each.facts.pool or WHOLE_MARKET
        hours = volumes_by_hour(organization_id, each.facts.id, starts_at, len(total))
        volumes[pool] = volumes.get(pool, nothing) + hours
    with np.errstate(divide="ignore", invalid="ignore"):
        grid = np.where(total > 0.0, load.location_kg / total, 0.0)
        residual = np.where(total > 0.0, load.residual_kg / total, 0.0)
    match = match_hourly(
        load_kwh=total.tolist(),
        contracted_kwh=volumes.get(WHOLE_MARKET, nothing).tolist(),
        grid_cfe_fraction=[0.0] * len(total),
        grid_kg_per_kwh=grid.tolist(),
        residual_kg_per_kwh=residual.tolist(),
        assigned=[
            (load.pools.get(pool, nothing).tolist(), each.tolist())
            for pool, each in volumes.items()
            if pool != WHOLE_MARKET
        ],
    )
    contracted = float(np.sum(list(volumes.values())))
    return MarketHours(market, match, float(total.sum()), contracted, int((total > 0.0).sum()))


def _loads(organization_id: int, view: View, held: Sequence[Held], from_day: date, to_day: date) -> dict[str, _Load]:
    """Quantify the cells of the period month by month, and add the counted own electricity up by market, pool and hour."""
    markets, countries = markets_of(organization_id), catalog_of(pack_of(view.factor_set.content_hash)).country_of
    pools = sorted({each.facts.pool for each in held if each.facts.pool}) or [WHOLE_MARKET]
    elsewhere = sites_not_controlled(organization_id)
    hours = ((to_day - from_day).days + 1) * HOURS_A_DAY
    origin = int(datetime.combine(from_day, time(), UTC).timestamp()) // units.S_PER_H
    loads: dict[str, _Load] = {}
    rules = rules_of(organization_id)
    for start, end in _months(from_day, to_day):
        cells = hour_cells(organization_id, start, end)
        derived = derived_on_read(
            organization_id, view, cells.assign(day=cells["hour"] // HOURS_A_DAY), rules, whole=True
        )
        named = derived.resolved
        own = named["hosting"].isin(OWN_HOSTINGS) & (named["role"] == "counted")
        pool_of = pools_of(named, pools, elsewhere).tolist()
        at = derived.rows["hour"].to_numpy(dtype=np.int64) - origin
        kwh = derived.rows["energy_facility_pkwh"].to_numpy(dtype=float, na_value=0.0) / units.PER_KWH
        location = derived.rows["location_nkg"].to_numpy(dtype=float, na_value=0.0) / units.PER_KG
        position = derived.rows["resolved"].to_numpy(dtype=np.int64)
        for each in np.flatnonzero(own.to_numpy(dtype=bool)):
            plan = derived.plans[int(each)]
            market = market_of_key(plan.market_key or "", markets, countries)
            if market is None or plan.market_rate is None or pool_of[each] == UNCOVERED:
                continue
            load = loads.setdefault(market, _Load({}, np.zeros(hours), np.zeros(hours)))
            mine = position == each
            energy = np.bincount(at[mine], weights=kwh[mine], minlength=hours)
            load.pools[pool_of[each]] = load.pools.get(pool_of[each], np.zeros(hours)) + energy
            kg = np.bincount(at[mine], weights=location[mine], minlength=hours)
            load.location_kg += kg
            load.residual_kg += kg if plan.market_by_hour else energy * (plan.market_rate.value / units.G_PER_KG)
    return {
        market: _Load(
            {pool: np.maximum(kwh, 0.0) for pool, kwh in load.pools.items()}, load.location_kg, load.residual_kg
        )
        for market, load in loads.items()
    }


def _months(from_day: date, to_day: date) -> Iterator[tuple[datetime, datetime]]:
    """Cut a period into months, as half-open instants, so that a year is never in memory at once."""
    start = from_day
    while start <= to_day:
        following = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
        end = min(following, to_day + timedelta(days=1))
        yield datetime.combine(start, time(), UTC), datetime.combine(end, time(), UTC)
        start = end
