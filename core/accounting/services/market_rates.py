"""
The rates that instruments make, one for each market, pool and year, beside the rates without instruments.

A lock of the organization's rates is taken before the year's consumption is added up and held to the end of the transaction
that writes it: the next one then sees all that was committed before, so of two workers the later one is right for both.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date

import structlog
from django.db import connection

from core.accounting.models import MarketMark, View
from core.accounting.selectors.market import assigned_instruments, consumed_in, covered_factor
from core.accounting.selectors.views import live_views
from core.factors.instrument_selectors import has_instruments, held_instruments
from core.factors.selectors import pack_of
from core.locks import RATES_LOCK
from core.organizations.tenancy import organization_scope
from core.quantification.market_coverage import cover_markets
from core.quantification.methods import methodology_of
from core.quantification.resolve import catalog_of

log = structlog.get_logger()


def cover_years(organization_id: int, views: Sequence[View], years: Collection[int]) -> int:
    """
    Make the rates of whole years again, in the caller's transaction, and return how many there are now.

    They are a function of the daily rows, the rates without instruments and the instruments, so doing it twice changes
    nothing. Does nothing for an organization that never had an instrument.
    """
    if not years or not views or not has_instruments(organization_id):
        return 0
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [RATES_LOCK, organization_id])
    return sum(_cover(organization_id, view, year) for view in views for year in sorted(years))


def _cover(organization_id: int, view: View, year: int) -> int:
    pack = pack_of(view.factor_set.content_hash)
    held = held_instruments(organization_id, catalog_of(pack).country_of)
    supplier_gsd = methodology_of(view.methodology).gsd["market"]
    consumed, factors = consumed_in(organization_id, view, year, held)
    markets = cover_markets(consumed, assigned_instruments(held), year=year, supplier_gsd=supplier_gsd)
    by_id = {each.assigned.instrument.id: each for each in held}
    rows = [
        (
            *(each.key, each.pool, date(year, 1, 1), date(year + 1, 1, 1)),
            *each.rate,
            json.dumps(covered_factor(each, year, by_id, factors[each.key])),
            *(each.market, each.covered_kwh, each.kwh - each.covered_kwh),
        )
        for market in markets
        if any(coverage.used for coverage in market.pools.values())
        for each in sorted(market.rates, key=lambda rate: (rate.key, rate.pool))
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            "delete from accounting_marketrate where organization_id = %s and view_id = %s and pool <> ''"
            " and period_start = %s",
            [organization_id, view.id, date(year, 1, 1)],
        )
        if rows:
            cursor.executemany(
                "insert into accounting_marketrate (organization_id, view_id, market, pool, period_start, period_end,"
                " g_per_kwh, g_per_kwh_low, g_per_kwh_high, factor, electricity_market, covered_kwh, uncovered_kwh)"
                f" values ({int(organization_id)}, {int(view.id)}, %s, %s, %s, %s, %s, %s, %s, %s::jsonb, %s, %s, %s)",
                rows,
            )
    return len(rows)


def mark_years(organization_id: int, years: Collection[int]) -> None:
    """Note that the rates of years are to be made again, in the caller's transaction."""
    MarketMark.objects.bulk_create(
        MarketMark(organization_id=organization_id, year=year) for year in sorted(set(years))
    )


def cover_marked_years(organization_id: int) -> int:
    """
    Make the rates of all marked years again, in every live view; returns how many years there were.

    The marks that were seen go with the rates in one transaction; those that come meanwhile stay.
    """
    with organization_scope(organization_id):
        marks = list(MarketMark.objects.filter(organization_id=organization_id).values_list("id", "year"))
        if not marks:
            return 0
        years = {year for _, year in marks}
        rates = cover_years(organization_id, live_views(organization_id), years)
        MarketMark.objects.filter(organization_id=organization_id, id__in=[mark for mark, _ in marks]).delete()
    log.info("years covered", organization=organization_id, years=len(years), rates=rates)
    return len(years)
