"""Deliveries that look wrong wait for somebody: held, then confirmed or refused."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.ledger import series
from ingestion import services
from ingestion.models import State
from tests.ingestion.conftest import make_record
from tests.ingestion.test_commands import jsonl

pytestmark = pytest.mark.usefixtures("committed_db", "woken")


@pytest.fixture
def held(post: Any, drained: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give a batch that brings more new series than its source may."""
    monkeypatch.setattr(series, "NEW_SERIES_A_MONTH", 2)
    body = [make_record(f"r{at}", labels={"session": f"s{at}"}) for at in range(5)]
    batch = drained(post("/api/v1/activity", body).json()["batch"])
    assert batch["state"] == "pending"
    assert "session" in batch["log"][-1]
    return str(batch["id"])


def test_a_held_delivery_is_written_once_it_is_confirmed(held: str, organization: Any, batch_of: Any) -> None:
    services.drain_inbox(organization.id)
    assert batch_of(held).written == 0

    services.confirm_held(organization.id, held, why="a load test")
    services.drain_inbox(organization.id)

    assert (batch_of(held).state, batch_of(held).written) == (State.DONE, 5)
    with pytest.raises(services.ResolveError):
        services.confirm_held(organization.id, held)


def test_a_refused_delivery_ends_with_its_reason(held: str, organization: Any, batch_of: Any) -> None:
    with pytest.raises(services.ResolveError):
        services.reject_held(organization.id, held, why=" ")

    services.reject_held(organization.id, held, why="session ids do not belong into labels")

    assert batch_of(held).state == State.FAILED
    assert "session ids" in batch_of(held).log[-1]


def test_a_held_delivery_does_not_stop_those_after_it(held: str, post: Any, drained: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(series, "NEW_SERIES_A_MONTH", 20_000)

    assert drained(post("/api/v1/activity", [make_record("later")]).json()["batch"])["state"] == "done"


def test_waiting_for_a_held_delivery_ends_with_one(
    organization: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series, "NEW_SERIES_A_MONTH", 2)
    path = jsonl(tmp_path / "a.jsonl", *(make_record(f"r{at}", labels={"session": f"s{at}"}) for at in range(5)))

    with pytest.raises(CommandError, match="waits for confirmation"):
        call_command(
            "import_usage",
            "activity",
            path,
            "--organization",
            "northwind",
            "--wait",
            stdout=StringIO(),
            stderr=StringIO(),
        )
