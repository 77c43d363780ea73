"""
Days of grids with hourly factors: what a day's sum says about its hours is asked of them, and the hours add up to the day.

Only what the hourly factor is in (location, losses, a market figure that follows the location) is made hour by hour; each hour
is rounded to the stored integers before the sum. All else follows from the day's sums as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting.columns import LOCATION, MARKET, SUFFIXES, UPSTREAM
from core.quantification import cells, units
from core.quantification.activity import MEASURE_COLUMNS
from core.quantification.grid_series import HOURS_A_DAY
from core.quantification.plan import Plan
from core.quantification.quantify import COLUMNS, Quantified, apply_plans
from core.quantification.series_grid import GRID_SERIES, Profile

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

FOLLOWING: Final = (LOCATION, MARKET, UPSTREAM)
"""Impacts that an hourly factor can be in."""
_AT: Final = tuple(COLUMNS.index(impact.name + suffix) for impact in FOLLOWING for suffix in SUFFIXES)
HOUR_US: Final = 3600 * 1_000_000


@dataclass(frozen=True)
class ByHour:
    """
    The rows whose plans have hourly factors, from their hours.

    Args:
        row: positions of the rows. [n]
        impacts: before rounding, kg CO2e, columns of `FOLLOWING` with low and high. [n, 9]
        integers: rounded in each hour, then added up. [n, 9]
        weight: the factor that each row took over the quarter's mean, where the row is one hour; else NaN. [n]
    """

    row: Integers
    impacts: Floats
    integers: Integers
    weight: Floats


def hourly_series(frame: pd.DataFrame, profiles: Mapping[str, Profile]) -> list[int]:
    """
    Name the series that may take an hourly factor.

    Args:
        frame: series_id and given, as `core.accounting.derive.understand` makes them.
    """
    chosen = [
        any(name == GRID_SERIES and own.id in profiles for name, own in given) for given in frame["given"].tolist()
    ]
    return sorted({int(each) for each in frame.loc[chosen, "series_id"]})


def spread(records: pd.DataFrame, by_day: npt.NDArray[np.bool_]) -> pd.DataFrame:
    """
    Share records out over the hours they touch, as the ledger shares them out to cells.

    Args:
        records: started_at, ended_at, ``MEASURE_COLUMNS`` (integers), records, and what else is to be kept. [n]
        by_day: records that say nothing about hours. [n]

    Returns:
        One row for each hour: the columns but started_at and ended_at, hour and day (since 1970), ``whole_day`` where it stands
        for the whole day. A record is counted in the first of its hours.
    """
    shares = cells.spread_over_hours(
        cells.microseconds(records["started_at"]),
        cells.microseconds(records["ended_at"]),
        by_day,
        records[list(MEASURE_COLUMNS)].to_numpy(dtype=np.int64),
    )
    kept = records.drop(columns=["started_at", "ended_at", *MEASURE_COLUMNS]).iloc[shares.row].reset_index(drop=True)
    hour = shares.hour // HOUR_US
    return kept.assign(
        records=np.where(shares.first, kept["records"].to_numpy(dtype=np.int64), 0),
        hour=hour,
        day=hour // HOURS_A_DAY,
        whole_day=by_day[shares.row],
        **{name: shares.measures[:, position] for position, name in enumerate(MEASURE_COLUMNS)},
    )


def weigh(
    quantified: Quantified,
    rows: pd.DataFrame,
    hours: pd.DataFrame | None,
    by_day: npt.NDArray[np.bool_],
    profiles: Mapping[str, Profile],
) -> ByHour | None:
    """
    Make the impacts of rows with hourly plans from their hours.

    Args:
        rows: series_id and day; and hour, where each row is one; and part, where rows have parts of their own. [n]
        hours: cells (series_id, hour, measures; part) of every row with an hourly plan that is not an hour itself.
        by_day: rows that say nothing about hours: each hour of the day has 1/24 of them. [n]

    Returns:
        None where no plan is hourly.

    Raises:
        LookupError: hours of a row are not there, so its figure cannot be made.
    """
    hourly = np.array([plan.hourly is not None for plan in quantified.plans], dtype=bool)
    chosen = np.flatnonzero(hourly[quantified.code]) if len(quantified.code) else np.empty(0, dtype=np.int64)
    if not len(chosen):
        return None
    own = "hour" in rows
    if own:
        part, measured = chosen, rows.iloc[chosen]
    else:
        part, measured = _hours_of(rows, chosen, hours)
    weight, values = _values(quantified, part, measured, by_day[part], profiles)
    position = np.searchsorted(chosen, part)
    integers = np.zeros((len(chosen), len(_AT)), dtype=np.int64)
    impacts = np.zeros((len(chosen), len(_AT)))
    known = np.nan_to_num(values, nan=0.0)
    fits = np.abs(known) * units.PER_KG < 2.0**62
    np.add.at(integers, position, np.rint(np.where(fits, known, 0.0) * units.PER_KG).astype(np.int64))
    np.add.at(impacts, position, values)
    return ByHour(chosen, impacts, integers, weight if own else np.full(len(chosen), np.nan))


def _hours_of(rows: pd.DataFrame, chosen: Integers, hours: pd.DataFrame | None) -> tuple[Integers, pd.DataFrame]:
    """Find each hour's row among the chosen ones."""
    names = ["series_id", "day", *(["part"] if "part" in rows else [])]
    keys = rows.iloc[chosen][names].assign(row=chosen)
    found = (
        hours if hours is not None else pd.DataFrame(columns=["series_id", "hour", "part", *MEASURE_COLUMNS])
    ).copy()
    found["day"] = found["hour"] // HOURS_A_DAY
    joined = found.merge(keys, on=names, how="inner")
    if joined["row"].nunique() != len(chosen):
        raise LookupError("The hours behind some days of an hourly grid were not read.")
    return joined["row"].to_numpy(dtype=np.int64), joined


def _values(
    quantified: Quantified,
    part: Integers,
    measured: pd.DataFrame,
    by_day: npt.NDArray[np.bool_],
    profiles: Mapping[str, Profile],
) -> tuple[Floats, Floats]:
    """Quantify hours, each by its own factor. [m], [m, 9]"""
    code, plans = np.unique(quantified.code[part], return_inverse=True)
    used = [quantified.plans[each] for each in code]
    weight = np.ones(len(part))
    hour = measured["hour"].to_numpy(dtype=np.int64)
    for position, plan in enumerate(used):
        own = plans == position
        weight[own] = profiles[plan.hourly or ""].weights(hour[own], by_day[own])
    measures = {name: measured[name].to_numpy(dtype=np.int64) for name in MEASURE_COLUMNS if name in measured}
    at_mean = apply_plans(used, plans, measures, len(part))[:, _AT]
    follows = apply_plans([_following(plan) for plan in used], plans, measures, len(part))[:, _AT]
    return weight, at_mean + (weight - 1.0)[:, None] * follows


def _following(plan: Plan) -> Plan:
    """Return the part of a plan that the hourly factor is in."""
    return replace(plan, coefficients=plan.hourly_coefficients, base=np.zeros_like(plan.base))


def with_hours(quantified: Quantified, weighed: ByHour) -> Quantified:
    """Put what hours make into impacts before they are rounded."""
    values = quantified.impacts.to_numpy(copy=True)
    values[weighed.row[:, None], np.array(_AT)] = weighed.impacts
    impacts = pd.DataFrame(values, index=quantified.impacts.index, columns=quantified.impacts.columns)
    return Quantified(impacts, quantified.code, quantified.plans)


def put_integers(columns: dict[str, pd.arrays.IntegerArray], weighed: ByHour) -> None:
    """Put the sums of rounded hours in the place of rounded days; null stays null."""
    names = [impact.column + suffix for impact in FOLLOWING for suffix in SUFFIXES]
    for position, name in enumerate(names):
        array = columns[name].copy()
        there = ~np.asarray(array.isna())[weighed.row]
        array[weighed.row[there]] = weighed.integers[there, position]
        columns[name] = array
