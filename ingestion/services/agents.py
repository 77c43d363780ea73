"""
Spans of agents: they repeat the sum of their children, and count only where no call of their trace is seen.

Such a span waits ten minutes beside the ledger. If a call of its trace is there by then, or comes in that time, it never
counts. Else it counts, the outermost one of its trace where several lie in each other; and a call, or an outer span, that
comes later takes it back with a correction. So the ledger ends the same in whatever order spans arrive.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import msgspec
import structlog
from django.db import connection

from core.ledger.partitions import oldest_text_month
from core.ledger.writer import Writer, WriteResult
from core.organizations.models import Organization
from core.organizations.retention import retention_of
from core.organizations.selectors import organization_by_id
from core.organizations.tenancy import organization_scope
from core.quantification import records
from core.quantification.activity import COUNTS
from core.quantification.rejections import Rejection
from ingestion.sightings import Sightings
from ingestion.sources.aggregates import Aggregate
from ingestion.sources.base import Context, finish

log = structlog.get_logger()

WAIT: Final = timedelta(minutes=10)
SKEW: Final = timedelta(minutes=10)
"""By how much the clocks of an agent and of what it calls may differ."""
KEEP: Final = timedelta(days=90)
"""For so long a late call takes an agent's span back; ids of records are kept as text for as long."""
TRACES_AT_ONCE: Final = 500
ATTEMPTS: Final = 3
CORRECTED: Final = ":r1"


@dataclass(frozen=True)
class AgentSpan:
    """A stored span of an agent."""

    source_id: int
    trace: UUID
    span: str
    parent: str
    started_at: datetime
    ended_at: datetime
    due: bool
    covered: bool
    state: str
    batch_id: UUID
    record: dict[str, Any]


class _Changed(Exception):  # no error: what was decided no longer holds
    """A span changed between the decision and its writing."""


# --- taking in, inside the ledger's transaction -----------------------------------------------------------------------


def checked(aggregate: Aggregate, context: Context) -> dict[str, Any] | Rejection:
    """Give the record that would count, with the token's defaults, as JSON can hold it; or why it cannot be."""
    frame = records.to_activity([aggregate.record])
    parsed = finish(frame, context, received=1, fallback={"stage": "inference"})
    return parsed.rejected[0] if parsed.rejected else records.as_records(parsed.activity)[0]


_ADD: Final = """
insert into ingestion_agent_span (organization_id, source_id, trace, span, parent, batch_id, started_at, ended_at, due_at,
                                  covered, record)
values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing
"""


def add(
    organization_id: int,
    source_id: int,
    batch_id: UUID,
    received_at: datetime,
    aggregates: Iterable[tuple[Aggregate, Mapping[str, Any]]],
    calls: Iterable[str],
) -> None:
    """Let spans of agents wait; those with a call of their trace in the same group are known to repeat it."""
    traces = set(calls)
    rows = [
        (
            *(organization_id, source_id, UUID(hex=each.trace), each.span, each.parent, batch_id),
            *(record["started_at"], record["ended_at"], received_at + WAIT, each.trace in traces),
            msgspec.json.encode(record).decode(),
        )
        for each, record in sorted(aggregates, key=lambda pair: (pair[0].trace, pair[0].span))
    ]
    with connection.cursor() as cursor:
        cursor.executemany(_ADD, rows)


def note_calls(organization_id: int, traces: Mapping[int, Iterable[str]]) -> None:
    """Note that calls of these traces (by source) were written: what agents of them said is repeated."""
    with connection.cursor() as cursor:
        for source_id in sorted(traces):
            cursor.execute(
                "with mine as (select trace, span from ingestion_agent_span where organization_id = %s"
                "  and source_id = %s and trace = any(%s) and not covered order by trace, span for update)"
                " update ingestion_agent_span a set covered = true from mine where a.organization_id = %s"
                "  and a.source_id = %s and a.trace = mine.trace and a.span = mine.span",
                [
                    *(organization_id, source_id, [UUID(hex=trace) for trace in sorted(traces[source_id])]),
                    *(organization_id, source_id),
                ],
            )


# --- deciding ---------------------------------------------------------------------------------------------------------


def outermost(spans: Sequence[AgentSpan]) -> list[AgentSpan]:
    """
    Leave out the spans of a trace that lie in another one, whose sum holds theirs.

    A span lies in its parent, and in one whose time holds its own; spans of one parent lie beside each other.
    """
    return [span for span in spans if not any(_lies_in(span, other) for other in spans if other is not span)]


def _lies_in(inner: AgentSpan, outer: AgentSpan) -> bool:
    if inner.parent == outer.span:
        return True
    if outer.parent == inner.span or (inner.parent and inner.parent == outer.parent):
        return False
    within = outer.started_at <= inner.started_at and inner.ended_at <= outer.ended_at
    longer = (outer.ended_at - outer.started_at, outer.span) > (inner.ended_at - inner.started_at, inner.span)
    return within and longer


def decide(spans: Sequence[AgentSpan], *, called: bool) -> dict[str, str]:
    """
    Say what becomes of the spans of one trace, by span.

    Args:
        spans: all that are known.
        called: whether a call of the trace stands in the ledger.

    Returns:
        New states of those that change: `counted` or `repeated`.
    """
    covered = called or any(span.covered for span in spans)
    counting = {span.span for span in ([] if covered else outermost(spans))}
    changes = {}
    for span in spans:
        if span.span not in counting:
            if span.state == "counted" or (span.state == "waiting" and (span.due or covered)):
                changes[span.span] = "repeated"
        elif span.state == "waiting" and span.due:
            changes[span.span] = "counted"
    return changes


# --- settling ---------------------------------------------------------------------------------------------------------


def organizations_with_due_agents(now: datetime | None = None) -> list[int]:
    """List the organizations whose spans of agents can be settled."""
    moment = now or datetime.now(UTC)
    return [
        organization_id
        for organization_id in Organization.objects.order_by("id").values_list("id", flat=True)
        if _traces_to_settle(organization_id, moment, limit=1)
    ]


def settle_agents(organization_id: int, *, now: datetime | None = None) -> int:
    """Write what spans of agents count, or no longer count; give the number of ledger records written."""
    moment = now or datetime.now(UTC)
    written = 0
    while True:
        traces = _traces_to_settle(organization_id, moment)
        if not traces:
            return written
        written += _settle(organization_id, traces, moment)
        if len(traces) < TRACES_AT_ONCE:
            return written


def _traces_to_settle(organization_id: int, now: datetime, limit: int = TRACES_AT_ONCE) -> list[tuple[int, UUID]]:
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select source_id, trace from (select source_id, trace, due_at from ingestion_agent_span"
            "  where organization_id = %s and state = 'waiting' and due_at <= %s"
            " union all select source_id, trace, due_at from ingestion_agent_span"
            "  where organization_id = %s and state <> 'repeated' and covered) found"
            " group by source_id, trace order by min(due_at) limit %s",
            [organization_id, now, organization_id, limit],
        )
        return [(source_id, trace) for source_id, trace in cursor.fetchall()]


def _settle(organization_id: int, traces: Sequence[tuple[int, UUID]], now: datetime) -> int:
    for _ in range(ATTEMPTS):
        spans = _spans_of(organization_id, traces, now)
        called = _called(organization_id, spans, now)
        by_trace: dict[tuple[int, UUID], list[AgentSpan]] = {}
        for span in spans:
            by_trace.setdefault((span.source_id, span.trace), []).append(span)
        changes = [
            (span, state)
            for key, of_trace in by_trace.items()
            for name, state in decide(of_trace, called=key in called).items()
            for span in of_trace
            if span.span == name
        ]
        try:
            return _write(organization_id, changes)
        except _Changed:
            continue
    log.warning("spans of agents keep changing, the next sweep settles them", traces=len(traces))
    return 0


def _spans_of(organization_id: int, traces: Sequence[tuple[int, UUID]], now: datetime) -> list[AgentSpan]:
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "select a.source_id, a.trace, a.span, a.parent, a.started_at, a.ended_at, a.due_at <= %s, a.covered, a.state,"
            " a.batch_id, a.record::text from unnest(%s::int[], %s::uuid[]) as wanted (source_id, trace)"
            " join ingestion_agent_span a on a.organization_id = %s and a.source_id = wanted.source_id"
            "  and a.trace = wanted.trace order by a.source_id, a.trace, a.span",
            [now, [source_id for source_id, _ in traces], [trace for _, trace in traces], organization_id],
        )
        return [AgentSpan(*(*row[:-1], _record_of(row[-1]))) for row in cursor.fetchall()]


def _record_of(stored: str) -> dict[str, Any]:
    record: dict[str, Any] = msgspec.json.decode(stored)
    return record | {name: datetime.fromisoformat(record[name]) for name in ("started_at", "ended_at")}


# One probe for each series of the source, in the hours of the agents: the ledger has no index on traces.
_CALLED: Final = """
select distinct t.trace from ledger_series s
cross join lateral (
    select trace from ledger_record_text
    where organization_id = s.organization_id and series_id = s.id and started_at >= %s and started_at <= %s
      and trace = any(%s) and record_id <> all(%s)
) t
where s.organization_id = %s and s.source_id = %s and s.labels @> '{"signal": "spans"}'
"""


def _called(organization_id: int, spans: Sequence[AgentSpan], now: datetime) -> set[tuple[int, UUID]]:
    """
    Find the traces of waiting spans of which a call stands in the ledger; neighbours in time are asked for together.

    Of times whose ids are no longer kept nobody can tell; a call is taken to be there, so that nothing counts twice.
    """
    oldest = oldest_text_month(now, retention_of(organization_by_id(organization_id)).ids_days)
    found = {(span.source_id, span.trace) for span in spans if span.started_at.date() < oldest}
    open_spans = sorted(
        (span for span in spans if span.state == "waiting" and not span.covered),
        key=lambda span: (span.source_id, span.started_at),
    )
    groups: list[list[AgentSpan]] = []
    for span in open_spans:
        near = groups and groups[-1][0].source_id == span.source_id
        if near and span.started_at - groups[-1][0].started_at < timedelta(hours=1):
            groups[-1].append(span)
        else:
            groups.append([span])
    for group in groups:
        first, latest = min(each.started_at for each in group), max(each.ended_at for each in group)
        ids = [str(span.record["record_id"]) for span in spans]
        with organization_scope(organization_id), connection.cursor() as cursor:
            cursor.execute(
                _CALLED,
                [
                    *(first - SKEW, latest + SKEW, sorted({each.trace.hex for each in group})),
                    *([*ids, *(f"{each}{CORRECTED}" for each in ids)], organization_id, group[0].source_id),
                ],
            )
            found |= {(group[0].source_id, UUID(hex=trace)) for (trace,) in cursor.fetchall()}
    return found


def _write(organization_id: int, changes: Sequence[tuple[AgentSpan, str]]) -> int:
    """Write records and corrections together with the new states. Raises _Changed when a span is no longer as it was read."""

    def finish(_: WriteResult) -> None:
        with connection.cursor() as cursor:
            for span, state in changes:
                cursor.execute(
                    "update ingestion_agent_span set state = %s where organization_id = %s and source_id = %s"
                    " and trace = %s and span = %s and state = %s and covered = %s",
                    [state, organization_id, span.source_id, span.trace, span.span, span.state, span.covered],
                )
                if cursor.rowcount != 1:
                    raise _Changed
        sightings.keep(organization_id, ())

    sightings = Sightings()
    with Writer(organization_id) as writer:
        for span, state in changes:
            if state == "counted" or span.state == "counted":
                record = span.record if state == "counted" else _correction(span.record)
                frame = records.to_activity([record | {"row": 1}])
                sightings.add(span.source_id, [span.batch_id], frame)
                writer.stage(frame, source_id=span.source_id, batch_id=span.batch_id)
        return writer.commit(finish).records


def _correction(record: Mapping[str, Any]) -> dict[str, Any]:
    """Take a record back: the same use, negative."""
    negative = {name: -record[name] for name in COUNTS if name in record}
    return {**record, **negative, "record_id": f"{record['record_id']}{CORRECTED}", "corrects": record["record_id"]}


def forget_agents(organization_id: int, now: datetime) -> int:
    """Delete spans that nothing can change any more; give their number."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute(
            "delete from ingestion_agent_span where organization_id = %s and state <> 'waiting' and due_at < %s",
            [organization_id, now - KEEP],
        )
        return int(cursor.rowcount)
