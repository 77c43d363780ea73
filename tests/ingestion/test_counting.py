"""Counters between payloads, in the database: repeated, out of order, two workers at once, killed before the commit."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from django.db import OperationalError, connection

from core.accounting.services import derive_dirty_days
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.ledger import series as ledger_series
from core.ledger.services import ensure_source, update_source
from core.organizations.tenancy import organization_scope
from ingestion import counting, selectors, services
from ingestion.models import State
from ingestion.services import drain as draining
from ingestion.services.house import COUNTER_RETENTION, keep_house
from tests.ingestion.sources.test_otlp import attribute
from tests.ingestion.sources.test_otlp_metrics import SECOND, body, counter, tokens, usage

pytestmark = pytest.mark.usefixtures("committed_db")

BEGUN_NS = int((time.time() - 3600) * SECOND)
"""An hour ago: the processes of these tests began to count then."""


def exported(value: float, minute: int, *, model: str = "gpt-4o-mini", begun_s: int = 0) -> bytes:
    """Make an export of one counter of output tokens."""
    point = usage(value, "output", gen_ai__request__model=model) | {
        "startTimeUnixNano": str(BEGUN_NS + begun_s * SECOND),
        "timeUnixNano": str(BEGUN_NS + (begun_s + 60 * minute) * SECOND),
    }
    return body(tokens(point))


@pytest.fixture
def send(post: Any) -> Callable[[bytes], None]:
    """Export metrics."""

    def export(content: bytes) -> None:
        assert post("/otlp/v1/metrics", content).status_code == 200

    return export


def one(organization: Any, query: str) -> Any:
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def counted(organization: Any) -> int:
    return int(one(organization, "select coalesce(sum(output_tokens), 0) from ledger_record"))


def counts(organization: Any) -> dict[str, int]:
    with organization_scope(organization.id):
        batches = list(selectors.batches(organization.id))
    return {name: sum(batch.counts[name] for batch in batches) for name in batches[0].counts}


def test_differences_are_written_and_add_up(send: Any, organization: Any) -> None:
    for minute, value in ((1, 10), (2, 25), (3, 25), (4, 31)):
        send(exported(value, minute))
        services.drain_inbox(organization.id)

    assert counted(organization) == 31
    assert counts(organization) == {"received": 4, "written": 3, "duplicate": 0, "quarantined": 0, "outside": 1}


def test_payloads_drained_together_or_apart_in_any_order_and_twice_count_the_same(send: Any, organization: Any) -> None:
    exports = [exported(7 * minute, minute) for minute in range(1, 13)] * 2
    random.Random(4).shuffle(exports)

    for number, export in enumerate(exports):
        send(export)
        if number % 5 == 0:
            services.drain_inbox(organization.id)
    services.drain_inbox(organization.id)

    assert counted(organization) == 7 * 12
    found = counts(organization)
    assert found["received"] == 24 == found["written"] + found["duplicate"]


def test_restart_of_a_process_adds_its_whole_count(send: Any, organization: Any) -> None:
    send(exported(10, 5))
    send(exported(4, 5, begun_s=600))
    send(exported(12, 6))  # a last reading of the first process, late
    services.drain_inbox(organization.id)

    assert counted(organization) == 16


def test_transaction_that_fails_leaves_the_counters_as_they_were(
    send: Any, organization: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(exported(10, 1))
    services.drain_inbox(organization.id)
    send(exported(15, 2))
    keep = counting.keep

    def killed(*arguments: Any) -> None:
        keep(*arguments)
        raise OperationalError("the worker was killed before the commit")

    monkeypatch.setattr(counting, "keep", killed)
    monkeypatch.setattr(draining.time, "sleep", lambda _: None)
    with pytest.raises(OperationalError):
        services.drain_inbox(organization.id)
    assert one(organization, "select max(value) from ingestion_counter") == 10
    monkeypatch.undo()
    services.drain_inbox(organization.id)

    assert counted(organization) == 15


def test_two_workers_at_once_neither_lose_nor_double(
    send: Any, organization: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingestion.claims.GROUP_OF_ATTEMPT", (2, 2, 1))  # small groups, so that both find some
    for minute in range(1, 25):
        send(exported(3 * minute, minute))

    def work() -> None:
        try:
            services.drain_inbox(organization.id)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    services.drain_inbox(organization.id)

    assert counted(organization) == 3 * 24
    assert one(organization, "select count(*) from ingestion_batch where state <> 'done'") == 0


def test_lock_of_a_source_keeps_others_off_until_it_is_released(organization: Any) -> None:
    source = ensure_source(organization.id, "otlp")
    passed = threading.Event()

    def other() -> None:
        try:
            with counting.held([source.id]):
                passed.set()
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    with counting.held([source.id]):
        thread.start()
        assert not passed.wait(0.3)
    assert passed.wait(5)
    thread.join()


def test_held_delivery_does_not_move_the_counters_of_others(
    send: Any, organization: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(exported(10, 1))
    services.drain_inbox(organization.id)
    monkeypatch.setattr(ledger_series, "NEW_SERIES_A_MONTH", 1)
    first, second = usage(25, "output"), usage(3, "output", gen_ai__request__model="another")
    for point in (first, second):
        point |= {"startTimeUnixNano": str(BEGUN_NS), "timeUnixNano": str(BEGUN_NS + 120 * SECOND)}
    send(body(tokens(first, second)))  # its second counter would be one series too many: held
    send(exported(31, 3))

    services.drain_inbox(organization.id)

    assert counted(organization) == 31
    with organization_scope(organization.id):
        held = [batch for batch in selectors.batches(organization.id) if batch.held]
    assert len(held) == 1
    services.confirm_held(organization.id, held[0].id)
    services.drain_inbox(organization.id)
    assert counted(organization) == 31 + 3


def test_row_refused_for_its_age_counts_when_it_is_read_again(send: Any, organization: Any) -> None:
    source = ensure_source(organization.id, "otlp")
    update_source(organization_id=organization.id, source_id=source.id, settings={"max_age_days": 1 / 48})
    send(exported(10, 1))
    send(exported(4, 1, model="gpt-4o"))
    services.drain_inbox(organization.id)
    assert (counted(organization), counts(organization)["quarantined"]) == (0, 2)

    update_source(organization_id=organization.id, source_id=source.id, settings={})
    with organization_scope(organization.id):
        row = selectors.quarantine(organization.id).order_by("id").first()
    services.replay_quarantine(organization.id, batch=row.batch_id)
    services.drain_inbox(organization.id)
    assert counted(organization) == 10
    services.replay_quarantine(organization.id)
    services.drain_inbox(organization.id)

    assert counted(organization) == 14


def test_a_counters_memory_ends_with_what_a_source_accepts(send: Any, organization: Any) -> None:
    send(exported(10, 1))
    services.drain_inbox(organization.id)

    assert keep_house(datetime.now(UTC))["counters_forgotten"] == 0
    assert keep_house(datetime.now(UTC) + COUNTER_RETENTION)["counters_forgotten"] == 1


def test_organizations_do_not_see_each_others_counters(send: Any, organization: Any, other_organization: Any) -> None:
    send(exported(10, 1))
    services.drain_inbox(organization.id)

    assert one(organization, "select count(*) from ingestion_counter") == 1
    assert one(other_organization, "select count(*) from ingestion_counter") == 0


def test_energy_of_a_host_over_days_is_spread(send: Any, organization: Any) -> None:
    begun = datetime(2026, 1, 5, 12, tzinfo=UTC)
    point = {
        "startTimeUnixNano": str(int(begun.timestamp()) * SECOND),
        "timeUnixNano": str(int(begun.timestamp() + 86_400) * SECOND),
        "asDouble": 86.4e6,  # 1 kW for a day
    }
    send(body(counter("hw.host.energy", point, unit="J")))
    services.drain_inbox(organization.id)

    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select (hour at time zone 'utc')::date, sum(energy_pkwh) from ledger_cell group by 1 order by 1"
        )
        assert cursor.fetchall() == [(date(2026, 1, 5), 12 * 10**12), (date(2026, 1, 6), 12 * 10**12)]


def test_file_of_metrics_is_imported_once(organization: Any, client: Any, token: str, woken: Any) -> None:
    from django.core.files.uploadedfile import SimpleUploadedFile

    for _ in range(2):
        form = {"file": SimpleUploadedFile("export.json", exported(10, 1)), "source": "otlp"}
        answer = client.post("/api/v1/imports", form, headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 202
    services.drain_inbox(organization.id)

    assert counted(organization) == 10
    with organization_scope(organization.id):
        assert {batch.state for batch in selectors.batches(organization.id)} == {State.DONE}


def test_energy_of_parts_counts_only_where_the_host_is_not_metered(send: Any, organization: Any) -> None:
    """Two hosts: one sends itself and its GPU in bodies of their own, the other its GPU and processor."""
    load_factor_set(load_pack())

    def export(host: str, name: str, joules: float, part: str = "") -> None:
        point = {"startTimeUnixNano": str(BEGUN_NS), "timeUnixNano": str(BEGUN_NS + 600 * SECOND), "asDouble": joules}
        attributes = [attribute("hw.id", f"{host}-{part}"), attribute("hw.type", part)]
        send(body(counter(name, point | {"attributes": attributes}, unit="J"), resource={"host.name": host}))
        services.drain_inbox(organization.id)

    export("metered", "hw.energy", 360_000, "gpu")
    export("metered", "hw.host.energy", 720_000)
    export("unmetered", "hw.energy", 180_000, "gpu")
    export("unmetered", "hw.energy", 90_000, "cpu")
    while derive_dirty_days(organization.id).left:
        pass

    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select s.labels ->> 'host.name', coalesce(s.labels ->> 'hw.type', 'host') from accounting_daily d"
            " join accounting_resolved_series r on r.id = d.resolved_id join ledger_series s on s.id = r.series_id"
            " where r.role = 'counted' group by 1, 2 order by 1"
        )
        assert cursor.fetchall() == [("metered", "host"), ("unmetered", "gpu")]


def test_row_refused_for_its_power_counts_when_it_is_read_again(send: Any, organization: Any) -> None:
    source = ensure_source(organization.id, "otlp")
    update_source(organization_id=organization.id, source_id=source.id, settings={"max_power_kw": 0.5})
    begun = datetime(2026, 1, 5, 12, tzinfo=UTC)
    for hours in (1, 2):
        point = {
            "startTimeUnixNano": str(int(begun.timestamp()) * SECOND),
            "timeUnixNano": str(int(begun.timestamp() + 3_600 * hours) * SECOND),
            "asDouble": 3.6e6 * hours,  # 1 kW
        }
        send(body(counter("hw.host.energy", point, unit="J")))
        services.drain_inbox(organization.id)
    assert counts(organization)["quarantined"] == 2

    update_source(organization_id=organization.id, source_id=source.id, settings={})
    services.replay_quarantine(organization.id)
    services.drain_inbox(organization.id)

    assert one(organization, "select sum(energy_pkwh) from ledger_cell") == 2 * 10**12
