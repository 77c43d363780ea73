"""
From partial sums to reported figures: market rates joined, parts added to a total, intervals made. Values in, values out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting.columns import (
    ADPE,
    EMBODIED,
    ENERGY_FACILITY,
    ENERGY_IT,
    LOCATION,
    MARKET,
    PRIMARY_ENERGY,
    SAMPLED,
    SUFFIXES,
    UPSTREAM,
    WATER,
    Impact,
)
from core.accounting.figures import ATTRIBUTION, UNATTRIBUTED
from core.quantification.intervals import reported_intervals
from core.quantification.market import join_market, market_based_kg_co2e
from core.quantification.sampling import widened
from core.quantification.scope import booked_scope

Floats = npt.NDArray[np.float64]

REPORTED: Final = (ENERGY_IT, ENERGY_FACILITY, LOCATION, MARKET, UPSTREAM, EMBODIED, WATER)
"""Impacts in the answer, in this order; the total stands between embodied and water."""

RESOURCES: Final = (PRIMARY_ENERGY, ADPE)
"""Impacts that are answered only where they are asked for."""

TOTAL: Final = "total_kg_co2e"
PARTS: Final = {"upstream": UPSTREAM, "embodied": EMBODIED}
BASES: Final = {"location": LOCATION, "market": MARKET}
SCOPE_OF: Final = {UPSTREAM.name: "scope_upstream", EMBODIED.name: "scope_embodied"}
"""Where an impact books; all others book where the electricity does."""


@dataclass(frozen=True)
class SharedErrors:
    """
    What groups of rows share: `core.accounting.models.SharedError`, by id.

    Args:
        group, zone_group, market: text by id; market None where no rate applies.
        widths: id to impact to ln half-widths (grid below, grid above, PUE below, PUE above); and ``SAMPLED``, where records
            were, to the relative variance of one.
    """

    group: Mapping[int, str]
    zone_group: Mapping[int, str]
    market: Mapping[int, str | None]
    widths: Mapping[int, Mapping[str, Sequence[float]]]


Rate = tuple[float, float, float]
"""g CO2e per facility kWh: value, low, high."""


def with_market(sums: pd.DataFrame, errors: SharedErrors, rates: Mapping[tuple[str, str, int], Rate]) -> pd.DataFrame:
    """
    Fill in market figures: the row's own where it has one, else facility energy times the rate of its market and year.

    A row has its own where the market figure is a fact of it, or follows the grid hour by hour and no instrument covers it.

    Args:
        sums: shared_error_id, year, pool, and ``REPORTED`` in kWh, kg CO2e and L, with low and high where those are shown;
            NaN is null.
        errors: of every shared_error_id.
        rates: by market, pool and year. A pool without a rate takes that without instruments, under the empty pool.

    Returns:
        The sums with market figures, and ``market_below`` and ``market_above``: ln half-widths of the rate, 0 without one.
    """
    error_at, error_ids = pd.factorize(sums["shared_error_id"])
    year_at, years = pd.factorize(sums["year"])
    pool_at, pools = pd.factorize(sums["pool"])
    numbers, at = np.unique((error_at * len(years) + year_at) * len(pools) + pool_at, return_inverse=True)
    parts = np.unravel_index(numbers, (len(error_ids), len(years), len(pools))) if len(numbers) else ((), (), ())
    asked = [
        (errors.market[error_ids[error]], pools[pool], years[year]) for error, year, pool in zip(*parts, strict=True)
    ]
    given = [
        rates.get((market or "", *of), rates.get((market or "", "", of[1]), (np.nan,) * 3)) for market, *of in asked
    ]
    values = np.array(given, dtype=float).reshape(-1, 3)[at]
    rate = pd.DataFrame(values, columns=["value", "low", "high"], index=sums.index)
    columns = {name: ENERGY_FACILITY.name + suffix for name, suffix in zip(rate.columns, SUFFIXES, strict=True)}
    sides = {name: suffix for name, suffix in zip(columns, SUFFIXES, strict=True) if MARKET.name + suffix in sums}
    energy = pd.DataFrame({name: sums[columns[name]] for name in sides})
    if len(sides) == len(columns):
        joined = join_market(energy, rate)
    else:
        joined = pd.DataFrame({"value": market_based_kg_co2e(energy["value"], rate["value"])})
    priced = pd.Series(np.array([market is not None for market, *_ in asked], dtype=bool)[at], index=sums.index)
    covered = np.array([bool(of[0]) and (market or "", *of) in rates for market, *of in asked], dtype=bool)[at]
    follows = priced & (sums[MARKET.name].isna() | covered)
    filled = sums.copy()
    for name, suffix in sides.items():
        column = MARKET.name + suffix
        filled[column] = joined[name].where(follows, sums[column])
    with np.errstate(divide="ignore", invalid="ignore"):
        filled["market_below"] = np.log(rate["value"] / rate["low"])
        filled["market_above"] = np.log(rate["high"] / rate["value"])
    widths = ["market_below", "market_above"]
    filled[widths] = filled[widths].replace([np.inf, -np.inf], np.nan).where(priced).fillna(0.0)
    return filled


def by_scope(sums: pd.DataFrame, impacts: Sequence[Impact] = REPORTED, measures: Sequence[str] = ()) -> pd.DataFrame:
    """
    Split each row by the scopes that its figures book in.

    Args:
        sums: scope, scope_upstream, scope_embodied, figures and measures.

    Returns:
        One row per scope of a row: counts, measures and electricity in ``scope``, upstream and embodied in theirs, all else
        null.
    """
    split = []
    counts = [name for name in sums.columns if name in _COUNTED]
    for scope in ("scope", "scope_upstream", "scope_embodied"):
        part = sums.copy()
        for impact in impacts:
            booked = SCOPE_OF.get(impact.name, "scope")
            if booked != scope:
                for suffix in SUFFIXES:
                    part[impact.name + suffix] = np.nan
        if scope != "scope":
            part[counts] = 0
            part[list(measures)] = np.nan
            figures = [impact.name for impact in impacts]
            part = part[part[figures].notna().any(axis=1)]
        split.append(part.assign(scope=part[scope]))
    return pd.concat(split, ignore_index=True).drop(columns=["scope_upstream", "scope_embodied"])


def rebooked(sums: pd.DataFrame, not_controlled: frozenset[str]) -> pd.DataFrame:
    """
    Book the rows of sites that the organization does not control where they belong; no figure changes.

    Args:
        sums: site, scope, scope_upstream, scope_embodied and figures.
        not_controlled: names of sites, in small letters.
    """
    elsewhere = (
        sums["site"].str.lower().isin(not_controlled) if not_controlled else pd.Series(data=False, index=sums.index)
    )
    if not elsewhere.any():
        return sums
    booked = sums.copy()
    for name in ("scope", "scope_upstream", "scope_embodied"):
        there = sums[name].map(lambda scope: booked_scope(scope, controlled=False), na_action="ignore")
        booked[name] = sums[name].where(~elsewhere, there)
    return booked


_COUNTED: Final = ("records", "requests")


Bounds = bool | Collection[str]
"""Which figures get an interval: all, none, or those of these names."""


def added_up(basis: str, include: Sequence[str]) -> tuple[str, ...]:
    """Name the figures that the total adds up."""
    return (BASES[basis].name, *(PARTS[part].name for part in include))


def with_interval(bounds: Bounds, added: Sequence[str], impacts: Sequence[Impact]) -> set[str]:
    """Name the figures that get an interval; that of the total needs those of what it adds up."""
    every = {impact.name for impact in impacts} | {TOTAL}
    wanted = (every if bounds else set()) if isinstance(bounds, bool) else set(bounds)
    return wanted | set(added) if TOTAL in wanted else wanted


def reported(
    sums: pd.DataFrame,
    keys: Sequence[str],
    errors: SharedErrors,
    *,
    basis: str,
    include: Sequence[str],
    measures: Sequence[str] = (),
    impacts: Sequence[Impact] = REPORTED,
    bounds: Bounds = True,
) -> pd.DataFrame:
    """
    Add partial sums up to one row per combination of keys, with reported intervals.

    Args:
        sums: the keys, shared_error_id, records, requests, ``measures``, ``impacts`` with low and high, and the widths of
            `with_market`.
        keys: what to group by; none: one row.
        errors: of every shared_error_id.
        basis, include: what is in the total.
        measures: further columns to add up.
        impacts: ``REPORTED``, or these and ``RESOURCES``.
        bounds: which figures get an interval: all, none, or those of these names. Intervals cost more than the sums.

    Returns:
        keys, records, requests, measures, then each figure (with ``_low`` and ``_high`` where it has an interval), the total
        before water. NaN
        is null. Ordered by the keys. The total's interval adds those of its parts: what they share, such as the energy,
        is thereby fully correlated (methodology 9.3), so it is never too narrow.
    """
    codes, groups = _group(sums, keys)
    size = len(groups)
    result = groups.copy()
    for name in _COUNTED:
        values = sums[name].fillna(0).to_numpy(float)
        result[name] = np.bincount(codes, weights=values, minlength=size).astype(np.int64)
    for name in measures:
        result[name] = _plain_sum(sums[name].to_numpy(float), codes, size)
    added = added_up(basis, include)
    wanted = with_interval(bounds, added, impacts)
    figures = {
        impact.name: _interval(sums, impact, codes, size, errors, bounds=impact.name in wanted) for impact in impacts
    }
    figures[TOTAL] = _total([figures[name] if TOTAL in wanted else figures[name][:1] for name in added])
    names = [impact.name for impact in impacts]
    names.insert(names.index(WATER.name), TOTAL)
    for name in names:
        for suffix, values in zip(SUFFIXES, figures[name], strict=False):
            result[name + suffix] = values
    return result


def _group(sums: pd.DataFrame, keys: Sequence[str]) -> tuple[npt.NDArray[np.int64], pd.DataFrame]:
    """Number the combinations of keys in their order, nulls last."""
    if not keys:
        size = 1 if len(sums) else 0
        return np.zeros(len(sums), dtype=np.int64), pd.DataFrame(index=range(size))
    grouped = sums.groupby(list(keys), sort=True, dropna=False, observed=True)
    groups = grouped.size().reset_index()[list(keys)]
    for key in keys:
        if groups[key].dtype == object or isinstance(groups[key].dtype, pd.StringDtype):
            groups[key] = groups[key].astype(object).where(groups[key].notna(), None)
    return np.asarray(grouped.ngroup(), dtype=np.int64), groups


def _interval(
    sums: pd.DataFrame,
    impact: Impact,
    codes: npt.NDArray[np.int64],
    size: int,
    errors: SharedErrors,
    *,
    bounds: bool,
) -> tuple[Floats, ...]:
    value = sums[impact.name].to_numpy(float)
    if not bounds:
        return (_plain_sum(value, codes, size),)
    error_codes, error_ids = pd.factorize(sums["shared_error_id"])
    zone_names, zones = np.unique([errors.zone_group[error] for error in error_ids], return_inverse=True)
    group_names, groups = np.unique([errors.group[error] for error in error_ids], return_inverse=True)
    widths = np.array([errors.widths[error].get(impact.name, (0.0,) * 4) for error in error_ids], dtype=float)
    widths = widths.reshape(-1, 4)[error_codes]
    if impact is MARKET:  # the width of the rate that was joined, which instruments narrow
        widths[:, :2] = sums[["market_below", "market_above"]].to_numpy(float)
    made = reported_intervals(
        codes,
        zones[error_codes].astype(np.int64),
        groups[error_codes].astype(np.int64),
        value,
        sums[impact.name + "_low"].to_numpy(float),
        sums[impact.name + "_high"].to_numpy(float),
        widths,
        figures=size,
        zone_names=zone_names.tolist(),
        group_names=group_names.tolist(),
    )
    variance = np.array([errors.widths[error].get(SAMPLED, (0.0,))[0] for error in error_ids], dtype=float)
    kept = sums["kept_records" if "kept_records" in sums else "records"].to_numpy(float)
    low, high = widened(made.value, made.low, made.high, codes, value, variance[error_codes], kept)
    return made.value, low, high


def _plain_sum(values: Floats, codes: npt.NDArray[np.int64], size: int) -> Floats:
    """Add what is known by code; NaN where nothing is."""
    known = ~np.isnan(values)
    total = np.bincount(codes[known], weights=values[known], minlength=size).astype(float)
    return np.where(np.bincount(codes[known], minlength=size) > 0, total, np.nan)


def _total(parts: list[tuple[Floats, ...]]) -> tuple[Floats, ...]:
    """Add what is known; null where nothing is."""
    added = []
    for side in zip(*parts, strict=True):
        stacked = np.vstack(side)
        added.append(np.where(np.isnan(stacked).all(axis=0), np.nan, np.nansum(stacked, axis=0)))
    return tuple(added)


def named_unattributed(rows: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Write ``unattributed`` where nobody is known."""
    for key in keys:
        if key in ATTRIBUTION:
            rows[key] = rows[key].astype(object).where(rows[key].notna(), UNATTRIBUTED)
    return rows


def plain_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn rows into what JSON takes: times as RFC 3339 with Z, null for NaN, whole numbers for counts."""
    columns = {name: [_plain(value) for value in rows[name]] for name in rows.columns}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _plain(value: Any) -> Any:
    if value is None or value is pd.NaT or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, pd.Timestamp):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return value.item() if isinstance(value, np.generic) else value
