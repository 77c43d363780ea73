"""Windows of the ledger as columns: every record of some series in a time, or a block sample of them, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
import numpy.typing as npt
import pandas as pd
from django.db import connection

from core.ledger import copying, staging
from core.ledger.selectors import standing
from core.quantification import units
from core.quantification.activity import COUNTS, MEASURE_COLUMNS, MEASURES

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


def heaviest_of_each(
    organization_id: int,
    weights: Mapping[int, Mapping[str, float]],
    from_time: datetime,
    to_time: datetime,
    each: int,
) -> list[tuple[int, datetime, UUID]]:
    """
    Find, of each series, the records that weigh most by a linear form of their measures, inside the organization's scope.

    The order is made in the database, from what was delivered; one pass over the records of the time, no sort of them all.

    Args:
        weights: series to its measures (``MEASURE_COLUMNS``) and what one stored integer of each weighs.
        each: most records of one series.

    Returns:
        Where they lie: series, start and key.
    """
    kept, values = standing(organization_id)
    conditions = ["r.organization_id = %s", "r.started_at >= %s", "r.started_at < %s", *kept]
    names = [name for name in MEASURE_COLUMNS if any(name in of for of in weights.values())]
    if not names:
        return []  # nothing of these series has a figure
    form = " + ".join(f"w.{name} * coalesce({AMOUNTS[name]}, 0)" for name in names)
    columns = ", ".join(["id", *names])
    types = ", ".join(["%s::bigint[]", *["%s::float8[]"] * len(names)])
    listed: list[list[float] | list[int]] = [list(weights)]
    listed += [[of.get(name, 0.0) for of in weights.values()] for name in names]
    query = (
        f"select r.series_id, r.started_at, r.key from unnest({types}) as w({columns}) cross join lateral"
        f" (select r.series_id, r.started_at, r.key from ledger_record r where {' and '.join(conditions)}"
        f" and r.series_id = w.id order by {form} desc limit %s) r"
    )
    with connection.cursor() as cursor:
        cursor.execute(query, [*listed, organization_id, from_time, to_time, *values, each])
        return [(series_id, started_at.astimezone(UTC), key) for series_id, started_at, key in cursor.fetchall()]


def _hinged(device: str) -> dict[str, str]:
    """Write hinge hours as SQL, as `core.quantification.cells.hinge_hours` makes them. [1e-9 h]"""
    hours, used = f"r.{device}_hours", f"r.{device}_utilization"
    return {
        f"{device}_nh": f"{hours} * {units.PER_HOUR}.0",
        f"{device}_low_nh": f"{hours} * least({used}, 0.1) * {units.PER_HOUR}.0",
        f"{device}_middle_nh": f"{hours} * least(greatest({used} - 0.1, 0), 0.4) * {units.PER_HOUR}.0",
        f"{device}_high_nh": f"{hours} * greatest({used} - 0.5, 0) * {units.PER_HOUR}.0",
    }


AMOUNTS: Final = {
    **{measure.column: f"r.{measure.source} * {measure.per_unit}.0" for measure in MEASURES},
    "gflop": "r.flops / 1e9",
    **_hinged("device"),
    **_hinged("instance"),
}
"""Measure to its stored integer, unrounded, as SQL over what was delivered."""


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
