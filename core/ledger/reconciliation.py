"""The law of the ledger: its records, spread over hours, equal the cells exactly (architecture.md section 8, law 2)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import numpy as np
import pandas as pd
from django.db import connection, transaction

from core.ledger import copying, reading, staging
from core.organizations.tenancy import organization_scope
from core.quantification import cells
from core.quantification.activity import MEASURE_COLUMNS

NAMES: Final = ("records", *MEASURE_COLUMNS)
LOW_BITS: Final = 32
Sums = dict[tuple[int, date], list[int]]


def reconcile_ledger(organization_id: int, from_day: date, to_day: date) -> pd.DataFrame:
    """
    Compare ledger and cells in the hours of some UTC days, both included.

    The ledger's records are read in blocks and spread with the function that the writer uses. Both sides are read in one
    snapshot of the database, so writers may go on meanwhile (not so inside a transaction that is open already).

    Returns:
        The differences: `source_id`, `month` (first day), `measure`, `ledger`, `cells` (Python integers in the units of cells).
        Empty when all is well.
    """
    alone = not connection.in_atomic_block
    with transaction.atomic():
        if alone:
            with connection.cursor() as cursor:
                cursor.execute("set transaction isolation level repeatable read")
        return _differences(organization_id, from_day, to_day)


def _differences(organization_id: int, from_day: date, to_day: date) -> pd.DataFrame:
    with organization_scope(organization_id):
        with connection.cursor() as cursor:
            cursor.execute("select id, source_id from ledger_series where organization_id = %s", [organization_id])
            source_of = dict(cursor.fetchall())
        found = _combined(_cells_by_series(organization_id, from_day, to_day), source_of)
        expected = _combined(_ledger_by_series(organization_id, from_day, to_day), source_of)
    zero = [0] * len(NAMES)
    rows = [
        (source_id, month, name, ledger, held)
        for source_id, month in sorted(found.keys() | expected.keys())
        for name, ledger, held in zip(
            NAMES, expected.get((source_id, month), zero), found.get((source_id, month), zero), strict=True
        )
        if ledger != held
    ]
    return pd.DataFrame(rows, columns=["source_id", "month", "measure", "ledger", "cells"], dtype=object)


def _combined(by_series: Sums, source_of: dict[int, int]) -> Sums:
    sums: Sums = {}
    for (series_id, month), values in by_series.items():
        held = sums.setdefault((source_of[series_id], month), [0] * len(NAMES))
        for position, value in enumerate(values):
            held[position] += value
    return sums


def _cells_by_series(organization_id: int, from_day: date, to_day: date) -> Sums:
    sums = ", ".join(f"sum({name})" for name in NAMES)
    with connection.cursor() as cursor:
        cursor.execute(
            f"select series_id, date_trunc('month', hour at time zone 'UTC')::date, {sums} from ledger_cell"
            " where organization_id = %s and hour >= %s and hour < %s group by 1, 2",
            [organization_id, reading.midnight(from_day), reading.midnight(to_day + timedelta(days=1))],
        )
        return {(row[0], row[1]): [int(value) for value in row[2:]] for row in cursor.fetchall()}


def _ledger_by_series(organization_id: int, from_day: date, to_day: date) -> Sums:
    start, end = reading.midnight(from_day), reading.midnight(to_day + timedelta(days=1))
    columns = staging.share_columns("l.grain = 'day'")
    query = (
        f"select {columns} from ledger_record r"
        " join ledger_series l on l.organization_id = r.organization_id and l.id = r.series_id"
        " where r.organization_id = %s and r.started_at < %s and greatest(r.ended_at, r.started_at) >= %s"
    )
    sums: Sums = {}
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        parameters = [organization_id, end, start]
        for block in copying.read_rows(cursor, query, parameters, staging.SHARE_FIELDS, staging.READ_ROWS):
            for series_id, hour, values in staging.cells_of(staging.shares_of(block)):
                _add(sums, series_id, hour, values, start.timestamp(), end.timestamp())
    return sums


def _add(
    sums: Sums, series_id: cells.Integers, hour: cells.Integers, values: cells.Integers, start: float, end: float
) -> None:
    """Add cells to the sums of their series and month, in Python's integers: a year of a large organization leaves 64 bits."""
    inside = (hour >= start * 1e6) & (hour < end * 1e6)
    series_id, hour, values = series_id[inside], hour[inside], values[inside]
    if not len(hour):
        return
    months = hour.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    order = np.lexsort((months, series_id))
    series_id, months, values = series_id[order], months[order], values[order]
    begins = np.flatnonzero(np.r_[True, (np.diff(series_id) != 0) | (np.diff(months) != 0)])
    high = np.add.reduceat(values >> LOW_BITS, begins, axis=0)
    low = np.add.reduceat(values & (2**LOW_BITS - 1), begins, axis=0)
    for at, series, month in zip(range(len(begins)), series_id[begins].tolist(), months[begins], strict=True):
        first = np.datetime64(int(month), "M").astype("datetime64[D]").astype(date)
        held = sums.setdefault((series, first), [0] * len(NAMES))
        for position in range(len(NAMES)):
            held[position] += (int(high[at, position]) << LOW_BITS) + int(low[at, position])
