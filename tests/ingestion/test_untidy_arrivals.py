"""
Whatever the clocks of agents say, however late and in whatever order their batches and restated bills come: the ledger is
that of the tidy order.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from core.ledger.selectors import reconcile_ledger
from core.ledger.services import ensure_source, update_source
from core.organizations.identity import Actor, Identity
from core.organizations.tenancy import organization_scope
from ingestion import payloads, services
from ingestion.models import QuarantinedRow
from ingestion.services.runs import announce_run
from ingestion.sources import registry
from tests.ingestion.conftest import stamp
from tests.ingestion.sources.test_azure_cost import TOKENS
from tests.ingestion.sources.test_otlp import CHAT, JSON, span
from tests.ingestion.sources.test_otlp import body as traces
from tests.ingestion.sources.test_otlp_metrics import body as metrics
from tests.ingestion.sources.test_otlp_metrics import tokens, usage
from tests.ingestion.test_codecarbon_door import emission_body, run_body
from tests.ingestion.test_cost_deliveries import AZURE_ROWS, FRAME, Rows, Sender, azure_file, sender

pytestmark = [pytest.mark.usefixtures("committed_db", "woken"), pytest.mark.slow]

NOW = datetime.now(UTC).replace(microsecond=0)
BEGAN = NOW - timedelta(days=2)
TOLERANCE = timedelta(minutes=10)
SKEWS = [timedelta(0)] + [
    sign * skew
    for skew in (timedelta(minutes=5), timedelta(minutes=25), timedelta(days=3), timedelta(days=4 * 365))
    for sign in (-1, 1)
]
"""By how much an agent's clock is off. None lies near the tolerance, which a resend may pass."""
KINDS = ("codecarbon", "span", "counter", "activity")


@dataclass(frozen=True)
class Event:
    """
    What an agent saw, and when that reached us.

    Args:
        number: of the event, unique; what it used follows from it, so that every record tells which event it is of.
        kind: of the agent.
        minute: when it truly ended, counted from `BEGAN`.
        late: from then to its first arrival. A tracker stamps at sending and a counter shows its total: neither is late.
    """

    number: int
    kind: str
    minute: int
    late: timedelta
    skew: timedelta

    @property
    def received_at(self) -> datetime:
        """Give the time of its first arrival."""
        return BEGAN + timedelta(minutes=self.minute, seconds=20)

    @property
    def claimed_end(self) -> datetime:
        """Give its end by the agent's clock."""
        late = timedelta(0) if self.kind in ("codecarbon", "counter") else self.late
        return BEGAN + timedelta(minutes=self.minute) - late + self.skew

    @property
    def is_ahead(self) -> bool:
        """Tell whether its end lies in our future by more than clocks may differ."""
        return self.claimed_end > self.received_at + TOLERANCE


LATE = [timedelta(0), timedelta(hours=7), timedelta(days=45), timedelta(days=3 * 365)]


@st.composite
def seen(draw: st.DrawFn) -> list[Event]:
    """Make what some agents saw, each with the clock of its kind."""
    skews = {kind: draw(st.sampled_from(SKEWS), label=kind) for kind in KINDS}
    minutes = draw(st.lists(st.integers(0, 24 * 60), min_size=4, max_size=12, unique=True))
    kinds = [*KINDS, *draw(st.lists(st.sampled_from(KINDS), min_size=8, max_size=8))]
    late = draw(st.lists(st.sampled_from(LATE), min_size=12, max_size=12))
    return [
        Event(number, kinds[number], minute, late[number], skews[kinds[number]])
        for number, minute in enumerate(sorted(minutes))
    ]


def nanoseconds(moment: datetime) -> str:
    return str(int(moment.timestamp()) * 10**9)


class Site:
    """An organization, its agents and its bill."""

    def __init__(self) -> None:
        self.bill: Sender = sender("azure_cost", azure_file)
        self.organization = self.bill.organization
        self.identity = Identity(self.organization.id, Actor("system", name="test"))
        with organization_scope(self.organization.id):
            self.run = str(announce_run(identity=self.identity, body=run_body(tracking_mode="process")))
        for kind in ("codecarbon", "otlp", "activity"):
            source = ensure_source(self.organization.id, kind)
            age = {"max_age_days": 36_500}
            update_source(organization_id=self.organization.id, source_id=source.id, settings=age)

    def take(self, event: Event, after: timedelta = timedelta(0)) -> None:
        """Put an event into the inbox, as its door does, some time after its first arrival."""
        kind, name, content = self._sent(event)
        scrubbed = registry.adapter(kind).scrub(content, JSON, name)
        file = payloads.from_body(scrubbed, digest=b"x" * 32, encoding="", content_type=JSON, filename=name, name=name)
        services.accept_payload(identity=self.identity, kind=kind, files=[file], received_at=event.received_at + after)

    def _sent(self, event: Event) -> tuple[str, str, bytes]:
        end, used = event.claimed_end, event.number + 1
        if event.kind == "codecarbon":
            parts = {"cpu_energy": 0.0, "gpu_energy": 0.0, "ram_energy": used / 1000}
            emission = emission_body(self.run, timestamp=end.isoformat(), energy_consumed=used / 1000, **parts)
            return "codecarbon", "emissions.json", json.dumps(emission).encode()
        start = end - timedelta(seconds=30)
        if event.kind == "span":
            times = {"startTimeUnixNano": nanoseconds(start), "endTimeUnixNano": nanoseconds(end)}
            call = span(CHAT | {"gen_ai.usage.input_tokens": used}, spanId=f"{used:016x}", **times)
            return "otlp", "traces", traces(call, resource={"service.name": "spans"})
        if event.kind == "counter":
            point = usage(used, "output", count=used)
            point |= {
                "startTimeUnixNano": nanoseconds(BEGAN - TOLERANCE + event.skew),
                "timeUnixNano": nanoseconds(end),
            }
            return "otlp", "metrics", metrics(tokens(point), resource={"service.name": "counters"})
        record = {
            "record_id": f"r{used}",
            "started_at": stamp(start),
            "ended_at": stamp(end),
            "stage": "inference",
            "hosting": "api",
            "evidence": "modelled",
            "input_tokens": used,
        }
        return "activity", "activity.json", json.dumps([record]).encode()

    def drain(self) -> None:
        """Read what waits."""
        services.drain_inbox(self.organization.id)

    def records(self) -> list[tuple[Any, ...]]:
        """Give the records of pushed events: (kind, kWh, input tokens, flags, start, end)."""
        query = (
            "select o.kind, r.energy_kwh, r.input_tokens, coalesce(r.flags, '{}'), r.started_at, r.ended_at from ledger_record r"
            " join ledger_series s on s.organization_id = r.organization_id and s.id = r.series_id"
            " join ledger_source o on o.id = s.source_id where o.kind <> 'azure_cost'"
            " and coalesce(s.labels ->> 'signal', '') <> 'metrics'"
        )
        return sorted(self._rows(query), key=str)

    def counted(self) -> int:
        """Give the tokens of the counter."""
        query = (
            "select coalesce(sum(r.output_tokens), 0) from ledger_record r join ledger_series s"
            " on s.organization_id = r.organization_id and s.id = r.series_id where s.labels ->> 'signal' = 'metrics'"
        )
        return int(self._rows(query)[0][0])

    def billed(self) -> dict[tuple[Any, ...], tuple[float, ...]]:
        """Give the sums of the bill's account, as a reader would ask for them."""
        return {key: sums for key, sums in self.bill.ledger().items() if key[0] == TOKENS["SubscriptionId"]}

    def refused(self) -> set[tuple[str, str]]:
        """Give the reasons and ids of what is in quarantine."""
        with organization_scope(self.organization.id):
            rows = QuarantinedRow.objects.filter(organization_id=self.organization.id)
            return set(rows.values_list("reason", "record_id"))

    def is_whole(self) -> bool:
        """Tell whether cells are the sums of their records."""
        return bool(reconcile_ledger(self.organization.id, date(2018, 1, 1), date(2032, 1, 1)).empty)

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with organization_scope(self.organization.id), connection.cursor() as cursor:
            cursor.execute(query)
            return list(cursor.fetchall())


def without_receipt(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Leave the interval out where the time of receipt has replaced it: copies arrive at different times."""
    return [row[:4] if "clock_skew" in row[3] else row for row in rows]


def every_kind(skew: timedelta) -> list[Event]:
    """Make three events of each kind, all by one clock."""
    return [Event(at, KINDS[at % 4], 30 * at, LATE[at // 4], skew) for at in range(12)]


@settings(
    deadline=None,
    max_examples=3,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking would fill hundreds of ledgers
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@example(every_kind(timedelta(minutes=25)), [[TOKENS]] * 3, Random(1))
@example(every_kind(timedelta(days=-3)), [[TOKENS]] * 3, Random(2))
@given(seen(), st.lists(AZURE_ROWS, min_size=3, max_size=3), st.randoms(use_true_random=False))
def test_untidy_arrivals_end_in_the_ledger_of_the_tidy_order(
    events: list[Event], versions: list[Rows], random: Any
) -> None:
    tidy, untidy = Site(), Site()

    for event in events:
        tidy.take(event)
        tidy.drain()
    tidy.bill.deliver([*versions[-1], *FRAME])

    arrivals = [(event, timedelta(seconds=after)) for event in events for after in (0, random.randint(1, 90))]
    random.shuffle(arrivals)
    bills = [[*version, *FRAME] for version in (*versions, versions[-1])]
    for at, (event, after) in enumerate(arrivals):
        untidy.take(event, after)
        if random.random() < 0.4:
            untidy.drain()
        if at % 3 == 2 and bills:
            untidy.bill.deliver(random.sample(bills[0], len(bills.pop(0))))
    untidy.drain()
    for rows in bills:
        untidy.bill.deliver(rows)

    assert without_receipt(untidy.records()) == without_receipt(tidy.records())
    assert untidy.counted() == tidy.counted()
    assert untidy.refused() == tidy.refused()
    assert untidy.billed() == tidy.billed()
    assert tidy.is_whole()
    assert untidy.is_whole()
    for site in (tidy, untidy):
        check_clocks(site, events)


def check_clocks(site: Site, events: list[Event]) -> None:
    """Each event is in one place, with the time that its kind of clock deserves."""
    readings = [event for event in events if event.kind == "counter" and event.skew <= TOLERANCE]
    assert site.counted() == max((event.number + 1 for event in readings), default=0)
    found = Counter(used_of(row) for row in site.records())
    apart = [event for event in events if event.kind != "counter"]
    expected = [event.number + 1 for event in apart if event.kind == "codecarbon" or not event.is_ahead]
    assert found == Counter(expected)
    ahead = {event.number + 1: event for event in apart if event.kind == "codecarbon" and event.is_ahead}
    for row in site.records():
        event = ahead.get(used_of(row))
        assert ("clock_skew" in row[3]) == (event is not None)
        if event is not None:
            assert event.received_at <= row[5] <= event.received_at + timedelta(seconds=90)
    refused = [event for event in events if event.kind != "codecarbon" and event.is_ahead]
    assert {reason for reason, _ in site.refused()} == ({"clock_skew"} if refused else set())
    assert len(site.refused()) == len(refused)


def used_of(row: tuple[Any, ...]) -> int:
    """Give what a record's event used, which is its number plus one."""
    return round(row[1] * 1000) if row[0] == "codecarbon" else int(row[2])
