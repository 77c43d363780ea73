"""Bulk reads and writes of rows of integers: PostgreSQL's binary COPY to and from numpy, without a loop over rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from django.db import DataError, connection, transaction

from core.accounting.columns import FIGURES
from core.ledger import copying
from core.quantification.activity import MEASURE_COLUMNS

Integers = npt.NDArray[np.int64]

EPOCH: Final = np.datetime64("1970-01-01", "D")
POSTGRES_DAY: Final = 10_957
"""PostgreSQL counts days from 2000-01-01; this is that day counted from 1970."""
READ_ROWS: Final = 100_000

SUMMED: Final = ("records", *MEASURE_COLUMNS)
"""What a cell adds up."""


def read_integers(query: str, parameters: Sequence[Any], columns: Sequence[str]) -> pd.DataFrame:
    """
    Run a query whose columns are all int8 and never null.

    Args:
        query: with ``%s`` for parameters.
        columns: names for the result, one for each column of the query.

    Returns:
        int64 columns, in the order of the query.
    """
    fields = dict.fromkeys(columns, ">i8")
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        blocks = list(copying.read_rows(cursor, query, parameters, fields, READ_ROWS))
    return pd.DataFrame(
        {
            name: np.concatenate([block[name] for block in blocks]) if blocks else np.empty(0, dtype=np.int64)
            for name in columns
        }
    )


def day_sums(organization_id: int, days: Sequence[date]) -> pd.DataFrame:
    """
    Sum the cells of whole days, inside the organization's scope.

    One query for each run of consecutive days: a join with a list of days was planned as nested scans of the whole table
    where the server had no statistics yet, which made a first import a hundred times slower.

    Returns:
        series_id, day (days since 1970), ``SUMMED``, ``lost``; by day and series. int64. A sum that leaves 64 bits (9.2 GWh
        of a series in a day) is 0, and ``lost`` has the bit of its position in ``MEASURE_COLUMNS`` set.
    """
    columns = ("series_id", "day", *SUMMED, "lost")
    parts = []
    for first, last in runs_of(days):
        parameters = [organization_id, _midnight(first), _midnight(last + timedelta(days=1))]
        try:
            with transaction.atomic():
                parts.append(read_integers(_day_query(_ALL_FIT), parameters, columns))
        except DataError:
            parts.append(read_integers(_day_query(_SOME_FIT), parameters, columns))
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns, dtype="int64")


def _day_query(sums: str) -> str:
    return (
        f"select series_id, ((hour at time zone 'UTC')::date - date '1970-01-01')::bigint as day, {sums} from ledger_cell"
        " where organization_id = %s and hour >= %s and hour < %s group by 2, 1 order by 2, 1"
    )


_ALL_FIT: Final = ", ".join(f"sum({name})::bigint" for name in SUMMED) + ", 0::bigint"
_FITS: Final = "abs(sum({name})) < 9223372036854775808"
_SOME_FIT: Final = (
    ", ".join(f"case when {_FITS} then sum({{name}})::bigint else 0 end".format(name=name) for name in SUMMED)
    + ", "
    + " + ".join(
        f"case when {_FITS} then 0 else {1 << position} end::bigint".format(name=name)
        for position, name in enumerate(MEASURE_COLUMNS)
    )
)
"""Twice the work, so only where the plain sums have failed."""


def runs_of(days: Sequence[date]) -> list[tuple[date, date]]:
    """
    Join consecutive days.

    >>> runs_of([date(2026, 1, 2), date(2026, 1, 1), date(2026, 1, 4)])
    [(datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)), (datetime.date(2026, 1, 4), datetime.date(2026, 1, 4))]
    """
    runs: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if runs and runs[-1][1] == day - timedelta(days=1):
            runs[-1] = (runs[-1][0], day)
        else:
            runs.append((day, day))
    return runs


def hour_cells(
    organization_id: int, starts_at: datetime, ends_at: datetime, series_ids: Sequence[int] | None = None
) -> pd.DataFrame:
    """
    Read the cells of a half-open period, of all series or of some, inside the organization's scope.

    Returns:
        series_id, hour (hours since 1970), ``SUMMED``; by hour and series. int64.
    """
    of_series = "" if series_ids is None else " and c.series_id = any(%s)"
    query = (
        f"select c.series_id, (extract(epoch from c.hour) / 3600)::bigint, {', '.join('c.' + name for name in SUMMED)}"
        f" from ledger_cell c where c.organization_id = %s and c.hour >= %s and c.hour < %s{of_series}"
        " order by c.hour, c.series_id"
    )
    parameters: list[Any] = [organization_id, starts_at, ends_at]
    if series_ids is not None:
        parameters.append(list(series_ids))
    return read_integers(query, parameters, ("series_id", "hour", *SUMMED))


def day_hours(organization_id: int, days: Sequence[date], series_ids: Sequence[int]) -> pd.DataFrame:
    """Read the cells of some series on whole days, as `hour_cells`."""
    parts = [
        hour_cells(organization_id, _midnight(first), _midnight(last + timedelta(days=1)), series_ids)
        for first, last in runs_of(days)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["series_id", "hour", *SUMMED])


def numbers_of(days: Sequence[date]) -> Integers:
    """Count days from 1970."""
    return (np.array(list(days), dtype="datetime64[D]") - EPOCH).astype(np.int64)


def dates_of(numbers: Integers) -> list[date]:
    """Turn days counted from 1970 into dates."""
    dates: list[date] = (EPOCH + numbers.astype("timedelta64[D]")).tolist()
    return dates


def append_daily(organization_id: int, view_id: int, rows: pd.DataFrame) -> None:
    """
    Append daily rows, in the caller's transaction.

    Args:
        rows: resolved_id, day (days since 1970), and some of ``FIGURES`` as (nullable) integers; the others become null.

    COPY may not write below row-level security, so rows go by way of a temporary table.
    """
    count = len(rows)
    columns = {
        "organization_id": copying.integers(np.full(count, organization_id), ">i4"),
        "view_id": copying.integers(np.full(count, view_id), ">i4"),
        "resolved_id": copying.integers(rows["resolved_id"].to_numpy(dtype=np.int64)),
        "day": copying.integers(rows["day"].to_numpy(dtype=np.int64) - POSTGRES_DAY, ">i4"),
    }
    for name in FIGURES:
        if name in rows:
            null = rows[name].isna().to_numpy(dtype=np.bool_)
            if not null.all():
                columns[name] = copying.integers(rows[name].to_numpy(dtype=np.int64, na_value=0), null=null)
    _copy("accounting_daily", columns)


def _copy(table: str, columns: Mapping[str, copying.Column]) -> None:
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute("set local client_min_messages = warning")
        cursor.execute(f"create temporary table if not exists staged_{table} (like {table}) on commit delete rows")
        copying.copy_rows(cursor.cursor, f"staged_{table}", columns)
        cursor.execute(f"insert into {table} ({names}) select {names} from staged_{table}")
        cursor.execute(f"truncate staged_{table}")


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
