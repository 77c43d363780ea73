"""What the page of a source shows beside its card: first and latest records, coverage by day and account, versions, alerts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import Q
from django.utils.functional import cached_property

from core.accounting.selectors import current_view
from core.organizations.models import ApiToken
from core.organizations.selectors import tokens
from ingestion.arrivals import DAYS_SHOWN
from ingestion.models import Batch, SourceAlert

VERSION_LABELS: Final = ("codecarbon_version", "service.version", "telemetry.sdk.version", "litellm_version")
"""Labels in which agents say their version."""
ACCOUNTS_SHOWN: Final = 12
VERSIONS_SHOWN: Final = 8
LAG_DAYS: Final = 40
LEVELS: Final = 4
ALERTS_SHOWN: Final = 10


@dataclass(frozen=True)
class Strip:
    """
    Records of one account on each of the last days.

    Args:
        account: as reported; "" where none is named.
        records: of each day, oldest first; 0: none.
    """

    account: str
    days: list[date]
    records: list[int]

    @property
    def covered(self) -> int:
        """Count the days that have records."""
        return sum(1 for count in self.records if count)

    @cached_property
    def cells(self) -> list[dict[str, Any]]:
        """Give each day with the strength in which it is drawn: 0 for none, then 1 to 4."""
        most = max(self.records, default=0)
        return [
            {"at": at, "day": day, "records": count, "level": -(-count * LEVELS // most) if count > 0 and most else 0}
            for at, (day, count) in enumerate(zip(self.days, self.records, strict=True))
        ]


@dataclass(frozen=True)
class Life:
    """
    A source from its first record on.

    Args:
        first_arrival: of its first payload that is still known.
        first_day, latest_day: UTC days of its first and its latest record, by the figures.
        latest_hour: the hour of its latest record, where it is less than 40 days old.
        records_a_day: mean of the days from its first record on, of the last 30 at most.
        strips: coverage by account, the one with most records first; `more_accounts` are left out.
        versions: of the agents that say theirs.
    """

    first_arrival: datetime | None
    first_day: date | None
    latest_day: date | None
    latest_hour: datetime | None
    records_a_day: float | None
    strips: list[Strip]
    more_accounts: int
    versions: list[str]
    alerts: list[SourceAlert]


def life_of(organization_id: int, source_id: int, now: datetime) -> Life:
    """Read the life of a source, inside the organization's scope."""
    batches = Batch.objects.filter(organization_id=organization_id, source_id=source_id, dry_run=False)
    first_day, latest_day = _span(organization_id, source_id)
    days = [now.date() - timedelta(days=DAYS_SHOWN - 1 - at) for at in range(DAYS_SHOWN)]
    strips = _strips(organization_id, source_id, days)
    counted = [day for day in days if first_day is not None and day >= first_day]
    total = sum(sum(strip.records) for strip in strips)
    return Life(
        first_arrival=batches.order_by("id").values_list("received_at", flat=True).first(),
        first_day=first_day,
        latest_day=latest_day,
        latest_hour=_latest_hour(organization_id, source_id, now),
        records_a_day=total / len(counted) if counted else None,
        strips=strips[:ACCOUNTS_SHOWN],
        more_accounts=max(len(strips) - ACCOUNTS_SHOWN, 0),
        versions=_versions(organization_id, source_id),
        alerts=list(
            SourceAlert.objects.filter(organization_id=organization_id, source_id=source_id).order_by("-opened_at")[
                :ALERTS_SHOWN
            ]
        ),
    )


def tokens_of(organization_id: int, source_id: int, name: str) -> list[ApiToken]:
    """List the tokens that write as a source: those narrowed to it, and those that name it. The newest first."""
    writes = Q(source_id=source_id) | Q(source_id=None, source=name)
    return list(tokens(organization_id).filter(writes))


def _span(organization_id: int, source_id: int) -> tuple[date | None, date | None]:
    view = current_view(organization_id)
    if view is None:
        return None, None
    joined = "join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
    own = "d.organization_id = %s and d.view_id = %s and r.source_id = %s"
    values = [organization_id, view.id, source_id]
    first, latest = _one(f"select min(d.month), max(d.month) from accounting_monthly d {joined} where {own}", values)
    if first is None:
        return None, None
    days = f"from accounting_daily d {joined} where {own}"
    first_day, latest_day = _one(
        f"select (select min(d.day) {days} and d.day >= %s and d.day < %s + interval '1 month'),"
        f" (select max(d.day) {days} and d.day >= %s)",
        [*values, first, first, *values, latest],
    )
    return first_day, latest_day


def _strips(organization_id: int, source_id: int, days: list[date]) -> list[Strip]:
    view = current_view(organization_id)
    if view is None:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(r.account, ''), d.day, sum(d.records)::bigint from accounting_daily d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            " where d.organization_id = %s and d.view_id = %s and d.day between %s and %s and r.source_id = %s"
            " group by 1, 2",
            [organization_id, view.id, days[0], days[-1], source_id],
        )
        found: dict[str, dict[date, int]] = {}
        for account, day, records in cursor.fetchall():
            found.setdefault(account, {})[day] = int(records)
    strips = [Strip(account, days, [by_day.get(day, 0) for day in days]) for account, by_day in found.items()]
    return sorted(strips, key=lambda strip: (-sum(strip.records), strip.account))


def _latest_hour(organization_id: int, source_id: int, now: datetime) -> datetime | None:
    """Walk the cells back from now until one of the source is met; one that has been silent for long is not looked for."""
    (hour,) = _one(
        "select max(c.hour) from (select c.hour from ledger_cell c"
        " join ledger_series s on s.organization_id = c.organization_id and s.id = c.series_id"
        " where c.organization_id = %s and c.hour >= %s and c.hour <= %s and s.source_id = %s"
        " order by c.hour desc limit 1) c",
        [organization_id, now - timedelta(days=LAG_DAYS), now + timedelta(days=1), source_id],
    )
    return None if hour is None else hour.astimezone(UTC)


def _versions(organization_id: int, source_id: int) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select l.key, l.value, max(s.created_at) from ledger_series s, jsonb_each_text(s.labels) as l (key, value)"
            " where s.organization_id = %s and s.source_id = %s and l.key = any(%s)"
            " group by 1, 2 order by 3 desc limit %s",
            [organization_id, source_id, list(VERSION_LABELS), VERSIONS_SHOWN],
        )
        return [
            f"{key.removesuffix('_version').removesuffix('.version')} {value}" for key, value, _ in cursor.fetchall()
        ]


def _one(query: str, values: list[Any]) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return cursor.fetchone()
