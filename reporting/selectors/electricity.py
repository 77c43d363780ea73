"""Electricity of a year: what each market consumed, what instruments cover of it, and what is left of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connection

from core.accounting.models import MarketMark, MarketRate, View
from core.accounting.pools import OWN_HOSTINGS
from core.accounting.selectors import current_view
from core.accounting.selectors.conditions import folded_teams_of
from core.accounting.selectors.market import assigned_instruments, consumed_between, countries_known
from core.accounting.selectors.register import METERED
from core.catalog.selectors import standing_entries
from core.factors.instrument_selectors import Held, held_instruments, markets_of
from core.organizations.tenancy import organization_scope
from core.quantification.electricity_markets import Markets
from core.quantification.market_coverage import (
    WHOLE_MARKET,
    Consumed,
    MarketCoverage,
    cover_markets,
    refused_because,
)
from core.quantification.methods import methodology_of


@dataclass(frozen=True)
class Market:
    """
    One market in one year, or one assigned pool in it; ``market`` None where the place is not known well enough.

    Args:
        pool: empty for the whole market.
    """

    market: str | None
    pool: str
    consumption_kwh: float
    covered_kwh: float
    location_kg: float
    market_kg: float

    @property
    def uncovered_kwh(self) -> float:
        return self.consumption_kwh - self.covered_kwh

    @property
    def covered_share(self) -> float | None:
        return self.covered_kwh / self.consumption_kwh if self.consumption_kwh > 0.0 else None


@dataclass(frozen=True)
class Position:
    """
    How an instrument stands.

    Args:
        used_kwh: in the year of its vintage; None where it would tell the electricity of a group too small to be shown.
        refused: ``not_retired``, ``market``, ``vintage``, ``pool``; empty: it counts.
    """

    held: Held
    used_kwh: float | None
    refused: tuple[str, ...]

    @property
    def left_kwh(self) -> float | None:
        return None if self.used_kwh is None else max(0.0, float(self.held.facts.energy_kwh) - self.used_kwh)

    @property
    def state(self) -> str:
        """Return withdrawn, refused, used (all of it), partly_used, unused, or counted where the use is not shown."""
        if self.held.withdrawn is not None:
            return "withdrawn"
        if self.refused:
            return "refused"
        if self.used_kwh is None or self.left_kwh is None:
            return "counted"
        if not self.used_kwh:
            return "unused"
        return "used" if self.left_kwh < 0.0005 else "partly_used"


@dataclass(frozen=True)
class Electricity:
    """
    A year's own electricity.

    Args:
        markets: whole markets, the largest first.
        pools: what is assigned inside them.
        positions: every instrument, the newest vintage first.
        years: those that have consumption or instruments, the newest first.
        pending: the rates are being made again.
        own_markets: of the organization.
    """

    year: int
    markets: list[Market]
    pools: list[Market]
    positions: list[Position]
    years: list[int]
    provisional: bool
    pending: bool
    own_markets: Markets

    @property
    def total(self) -> Market:
        rows = self.markets
        return Market(
            None,
            "",
            sum(row.consumption_kwh for row in rows),
            sum(row.covered_kwh for row in rows),
            sum(row.location_kg for row in rows),
            sum(row.market_kg for row in rows),
        )


def electricity(organization_id: int, year: int | None, *, today: date) -> Electricity:
    """
    Read how a year's own electricity is covered; without a year, the latest with consumption.

    The same functions make the stored rates, so that figures and this page agree once they are made.
    """
    with organization_scope(organization_id):
        view = current_view(organization_id)
        own = markets_of(organization_id)
        held = held_instruments(organization_id, countries_known(organization_id), withdrawn=True, markets=own)
        consumed_years = years_with_consumption(organization_id, view)
        years = sorted({*consumed_years, *(each.facts.vintage_start.year for each in held)}, reverse=True)
        chosen = year or next((each for each in sorted(consumed_years, reverse=True) if each <= today.year), today.year)
        live = [each for each in held if each.withdrawn is None]
        consumed = _consumed(organization_id, view, [*consumed_years, chosen], live, own)
        hidden = _hidden_pools(organization_id, {each.facts.pool for each in live if each.facts.pool})
        pending = MarketMark.objects.filter(organization_id=organization_id).exists()
    gsd = methodology_of(view.methodology).gsd["market"] if view else 1.0
    covered = {
        each: cover_markets(rows, assigned_instruments(live), year=each, supplier_gsd=gsd)
        for each, rows in consumed.items()
    }
    markets, pools = _markets(covered[chosen], consumed[chosen], hidden)
    return Electricity(
        year=chosen,
        markets=markets,
        pools=pools,
        positions=_positions(held, covered, consumed, hidden),
        years=years or [chosen],
        provisional=chosen >= today.year,
        pending=pending,
        own_markets=own,
    )


def years_with_consumption(organization_id: int, view: View | None) -> list[int]:
    """List the years that have electricity with a rate, or meters of a site."""
    if view is None:
        return []
    rates = MarketRate.objects.filter(organization_id=organization_id, view_id=view.id, pool="")
    metered = standing_entries(organization_id).filter(kind__in=METERED)
    return sorted(
        {start.year for start in rates.values_list("period_start", flat=True).distinct()}
        | {day.year for day in metered.order_by().values_list("day", flat=True).distinct()}
    )


def _consumed(
    organization_id: int, view: View | None, years: list[int], held: list[Held], markets: Markets
) -> dict[int, list[Consumed]]:
    """Read the consumption of all years at once."""
    found: dict[int, list[Consumed]] = {year: [] for year in years}
    if view is not None:
        first, last = date(min(years), 1, 1), date(max(years), 12, 31)
        for year, consumed in consumed_between(organization_id, view, first, last, held, markets):
            found.setdefault(year, []).append(consumed)
    return found


def _markets(
    covered: list[MarketCoverage], consumed: list[Consumed], hidden: set[str]
) -> tuple[list[Market], list[Market]]:
    """Shape coverage as rows; pools of groups that are too small are in their market only."""
    markets = [
        Market(each.market, "", each.consumption_kwh, each.covered_kwh, each.location_kg, each.market_kg)
        for each in covered
    ]
    elsewhere = [each for each in consumed if each.market is None]
    if elsewhere:
        kg = sum(each.kwh * each.rate[0] for each in elsewhere) / 1000
        kwh, location = sum(each.kwh for each in elsewhere), sum(each.location_kg for each in elsewhere)
        markets.append(Market(None, "", kwh, 0.0, location, kg))
    pools = []
    for each in covered:
        for pool in sorted({rate.pool for rate in each.rates} - {WHOLE_MARKET} - hidden):
            rates = [rate for rate in each.rates if rate.pool == pool]
            location = sum(row.location_kg for row in consumed if (row.market, row.pool) == (each.market, pool))
            pools.append(
                Market(
                    each.market,
                    pool,
                    sum(rate.kwh for rate in rates),
                    sum(rate.covered_kwh for rate in rates),
                    location,
                    sum(rate.kwh * rate.rate[0] for rate in rates) / 1000,
                )
            )
    return sorted(markets, key=lambda row: -row.consumption_kwh), pools


def _positions(
    held: list[Held],
    covered: dict[int, list[MarketCoverage]],
    consumed: dict[int, list[Consumed]],
    hidden: set[str],
) -> list[Position]:
    places = [(row.market, row.pool, year) for year, rows in consumed.items() for row in rows if row.market is not None]
    used: dict[str, float | None] = {}
    for markets in covered.values():
        for market in markets:
            small = any(rate.pool in hidden for rate in market.rates)
            used |= {name: None if small else kwh for name, kwh in market.used_kwh.items()}
    found = [
        Position(
            held=each,
            used_kwh=0.0 if each.withdrawn else used.get(each.assigned.instrument.id, 0.0),
            refused=() if each.withdrawn else refused_because(each.assigned, places),
        )
        for each in held
    ]
    return sorted(found, key=lambda each: (-each.held.facts.vintage_start.year, each.held.facts.id))


def _hidden_pools(organization_id: int, pools: set[str]) -> set[str]:
    """Name the pools whose electricity is that of a team too small to be shown by itself."""
    folded = sorted(folded_teams_of(organization_id))
    if not folded or not pools:
        return set()
    hidden = {pool for pool in pools if pool.startswith("team:") and pool.removeprefix("team:") in folded}
    for dimension in ("project", "site", "hosting"):
        named = [pool.partition(":")[2] for pool in pools if pool.startswith(f"{dimension}:")]
        with connection.cursor() as cursor:
            cursor.execute(
                f"select {dimension} from accounting_resolved_series where organization_id = %s and {dimension} = any(%s)"
                f" and hosting = any(%s) group by {dimension} having bool_and(coalesce(team = any(%s), false))",
                [organization_id, named, list(OWN_HOSTINGS), folded],
            )
            hidden |= {f"{dimension}:{name}" for (name,) in cursor.fetchall()}
    return hidden


def row_of(position: Position) -> dict[str, Any]:
    """Write an instrument as the API answers it: plain values, units in the names, null for what is not known."""
    facts, retired = position.held.facts, position.held.retired
    return {
        "id": facts.id,
        "type": facts.type,
        "kind": facts.kind,
        "energy_kwh": float(facts.energy_kwh),
        "intensity_g_per_kwh": facts.intensity_g_per_kwh,
        "market": position.held.market,
        "vintage_start": facts.vintage_start.isoformat(),
        "vintage_end": facts.vintage_end.isoformat(),
        "carbon_free": facts.carbon_free,
        "technology": facts.technology,
        "pool": facts.pool,
        "reference": facts.reference,
        "bought_kwh": None if facts.bought_kwh is None else float(facts.bought_kwh),
        "document": facts.document,
        "retired_on": retired.retired_on.isoformat() if retired and retired.retired_on else None,
        "registry": retired.registry if retired else "",
        "serial_first": retired.serial_first if retired else "",
        "serial_last": retired.serial_last if retired else "",
        "has_hours": position.held.has_hours,
        "state": position.state,
        "refused": list(position.refused),
        "used_kwh": position.used_kwh,
        "left_kwh": position.left_kwh,
        "corrects": facts.corrects_id,
        "withdrawn_because": position.held.withdrawn.reason if position.held.withdrawn else None,
    }
