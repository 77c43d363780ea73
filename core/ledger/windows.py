"""Windows of the ledger as columns: every record of some series in a time, or a block sample of them, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd
from django.db import connection

from core.ledger import copying, staging
from core.ledger.selectors import standing
from core.quantification.activity import COUNTS, MEASURE_COLUMNS

FIELDS: Final = {**staging.SHARE_FIELDS, "key": "V16"}
BLOCK_ROWS: Final = 50_000
SEED: Final = 1
"""Of a sample: the same blocks again while nothing is written, so that a page and its file agree."""
SHOWN: Final = (*COUNTS, "generation_s")
"""Measures as delivered that a window keeps beside the integers; a count that a record lacks is 0."""


def record_blocks(
    organization_id: int,
    series_ids: Sequence[int],
    from_time: datetime,
    to_time: datetime,
    *,
    run: str | None = None,
    sample_percent: float | None = None,
) -> Iterator[pd.DataFrame]:
    """
    Read the records of some series that start in [from_time, to_time), inside the organization's scope, in no order.

    While a block is worked on, the connection can run nothing else. Records of deleted periods are left out.

    Args:
        run: only this run, by the sender's id.
        sample_percent: read only about so many of the table's blocks. Records that were written together lie together, so a
            sample of blocks is a coarser one than as many records drawn one by one.

    Yields:
        ``series_id``, ``key_high``, ``key_low`` (the key's halves), ``started_us``, ``ended_us`` (microseconds since 1970),
        ``counted`` (False: a correction), ``SHOWN``, ``MEASURE_COLUMNS``.
    """
    kept, values = standing(organization_id)
    sample = (
        "" if sample_percent is None else f" tablesample system ({min(sample_percent, 100.0):.6f}) repeatable ({SEED})"
    )
    conditions = ["r.organization_id = %s", "r.series_id = any(%s)", "r.started_at >= %s", "r.started_at < %s", *kept]
    if run is not None:
        conditions.append("r.run = %s")
        values.append(run)
    query = (
        f"select {staging.share_columns('false')}, key from ledger_record r{sample} where {' and '.join(conditions)}"
    )
    parameters = [organization_id, [int(each) for each in series_ids], from_time, to_time, *values]
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.cursor() as cursor:
        for rows in copying.read_rows(cursor, query, parameters, FIELDS, BLOCK_ROWS):
            yield _frame_of(rows)


def _frame_of(rows: npt.NDArray[np.void]) -> pd.DataFrame:
    shares = staging.shares_of(rows)
    halves = np.ascontiguousarray(rows["key"]).view(">i8").reshape(-1, 2).astype(np.int64)
    columns: dict[str, Any] = {
        "series_id": shares.series_id,
        "key_high": halves[:, 0],
        "key_low": halves[:, 1],
        "started_us": shares.started_us,
        "ended_us": shares.ended_us,
        "counted": shares.counted,
        **{name: rows[name] for name in SHOWN},
        **{name: shares.measures[:, position] for position, name in enumerate(MEASURE_COLUMNS) if name not in COUNTS},
    }
    return pd.DataFrame(columns)


def key_of(high: int, low: int) -> UUID:
    """
    Put a key together from its halves.

    >>> key_of(1, -1)
    UUID('00000000-0000-0001-ffff-ffffffffffff')
    """
    return UUID(int=(high % 2**64) << 64 | low % 2**64)


def time_of(microseconds: int) -> datetime:
    """
    Give the UTC time of microseconds since 1970.

    >>> time_of(1_500_000)
    datetime.datetime(1970, 1, 1, 0, 0, 1, 500000, tzinfo=datetime.timezone.utc)
    """
    return pd.Timestamp(microseconds, unit="us", tz=UTC).to_pydatetime()
