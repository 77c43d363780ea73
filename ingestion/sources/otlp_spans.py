"""
Spans of OpenTelemetry's GenAI conventions, read as records.

Each span of a model call is one record. Spans of agents and workflows repeat the sum of their children, so they count only
where no such call of their trace is seen: the service holds them back until that is known (`ingestion.services.agents`).
Other spans are outside.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from core.quantification.rejections import Rejection
from core.quantification.sampling import SHARE
from core.quantification.signals import SIGNAL, SPANS
from ingestion.sources.aggregates import Aggregate
from ingestion.sources.base import Context, Draft, natural_id
from ingestion.sources.otlp_resource import (
    COUNTED,
    FAILURE,
    MODEL,
    OPERATION,
    OWN,
    PROVIDER,
    SERVER,
    TIER,
    about_call,
    about_resource,
    text,
    time_of,
)
from ingestion.sources.otlp_wire import Span, Spans, Value

FALLBACK: Final = {"stage": "inference"}

INPUT: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
OUTPUT: Final = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
CACHED: Final = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens")
REQUEST: Final = ("gen_ai.response.id",)
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
SAMPLED_ONE_IN: Final = "SampleRate"
"""Attribute of samplers that say of how many traces one was kept."""

AGGREGATES: Final = frozenset({"invoke_agent", "invoke_workflow", "create_agent"})

KEYS: Final = frozenset(
    {
        *PROVIDER,
        *OPERATION,
        *MODEL,
        *INPUT,
        *OUTPUT,
        *CACHED,
        *TIER,
        *REQUEST,
        FIRST_CHUNK,
        SAMPLED_ONE_IN,
        FAILURE,
        SERVER,
        *OWN,
    }
)
"""Span attributes that are read, and stored: prompts, completions, tool arguments and users are among the others."""
GENAI_KEYS: Final = frozenset({*OPERATION, *INPUT, *OUTPUT})

CLIENT: Final = 3  # Span.kind
ERROR: Final = 2  # Status.code

_NOT_HEX: Final = re.compile(r"[^0-9a-f]")


def draft_of(resources: Iterable[Spans], context: Context) -> Draft:
    """Read the spans of one body."""
    draft = Draft(fallback=FALLBACK)
    for each in resources:
        about = about_resource(each.resource, context)
        for span in each.spans:
            draft.received += 1
            role = role_of(span)
            fault = _span_fault(span) if role != "outside" else None
            if role == "outside":
                draft.outside += 1
            elif fault is not None:
                draft.rejected.append(Rejection(draft.received, _id(span), *fault, payload=_readable(span)))
            elif role == "counted":
                draft.records.append(_call(draft.received, span, each.resource, about, context))
            else:
                draft.outside += 1
                if (aggregate := _aggregate(draft.received, span, each.resource, about, context)) is not None:
                    draft.aggregates.append(aggregate)
    return draft


def refused_of(resources: Iterable[Spans]) -> list[Rejection]:
    """Give the rejections of `draft_of` alone, for a door that only has to tell them back."""
    spans = enumerate((span for each in resources for span in each.spans), 1)
    return [
        Rejection(row, _id(span), *fault)
        for row, span in spans
        if role_of(span) != "outside" and (fault := _span_fault(span)) is not None
    ]


def role_of(span: Span) -> str:
    """Tell whether a span is counted, an aggregate of others, or outside."""
    attributes = span.attributes
    if GENAI_KEYS.isdisjoint(attributes):
        return "outside"
    operation = text(attributes, OPERATION)
    if operation in COUNTED:
        return "counted"
    usage = any(key in attributes for key in (*INPUT, *OUTPUT))
    if operation in AGGREGATES:
        return "aggregate"
    if usage and span.kind == CLIENT:
        return "counted"
    return "aggregate" if usage else "outside"


def _id(span: Span) -> str:
    return natural_id("span", span.trace_id, span.span_id)


def _call(
    row: int, span: Span, resource: Mapping[str, Value], about: Mapping[str, Any], context: Context
) -> dict[str, Any]:
    """Make the record of one call of a model."""
    tokens = _tokens(span.attributes)
    failed = span.status == ERROR or FAILURE in span.attributes
    silent = not failed and tokens["input_tokens"] is None and tokens["output_tokens"] is None
    return {
        **_common(row, span, resource, about, context),
        "request": text(span.attributes, REQUEST),
        "requests": 1,
        "failed_requests": int(failed),
        "generation_s": _generation_s(span),
        **tokens,
        "flags": ["no_usage"] if silent else [],
    }


def _aggregate(
    row: int, span: Span, resource: Mapping[str, Value], about: Mapping[str, Any], context: Context
) -> Aggregate | None:
    """
    Make the record that counts if nothing that this span repeats is seen; None where it repeats no tokens.

    How many calls it stands for is not known, so it has no requests.
    """
    tokens = _tokens(span.attributes)
    if tokens["input_tokens"] is None and tokens["output_tokens"] is None:
        return None
    record = {**_common(row, span, resource, about, context), **tokens, "flags": ["agent_aggregate"]}
    return Aggregate(span.trace_id, span.span_id, span.parent_id, record)


def _common(
    row: int, span: Span, resource: Mapping[str, Value], about: Mapping[str, Any], context: Context
) -> dict[str, Any]:
    labels = {**about["labels"], SIGNAL: SPANS}
    share = share_kept(span, context)
    if share is not None:
        labels[SHARE] = share
    return {
        "row": row,
        "record_id": _id(span),
        "started_at": time_of(span.start_ns),
        "ended_at": time_of(span.end_ns),
        **about_call(span.attributes, resource, about, context),
        "trace": span.trace_id,
        "labels": labels,
    }


def _tokens(attributes: Mapping[str, Value]) -> dict[str, int | None]:
    input_tokens = _count(attributes, INPUT)
    return {
        "input_tokens": input_tokens,
        "cached_input_tokens": None if input_tokens is None else _count(attributes, CACHED),
        "output_tokens": _count(attributes, OUTPUT),
    }


def _span_fault(span: Span) -> tuple[str, str, str] | None:
    """Find what makes a span impossible: (field, reason, detail)."""
    for field, digits_of, digits in (("traceId", span.trace_id, 32), ("spanId", span.span_id, 16)):
        if len(digits_of) != digits or _NOT_HEX.search(digits_of) or not digits_of.strip("0"):
            return field, "bad_field", f"{digits_of[:40]!r} is not an id of {digits} hex digits"
    if not 0 < span.start_ns < 2**63 or not 0 < span.end_ns < 2**63:
        return "endTimeUnixNano", "bad_field", "start or end time is missing or no time"
    if span.end_ns < span.start_ns:
        return (
            "endTimeUnixNano",
            "negative_interval",
            f"the span ends {span.start_ns - span.end_ns} ns before its start",
        )
    for keys in (INPUT, OUTPUT, CACHED):
        for key in keys:
            value = span.attributes.get(key)
            if value is None:
                continue
            if isinstance(value, bool | str) or not math.isfinite(value) or value != int(value) or abs(value) >= 2**63:
                return key, "bad_field", f"{str(value)[:40]!r} is not a whole number"
            if value < 0:
                return key, "negative_quantity", str(value)
    return None


def share_kept(span: Span, context: Context) -> float | None:
    """Give the share of traces that were kept: as its trace state says, else its sampler, else the source's setting."""
    share = sample_share(span.trace_state)
    if share is not None:
        return share
    one_in = span.attributes.get(SAMPLED_ONE_IN)
    if isinstance(one_in, int | float) and not isinstance(one_in, bool) and 1 < one_in < 2**53:
        return 1 / one_in
    rate = context.setting.get("sample_rate")
    return float(rate) if isinstance(rate, int | float) and 0 < rate < 1 else None


def sample_share(trace_state: str) -> float | None:
    """
    Read the share of traces kept from a trace state; None when it says nothing or all are kept.

    The threshold `th` is a rejection threshold of 56 bits, written without trailing zeros (OpenTelemetry, "TraceState:
    Probability Sampling"); its older form `p` is a power of two.

    >>> sample_share("ot=th:c;rv:d29b,vendor=x"), sample_share("ot=p:2;r:5"), sample_share("ot=th:0"), sample_share("")
    (0.25, 0.25, None, None)
    """
    parts = _sampling_parts(trace_state)
    share = None
    if re.fullmatch(r"[0-9a-f]{1,14}", parts.get("th", "")):
        share = 1 - int(parts["th"].ljust(14, "0"), 16) / 2**56
    elif re.fullmatch(r"[0-9]{1,2}", parts.get("p", "")):
        share = 0.5 ** int(parts["p"])
    return share if share is not None and 0 < share < 1 else None


def _sampling_parts(trace_state: str) -> dict[str, str]:
    found = re.search(r"(?:^|,)\s*ot=([^,]*)", trace_state)
    parts = dict(part.strip().partition(":")[::2] for part in found[1].split(";")) if found else {}
    return {key: value for key, value in parts.items() if key in ("th", "p")}


def sampling_state(trace_state: str) -> str:
    """
    Keep of a trace state what says how it was sampled: members of vendors name users, among others.

    >>> sampling_state("dd=s:1;t.usr.id:YWRh,ot=th:c;rv:d29b"), sampling_state("vendor=x")
    ('ot=th:c', '')
    """
    parts = [f"{key}:{value}" for key, value in _sampling_parts(trace_state).items()]
    return f"ot={';'.join(parts)}" if parts else ""


def _generation_s(span: Span) -> float | None:
    """Give the time after the first chunk, which is the server's; the wait before it and other wall time are not."""
    first = span.attributes.get(FIRST_CHUNK)
    if isinstance(first, bool) or not isinstance(first, int | float):
        return None
    seconds = (span.end_ns - span.start_ns) / 1e9 - first
    return seconds if seconds >= 0 else None


def _count(attributes: Mapping[str, Value], keys: tuple[str, ...]) -> int | None:
    for key in keys:
        value = attributes.get(key)
        if value is not None:
            return int(value)
    return None


def _readable(span: Span) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(span)
    return plain
