"""Market-based electricity: what was consumed in each market and pool, and what instruments make of its rates."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from core.accounting.models import MarketRate, View
from core.accounting.selectors.rates import rates_of
from core.accounting.selectors.register import METERED, metered_months, own_electricity, weighable
from core.accounting.selectors.views import current_view
from core.catalog.selectors import standing_entries
from core.factors.instrument_selectors import Held, markets_of
from core.factors.selectors import NoFactorSet, pack_of, shipped_factor_set
from core.organizations.tenancy import once_a_snapshot
from core.quantification import units
from core.quantification.electricity_markets import Markets
from core.quantification.factor import Factor
from core.quantification.market import follows_hours
from core.quantification.market_coverage import UNCOVERED, WHOLE_MARKET, Assigned, Consumed, CoveredRate, Interval
from core.quantification.metered import Drawn, purchased, supply_of_month
from core.quantification.methods import methodology_of
from core.quantification.resolve import catalog_of

COVERABLE: Final = ("residual", "location")
"""
Rates without instruments whose electricity an instrument may cover. A provider's, and an own market factor, is the evidence of
what was contracted for it.
"""


def countries_known(organization_id: int) -> dict[str, str]:
    """Map every zone of the factor set in use to its country."""
    view = current_view(organization_id)
    try:
        factor_set = view.factor_set if view else shipped_factor_set()
    except NoFactorSet:
        return {}
    return catalog_of(pack_of(factor_set.content_hash)).country_of


def market_of_key(key: str, markets: Markets, countries: Mapping[str, str]) -> str | None:
    """
    Return the market in which instruments may cover a rate's electricity; None where its place is not known.

    >>> market_of_key("location:DE:exact", Markets(), {"DE": "DE"}), market_of_key("location:WLD:world", Markets(), {})
    ('AIB', None)
    >>> market_of_key("location:DE:override:own:7:329.0:329.0:329.0", Markets(), {"DE": "DE"})
    'AIB'
    """
    kind, _, rest = key.partition(":")
    zone, _, match = rest.partition(":")
    country = countries.get(zone, "")
    if kind not in COVERABLE or match == "world" or not country:
        return None
    return markets.of(zone, country)


def assigned_instruments(held: Sequence[Held]) -> list[Assigned]:
    """Give instruments as the arithmetic takes them."""
    return [each.assigned for each in held]


def consumed_in(
    organization_id: int, view: View, year: int, held: Sequence[Held]
) -> tuple[list[Consumed], dict[str, dict[str, Any]]]:
    """
    Add the purchased own electricity of a year up, by rate and pool, inside the organization's scope.

    Returns:
        What was consumed, and the factor of each rate without instruments as `quantify` prints it.
    """
    found, factors = _purchased(organization_id, view, date(year, 1, 1), date(year, 12, 31), held)
    base = MarketRate.objects.filter(
        organization_id=organization_id, view_id=view.id, pool=UNCOVERED, period_start=date(year, 1, 1)
    )
    consumed = [each for _, each in found]
    without = {key: factor.as_dict() for (_, key), factor in factors.items()} | {
        rate.market: rate.factor for rate in base
    }
    weighed = {each.key: each.rate for each in consumed}
    return consumed, {key: _as_weighed(factor, weighed.get(key)) for key, factor in without.items()}


def consumed_between(
    organization_id: int,
    view: View,
    from_day: date,
    to_day: date,
    held: Sequence[Held],
    markets: Markets | None = None,
) -> list[tuple[int, Consumed]]:
    """
    Add the purchased own electricity of whole months up, by year, rate and pool, inside the organization's scope.

    That of a site with meters is what they show: what no record covers is purchased, what the site generated is not.

    Args:
        from_day, to_day: first day of a month and last day of one, UTC.
        held: instruments, whose pools are told apart.
        markets: the organization's, where they were read already.
    """
    return _purchased(organization_id, view, from_day, to_day, held, markets)[0]


def _purchased(
    organization_id: int,
    view: View,
    from_day: date,
    to_day: date,
    held: Sequence[Held],
    markets: Markets | None = None,
) -> tuple[list[tuple[int, Consumed]], dict[tuple[int, str], Factor]]:
    """Return consumption by year, and the rates without instruments of what no record covers, by year and key."""
    pack, method = pack_of(view.factor_set.content_hash), methodology_of(view.methodology)
    pools = sorted({each.facts.pool for each in held if each.facts.pool}) or [WHOLE_MARKET]
    entries = list(standing_entries(organization_id, from_day=from_day, to_day=to_day).filter(kind__in=METERED))
    months = weighable(organization_id, view, metered_months(organization_id, view, entries, to_day), pools)
    metered = {(each.site, each.month) for each in months}
    sums: dict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0, 0])
    own: dict[tuple[int, str], Factor] = {}

    def add(year: int, drawn: Drawn) -> None:
        if drawn.pool == UNCOVERED:  # of a site that the organization does not control
            return
        of_rate = sums[year, drawn.key, drawn.pool]
        of_rate[0] += drawn.pkwh
        of_rate[1] += drawn.location_nkg

    for site, month, drawn in own_electricity(organization_id, view, from_day, to_day, pools):
        if (site, month) not in metered:
            add(month.year, drawn)
    for each in months:
        supply = supply_of_month(each, pack, method)
        if supply.market.rate is not None:
            own[each.month.year, supply.market.key] = supply.market.rate
        for drawn in purchased(each, supply):
            add(each.month.year, drawn)
    known = rates_of(organization_id, view)
    rows = [(year, key, pool, pkwh, nkg) for (year, key, pool), (pkwh, nkg) in sorted(sums.items())]
    rates = {of: (factor.value, factor.low, factor.high) for of, factor in own.items()}
    rates |= {(year, key): rate for year, key, *_ in rows if (rate := known.of(key, UNCOVERED, year)) is not None}
    rates |= _weighed_by_load(rows, rates)
    markets, countries = markets or markets_of(organization_id), catalog_of(pack).country_of
    found = [
        (
            year,
            Consumed(
                key=key,
                market=market_of_key(key, markets, countries),
                pool=pool,
                kwh=pkwh / units.PER_KWH,
                location_kg=nkg / units.PER_KG,
                rate=rates[year, key],
            ),
        )
        for year, key, pool, pkwh, nkg in rows
        if (year, key) in rates
    ]
    return found, own


def _weighed_by_load(
    rows: Sequence[tuple[Any, ...]], rates: Mapping[tuple[int, str], Interval]
) -> dict[tuple[int, str], Interval]:
    """
    Give the rates that follow an hourly grid the mean of its hours weighed by load: what they weigh without instruments.

    Args:
        rows: year, key, pool, facility energy [1e-12 kWh] and location [1e-9 kg].
        rates: by year and key; of an hourly grid, the plain mean of its hours.
    """
    totals: dict[tuple[int, str], tuple[int, int]] = {}
    for year, key, _pool, pkwh, nkg in rows:
        if follows_hours(key) and (year, key) in rates:
            energy, location = totals.get((year, key), (0, 0))
            totals[year, key] = (energy + int(pkwh), location + int(nkg))
    weighed = {}
    for of, (pkwh, nkg) in totals.items():
        mean = rates[of][0]
        if pkwh > 0 and nkg > 0 and mean:
            g_per_kwh = (nkg / units.PER_KG * units.G_PER_KG) / (pkwh / units.PER_KWH)
            value, low, high = (each * (g_per_kwh / mean) for each in rates[of])
            weighed[of] = (value, low, high)
    return weighed


def _as_weighed(factor: dict[str, Any], rate: tuple[float, float, float] | None) -> dict[str, Any]:
    """Put the mean weighed by load into the entry of an hourly grid's factor; any other is returned as it is."""
    if rate is None or factor.get("granularity") != "hourly":
        return factor
    return {**factor, **dict(zip(("value", "low", "high"), rate, strict=True)), "weighed_by": "load"}


def covered_factor(
    covered: CoveredRate, year: int, held: Mapping[str, Held], without: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Write a covered rate as the factor that it is.

    Returns:
        The entry of contracts.md section 5, with ``instruments`` (what each contributes), ``uncovered_share``, and
        ``without``: the factor of the uncovered share.
    """
    value, low, high = covered.rate
    parts = [_part(held[part.instrument], part.share) for part in covered.parts]
    return {
        "id": f"instruments:{covered.market}:{year}:{covered.pool}:{covered.key}",
        "name": "grid_market",
        "value": value,
        "low": low,
        "high": high,
        "unit": without.get("unit", "g CO2e/kWh"),
        "source": f"contractual instruments in the market {covered.market}, then {without.get('source', '')}",
        "valid_from": f"{year}-01-01",
        "match": without.get("match", "default"),
        "year": year,
        "market": covered.market,
        "pool": "" if covered.pool == WHOLE_MARKET else covered.pool,
        "uncovered_share": 1.0 - sum(part.share for part in covered.parts),
        "instruments": parts,
        "without": dict(without),
    }


def _part(held: Held, share: float) -> dict[str, Any]:
    facts = held.facts
    return {
        "id": facts.id,
        "type": facts.type,
        "kind": facts.kind,
        "technology": facts.technology,
        "intensity_g_per_kwh": facts.intensity_g_per_kwh,
        "share": share,
    }


@dataclass(frozen=True)
class PoolRates:
    """The rates that instruments made, by rate without them, pool and year: their factor with value, low and high."""

    factors: Mapping[tuple[str, str, int], dict[str, Any]]

    @property
    def pools(self) -> set[str]:
        """Return the pools that have rates."""
        return {pool for _, pool, _ in self.factors}


@once_a_snapshot
def pool_rates(organization_id: int, view_id: int) -> PoolRates:
    """Read the rates that instruments made, inside the organization's scope."""
    rows = MarketRate.objects.filter(organization_id=organization_id, view_id=view_id).exclude(pool="")
    return PoolRates({(row.market, row.pool, row.period_start.year): row.factor for row in rows})
