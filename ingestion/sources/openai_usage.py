"""
OpenAI's organization usage and costs: the pages that its administration API answers, saved as JSON files.

Buckets of the last days still change, so a page is a snapshot: it speaks for the buckets that it holds, and a page read
again later replaces them. `input_tokens` already contain cached and cache-written ones (openai-python 2.54).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, BinaryIO, Final

import msgspec

from core.quantification import records
from core.quantification.private import without_private
from core.quantification.records import Count
from core.quantification.rejections import Cover, Rejection
from ingestion.sources.base import (
    CHUNK_ROWS,
    Context,
    Parsed,
    UnreadablePayload,
    digest,
    finish,
    open_maybe_compressed,
)
from ingestion.sources.vocabulary import tier_of

NAME: Final = "openai_usage"
SNAPSHOT: Final = True

DROPPED: Final = (
    "Everything of a result but its counts, costs, project, model and tier: user ids and API key ids are dropped."
)
"""What never reaches the inbox, in words for the privacy page."""

FALLBACK: Final = {"stage": "inference"}

COSTS: Final = "costs"
_RESULT: Final = re.compile(r"^organization\.(?:usage\.)?([a-z_]+)\.result$")


_Seconds = Annotated[int, msgspec.Meta(ge=0, lt=2**36)]  # unix time, up to the year 4147


class _Amount(msgspec.Struct):
    value: float
    currency: str


class _Result(msgspec.Struct):
    """One result of any endpoint; a field that was not grouped by is null, fields not named here are not read."""

    object: str
    num_model_requests: Count | None = None
    input_tokens: Count | None = None
    input_cached_tokens: Count | None = None
    output_tokens: Count | None = None
    project_id: str | None = None
    model: str | None = None
    batch: bool | None = None
    service_tier: str | None = None
    amount: _Amount | None = None
    line_item: str | None = None


class _Bucket(msgspec.Struct):
    start_time: _Seconds
    end_time: _Seconds
    results: list[dict[str, Any]] = []


class _Page(msgspec.Struct):
    data: list[_Bucket]


def detect(head: bytes, filename: str) -> str | None:
    """Recognize a page by the objects in it."""
    found = re.search(rb'"organization\.(?:usage\.)?([a-z_]+)\.result"', head)
    return f"OpenAI organization usage, {found[1].decode()}" if found else None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep of each result the fields that are read, no users and keys. Raises UnreadablePayload for what is no such page."""
    pages = _read(body)
    for page in pages:
        for bucket in page.data:
            bucket.results = [_public(result) for result in bucket.results]
    return msgspec.json.encode(pages if body.lstrip()[:1] == b"[" else pages[0])


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read one page, or a JSON array of them. Results of endpoints without requests or tokens are outside."""
    pages = _read(open_maybe_compressed(stream).read())
    read: list[dict[str, Any]] = []
    rejected: list[Rejection] = []
    received = outside = 0
    spans: dict[str, list[tuple[int, int]]] = {}
    for page in pages:
        for bucket in page.data:
            for item in bucket.results:
                received += 1
                outcome = _record(received, bucket, item, context)
                if outcome is None:
                    outside += 1
                elif isinstance(outcome, Rejection):
                    rejected.append(outcome)
                else:
                    read.append(outcome)
        for snapshot in {_snapshot(bucket, item) for bucket in page.data for item in bucket.results}:
            spans.setdefault(snapshot, []).extend((bucket.start_time, bucket.end_time) for bucket in page.data)
    cover = [
        Cover(snapshot, {}, _utc(start), _utc(end))
        for snapshot, buckets in sorted(spans.items())
        for start, end in _joined(buckets)
    ]
    for start in range(0, max(len(read), 1), CHUNK_ROWS):
        last = start + CHUNK_ROWS >= len(read)
        chunk = read[start : start + CHUNK_ROWS]
        others = len(rejected) + outside if last else 0
        yield finish(
            records.to_activity(chunk),
            context,
            received=len(chunk) + others,
            rejected=rejected if last else [],
            outside=outside if last else 0,
            cover=cover if last else [],
            fallback=FALLBACK,
        )


def _record(row: int, bucket: _Bucket, item: dict[str, Any], context: Context) -> dict[str, Any] | Rejection | None:
    try:
        result = msgspec.convert(item, _Result)
    except msgspec.ValidationError as error:
        field, detail = records.explain(str(error))
        return Rejection(row, None, field, "bad_field", detail, _public(item))
    endpoint = _endpoint(result.object)
    if endpoint is None:
        return Rejection(
            row, None, "object", "unsupported_version", f"{result.object[:60]!r} is not known", _public(item)
        )
    width = bucket.end_time - bucket.start_time
    account = context.setting.get("account")
    record: dict[str, Any] = {
        "row": row,
        "snapshot": _snapshot(bucket, item),
        "started_at": _utc(bucket.start_time),
        "ended_at": _utc(bucket.end_time),
        "project": result.project_id,
        "hosting": "api",
        "provider": "openai",
        "evidence": "modelled",
        "account": account if isinstance(account, str) else None,
    }
    if endpoint == COSTS:
        if result.amount is None:
            return Rejection(row, None, "amount", "bad_field", "it is missing", _public(item))
        return record | {
            "record_id": _identity(endpoint, width, bucket.start_time, result.project_id, result.line_item),
            "cost": result.amount.value,
            "currency": result.amount.currency.upper(),
            "labels": {"line_item": result.line_item[:200]} if result.line_item else {},
        }
    if result.num_model_requests is None and result.input_tokens is None and result.output_tokens is None:
        return None
    return record | {
        "record_id": _identity(
            endpoint, width, bucket.start_time, result.project_id, result.model, result.service_tier, result.batch
        ),
        "model": result.model,
        "tier": "batch" if result.batch else tier_of(result.service_tier),
        "requests": result.num_model_requests,
        "input_tokens": result.input_tokens,
        "cached_input_tokens": None if result.input_tokens is None else result.input_cached_tokens,
        "output_tokens": result.output_tokens,
        "labels": {"endpoint": endpoint},
    }


def _identity(endpoint: str, width: int, start_time: int, *parts: object) -> str:
    return f"openai:{endpoint}:{width}:{start_time}:{digest(*parts)[:24]}"


def _snapshot(bucket: _Bucket, item: dict[str, Any]) -> str:
    """Name what a page restates: one endpoint in buckets of one width."""
    endpoint = _endpoint(str(item.get("object"))) or "unknown"
    return f"openai_usage:{endpoint}:{bucket.end_time - bucket.start_time}"


def _endpoint(name: str) -> str | None:
    found = _RESULT.match(name)
    return found[1] if found else None


def _joined(buckets: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join buckets that touch, so that a page covers what it read and nothing between two such pieces."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(buckets):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _public(item: dict[str, Any]) -> dict[str, Any]:
    """Keep what is read of a result, also where it is not what it should be: the quarantine shows it."""
    return {name: without_private(item[name]) for name in _Result.__struct_fields__ if name in item}


def _utc(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _read(body: bytes) -> list[_Page]:
    try:
        if body.lstrip()[:1] == b"[":
            return msgspec.json.decode(body, type=list[_Page])
        return [msgspec.json.decode(body, type=_Page)]
    except msgspec.ValidationError as error:
        field, detail = records.explain(str(error))
        raise UnreadablePayload(
            f"This is no page of OpenAI's organization usage ({field}: {detail}). Save the answer of the API as it is."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadablePayload(f"The file is not JSON: {error}. Save the answer of the API as it is.") from error
