"""Long work of an organization in one list: restatements, deliveries that people handed over, deletions, exports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.apps import apps
from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.accounting.models import RestatementJob
from core.ledger.models import Deletion
from core.organizations.identity import Identity
from core.organizations.models import Person
from core.organizations.policy import Action, may, narrowing
from reporting import figures
from reporting.models import Export

WAITING, RUNNING, HELD = "waiting", "running", "held"
DONE, FAILED, CANCELLED = "done", "failed", "cancelled"
STATES: Final = {
    WAITING: (gettext_lazy("Waiting"), ""),
    RUNNING: (gettext_lazy("Running"), "accent"),
    HELD: (gettext_lazy("Held"), "warn"),
    DONE: (gettext_lazy("Done"), "good"),
    FAILED: (gettext_lazy("Failed"), "bad"),
    CANCELLED: (gettext_lazy("Cancelled"), "warn"),
}
"""State -> its word and tone."""
OPEN: Final = (WAITING, RUNNING)
_OF_BATCH: Final = {"pending": WAITING, "processing": RUNNING, "done": DONE, "failed": FAILED}
_OF_DELETION: Final = {"deleting": RUNNING, "restoring": RUNNING, "deleted": DONE, "restored": DONE}


@dataclass(frozen=True)
class Job:
    """
    One piece of long work.

    Args:
        id: kind and number, as in its address: ``restatement-3``.
        kind, about: in words.
        state: one of ``STATES``.
        share: 0 to 1, None where its length is not known.
        text: how far it is, in words.
        started_by: as the audit log names them, "" where it is not known.
        counts: (label, number) of what came of it.
        result: address and text of what it made, or of its own page.
        cancellable: while it is open, by the asker.
    """

    id: str
    kind: str
    about: str
    state: str
    share: float | None
    text: str
    started_by: str
    created_at: datetime
    ended_at: datetime | None
    counts: list[tuple[str, int]]
    result: tuple[str, str]
    error: str = ""
    cancellable: bool = False

    @property
    def label(self) -> str:
        """Name the state."""
        return str(STATES[self.state][0])

    @property
    def tone(self) -> str:
        """Colour the state."""
        return STATES[self.state][1]

    @property
    def open(self) -> bool:
        """Tell whether it waits or runs."""
        return self.state in OPEN


def jobs(identity: Identity, *, before: datetime | None = None, limit: int = 50) -> list[Job]:
    """List the latest jobs that the asker may see, of all kinds, those that began before a time."""
    found: list[Job] = []
    for kind in kinds_for(identity):
        rows = kind.rows(identity)
        if before is not None:
            rows = rows.filter(**{f"{kind.began}__lt": before})
        found += kind.read(identity, list(rows.order_by(f"-{kind.began}")[:limit]))
    return sorted(found, key=lambda job: job.created_at, reverse=True)[:limit]


def job_of(identity: Identity, job_id: str) -> Job | None:
    """Find one job by its id; None where there is none, or it is not for the asker."""
    name, _dash, number = job_id.partition("-")
    kind = next((each for each in kinds_for(identity) if each.name == name), None)
    if kind is None:
        return None
    try:
        row = kind.rows(identity).filter(id=number).first()
    except (ValueError, OverflowError, ValidationError):
        return None
    return kind.read(identity, [row])[0] if row is not None else None


def open_jobs(identity: Identity) -> int:
    """Count the jobs that wait or run and that the asker may see, in one question."""
    parts: list[str] = []
    values: list[Any] = []
    for kind in kinds_for(identity):
        sql, parameters = kind.open_rows(identity).values("pk").query.sql_with_params()
        parts.append(f"(select count(*) from ({sql}) {kind.name})")
        values += parameters
    if not parts:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(f"select {' + '.join(parts)}", values)
        return int(cursor.fetchone()[0])


@dataclass(frozen=True)
class Kind:
    """
    Where jobs of one kind are kept.

    Args:
        began: the field that orders them.
        rows: those that the asker may see. open_rows: of these, those that wait or run.
        read: rows to jobs.
    """

    name: str
    action: Action
    began: str
    rows: Callable[[Identity], QuerySet[Any]]
    open_rows: Callable[[Identity], QuerySet[Any]]
    read: Callable[[Identity, list[Any]], list[Job]]


def kinds_for(identity: Identity) -> list[Kind]:
    """List the kinds that the asker may see."""
    return [kind for kind in KINDS if may(identity, kind.action)]


# --- restatements -----------------------------------------------------------------------------------------------------


def restatements(identity: Identity) -> QuerySet[Any]:
    return RestatementJob.objects.filter(organization_id=identity.organization_id).select_related("factor_set")


def read_restatements(identity: Identity, rows: list[Any]) -> list[Job]:
    return [
        Job(
            id=f"restatement-{row.id}",
            kind=_("Restatement") if row.apply else _("Rehearsal"),
            about=_("{factor_set}, methodology {methodology}").format(
                factor_set=row.factor_set.name, methodology=row.methodology
            ),
            state=row.state,
            share=row.months_done / row.months if row.months else None,
            text=_("{done} of {all} months").format(done=row.months_done, all=row.months) if row.months else "",
            started_by=row.asked_by,
            created_at=row.created_at,
            ended_at=row.ended_at,
            counts=[],
            result=(reverse("restatement", args=[row.id]), _("Its bridge")),
            error=row.error,
            cancellable=may(identity, Action.MANAGE_FACTORS),
        )
        for row in rows
    ]


# --- deliveries -------------------------------------------------------------------------------------------------------


def deliveries(identity: Identity) -> QuerySet[Any]:
    """Deliveries that somebody handed over or read again; what agents push by the second is on the page of its source."""
    batches = apps.get_model("ingestion", "Batch").objects.filter(organization_id=identity.organization_id)
    return batches.filter(Q(person_id__isnull=False) | Q(replay=True)).select_related("source")


def open_deliveries(identity: Identity) -> QuerySet[Any]:
    return deliveries(identity).filter(state__in=("pending", "processing"), held="")


def read_deliveries(identity: Identity, rows: list[Any]) -> list[Job]:
    names = {person.pk: str(person) for person in Person.objects.filter(pk__in={row.person_id for row in rows})}
    return [
        Job(
            id=f"delivery-{row.id}",
            kind=_("Replay") if row.replay else _("Dry run") if row.dry_run else _("Import"),
            about=", ".join(each for each in (str(row.source), row.filename) if each),
            state=HELD if row.state == "pending" and row.held else _OF_BATCH[row.state],
            share=min(row.received / row.announced, 1.0) if row.announced else None,
            text=_("{rows} rows read").format(rows=figures.count(row.received, compact=False)),
            started_by=names.get(row.person_id, ""),
            created_at=row.received_at,
            ended_at=row.finished_at,
            counts=[
                (_("received"), row.received),
                (_("written"), row.written),
                (_("duplicate"), row.duplicate),
                (_("quarantined"), row.quarantined),
                (_("outside"), row.outside),
            ],
            result=(reverse("batch_page", args=[row.id]), _("The delivery")),
            error=row.held or (row.log[-1] if row.state == "failed" and row.log else ""),
        )
        for row in rows
    ]


# --- deletions --------------------------------------------------------------------------------------------------------


def deletions(identity: Identity) -> QuerySet[Any]:
    return Deletion.objects.filter(organization_id=identity.organization_id).select_related("source")


def open_deletions(identity: Identity) -> QuerySet[Any]:
    return deletions(identity).filter(state__in=("deleting", "restoring"))


def read_deletions(identity: Identity, rows: list[Any]) -> list[Job]:
    return [
        Job(
            id=f"deletion-{row.id}",
            kind=_("Restoring of data") if row.state in ("restoring", "restored") else _("Deletion of data"),
            about=f"{row.source}, {row.from_day} – {row.to_day}",
            state=_OF_DELETION[row.state],
            share=row.days_done / row.days if row.days else None,
            text=_("{done} of {all} days").format(done=row.days_done, all=row.days),
            started_by=row.asked_by,
            created_at=row.asked_at,
            ended_at={"deleted": row.deleted_at, "restored": row.restored_at}.get(row.state),
            counts=[(_("taken back"), row.records), (_("brought again"), row.restored)],
            result=(reverse("source_deletions", args=[row.source_id]), _("Deletions of the source")),
        )
        for row in rows
    ]


# --- exports ----------------------------------------------------------------------------------------------------------


def exports(identity: Identity) -> QuerySet[Any]:
    """Exports of the asker; those of everybody where nothing narrows what the asker may see."""
    rows = Export.objects.filter(organization_id=identity.organization_id)
    return rows.filter(person_id=identity.person_id or 0) if narrowing(identity, requests=True) else rows


def open_exports(identity: Identity) -> QuerySet[Any]:
    return exports(identity).filter(state__in=OPEN)


def read_exports(identity: Identity, rows: list[Any]) -> list[Job]:
    found = []
    for row in rows:
        file = (reverse("export_file", args=[row.id]), _("Fetch the file (CSV, gzip)"))
        there = row.state == DONE and row.size_bytes
        found.append(
            Job(
                id=f"export-{row.id}",
                kind=_("Export"),
                about=_("Requests, {first} – {last}").format(first=row.from_day, last=row.to_day),
                state=row.state,
                share=min(row.rows_done / row.rows, 1.0) if row.rows else None,
                text=_("{done} rows").format(done=figures.count(row.rows_done, compact=False))
                if row.state == DONE
                else _("{done} of {all} rows").format(
                    done=figures.count(row.rows_done, compact=False), all=figures.count(row.rows, compact=False)
                ),
                started_by=row.asked_by,
                created_at=row.created_at,
                ended_at=row.ended_at,
                counts=[(_("rows written"), row.rows_done)],
                result=file if there else (row.address, _("The list")),
                error=row.error,
                cancellable=True,
            )
        )
    return found


KINDS: Final = (
    Kind(
        "restatement",
        Action.SEE_ALL_TEAMS,
        "created_at",
        restatements,
        lambda identity: restatements(identity).filter(state__in=OPEN),
        read_restatements,
    ),
    Kind("delivery", Action.SEE_SOURCES, "received_at", deliveries, open_deliveries, read_deliveries),
    Kind("deletion", Action.SEE_SOURCES, "asked_at", deletions, open_deletions, read_deletions),
    Kind("export", Action.SEE_REQUESTS, "created_at", exports, open_exports, read_exports),
)
