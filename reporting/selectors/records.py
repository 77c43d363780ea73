"""The records behind figures: which series match a filter, and their records page by page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connection

from core.accounting.figures import Filter, FilterError
from core.accounting.selectors import current_view
from core.accounting.selectors.conditions import conditions
from core.ledger.selectors import records_page, sources

PAGE_ROWS = 50


@dataclass(frozen=True)
class Records:
    """One page of records, newest first."""

    rows: list[dict[str, Any]]
    next_cursor: str | None
    total: int | None  # records of the whole filter and period, from the daily rows; None for a run


def records(organization_id: int, filtered: Filter, *, cursor: str | None = None, limit: int = PAGE_ROWS) -> Records:
    """
    Read records whose resolved series match a filter; a run is matched by its records themselves.

    Raises:
        ValueError: the cursor was not made here.
        FilterError: a record books in several scopes, so records are not told apart by them; or several runs.
    """
    if "scope" in filtered.dims:
        raise FilterError("scope", "A record books in several scopes: take the scope filter away to see records.")
    runs = filtered.dims.get("run", ())
    if len(runs) > 1:
        raise FilterError("run", "Records are listed for one run at a time.")
    view = current_view(organization_id)
    if view is None:
        return Records([], None, 0)
    where, values = conditions(organization_id, filtered)
    with connection.cursor() as database:
        database.execute(
            "select r.series_id, sum(d.records) from accounting_daily d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            " join ledger_source s on s.organization_id = d.organization_id and s.id = r.source_id"
            f" where d.organization_id = %s and d.view_id = %s and d.day between %s and %s and {where} group by r.series_id",
            [organization_id, view.id, filtered.from_day, filtered.to_day, *values],
        )
        series = database.fetchall()
    page = records_page(
        organization_id,
        from_time=filtered.starts_at,
        to_time=filtered.ends_at,
        series_ids=[series_id for series_id, _ in series],
        run=runs[0] if runs else None,
        cursor=cursor,
        limit=limit,
    )
    names = {source.id: source.name for source in sources(organization_id)}
    rows = [row | {"source": names.get(row["source_id"], "")} for row in page.rows]
    total = None if runs else sum(int(count) for _, count in series)
    return Records(rows, page.next_cursor, total)
