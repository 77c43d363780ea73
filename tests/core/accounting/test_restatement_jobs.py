"""Restatements asked for on a page: one at a time, done by a worker, cancelled or taken up again without a trace."""

from __future__ import annotations

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial

import pytest
from django.db import connection
from redis import Redis

from core import locks
from core.accounting import services, tasks
from core.accounting.models import JobState, RestatementJob, View, ViewState
from core.accounting.selectors import current_view
from core.accounting.services import derive
from core.accounting.services import restatement_jobs as jobs
from core.accounting.tasks import sweep
from core.organizations.tenancy import organization_scope
from tests.ingestion import live

from .conftest import metered
from .test_concurrency import end_session, in_thread, wait_until_somebody_waits
from .test_derive import daily, table
from .test_views import current_kg, dirtier_germany

__all__ = ["dirtier_germany"]

PERIOD = {"from_day": date(2026, 7, 1), "to_day": date(2026, 9, 30)}


@pytest.fixture
def figures(committed_db, organization, dirtier_germany, write):
    write(*(metered(month, 10.0, day=f"2026-{month:02}-05") for month in (7, 8, 9, 10)))
    services.derive_dirty_days(organization.id)
    return dirtier_germany


def ask(organization, edition, **fields):
    given = {"factor_set": edition.name, "methodology": "2026.1", **PERIOD, **fields}
    return jobs.ask_restatement(organization_id=organization.id, **given)


def building(organization):
    with organization_scope(organization.id):
        return View.objects.filter(organization_id=organization.id, state=ViewState.BUILDING).count()


def test_a_rehearsal_is_done_by_a_worker_and_leaves_its_bridge(organization, figures):
    before = current_kg(organization)
    ask(organization, figures)

    job = jobs.run_restatement(organization.id)

    assert (job.state, job.months_done, job.months) == (JobState.DONE, 3, 3)
    old, new = (job.result[side]["totals"]["location_kg_co2e"] for side in ("old", "new"))
    assert new / old == pytest.approx(400 / 329)
    assert [step["name"] for step in job.result["steps"]] == ["correction", "activity", "coverage", "method", "factor"]
    assert current_kg(organization) == before
    assert building(organization) == 0
    assert jobs.run_restatement(organization.id) is None


def test_a_switch_holds_every_day(organization, figures):
    before = current_kg(organization)
    ask(organization, figures, apply=True, reason="edition 2")

    job = jobs.run_restatement(organization.id)

    assert (job.state, job.months_done, job.months) == (JobState.DONE, 4, 4)
    assert job.result["applied"]
    assert current_kg(organization) == pytest.approx(before * 400 / 329)


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"factor_set": "nobody-made-this"}, "factor_set", "no factor set"),
        ({"methodology": "2026.1 kindness=3"}, "methodology", "no setting"),
        ({"to_day": date(2026, 6, 1)}, "to_day", "ends before"),
        ({"apply": True}, "reason", "why"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_field(organization, figures, fields, field, says):
    with pytest.raises(jobs.RestatementJobError, match=says) as refused:
        ask(organization, figures, **fields)

    assert refused.value.field == field


def test_nothing_to_change_and_two_at_once_are_refused(organization, figures):
    with organization_scope(organization.id):
        current = current_view(organization.id)
    with pytest.raises(jobs.RestatementJobError, match="already"):
        ask(organization, current.factor_set)
    ask(organization, figures)

    with pytest.raises(jobs.RestatementJobError, match="under way"):
        ask(organization, figures)


def test_a_cancelled_job_stops_after_its_month_and_leaves_nothing(organization, figures, monkeypatch):
    job = ask(organization, figures)
    told = jobs._Told.month_done

    def cancel_then_tell(self):
        jobs.cancel_restatement(organization_id=organization.id, job_id=job.id)
        told(self)

    monkeypatch.setattr(jobs._Told, "month_done", cancel_then_tell)

    ended = jobs.run_restatement(organization.id)

    assert (ended.state, ended.result) == (JobState.CANCELLED, None)
    assert building(organization) == 0
    assert daily(organization)["view_id"].nunique() == 1


def test_a_job_of_a_killed_worker_is_done_by_the_next(organization, figures):
    job = ask(organization, figures)
    services.begin_view(organization_id=organization.id, factor_set=figures.name)
    end_session()
    with organization_scope(organization.id):
        RestatementJob.objects.filter(id=job.id).update(state=JobState.RUNNING, months_done=2)

    done = jobs.run_restatement(organization.id)

    assert (done.state, done.months_done) == (JobState.DONE, 3)
    assert building(organization) == 0


def test_a_cancel_before_the_switch_prevents_it_though_every_month_is_done(organization, figures, monkeypatch):
    from core.accounting.services import restatement

    before = current_kg(organization)
    job = ask(organization, figures, apply=True, reason="edition 2")
    totals = restatement._totals
    stopped = []

    def cancel_then_add_up(*arguments):
        stopped.append(jobs.cancel_restatement(organization_id=organization.id, job_id=job.id))
        return totals(*arguments)

    monkeypatch.setattr(restatement, "_totals", cancel_then_add_up)

    ended = jobs.run_restatement(organization.id)

    assert stopped[0]
    assert (ended.state, ended.months_done, ended.result) == (JobState.CANCELLED, 4, None)
    assert current_kg(organization) == before
    assert building(organization) == 0


def test_a_rehearsal_that_was_cancelled_at_its_end_stays_cancelled(organization, figures, monkeypatch):
    job = ask(organization, figures)
    restate = jobs.restate

    def restate_then_cancel(**options):
        restated = restate(**options)
        jobs.cancel_restatement(organization_id=organization.id, job_id=job.id)
        return restated

    monkeypatch.setattr(jobs, "restate", restate_then_cancel)

    ended = jobs.run_restatement(organization.id)

    assert (ended.state, ended.result) == (JobState.CANCELLED, None)


@pytest.mark.slow
def test_a_cancel_during_the_switch_is_told_that_it_came_too_late(organization, figures, monkeypatch):
    from core.accounting.services import restatement

    before = current_kg(organization)
    job = ask(organization, figures, apply=True, reason="edition 2")
    switch = restatement.switch_view
    cancelling = []

    with ThreadPoolExecutor(1) as pool:

        def switch_while_somebody_cancels(**options):
            cancel = partial(jobs.cancel_restatement, organization_id=organization.id, job_id=job.id)
            cancelling.append(pool.submit(in_thread, cancel))
            wait_until_somebody_waits()
            return switch(**options)

        monkeypatch.setattr(restatement, "switch_view", switch_while_somebody_cancels)
        ended = jobs.run_restatement(organization.id)

    assert cancelling[0].result() is False
    assert (ended.state, ended.result["applied"]) == (JobState.DONE, True)
    assert current_kg(organization) == pytest.approx(before * 400 / 329)


def test_a_switch_that_somebody_made_meanwhile_is_told(organization, figures):
    ask(organization, figures, apply=True, reason="edition 2")
    view = services.begin_view(organization_id=organization.id, factor_set=figures.name)
    services.build_view(organization_id=organization.id, view_id=view.id)
    services.switch_view(organization_id=organization.id, view_id=view.id)

    ended = jobs.run_restatement(organization.id)

    assert ended.state == JobState.FAILED
    assert "already" in ended.error
    assert building(organization) == 0


def test_a_job_waits_while_a_worker_restates_for_whomever(organization, figures):
    job = ask(organization, figures)
    answers = []

    def elsewhere():
        try:
            answers.append(jobs.run_restatement(organization.id))
        finally:
            connection.close()

    with locks.if_free(locks.JOB_LOCK):
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()

    assert answers == [None]
    with organization_scope(organization.id):
        job.refresh_from_db()
    assert job.state == JobState.WAITING


def test_a_failure_is_told_and_leaves_nothing(organization, figures, monkeypatch):
    from core.accounting.services import restatement

    ask(organization, figures)

    def broken(*arguments, **options):
        raise OverflowError

    monkeypatch.setattr(restatement, "derive_days", broken)
    with pytest.raises(OverflowError):
        jobs.run_restatement(organization.id)

    with organization_scope(organization.id):
        job = RestatementJob.objects.get(organization_id=organization.id)
    assert (job.state, building(organization)) == (JobState.FAILED, 0)
    assert "worker's log" in job.error


def test_the_sweep_wakes_a_worker_for_it(organization, figures, monkeypatch):
    from core.accounting import tasks

    woken = []
    monkeypatch.setattr(tasks.restate, "apply_async", lambda **message: woken.append(message["kwargs"]))
    sweep()
    ask(organization, figures)

    sweep()

    assert woken == [{"organization_id": organization.id}]


@pytest.mark.slow
def test_days_that_change_are_derived_during_restatements(
    organization, other_organization, figures, write, settings, tmp_path
):
    """Both restatements wait for a month, as long ones would; the worker has two processes and reads every queue."""
    Redis.from_url(settings.REDIS_URL).flushdb()
    write(metered(1, 10.0), into=other_organization)
    services.derive_dirty_days(other_organization.id)
    both = (organization, other_organization)
    months = [derive._months_locked(each.id, [date(2026, 7, 1)]) for each in both]
    with months[0], months[1]:
        for each in both:
            ask(each, figures)
        worker = live.worker(tmp_path)
        try:
            for each in both:
                tasks.restate.apply_async(kwargs={"organization_id": each.id})
            live.wait_for(lambda: JobState.RUNNING in states(both), 30, tmp_path / "worker.log")
            write(metered(100, 10.0, day="2026-11-05"))
            tasks.derive.apply_async(kwargs={"organization_id": organization.id})
            live.wait_for(lambda: not has_marks(organization), 15, tmp_path / "worker.log")
            meanwhile = states(both)
        finally:
            live.end(worker, signal.SIGKILL)

    assert sorted(meanwhile) == [JobState.RUNNING, JobState.WAITING]


def states(organizations) -> list[str]:
    return [
        table(each, "select state from accounting_restatementjob order by id")["state"].iloc[-1]
        for each in organizations
    ]


def has_marks(organization) -> bool:
    return not table(organization, "select id from ledger_dirty_day").empty
