"""
OpenAI's organization usage and costs: the pages that its administration API answers, saved as JSON files.

Buckets of the last days still change, so a page is a snapshot: it speaks for the buckets that it holds, and a page read
again later replaces them. `input_tokens` already contain cached and cache-written ones (openai-python 3.57).
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification.records import Count
from core.quantification.rejections import Rejection
from ingestion.sources import json_stream, usage_reports
from ingestion.sources.base import Context, Parsed, digest
from ingestion.sources.byte_streams import from_pieces
from ingestion.sources.usage_pages import (
    Bucket,
    Outcome,
    account_of,
    convert,
    snapshots,
    tier_columns,
)

NAME: Final = "openai_usage"
SNAPSHOT: Final = True
COVERS_APART: Final = True

DROPPED: Final = (
    "Everything of a result but its counts, costs, project, model and tier: user ids and API key ids are dropped."
)
"""What never reaches the inbox, in words for the privacy page."""

WHAT: Final = "OpenAI's organization usage"
COSTS: Final = "costs"
PROJECT: Final = "organization.project"
MODEL_CALLS: Final = frozenset(
    "completions embeddings moderations images audio_speeches audio_transcriptions decisions".split()  # noqa: SIM905
)
TOOLS: Final = frozenset(
    "vector_stores code_interpreter_sessions file_searches file_search_calls web_searches web_search_calls".split()  # noqa: SIM905
)
"""Tools beside a model: the model requests that they name are those of completions, which hold them already."""

_RESULT: Final = re.compile(r"^organization\.(?:usage\.)?([a-z_]+)\.result$")
_LATEST_S: Final = 2**36
"""Unix time up to the year 4147."""


class _Amount(msgspec.Struct):
    value: float
    currency: str


class _Result(msgspec.Struct):
    """One result of any endpoint; a field that was not grouped by is null, fields not named here are not kept."""

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
    quantity: Any = None
    quantity_unit: Any = None


_KEPT: Final[Mapping[str, Any]] = {
    "object": None,
    "has_more": None,
    "data": {
        **dict.fromkeys(("object", "start_time", "end_time", "id", "name")),
        "results": {
            **dict.fromkeys(_Result.__struct_fields__),
            "amount": {"value": None, "currency": None},
        },
    },
}


def detect(head: bytes, filename: str) -> str | None:
    """Recognize a page by the objects in it."""
    found = re.search(rb'"organization\.(?:usage\.)?([a-z_]+)\.result"', head)
    return f"OpenAI organization usage, {found[1].decode()}" if found else None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep the known fields: no users, no API keys. Raises UnreadablePayload when the body is no such page."""
    return b"".join(usage_reports.scrubbed(io.BytesIO(body), _FORM))


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Do the same to a file of any size."""
    return from_pieces(usage_reports.scrubbed(stream, _FORM))


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """
    Read pages: usage, costs, and among them `/organization/projects`, which gives projects their names.

    Results of tools, which call no model by themselves, are outside.
    """
    names = _project_names(context)
    yield from usage_reports.read(
        stream,
        context,
        _FORM,
        lambda row, bucket, result: _record(row, bucket, result, context, names),
        lambda item: names.update(_named_project(item)),
    )


def _record(row: int, bucket: Bucket, item: object, context: Context, names: Mapping[str, str]) -> Outcome:
    result = convert(row, item, _Result)
    if isinstance(result, Rejection):
        return result
    endpoint = _endpoint(item)
    if endpoint in TOOLS:
        return None
    if endpoint != COSTS and endpoint not in MODEL_CALLS:
        return Rejection(row, None, "object", "unsupported_version", f"{result.object[:60]!r} is not known", item)
    project = result.project_id
    named = names.get(project) if project else None
    record: dict[str, Any] = {
        "row": row,
        "snapshot": snapshots(f"{NAME}:{endpoint}", bucket.width_s)[0],
        "started_at": bucket.started_at,
        "ended_at": bucket.ended_at,
        "project": named or project,
        "hosting": "api",
        "provider": "openai",
        "evidence": "modelled",
        "account": account_of(context),
    }
    labels = {"project_id": project} if named else {}
    if endpoint == COSTS:
        if result.amount is None:
            return Rejection(row, None, "amount", "bad_field", "it is missing", item)
        if result.line_item:
            labels["line_item"] = result.line_item[:200]
        return record | {
            "record_id": _identity(endpoint, bucket, project, result.line_item),
            "cost": result.amount.value,
            "currency": result.amount.currency.upper(),
            "labels": labels,
        }
    if result.num_model_requests is None and result.input_tokens is None and result.output_tokens is None:
        return Rejection(row, None, "num_model_requests", "bad_field", "there are neither requests nor tokens", item)
    tier = tier_columns(result.service_tier, batch=bool(result.batch))
    return record | {
        "record_id": _identity(endpoint, bucket, project, result.model, result.service_tier, result.batch),
        "model": result.model,
        "tier": tier["tier"],
        "requests": result.num_model_requests,
        "input_tokens": result.input_tokens,
        "cached_input_tokens": None if result.input_tokens is None else result.input_cached_tokens,
        "output_tokens": result.output_tokens,
        "labels": {**labels, **tier["labels"], "endpoint": endpoint},
        "flags": tier["flags"],
    }


def _identity(endpoint: str, bucket: Bucket, *parts: object) -> str:
    return f"openai:{endpoint}:{bucket.width_s}:{int(bucket.started_at.timestamp())}:{digest(*parts)[:24]}"


def _endpoint(item: object) -> str | None:
    name = item.get("object") if isinstance(item, dict) else None
    found = _RESULT.match(name) if isinstance(name, str) else None
    return found[1] if found else None


def _results(bucket: object) -> list[Any]:
    results = bucket.get("results") if isinstance(bucket, dict) and bucket.get("object") != PROJECT else None
    return results if isinstance(results, list) else []


def _bucket(item: object) -> Bucket | None:
    if not isinstance(item, dict):
        return None
    start, end = _seconds(item.get("start_time")), _seconds(item.get("end_time"))
    return Bucket(start, end) if start is not None and end is not None and start < end else None


def _seconds(value: object) -> datetime | None:
    return datetime.fromtimestamp(value, UTC) if type(value) is int and 0 <= value < _LATEST_S else None


def _project_names(context: Context) -> dict[str, str]:
    """Give the names of projects in the source's setting `projects` (id -> name); those in a file take their place."""
    given = context.setting.get("projects")
    return {key: text for key, text in given.items() if isinstance(text, str)} if isinstance(given, Mapping) else {}


def _named_project(item: object) -> dict[str, str]:
    if not isinstance(item, dict) or item.get("object") != PROJECT:
        return {}
    named, name = item.get("id"), item.get("name")
    return {named: name[:200]} if isinstance(named, str) and isinstance(name, str) and name else {}


_FORM: Final = usage_reports.Form(
    what=WHAT,
    kept=_KEPT,
    cut=json_stream.Cut("data", inner=json_stream.Cut("results", after=frozenset({"start_time", "end_time"}))),
    bucket=_bucket,
    fault=("start_time", "start_time and end_time must be unix seconds, the end after the start"),
    results=_results,
    report=_endpoint,
    snapshots=lambda endpoint, width_s: snapshots(f"{NAME}:{endpoint}", width_s),
)
