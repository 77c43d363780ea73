"""The cells as they were before some batches came: now less what those batches added, for one session, and nothing is written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final
from uuid import UUID

import numpy as np
import pandas as pd
from django.db import connection

from core.ledger import copying, staging
from core.organizations.tenancy import organization_scope
from core.quantification.activity import MEASURE_COLUMNS

SUMMED: Final = ("records", *MEASURE_COLUMNS)


def batches_of(organization_id: int, from_time: datetime, to_time: datetime) -> pd.DataFrame:
    """
    List what batches wrote of a time, by source.

    Args:
        from_time, to_time: records that start in [from_time, to_time).

    Returns:
        batch_id, source_id, records (corrections are none) and corrections.
    """
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select r.batch_id, s.source_id, count(*) filter (where r.corrects is null),"
            " count(*) filter (where r.corrects is not null) from ledger_record r"
            " join ledger_series s on s.organization_id = r.organization_id and s.id = r.series_id"
            " where r.organization_id = %s and r.started_at >= %s and r.started_at < %s group by 1, 2 order by 1, 2",
            [organization_id, from_time, to_time],
        )
        return pd.DataFrame(cursor.fetchall(), columns=["batch_id", "source_id", "records", "corrections"])


@contextmanager
def cells_before(
    organization_id: int, batches: Sequence[UUID], from_time: datetime, to_time: datetime, *, corrected: bool
) -> Iterator[None]:
    """
    Let this session read the cells of a time as they were before some batches; other sessions see what is.

    A temporary table stands before the real one under its name, so whatever reads cells here reads these. Nothing may be
    delivered by this session meanwhile.

    Args:
        from_time, to_time: whole days; outside them there are no cells then.
        corrected: what the batches corrected stays corrected; only what they added is left out.
    """
    sums = ", ".join(f"sum({name})::bigint as {name}" for name in SUMMED)
    columns = ", ".join(("organization_id", "hour", "series_id", *SUMMED))
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute("drop table if exists pg_temp.later_cell")
        cursor.execute(
            f"create temporary table later_cell on commit preserve rows as select {columns} from public.ledger_cell limit 0"
        )
        _take_back(organization_id, batches, to_time, corrected=corrected)
        cursor.execute(
            f"create temporary table ledger_cell on commit preserve rows as select organization_id, hour, series_id, {sums}"
            f" from (select {columns} from public.ledger_cell where organization_id = %s and hour >= %s and hour < %s"
            f" union all select {columns} from pg_temp.later_cell where hour >= %s and hour < %s) c"
            f" group by 1, 2, 3 having {' or '.join(f'sum({name}) <> 0' for name in SUMMED)}",
            [organization_id, from_time, to_time, from_time, to_time],
        )
        cursor.execute("drop table pg_temp.later_cell")
        cursor.execute("create index on pg_temp.ledger_cell (hour)")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("drop table if exists pg_temp.ledger_cell")


def _take_back(organization_id: int, batches: Sequence[UUID], to_time: datetime, *, corrected: bool) -> None:
    """Stage the cells of the batches' records with the other sign."""
    query = (
        f"select {staging.share_columns(_BY_DAY)} from ledger_record r where organization_id = %s and batch_id = any(%s)"
        f" and started_at < %s{' and corrects is null' if corrected else ''}"
    )
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        parameters = [organization_id, list(batches), to_time]
        blocks = list(copying.read_rows(cursor, query, parameters, staging.SHARE_FIELDS, staging.READ_ROWS))
    for rows in blocks:
        for series_id, hour, sums in staging.cells_of(staging.shares_of(rows)):
            of_table = {
                "organization_id": copying.integers(np.full(len(hour), organization_id), ">i4"),
                "series_id": copying.integers(series_id),
                "hour": copying.times(hour),
                **{name: copying.integers(-sums[:, position]) for position, name in enumerate(SUMMED)},
            }
            with connection.wrap_database_errors, connection.connection.cursor() as cursor:
                copying.copy_rows(cursor, "pg_temp.later_cell", of_table)


_BY_DAY: Final = (
    "(select s.grain = 'day' from ledger_series s where s.organization_id = r.organization_id and s.id = r.series_id)"
)
