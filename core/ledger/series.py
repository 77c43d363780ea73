"""Finding the ids of series, and making the new ones in a transaction of their own, before the records that need them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Final

import numpy as np
import pandas as pd
from django.db import connection

from core.ledger import copying, staging
from core.organizations.tenancy import organization_scope
from core.quantification import cells
from core.quantification.activity import SERIES_TEXT

NEW_SERIES_A_MONTH: Final = 20_000
"""More new series of one source in a calendar month are held: some label then holds ids, and cells would save nothing."""


def series_ids(organization_id: int, keys: pd.Series) -> cells.Integers:
    """Find the series of these keys (16 bytes each); 0 where there is none yet."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select s.id, k.at from unnest(%s::text[]::uuid[]) with ordinality as k (key, at)"
            " join ledger_series s on s.organization_id = %s and s.key = k.key",
            [[key.hex() for key in keys], organization_id],
        )
        found = np.array(cursor.fetchall(), dtype=np.int64).reshape(-1, 2)
    ids = np.zeros(len(keys), dtype=np.int64)
    ids[found[:, 1] - 1] = found[:, 0]
    return ids


def make_series(organization_id: int, source_id: int, distinct: pd.DataFrame) -> None:
    """
    Make series that are missing, sorted by key; those that another writer makes meanwhile are left to it.

    Args:
        organization_id, source_id: whose.
        distinct: rows of `keys.distinct_series`.
    """
    columns = {
        "key": copying.uuids(np.frombuffer(b"".join(distinct["key"]), dtype=np.uint8).reshape(-1, 16)),
        "mask": copying.integers(distinct["mask"].to_numpy(dtype=np.int64)),
        "grain": copying.texts(distinct["grain"]),
        "techniques": copying.texts(distinct["techniques"].map(",".join)),
        "labels": copying.texts(distinct["labels"]),
        **{name: copying.texts(distinct[name]) for name in SERIES_TEXT},
    }
    dimensions = ", ".join(SERIES_TEXT)
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute("truncate pg_temp.staged_series")
        staging.copy("staged_series", columns)
        cursor.execute(
            f"insert into ledger_series (organization_id, source_id, key, mask, grain, techniques, labels, {dimensions})"
            f" select %s, %s, key, mask, grain, string_to_array(coalesce(techniques, ''), ','), labels::jsonb, {dimensions}"
            " from pg_temp.staged_series order by key on conflict (organization_id, key) do nothing",
            [organization_id, source_id],
        )


def series_this_month(organization_id: int, source_id: int, now: datetime) -> int:
    """Count the series that this source has brought since the month began (UTC)."""
    month = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from ledger_series where organization_id = %s and source_id = %s and created_at >= %s",
            [organization_id, source_id, month],
        )
        (count,) = cursor.fetchone()
    return int(count)


def hold_reason(new: pd.DataFrame, existing: int) -> str:
    """Say which label or dimension makes so many series, to the person who can take it off the source's list."""
    counts = {f"the dimension {name}": new[name].nunique() for name in SERIES_TEXT}
    values: dict[str, set[str]] = {}
    for text in new["labels"]:
        for name, value in json.loads(text).items():
            values.setdefault(f"the label {name!r}", set()).add(str(value))
    counts |= {name: len(distinct) for name, distinct in values.items()}
    name, count = max(counts.items(), key=lambda item: item[1])
    return (
        f"held: {existing + len(new):,} new series this month, more than {NEW_SERIES_A_MONTH:,}; {name} alone has"
        f" {count:,} different values here. Take it off the source's labels, or confirm the delivery."
    )
