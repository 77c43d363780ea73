"""Reads of market rates, with and without instruments."""

from __future__ import annotations

from core.accounting.models import MarketRate, View
from core.organizations.tenancy import once_a_snapshot
from core.quantification.market_coverage import Rates


@once_a_snapshot
def rates_of(organization_id: int, view: View) -> Rates:
    """Read the rates of a view, inside the organization's scope."""
    found = MarketRate.objects.filter(organization_id=organization_id, view_id=view.id, g_per_kwh__isnull=False)
    columns = ("market", "pool", "period_start", "g_per_kwh", "g_per_kwh_low", "g_per_kwh_high")
    return Rates({(market, pool, start.year): (*rate,) for market, pool, start, *rate in found.values_list(*columns)})
