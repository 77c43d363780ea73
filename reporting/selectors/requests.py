"""Requests of a window: in any order, how their footprints are spread, and what makes most of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting.figures import INCLUDES, Filter
from core.accounting.models import View
from core.accounting.selectors import emissions
from core.accounting.selectors.conditions import folded_teams_of, unfolded
from core.accounting.selectors.records import (
    ABOUT,
    FIGURES,
    Window,
    quantified_window,
    record_figures,
    series_weights,
)
from core.accounting.small_groups import SMALL_GROUPS
from core.ledger.selectors import records_at
from core.ledger.windows import heaviest_of_each, key_of, time_of
from reporting.distribution import Distribution, distribution
from reporting.selectors.overview import key_of as name_of
from reporting.selectors.overview import value_or_none
from reporting.selectors.records import PAGE_ROWS, Records, matching, matching_series, named, run_of

MOST_QUANTIFIED: Final = 1_000_000
"""Records of a window that are quantified one by one; of more, a block sample stands for them."""
SAMPLE_RECORDS: Final = 100_000
AT_ONCE: Final = 5_000
"""Records whose spread is shown with the page; that of more comes after it."""
MOST_PLACED: Final = 100_000
"""Records among which one is told its place, with the ones before and after it."""

SORTS: Final = {
    "time": "started_us",
    "kg": "total_kg_co2e",
    "g": "per_request",
    "kwh": "energy_facility_kwh",
    "tokens_in": "input_tokens",
    "tokens_out": "output_tokens",
    "seconds": "generation_s",
}
"""What a list can be ordered by, and the column; a minus before it puts the largest first."""
NEWEST: Final = "-time"
TABS: Final = ("failed", "outliers")
FACETS: Final = ("application", "task", "team", "model", "region", "tier", "method", "evidence")
GROUPS: Final = ("application", "task", "model")
"""What the heaviest are named by: never by person."""
TOTAL: Final = "total_kg_co2e"


@dataclass(frozen=True)
class Reach:
    """
    Which records a window is about.

    Args:
        series: series to their records in the period, from the daily rows.
        view: the view that is read.
        folded: teams that are not told apart.
        asked: the filter, widened where it names one of them.
    """

    organization_id: int
    view: View
    series: dict[int, int]
    folded: frozenset[str]
    asked: Filter

    @property
    def total(self) -> int:
        """Count the records by the daily rows; of a run it is those of its series."""
        return sum(self.series.values())

    @property
    def sampled(self) -> bool:
        """Tell whether there are too many to be quantified one by one."""
        return self.total > MOST_QUANTIFIED

    def window(self, day: date | None = None) -> Window:
        """Quantify every record, or a block sample of about ``SAMPLE_RECORDS``; or every record of one day."""
        percent = 100 * SAMPLE_RECORDS / self.total if self.sampled and day is None else None
        time = self.asked if day is None else replace(self.asked, from_day=day, to_day=day)
        return quantified_window(
            self.organization_id,
            self.view,
            sorted(self.series),
            time.starts_at,
            time.ends_at,
            self.asked,
            self.folded,
            sample_percent=percent,
        )


def reach_of(organization_id: int, view: View | None, filtered: Filter) -> Reach | None:
    """
    Find which series a filter is about; None before anything was derived.

    Raises:
        FilterError: a record books in several scopes, so records are not told apart by them; or several runs.
    """
    run_of(filtered)
    if view is None:
        return None
    folded = folded_teams_of(organization_id)
    series = matching_series(organization_id, view, filtered)
    return Reach(organization_id, view, series, folded, unfolded(filtered, folded))


def per_request(window: Window) -> npt.NDArray[np.float64]:
    """Footprint of each record over its successful requests; NaN without any. [kg CO2e]"""
    successful = successful_of(window)
    kg = window.records[TOTAL].to_numpy(dtype=float)
    each: npt.NDArray[np.float64] = np.divide(kg, successful, out=np.full(len(kg), np.nan), where=successful > 0)
    return each


def successful_of(window: Window) -> npt.NDArray[np.float64]:
    """Successful requests of each record, 0 of corrections. [n]"""
    rows = window.records
    successful = rows["requests"].to_numpy(dtype=float) - rows["failed_requests"].to_numpy(dtype=float)
    return np.where(rows["counted"].to_numpy(dtype=bool), successful, 0.0)


def spread_of(window: Window) -> Distribution:
    """Spread a window's requests over their footprint."""
    return distribution(window.records[TOTAL].to_numpy(dtype=float), successful_of(window))


def ordered(window: Window, sort: str, tab: str = "") -> pd.DataFrame:
    """
    Put a window's records in order; what has no value for it comes last, the newest first among equals.

    Args:
        sort: a name of ``SORTS``, with a minus for the largest first.
        tab: of ``TABS``: only records with failed requests, or only those above the 99th percentile of a request.
    """
    rows = window.records.assign(per_request=per_request(window))
    if tab == "failed":
        rows = rows[rows["failed_requests"] > 0]
    elif tab == "outliers":
        limit = spread_of(window).percentiles[99]
        rows = rows[rows["per_request"] > limit] if limit is not None else rows.iloc[:0]
    column = SORTS[sort.lstrip("-")]
    values = rows[column].to_numpy(dtype=float)
    if column in ("input_tokens", "output_tokens"):
        values = np.where(values == 0, np.nan, values)  # a count that a record lacks is 0 in a window
    unknown = np.isnan(values)
    keys = np.where(unknown, 0.0, -values if sort.startswith("-") else values)
    # Equals stand as the ledger lists them: by start, series and key, the last first.
    halves = [~(rows[name].to_numpy(dtype=np.int64).view(np.uint64)) for name in ("key_low", "key_high")]
    order = np.lexsort((*halves, -rows["series_id"].to_numpy(), -rows["started_us"].to_numpy(), keys, unknown))
    return rows.iloc[order].reset_index(drop=True)


def page_of(reach: Reach, window: Window, rows: pd.DataFrame, *, after: str | None, limit: int = PAGE_ROWS) -> Records:
    """
    Read a page of a window's records in their order.

    Args:
        after: the cursor of the page before: the key of its last record.

    Raises:
        ValueError: no record of the list has this key.
    """
    start = 0 if not after else position_of(rows, after) + 1
    chosen = rows.iloc[start : start + limit]
    page = with_text(reach, window, chosen)
    cursor = str(page.rows[-1]["key"]) if page.rows and start + limit < len(rows) else None
    return Records(page.rows, cursor, len(rows), page.figures)


def heaviest_candidates(reach: Reach, *, limit: int = PAGE_ROWS) -> Records:
    """
    Find the heaviest records of a window that is too large to be quantified whole, from the heaviest of each series.

    Within a series the footprint is linear in the measures, so these are its heaviest by the factors of the window's last day;
    where factors differ within the window (own factors, meter readings, hours) a record may be missed.
    """
    weights = series_weights(reach.organization_id, reach.view, sorted(reach.series), reach.asked.to_day)
    places = heaviest_of_each(reach.organization_id, weights, reach.asked.starts_at, reach.asked.ends_at, limit)
    found = records_at(reach.organization_id, places)
    rows, figures = matching(
        reach.organization_id, found, record_figures(reach.organization_id, reach.view, found), reach.asked
    )
    order = figures.sort_values(TOTAL, ascending=False, kind="stable", na_position="last").index[:limit]
    shown = [rows[int(at)] for at in order]
    figures = figures.loc[order].reset_index(drop=True)
    return Records(named(reach.organization_id, shown, figures), None, len(shown), figures)


def with_text(reach: Reach, window: Window, rows: pd.DataFrame) -> Records:
    """Read the ids and dimensions of a window's records, in their order, beside the figures that they have there."""
    places = places_of(rows)
    found = records_at(reach.organization_id, places)
    at = {place[2]: position for position, place in enumerate(places)}
    chosen = rows.iloc[[at[row["key"]] for row in found]]
    names = window.names.iloc[chosen["name"].to_numpy(dtype=int)].reset_index(drop=True)
    figures = pd.concat([chosen[list(FIGURES)].reset_index(drop=True), names[list(ABOUT)]], axis=1)
    return Records(named(reach.organization_id, found, figures), None, len(found), figures)


def position_of(rows: pd.DataFrame, key: str) -> int:
    """Find a record by its key in hexadecimal. Raises ValueError."""
    text = key.replace("-", "")
    number = int(text, 16) if len(text) == 32 else -1
    high, low = (np.uint64(part & (2**64 - 1)).astype(np.int64) for part in (number >> 64, number))
    at = np.flatnonzero((rows["key_high"] == high) & (rows["key_low"] == low)).tolist() if number >= 0 else []
    if not at:
        raise ValueError("this cursor does not come from an earlier page: start again without it")
    return int(at[0])


def places_of(rows: pd.DataFrame) -> list[tuple[int, Any, Any]]:
    """Say where records lie: series, start and key."""
    columns = (rows[name].tolist() for name in ("series_id", "started_us", "key_high", "key_low"))
    return [(series, time_of(started), key_of(high, low)) for series, started, high, low in zip(*columns, strict=True)]


@dataclass(frozen=True)
class Group:
    """Requests of one name. ``kg_per_request`` is None without a successful one."""

    name: str
    kg: float | None
    records: int
    requests: int
    failed: int
    kg_per_request: float | None


@dataclass(frozen=True)
class Facets:
    """
    A period's counted figures by every facet.

    Args:
        rows: ``FACETS`` (text; what a folded team calls its work is small groups too), records, requests, failed_requests,
            total_kg_co2e.
        chosen: facet to the values that the filter keeps, as they stand in the rows.
    """

    rows: pd.DataFrame
    chosen: Mapping[str, tuple[str, ...]]

    def kept(self, *, but: str = "") -> pd.DataFrame:
        """Keep the rows that the facets' filters keep, one facet aside."""
        rows = self.rows
        for name, values in self.chosen.items():
            if name != but:
                rows = rows[rows[name].isin(values)]
        return rows


def facets_of(
    organization_id: int, view: View | None, filtered: Filter, allowed: Mapping[str, tuple[str, ...]]
) -> Facets:
    """
    Read figures by facet from daily rows, location-based with upstream and embodied.

    Args:
        filtered: its facets' filters are put aside, but for what narrows the asker; and its run, which daily rows do not know.
    """
    kept = {name: values for name, values in filtered.dims.items() if name not in (*FACETS, "run")} | dict(allowed)
    plain = Filter(filtered.from_day, filtered.to_day, dims=kept, by=FACETS, include=INCLUDES)
    rows = emissions(organization_id, plain, measures=("failed_requests",), bounds=False, view=view).rows
    rows = rows.assign(**{name: rows[name].map(name_of) for name in FACETS})
    small = rows["team"] == SMALL_GROUPS
    rows = rows.assign(**{name: rows[name].mask(small, SMALL_GROUPS) for name in ("application", "task")})
    chosen = {name: values for name, values in filtered.dims.items() if name in FACETS}
    folded = folded_teams_of(organization_id)
    if not folded.isdisjoint(chosen.get("team", ())):
        chosen["team"] = (*(name for name in chosen["team"] if name not in folded), SMALL_GROUPS)
    return Facets(rows, chosen)


def by_name(rows: pd.DataFrame, name: str) -> list[Group]:
    """
    Add rows up by one facet, the heaviest first.

    The footprint of a request divides what has requests by its successful ones: a ratio of sums.
    """
    served = rows["requests"] > 0
    failed = rows["failed_requests"].fillna(0)
    columns = {"records": rows["records"], "requests": rows["requests"], "failed": failed, "kg": rows[TOTAL]}
    columns |= {"successful": (rows["requests"] - failed).where(served), "served_kg": rows[TOTAL].where(served)}
    sums = pd.DataFrame(columns).groupby(rows[name]).sum(min_count=1)
    found = [
        Group(
            name=str(key),
            kg=value_or_none(own["kg"]),
            records=int(own["records"]),
            requests=int(own["requests"]),
            failed=int(own["failed"]),
            kg_per_request=own["served_kg"] / own["successful"]
            if own["successful"] > 0 and not pd.isna(own["served_kg"])
            else None,
        )
        for key, own in sums.to_dict("index").items()
    ]
    return sorted(found, key=lambda group: (-(group.kg or 0.0), group.name))
