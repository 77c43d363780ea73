"""Runs by their senders' ids: how long each was, in which series, and how much of its devices it used."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from django.db import connection

from core.ledger import reading, staging
from core.organizations.tenancy import organization_scope
from core.quantification.activity import MEASURE_COLUMNS

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


def extent_of_run(organization_id: int, run: str) -> tuple[datetime, datetime, int] | None:
    """Tell when a run's first record starts and its last one ends (UTC), and how many it has; None: no record names it."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select min(started_at), max(ended_at), count(*) filter (where corrects is null) from ledger_record"
            " where organization_id = %s and run = %s",
            [organization_id, run],
        )
        started_at, ended_at, records = cursor.fetchone()
    return None if started_at is None else (started_at.astimezone(UTC), ended_at.astimezone(UTC), int(records))


def records_of_runs(organization_id: int, names: Sequence[str], from_time: datetime, to_time: datetime) -> pd.DataFrame:
    """
    Read the records of some runs that start in [from_time, to_time), in one question.

    Returns:
        `run`, then what `quantify` needs of them: `series_id`, `started_at`, `ended_at` (datetime64[us, UTC]), `counted`
        (False: a correction) and ``MEASURE_COLUMNS`` (int64); by time.
    """
    condition = "organization_id = %s and run = any(%s) and started_at >= %s and started_at < %s"
    values = [organization_id, list(names), from_time, to_time]
    query = (
        f"select {staging.share_columns('false')}, array_position(%s::text[], run)::bigint from ledger_record"
        f" where {condition} order by started_at, key"
    )
    rows = reading.arrays(organization_id, query, [list(names), *values], {**staging.SHARE_FIELDS, "run_number": ">i8"})
    frame = _units_of(rows)
    frame.insert(0, "run", np.array([*names, ""], dtype=object)[rows["run_number"] - 1])
    return frame


def runs(organization_id: int, from_time: datetime, to_time: datetime, limit: int = 1_000) -> pd.DataFrame:
    """List runs with records that start in [from_time, to_time): `run`, `records`, `started_at`, `ended_at`, newest first."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select run, count(*) filter (where corrects is null), min(started_at), max(ended_at) from ledger_record"
            " where organization_id = %s and run is not null and started_at >= %s and started_at < %s"
            " group by run order by 3 desc, 1 limit %s",
            [organization_id, from_time, to_time, limit],
        )
        return pd.DataFrame(cursor.fetchall(), columns=["run", "records", "started_at", "ended_at"])


def live_runs(organization_id: int, names: Sequence[str], since: datetime) -> list[str]:
    """Return those runs that have a record which ends after a time."""
    if not names:
        return []
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select name from unnest(%s::text[]) as n(name) where exists (select 1 from ledger_record r"
            " where r.organization_id = %s and r.run = n.name and r.ended_at > %s)",
            [list(names), organization_id, since],
        )
        return [name for (name,) in cursor.fetchall()]


def _units_of(rows: npt.NDArray[np.void]) -> pd.DataFrame:
    """Turn rows read with ``SHARE_FIELDS`` into the columns of ``records_of_runs`` after its first."""
    shares = staging.shares_of(rows)
    frame = pd.DataFrame(shares.measures, columns=list(MEASURE_COLUMNS))
    frame.insert(0, "series_id", shares.series_id)
    frame.insert(1, "started_at", reading.times(pd.Series(rows["started_at"])))
    frame.insert(2, "ended_at", reading.times(pd.Series(rows["ended_at"])))
    frame.insert(3, "counted", shares.counted)
    return frame
