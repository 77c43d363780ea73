"""
LiteLLM: each call through the gateway, as its generic API callback posts it or its spend log keeps it (1.106 to 1.110).

A retry or a fallback is an event and an activity of its own. An answer from the gateway's cache took no model: it is a
request without tokens. The callback and the spend log name a call alike, so a call that comes by both counts once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification.records import Count
from core.quantification.rejections import Rejection
from ingestion.sources import gateway_tags, json_stream
from ingestion.sources.base import Context, Draft, Parsed, finish_draft, natural_id
from ingestion.sources.byte_streams import from_pieces
from ingestion.sources.litellm_wire import WHAT, documents, events_of, plain_events
from ingestion.sources.otlp_resource import API_VENDORS, is_private, region_of
from ingestion.sources.usage_pages import account_of, convert
from ingestion.sources.vocabulary import provider_slug, tier_of

NAME: Final = "litellm"
SNAPSHOT: Final = False

DROPPED: Final = (
    "Messages and answers, tool arguments, users, end users, keys and their hashes and names, addresses of callers; of metadata"
    " and tags all but what names a team, a project or another plain identifier."
)
"""What never reaches the inbox, in words for the privacy page."""

FALLBACK: Final = {"stage": "inference"}
CURRENCY: Final = "USD"

TOKEN_CALLS: Final = frozenset(
    "completion text_completion embedding responses anthropic_messages generate_content generate_content_stream".split()  # noqa: SIM905
)
"""Calls of which a success has tokens; where it has none, its stream was sent without usage."""
OTHER_CALLS: Final = frozenset(
    "image_generation image_edit image_variation moderation transcription speech rerank realtime pass_through_endpoint"  # noqa: SIM905
    " llm_passthrough_route video_generation create_video video_remix video_edit video_extension ocr".split()
)
"""Calls of a model whose use tokens do not describe. All further calls (files, lists, tools, searches) run no model."""
BATCH_READ: Final = "retrieve_batch"

_HIT: Final = re.compile(r"_cache_hit[\d.]+$")
_COST_ROW: Final = re.compile(r"_batch_cost$")
_LATEST_S: Final = 2**36


class _Details(msgspec.Struct):
    cached_tokens: Count | None = None


class _Usage(msgspec.Struct):
    prompt_tokens_details: _Details | None = None
    cache_read_input_tokens: Count | None = None
    prompt_tokens: Any = None
    completion_tokens: Any = None


class _Metadata(msgspec.Struct):
    user_api_key_team_alias: str | None = None
    user_api_key_team_id: str | None = None
    team_alias: str | None = None
    team_id: str | None = None
    user_api_key_project_alias: str | None = None
    user_api_key_project_id: str | None = None
    user_api_key_org_id: str | None = None
    usage_object: _Usage | None = None


class _Breakdown(msgspec.Struct):
    vertex_location: str | None = None
    service_tier: str | None = None


class _Hidden(msgspec.Struct):
    batch_successful_requests: Count | None = None
    batch_failed_requests: Count | None = None


class _Event(msgspec.Struct):
    """One event as `litellm_wire` leaves it."""

    id: str
    startTime: float | str  # noqa: N815  # the wire's own names
    endTime: float | str  # noqa: N815
    completionStartTime: float | str | None = None  # noqa: N815
    form: str = "callback"
    litellm_call_id: str | None = None
    trace_id: str | None = None
    call_type: str | None = None
    cache_hit: bool | None = None
    stream: bool | None = None
    status: str | None = None
    custom_llm_provider: str | None = None
    model: str | None = None
    model_group: str | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    response_cost: float | None = None
    api_base: str | None = None
    is_batch: bool = False
    tags: dict[str, str] = {}
    metadata: _Metadata | None = None
    cost_breakdown: _Breakdown | None = None
    hidden_params: _Hidden | None = None
    response: Any = None
    model_map_information: Any = None


def detect(head: bytes, filename: str) -> str | None:
    """Recognize events of the callback and rows of the spend log."""
    start = head.lstrip()[:1]
    if start in (b"{", b"["):
        if b'"call_type"' in head and b'"litellm_call_id"' in head and b'"startTime"' in head:
            return "LiteLLM spend log" if b'"request_id"' in head and b'"spend"' in head else "LiteLLM callback events"
        if all(word in head for word in (b'"request_id"', b'"call_type"', b'"spend"', b'"startTime"')):
            return "LiteLLM spend log"
        return None
    line = head.split(b"\n", 1)[0].lower()
    telling = (b"request_id", b"starttime", b"spend", b"call_type")
    return "LiteLLM spend log, CSV" if all(word in line for word in telling) else None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """
    Keep of events and rows what activity is made of: no messages, answers, users, keys or addresses.

    Raises UnreadablePayload when the body is of another format, or of the callback's old one.
    """
    return accept(body)[0]


def accept(body: bytes) -> tuple[bytes, int]:
    """Scrub a body and count its events, in one pass for the door; see `scrub`."""
    events = plain_events(body)
    return msgspec.json.encode(events), len(events)


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Do the same to a file of any size, an event at a time."""
    pieces = (msgspec.json.encode(event) + b"\n" for event in events_of(stream))
    return from_pieces(pieces)


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read scrubbed events, or a file as it was sent, in chunks."""
    avoided, first = _Avoided(), 1
    draft: Draft | None = None
    for events in json_stream.chunks(_events(stream), json_stream.CHUNK_ITEMS):
        if draft is not None:
            yield finish_draft(draft, context)
        draft = _draft(events, first, context, avoided)
        first += len(events)
    if draft is not None:
        draft.log += avoided.log()
        yield finish_draft(draft, context)


def read(body: bytes, context: Context) -> Draft:
    """Read one payload as a draft; see `parse`."""
    avoided = _Avoided()
    draft = _draft(_stored(body), 1, context, avoided)
    draft.log += avoided.log()
    return draft


@dataclass
class _Avoided:
    """What answers from the gateway's cache would have taken."""

    hits: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def add(self, event: _Event) -> None:
        """Count one such answer."""
        self.hits += 1
        self.input_tokens += event.prompt_tokens or 0
        self.output_tokens += event.completion_tokens or 0

    def log(self) -> list[str]:
        """Say it for the batch's log."""
        tokens = f"{self.input_tokens:,} input and {self.output_tokens:,} output tokens avoided"
        return [f"{self.hits:,} answers came from the gateway's cache: {tokens}"] if self.hits else []


def _draft(events: Sequence[dict[str, Any]], first: int, context: Context, avoided: _Avoided) -> Draft:
    draft = Draft(received=len(events), fallback=FALLBACK)
    for row, value in enumerate(events, first):
        event = _checked(row, value)
        if isinstance(event, Rejection):
            draft.rejected.append(event)
            continue
        record = _record(row, event, value, context)
        if record is None:
            draft.outside += 1
        elif isinstance(record, Rejection):
            draft.rejected.append(record)
        else:
            draft.records.append(record)
            if event.cache_hit:
                avoided.add(event)
    return draft


STORED: Final = (b'[{"form":', b'{"form":')
"""How what the door has stored begins: an array of a body, lines of a file."""


def _stored(body: bytes) -> list[dict[str, Any]]:
    """Read what the door has stored; a body as sent is brought to that form first."""
    if body.startswith(STORED) or body == b"[]":
        stored: list[dict[str, Any]] = documents(body, WHAT)
        return stored
    return plain_events(body)


def _events(stream: BinaryIO) -> Iterator[dict[str, Any]]:
    """Do the same, an event at a time."""
    start = stream.tell()
    head = stream.read(len(STORED[0]))
    stream.seek(start)
    if not head.startswith(STORED):
        return events_of(stream) if head != b"[]" else iter(())
    return (event for event, _ in json_stream.items(stream, WHAT))


def _checked(row: int, value: dict[str, Any]) -> _Event | Rejection:
    if value.get("form") == "broken":
        return Rejection(row, None, None, "bad_field", str(value.get("detail")), None)
    event: _Event | Rejection = convert(row, value, _Event)
    return event


def _record(row: int, event: _Event, value: object, context: Context) -> dict[str, Any] | Rejection | None:
    call = _call(event.call_type)
    tokens = _tokens(event)
    has_tokens = tokens["input_tokens"] is not None or tokens["output_tokens"] is not None
    if call not in TOKEN_CALLS and call not in OTHER_CALLS and not has_tokens:
        return None
    times = _times(event)
    if times is None:
        return Rejection(row, None, "startTime", "bad_field", "it is neither unix seconds nor a time", value)
    started_at, ended_at, flags = times
    failed = event.status == "failure"
    measures: dict[str, Any] = {"requests": 1, "failed_requests": int(failed), **tokens}
    techniques: list[str] = []
    if event.cache_hit:
        # The event repeats the tokens of the answer that was stored; no model read or wrote them now.
        measures |= dict.fromkeys(tokens)
        techniques.append("cached")
    elif call == BATCH_READ and event.hidden_params is not None:
        measures |= _batch_requests(event.hidden_params)
    elif not failed and not has_tokens and call in TOKEN_CALLS:
        flags.append("no_usage")
    cost = None if event.cache_hit or (failed and not event.response_cost) else event.response_cost
    provider = provider_slug(event.custom_llm_provider)
    tags = gateway_tags.columns(event.tags, context)
    group = {"model_group": event.model_group} if event.model_group and event.model_group != event.model else {}
    return {
        "row": row,
        "record_id": _identity(event, call, started_at),
        "started_at": started_at,
        "ended_at": ended_at,
        "evidence": "modelled",
        **_who(event, tags, context),
        **_where(event, provider, context),
        "model": _model(event),
        "tier": "batch" if event.is_batch or (call and "batch" in call) else _service_tier(event),
        "techniques": techniques,
        "request": event.id[:200],
        "trace": event.trace_id[:64] if event.trace_id else None,
        **measures,
        "generation_s": None if event.cache_hit else _generation_s(event, ended_at),
        "cost": cost,
        "currency": None if cost is None else CURRENCY,
        "labels": {**tags["labels"], **group},
        "flags": flags,
    }


def _call(call_type: str | None) -> str | None:
    """Give a call type without the marks of its asynchronous form: `acompletion`, `_arealtime`."""
    if not call_type:
        return None
    name = call_type.lstrip("_")
    return name[1:] if name[1:] in TOKEN_CALLS | OTHER_CALLS | {BATCH_READ} else name


def _identity(event: _Event, call: str | None, started_at: datetime) -> str:
    """
    Name a call by its id and start. Both wires append their own time to the id of a cache hit, so there the call's own id
    takes its place; a finished batch, which can be read often, is named by itself.
    """
    if call == BATCH_READ:
        return natural_id("litellm", _COST_ROW.sub("", event.id), "batch")
    name = event.id
    if event.cache_hit and event.litellm_call_id:
        name = f"{_HIT.sub('', name)}_cache_hit:{event.litellm_call_id}"
    return natural_id("litellm", name, round(started_at.timestamp() * 1000))


def _tokens(event: _Event) -> dict[str, int | None]:
    """Give the tokens; a call without any reports zeros, which say that they are not known."""
    usage = (event.metadata.usage_object if event.metadata else None) or _Usage()
    if not event.prompt_tokens and not event.completion_tokens:
        return {"input_tokens": None, "cached_input_tokens": None, "output_tokens": None}
    details = usage.prompt_tokens_details
    cached = details.cached_tokens if details and details.cached_tokens is not None else usage.cache_read_input_tokens
    return {
        "input_tokens": event.prompt_tokens,
        "cached_input_tokens": None if event.prompt_tokens is None else cached,
        "output_tokens": event.completion_tokens,
    }


def _batch_requests(hidden: _Hidden) -> dict[str, int]:
    """Count the requests of a batch that was read, where LiteLLM knows them."""
    good, bad = hidden.batch_successful_requests, hidden.batch_failed_requests
    return {} if good is None and bad is None else {"requests": (good or 0) + (bad or 0), "failed_requests": bad or 0}


def _times(event: _Event) -> tuple[datetime, datetime, list[str]] | None:
    """
    Give the interval in whole milliseconds, which is what the spend log keeps, and the flags of its times. A batch that is
    read ran from when it was made until it was complete.
    """
    sent: tuple[Any, Any] = (event.startTime, event.endTime)
    if _call(event.call_type) == BATCH_READ and isinstance(event.response, Mapping):
        made = (event.response.get("created_at"), event.response.get("completed_at"))
        sent = made if all(type(each) in (int, float) for each in made) else sent
    start, start_flags = _time(sent[0])
    end, end_flags = _time(sent[1])
    return None if start is None or end is None else (start, end, sorted({*start_flags, *end_flags}))


def _time(value: float | str | None) -> tuple[datetime | None, list[str]]:
    flags: list[str] = []
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value.strip())
        except ValueError:
            return None, flags
        if not 1990 <= moment.year < 9000:
            return None, flags
        if moment.tzinfo is None:
            moment, flags = moment.replace(tzinfo=UTC), ["naive_time"]
        return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000), flags
    if value is None or not 0 < value < _LATEST_S:
        return None, flags
    return _EPOCH + timedelta(milliseconds=round(value * 1_000_000) // 1000), flags


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _generation_s(event: _Event, ended_at: datetime) -> float | None:
    """Give the time from the first part of a streamed answer to its end."""
    first, _ = _time(event.completionStartTime)
    streamed = event.stream is True or (event.form == "spend" and event.stream is None)
    return (ended_at - first).total_seconds() if streamed and first is not None and first < ended_at else None


def _model(event: _Event) -> str | None:
    """Name the model as the provider answered it, else as its price list dates it, else as it was asked for."""
    answered = event.response.get("model") if isinstance(event.response, Mapping) else None
    if isinstance(answered, str) and answered:
        return answered[:200]
    known = event.model_map_information
    dated = known.get("model_map_key") if isinstance(known, Mapping) else None
    asked = event.model or None
    return dated[:200] if asked and isinstance(dated, str) and dated.startswith(f"{asked}-") else asked and asked[:200]


def _service_tier(event: _Event) -> str | None:
    return tier_of(event.cost_breakdown.service_tier) if event.cost_breakdown else None


def _who(event: _Event, tags: Mapping[str, Any], context: Context) -> dict[str, str | None]:
    """Say whose call it was: the team and project of the key, else tags; account: the organization, else the setting."""
    about = event.metadata or _Metadata()
    names = {
        "team": about.user_api_key_team_alias or about.user_api_key_team_id or about.team_alias or about.team_id,
        "project": about.user_api_key_project_alias or about.user_api_key_project_id,
    }
    found = {name: text[:200] if text else tags[name] for name, text in names.items()}
    account = about.user_api_key_org_id or account_of(context)
    rest = {name: tags[name] for name in ("environment", "application")}
    return {**found, **rest, "account": account[:200] if account else None}


def _where(event: _Event, provider: str | None, context: Context) -> dict[str, str | None]:
    """Say who runs the model: a server of the organization's own behind the gateway, else the provider's API."""
    host = event.api_base
    own = context.setting.get("own_servers")
    if (isinstance(own, list) and host in own) or (host and provider not in API_VENDORS and is_private(host)):
        return {"hosting": "owned", "provider": None, "region": None}
    location = event.cost_breakdown.vertex_location if event.cost_breakdown else None
    return {"hosting": "api", "provider": provider, "region": location or (region_of(host) if host else None)}
