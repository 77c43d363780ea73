"""Workers: one bad payload stops nobody, a killed worker frees its batches, bills keep their order."""

from __future__ import annotations

import io
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, connection

from core.ledger.services import ensure_source, update_source
from core.organizations.identity import Actor, Identity
from core.organizations.tenancy import organization_scope
from ingestion import claims, payloads, selectors, services
from ingestion.models import State
from ingestion.services import drain as draining
from ingestion.sources import activity as adapter
from tests.ingestion.conftest import make_record

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def put(post: Any) -> Any:
    """Put a record into the inbox; give its batch."""
    return lambda name: post("/api/v1/activity", [make_record(name)]).json()["batch"]


def set_batch(organization: Any, batch: str, **fields: Any) -> None:
    with organization_scope(organization.id):
        selectors.batches(organization.id).filter(id=batch).update(**fields)


def test_a_payload_that_keeps_failing_is_given_up_and_stops_nobody(
    put: Any, organization: Any, batch_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, good = put("poison"), put("good")
    read = adapter.read

    def fails_on_poison(body: bytes, context: Any) -> Any:
        if b"poison" in body:
            raise ZeroDivisionError
        return read(body, context)

    monkeypatch.setattr(adapter, "read", fails_on_poison)
    for _ in range(6):
        set_batch(organization, poison, retry_at=None)
        services.drain_inbox(organization.id)

    assert batch_of(good).state == State.DONE
    assert batch_of(poison).state == State.FAILED
    assert "three times" in batch_of(poison).log[-1]


def test_a_payload_that_killed_its_worker_three_times_is_not_read_again(
    put: Any, organization: Any, batch_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    killer = put("killer")
    set_batch(organization, killer, state=State.PROCESSING, attempts=3)
    monkeypatch.setattr(adapter, "read", lambda *_: pytest.fail("it was read"))

    services.drain_inbox(organization.id)

    assert batch_of(killer).state == State.FAILED


def test_a_batch_in_another_workers_hands_is_left_alone(put: Any, organization: Any, batch_of: Any) -> None:
    batch = put("a")
    with claims.Claims(organization.id) as other:
        assert [claimed.id for claimed in other.take()] == [UUID(batch)]

        services.drain_inbox(organization.id)
        assert batch_of(batch).state == State.PENDING

    services.drain_inbox(organization.id)
    assert batch_of(batch).state == State.DONE


def test_a_database_that_goes_away_costs_no_attempt(
    put: Any, organization: Any, batch_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = put("a")

    def away(*_: Any) -> None:
        raise OperationalError("terminating connection")

    monkeypatch.setattr(draining.Group, "write", away)
    with pytest.raises(OperationalError):
        services.drain_inbox(organization.id)

    assert (batch_of(batch).state, batch_of(batch).attempts) == (State.PENDING, 0)


def test_one_unreadable_payload_in_a_group_fails_alone(put: Any, organization: Any, batch_of: Any, token: str) -> None:
    broken, good = put("broken"), put("good")
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("update ingestion_payload set body = %s where batch_id = %s", [b"[{", broken])

    services.drain_inbox(organization.id)

    assert (batch_of(broken).state, batch_of(good).state) == (State.FAILED, State.DONE)
    assert batch_of(good).written == 1


def test_setting_that_cannot_be_used_fails_what_it_is_for_and_is_named(
    put: Any, organization: Any, batch_of: Any
) -> None:
    source = ensure_source(organization.id, "activity")
    update_source(organization_id=organization.id, source_id=source.id, settings={"max_age_days": "many"})
    one, two = put("one"), put("two")

    services.drain_inbox(organization.id)

    assert [batch_of(each).state for each in (one, two)] == [State.FAILED, State.FAILED]
    assert "'max_age_days' must be a number" in batch_of(one).log[-1]


def test_deliveries_that_restate_periods_are_read_in_their_order(organization: Any, batch_of: Any) -> None:
    first, second = deliver(organization, "1.5"), deliver(organization, "2.5")
    set_batch(organization, first, retry_at="2100-01-01T00:00:00Z")

    services.drain_inbox(organization.id)
    assert batch_of(second).state == State.PENDING

    set_batch(organization, first, retry_at=None)
    services.drain_inbox(organization.id)
    services.drain_inbox(organization.id)
    assert [batch_of(each).state for each in (first, second)] == [State.DONE, State.DONE]


def deliver(organization: Any, hours: str) -> str:
    """Import a small emissions.csv as the next delivery of its source."""
    header = "timestamp,project_name,run_id,experiment_id,duration,emissions,energy_consumed,cpu_energy,gpu_energy,ram_energy"
    row = f"2026-11-20T10:00:00,p,6fd1f59f-460c-4dfe-a988-5fb4acfcc35d,e,{float(hours) * 3600},0.1,{hours},{hours},0,0"
    content = f"{header}\n{row}\n".encode()
    accepted = services.accept_files(
        identity=Identity(organization.id, Actor("system", name="test")),
        given=[upload("emissions.csv", content)],
        wanted="codecarbon_csv",
    )
    return str(accepted.batch_id)


def upload(name: str, content: bytes) -> Any:
    from ingestion.uploads import Upload

    return Upload(name, lambda: io.BytesIO(content))


def test_large_bodies_lie_in_files_and_go_with_their_day(
    post: Any, organization: Any, drained: Any, settings: Any, tmp_path: Any
) -> None:
    settings.PAYLOAD_URL = str(tmp_path / "payloads")
    body = [make_record(f"r{at}", labels={"note": "x" * 190}) for at in range(4000)]

    batch = drained(post("/api/v1/activity", body).json()["batch"])

    assert batch["counts"]["written"] == 4000
    (stored,) = [path for path in (tmp_path / "payloads").rglob("*") if path.is_file()]
    assert stored.stat().st_size > payloads.INLINE_BYTES
    assert payloads.remove_days_before(batch_day_after()) == 1
    assert not stored.exists()


def batch_day_after() -> Any:
    from datetime import UTC, datetime, timedelta

    return datetime.now(UTC).date() + timedelta(days=1)


def test_the_house_is_kept(organization: Any, post: Any) -> None:
    from datetime import UTC, datetime, timedelta

    later = datetime.now(UTC) + timedelta(days=40)
    services.keep_house(later)  # days of other tests, in which nothing waits
    services.keep_house()
    batch = post("/api/v1/activity", [make_record()]).json()["batch"]

    assert services.keep_house(later)["payload_days_dropped"] == 0, "a batch still waits there"
    services.drain_inbox(organization.id)
    assert services.keep_house(later)["payload_days_dropped"] > 0
    assert batch
    services.keep_house()
