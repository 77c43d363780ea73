"""How selectors read: whole columns over binary COPY, and jsonb as Python values."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from django.db import connection

from core.ledger import copying
from core.organizations.tenancy import organization_scope

BLOCK_ROWS = 100_000


def arrays(
    organization_id: int, query: str, parameters: Sequence[Any], fields: Mapping[str, str]
) -> npt.NDArray[np.void]:
    """Read all rows of a query inside the organization's scope; arguments and result as in `copying.read_rows`."""
    with organization_scope(organization_id):
        connection.ensure_connection()
        with connection.wrap_database_errors, connection.connection.cursor() as cursor:
            blocks = list(copying.read_rows(cursor, query, parameters, fields, BLOCK_ROWS))
    if not blocks:
        return np.empty(0, dtype=[(name, np.dtype(kind).newbyteorder("=")) for name, kind in fields.items()])
    return np.concatenate(blocks)


def decoded(cursor: Any) -> list[tuple[Any, ...]]:
    """Fetch all rows of a query with a column `labels`, which Django's raw cursor leaves as JSON text."""
    names = [column.name for column in cursor.description or ()]
    at = names.index("labels")
    return [(*row[:at], json.loads(row[at]), *row[at + 1 :]) for row in cursor.fetchall()]


def midnight(day: date) -> datetime:
    """Give the start of a UTC day."""
    return datetime.combine(day, time(), UTC)


def times(microseconds: pd.Series) -> pd.Series:
    """Turn PostgreSQL's microseconds since 2000 into UTC times."""
    shifted = (microseconds.astype("int64") + copying.EPOCH_US).astype("datetime64[us]")
    return shifted.dt.tz_localize("UTC")
