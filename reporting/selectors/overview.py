"""What the overview says: the headline, how it stands against the limit, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import pandas as pd

from core.accounting.figures import UNATTRIBUTED, Filter
from core.accounting.selectors import EmissionsResult, emissions, watermark
from reporting.selectors.targets import limits_kg_co2e

MOST_ROWS: Final = 5
MEASURED_SCORE: Final = 2
"""Data quality up to this score counts as measured (methodology 9.1)."""


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
class Overview:
    """Everything on the page but its words."""

    total: Amount
    other_basis: Amount
    energy_facility: Amount
    water: Amount
    previous_kg: float | None
    records: int
    requests: int
    kg_per_1000_requests: float | None
    previous_kg_per_1000_requests: float | None
    limit_kg: float | None
    shares: dict[str, float]
    trend: pd.DataFrame
    slots: pd.DatetimeIndex
    grain: str
    slot_limits: pd.Series | None
    teams: list[Row]
    models: list[Row]
    as_of: datetime | None


def overview(organization_id: int, filtered: Filter, comparison: Filter | None, *, today: date) -> Overview:
    """
    Read everything that the overview shows, from daily rows of the current view.

    Args:
        filtered: period, filters, basis and parts; its grouping is not looked at.
        comparison: the period to compare with, or None.
        today: UTC; slots after it are not drawn.
    """
    plain = replace(filtered, by=(), grain="total")
    before = replace(comparison, by=(), grain="total") if comparison else None
    totals = emissions(organization_id, plain)
    total = first(totals)
    previous = first(emissions(organization_id, before, bounds=False)) if before else None
    other = "market" if filtered.basis == "location" else "location"
    other_total = first(emissions(organization_id, replace(plain, basis=other)))
    grain = grain_for(plain)
    slots = slots_of(plain, grain, today)
    limits = limits_kg_co2e(organization_id, [stretch(slot, grain, plain) for slot in slots])
    requests = count(total, "requests")
    return Overview(
        total=amount(total, "total_kg_co2e"),
        other_basis=amount(other_total, "total_kg_co2e"),
        energy_facility=amount(total, "energy_facility_kwh"),
        water=amount(total, "water_l"),
        previous_kg=number(previous, "total_kg_co2e"),
        records=count(total, "records"),
        requests=requests,
        kg_per_1000_requests=per_1000(organization_id, plain),
        previous_kg_per_1000_requests=per_1000(organization_id, before) if before else None,
        limit_kg=limits_kg_co2e(organization_id, [(plain.from_day, plain.to_day)])[0],
        shares=evidence_shares(organization_id, plain),
        trend=trend_by_stage(
            emissions(organization_id, replace(plain, by=("stage",), grain=grain), bounds=False), plain, slots
        ),
        slots=slots,
        grain=grain,
        slot_limits=pd.Series(limits, index=slots, dtype=float) if any(limit is not None for limit in limits) else None,
        teams=ranked(organization_id, plain, before, "team"),
        models=ranked(organization_id, plain, before, "model"),
        as_of=totals.as_of,
    )


def per_1000(organization_id: int, filtered: Filter) -> float | None:
    """
    Ratio of sums: emissions of what serves requests over the requests, times 1,000. None without requests. [kg CO2e]

    Only inference is in the numerator: training has no requests, and would make the figure depend on what was trained.
    """
    inference = (
        filtered if "stage" in filtered.dims else replace(filtered, dims={**filtered.dims, "stage": ("inference",)})
    )
    rows = emissions(organization_id, replace(inference, by=("model",)), bounds=False).rows
    if rows.empty:
        return None
    served = rows[rows["requests"].fillna(0) > 0]
    requests = float(served["requests"].sum())
    kg = served["total_kg_co2e"].sum(min_count=1)
    return None if not requests or pd.isna(kg) else float(kg) / requests * 1000


def evidence_shares(organization_id: int, filtered: Filter) -> dict[str, float]:
    """Share of the total by evidence, largest first; empty when there is nothing."""
    rows = emissions(organization_id, replace(filtered, by=("evidence",)), bounds=False).rows
    if rows.empty or not rows["total_kg_co2e"].sum() > 0:
        return {}
    shares = rows.set_index("evidence")["total_kg_co2e"] / rows["total_kg_co2e"].sum()
    return {str(name): float(share) for name, share in shares.sort_values(ascending=False).items() if share > 0}


def ranked(organization_id: int, filtered: Filter, before: Filter | None, dim: str) -> list[Row]:
    """List the entities of one dimension, the largest first, unattributed among them."""
    rows = emissions(organization_id, replace(filtered, by=(dim, "evidence")), bounds=False).rows
    if rows.empty:
        return []
    totals = emissions(organization_id, replace(filtered, by=(dim,)), measures=("output_tokens",)).rows
    earlier: dict[str, float] = {}
    if before is not None:
        past = emissions(organization_id, replace(before, by=(dim,)), bounds=False).rows
        earlier = {} if past.empty else dict(zip(past[dim].map(key_of), past["total_kg_co2e"], strict=True))
    sum_kg = totals["total_kg_co2e"].sum()
    found = []
    for position in np.argsort(-totals["total_kg_co2e"].fillna(-1).to_numpy(), kind="stable"):
        row = totals.iloc[int(position)]
        key = key_of(row[dim])
        parts = rows[rows[dim].map(key_of) == key]
        kg = amount(row, "total_kg_co2e")
        tokens = number(row, "output_tokens")
        found.append(
            Row(
                key=key,
                label=key,
                kg=kg,
                previous_kg=value_or_none(earlier.get(key)),
                share=kg.value / sum_kg if kg.value is not None and sum_kg else None,
                per_1000_tokens_kg=kg.value / tokens * 1000 if tokens and kg.value is not None else None,
                evidence=str(parts.loc[parts["total_kg_co2e"].fillna(-1).idxmax(), "evidence"]),
            )
        )
    return found


def as_of_figures(organization_id: int) -> datetime | None:
    """Tell up to when ingested records are in the figures."""
    return watermark(organization_id)


def key_of(value: object) -> str:
    """Name an entity as filters do; null is unattributed."""
    return UNATTRIBUTED if value is None or pd.isna(value) else str(value)  # type: ignore[call-overload]


def trend_by_stage(result: EmissionsResult, filtered: Filter, slots: pd.DatetimeIndex) -> pd.DataFrame:
    """
    Turn rows by slot and stage into the long table of the trend: stages' electricity, then upstream and embodied.

    Columns ``starts_at``, ``series``, ``value`` [kg CO2e].
    """
    rows = result.rows
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
    return long[long["value"].notna()].groupby(["starts_at", "series"], as_index=False)["value"].sum()


def grain_for(filtered: Filter) -> str:
    """Choose slots that are few enough to tell apart: days to a month, weeks to half a year, months to three years."""
    days = (filtered.to_day - filtered.from_day).days + 1
    return "day" if days <= 35 else "week" if days <= 190 else "month" if days <= 1100 else "quarter"


def slots_of(filtered: Filter, grain: str, today: date) -> pd.DatetimeIndex:
    """List the begins of all slots of the period up to today, UTC; the first is the period's first day."""
    last = max(min(filtered.to_day, today), filtered.from_day)
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
