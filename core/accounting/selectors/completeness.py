"""What should have reported and did not: gaps as they are, and beside them what an estimate would say."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db import connection

from core.accounting.models import Expected
from core.accounting.rows import runs_of
from core.accounting.selectors.conditions import source_names
from core.accounting.selectors.views import current_view
from core.organizations.tenancy import organization_scope
from core.quantification import units


@dataclass(frozen=True)
class Completeness:
    """
    One expected source or account.

    Args:
        expected_days: that should be there in the period.
        missing: runs of days without a record, first and last.
        estimate_kg: location-based kg CO2e of the missing days at the mean of those that are there; proposed, in no figure;
            None: nothing is missing, or nothing is there to estimate from.
    """

    id: int
    kind: str
    source: str
    account: str | None
    since: date
    until: date | None
    expected_days: int
    reported_days: int
    missing: tuple[tuple[date, date], ...]
    estimate_kg: float | None

    @property
    def missing_days(self) -> int:
        """Return how many days are missing."""
        return self.expected_days - self.reported_days

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes."""
        return {
            "id": self.id,
            "kind": self.kind,
            "source": self.source,
            "account": self.account,
            "since": self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "expected_days": self.expected_days,
            "reported_days": self.reported_days,
            "missing_days": self.missing_days,
            "missing": ", ".join(f"{first} to {last}" if first != last else str(first) for first, last in self.missing),
            "proposed_estimate_kg_co2e": self.estimate_kg,
        }


@dataclass(frozen=True)
class Seen:
    """A source and account that reported and that nobody expects: a proposal for the register."""

    source_id: int
    source: str
    account: str | None
    first_day: date
    last_day: date


def completeness(organization_id: int, from_day: date, to_day: date) -> tuple[list[Completeness], list[Seen]]:
    """
    Compare the register with the days that have figures.

    Args:
        to_day: last day that can be expected to be there: not today, which is not over.

    Returns:
        Every entry, the most incomplete first; and what was seen in the period that no entry is about.
    """
    with organization_scope(organization_id):
        names = source_names(organization_id)
        entries = list(Expected.objects.filter(organization_id=organization_id).order_by("id"))
        seen = _days_seen(organization_id, from_day, to_day)
    found = [_compared(entry, names[entry.source_id], seen, from_day, to_day) for entry in entries]
    expected = {(entry.source_id, entry.account) for entry in entries}
    proposed = [
        Seen(source_id, names[source_id], account, min(days), max(days))
        for (source_id, account), days in seen.items()
        if (source_id, account) not in expected and (source_id, None) not in expected
    ]
    return (
        sorted(found, key=lambda each: (-each.missing_days, each.source, each.account or "")),
        sorted(proposed, key=lambda each: (each.source, each.account or "")),
    )


def _compared(
    entry: Expected,
    source: str,
    seen: dict[tuple[int, str | None], dict[date, int]],
    from_day: date,
    to_day: date,
) -> Completeness:
    first, last = max(from_day, entry.since), min(to_day, entry.until or to_day)
    wanted = [first + timedelta(days=number) for number in range(max((last - first).days + 1, 0))]
    own: dict[date, int] = {}
    for (source_id, account), days in seen.items():
        if source_id == entry.source_id and entry.account in (None, account):
            for day, nkg in days.items():
                own[day] = own.get(day, 0) + nkg
    there = [day for day in wanted if day in own]
    gone = [day for day in wanted if day not in own]
    mean_nkg = sum(own[day] for day in there) / len(there) if there else None
    return Completeness(
        id=entry.id,
        kind=entry.kind,
        source=source,
        account=entry.account,
        since=entry.since,
        until=entry.until,
        expected_days=len(wanted),
        reported_days=len(there),
        missing=tuple(runs_of(gone)),
        estimate_kg=None if not gone or mean_nkg is None else mean_nkg * len(gone) / units.PER_KG,
    )


def _days_seen(organization_id: int, from_day: date, to_day: date) -> dict[tuple[int, str | None], dict[date, int]]:
    """Read the days on which each source and account has records, with their location-based figure in 1e-9 kg."""
    view = current_view(organization_id)
    if view is None:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "select r.source_id, r.account, d.day, coalesce(sum(d.location_nkg), 0) from accounting_daily d"
            " join accounting_resolved_series r on r.organization_id = d.organization_id and r.id = d.resolved_id"
            " where d.organization_id = %s and d.view_id = %s and d.day between %s and %s group by 1, 2, 3",
            [organization_id, view.id, from_day, to_day],
        )
        found: dict[tuple[int, str | None], dict[date, int]] = {}
        for source_id, account, day, nkg in cursor.fetchall():
            found.setdefault((source_id, account), {})[day] = int(nkg)
    return found
