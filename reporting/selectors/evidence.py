"""What stands behind a period's figures: the factors that were used, and a hash over its records."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import connection

from core.accounting.figures import Filter
from core.accounting.models import Plan, View


def factors_used(organization_id: int, filtered: Filter, view: View) -> list[dict[str, Any]]:
    """List the factors behind the counted figures of a period in a view, each once by its use, ordered by name and id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct r.plan_id from accounting_daily d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            " where d.organization_id = %s and d.view_id = %s and d.day between %s and %s and r.role = 'counted'",
            [organization_id, view.id, filtered.from_day, filtered.to_day],
        )
        plans = [plan for (plan,) in cursor.fetchall()]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    used = Plan.objects.filter(organization_id=organization_id, id__in=plans).order_by("key")
    for factors in used.values_list("factors", flat=True):
        found |= {(factor["name"], factor["id"]): factor for factor in factors}
    return sorted(found.values(), key=lambda factor: (factor["name"], factor["id"]))


def records_hash(organization_id: int, filtered: Filter) -> tuple[int, str]:
    """
    Count and hash the records that start in a period.

    Returns:
        How many, and the sha256 (hex) over their keys and series in the order of keys: the same records give the same hash,
        whatever order they arrived in.
    """
    digest, count = hashlib.sha256(), 0
    with connection.cursor() as cursor:
        cursor.execute(
            "select uuid_send(key) || int8send(series_id) from ledger_record"
            " where organization_id = %s and started_at >= %s and started_at < %s order by key, series_id",
            [organization_id, filtered.starts_at, filtered.ends_at],
        )
        while rows := cursor.fetchmany(10_000):
            count += len(rows)
            digest.update(b"".join(bytes(row[0]) for row in rows))
    return count, digest.hexdigest()
