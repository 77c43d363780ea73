"""Spans of agents repeat their children: whatever the order of arrival, the tokens of a trace count once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ledger.selectors import reconcile_ledger
from core.organizations.identity import Actor, Identity
from core.organizations.tenancy import organization_scope
from ingestion import payloads, selectors, services
from ingestion.services import accept_payload, settle_agents
from ingestion.services.agents import (
    KEEP,
    WAIT,
    AgentSpan,
    decide,
    forget_agents,
    organizations_with_due_agents,
    outermost,
)
from ingestion.sources import otlp
from tests.ingestion.sources.test_otlp import CHAT, JSON, body, span

pytestmark = pytest.mark.usefixtures("committed_db")

NOW = datetime.now(UTC).replace(microsecond=0)
TRACE = "5b8efff798038103d269b633813fc60c"
SECOND = 10**9


def at(seconds: float) -> str:
    return str(int((NOW.timestamp() - 600 + seconds) * SECOND))


def made(name: str, operation: str, tokens: int, first_s: float, latest_s: float, parent: str = "") -> dict[str, Any]:
    attributes = CHAT | {"gen_ai.operation.name": operation, "gen_ai.usage.input_tokens": tokens}
    return span(
        attributes,
        traceId=TRACE,
        spanId=name * 16,
        parentSpanId=parent * 16,
        startTimeUnixNano=at(first_s),
        endTimeUnixNano=at(latest_s),
    )


WORKFLOW = made("a", "invoke_workflow", 100, 0, 20)
AGENT = made("b", "invoke_agent", 60, 1, 9, "a")
OTHER_AGENT = made("c", "invoke_agent", 40, 10, 19, "a")
CALLS = [made("d", "chat", 35, 2, 4, "b"), made("e", "chat", 25, 5, 8, "b"), made("f", "chat", 40, 11, 18, "c")]
AGENTS = [WORKFLOW, AGENT, OTHER_AGENT]


def deliver(organization: Any, spans: list[dict[str, Any]]) -> None:
    """Put an export into the inbox, as the door does."""
    content = otlp.scrub(body(*spans), JSON, "traces")
    file = payloads.from_body(
        content, digest=b"x" * 32, encoding="", content_type=JSON, filename="traces", name="traces"
    )
    identity = Identity(organization.id, Actor("system", name="test"))
    accept_payload(identity=identity, kind="otlp", files=[file])
    services.drain_inbox(organization.id)


def later(minutes: float = 11) -> datetime:
    return datetime.now(UTC) + timedelta(minutes=minutes)


def sums(organization: Any) -> tuple[int, int]:
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select coalesce(sum(input_tokens), 0), coalesce(sum(requests), 0) from ledger_record")
        found = cursor.fetchone()
    return int(found[0]), int(found[1])


def test_agents_without_calls_count_once_by_the_outermost(organization: Any) -> None:
    deliver(organization, [AGENT, OTHER_AGENT])
    deliver(organization, [WORKFLOW])
    assert sums(organization) == (0, 0)

    settle_agents(organization.id, now=later())

    assert sums(organization) == (100, 0)
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select requests, flags from ledger_record")
        assert cursor.fetchall() == [(None, ["agent_aggregate"])]


def test_service_whose_agents_count_is_seen_to_send_spans(organization: Any) -> None:
    deliver(organization, [WORKFLOW])
    settle_agents(organization.id, now=later())

    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select service, signal from ledger_signal")
        assert set(cursor.fetchall()) == {("rag-api", "spans")}


def test_agents_beside_each_other_both_count(organization: Any) -> None:
    deliver(organization, [AGENT, OTHER_AGENT])

    settle_agents(organization.id, now=later())

    assert sums(organization) == (100, 0)


def test_nothing_counts_before_ten_minutes_have_passed(organization: Any) -> None:
    deliver(organization, [WORKFLOW])

    assert settle_agents(organization.id, now=later(9)) == 0
    assert organizations_with_due_agents(later(9)) == []
    assert organizations_with_due_agents(later(11)) == [organization.id]


def test_call_that_came_before_is_found_in_the_ledger(organization: Any) -> None:
    deliver(organization, [CALLS[0]])
    deliver(organization, [AGENT])

    settle_agents(organization.id, now=later())

    assert sums(organization) == (35, 1)


def test_late_call_takes_the_agent_back_with_a_correction(organization: Any) -> None:
    deliver(organization, [WORKFLOW])
    settle_agents(organization.id, now=later())
    deliver(organization, CALLS)
    settle_agents(organization.id, now=later())

    assert sums(organization) == (100, 3)
    record_id = f"span:{TRACE}:{'a' * 16}"
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(
            "select t.record_id, r.input_tokens, r.corrects is not null from ledger_record r join ledger_record_text t"
            " on t.key = r.key where r.requests is null order by 1"
        )
        assert cursor.fetchall() == [(record_id, 100, False), (f"{record_id}:r1", -100, True)]
    first = NOW.date() - timedelta(days=40)
    assert reconcile_ledger(organization.id, first, first + timedelta(days=80)).empty


def test_outer_agent_that_comes_late_replaces_the_inner_ones(organization: Any) -> None:
    deliver(organization, [AGENT, OTHER_AGENT])
    settle_agents(organization.id, now=later())
    deliver(organization, [WORKFLOW])
    settle_agents(organization.id, now=later(22))

    assert sums(organization) == (100, 0)


def test_calls_of_another_trace_change_nothing(organization: Any) -> None:
    deliver(organization, [WORKFLOW])
    deliver(organization, [CALLS[0] | {"traceId": "0" * 31 + "1"}])

    settle_agents(organization.id, now=later())

    assert sums(organization) == (135, 1)


def test_agent_sent_again_counts_once(organization: Any) -> None:
    for _ in range(2):
        deliver(organization, [WORKFLOW])
        settle_agents(organization.id, now=later())

    assert sums(organization) == (100, 0)


def test_agent_too_old_for_its_source_is_quarantined(organization: Any) -> None:
    deliver(organization, [WORKFLOW | {"startTimeUnixNano": "1000"}])

    with organization_scope(organization.id):
        batch = selectors.batches(organization.id)[0]
    assert batch.counts == {"received": 1, "written": 0, "duplicate": 0, "quarantined": 1, "outside": 0}


def test_agent_older_than_the_ids_that_are_kept_never_counts(organization: Any) -> None:
    long_ago = {"startTimeUnixNano": at(-200 * 86_400), "endTimeUnixNano": at(-200 * 86_400 + 5)}
    deliver(organization, [WORKFLOW | long_ago])

    settle_agents(organization.id, now=later())

    assert sums(organization) == (0, 0)


def test_settled_spans_are_forgotten_with_the_ids(organization: Any) -> None:
    deliver(organization, [WORKFLOW])
    settle_agents(organization.id, now=later())

    assert forget_agents(organization.id, later()) == 0
    assert forget_agents(organization.id, datetime.now(UTC) + WAIT + KEEP + timedelta(minutes=1)) == 1


def test_call_that_is_committed_while_agents_are_settled_wins(
    organization: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingestion.services import agents

    deliver(organization, [WORKFLOW])
    write, calls = agents._write, iter([CALLS[:1]])

    def overtaken(organization_id: int, changes: Any) -> int:
        for some in calls:
            deliver(organization, some)
        return write(organization_id, changes)

    monkeypatch.setattr(agents, "_write", overtaken)
    settle_agents(organization.id, now=later())

    assert sums(organization) == (35, 1)


@pytest.mark.slow
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    chosen=st.lists(st.sampled_from([*AGENTS, *CALLS]), min_size=1, max_size=8),
    cuts=st.lists(st.booleans(), min_size=8, max_size=8),
    settled=st.lists(st.booleans(), min_size=8, max_size=8),
)
def test_every_order_of_arrival_counts_the_same(
    organization: Any, chosen: list[Any], cuts: list[bool], settled: list[bool]
) -> None:
    before = sums(organization)
    trace = uuid4().hex  # of its own in every example: the database is one for all
    payload: list[dict[str, Any]] = []
    for each, cut, settle in zip(chosen, cuts, settled, strict=False):
        payload.append(each | {"traceId": trace})
        if cut:
            deliver(organization, payload)
            payload = []
        if settle:
            settle_agents(organization.id, now=later())
    if payload:
        deliver(organization, payload)
    settle_agents(organization.id, now=later(25))
    settle_agents(organization.id, now=later(25))

    names = {each["spanId"][0] for each in chosen}
    values = {each["spanId"][0]: _tokens(each) for each in [*AGENTS, *CALLS]}
    calls = names & set("def")
    counting = calls or ({"a"} if "a" in names else names)
    now = sums(organization)
    assert now[0] - before[0] == sum(values[name] for name in counting)
    assert now[1] - before[1] == len(calls)


def _tokens(each: dict[str, Any]) -> int:
    [found] = [pair for pair in each["attributes"] if pair["key"] == "gen_ai.usage.input_tokens"]
    return int(found["value"]["intValue"])


# --- the rule alone ---------------------------------------------------------------------------------------------------


def stored(name: str, first_s: int, latest_s: int, parent: str = "", **fields: Any) -> AgentSpan:
    given: dict[str, Any] = {"due": True, "covered": False, "state": "waiting"} | fields
    return AgentSpan(
        source_id=1,
        trace=UUID(int=1),
        span=name,
        parent=parent,
        started_at=NOW + timedelta(seconds=first_s),
        ended_at=NOW + timedelta(seconds=latest_s),
        batch_id=UUID(int=2),
        record={},
        **given,
    )


def test_span_lies_in_its_parent_and_in_whose_time_holds_its_own() -> None:
    outer, child, inner = stored("a", 0, 10), stored("b", 5, 12, "a"), stored("c", 2, 3, "x")

    assert [each.span for each in outermost([outer, child, inner])] == ["a"]


def test_children_of_one_parent_lie_beside_each_other() -> None:
    assert len(outermost([stored("a", 0, 10, "x"), stored("b", 2, 3, "x")])) == 2


def test_one_of_two_alike_counts() -> None:
    assert len(outermost([stored("a", 0, 10), stored("b", 0, 10)])) == 1


def test_waiting_outer_span_keeps_the_inner_one_from_counting() -> None:
    spans = [stored("a", 0, 10, due=False), stored("b", 2, 3, "a")]

    assert decide(spans, called=False) == {"b": "repeated"}
