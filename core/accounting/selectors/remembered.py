"""
Answers kept in the cache for as long as the rows that they were added up from stand (docs/adr/0017).

Derive replaces the monthly sums of a month, all of them, in the transaction that replaces any of its daily rows; a view's rows
are written by nothing else. So the transaction that wrote one sum of a month tells the state of all of its rows, and a state
never comes back. It is read in the snapshot that figures are read in: nobody is ever told an answer of other rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import pandas as pd
from django.core.cache import cache as kept_answers
from django.db import connection

from core.accounting.models import View
from core.organizations.tenancy import in_snapshot, once_a_snapshot

CORE: Final = Path(__file__).resolve().parents[2]
KEPT_S: Final = 3600
MOST_BYTES: Final = 4_000_000
"""A larger answer is not kept: reading it back would take longer than what it saves."""


def remembered(
    organization_id: int,
    view: View,
    days: tuple[date, date],
    question: Mapping[str, Any],
    answer: Callable[[], pd.DataFrame],
) -> pd.DataFrame:
    """
    Give the answer to a question about the rows of some days, kept from an earlier time if these rows are the same.

    Args:
        days: first and last day that the answer depends on.
        question: all else that it depends on, as JSON holds it.
        answer: find it in the database.

    Outside of a snapshot the answer is always found anew: rows may change between two statements there.
    """
    if not in_snapshot():
        return answer()
    state = rows_state(organization_id, view.id, days[0].replace(day=1), days[1].replace(day=1))
    about = {"days": [day.isoformat() for day in days], "methodology": view.methodology, **question}
    text = json.dumps([_code(), organization_id, view.id, state, about], sort_keys=True)
    key = f"figures:{organization_id}:{hashlib.sha256(text.encode()).hexdigest()}"
    kept: pd.DataFrame | None = kept_answers.get(key)
    if kept is None:
        kept = answer()
        if kept.memory_usage(index=False).sum() <= MOST_BYTES:
            kept_answers.set(key, kept, KEPT_S)
    return kept


@cache
def _code() -> str:
    """Tell the code that finds answers: a process of another state of it is not answered by this one's."""
    files = sorted(path for part in ("accounting", "quantification") for path in (CORE / part).rglob("*.py"))
    digest = hashlib.sha256(pd.__version__.encode())
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()


@once_a_snapshot
def rows_state(organization_id: int, view_id: int, first_month: date, last_month: date) -> list[Any]:
    """
    Tell the state of a view's rows and rates in some months: who wrote them.

    Numbers of transactions begin anew where a server was restored from a backup; it was started anew then, too.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "select pg_postmaster_start_time()::text,"
            " (select md5(string_agg(r.id || ':' || r.xmin::text, ',' order by r.id)) from accounting_marketrate r"
            "  where r.organization_id = %s and r.view_id = %s),"
            " array(select (select a.xmin::text from accounting_monthly a where a.organization_id = %s and a.view_id = %s"
            "  and a.month = m.month::date limit 1) from generate_series(%s::timestamp, %s, '1 month') as m(month)"
            "  order by m.month)",
            [*(organization_id, view_id) * 2, first_month, last_month],
        )
        return list(cursor.fetchone())
