"""The records behind figures: which series match a filter, and their records page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd
from django.db import connection

from core.accounting.figures import Filter, FilterError
from core.accounting.models import View
from core.accounting.selectors import current_view
from core.accounting.selectors.conditions import conditions, folded_teams_of, matches, source_names, unfolded
from core.accounting.selectors.records import any_role, record_figures
from core.accounting.small_groups import shown_names
from core.ledger.selectors import Page, records_page, sources
from core.organizations.tenancy import once_a_snapshot

PAGE_ROWS = 50


@dataclass(frozen=True)
class Records:
    """One page of records, newest first."""

    rows: list[dict[str, Any]]
    next_cursor: str | None
    total: int | None  # records of the whole filter and period, from the daily rows; None for a run
    figures: pd.DataFrame  # of each row, see `record_figures`

    @classmethod
    def none(cls) -> Records:
        """Return that there is none."""
        return cls([], None, 0, pd.DataFrame())


def records(
    organization_id: int,
    filtered: Filter,
    *,
    view: View | None = None,
    cursor: str | None = None,
    limit: int = PAGE_ROWS,
    failed: bool = False,
) -> Records:
    """
    Read records whose resolved series match a filter, newest first; a run is matched by its records themselves.

    Args:
        view: another view than the current one.
        failed: only those with failed requests.

    Raises:
        ValueError: the cursor was not made here.
        FilterError: a record books in several scopes, so records are not told apart by them; or several runs.
    """
    view = view or current_view(organization_id)
    run = run_of(filtered)
    if view is None:
        return Records.none()
    series = matching_series(organization_id, view, filtered)
    page = read_page(organization_id, filtered, series, run, cursor=cursor, limit=limit, failed=failed)
    total = None if run or failed else sum(series.values())
    rows, figures = matching(organization_id, page.rows, record_figures(organization_id, view, page.rows), filtered)
    return Records(named(organization_id, rows, figures), page.next_cursor, total, figures)


def matching(
    organization_id: int, rows: list[dict[str, Any]], figures: pd.DataFrame, filtered: Filter
) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Keep the records whose own names match: those of a series may change from one day to the next, by dated rules."""
    if not rows:
        return rows, figures
    folded = folded_teams_of(organization_id)
    asked = any_role(unfolded(filtered, folded))
    kept = matches(figures, asked, source_names(organization_id), folded).to_numpy(dtype=bool)
    return [row for row, keeps in zip(rows, kept, strict=True) if keeps], figures[kept].reset_index(drop=True)


def run_of(filtered: Filter) -> str | None:
    """Name the one run that a filter is about. Raises FilterError for what records are not told apart by."""
    if "scope" in filtered.dims:
        raise FilterError("scope", "A record books in several scopes: take the scope filter away to see records.")
    runs = filtered.dims.get("run", ())
    if len(runs) > 1:
        raise FilterError("run", "Records are listed for one run at a time.")
    return runs[0] if runs else None


@once_a_snapshot
def matching_series(organization_id: int, view: View, filtered: Filter) -> dict[int, int]:
    """Find the series whose resolved names match, with how many records they have in the period."""
    where, values = conditions(organization_id, unfolded(filtered, folded_teams_of(organization_id)))
    with connection.cursor() as database:
        database.execute(
            "select r.series_id, sum(d.records) from accounting_daily d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            f" where d.organization_id = %s and d.view_id = %s and d.day between %s and %s and {where} group by r.series_id",
            [organization_id, view.id, filtered.from_day, filtered.to_day, *values],
        )
        return {series_id: int(count) for series_id, count in database.fetchall()}


def read_page(
    organization_id: int,
    filtered: Filter,
    series: dict[int, int],
    run: str | None,
    *,
    cursor: str | None,
    limit: int,
    failed: bool,
) -> Page:
    """Read records of some series."""
    return records_page(
        organization_id,
        from_time=filtered.starts_at,
        to_time=filtered.ends_at,
        series_ids=list(series),
        run=run,
        cursor=cursor,
        limit=limit,
        failed=failed,
    )


NAMES = (
    "team",
    "project",
    "application",
    "task",
    "environment",
    "model",
    "hardware",
    "instance_type",
    "region",
    "zone",
)
"""What a record is shown under: its names in force, not those that its sender reported."""


def named(organization_id: int, rows: list[dict[str, Any]], figures: pd.DataFrame) -> list[dict[str, Any]]:
    """Name the source of each record and what it is about, its team only where it may be shown by itself."""
    names = {source.id: source.name for source in sources(organization_id)}
    folded = folded_teams_of(organization_id)
    known: list[dict[Any, Any]] = figures[[*NAMES, "method"]].to_dict("records")
    return [
        shown_names({**row, **own}, folded) | {"source": names.get(row["source_id"], "")}
        for row, own in zip(rows, known, strict=True)
    ]
