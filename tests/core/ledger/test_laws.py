"""Laws 2 to 4 of architecture.md section 8, under any sequence of imports, from several writers at once, and over crashes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pandas as pd
import pytest
from django.db import connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.identifiers import uuid7
from core.ledger import selectors, services
from core.organizations.tenancy import organization_scope
from core.quantification.rejections import Cover

from .conftest import activity, write_batch

YEARS = (date(2025, 1, 1), date(2027, 12, 31))
MONTH = {"from_time": datetime(2026, 11, 1, tzinfo=UTC), "to_time": datetime(2026, 12, 1, tzinfo=UTC)}

# --- any sequence -----------------------------------------------------------------------------------------------------

starts = st.integers(0, 32 * 24 * 60).map(
    lambda minutes: pd.Timestamp("2026-10-30T00:00:17Z") + pd.Timedelta(minutes=minutes)
)
energies = st.none() | st.floats(0, 1e4)


@st.composite
def pushed(draw):
    """A record as a client pushes it: few ids, so that they repeat and conflict; any length; perhaps a correction."""
    start = draw(starts)
    sign = draw(st.sampled_from([1, 1, 1, -1]))
    energy = draw(energies)
    hours = draw(st.none() | st.floats(0, 1e3))
    return {
        "record_id": f"r{draw(st.integers(0, 6))}",
        "started_at": start,
        "ended_at": start + pd.Timedelta(seconds=draw(st.sampled_from([0, 1, 5_000, 90_000]))),
        "team": draw(st.sampled_from(["search", "nlp", None])),
        "requests": sign * draw(st.integers(0, 3)),
        "input_tokens": None,
        "energy_kwh": None if energy is None else sign * energy,
        "energy_boundary": None if energy is None else "it",
        "device_hours": None if hours is None else sign * hours,
        "device_utilization": None if hours is None else draw(st.none() | st.floats(0, 1)),
        "corrects": "r0" if sign < 0 else None,
    }


@st.composite
def delivered(draw):
    """A line of a bill: few keys and days, so that deliveries overlap."""
    day = draw(st.integers(1, 5))
    start = pd.Timestamp(2026, 11, day, tz="UTC")
    return {
        "record_id": f"line {day} {draw(st.integers(0, 1))}",
        "started_at": start,
        "ended_at": start + pd.Timedelta(days=1),
        "requests": None,
        "input_tokens": None,
        "cost": draw(st.floats(-100, 1e5)),
        "currency": "EUR",
        "snapshot": "bill",
    }


imports = st.lists(
    st.tuples(st.just("push"), st.lists(pushed(), min_size=1, max_size=6))
    | st.tuples(st.just("bill"), st.lists(delivered(), max_size=6)),
    min_size=1,
    max_size=5,
)


@pytest.mark.slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sequence=imports, repeat=st.booleans())
def test_ledger_and_cells_agree_after_any_sequence_of_imports(organization, sequence, repeat):
    with undone():
        sources = {kind: services.ensure_source(organization.id, kind) for kind in ("push", "bill")}
        for kind, records in sequence + sequence[-1:] * repeat:
            frame = activity(*records)
            cover = [Cover("bill")] if kind == "bill" else []
            result = write_batch(sources[kind], uuid7(), frame, cover=cover, confirmed=True)

            assert result.written + result.duplicate + len(result.rejected) == len(frame)
        if repeat:
            assert result.written == 0
        assert selectors.reconcile_ledger(organization.id, *YEARS).empty
        records, nano_cost = totals(organization)
        assert records == first_records(sequence) + len(all_lines(sequence))
        assert abs(nano_cost - last_bill(sequence)) <= 100


def totals(organization):
    """Records and cost in the cells of all days."""
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select coalesce(sum(records), 0)::int, coalesce(sum(nano_cost), 0)::bigint from ledger_cell")
        return cursor.fetchone()


def first_records(sequence):
    """How many pushed ids were first seen on a record that is no correction."""
    first = {}
    for kind, records in sequence:
        for record in records if kind == "push" else []:
            first.setdefault(record["record_id"], record["corrects"] is None)
    return sum(first.values())


def all_lines(sequence):
    """Keys of all bills."""
    return {record["record_id"] for kind, records in sequence if kind == "bill" for record in records}


def last_bill(sequence):
    """Cost of the last bill, which replaces all others. [1e-9 EUR]"""
    bills = [records for kind, records in sequence if kind == "bill"]
    return sum(round(record["cost"] * 1e9) for record in bills[-1]) if bills else 0


class Undone(Exception):
    """Leaves a transaction so that it is rolled back."""


class undone:  # noqa: N801  # reads as a word of the sentence
    """Roll back what happens inside, so that every example starts from nothing."""

    def __enter__(self) -> None:
        self.atomic = transaction.atomic()
        self.atomic.__enter__()

    def __exit__(self, kind, error, traceback) -> None:
        cause = error or Undone()
        self.atomic.__exit__(type(cause), cause, None)


# --- several writers --------------------------------------------------------------------------------------------------


def in_threads(work, count):
    """Run work(number) in threads with connections of their own; give the results, or raise the first error."""

    def run(number):
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.slow
def test_writers_of_the_same_records_at_once_count_each_once(committed_db, organization):
    source = services.ensure_source(organization.id, "activity")
    frames = [
        activity(*({"record_id": f"r{n}", "team": f"t{n % 5}"} for n in range(at, at + 400)))
        for at in range(0, 2000, 200)
    ]
    start = threading.Barrier(3)

    def write(number):
        start.wait()
        return [write_batch(source, uuid7(), frame) for frame in (frames if number % 2 else frames[::-1])]

    outcomes = [outcome for each in in_threads(write, 3) for outcome in each]

    assert sum(outcome.written for outcome in outcomes) == 2200
    assert sum(outcome.duplicate for outcome in outcomes) == 3 * 10 * 400 - 2200
    assert not any(outcome.rejected for outcome in outcomes)
    assert selectors.cells_of_day(organization.id, date(2026, 11, 3))["records"].sum() == 2200
    assert selectors.reconcile_ledger(organization.id, *YEARS).empty


@pytest.mark.slow
def test_deliveries_of_one_bill_at_once_pass_one_after_the_other(committed_db, organization):
    source = services.ensure_source(organization.id, "focus")
    start = threading.Barrier(3)

    def bill(value):
        days = [pd.Timestamp(2026, 11, day, tz="UTC") for day in range(1, 29)]
        return activity(
            *(
                {
                    "record_id": f"line {day.day}",
                    "started_at": day,
                    "ended_at": day + pd.Timedelta(days=1),
                    "cost": value,
                    "currency": "EUR",
                    "snapshot": "bill",
                }
                for day in days
            )
        )

    def write(number):
        start.wait()
        write_batch(source, uuid7(), bill(float(number + 1)), cover=[Cover("bill")])

    in_threads(write, 3)

    frame = selectors.cells_of_day(organization.id, date(2026, 11, 7))
    assert frame["nano_cost"].sum() in {1_000_000_000, 2_000_000_000, 3_000_000_000}
    assert frame["records"].sum() == 1
    assert selectors.reconcile_ledger(organization.id, *YEARS).empty


# --- crashes ----------------------------------------------------------------------------------------------------------

CRASH = """
import os, signal, sys
import django
django.setup()
from tests.core.ledger.conftest import activity
from core.identifiers import uuid7
from core.ledger import services

organization_id, source_id = int(sys.argv[1]), int(sys.argv[2])
frame = activity(*({"record_id": f"r{n}"} for n in range(500)))
with services.Writer(organization_id) as writer:
    writer.stage(frame, source_id=source_id, batch_id=uuid7())
    writer.commit(lambda result: os.kill(os.getpid(), signal.SIGKILL))
"""


@pytest.mark.slow
def test_a_writer_killed_before_its_commit_leaves_nothing(committed_db, organization):
    source = services.ensure_source(organization.id, "activity")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "core.settings", "PYTHONPATH": os.pathsep.join(sys.path)}

    killed = subprocess.run(
        [sys.executable, "-c", CRASH, str(organization.id), str(source.id)], env=environment, check=False
    )

    assert killed.returncode == -signal.SIGKILL
    for table in ("record", "identity", "record_text", "cell", "dirty_day"):
        with organization_scope(organization.id), connection.cursor() as cursor:
            cursor.execute(f"select count(*) from ledger_{table}")
            assert cursor.fetchone() == (0,), table
    again = write_batch(source, uuid7(), activity(*({"record_id": f"r{n}"} for n in range(500))))
    assert (again.written, again.duplicate) == (500, 0)
