"""Reads of the register as figures follow from it: the tables in force, readings of sites, lines of the disclosed booking."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

import pandas as pd
from django.db import connection

from core.accounting.models import View
from core.accounting.pools import OWN_HOSTINGS, pool_of_site, pool_sql
from core.accounting.selectors.rates import rates_of
from core.accounting.selectors.views import current_view
from core.catalog.entries import KINDS
from core.catalog.models import RegisterEntry, SiteKind
from core.catalog.selectors import sites, sites_not_controlled, standing_entries
from core.factors.grid_selectors import served_in_use
from core.factors.pack import load_pack
from core.factors.selectors import own_factors, pack_of
from core.quantification import units
from core.quantification.attribute import day_number
from core.quantification.metered import Drawn, MeteredMonth, lines_of_meters
from core.quantification.methods import methodology_of
from core.quantification.own_factors import SELECTORS, given_of
from core.quantification.pack import FactorPack
from core.quantification.register_lines import Fact, Line, lines_of_entries
from core.quantification.resolve import catalog_of
from core.quantification.series_grid import factors_of
from core.quantification.site_metrics import Reading

HOSTING: Final = {SiteKind.OWNED: "owned", SiteKind.LEASED: "owned", SiteKind.COLOCATION: "colocated"}
METERED: Final = ("meter_reading", "on_site_generation")


def tables_of(organization_id: int) -> FactorPack:
    """
    Return the factor tables that say which names an entry may use: those of the current view, inside its scope.

    A set from before the register holds no fuels; the tables of this release then say which names there are, while figures
    stay null until a restatement takes a newer set.
    """
    view = current_view(organization_id)
    if view is not None:
        pack = pack_of(view.factor_set.content_hash)
        if pack.rows("fuels"):
            return pack
    return _shipped()


@lru_cache(maxsize=1)
def _shipped() -> FactorPack:
    return load_pack()


def readings_of(organization_id: int) -> dict[str, list[Reading]]:
    """Collect what the meters of each site have shown, by the site's slug; inside the organization's scope."""
    entries = standing_entries(organization_id).filter(kind__in=("meter_reading", "water"))
    found: dict[str, list[Reading]] = defaultdict(list)
    for slug, month, *shown in entries.values_list("site__slug", "day", "facility_kwh", "it_kwh", "water_l"):
        facility_kwh, it_kwh, water_l = (None if each is None else float(each) for each in shown)
        found[slug].append(Reading(month, facility_kwh, it_kwh, water_l))
    return dict(found)


def register_lines(organization_id: int, view: View, from_day: date, to_day: date) -> list[Line]:
    """
    List what the register adds to the disclosed booking of a period, inside the organization's scope.

    Events count on their day. What a meter shows beyond the records counts in months that lie whole in the period: a reading
    says nothing of a part of its month.
    """
    pack, method = pack_of(view.factor_set.content_hash), methodology_of(view.methodology)
    entries = list(standing_entries(organization_id, from_day=from_day, to_day=to_day))
    if not entries:
        return []
    rates = rates_of(organization_id, view)
    months = weighable(organization_id, view, metered_months(organization_id, view, entries, to_day), rates.pools)
    facts = [fact_of(entry) for entry in entries]
    return [
        *lines_of_entries(facts, pack, method),
        *lines_of_meters(months, pack, method, rates),
    ]


def fact_of(entry: RegisterEntry) -> Fact:
    """Give an entry in plain numbers."""
    shown = ((name, getattr(entry, name)) for name in KINDS[entry.kind].columns)
    values = {name: float(value) if isinstance(value, Decimal) else value for name, value in shown if value is not None}
    return Fact(entry.id, entry.site.slug, entry.kind, entry.day, values)


@dataclass
class _Month:
    facility_kwh: Decimal | None = None
    self_generated_kwh: Decimal = Decimal(0)
    entries: list[int] = field(default_factory=list)


def metered_months(organization_id: int, view: View, entries: list[RegisterEntry], to_day: date) -> list[MeteredMonth]:
    """
    Put the facility meter of each site's month beside the records of that site; months that end after a day are left out.

    Without a meter the records are all that is known of the site, so no more can be taken back of them than they hold.
    """
    months: dict[tuple[str, date], _Month] = {}
    for entry in entries:
        if entry.kind in METERED and month_end(entry.day) <= to_day:
            month = months.setdefault((entry.site.slug, entry.day), _Month())
            month.entries.append(entry.id)
            if entry.facility_kwh is not None:
                month.facility_kwh = entry.facility_kwh
            month.self_generated_kwh += entry.generated_used_kwh or Decimal(0)
    if not months:
        return []
    about = {site.slug: site for site in sites(organization_id)}
    recorded = recorded_pkwh(organization_id, view, min(day for _, day in months), max(day for _, day in months))
    found = []
    for (site, day), month in sorted(months.items()):
        of_records, generated = recorded.get((site, day), 0), _pkwh(month.self_generated_kwh)
        found.append(
            MeteredMonth(
                site,
                about[site].zone,
                day,
                metered_pkwh=of_records if month.facility_kwh is None else _pkwh(month.facility_kwh),
                self_generated_pkwh=min(generated, of_records) if month.facility_kwh is None else generated,
                records_pkwh=of_records,
                entries=tuple(month.entries),
                hosting=HOSTING[SiteKind(about[site].kind)],
            )
        )
    return found


def weighable(
    organization_id: int, view: View, months: Sequence[MeteredMonth], pools: Collection[str]
) -> list[MeteredMonth]:
    """
    Give each month the own factors that a record of its site has on its first day, and the electricity of its records.

    Args:
        pools: that are told apart.
    """
    if not months:
        return []
    elsewhere = sites_not_controlled(organization_id)
    drawn: dict[tuple[str | None, date], list[Drawn]] = defaultdict(list)
    days = [each.month for each in months]
    for site, month, own in own_electricity(organization_id, view, min(days), max(days), pools):
        drawn[site, month].append(own)
    return [
        replace(
            each,
            given=given,
            recorded=tuple(drawn[each.site, each.month]),
            pool=pool_of_site(each.site, each.hosting, pools, elsewhere),
        )
        for each, given in zip(months, _own_factors(organization_id, view, months), strict=True)
    ]


def _own_factors(organization_id: int, view: View, months: Sequence[MeteredMonth]) -> pd.Series:
    subjects = pd.DataFrame(
        [
            {"site": each.site, "hosting": each.hosting, "zone": each.zone, "day": day_number(each.month)}
            for each in months
        ],
        columns=[*SELECTORS, "day"],
    ).astype(dict.fromkeys(SELECTORS, object))
    series, _ = factors_of(served_in_use(organization_id))
    catalog = catalog_of(pack_of(view.factor_set.content_hash))
    return given_of(subjects, [*own_factors(organization_id), *series], catalog)


def own_electricity(
    organization_id: int, view: View, first: date, last: date, pools: Collection[str]
) -> list[tuple[str | None, date, Drawn]]:
    """
    Add the counted own electricity that has a market rate up, by site (as the register calls it), month, rate and pool.

    Args:
        first, last: months, by their first days.
        pools: that are told apart; none: nothing is covered.
    """
    pool, values = pool_sql(pools, sites_not_controlled(organization_id))
    with connection.cursor() as cursor:
        cursor.execute(
            f"select lower(r.site), d.month, e.market, {pool}, sum(d.energy_facility_pkwh), coalesce(sum(d.location_nkg), 0)"
            " from accounting_monthly d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            " join accounting_sharederror e on e.organization_id = r.organization_id and e.id = r.shared_error_id"
            " where d.organization_id = %s and d.view_id = %s and d.month >= %s and d.month <= %s"
            "  and r.role = 'counted' and r.hosting = any(%s) and e.market is not null"
            "  and d.energy_facility_pkwh is not null"
            " group by 1, 2, 3, 4 order by 1, 2, 3, 4",
            [*values, organization_id, view.id, first, last, list(OWN_HOSTINGS)],
        )
        rows = cursor.fetchall()
    return [(site, month, Drawn(key, pool, int(pkwh), int(nkg))) for site, month, key, pool, pkwh, nkg in rows]


def recorded_pkwh(organization_id: int, view: View, first: date, last: date) -> dict[tuple[str, date], int]:
    """Add the facility energy of counted records up by site (as the register calls it) and month. [1e-12 kWh]"""
    with connection.cursor() as cursor:
        cursor.execute(
            "select lower(r.site), d.month, coalesce(sum(d.energy_facility_pkwh), 0)::numeric from accounting_monthly d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            " where d.organization_id = %s and d.view_id = %s and d.month >= %s and d.month <= %s and r.role = 'counted'"
            " and r.site is not null group by 1, 2",
            [organization_id, view.id, first, last],
        )
        return {(site, month): int(pkwh) for site, month, pkwh in cursor.fetchall()}


def month_end(month: date) -> date:
    """
    Return the last day of the month that a day is the first of.

    >>> month_end(date(2026, 12, 1))
    datetime.date(2026, 12, 31)
    """
    return date(month.year + month.month // 12, month.month % 12 + 1, 1) - timedelta(days=1)


def _pkwh(kwh: Decimal) -> int:
    return int(kwh * units.PER_KWH)
