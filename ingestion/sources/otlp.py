"""
OpenTelemetry over OTLP/HTTP, protobuf and JSON: GenAI spans and metrics, and the energy of hosts.

This module takes bodies apart; what spans and metrics mean stands in `otlp_spans` and `otlp_metrics`. Both describe the same
calls: all become records, with a label that says of which signal, and derive lets one of the two count. Logs are accepted,
emptied and counted as outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from core.quantification.rejections import Rejection
from ingestion.sources import otlp_metric_wire, otlp_metrics, otlp_scrub, otlp_spans, otlp_wire
from ingestion.sources.base import Context, Draft, Parsed, UnreadablePayload, finish_draft
from ingestion.sources.byte_streams import unpacked
from ingestion.sources.otlp_metric_wire import Scope
from ingestion.sources.otlp_resource import EPOCH
from ingestion.sources.otlp_scrub import resource_keep
from ingestion.sources.otlp_wire import Signal, Spans

NAME: Final = "otlp"
SNAPSHOT: Final = False

DROPPED: Final = (
    "Of spans: names, events, links, status messages, trace states but for their sampling, and every attribute that is not "
    "read, so prompts, completions and tool arguments. Of metrics: descriptions and exemplars. Of logs: everything but the "
    "times. Attributes of resources that name a person, a process or a command line."
)
"""What never reaches the inbox, in words for the privacy page."""

AGENTS_WAIT: Final = (
    "spans of agents repeat their children; they count if none of their trace is seen within 10 minutes"
)


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


def counts_on(filename: str) -> bool:
    """Tell whether a payload may hold running totals, so that its source's counters are needed to read it."""
    return filename not in ("traces", "logs")


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep of a body only what activity is made of. Raises UnreadablePayload when it cannot be decoded."""
    is_json = is_json_body(body, content_type)
    return otlp_scrub.scrub(body, signal_of(body, filename or "", is_json=is_json), is_json=is_json)[0]


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
    scrubbed, items = otlp_scrub.scrub(body, signal, is_json=is_json)
    rejected = _refused(scrubbed, signal, is_json=is_json)
    first = rejected[0] if rejected else None
    message = f"{first.record_id or first.row}: {first.field}: {first.detail}" if first else ""
    return Accepted(scrubbed, items, sum(rejection.rows for rejection in rejected), message)


def _refused(body: bytes, signal: Signal, *, is_json: bool) -> list[Rejection]:
    """Find what can never be read. What depends on the time of receipt or on other records is the worker's to find."""
    if signal == "traces":
        return otlp_spans.refused_of(_spans(body, is_json=is_json))
    if signal == "logs":
        return []
    timeless = Context(EPOCH, known={"timeless": True})
    return otlp_metrics.draft_of(_scopes(body, is_json=is_json), timeless).rejected


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read one body."""
    yield finish_draft(read(stream.read(), context), context)


def read(body: bytes, context: Context) -> Draft:
    """Read one body as a draft. Raises UnreadablePayload when it cannot be decoded."""
    body = unpacked(body)
    is_json = is_json_body(body, context.content_type)
    signal = signal_of(body, context.filename or "", is_json=is_json)
    if signal == "metrics":
        return otlp_metrics.draft_of(_scopes(body, is_json=is_json), context)
    if signal == "logs":
        _, items = otlp_scrub.scrub(body, signal, is_json=is_json)
        return Draft(received=items, outside=items, log=[f"{items} log records are outside"] if items else [])
    draft = otlp_spans.draft_of(_spans(body, is_json=is_json), context)
    if draft.aggregates:
        draft.log.append(f"{len(draft.aggregates)} {AGENTS_WAIT}")
    return draft


def _spans(body: bytes, *, is_json: bool) -> Iterator[Spans]:
    keep = otlp_spans.KEYS.__contains__
    return otlp_wire.read_traces(body, is_json=is_json, resource_keep=resource_keep, span_keep=keep)


def _scopes(body: bytes, *, is_json: bool) -> Iterator[Scope]:
    return otlp_metric_wire.read_metrics(body, is_json=is_json, keep=resource_keep)


# --- body and signal --------------------------------------------------------------------------------------------------


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
