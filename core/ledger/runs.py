"""Runs by their senders' ids: how long each was, in which series, and how much of its devices it used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import pandas as pd
from django.db import connection

from core.organizations.tenancy import organization_scope

COLUMNS: Final = ("run", "series_id", "records", "started_at", "ended_at", "device_hours", "known_hours", "used_hours")


def run_extents(
    organization_id: int,
    from_time: datetime,
    to_time: datetime,
    *,
    names: Sequence[str] | None = None,
    limit: int = 1_000,
) -> pd.DataFrame:
    """
    Read the runs with records that start in [from_time, to_time), those that began last first.

    Args:
        names: only these.
        limit: most rows; a run has one for each series.

    Returns:
        run, series_id, records (corrections are none), started_at, ended_at, device_hours, known_hours (of which the utilization
        was reported), used_hours (these times their utilization). NaN where nothing was reported. [h]
    """
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select run, series_id, count(*) filter (where corrects is null), min(started_at), max(ended_at),"
            " sum(device_hours), sum(device_hours) filter (where device_utilization is not null),"
            " sum(device_hours * device_utilization) from ledger_record"
            " where organization_id = %s and run is not null and started_at >= %s and started_at < %s"
            " and (%s::text[] is null or run = any(%s)) group by run, series_id order by 4 desc, 1, 2 limit %s",
            [organization_id, from_time, to_time, *[None if names is None else list(names)] * 2, limit],
        )
        frame = pd.DataFrame(cursor.fetchall(), columns=list(COLUMNS))
    for name in ("device_hours", "known_hours", "used_hours"):
        frame[name] = frame[name].astype(float)
    for name in ("started_at", "ended_at"):
        frame[name] = pd.to_datetime(frame[name], utc=True)
    return frame


def run_names_like(organization_id: int, text: str, limit: int) -> list[str]:
    """
    List runs whose id holds a text, in the order of their names; each is looked up in the index, never all records.

    Args:
        limit: most names; the first runs are looked through, a hundred times as many.
    """
    query = """
        with recursive names as (
            (select run, 1 as number from ledger_record where organization_id = %(organization)s and run is not null
             order by run limit 1)
            union all
            select (select run from ledger_record where organization_id = %(organization)s and run > names.run
                    order by run limit 1), number + 1
            from names where names.run is not null and number < %(most)s
        )
        select run from names where run is not null and strpos(lower(run), lower(%(text)s)) > 0 limit %(limit)s
    """
    values: dict[str, str | int] = {"organization": organization_id, "text": text, "most": limit * 100, "limit": limit}
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(query, values)
        return [name for (name,) in cursor.fetchall()]
