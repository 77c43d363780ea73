"""What a run is made of: its records in one question, and runs by their time."""

from __future__ import annotations

from datetime import UTC, datetime

import pandas as pd

from core.ledger import runs

NOVEMBER = {"from_time": datetime(2026, 11, 1, tzinfo=UTC), "to_time": datetime(2026, 12, 1, tzinfo=UTC)}


def at(hour, day=3):
    return pd.Timestamp(2026, 11, day, hour, tz="UTC")


def test_records_of_a_run_are_ready_to_be_quantified(organization, write):
    write(
        {"run": "run-1", "energy_kwh": 0.5, "energy_boundary": "it", "started_at": at(9), "ended_at": at(11)},
        {"record_id": "r2", "run": "run-1", "corrects": "r1", "requests": -1},
        {"record_id": "r3", "run": "run-2"},
    )

    frame = runs.records_of_runs(organization.id, ["run-1"], at(0), at(0, day=4))

    assert frame["energy_pkwh"].tolist() == [500_000_000_000, 0]
    assert frame["counted"].tolist() == [True, False]
    assert frame["started_at"].iloc[0] == at(9)
    assert runs.runs(organization.id, **NOVEMBER)[["run", "records"]].to_numpy().tolist() == [
        ["run-2", 1],
        ["run-1", 1],
    ]


def test_records_of_several_runs_are_read_at_once_within_their_time(organization, write):
    write(
        {"run": "run-1", "requests": 3, "started_at": at(9), "ended_at": at(11)},
        {"record_id": "r2", "run": "run-2", "requests": 5, "started_at": at(10)},
        {"record_id": "r3", "run": "run-2", "requests": 7, "started_at": at(9, day=4)},
        {"record_id": "r4", "run": "run-3", "requests": 9},
    )

    frame = runs.records_of_runs(organization.id, ["run-2", "run-1", "nothing"], at(0), at(0, day=4))
    none = runs.records_of_runs(organization.id, [], at(0), at(0, day=4))

    assert frame[["run", "requests"]].to_numpy().tolist() == [["run-1", 3], ["run-2", 5]]
    assert list(none.columns) == list(frame.columns)
    assert none.empty
