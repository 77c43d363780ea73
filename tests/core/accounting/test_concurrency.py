"""Writers and derives at the same time: no mark is lost, and figures end up equal to their cells."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.db import connection

from core.accounting import services
from core.accounting.selectors import current_view
from core.accounting.selectors.reconciliation import reconcile_daily
from core.organizations.tenancy import organization_scope

from .conftest import metered
from .test_derive import daily, table

JULY = date(2026, 7, 1)


def in_thread(work, *arguments):
    """Run in a thread with a connection of its own, and close it."""
    try:
        return work(*arguments)
    finally:
        connection.close()


@pytest.mark.slow
def test_writers_and_two_workers_lose_nothing(committed_db, organization, factor_set, write):
    source_id = write(metered(0, 1.0))
    stop = threading.Event()

    def keep_writing(worker: int) -> int:
        for number in range(10):
            write(metered(1000 * worker + number, 1.0, day=("2026-07-01", "2026-07-02", "2026-08-01")[number % 3]))
        return 10

    def keep_deriving() -> None:
        while not stop.is_set():
            services.derive_dirty_days(organization.id, limit_s=0.1)

    with ThreadPoolExecutor(4) as pool:
        workers = [pool.submit(in_thread, keep_deriving) for _ in range(2)]
        written = sum(job.result() for job in [pool.submit(in_thread, keep_writing, n) for n in (1, 2)])
        stop.set()
        for worker in workers:
            worker.result()
    services.derive_dirty_days(organization.id)

    rows = daily(organization)
    assert rows["records"].sum() == written + 1
    assert set(rows["source_id"]) == {source_id}
    assert table(organization, "select id from ledger_dirty_day").empty
    assert reconcile_daily(organization.id, JULY, date(2026, 8, 31)).differences.empty


@pytest.mark.slow
def test_a_month_that_is_being_derived_is_left_to_its_worker(committed_db, organization, factor_set, write):
    from core.accounting.services import derive

    write(metered(1, 1.0), metered(2, 1.0, day="2026-08-01"))
    held, release = threading.Event(), threading.Event()

    def hold_july() -> None:
        with derive._months_locked(organization.id, {JULY}):
            held.set()
            release.wait(20)

    with ThreadPoolExecutor(1) as pool:
        holder = pool.submit(in_thread, hold_july)
        held.wait(20)
        result = services.derive_dirty_days(organization.id)
        release.set()
        holder.result()

    assert (result.days, result.left) == (1, False)
    assert table(organization, "select day from ledger_dirty_day")["day"].tolist() == [JULY]


def test_the_sweep_wakes_whoever_has_marks(
    committed_db, organization, other_organization, factor_set, write, monkeypatch
):
    from core.accounting import tasks

    woken = []
    monkeypatch.setattr(tasks.derive, "apply_async", lambda *, kwargs, expires: woken.append(kwargs["organization_id"]))
    write(metered(1, 1.0))

    assert tasks.sweep() == {"woken": 1}
    assert woken == [organization.id]
    assert tasks.derive(organization_id=organization.id)["days"] == 1
    assert tasks.sweep() == {"woken": 0}


@pytest.mark.slow
def test_a_rule_reaches_a_day_that_is_written_before_its_commit(committed_db, organization, factor_set, write):
    agent, bill = write(metered(1, 10.0), source="agent"), write(metered(2, 12.0), source="bill")
    services.derive_dirty_days(organization.id)

    def write_and_derive() -> None:
        write(metered(3, 12.0, day="2026-08-01"), source="bill")
        services.derive_dirty_days(organization.id)

    with ThreadPoolExecutor(1) as pool:
        with organization_scope(organization.id):
            unit = services.set_coverage_unit(organization_id=organization.id, name="A", counting_source_id=agent)
            for source_id in (agent, bill):
                services.link_source(organization_id=organization.id, source_id=source_id, unit_id=unit.id)
            deriving = pool.submit(in_thread, write_and_derive)
            wait_until_somebody_waits()
        deriving.result()
    services.derive_dirty_days(organization.id)

    assert daily(organization)["role"].tolist() == ["counted", "cross_check", "cross_check"]


@pytest.mark.slow
def test_a_view_that_is_being_switched_to_cannot_be_discarded(committed_db, organization, factor_set, write):
    write(metered(1, 10.0))
    services.derive_dirty_days(organization.id)
    view = services.begin_view(organization_id=organization.id)
    services.build_view(organization_id=organization.id, view_id=view.id)

    with ThreadPoolExecutor(1) as pool:
        with organization_scope(organization.id):
            services.switch_view(organization_id=organization.id, view_id=view.id)
            discarding = pool.submit(
                in_thread, lambda: services.discard_view(organization_id=organization.id, view_id=view.id)
            )
            wait_until_somebody_waits()
        with pytest.raises(services.ViewError, match="no view"):
            discarding.result()

    with organization_scope(organization.id):
        current = current_view(organization.id)
    assert current is not None
    assert current.id == view.id
    assert (daily(organization)["view_id"] == view.id).any()


def wait_until_somebody_waits() -> None:
    """Wait until another connection waits for a lock of this database, for at most ten seconds."""
    ends = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < ends:
            cursor.execute(
                "select exists(select from pg_locks where not granted and pid in"
                " (select pid from pg_stat_activity where datname = current_database()))"
            )
            if cursor.fetchone()[0]:
                return
            time.sleep(0.02)
    raise AssertionError("nobody waits for a lock")


def end_session() -> None:
    """Close the connection as the death of its process does, and wait until the server has let go of its locks."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_backend_pid()")
        (own,) = cursor.fetchone()
    connection.close()
    ends = time.monotonic() + 10
    with connection.cursor() as cursor:
        while time.monotonic() < ends:
            cursor.execute("select exists(select from pg_stat_activity where pid = %s)", [own])
            if not cursor.fetchone()[0]:
                return
            time.sleep(0.01)
    raise AssertionError("the session did not end")
