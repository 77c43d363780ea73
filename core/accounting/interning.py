"""Resolved series, plans and shared errors get a small number each, once; daily rows hold the number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from django.db import connection, transaction

from core.accounting.derive import DIMENSIONS, PlanFacts, facts_of, key_of
from core.quantification.plan import Plan

_KNOWN: Final[dict[tuple[str, int, str], int]] = {}
"""Table, organization and key to id. Rows are never changed or deleted, so what was committed once stays true."""

KNOWN_AT_MOST: Final = 1_000_000

_PLAN: Final = (
    "methodology text, use jsonb, method text, data_quality smallint, scope text, scope_upstream text,"
    " scope_embodied text, factors jsonb, notes text[]"
)
_SHARED_ERROR: Final = '"group" text, zone_group text, market text, pool text, widths jsonb'
_RESOLVED: Final = (
    "series_id bigint, source_id int, plan_id bigint, shared_error_id bigint, role text,"
    + ", ".join(f"{name} text" for name in DIMENSIONS).join((" ", ","))
    + " techniques text[], method text, scope text, scope_upstream text, scope_embodied text, data_quality smallint,"
    " notes text[]"
)


def intern_resolved(organization_id: int, resolved: pd.DataFrame, plans: Sequence[Plan], methodology: str) -> list[int]:
    """
    Give each resolved series its id, making those that are new, in a transaction of its own or the caller's.

    Args:
        resolved: `Derived.resolved`. [n]
        plans: of each. [n]
        methodology: version that the plans follow.

    Returns:
        ids. [n]
    """
    facts = [facts_of(plan, methodology) for plan in plans]
    by_key = {fact.key: fact for fact in facts}
    plan_ids = _intern(organization_id, "accounting_plan", _PLAN, {key: fact.columns for key, fact in by_key.items()})
    errors = {fact.shared_error_key: fact.shared_error for fact in by_key.values()}
    error_ids = _intern(organization_id, "accounting_sharederror", _SHARED_ERROR, errors)
    rows: list[dict[str, Any]] = [
        {str(name): each for name, each in row.items()} for row in resolved.to_dict("records")
    ]
    keys = [_key(row, fact) for row, fact in zip(rows, facts, strict=True)]
    contents = {
        key: {
            **row,
            "techniques": list(row["techniques"]),
            "plan_id": plan_ids[fact.key],
            "shared_error_id": error_ids[fact.shared_error_key],
            **{name: fact.columns[name] for name in _FROM_PLAN},
            "notes": [],
        }
        for key, row, fact in zip(keys, rows, facts, strict=True)
    }
    ids = _intern(organization_id, "accounting_resolved_series", _RESOLVED, contents)
    return [ids[key] for key in keys]


_FROM_PLAN: Final = ("method", "scope", "scope_upstream", "scope_embodied", "data_quality")


def _key(row: dict[str, Any], fact: PlanFacts) -> str:
    content = {name: value for name, value in row.items() if value is not None}
    return key_of({**content, "techniques": list(row["techniques"]), "plan": fact.key, "error": fact.shared_error_key})


def _intern(organization_id: int, table: str, columns: str, contents: dict[str, dict[str, Any]]) -> dict[str, int]:
    """Map keys to ids of a table with (organization_id, key) unique, inserting what is not there, sorted by key."""
    ids = {key: _KNOWN[table, organization_id, key] for key in contents if (table, organization_id, key) in _KNOWN}
    new = sorted(contents.keys() - ids.keys())
    if not new:
        return ids
    names = [column.strip().split(" ")[0] for column in columns.split(",")]
    listed = ", ".join(names)
    payload = json.dumps([{"key": key, **contents[key]} for key in new])
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"insert into {table} (organization_id, key, {listed})"
            f" select %s, r.key, {', '.join('r.' + name for name in names)}"
            f" from jsonb_to_recordset(%s::jsonb) as r(key uuid, {columns}) order by r.key"
            " on conflict (organization_id, key) do nothing",
            [organization_id, payload],
        )
        cursor.execute(
            f"select key::text, id from {table} where organization_id = %s and key = any(%s::uuid[])",
            [organization_id, new],
        )
        found: dict[str, int] = dict(cursor.fetchall())
    transaction.on_commit(lambda: _remember(organization_id, table, found))
    return ids | found


def _remember(organization_id: int, table: str, found: dict[str, int]) -> None:
    if len(_KNOWN) > KNOWN_AT_MOST:
        _KNOWN.clear()
    _KNOWN.update(((table, organization_id, key), number) for key, number in found.items())
