"""
OpenTelemetry's GenAI spans over OTLP/HTTP, protobuf and JSON, in the current and the older conventions.

Each span of a model call is one record. Spans of agents and workflows repeat the sum of their children: they never carry
counted tokens. Other spans are outside. Metrics and logs are accepted and counted as outside: a service's spans and its
metrics describe the same calls, and the connection counts spans.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification.rejections import Rejection
from ingestion.sources import otlp_scrub, otlp_wire
from ingestion.sources.base import (
    Context,
    Draft,
    Parsed,
    UnreadablePayload,
    finish_draft,
    limit_labels,
    natural_id,
    unpacked,
)
from ingestion.sources.otlp_scrub import resource_keep
from ingestion.sources.otlp_wire import Signal, Span, Value
from ingestion.sources.vocabulary import provider_slug, tier_of

NAME: Final = "otlp"
SNAPSHOT: Final = False

DROPPED: Final = (
    "Of spans: names, events, links, status messages and every attribute that is not read, so prompts, "
    "completions and tool arguments. Of metrics: descriptions and exemplars. Of logs: everything but the "
    "times. Attributes of resources that name a person, a process or a command line."
)
"""What never reaches the inbox, in words for the privacy page."""

FALLBACK: Final = {"stage": "inference"}

# Current spelling first, then older ones (semantic conventions up to 1.36) and other instrumentations.
PROVIDER: Final = ("gen_ai.provider.name", "gen_ai.system")
OPERATION: Final = ("gen_ai.operation.name", "llm.request.type")
MODEL: Final = ("gen_ai.response.model", "gen_ai.request.model", "llm.model_name")
INPUT: Final = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")
OUTPUT: Final = ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens", "llm.token_count.completion")
CACHED: Final = ("gen_ai.usage.cache_read.input_tokens", "gen_ai.usage.cache_read_input_tokens")
TIER: Final = ("openai.response.service_tier", "gen_ai.openai.response.service_tier")
REQUEST: Final = ("gen_ai.response.id",)
FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
FAILURE: Final = "error.type"
SERVER: Final = "server.address"

OWN: Final = tuple(f"wattledger.{name}" for name in ("team", "project", "application", "task", "environment"))
"""Attributes that name attribution for us, on the span or its resource; the span's win."""

TEAM: Final = ("wattledger.team", "team", "service.namespace", "k8s.namespace.name")
PROJECT: Final = ("wattledger.project", "project", "service.name")
ENVIRONMENT: Final = ("wattledger.environment", "deployment.environment.name", "deployment.environment")
RESOURCE_LABELS: Final = (
    "service.name",
    "service.namespace",
    "service.version",
    "k8s.namespace.name",
    "cloud.account.id",
)

COUNTED: Final = frozenset({"chat", "text_completion", "completion", "generate_content", "embeddings"})
AGGREGATES: Final = frozenset({"invoke_agent", "invoke_workflow", "create_agent"})

SPAN_KEYS: Final = frozenset(
    {*PROVIDER, *OPERATION, *MODEL, *INPUT, *OUTPUT, *CACHED, *TIER, *REQUEST, FIRST_CHUNK, FAILURE, SERVER, *OWN}
)
"""Span attributes that are read, and stored: prompts, completions, tool arguments and users are among the others."""
GENAI_KEYS: Final = frozenset({*OPERATION, *INPUT, *OUTPUT})

CLIENT: Final = 3  # Span.kind
ERROR: Final = 2  # Status.code

REGION_IN_ADDRESS: Final = (
    re.compile(r"^bedrock-runtime(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?$"),
    re.compile(r"^(?P<region>[a-z]+-[a-z]+\d+)-aiplatform\.googleapis\.com$"),
)

API_VENDORS: Final = frozenset(
    "openai anthropic cohere deepseek groq perplexity aws azure gcp mistralai xai moonshotai ibm".split()  # noqa: SIM905
)
"""A private server address in front of one of these is a gateway; in front of anything else it is an own server."""

SERVER_FAULT: Final = "unknown_service"  # what an SDK writes as service.name when nobody named it


_NOT_HEX: Final = re.compile(r"[^0-9a-f]")


@dataclass(frozen=True)
class Accepted:
    """What the door needs to know of a body: what to store, and what to tell the exporter about items it refuses."""

    body: bytes
    received: int
    rejected: int
    message: str


def detect(head: bytes, filename: str) -> str | None:
    """Recognize OTLP/JSON by its first key, protobuf by the ending and the first bytes."""
    found = re.match(rb'\s*\{\s*"resource(Spans|Metrics|Logs)"', head)
    if found:
        return f"OTLP/JSON {found[1].decode().lower()}"
    if filename.lower().endswith((".pb", ".otlp", ".binpb")) and head[:1] == b"\x0a":
        return f"OTLP protobuf {signal_of(head, filename, is_json=False)}"
    return None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep of a body only what activity is made of. Raises UnreadablePayload when it cannot be decoded."""
    return accept(body, content_type, filename).body


def accept(body: bytes, content_type: str, filename: str | None = None) -> Accepted:
    """
    Scrub a body and count its items and those that must be refused now, in one answer for the door.

    Args:
        body: unpacked.
        content_type: as sent.
        filename: `traces`, `metrics` or `logs`, as in the address.

    Raises UnreadablePayload when the body cannot be decoded (400).
    """
    is_json = is_json_body(body, content_type)
    signal = signal_of(body, filename or "", is_json=is_json)
    scrubbed, items = otlp_scrub.scrub(body, signal, is_json=is_json, span_keep=SPAN_KEYS.__contains__)
    if signal != "traces":
        return Accepted(scrubbed, items, 0, "")
    draft = read(scrubbed, Context(_EPOCH, content_type=content_type, filename=signal))  # asks for no time
    first = draft.rejected[0] if draft.rejected else None
    message = f"{first.record_id or first.row}: {first.field}: {first.detail}" if first else ""
    return Accepted(scrubbed, items, len(draft.rejected), message)


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read one body."""
    yield finish_draft(read(stream.read(), context), context)


def read(body: bytes, context: Context) -> Draft:
    """Read one body as a draft. Raises UnreadablePayload when it cannot be decoded."""
    body = unpacked(body)
    is_json = is_json_body(body, context.content_type)
    signal = signal_of(body, context.filename or "", is_json=is_json)
    if signal != "traces":
        _, items = otlp_scrub.scrub(body, signal, is_json=is_json, span_keep=SPAN_KEYS.__contains__)
        log = [f"{items} {signal} items are outside: this connection counts spans"] if items else []
        return Draft(received=items, outside=items, log=log)
    resources = list(
        otlp_wire.read_traces(body, is_json=is_json, resource_keep=resource_keep, span_keep=SPAN_KEYS.__contains__)
    )
    counted_traces = {span.trace_id for each in resources for span in each.spans if _role(span) == "counted"}
    draft = Draft(fallback=FALLBACK)
    for each in resources:
        about = _about_resource(each.resource, context)
        for span in each.spans:
            draft.received += 1
            role = _role(span)
            if role == "outside" or (role == "aggregate" and span.trace_id in counted_traces):
                draft.outside += 1
                continue
            outcome = _record(draft.received, span, role, each.resource, about, context)
            (draft.rejected if isinstance(outcome, Rejection) else draft.records).append(outcome)  # type: ignore[arg-type]
    return draft


def _role(span: Span) -> str:
    """Tell whether a span is counted, an aggregate of others, or outside."""
    attributes = span.attributes
    if GENAI_KEYS.isdisjoint(attributes):
        return "outside"
    operation = _text(attributes, OPERATION)
    if operation in COUNTED:
        return "counted"
    usage = any(key in attributes for key in (*INPUT, *OUTPUT))
    if operation in AGGREGATES:
        return "aggregate"
    if usage and span.kind == CLIENT:
        return "counted"
    return "aggregate" if usage else "outside"


def _record(
    row: int, span: Span, role: str, resource: Mapping[str, Value], about: Mapping[str, Any], context: Context
) -> dict[str, Any] | Rejection:
    record_id = natural_id("span", span.trace_id, span.span_id)
    fault = _span_fault(span)
    if fault is not None:
        return Rejection(row, record_id, *fault, payload=_readable(span))
    attributes = span.attributes
    tokens = {
        "input_tokens": _count(attributes, INPUT),
        "cached_input_tokens": _count(attributes, CACHED),
        "output_tokens": _count(attributes, OUTPUT),
    }
    if tokens["input_tokens"] is None:
        tokens["cached_input_tokens"] = None
    failed = span.status == ERROR or FAILURE in attributes
    labels = dict(about["labels"])
    flags = list(about["flags"])
    share = sample_share(span.trace_state)
    if share is not None:
        labels["sample_share"] = share
    if role == "aggregate":
        # Its tokens are those of its children, which come in another payload. They are no labels either: labels make the
        # series, and every sum would be a series of its own.
        flags.append("agent_aggregate")
        measures: dict[str, Any] = {"requests": 0, "failed_requests": 0}
    else:
        if not failed and tokens["input_tokens"] is None and tokens["output_tokens"] is None:
            flags.append("no_usage")
        measures = {"requests": 1, "failed_requests": int(failed), "generation_s": _generation_s(span), **tokens}
    provider = provider_slug(_text(attributes, PROVIDER))
    return {
        "row": row,
        "record_id": record_id,
        "started_at": _time(span.start_ns),
        "ended_at": _time(span.end_ns),
        **{name: about[name] for name in ("team", "project", "environment", "application", "task", "account")},
        **{key.removeprefix("wattledger."): str(attributes[key])[:200] for key in OWN if key in attributes},
        "evidence": "modelled",
        **_place(provider, _text(attributes, (SERVER,)), resource, context),
        "model": _text(attributes, MODEL),
        "tier": tier_of(_text(attributes, TIER)),
        "request": _text(attributes, REQUEST),
        "trace": span.trace_id,
        **measures,
        "labels": labels,
        "flags": flags,
    }


def _span_fault(span: Span) -> tuple[str, str, str] | None:
    """Find what makes a span impossible: (field, reason, detail)."""
    for field, text, digits in (("traceId", span.trace_id, 32), ("spanId", span.span_id, 16)):
        if len(text) != digits or _NOT_HEX.search(text) or not text.strip("0"):
            return field, "bad_field", f"{text[:40]!r} is not an id of {digits} hex digits"
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
            if isinstance(value, bool | str) or value != value or value != int(value) or abs(value) >= 2**63:
                return key, "bad_field", f"{str(value)[:40]!r} is not a whole number"
            if value < 0:
                return key, "negative_quantity", str(value)
    return None


def _about_resource(resource: Mapping[str, Value], context: Context) -> dict[str, Any]:
    """Read once per resource what all its spans share."""
    named = {
        key: value
        for key, value in resource.items()
        if not (key == "service.name" and str(value).startswith(SERVER_FAULT))
    }
    extra = context.setting.get("labels")
    wanted = (*RESOURCE_LABELS, *(extra if isinstance(extra, list | tuple) else ()))
    labels: dict[str, object] = {key: named[key] for key in wanted if key in named}
    if "cloud.region" in named:
        labels["caller_region"] = named["cloud.region"]
    rate = context.setting.get("sample_rate")
    if isinstance(rate, int | float) and 0 < rate < 1:
        labels["sample_share"] = rate
    account = context.setting.get("account")
    return {
        "team": _text(named, TEAM),
        "project": _text(named, PROJECT),
        "environment": _text(named, ENVIRONMENT),
        "application": _text(named, ("wattledger.application",)),
        "task": _text(named, ("wattledger.task",)),
        "account": account if isinstance(account, str) else _text(named, ("service.name",)),
        "labels": limit_labels(labels),
        "flags": [],
    }


def _place(
    provider: str | None, address: str | None, resource: Mapping[str, Value], context: Context
) -> dict[str, str | None]:
    """
    Say who runs the hardware and where. The resource's cloud.region is the caller's place; it is the server's only for a
    server of the organization's own: one that the setting `own_servers` lists, or a private address that does not stand
    in front of an API vendor.
    """
    own = context.setting.get("own_servers")
    listed = isinstance(own, list | tuple) and address in own
    if listed or (address is not None and provider not in API_VENDORS and is_private(address)):
        cloud = provider_slug(_text(resource, ("cloud.provider",)))
        return {
            "hosting": "cloud" if cloud else "owned",
            "provider": cloud,
            "region": _text(resource, ("cloud.region",)),
        }
    return {"hosting": "api", "provider": provider, "region": region_of(address) if address else None}


@lru_cache(maxsize=1024)
def region_of(address: str) -> str | None:
    """
    Find the region in a server's name.

    >>> region_of("bedrock-runtime.us-east-1.amazonaws.com"), region_of("europe-west4-aiplatform.googleapis.com")
    ('us-east-1', 'europe-west4')
    """
    for pattern in REGION_IN_ADDRESS:
        if found := pattern.match(address.lower()):
            return found["region"]
    return None


@lru_cache(maxsize=1024)
def is_private(address: str) -> bool:
    """
    Tell whether a server's address or name is only reachable inside the organization.

    >>> [is_private(address) for address in ("10.1.2.3", "vllm", "llm.svc.cluster.local", "8.8.8.8", "api.openai.com")]
    [True, True, True, False, False]
    """
    try:
        return ipaddress.ip_address(address.strip("[]")).is_private
    except ValueError:
        return "." not in address or address.lower().endswith((".local", ".internal", ".lan", ".cluster.local"))


def sample_share(trace_state: str) -> float | None:
    """
    Read the share of traces kept from the threshold in a trace state; None when it says nothing or all are kept.

    The threshold `th` is a rejection threshold of 56 bits, written without trailing zeros (OpenTelemetry, "TraceState:
    Probability Sampling").

    >>> sample_share("ot=th:c;rv:d29b,vendor=x"), sample_share("ot=th:0"), sample_share("")
    (0.25, None, None)
    """
    found = re.search(r"(?:^|,)\s*ot=(?:[^,]*;)?th:([0-9a-f]{1,14})(?:[;,]|$)", trace_state)
    if not found:
        return None
    share = 1 - int(found[1].ljust(14, "0"), 16) / 2**56
    return share if 0 < share < 1 else None


def _generation_s(span: Span) -> float | None:
    """Give the time after the first chunk, which is the server's; the wait before it and other wall time are not."""
    first = span.attributes.get(FIRST_CHUNK)
    if isinstance(first, bool) or not isinstance(first, int | float):
        return None
    seconds = (span.end_ns - span.start_ns) / 1e9 - first
    return seconds if seconds >= 0 else None


def _time(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _text(attributes: Mapping[str, Value], keys: tuple[str, ...]) -> str | None:
    """Give the first of the attributes that is there, as text; empty is absent."""
    for key in keys:
        value = attributes.get(key)
        if value is not None and value != "":
            return str(value)[:200]
    return None


def _count(attributes: Mapping[str, Value], keys: tuple[str, ...]) -> int | None:
    for key in keys:
        value = attributes.get(key)
        if value is not None:
            return int(value)
    return None


def _readable(span: Span) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(span)
    return plain


# --- body, signal, scrubbing ------------------------------------------------------------------------------------------


def is_json_body(body: bytes, content_type: str) -> bool:
    """Tell JSON from protobuf: by the media type, and for files without one by the first byte."""
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type in ("application/json", "application/x-protobuf", "application/protobuf"):
        return media_type == "application/json"
    return body.lstrip()[:1] == b"{"


def signal_of(body: bytes, filename: str, *, is_json: bool) -> Signal:
    """Tell traces, metrics and logs apart: by the address or file name, else by the body."""
    for signal in otlp_wire.REQUESTS:
        if signal in filename.lower():
            return signal
    if is_json:
        found = re.search(rb'"resource(Spans|Metrics|Logs)"', body)
        return {b"Metrics": "metrics", b"Logs": "logs"}.get(found[1] if found else b"", "traces")  # type: ignore[return-value]
    try:
        spans = otlp_wire.decode_protobuf(body, "traces")
    except UnreadablePayload:
        return "metrics"
    ids = [len(span.trace_id) for each in spans.resource_spans for scope in each.scope_spans for span in scope.spans]
    return "traces" if all(size == 16 for size in ids) else "metrics"
