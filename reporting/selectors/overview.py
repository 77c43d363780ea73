"""What the overview says: the headline, how it stands against the limit, and where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import pandas as pd

from core.accounting.figures import INCLUDES, UNATTRIBUTED, Filter
from core.accounting.models import View
from core.accounting.selectors import EmissionsResult, emissions, watermark
from reporting.query import METRICS
from reporting.selectors.limits import limits_kg_co2e
from reporting.selectors.periods import Activity, covered_share, elapsed
from reporting.selectors.projection import Projection, is_projected, projection_of

TOTAL: Final = "total_kg_co2e"
LEADING: Final = (TOTAL, "energy_facility_kwh", "water_l")
"""The figures that the overview shows with their interval."""
MIXED: Final = ("team", "model", "stage", "provider", "region", "evidence", "source", "account")
PLACE: Final = "place"
"""A provider together with one of its regions: `SEPARATOR` stands between them in a key, which no name holds."""
SEPARATOR: Final = "\0"


@dataclass(frozen=True)
class Amount:
    """A figure with its reported interval; None is unknown. [kg CO2e, kWh or L]"""

    value: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Row:
    """One entity of a ranked table."""

    key: str  # its value in a filter
    label: str
    kg: Amount
    previous_kg: float | None
    share: float | None
    per_1000_tokens_kg: float | None
    evidence: str  # measured, modelled, stated: the one that makes most of it


@dataclass(frozen=True)
class Limits:
    """
    What the limits allow. [kg CO2e]

    Args:
        so_far: over the days that have passed since the first activity; ``days`` are how many.
        to_the_end: from the same day to the end of the period.
        slots: over each slot, for the line of the chart.
        path: from the first activity to the end of each slot.
    """

    so_far: float | None = None
    days: int = 0
    to_the_end: float | None = None
    slots: pd.Series | None = None
    path: pd.Series | None = None


@dataclass(frozen=True)
class Overview:
    """Everything on the page but its words."""

    total: Amount
    other_basis_kg: float | None
    energy_facility: Amount
    water: Amount
    water_share: float | None  # share of the facility energy whose water is known
    previous_kg: float | None
    records: int
    requests: int
    kg_per_1000_requests: float | None
    previous_kg_per_1000_requests: float | None
    passed: tuple[date, date]  # first and last day of the period that can have figures
    limits: Limits
    projection: Projection | None  # of an open period with enough history
    coverage: tuple[float, float] | None  # shares of this and the compared period that lie after the first activity
    shares: dict[str, float]
    metric: str  # which of METRICS the trend is about
    trend: pd.DataFrame  # starts_at, series, value [kg CO2e, of the intensity per 1,000 requests]
    slots: pd.DatetimeIndex
    grain: str
    teams: list[Row]
    models: list[Row]
    places: list[Row]  # by provider and region
    stages: list[Row]  # electricity by stage, then upstream and embodied: they sum to the total
    sources: pd.DataFrame  # source, account, records and total by both
    as_of: datetime | None


def overview(
    organization_id: int,
    filtered: Filter,
    comparison: Filter | None,
    *,
    view: View | None,
    activity: Activity,
    today: date,
    metric: str = METRICS[0],
) -> Overview:
    """
    Read everything that the overview shows, from daily rows of the current view.

    Args:
        filtered: period, filters, basis and parts; its grouping is not looked at.
        comparison: the period to compare with, or None.
        view: the view that is read, the same for every part of the page.
        activity: the days that have figures.
        metric: what the trend is of, one of METRICS.
        today: UTC; slots after it are drawn only where a period is projected to its end.
    """
    plain = replace(filtered, by=(), grain="total")
    totals = emissions(organization_id, plain, bounds=LEADING, view=view)
    total = first(totals)
    grain = grain_for(plain)
    now = mixed(organization_id, plain, view)
    then = mixed(organization_id, replace(comparison, by=(), grain="total"), view) if comparison else None
    projected = is_projected(plain, today)
    ahead = projected and metric in ("emissions", "target")
    slots = slots_of(plain, grain, plain.to_day if ahead else today)
    stretches = [stretch(slot, grain, plain) for slot in slots]
    projection = None
    if projected:
        projection = projection_of(organization_id, plain, view=view, span=activity, slots=stretches, today=today)
    limits, passed = Limits(), elapsed(plain, activity, today)
    if limit_applies(plain):
        limits = limits_of(organization_id, passed, plain.to_day, slots, stretches)
    return Overview(
        total=amount(total, TOTAL),
        other_basis_kg=other_basis(total, plain),
        energy_facility=amount(total, "energy_facility_kwh"),
        water=amount(total, "water_l"),
        water_share=known_share(now, "water_l"),
        previous_kg=None if then is None else sum_of(then[TOTAL]),
        coverage=None
        if comparison is None
        else (covered_share(plain, activity, today), covered_share(comparison, activity, today)),
        records=count(total, "records"),
        requests=count(total, "requests"),
        kg_per_1000_requests=per_1000(now),
        previous_kg_per_1000_requests=None if then is None else per_1000(then),
        passed=passed,
        limits=limits,
        projection=projection,
        shares=evidence_shares(now),
        metric=metric,
        trend=trend_of(organization_id, metric, plain, view, slots, grain),
        slots=slots,
        grain=grain,
        teams=ranked_rows(now, then, "team"),
        models=ranked_rows(now, then, "model"),
        places=ranked_rows(now, then, PLACE),
        stages=ranked_rows(by_part(now, plain), None if then is None else by_part(then, plain), "stage"),
        sources=now.groupby(["source", "account"], dropna=False)[["records", TOTAL]].sum().reset_index(),
        as_of=totals.as_of,
    )


def limit_applies(filtered: Filter) -> bool:
    """Tell whether a figure is the one that limits are about: everything, location-based, with all of its parts."""
    whole = not filtered.dims and filtered.role == ("counted",) and filtered.booking == "life-cycle"
    return whole and filtered.basis == "location" and set(filtered.include) == set(INCLUDES)


def limits_of(
    organization_id: int,
    passed: tuple[date, date],
    to_day: date,
    slots: pd.DatetimeIndex,
    stretches: list[tuple[date, date]],
) -> Limits:
    """
    Read what the limits allow.

    Args:
        passed: first and last of the days that have passed since the first activity.
        to_day: last day of the period.
        stretches: first and last day of each slot.
    """
    begin, last = passed
    ways = [(begin, max(begin, end)) for _first, end in stretches]
    so_far, whole, *rest = limits_kg_co2e(organization_id, [passed, (begin, max(begin, to_day)), *stretches, *ways])
    each = pd.Series(rest[: len(slots)], index=slots, dtype=float)
    path = pd.Series(rest[len(slots) :], index=slots, dtype=float)
    path[[end < begin for _first, end in stretches]] = float("nan")  # nobody reported yet
    return Limits(
        so_far,
        (last - begin).days + 1,
        whole,
        each if each.notna().any() else None,
        path if path.notna().any() else None,
    )


def mixed(organization_id: int, filtered: Filter, view: View | None = None) -> pd.DataFrame:
    """Read a period's figures by everything that the page groups by, without intervals: the one frame behind its parts."""
    return emissions(
        organization_id,
        replace(filtered, by=MIXED),
        measures=("output_tokens", "failed_requests"),
        bounds=False,
        view=view,
    ).rows


def known_share(rows: pd.DataFrame, figure: str) -> float | None:
    """Tell for which share of the facility energy a figure is known; None without energy."""
    energy = sum_of(rows["energy_facility_kwh"])
    known = sum_of(rows.loc[rows[figure].notna(), "energy_facility_kwh"])
    return None if not energy else (known or 0.0) / energy


def other_basis(total: pd.Series | None, filtered: Filter) -> float | None:
    """Give the total by the other basis: the parts that the total includes are the same. [kg CO2e]"""
    here, there = f"{filtered.basis}_kg_co2e", "market_kg_co2e" if filtered.basis == "location" else "location_kg_co2e"
    values = [number(total, name) for name in (TOTAL, here, there)]
    if any(value is None for value in values):
        return None
    whole, part, other = (float(value or 0.0) for value in values)
    return whole - part + other


def per_1000(rows: pd.DataFrame) -> float | None:
    """Give the emissions per 1,000 successful requests of all rows together, see `per_1000_by`. [kg CO2e]"""
    return per_1000_by(rows, pd.Series("", index=rows.index)).get("")


def per_1000_by(rows: pd.DataFrame, keys: pd.Series) -> dict[str, float | None]:
    """
    Ratio of sums by key: emissions of inference that has requests over its successful requests, times 1,000. [kg CO2e]

    Failed requests emit and serve nobody (methodology 2.9). Training has no requests, and would make the figure depend on what
    was trained. None without a successful request; a key without inference that has requests is left out.
    """
    served = rows[(rows["stage"] == "inference") & (rows["requests"] > 0)]
    columns = served[["requests", "failed_requests", TOTAL]]
    sums = columns.groupby(keys[served.index]).sum(min_count=1).fillna({"failed_requests": 0.0})
    successful = (sums["requests"] - sums["failed_requests"]).tolist()
    return {
        str(key): None if number <= 0 or pd.isna(kg) else float(kg) / float(number) * 1000
        for key, number, kg in zip(sums.index, successful, sums[TOTAL].tolist(), strict=True)
    }


def evidence_shares(rows: pd.DataFrame) -> dict[str, float]:
    """Share of the total by evidence, largest first; empty when there is nothing."""
    return evidence_shares_by(rows, pd.Series("", index=rows.index)).get("", {})


def evidence_shares_by(rows: pd.DataFrame, keys: pd.Series) -> dict[str, dict[str, float]]:
    """Share of each key's total by evidence, largest first; empty, or not there, when there is nothing."""
    sums = rows[TOTAL].groupby([keys.rename("key"), rows["evidence"]]).sum().reset_index()
    parts: dict[str, dict[str, float]] = {}
    for key, name, kg in zip(*(sums[column].tolist() for column in ("key", "evidence", TOTAL)), strict=True):
        parts.setdefault(str(key), {})[str(name)] = kg
    return {key: shares_of(own) for key, own in parts.items()}


def shares_of(parts: dict[str, float]) -> dict[str, float]:
    """Share of each part in their sum, largest first; those of nothing are left out, and all where the sum is nothing."""
    whole = sum(parts.values())
    if not whole > 0:
        return {}
    ordered = sorted(parts.items(), key=lambda part: -part[1])
    return {name: value / whole for name, value in ordered if value > 0}


def ranked(organization_id: int, filtered: Filter, before: Filter | None, dim: str, *, view: View | None) -> list[Row]:
    """List the entities of one dimension with their intervals, the largest first, unattributed among them."""
    plain = replace(filtered, by=(), grain="total")
    then = mixed(organization_id, replace(before, by=(), grain="total"), view) if before else None
    rows = ranked_rows(mixed(organization_id, plain, view), then, dim)
    return bounded(organization_id, filtered, rows, dim, view=view)


def leading(rows: list[Row], most: int | None) -> list[Row]:
    """Pick so many of the largest rows, and what names nobody wherever it ranks; all where ``most`` is None."""
    return [row for at, row in enumerate(rows) if most is None or at < most or row.key == UNATTRIBUTED]


def not_listed(rows: list[Row], listed: list[Row]) -> tuple[int, float]:
    """Count the rows that are not listed, and sum their emissions. [entities, kg CO2e]"""
    return len(rows) - len(listed), sum(row.kg.value or 0.0 for row in rows) - sum(
        row.kg.value or 0.0 for row in listed
    )


def bounded(organization_id: int, filtered: Filter, rows: list[Row], dim: str, *, view: View | None) -> list[Row]:
    """Give ranked entities of one dimension, all of a period or the leading ones, their intervals."""
    if not rows:
        return []
    by = ("provider", "region") if dim == PLACE else (dim,)
    asked = replace(filtered, by=by, grain="total")
    if dim != PLACE:
        asked = replace(asked, dims={**filtered.dims, dim: tuple(row.key for row in rows)})
    found = emissions(organization_id, asked, bounds=(TOTAL,), view=view).rows
    found = found.assign(key=keys_of(found, dim))
    amounts = {row["key"]: amount(row, TOTAL) for _, row in found.iterrows()}
    return [replace(row, kg=amounts[row.key]) for row in rows]


def ranked_rows(now: pd.DataFrame, then: pd.DataFrame | None, dim: str) -> list[Row]:
    """Rank the entities of one dimension, without intervals."""
    if now.empty:
        return []
    keyed = now.assign(key=keys_of(now, dim), evidence=now["evidence"].fillna(""))
    sums = keyed.groupby("key")[TOTAL].sum(min_count=1)
    generating = keyed[(keyed["stage"] == "inference") & (keyed["output_tokens"] > 0)]
    tokens = generating.groupby("key")[[TOTAL, "output_tokens"]].sum(min_count=1)
    earlier = pd.Series(dtype=float)
    if then is not None and len(then):
        earlier = then.assign(key=keys_of(then, dim)).groupby("key")[TOTAL].sum(min_count=1)
    by_evidence = keyed.assign(kg=keyed[TOTAL].fillna(-1.0)).groupby(["key", "evidence"])["kg"].sum().reset_index()
    strongest = by_evidence.sort_values("kg", ascending=False, kind="stable").drop_duplicates("key")
    evidence = dict(zip(strongest["key"], strongest["evidence"], strict=True))
    whole = sum_of(sums)
    served, inference, before = tokens["output_tokens"].to_dict(), tokens[TOTAL].to_dict(), earlier.to_dict()
    order = sums.fillna(-1.0).sort_values(ascending=False, kind="stable").index
    found = []
    for key, value in sums.reindex(order).items():
        kg = value_or_none(value)
        output_tokens, generating_kg = value_or_none(served.get(key)), value_or_none(inference.get(key))
        found.append(
            Row(
                key=str(key),
                label=str(key),
                kg=Amount(kg, None, None),
                previous_kg=value_or_none(before.get(key)),
                share=kg / whole if kg is not None and whole else None,
                per_1000_tokens_kg=generating_kg / output_tokens * 1000
                if output_tokens and generating_kg is not None
                else None,
                evidence=str(evidence[key]),
            )
        )
    return found


def keys_of(rows: pd.DataFrame, dim: str) -> pd.Series:
    """Name the entity of each row as filters do."""
    if dim != PLACE:
        return rows[dim].map(key_of)
    return rows["provider"].map(key_of) + SEPARATOR + rows["region"].map(key_of)


def by_part(rows: pd.DataFrame, filtered: Filter) -> pd.DataFrame:
    """Take the total of each row apart: the electricity of its stage, then the parts that are included as stages of their own."""
    electricity = rows.assign(**{TOTAL: rows[f"{filtered.basis}_kg_co2e"]})
    parts = [rows.assign(stage=part, **{TOTAL: rows[f"{part}_kg_co2e"]}) for part in filtered.include]
    return pd.concat([electricity, *(part[part[TOTAL].notna()] for part in parts)], ignore_index=True)


def sum_of(column: pd.Series) -> float | None:
    """Sum what is known; None when nothing is."""
    return value_or_none(column.sum(min_count=1))


def as_of_figures(organization_id: int) -> datetime | None:
    """Tell up to when ingested records are in the figures."""
    return watermark(organization_id)


def key_of(value: object) -> str:
    """Name an entity as filters do; null is unattributed."""
    return UNATTRIBUTED if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]


def trend_of(
    organization_id: int, metric: str, plain: Filter, view: View | None, slots: pd.DatetimeIndex, grain: str
) -> pd.DataFrame:
    """Read the long table of the trend: ``starts_at``, ``series``, ``value``."""
    if metric == "intensity":
        rows = mixed(organization_id, replace(plain, grain=grain), view)
        each = {} if rows.empty else {start: per_1000(own) for start, own in rows.groupby("start")}
        return long_table(each, "intensity", slots)
    by = "evidence" if metric == "measured" else "stage"
    rows = emissions(organization_id, replace(plain, by=(by,), grain=grain), bounds=False, view=view).rows
    if by == "stage":
        return trend_by_stage(rows, plain, slots)
    rows = rows[rows["evidence"].notna()]
    parts = [
        long_table(dict(zip(own["start"], own[TOTAL], strict=True)), str(name), slots) for name, own in rows.groupby(by)
    ]
    return pd.concat(parts) if parts else long_table({}, by, slots)


def long_table(values: Mapping[Any, float | None], series: str, slots: pd.DatetimeIndex) -> pd.DataFrame:
    """Write one series of a trend; a week that began before the period is drawn from its first day."""
    starts = pd.to_datetime(list(values), utc=True)
    starts = starts.where(starts >= slots[0], slots[0])
    return pd.DataFrame({"starts_at": starts, "series": series, "value": pd.Series(list(values.values()), dtype=float)})


def trend_by_stage(rows: pd.DataFrame, filtered: Filter, slots: pd.DatetimeIndex) -> pd.DataFrame:
    """
    Turn rows by slot and stage into the long table of the trend: stages' electricity, then upstream and embodied.

    Columns ``starts_at``, ``series``, ``value`` [kg CO2e].
    """
    if rows.empty:
        return pd.DataFrame({"starts_at": pd.DatetimeIndex([], tz=UTC), "series": [], "value": []})
    starts = pd.to_datetime(rows["start"], utc=True)
    starts = starts.where(
        starts >= slots[0], slots[0]
    )  # a week that began before the period is drawn from its first day
    parts = [
        pd.DataFrame(
            {"starts_at": starts, "series": rows["stage"].map(key_of), "value": rows[f"{filtered.basis}_kg_co2e"]}
        )
    ]
    parts += [
        pd.DataFrame({"starts_at": starts, "series": part, "value": rows[f"{part}_kg_co2e"]})
        for part in filtered.include
    ]
    long = pd.concat(parts)
    return long[long["value"].notna()].groupby(["starts_at", "series"])["value"].sum().reset_index()


def grain_for(filtered: Filter) -> str:
    """Choose slots that are few enough to tell apart: days to a month, weeks to half a year, months to three years."""
    days = (filtered.to_day - filtered.from_day).days + 1
    return "day" if days <= 35 else "week" if days <= 190 else "month" if days <= 1100 else "quarter"


def slots_of(filtered: Filter, grain: str, until: date) -> pd.DatetimeIndex:
    """List the begins of all slots of the period up to a day, UTC; the first is the period's first day."""
    last = max(min(filtered.to_day, until), filtered.from_day)
    slot, starts = filtered.from_day, []
    while slot <= last:
        starts.append(slot)
        slot = following(slot, grain)
    return pd.DatetimeIndex(starts).tz_localize(UTC)


def following(slot: date, grain: str) -> date:
    """Find the begin of the next slot: the next day, Monday, first of a month, or first of a quarter."""
    if grain == "day":
        return slot + timedelta(days=1)
    if grain == "week":
        return slot + timedelta(days=7 - slot.weekday())
    months = 1 if grain == "month" else 3 - (slot.month - 1) % 3
    index = slot.year * 12 + slot.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def stretch(slot: pd.Timestamp, grain: str, filtered: Filter) -> tuple[date, date]:
    """Give first and last day of a slot, inside the period."""
    start = slot.date()
    return start, min(following(start, grain) - timedelta(days=1), filtered.to_day)


def first(result: EmissionsResult) -> pd.Series | None:
    """Return the only row of an ungrouped result, or None when there is nothing."""
    return None if result.rows.empty else result.rows.iloc[0]


def amount(row: pd.Series | None, name: str) -> Amount:
    """Read a figure and its interval."""
    return Amount(number(row, name), number(row, f"{name}_low"), number(row, f"{name}_high"))


def number(row: pd.Series | None, name: str) -> float | None:
    return None if row is None or name not in row else value_or_none(row[name])


def count(row: pd.Series | None, name: str) -> int:
    value = number(row, name)
    return 0 if value is None else int(value)


def value_or_none(value: object) -> float | None:
    return None if value is None or pd.isna(value) else float(value)  # type: ignore[call-overload, arg-type]
