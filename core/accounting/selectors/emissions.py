"""
The figures behind every page, call and command: sums of daily rows of the current view, with reported intervals.

Sums are made of integers, in the database; they become numbers with a unit here. Intervals follow methodology 9.4: what rows
share (grid, PUE) stays shared, so the bounds of parts do not add up to those of the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from django.db import connection

from core.accounting.columns import IMPACTS, MARKET, SUFFIXES, Impact
from core.accounting.figures import UNATTRIBUTED, Filter
from core.accounting.intervals import reported_intervals
from core.accounting.models import SharedError
from core.accounting.selectors.conditions import condition, dimension, slot
from core.accounting.selectors.views import current_view, watermark
from core.quantification import units
from core.quantification.activity import MEASURES

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

COUNTS: Final = {
    "requests": ("requests", 1),
    "failed_requests": ("failed_requests", 1),
    "input_tokens": ("input_tokens", 1),
    "cached_input_tokens": ("cached_input_tokens", 1),
    "output_tokens": ("output_tokens", 1),
}
"""Further sums of the result: column to measure and how many integers make one."""
assert set(COUNTS) <= {measure.column for measure in MEASURES}  # noqa: S101  # a renamed measure must not pass unnoticed

FIGURES: Final = tuple(impact.name for impact in IMPACTS)
TOTAL: Final = "total_kg_co2e"
VALUES: Final = (
    "energy_it_kwh",
    "energy_facility_kwh",
    "location_kg_co2e",
    "market_kg_co2e",
    "upstream_kg_co2e",
    "embodied_kg_co2e",
    TOTAL,
    "water_l",
    "primary_energy_mj",
    "adpe_kg_sbeq",
)
"""Order of the figures in a result; each comes with ``_low`` and ``_high``."""
NO_WIDTH: Final = (0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class EmissionsResult:
    """
    What was asked for.

    Attributes:
        rows: one for each slot and group. Columns: ``start`` (datetime64 UTC, not for grain total); one for each dimension of
            ``filter.by`` under its name (None is unknown, ``unattributed`` where nobody is known); ``records``; ``COUNTS``
            (float64, NaN is unknown); then ``VALUES``, each with ``_low`` and ``_high``. [kWh, kg CO2e, L, MJ, kg Sb-eq]
        as_of: every record written before is in the figures; None before anything was derived.
        filter: what was asked.
    """

    rows: pd.DataFrame
    as_of: datetime | None
    filter: Filter


def emissions(organization_id: int, filtered: Filter) -> EmissionsResult:
    """Sum figures of the current view over a period, in the organization's scope."""
    columns = [*(["start"] if filtered.grain != "total" else []), *filtered.by]
    view = current_view(organization_id)
    if view is None:
        return EmissionsResult(shaped(columns, pd.DataFrame(), {}, {}), None, filtered)
    sums = grouped_sums(organization_id, view.id, filtered, columns)
    errors = shared_errors(organization_id, sums["shared_error_id"].unique() if len(sums) else [])
    return EmissionsResult(result_rows(sums, columns, errors, filtered), watermark(organization_id), filtered)


def grouped_sums(organization_id: int, view_id: int, filtered: Filter, columns: list[str]) -> pd.DataFrame:
    """
    Sum daily rows by slot, dimensions, shared errors and market rate.

    Returns:
        ``columns``, shared_error_id, rate, rate_low, rate_high [g CO2e/kWh], records, counts, every impact's sums as stored
        (object: int or None), and ``joined`` + suffix: facility energy of rows whose market figure follows from a rate.
    """
    groups = [
        *([slot(filtered.grain)] if filtered.grain != "total" else []),
        *(dimension(name) for name in filtered.by),
    ]
    keys = [*groups, "r.shared_error_id", "m.g_per_kwh", "m.g_per_kwh_low", "m.g_per_kwh_high"]
    names = [*columns, "shared_error_id", "rate", "rate_low", "rate_high"]
    totals = {"records": "sum(d.records)"}
    totals |= {name: f"sum(d.{column})" for name, (column, _) in COUNTS.items()}
    for impact in IMPACTS:
        totals |= {impact.name + suffix: f"sum(d.{impact.column}{suffix})" for suffix in SUFFIXES}
    energy = "energy_facility_pkwh"
    totals |= {
        f"joined{suffix}": f"sum(d.{energy}{suffix}) filter (where d.market_nkg is null and e.market is not null)"
        for suffix in SUFFIXES
    }
    where, values = condition(filtered)
    query = (
        f"select {', '.join([*keys, *totals.values()])} from accounting_daily d"
        " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
        " join accounting_sharederror e on e.organization_id = d.organization_id and e.id = r.shared_error_id"
        " join ledger_source s on s.organization_id = d.organization_id and s.id = r.source_id"
        " left join accounting_marketrate m on m.organization_id = d.organization_id and m.view_id = d.view_id"
        " and m.market = e.market and m.pool = e.pool and d.day >= m.period_start and d.day < m.period_end"
        f" where d.organization_id = %s and d.view_id = %s and d.day between %s and %s{where}"
        f" group by {', '.join(str(number) for number in range(1, len(keys) + 1))}"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [organization_id, view_id, filtered.from_day, filtered.to_day, *values])
        return pd.DataFrame(cursor.fetchall(), columns=[*names, *totals], dtype=object)


def shared_errors(organization_id: int, ids: Any) -> dict[int, SharedError]:
    """Read how the errors of rows go together."""
    return SharedError.objects.filter(organization_id=organization_id).in_bulk([int(each) for each in ids])


def result_rows(
    sums: pd.DataFrame, columns: list[str], errors: Mapping[int, SharedError], filtered: Filter
) -> pd.DataFrame:
    """Turn grouped sums into the rows of the result, ordered by slot and names."""
    if sums.empty:
        return shaped(columns, pd.DataFrame(), {}, {})
    for name in filtered.by:
        if name in UNATTRIBUTED_DIMS:
            sums[name] = sums[name].where(sums[name].notna(), UNATTRIBUTED)
    if columns:
        keyed = [sums[name].map(lambda value: ("", "") if value is None else ("x", value)) for name in columns]
        figure, labels = pd.factorize(pd.Series(list(zip(*keyed, strict=True))), sort=True)
        keys = pd.DataFrame(
            [[None if kind == "" else value for kind, value in label] for label in labels],
            columns=columns,
            dtype=object,
        )
    else:
        figure, keys = np.zeros(len(sums), dtype=np.int64), pd.DataFrame(index=[0])
    figure = figure.astype(np.int64)
    counts = {
        name: summed(figure, as_floats(sums[name], per_unit), len(keys))
        for name, per_unit in (("records", 1), *((name, unit) for name, (_, unit) in COUNTS.items()))
    }
    items = items_of(sums)
    items[TOTAL] = total_of(items, filtered)
    widths = {error.id: error.widths for error in errors.values()}
    zone, group = (
        pd.factorize(sums["shared_error_id"].map(lambda each, field=field: getattr(errors[each], field)), sort=True)[0]
        for field in ("zone_group", "group")
    )
    figures: dict[str, tuple[Floats, Floats, Floats]] = {}
    for name, (value, low, high) in items.items():
        shared = f"{filtered.basis}_kg_co2e" if name == TOTAL else name
        width = np.array([widths[each].get(shared, NO_WIDTH) for each in sums["shared_error_id"]], dtype=float)
        figures[name] = reported_intervals(
            figure, zone.astype(np.int64), group.astype(np.int64), value, low, high, width, figures=len(keys)
        )
    return shaped(columns, keys, counts, figures)


UNATTRIBUTED_DIMS: Final = frozenset({"team", "project", "application", "task", "environment"})


def items_of(sums: pd.DataFrame) -> dict[str, tuple[Floats, Floats, Floats]]:
    """Convert stored sums to numbers with a unit; the market figure is joined with its rate."""
    found = {}
    for impact in IMPACTS:
        value, low, high = (as_floats(sums[impact.name + suffix], impact.per_unit) for suffix in SUFFIXES)
        found[impact.name] = market_of(sums, impact, value, low, high) if impact is MARKET else (value, low, high)
    return found


def market_of(
    sums: pd.DataFrame, impact: Impact, value: Floats, low: Floats, high: Floats
) -> tuple[Floats, Floats, Floats]:
    """Add what follows from a market's rate to what is a fact of the row itself. [kg CO2e]"""
    energy = [as_floats(sums[f"joined{suffix}"], units.PER_KWH) for suffix in SUFFIXES]
    rate = [sums[name].astype(float).to_numpy() for name in ("rate", "rate_low", "rate_high")]
    joined = energy[0] * rate[0] / units.G_PER_KG
    with np.errstate(divide="ignore", invalid="ignore"):
        below = np.hypot(np.log(energy[0] / energy[1]), np.log(rate[0] / rate[1]))
        above = np.hypot(np.log(energy[2] / energy[0]), np.log(rate[2] / rate[0]))
    joined_low = np.where(joined > 0.0, joined * np.exp(-below), joined)
    joined_high = np.where(joined > 0.0, joined * np.exp(above), joined)
    return (added(value, joined), added(low, joined_low), added(high, joined_high))


def total_of(items: Mapping[str, tuple[Floats, Floats, Floats]], filtered: Filter) -> tuple[Floats, Floats, Floats]:
    """Add the included parts to the chosen basis; unknown where the basis is unknown. [kg CO2e]"""
    parts = [items[f"{filtered.basis}_kg_co2e"], *(items[f"{name}_kg_co2e"] for name in filtered.include)]
    value, low, high = (np.array(bound, copy=True) for bound in parts[0])
    for part in parts[1:]:
        value, low, high = (
            np.where(np.isnan(whole), np.nan, whole + np.nan_to_num(one))
            for whole, one in zip((value, low, high), part, strict=True)
        )
    return value, low, high


def as_floats(column: pd.Series, per_unit: int) -> Floats:
    """Convert exact integers (Python int, Decimal or None) to the unit; None becomes NaN."""
    return np.array([np.nan if value is None else int(value) / per_unit for value in column], dtype=float)


def added(one: Floats, other: Floats) -> Floats:
    """Add two columns; a missing one counts for nothing, both missing stays missing."""
    both = np.isnan(one) & np.isnan(other)
    return np.where(both, np.nan, np.nan_to_num(one) + np.nan_to_num(other))


def summed(figure: Integers, values: Floats, size: int) -> Floats:
    """Sum by figure; NaN where no value is known."""
    known = ~np.isnan(values)
    total = np.bincount(figure[known], weights=values[known], minlength=size).astype(float)
    total[np.bincount(figure[known], minlength=size) == 0] = np.nan
    return total


def shaped(
    columns: list[str],
    keys: pd.DataFrame,
    counts: Mapping[str, Floats],
    figures: Mapping[str, tuple[Floats, Floats, Floats]],
) -> pd.DataFrame:
    """Put the result's columns in their order, also when it has no row."""
    rows: dict[str, Any] = {name: keys[name].to_numpy() if name in keys else [] for name in columns}
    if "start" in rows and len(keys):
        rows["start"] = pd.to_datetime(pd.Series(rows["start"]), utc=True)
    for name in ("records", *COUNTS):
        rows[name] = counts.get(name, np.empty(0))
    for name in VALUES:
        for suffix, bound in zip(SUFFIXES, figures.get(name, (np.empty(0),) * 3), strict=True):
            rows[name + suffix] = bound
    frame = pd.DataFrame(rows)
    if len(frame):
        frame["records"] = frame["records"].fillna(0).astype(np.int64)
    return frame
