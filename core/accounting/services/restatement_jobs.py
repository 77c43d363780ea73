"""
Restatements that people ask for on a page: a worker does them, one after the other over all organizations.

Each keeps a worker's process busy for as long as it takes. As there is never a second one, the others are left for days that
change meanwhile.

The request is a row, so nothing is lost with the broker; a worker that dies leaves it running without its lock, and the next
one begins again. A switch and the end of its job are one transaction, so either it was cancelled or it was done.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any, Final

import structlog
from django.db import IntegrityError, transaction

from core.accounting.figures import Filter
from core.accounting.models import JobState, RestatementJob
from core.accounting.services.restatement import Progress, Restatement, restate
from core.accounting.services.views import ViewError, discard_abandoned_views, ensure_current_view
from core.factors.selectors import NoFactorSet, factor_set_of
from core.locks import JOB_LOCK, if_free
from core.organizations.identity import current_actor
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.methods import UnknownMethodology, methodology_of

log = structlog.get_logger()


ACTIVE: Final = (JobState.WAITING, JobState.RUNNING)


class RestatementJobError(Exception):
    """
    A restatement that cannot be asked for; the message says why.

    Attributes:
        field: what to mend: factor_set, methodology, to_day, reason; empty: the whole.
    """

    def __init__(self, message: str, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class CancelledError(Exception):
    """Somebody cancelled the job while it ran."""


def ask_restatement(
    *,
    organization_id: int,
    factor_set: str,
    methodology: str,
    from_day: date,
    to_day: date,
    apply: bool = False,
    reason: str = "",
) -> RestatementJob:
    """
    Ask for a rehearsal of other factors or another methodology, or for the switch to them.

    Raises:
        RestatementJobError: nothing would change, a name is unknown, a switch has no reason, or another job is under way.
    """
    try:
        chosen = factor_set_of(factor_set)
    except NoFactorSet as error:
        raise RestatementJobError(str(error), "factor_set") from error
    try:
        version = methodology_of(methodology).version
    except UnknownMethodology as error:
        raise RestatementJobError(str(error), "methodology") from error
    if to_day < from_day:
        raise RestatementJobError("The period ends before it starts.", "to_day")
    if apply and not reason.strip():
        raise RestatementJobError("Say why the figures are restated.", "reason")
    current = ensure_current_view(organization_id)
    if (current.factor_set_id, current.methodology) == (chosen.id, version):
        raise RestatementJobError(f"The figures follow from {chosen.name} and methodology {version} already.")
    with organization_scope(organization_id):
        try:
            with transaction.atomic():
                job = RestatementJob.objects.create(
                    organization_id=organization_id,
                    factor_set=chosen,
                    methodology=version,
                    from_day=from_day,
                    to_day=to_day,
                    apply=apply,
                    reason=reason.strip(),
                    asked_by=current_actor().name,
                )
        except IntegrityError as error:
            raise RestatementJobError("Another restatement is under way: wait for it, or cancel it.") from error
        record_event(
            organization_id=organization_id,
            action="ask_restatement",
            object_type="restatement_job",
            object_id=job.id,
            after={
                "factor_set": chosen.content_hash,
                "methodology": version,
                "from_day": from_day.isoformat(),
                "to_day": to_day.isoformat(),
                "apply": apply,
            },
            reason=reason.strip(),
        )
    return job


def cancel_restatement(*, organization_id: int, job_id: int) -> bool:
    """
    Stop a job that waits or runs; what runs stops after its month and leaves nothing.

    Returns:
        Whether it was stopped. False: it had ended. One that is switching just now is waited for.
    """
    with organization_scope(organization_id):
        active = RestatementJob.objects.filter(organization_id=organization_id, id=job_id, state__in=ACTIVE)
        stopped = bool(active.update(state=JobState.CANCELLED, ended_at=datetime.now(UTC)))
        if stopped:
            record_event(
                organization_id=organization_id,
                action="cancel_restatement",
                object_type="restatement_job",
                object_id=job_id,
            )
    return stopped


def restatement_is_due(organization_id: int) -> bool:
    """Tell whether a job waits, or was left by a worker, inside the organization's scope. One that runs is told of as well."""
    return RestatementJob.objects.filter(organization_id=organization_id, state__in=ACTIVE).exists()


def run_restatement(organization_id: int) -> RestatementJob | None:
    """
    Do the job that waits, or that a dead worker has left.

    Returns:
        The job as it ended. None: there is none to do, or a worker restates just now; the sweep asks again.
    """
    with if_free(JOB_LOCK) as locked:
        job = _active(organization_id) if locked else None
        if job is None:
            return None
        discard_abandoned_views(organization_id)
        try:
            _update(job, state=JobState.RUNNING, months_done=0, months=None)
            restated = restate(
                organization_id=organization_id,
                asked=Filter(job.from_day, job.to_day),
                factor_set=job.factor_set.content_hash,
                methodology=job.methodology,
                apply=job.apply,
                reason=job.reason,
                progress=_Told(job),
            )
            if not restated.applied:
                _end(job, JobState.DONE, result=restated.as_dict())
        except CancelledError:
            log.info("restatement cancelled", organization=organization_id, job=job.id)
        except ViewError as error:
            _fail(job, str(error))
        except Exception:
            _fail(job, "The figures could not be derived; the worker's log says why.")
            raise
        with organization_scope(organization_id):
            job.refresh_from_db()
        return job


class _Told(Progress):
    """Writes progress to the job, and stops where somebody cancelled it."""

    def __init__(self, job: RestatementJob) -> None:
        self._job = job
        self._done = 0

    def expects(self, months: int) -> None:
        _update(self._job, months=months)

    def month_done(self) -> None:
        self._done += 1
        _update(self._job, months_done=self._done)

    def switches(self, restatement: Restatement) -> None:
        """End the job; whoever would cancel it now waits for the switch, and finds that it came too late."""
        _end(self._job, JobState.DONE, result=restatement.as_dict())


def _active(organization_id: int) -> RestatementJob | None:
    with organization_scope(organization_id):
        jobs = RestatementJob.objects.select_related("factor_set")
        return jobs.filter(organization_id=organization_id, state__in=ACTIVE).first()


def _update(job: RestatementJob, **fields: Any) -> None:
    """Write to a job that is still wanted. Raises `CancelledError` where it is not."""
    with organization_scope(job.organization_id):
        active = RestatementJob.objects.filter(organization_id=job.organization_id, id=job.id, state__in=ACTIVE)
        if not active.update(**fields):
            raise CancelledError


def _end(job: RestatementJob, state: JobState, **fields: Any) -> None:
    """Write how a job ended. Raises `CancelledError` where somebody cancelled it."""
    _update(job, state=state, ended_at=datetime.now(UTC), **fields)


def _fail(job: RestatementJob, error: str) -> None:
    """Write why a job failed; one that was cancelled stays cancelled."""
    try:
        _end(job, JobState.FAILED, error=error)
    except CancelledError:
        log.info("restatement failed after it was cancelled", organization=job.organization_id, job=job.id)
