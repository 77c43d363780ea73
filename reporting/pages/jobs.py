"""Jobs: everything that takes its time, with how far it is, who started it and what came of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from core.accounting.services.restatement_jobs import cancel_restatement
from core.organizations.access import requires
from core.organizations.identity import Identity
from core.organizations.policy import Action
from reporting import figures
from reporting.selectors.jobs import Job, job_of, jobs, open_jobs
from reporting.services.exports import cancel_export
from reporting.templatetags.figures import locale

LISTED: Final = 50
PACES_S: Final = ((60, 2), (300, 5))
"""Seconds since the begin, and how often a page looks then; after that every ``SLOWEST_S``."""
SLOWEST_S: Final = 15
TOLD_AFTER_S: Final = 5
"""Time left is told after so many seconds of work, when a rate is worth something."""


@require_safe
@requires(Action.SEE_OWN_TEAM)
def job_list(request: HttpRequest) -> HttpResponse:
    """List the latest jobs that the asker may see."""
    errors: list[str] = []
    before = time_of(request.GET.get("after", ""), errors)
    found = jobs(request.identity, before=before, limit=LISTED + 1)  # type: ignore[attr-defined]
    shown = found[:LISTED]
    now = datetime.now(UTC)
    context = {
        "title": _("Jobs"),
        "query_errors": errors,
        "jobs": [described(job, now) for job in shown],
        "running": any(job.open for job in shown),
        "older": f"?after={shown[-1].created_at.isoformat().replace('+', '%2B')}" if len(found) > LISTED else "",
        "newest": reverse("jobs") if before else "",
    }
    partial = bool(getattr(request, "htmx", False))
    return render(request, "reporting/partials/job_table.html" if partial else "reporting/jobs.html", context)


@require_safe
@requires(Action.SEE_OWN_TEAM)
def jobs_running(request: HttpRequest) -> HttpResponse:
    """Count the jobs that wait or run; the navigation asks for it, so that no page waits for the answer."""
    running = open_jobs(request.identity)  # type: ignore[attr-defined]
    return render(request, "reporting/partials/jobs_running.html", {"running": running})


@require_safe
@requires(Action.SEE_OWN_TEAM)
def job(request: HttpRequest, job_id: str) -> HttpResponse:
    """Show one job; while it is open the part that moves looks again, ever more slowly."""
    found = found_job(request, job_id)
    now = datetime.now(UTC)
    context = described(found, now) | {"title": found.kind, "pace_s": pace_s(found, now)}
    if getattr(request, "htmx", False):
        answer = render(request, "reporting/partials/job_progress.html", context)
        if not found.open:
            answer["HX-Refresh"] = "true"
        return answer
    return render(request, "reporting/job.html", context)


@require_POST
@requires(Action.SEE_OWN_TEAM)
def cancel_job(request: HttpRequest, job_id: str) -> HttpResponse:
    """Stop a job where stopping leaves nothing half done: restatements and exports."""
    found = found_job(request, job_id)
    if not found.cancellable:
        raise PermissionDenied("This job cannot be stopped, or not by you.")
    kind, _dash, number = job_id.partition("-")
    organization_id = request.identity.organization_id  # type: ignore[attr-defined]
    stopped = (
        cancel_restatement(organization_id=organization_id, job_id=int(number))
        if kind == "restatement"
        else cancel_export(organization_id=organization_id, export_id=int(number))
    )
    if stopped:
        messages.success(request, _("It is cancelled; nothing of it is kept."))
    else:
        messages.error(request, _("Too late to cancel it: it had ended."))
    return redirect("job", job_id)


def found_job(request: HttpRequest, job_id: str) -> Job:
    identity: Identity = request.identity  # type: ignore[attr-defined]
    found = job_of(identity, job_id)
    if found is None:
        raise Http404
    return found


def described(found: Job, now: datetime) -> dict[str, Any]:
    """Give what a line and a page about a job show."""
    seconds = ((found.ended_at or now) - found.created_at).total_seconds()
    return {
        "job": found,
        "address": reverse("job", args=[found.id]),
        "took": duration(seconds),
        "left": time_left(found, seconds),
    }


def time_left(found: Job, seconds: float) -> str:
    """Tell how long a job will still take at its rate so far; "" while that is not worth saying."""
    if not found.open or not found.share or seconds < TOLD_AFTER_S or found.share >= 1:
        return ""
    return _("about {time} left").format(time=duration(seconds / found.share - seconds))


def duration(seconds: float) -> str:
    """
    Write a duration in its largest unit.

    >>> duration(4.2), duration(90), duration(7300)
    ('4 s', '1 min 30 s', '2 h 1 min')
    """
    whole = max(int(seconds), 0)
    if whole < 60:
        return _("{s} s").format(s=whole)
    if whole < 3600:
        return _("{minutes} min {seconds} s").format(minutes=whole // 60, seconds=whole % 60)
    return _("{hours} h {minutes} min").format(
        hours=figures.count(whole // 3600, locale=locale()), minutes=whole % 3600 // 60
    )


def pace_s(found: Job, now: datetime) -> int:
    """Say how soon the page looks again: often at first, every 15 s later. [s]"""
    age = (now - found.created_at).total_seconds()
    return next((pace for until, pace in PACES_S if age < until), SLOWEST_S)


def time_of(text: str, errors: list[str]) -> datetime | None:
    """Read where a list goes on; nonsense is said, and the list begins anew."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        errors.append(_("The list cannot go on from there; it begins anew."))
        return None
