"""
Langfuse's observations (`GET /api/public/v2/observations`, also the older address), saved as JSON pages.

Generations and embeddings are calls of a model; spans, tools and agents around them are not. Observations are completed
after the fact, so the version that was updated last stands, whenever it is read; an answer speaks for nothing but what
stands in it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification import records
from core.quantification.prose import brief
from core.quantification.rejections import Rejection
from ingestion.sources import gateway_tags, json_stream
from ingestion.sources.base import Context, Parsed, UnreadablePayload, finish, natural_id
from ingestion.sources.byte_streams import from_pieces, open_maybe_compressed
from ingestion.sources.counters import Memory
from ingestion.sources.usage_pages import Outcome, Shape, account_of, convert, pruned, read_time
from ingestion.sources.versions import Delivery, Verdict, Version, memory_of

NAME: Final = "langfuse"
SNAPSHOT: Final = True

DROPPED: Final = (
    "Everything of an observation but ids, times, model, usage and cost: inputs, outputs and users; of metadata and tags all but"
    " what names a team, a project or another plain identifier."
)
"""What never reaches the inbox, in words for the privacy page."""

FALLBACK: Final = {"stage": "inference"}

WHAT: Final = "Langfuse's observations"
COUNTED: Final = frozenset({"GENERATION", "EMBEDDING"})
CURRENCY: Final = "USD"


class _Observation(msgspec.Struct):
    id: str
    startTime: str  # noqa: N815  # the wire's own names
    type: str
    endTime: str | None = None  # noqa: N815
    updatedAt: str | None = None  # noqa: N815
    traceId: str | None = None  # noqa: N815
    projectId: str | None = None  # noqa: N815
    environment: str | None = None
    level: str | None = None
    model: str | None = None
    providedModelName: str | None = None  # noqa: N815
    totalCost: float | None = None  # noqa: N815
    usageDetails: dict[str, Any] | None = None  # noqa: N815
    tags: dict[str, str] = {}


_KEPT: Final[Shape] = dict.fromkeys(set(_Observation.__struct_fields__) - {"usageDetails", "tags"})


def detect(head: bytes, filename: str) -> str | None:
    """Recognize observations by the fields that only they have together."""
    telling = (b'"traceId"', b'"startTime"', b'"usageDetails"')
    if head.lstrip()[:1] in (b"{", b"[") and all(word in head for word in telling):
        return "Langfuse observations"
    return None


def counts_on(filename: str) -> bool:
    """Versions are compared with those that were read before, as readings of counters are."""
    return True


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """
    Keep what activity is made of: no input, output, names, users, sessions, and of metadata only attribution.

    Raises UnreadablePayload when the body holds no observations.
    """
    return b"".join(_scrubbed(io.BytesIO(body)))


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Do the same to a file of any size, an observation at a time."""
    return from_pieces(_scrubbed(stream))


def _scrubbed(stream: BinaryIO) -> Iterator[bytes]:
    """Give observations as JSON lines."""
    for value in _observations(stream):
        yield msgspec.json.encode(_kept(value)) + b"\n"


def _observations(stream: BinaryIO) -> Iterator[Any]:
    """Give the observations of pages, or observations that stand in the file by themselves."""
    for value, paged in json_stream.items(open_maybe_compressed(stream), WHAT):
        if not paged and not (isinstance(value, dict) and {"id", "type", "startTime"} <= value.keys()):
            raise UnreadablePayload(
                f"This is no page of {WHAT} (there is no list `data` in it). Save the answer of the API as it is."
            )
        yield value


def _kept(value: object, *, stored: bool = False) -> object:
    """Reduce an observation; one that comes from the store has its tags as they were kept."""
    if not isinstance(value, dict):
        return None
    if stored and isinstance(value.get("tags"), dict):
        tags = gateway_tags.kept(value["tags"], identifiers=True)
    else:
        metadata, listed = value.get("metadata"), value.get("tags")
        own = gateway_tags.kept(metadata) if isinstance(metadata, dict) else {}
        pairs = gateway_tags.pairs_of(listed if isinstance(listed, list) else [])
        tags = {**own, **gateway_tags.kept(pairs, identifiers=True)}
    usage = value.get("usageDetails")
    details = {key[:64]: count for key, count in usage.items() if _is_count(count)} if isinstance(usage, dict) else None
    kept: dict[str, Any] = brief({**pruned(value, _KEPT), "usageDetails": details, "tags": tags})
    return kept


def _is_count(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float)


def choose(stream: BinaryIO, context: Context, delivery: Delivery) -> None:
    """Note the versions of a file, before any file of its delivery is read."""
    for value in _observations(stream):
        kept = _kept(value, stored=True)
        record = _record(0, kept, context)
        if isinstance(record, dict):
            delivery.add([_version(record, kept)])


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """
    Read observations in chunks. One that was read before, or stands in the delivery, in a newer version is outside; one of the
    same version with other content is quarantined. `context.known` holds what was read before, and the delivery.
    """
    memory, delivery = memory_of(context), context.known.get("delivery")
    if not isinstance(delivery, Delivery):
        delivery, start = Delivery(), stream.tell()
        choose(stream, context, delivery)
        stream.seek(start)
    first = 1
    for values in json_stream.chunks(_observations(stream), json_stream.CHUNK_ITEMS):
        yield _parsed(first, values, context, memory, delivery)
        first += len(values)


def _parsed(first: int, values: list[Any], context: Context, memory: Memory, delivery: Delivery) -> Parsed:
    kept = [_kept(value, stored=True) for value in values]
    outcomes: list[Outcome | Verdict] = [_record(row, value, context) for row, value in enumerate(kept, first)]
    versions = {at: _version(each, kept[at]) for at, each in enumerate(outcomes) if isinstance(each, dict)}
    memory.recall(version.key for version in versions.values())
    for at, version in versions.items():
        verdict = delivery.judge(memory, version)
        if verdict is Verdict.CONFLICT:
            detail = "it was read before with other content and the same time of update"
            outcomes[at] = Rejection(first + at, version.name, "updatedAt", "conflicting_duplicate", detail, kept[at])
        elif verdict is not Verdict.STANDS:
            outcomes[at] = verdict
    older = sum(each is Verdict.OLDER for each in outcomes)
    return finish(
        records.to_activity([each for each in outcomes if isinstance(each, dict)]),
        context,
        received=len(values),
        rejected=[each for each in outcomes if isinstance(each, Rejection)],
        outside=sum(each is None or isinstance(each, Verdict) for each in outcomes),
        log=[f"{older:,} observations were read before in a newer version: left out."] if older else [],
        fallback=FALLBACK,
    )


def _version(record: dict[str, Any], value: object) -> Version:
    content = msgspec.json.encode(msgspec.convert(value, _Observation), order="sorted")
    return Version(record["record_id"], _updated(value), content)


def _updated(value: object) -> datetime:
    """Give the time of a version: when it was updated; where the answer leaves that out, when it ended, else began."""
    fields = ("updatedAt", "endTime", "startTime")
    moments = [read_time(value.get(name)) for name in fields] if isinstance(value, dict) else []
    return next((moment for moment in moments if moment is not None), datetime.min.replace(tzinfo=UTC))


def _record(row: int, value: object, context: Context) -> Outcome:
    if isinstance(value, dict) and isinstance(value.get("type"), str) and value["type"] not in COUNTED:
        return None
    seen = convert(row, value, _Observation)
    if isinstance(seen, Rejection):
        return seen
    record_id = natural_id("langfuse", seen.id)
    start, end = read_time(seen.startTime), read_time(seen.endTime) if seen.endTime else None
    if start is None or (seen.endTime and end is None):
        field = "startTime" if start is None else "endTime"
        return Rejection(row, record_id, field, "bad_field", "it is no time like 2026-10-01T09:00:00Z", value)
    tokens = _tokens(seen.usageDetails or {})
    if isinstance(tokens, str):
        return Rejection(row, record_id, "usageDetails", "bad_field", f"{tokens} is not a whole number", value)
    failed = seen.level == "ERROR"
    no_usage = tokens["input_tokens"] is None and tokens["output_tokens"] is None and not failed
    tags = gateway_tags.columns(seen.tags, context)
    return {
        "row": row,
        "record_id": record_id,
        # By day, so that an import compares with the days that it holds and not with all that ever came.
        "snapshot": f"langfuse:{start:%Y-%m-%d}",
        "started_at": start,
        "ended_at": end or start,
        "hosting": "api",
        "evidence": "modelled",
        "account": account_of(context) or seen.projectId,
        "team": tags["team"],
        "project": tags["project"],
        "application": tags["application"],
        "environment": seen.environment or tags["environment"],
        "model": seen.providedModelName or seen.model,
        "request": seen.id[:200],
        "trace": seen.traceId[:64] if seen.traceId else None,
        "requests": 1,
        "failed_requests": int(failed),
        **tokens,
        "cost": seen.totalCost,
        "currency": None if seen.totalCost is None else CURRENCY,
        "labels": tags["labels"],
        "flags": [*(["no_usage"] if no_usage else []), *([] if end else ["open_end"])],
    }


def _tokens(usage: Mapping[str, float]) -> dict[str, int | None] | str:
    """
    Add up what a model read and wrote; `input` leaves out the keys that stand beside it. Give the key that is no count.

    >>> _tokens({"input": 869, "input_cached_tokens": 3, "output": 178, "total": 1050})
    {'input_tokens': 872, 'cached_input_tokens': 3, 'output_tokens': 178}
    """
    sums: dict[str, int | None] = dict.fromkeys(("input_tokens", "cached_input_tokens", "output_tokens"))
    for key, count in usage.items():
        if count != count or abs(count) >= 2**53 or count != int(count):
            return key
        name = key.lower()
        if name.startswith(("input", "cache")):
            sums["input_tokens"] = (sums["input_tokens"] or 0) + int(count)
        if name.startswith(("input", "cache")) and ("cached" in name or "cache_read" in name):
            sums["cached_input_tokens"] = (sums["cached_input_tokens"] or 0) + int(count)
        if name.startswith("output"):
            sums["output_tokens"] = (sums["output_tokens"] or 0) + int(count)
    return sums
