"""What happened that moves or clouds the figures: restatements, targets that began, sources from which nothing came."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.apps import apps
from django.db.models import F

from core.accounting.models import JobState, RestatementJob
from core.accounting.selectors.conditions import source_names
from core.organizations.tenancy import once_a_snapshot
from reporting.selectors.limits import limit_rows

MOST_READ: Final = 200


@dataclass(frozen=True)
class Outage:
    """A source from which nothing came, or nothing that could be read."""

    source_id: int
    source: str
    state: str  # late, silent or failing: the worst while it lasted
    since: datetime  # its latest arrival before
    until: datetime | None  # None: still


@dataclass(frozen=True)
class Restated:
    """A restatement that was applied, or is under way."""

    id: int
    factor_set: str
    methodology: str
    ended_at: datetime | None
    months_done: int
    months: int | None


@dataclass(frozen=True)
class Began:
    """A target that holds from a day on."""

    on: date
    name: str
    limit_kg_co2e_per_year: float


@dataclass(frozen=True)
class Happenings:
    """All of them: the newest first, of outages those that last."""

    restated: list[Restated]
    outages: list[Outage]
    targets: list[Began]


def happenings(organization_id: int) -> Happenings:
    """Read what happened, whatever the period: pages choose what they say of it."""
    jobs = RestatementJob.objects.filter(organization_id=organization_id, apply=True)
    jobs = jobs.filter(state__in=(JobState.WAITING, JobState.RUNNING, JobState.DONE)).select_related("factor_set")
    return Happenings(
        [
            Restated(job.id, job.factor_set.name, job.methodology, job.ended_at, job.months_done, job.months)
            for job in jobs.order_by("-id")[:MOST_READ]
        ],
        outages(organization_id),
        [Began(row.starts_on, row.name, row.limit_kg_co2e_per_year) for row in limit_rows(organization_id)],
    )


@once_a_snapshot
def outages(organization_id: int) -> list[Outage]:
    """List the outages of sources. The model is named as a string: the two apps do not know each other."""
    alerts: Any = apps.get_model("ingestion", "SourceAlert").objects.filter(organization_id=organization_id)
    rows = list(alerts.order_by(F("closed_at").desc(nulls_first=True), "-opened_at")[:MOST_READ])
    names = source_names(organization_id) if rows else {}
    return [Outage(row.source_id, names[row.source_id], row.state, row.latest_arrival, row.closed_at) for row in rows]
