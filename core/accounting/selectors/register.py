"""Reads of the register as figures follow from it: the tables in force, readings of sites, lines of the disclosed booking."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final

import pandas as pd
from django.db import connection

from core.accounting.models import View
from core.accounting.selectors.rates import rates_of
from core.accounting.selectors.views import current_view
from core.catalog.entries import KINDS
from core.catalog.models import RegisterEntry, SiteKind
from core.catalog.selectors import sites, standing_entries
from core.factors.pack import load_pack
from core.factors.selectors import own_factors, pack_of
from core.quantification import units
from core.quantification.attribute import day_number
from core.quantification.metered import MeteredMonth, lines_of_meters
from core.quantification.methods import methodology_of
from core.quantification.own_factors import SELECTORS, given_of
from core.quantification.pack import FactorPack
from core.quantification.register_lines import Fact, Line, lines_of_entries
from core.quantification.resolve import Catalog, catalog_of
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
    months = with_own_factors(organization_id, metered_months(organization_id, view, entries, to_day), catalog_of(pack))
    facts = [fact_of(entry) for entry in entries]
    return [
        *lines_of_entries(facts, pack, method),
        *lines_of_meters(months, pack, method, rates_of(organization_id, view)),
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
    """Put the facility meter of each site's month beside the records of that site; months that end after a day are left out."""
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
    return [
        MeteredMonth(
            site,
            about[site].zone,
            day,
            metered_pkwh=_pkwh(month.facility_kwh) if month.facility_kwh is not None else recorded.get((site, day), 0),
            self_generated_pkwh=_pkwh(month.self_generated_kwh),
            records_pkwh=recorded.get((site, day), 0),
            entries=tuple(month.entries),
            hosting=HOSTING[SiteKind(about[site].kind)],
        )
        for (site, day), month in sorted(months.items())
    ]


def with_own_factors(organization_id: int, months: Sequence[MeteredMonth], catalog: Catalog) -> list[MeteredMonth]:
    """Give each month the own factors that a record of its site has on its first day."""
    subjects = pd.DataFrame(
        [
            {"site": each.site, "hosting": each.hosting, "zone": each.zone, "day": day_number(each.month)}
            for each in months
        ],
        columns=[*SELECTORS, "day"],
    ).astype(dict.fromkeys(SELECTORS, object))
    given = given_of(subjects, own_factors(organization_id), catalog)
    return [replace(month, given=each) for month, each in zip(months, given, strict=True)]


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
