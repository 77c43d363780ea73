"""What scenarios rewrite: daily rows of the current view added up, with the use that each was derived for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt
import pandas as pd
from django.db import connection

from core.accounting.aggregate import REPORTED, Rate, SharedErrors, with_market
from core.accounting.columns import SUFFIXES
from core.accounting.derive import DIMENSIONS
from core.accounting.figures import Filter, FilterError
from core.accounting.models import MarketRate, View
from core.accounting.pools import pools_of
from core.accounting.rewritten import own_name
from core.accounting.rows import numbers_of
from core.accounting.rules import Rules
from core.accounting.selectors.conditions import conditions, folded_teams_of, unfolded
from core.accounting.selectors.emissions import rows_table, shared_errors
from core.accounting.selectors.market import pool_rates
from core.catalog.selectors import sites_not_controlled
from core.quantification import units
from core.quantification.activity import MASK_BITS, MEASURE_COLUMNS
from core.quantification.attribute import day_number
from core.quantification.overrides import Override
from core.quantification.sampling import SHARE
from core.quantification.use import USE_TEXT

RESOLVED: Final = ("id", "series_id", "source_id", "role", *DIMENSIONS, "techniques", "method", "shared_error_id")


@dataclass(frozen=True)
class Base:
    """
    Sums of daily rows by resolved series, year and stretch in which own factors stay the same; one index for all.

    Attributes:
        resolved: dimensions as figures show them.
        cells: as `rewrite` takes them.
        sums: stored figures with market rates joined.
        cost: in the currency of the cell; NaN where none was recorded.
    """

    asked: Filter
    folded: frozenset[str]
    boundaries: npt.NDArray[np.int64]
    resolved: pd.DataFrame
    cells: pd.DataFrame
    sums: pd.DataFrame
    cost: pd.Series
    errors: SharedErrors
    rates: Mapping[tuple[str, str, int], Rate]
    sample: npt.NDArray[np.float64]


def read_base(organization_id: int, view: View, asked: Filter, rules: Rules) -> Base:
    folded = folded_teams_of(organization_id)
    widened = unfolded(asked, folded)
    boundaries = _boundaries(rules, asked)
    sums = _sums(organization_id, view, widened, boundaries)
    if sums.empty:
        raise FilterError(
            "period", "Nothing was recorded in the period that fits the filters: there is nothing to rewrite."
        )
    resolved = _resolved(organization_id, sums["resolved_id"].unique().tolist()).loc[sums["resolved_id"]]
    resolved = resolved.reset_index(drop=True)
    cells = _cells(resolved, sums, boundaries, asked.from_day)
    sample = np.array([1.0 / dict(each)[SHARE].value if SHARE in dict(each) else 1.0 for each in cells["given"]])
    for name in MEASURE_COLUMNS:
        cells[name] = sums[name].fillna(0.0).to_numpy(dtype=float) / sample
    sums = sums.assign(
        shared_error_id=resolved["shared_error_id"].to_numpy(),
        own=[
            own_name(*row)
            for row in zip(*(resolved[name] for name in ("method", "model", "hardware", "instance_type")), strict=True)
        ],
        saving="",
        saving_below=0.0,
        saving_above=0.0,
    )
    covered = pool_rates(organization_id, view.id)
    sums["pool"] = pools_of(resolved, covered.pools, sites_not_controlled(organization_id))
    errors = shared_errors(organization_id, resolved["shared_error_id"].unique().tolist())
    rates = _rates(organization_id, view, sums["year"].unique().tolist())
    return Base(
        asked=asked,
        folded=folded,
        boundaries=boundaries,
        resolved=resolved,
        cells=cells,
        sums=with_market(sums, errors, rates),
        cost=sums["nano_cost"] / units.PER_CURRENCY_UNIT,
        errors=errors,
        rates=rates,
        sample=sample,
    )


def _boundaries(rules: Rules, asked: Filter) -> npt.NDArray[np.int64]:
    """Return the days of the period (since 1970) on which some own factor begins or ends."""
    days = {day for each in rules.own_factors for day in (each.valid_from, each.valid_to) if day is not None}
    return np.array(sorted(day_number(day) for day in days if asked.from_day < day <= asked.to_day), dtype=np.int64)


def _sums(organization_id: int, view: View, asked: Filter, boundaries: npt.NDArray[np.int64]) -> pd.DataFrame:
    """Add daily rows up, of monthly sums where these are fine enough; kWh, kg and L beside the integers of measures."""
    table, day = rows_table(asked)
    dates = [date(1970, 1, 1) + timedelta(days=int(each)) for each in boundaries]
    if any(each.day != 1 for each in dates):
        table, day = "accounting_daily", "day"
    stretch = f"width_bucket(d.{day}, %s::date[])" if dates else "0"
    columns = {
        "resolved_id": "d.resolved_id",
        "year": f"extract(year from d.{day})::int",
        "stretch": stretch,
        "records": "sum(d.records)::float8",
        **{name: f"sum(d.{name})::float8" for name in MEASURE_COLUMNS},
        **{
            impact.name + suffix: f"sum(d.{impact.column}{suffix})::float8 / {impact.per_unit}"
            for impact in REPORTED
            for suffix in SUFFIXES
        },
    }
    where, values = conditions(organization_id, asked)
    selected = ", ".join(f'{expression} as "{name}"' for name, expression in columns.items())
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {selected} from {table} d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            f" where d.organization_id = %s and d.view_id = %s and d.{day} >= %s and d.{day} <= %s and {where}"
            " group by 1, 2, 3 order by 1, 2, 3",
            [*([dates] if dates else []), organization_id, view.id, asked.from_day, asked.to_day, *values],
        )
        frame = pd.DataFrame(cursor.fetchall(), columns=list(columns))
    floats = [name for name in columns if name not in ("resolved_id", "year", "stretch")]
    return frame.astype(dict.fromkeys(floats, float))


def _resolved(organization_id: int, ids: list[int]) -> pd.DataFrame:
    """Read resolved series with the use and notes of their plan, by id."""
    columns = ", ".join(f"r.{name}" for name in RESOLVED)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select {columns}, p.use::text, p.notes from accounting_resolved_series r"
            " join accounting_plan p on p.organization_id = r.organization_id and p.id = r.plan_id"
            " where r.organization_id = %s and r.id = any(%s)",
            [organization_id, ids],
        )
        frame = pd.DataFrame(cursor.fetchall(), columns=[*RESOLVED, "use", "notes"])
    return frame.set_index("id")


def _cells(
    resolved: pd.DataFrame, sums: pd.DataFrame, boundaries: npt.NDArray[np.int64], from_day: date
) -> pd.DataFrame:
    """Shape rows as `rewrite` takes them, by the names that their plans were made with."""
    read = {text: msgspec.json.decode(text) for text in resolved["use"].unique()}
    uses = [read[text] for text in resolved["use"]]
    given = {text: tuple((name, Override.from_list(each)) for name, each in use["given"]) for text, use in read.items()}
    masks = {text: sum(1 << MASK_BITS[name] for name in use["present"]) for text, use in read.items()}
    starts = np.array([day_number(from_day), *boundaries], dtype=np.int64)[sums["stretch"].to_numpy(dtype=np.int64)]
    years = numbers_of([date(int(year), 1, 1) for year in sums["year"]])
    cells = pd.DataFrame({name: [use.get(name) for use in uses] for name in USE_TEXT}, dtype=object)
    return cells.assign(
        **{name: resolved[name].to_numpy() for name in ("site", "application", "currency", "tier")},
        techniques=pd.Series([tuple(use["techniques"]) for use in uses], dtype=object),
        given=pd.Series([given[text] for text in resolved["use"]], dtype=object),
        mask=[masks[text] for text in resolved["use"]],
        year=sums["year"].to_numpy(),
        stretch=sums["stretch"].to_numpy(),
        day=np.maximum(starts, years),
        records=sums["records"].to_numpy(),
    )


def _rates(organization_id: int, view: View, years: list[int]) -> dict[tuple[str, str, int], Rate]:
    rows = MarketRate.objects.filter(
        organization_id=organization_id, view_id=view.id, period_start__year__in=years
    ).values_list("market", "pool", "period_start", "g_per_kwh", "g_per_kwh_low", "g_per_kwh_high")
    return {
        (market, pool, start.year): (value, low, high)
        for market, pool, start, value, low, high in rows
        if value is not None and low is not None and high is not None
    }
