"""
Temporary tables of the writer's session, and how rows get into them.

They survive the rollback of a group's transaction (ON COMMIT PRESERVE ROWS), so a deadlock repeats the transaction and not
the reading of the payload, and they keep a long delivery out of Python's memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from django.db import connection

from core.ledger import copying
from core.quantification import cells
from core.quantification.activity import COUNTS, MEASURE_COLUMNS, NUMBERS, SERIES_TEXT

MEASURED: Final = (*COUNTS, *NUMBERS)
READ_ROWS: Final = 20_000
SPREAD_PARTS: Final = 100_000
"""Most hours held at once while long records are shared out over them."""

_RECORD = f"""
create temporary table {{name}} (
    position bigint not null,  -- order of arrival in the group
    batch integer not null,  -- number of the batch in the group
    "row" integer not null,  -- in the batch's payload
    rows integer not null,  -- payload rows that it stands for
    organization_id integer not null,
    source_id integer not null,
    series_id bigint not null,
    by_day boolean not null,
    started_at timestamptz not null,
    ended_at timestamptz not null,
    key uuid not null,
    content bigint not null,
    batch_id uuid not null,
    snapshot_id integer,
    revision smallint not null default 0,
    corrects uuid,
    record_id text not null,
    run text,
    request text,
    trace text,
    corrects_id text,
    flags text,  -- joined by commas
    {", ".join(f"{column} bigint" for column in COUNTS)},
    {", ".join(f"{column} double precision" for column in NUMBERS)}
) on commit preserve rows
"""
TABLES: Final = {
    # Records to write, and deliveries of snapshot sources that are first compared with the ledger.
    "staged_record": _RECORD.format(name="staged_record"),
    "staged_delivery": _RECORD.format(name="staged_delivery"),
    # What the records add to the cells, summed by chunk.
    "staged_cell": f"""
create temporary table staged_cell (
    series_id bigint not null,
    hour timestamptz not null,
    records bigint not null default 0,
    {", ".join(f"{column} bigint not null default 0" for column in MEASURE_COLUMNS)}
) on commit preserve rows
""",
    # What the rows of a delivery that were refused may be a part of.
    "staged_refused": """
create temporary table staged_refused (
    batch integer not null,
    key uuid not null
) on commit preserve rows
""",
    "staged_series": f"""
create temporary table staged_series (
    key uuid not null,
    mask bigint not null,
    grain text not null,
    techniques text,  -- joined by commas
    labels text not null,
    {", ".join(f"{column} text" for column in SERIES_TEXT)}
) on commit preserve rows
""",
}


def make_tables() -> None:
    """Make the temporary tables where the session has none yet, and empty them where it has."""
    with connection.cursor() as cursor:
        for name, definition in TABLES.items():
            cursor.execute("select to_regclass(%s) is null", [f"pg_temp.{name}"])
            if cursor.fetchone()[0]:
                cursor.execute(definition)
                if "position" in definition:
                    cursor.execute(f"create index on pg_temp.{name} (position)")
    empty_tables()


def empty_tables() -> None:
    """Forget what was staged."""
    with connection.cursor() as cursor:
        cursor.execute(f"truncate {', '.join(f'pg_temp.{name}' for name in TABLES)}")


def copy(table: str, columns: dict[str, copying.Column]) -> None:
    """Append rows to one of the temporary tables, over Django's connection."""
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        copying.copy_rows(cursor, f"pg_temp.{table}", columns)


def stage_refused(batch: int, record_keys: copying.Bytes) -> None:
    """Note records of which rows of a delivery were refused. [n, 16]"""
    count = len(record_keys)
    copy(
        "staged_refused",
        {"batch": copying.integers(np.full(count, batch), ">i4"), "key": copying.uuids(record_keys)},
    )


@dataclass(frozen=True)
class Shares:
    """What n records add to cells, before it is shared out over hours."""

    series_id: cells.Integers
    started_us: cells.Integers
    ended_us: cells.Integers
    by_day: npt.NDArray[np.bool_]
    counted: npt.NDArray[np.bool_]  # False: a correction, which is no record of its own
    measures: cells.Integers  # n by MEASURE_COLUMNS

    def __getitem__(self, rows: Any) -> Shares:
        return Shares(
            self.series_id[rows],
            self.started_us[rows],
            self.ended_us[rows],
            self.by_day[rows],
            self.counted[rows],
            self.measures[rows],
        )


def stage_cells(shares: Shares, *, sign: int = 1) -> None:
    """Share records out over hours and stage the sums; ``sign`` -1 takes back what was staged for them."""
    for series_id, hour, sums in cells_of(shares):
        columns = {"series_id": copying.integers(series_id), "hour": copying.times(hour)}
        for position, name in enumerate(("records", *MEASURE_COLUMNS)):
            if sums[:, position].any():
                columns[name] = copying.integers(sums[:, position] * sign)
        copy("staged_cell", columns)


def cells_of(shares: Shares) -> Iterator[tuple[cells.Integers, cells.Integers, cells.Integers]]:
    """
    Share records out over the hours they touch and add up those of one series and hour, block by block.

    Returns:
        Blocks of series, hour (microseconds since 1970) and m by (`records`, ``MEASURE_COLUMNS``). A cell may come again in
        a later block.
    """
    slots = cells.slots_touched(shares.started_us, shares.ended_us, shares.by_day)
    for start, end in _runs(np.cumsum(slots) // SPREAD_PARTS):
        some = shares[start:end]
        spread = cells.spread_over_hours(some.started_us, some.ended_us, some.by_day, some.measures)
        records = (spread.first & some.counted[spread.row]).astype(np.int64)
        yield _sum_by_cell(some.series_id[spread.row], spread.hour, np.column_stack([records, spread.measures]))


SHARE_FIELDS: Final = {
    "series_id": ">i8",
    "started_at": ">i8",
    "ended_at": ">i8",
    "by_day": "?",
    "counted": "?",
    **dict.fromkeys(COUNTS, ">i8"),
    **dict.fromkeys(NUMBERS, ">f8"),
}


def share_columns(by_day: str) -> str:
    """Write the select list of ``SHARE_FIELDS`` for a table of records; ``by_day`` is the SQL of that field."""
    counts = (f"coalesce({name}, 0)" for name in COUNTS)
    numbers = (f"coalesce({name}, 'NaN')" for name in NUMBERS)
    return ", ".join(("series_id", "started_at", "ended_at", by_day, "corrects is null", *counts, *numbers))


def stage_cells_of(start: int) -> None:
    """Stage the cells of the staged records from a position on."""
    connection.ensure_connection()
    while True:
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            query = (
                f"select {share_columns('by_day')} from pg_temp.staged_record where position >= %s and position < %s"
            )
            chunks = list(copying.read_rows(cursor, query, [start, start + READ_ROWS], SHARE_FIELDS, READ_ROWS))
        if not chunks:
            return
        (rows,) = chunks
        stage_cells(shares_of(rows))
        start += READ_ROWS


def shares_of(rows: npt.NDArray[np.void]) -> Shares:
    """Make shares of rows read with the fields of ``SHARE_FIELDS``."""
    frame = pd.DataFrame({name: rows[name] for name in (*COUNTS, *NUMBERS)})
    return Shares(
        rows["series_id"],
        rows["started_at"] + copying.EPOCH_US,
        rows["ended_at"] + copying.EPOCH_US,
        rows["by_day"],
        rows["counted"],
        cells.to_units(frame),
    )


def _runs(bins: cells.Integers) -> list[tuple[int, int]]:
    """Give the bounds of runs of equal bins."""
    edges = [0, *(np.flatnonzero(np.diff(bins)) + 1).tolist(), len(bins)]
    return [(start, end) for start, end in itertools.pairwise(edges) if end > start]


def _sum_by_cell(
    series_id: cells.Integers, hour: cells.Integers, values: cells.Integers
) -> tuple[cells.Integers, cells.Integers, cells.Integers]:
    """Add up the parts of each (series, hour); where a sum might overflow they are left for PostgreSQL to add up."""
    if float(np.abs(values).max(initial=0)) * len(values) >= 2.0**63:
        return series_id, hour, values
    order = np.lexsort((series_id, hour))
    series_id, hour = series_id[order], hour[order]
    begins = np.flatnonzero(np.r_[True, (np.diff(series_id) != 0) | (np.diff(hour) != 0)])
    return series_id[begins], hour[begins], np.add.reduceat(values[order], begins, axis=0)


def measure_columns(frame: pd.DataFrame) -> dict[str, copying.Column]:
    """Encode the measures of an activity table as delivered; absent is null."""
    columns = {}
    for name in COUNTS:
        if frame[name].notna().any():
            null = frame[name].isna().to_numpy(dtype=bool)
            columns[name] = copying.integers(frame[name].to_numpy(dtype=np.int64, na_value=0), null=null)
    for name in NUMBERS:
        columns[name] = copying.floats(frame[name].to_numpy(dtype=np.float64, na_value=np.nan))
    return columns


def uuid_bytes(values: pd.Series | list[Any]) -> copying.Bytes:
    """Lay UUIDs out as n rows of 16 bytes; None as zeros."""
    joined = b"".join(value.bytes if value is not None else bytes(16) for value in values)
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, 16)
