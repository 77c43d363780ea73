"""One run closer: its phases, its power, and what it would have emitted elsewhere or at other hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Final

import numpy as np
import pandas as pd

from core.accounting.columns import EMBODIED, LOCATION, UPSTREAM
from core.accounting.derive import figures
from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.rules import Rules
from core.accounting.selectors.conditions import folded_teams_of
from core.accounting.selectors.on_read import run_sums
from core.accounting.selectors.records import quantified_window
from core.accounting.selectors.rules import rules_of
from core.factors.selectors import pack_of
from core.ledger.runs import run_extents
from core.ledger.selectors import series_by_id
from reporting.selectors.overview import Amount, sum_of

MOST_SLOTS: Final = 240
HOUR_US: Final = 3_600_000_000
ELSEWHERE: Final = ("SE", "FR", "GB", "ES", "US", "DE", "CN", "IN", "PL")
"""Grids to compare with beside the organization's own: from nearly carbon-free to coal."""
SHIFTS_H: Final = tuple(range(24))


@dataclass(frozen=True)
class Phase:
    """A stage of a run. [kg CO2e, kWh]"""

    stage: str
    kg: float | None
    facility_kwh: float | None
    records: int


def phases_of(parts: pd.DataFrame) -> list[Phase]:
    """Split a run's figures by stage, the heaviest first."""
    found = [
        Phase(
            stage=str(stage) if isinstance(stage, str) else "unattributed",
            kg=sum_of(own["total_kg_co2e"]),
            facility_kwh=sum_of(own["energy_facility_kwh"]),
            records=int(own["records"].sum()),
        )
        for stage, own in parts.groupby("stage", dropna=False)
    ]
    return sorted(found, key=lambda phase: -(phase.kg or 0.0))


def power_of(organization_id: int, view: View, asked: Filter) -> pd.DataFrame:
    """
    Spread the energy of a run's records evenly over their time, in up to ``MOST_SLOTS`` slots of whole hours.

    Returns:
        ``starts_at`` (UTC), ``hours`` (length of the slot), ``value``: mean power at the facility in the slot [kW]. A slot
        without records has no row: nothing is drawn through it. Empty where no record has both energy and a duration.
    """
    run = asked.dims["run"][0]
    extents = run_extents(organization_id, asked.starts_at, asked.ends_at, names=[run])
    window = quantified_window(
        organization_id,
        view,
        sorted(extents["series_id"].tolist()),
        asked.starts_at,
        asked.ends_at,
        asked,
        folded_teams_of(organization_id),
    ).records
    rows = window[(window["ended_us"] > window["started_us"]) & window["energy_facility_kwh"].notna()]
    return power_slots(
        rows["started_us"].to_numpy(), rows["ended_us"].to_numpy(), rows["energy_facility_kwh"].to_numpy(dtype=float)
    )


def power_slots(
    started_us: np.ndarray[tuple[int], np.dtype[np.int64]],
    ended_us: np.ndarray[tuple[int], np.dtype[np.int64]],
    kwh: np.ndarray[tuple[int], np.dtype[np.float64]],
) -> pd.DataFrame:
    """
    Give the mean power of slots from intervals with their energy; columns as `power_of`.

    >>> hour = 3_600_000_000
    >>> frame = power_slots(np.array([0, hour]), np.array([2 * hour, 2 * hour]), np.array([4.0, 1.0]))
    >>> frame["value"].tolist()
    [2.0, 3.0]
    """
    if not len(kwh):
        return pd.DataFrame({"starts_at": pd.DatetimeIndex([], tz=UTC), "hours": [], "value": []})
    first, last = int(started_us.min()) // HOUR_US, -(-int(ended_us.max()) // HOUR_US)
    length = max(1, -(-(last - first) // MOST_SLOTS))
    count = -(-(last - first) // length)
    width = length * HOUR_US
    energy, covered = np.zeros(count), np.zeros(count, dtype=bool)
    for start, end, own in zip(started_us.tolist(), ended_us.tolist(), kwh.tolist(), strict=True):
        begin = (start - first * HOUR_US) // width
        until = -(-(end - first * HOUR_US) // width)
        for slot in range(begin, until):
            low = first * HOUR_US + slot * width
            energy[slot] += own * (min(end, low + width) - max(start, low)) / (end - start)
            covered[slot] = True
    at = np.flatnonzero(covered)
    starts = pd.to_datetime((first + at * length) * 3600, unit="s", utc=True)
    return pd.DataFrame({"starts_at": starts, "hours": length, "value": energy[at] / length})


@dataclass(frozen=True)
class Elsewhere:
    """What a run would have emitted in another grid: electricity and upstream by its factors, all else as it was. [kg CO2e]"""

    zone: str
    kg: Amount
    own: bool


@dataclass(frozen=True)
class AtOtherHours:
    """What a run would have emitted had it begun so many hours later, by the hourly factors of its grid. [kg CO2e]"""

    shift_h: int
    kg: float


def elsewhere_of(organization_id: int, view: View, asked: Filter, zones: Sequence[str]) -> list[Elsewhere]:
    """
    Derive a run's records again with another grid zone, through the same core and factors; the lightest first.

    Regions, sites, PUE, hardware and the organization's own factors stay as they are; what is asked is the grid alone.

    Args:
        zones: that the run has, or had; they are compared with ``ELSEWHERE``.
    """
    rules = rules_of(organization_id)
    rows, series = rows_of(organization_id, asked, rules)
    found = []
    for zone in dict.fromkeys((*zones, *ELSEWHERE)):
        kg = total_of(view, rows, series.assign(zone=zone), rules)
        if kg.value is not None:
            found.append(Elsewhere(zone, kg, zone in zones))
    return sorted(found, key=lambda each: each.kg.value or 0.0)


def other_hours_of(organization_id: int, view: View, asked: Filter) -> list[AtOtherHours]:
    """Derive a run's records again with each start of the day ahead; [] where no grid of it has hourly factors."""
    rules = rules_of(organization_id)
    if not rules.profiles:
        return []
    rows, series = rows_of(organization_id, asked, rules)
    found = []
    for shift in SHIFTS_H:
        hour = rows["hour"] + shift
        kg = total_of(view, rows.assign(hour=hour, day=hour // 24), series, rules)
        if kg.value is not None:
            found.append(AtOtherHours(shift, kg.value))
    same = len({round(each.kg, 9) for each in found}) < 2
    return [] if same else found


def rows_of(organization_id: int, asked: Filter, rules: Rules) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Read the sums of a run's records by series and day, or hour where some grid is hourly, and their series."""
    rows = run_sums(organization_id, asked, by_hour=bool(rules.profiles))
    series = series_by_id(organization_id, rows["series_id"].unique().tolist())
    return rows, series.rename_axis("series_id").reset_index()


def total_of(view: View, rows: pd.DataFrame, series: pd.DataFrame, rules: Rules) -> Amount:
    """Derive rows and add them up: location-based, upstream, embodied; bounds are those of rows, fully correlated."""
    derived = figures(rows, series, rules, pack_of(view.factor_set.content_hash), view.methodology, sampled=False)
    sides = []
    for suffix in ("", "_low", "_high"):
        parts = [derived.rows[part.column + suffix].sum(min_count=1) for part in (LOCATION, UPSTREAM, EMBODIED)]
        known = [float(part) / LOCATION.per_unit for part in parts if not pd.isna(part)]
        sides.append(sum(known) if not pd.isna(parts[0]) else None)
    return Amount(*sides)
