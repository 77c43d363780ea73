"""Monthly partitions of the ledger: made ahead and on demand, and dropped whole where text has outlived its retention."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import connection


def month_of(day: date) -> date:
    """Give the first day of a day's month."""
    return date(day.year, day.month, 1)


def next_month(month: date) -> date:
    """
    Give the first day of the month after.

    >>> next_month(date(2026, 12, 1))
    datetime.date(2027, 1, 1)
    """
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def oldest_text_month(now: datetime, retention_days: int) -> date:
    """Give the first month whose ids are kept as text: partitions are dropped once their last day has passed the retention."""
    return month_of((now.astimezone(UTC) - timedelta(days=retention_days)).date())


def ensure_months(months: Iterable[date], *, oldest_text: date) -> None:
    """Make the partitions of these months where they are missing; writers of other months do not wait."""
    with connection.cursor() as cursor:
        for month in sorted(set(months)):
            bound = f"for values from ('{month} 00:00:00+00') to ('{next_month(month)} 00:00:00+00')"
            for parent in ("ledger_record", "ledger_record_text"):
                if parent == "ledger_record" or month >= oldest_text:
                    partition = f"{parent}_{month:%Y_%m}"
                    cursor.execute("select wattledger_ensure_partition(%s, %s, %s)", [parent, partition, bound])


def drop_text_before(month: date) -> list[str]:
    """Drop the text partitions of earlier months; give their names."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select inhrelid::regclass::text from pg_inherits where inhparent = 'ledger_record_text'::regclass"
            " order by 1"
        )
        names = [name for (name,) in cursor.fetchall() if name < f"ledger_record_text_{month:%Y_%m}"]
        for name in names:
            cursor.execute("select wattledger_drop_partition('ledger_record_text', %s)", [name])
    return names


def forget_text_before(day: date) -> int:
    """Delete the text of the organization in scope from before a day; give the number of records that it named."""
    with connection.cursor() as cursor:
        cursor.execute("select wattledger_forget_text(%s)", [day])
        (forgotten,) = cursor.fetchone()
    return int(forgotten)
