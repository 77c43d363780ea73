"""The disclosed booking: register lines shaped like sums of daily rows, and the bridge that leads to it, in integers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from django.db import connection

from core.accounting.aggregate import SharedErrors
from core.accounting.columns import LOCATION, MARKET, SUFFIXES, Impact
from core.accounting.figures import DIMS, Filter
from core.accounting.models import SharedError, View
from core.accounting.pools import pool_sql
from core.accounting.selectors.conditions import columns_of, conditions, matches, sources_asked
from core.accounting.selectors.on_read import OWN_HARDWARE, asks_for_runs, slot_of
from core.accounting.selectors.rates import rates_of
from core.accounting.selectors.register import HOSTING, register_lines
from core.catalog.models import SiteKind
from core.catalog.selectors import sites, sites_not_controlled
from core.organizations.tenancy import organization_scope
from core.quantification import units
from core.quantification.booking import Bridge, bridge
from core.quantification.market_coverage import UNCOVERED
from core.quantification.register_lines import Line, rebooked
from core.quantification.scope import OF_TWO_BASES


def lines_of(organization_id: int, view: View, asked: Filter, folded: frozenset[str]) -> list[Line]:
    """
    List the register's lines that a filter keeps, inside the organization's scope.

    A line has a site, its zone and hosting, and scopes; in every other dimension it is nobody's.
    """
    if asks_for_runs(asked) or "counted" not in asked.role:
        return []
    elsewhere = sites_not_controlled(organization_id)
    found = register_lines(organization_id, view, asked.from_day, asked.to_day)
    lines = [rebooked(line) if line.site in elsewhere else line for line in found]
    if not lines:
        return []
    frame = _dimensions(organization_id, lines)
    kept = matches(frame, asked, sources_asked(organization_id, asked), folded)
    return [line for line, keep in zip(lines, kept, strict=True) if keep]


def as_sums(
    organization_id: int,
    lines: Sequence[Line],
    asked: Filter,
    measures: Sequence[str],
    impacts: Sequence[Impact],
    folded: frozenset[str],
) -> tuple[pd.DataFrame, SharedErrors]:
    """Shape lines like sums of daily rows, each with an error of its own; ids below 0 are no row's."""
    ids = [-1 - position for position in range(len(lines))]
    columns: dict[str, Any] = {
        "start": slot_of(pd.Series(pd.to_datetime([line.day for line in lines], utc=True)), asked.grain).to_numpy(),
        "shared_error_id": ids,
        "year": [line.day.year for line in lines],
        "pool": UNCOVERED,
        "records": np.zeros(len(lines)),
        "requests": np.zeros(len(lines)),
        **{name: np.full(len(lines), np.nan) for name in measures},
    }
    dimensions = _dimensions(organization_id, lines)
    columns |= {name: dimensions[name].to_numpy() for name in columns_of(asked, folded)}
    for impact, (side, suffix) in product(impacts, enumerate(SUFFIXES)):
        amounts = [line.amounts.get(impact.name) for line in lines]
        columns[impact.name + suffix] = [np.nan if each is None else each[side] / impact.per_unit for each in amounts]
    frame = pd.DataFrame(columns)
    frame["start"] = pd.to_datetime(frame["start"], utc=True)
    return frame, SharedErrors(
        group={number: f"register:{line.step}" for number, line in zip(ids, lines, strict=True)},
        zone_group={number: line.zone or "register" for number, line in zip(ids, lines, strict=True)},
        market=dict.fromkeys(ids),
        widths={number: {} for number in ids},
    )


def joined(first: SharedErrors, second: SharedErrors) -> SharedErrors:
    """Put the errors of two kinds of rows together."""
    names = ("group", "zone_group", "market", "widths")
    return SharedErrors(*({**getattr(first, name), **getattr(second, name)} for name in names))


def scope_3_once(sums: pd.DataFrame, errors: SharedErrors) -> pd.DataFrame:
    """
    Give all but scope 2 its location-based figure on the market basis too, with its widths (methodology 4.4).

    Args:
        sums: of `core.accounting.aggregate.with_market`, with the scope that their electricity is booked in.
    """
    once = sums["scope"] != OF_TWO_BASES
    given = sums.copy()
    for suffix in (each for each in SUFFIXES if MARKET.name + each in sums):
        given[MARKET.name + suffix] = sums[MARKET.name + suffix].mask(once, sums[LOCATION.name + suffix])
    for side, column in enumerate(("market_below", "market_above")):
        widths = sums["shared_error_id"].map(
            lambda error, side=side: errors.widths[error].get(LOCATION.name, (0.0,) * 4)[side]
        )
        given[column] = sums[column].mask(once, widths)
    return given


def _dimensions(organization_id: int, lines: Sequence[Line]) -> pd.DataFrame:
    """Give each line its dimensions, those that it has not as None."""
    about = {site.slug: site for site in sites(organization_id)}
    rows = []
    for line in lines:
        row: dict[str, Any] = dict.fromkeys((*DIMS, "source_id"))
        row |= {
            "site": line.site,
            "zone": about[line.site].zone,
            "hosting": HOSTING[SiteKind(about[line.site].kind)],
            "role": "counted",
            "scope": line.scopes.energy,
            "scope_upstream": line.scopes.upstream,
            "scope_embodied": line.scopes.embodied,
            "techniques": [],
        }
        rows.append(row)
    return pd.DataFrame(rows).astype(object)


def bridge_of(organization_id: int, view: View, asked: Filter, *, folded: frozenset[str]) -> tuple[Bridge, list[Line]]:
    """
    Lead from *operations and life cycle* to *as disclosed*, exactly, inside the organization's scope.

    Args:
        asked: period, dimensions and basis; grouping, parts and booking are not looked at.

    Returns:
        The bridge, and the register's lines in it. The market basis is rounded per market and year before it is added.
    """
    sums, market = _recorded(organization_id, view, asked)
    lines = lines_of(organization_id, view, asked, folded)
    register: Counter[str] = Counter()
    for line in lines:
        register[line.step] += line.nkg("location")
    if asked.basis == "market":
        market += sum(line.nkg("market") - line.nkg("location") for line in lines)
    found = bridge(
        location_nkg=sums["location"],
        upstream_nkg=sums["upstream"],
        embodied_nkg=sums["embodied"],
        embodied_own_nkg=sums["embodied_own"],
        market_nkg=market if asked.basis == "market" else None,
        register_nkg=register,
    )
    return found, lines


def _recorded(organization_id: int, view: View, asked: Filter) -> tuple[dict[str, int], int]:
    """
    Add the records' integers up. The market figure is a fact of the row, or energy times the rate of its market and pool; what
    is not scope 2 has its location-based figure there.
    """
    rates = rates_of(organization_id, view)
    where, values = conditions(organization_id, asked)
    elsewhere = sorted(sites_not_controlled(organization_id))
    pool, pool_values = pool_sql(rates.pools, elsewhere)
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            f"select r.shared_error_id, extract(year from d.day)::int, {pool},"
            " coalesce(r.scope = %s and (r.site is null or lower(r.site) <> all(%s)), false), sum(d.location_nkg)::numeric,"
            " sum(d.upstream_nkg)::numeric, sum(d.embodied_nkg)::numeric,"
            f" (sum(d.embodied_nkg) filter (where r.scope_embodied = '{OWN_HARDWARE}'))::numeric,"
            " sum(d.market_nkg)::numeric, sum(d.energy_facility_pkwh)::numeric from accounting_daily d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            f" where d.organization_id = %s and d.view_id = %s and d.day >= %s and d.day <= %s and {where}"
            " group by 1, 2, 3, 4",
            [*pool_values, OF_TWO_BASES, elsewhere, organization_id, view.id, asked.from_day, asked.to_day, *values],
        )
        rows = cursor.fetchall()
    names = ("location", "upstream", "embodied", "embodied_own")
    sums = {name: sum(int(row[4 + position] or 0) for row in rows) for position, name in enumerate(names)}
    errors = SharedError.objects.filter(organization_id=organization_id, id__in={row[0] for row in rows})
    markets = dict(errors.values_list("id", "market"))
    market = 0
    for error, year, pool, two_bases, location_nkg, *_figures, own_nkg, facility_pkwh in rows:
        name = markets[error]
        if not two_bases:
            market += int(location_nkg or 0)
            continue
        if name is None or (own_nkg is not None and not rates.cover(name, pool, year)):
            market += int(own_nkg or 0)
            continue
        rate = rates.of(name, pool, year)
        if rate is not None:
            kg = float(facility_pkwh or 0) / units.PER_KWH * rate[0] / units.G_PER_KG
            market += round(kg * units.PER_KG)
    return sums, market
