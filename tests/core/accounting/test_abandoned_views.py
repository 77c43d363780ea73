"""Views whose builder was killed: recognized by the lock that went with its session, and discarded by the next sweep."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import pytest
from django.db import connection

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.services import derive
from core.accounting.tasks import sweep

from .conftest import metered
from .test_concurrency import end_session, wait_until_somebody_waits
from .test_derive import daily, table
from .test_views import dirtier_germany

__all__ = ["dirtier_germany"]

ROOT = Path(__file__).parents[3]
SEPTEMBER = date(2026, 9, 1)


@pytest.fixture
def figures(committed_db, organization, dirtier_germany, write):
    write(metered(1, 10.0), metered(2, 10.0, day="2026-09-05"))
    services.derive_dirty_days(organization.id)
    return dirtier_germany


def building(organization) -> list[int]:
    return table(organization, "select id from accounting_view where state = 'building'")["id"].tolist()


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--apply"], ["--methodology", "2026.1 host_factor=2.7"]])
def test_a_restatement_that_was_killed_leaves_no_view(organization, figures, arguments):
    asked = ["--organization", "northwind", "--period", "2026-Q3", "--factor-set", figures.name]

    with derive._months_locked(organization.id, [SEPTEMBER]):
        builder = subprocess.Popen(
            [sys.executable, "manage.py", "restate", *asked, *arguments],
            cwd=ROOT,
            env=os.environ.copy(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_until_somebody_waits()
            (left,) = building(organization)
            services.discard_abandoned_views(organization.id)
            kept = building(organization)
        finally:
            builder.send_signal(signal.SIGKILL)
            builder.wait(10)
    ends = time.monotonic() + 10
    while building(organization) and time.monotonic() < ends:
        sweep()
        time.sleep(0.1)

    assert kept == [left], "its builder lived"
    assert building(organization) == []
    assert daily(organization)["view_id"].nunique() == 1
    assert table(organization, f"select to_regclass('accounting_daily_{left}') as name")["name"].tolist() == [None]


def test_every_view_of_a_session_that_ended_is_discarded(organization, figures):
    given = {"organization_id": organization.id, "factor_set": figures.name}
    left = [services.begin_view(**given).id for _ in range(2)]
    end_session()

    assert services.discard_abandoned_views(organization.id) == left
    assert services.discard_abandoned_views(organization.id) == []
    assert building(organization) == []


def test_a_view_that_is_switched_to_or_given_up_is_let_go(organization, figures):
    asked = Filter(date(2026, 7, 1), date(2026, 7, 31), include=())

    services.restate(organization_id=organization.id, asked=asked, factor_set=figures.name, apply=True)

    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()")
        assert cursor.fetchone() == (0,)
