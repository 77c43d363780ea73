"""
OpenRouter's activity: what a day cost and used by model and host, as `GET /api/v1/activity` answers it.

A file is a snapshot of the UTC days that occur in it. `prompt_tokens` contain cached ones.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification.records import Count
from core.quantification.rejections import Rejection
from ingestion.sources import json_stream, usage_reports
from ingestion.sources.base import Context, Parsed, digest
from ingestion.sources.byte_streams import from_pieces
from ingestion.sources.usage_pages import Bucket, Outcome, account_of, convert
from ingestion.sources.vocabulary import provider_slug

NAME: Final = "openrouter"
SNAPSHOT: Final = True
COVERS_APART: Final = True

DROPPED: Final = "Everything of a row but its day, model, host, workspace, counts and cost."
"""What never reaches the inbox, in words for the privacy page."""

WHAT: Final = "OpenRouter's activity"
ACTIVITY: Final = "openrouter:activity"
CURRENCY: Final = "USD"


class _Item(msgspec.Struct):
    """One day, model and host; `usage` is in US dollars, what an own key was billed elsewhere is not in it."""

    date: str
    model: str | None = None
    model_permaslug: str | None = None
    endpoint_id: str | None = None
    provider_name: str | None = None
    workspace_id: str | None = None
    usage: float | None = None
    byok_usage_inference: float | None = None
    requests: Count | None = None
    prompt_tokens: Count | None = None
    completion_tokens: Count | None = None
    reasoning_tokens: Count | None = None
    cached_tokens: Count | None = None


_KEPT: Final[Mapping[str, Any]] = {"data": dict.fromkeys(_Item.__struct_fields__)}


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the fields that only this API has."""
    telling = (b'"model_permaslug"', b'"byok_usage_inference"')
    return (
        "OpenRouter activity" if head.lstrip()[:1] in (b"{", b"[") and all(word in head for word in telling) else None
    )


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep the known fields. Raises UnreadablePayload when the body is no such answer."""
    return b"".join(usage_reports.scrubbed(io.BytesIO(body), _FORM))


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Do the same to a file of any size."""
    return from_pieces(usage_reports.scrubbed(stream, _FORM))


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read the activity of some days."""
    yield from usage_reports.read(stream, context, _FORM, lambda row, day, item: _record(row, day, item, context))


def _day(item: object) -> Bucket | None:
    """Read the UTC day of an item; some answers write midnight behind it."""
    text = item.get("date") if isinstance(item, dict) else None
    if not isinstance(text, str) or text[10:] not in ("", " 00:00:00", "T00:00:00Z", "T00:00:00.000Z"):
        return None
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        return None
    if not 1990 <= day.year < 9000:
        return None
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Bucket(start, start + timedelta(days=1))


def _record(row: int, day: Bucket, value: object, context: Context) -> Outcome:
    item = convert(row, value, _Item)
    if isinstance(item, Rejection):
        return item
    model = item.model_permaslug or item.model
    return {
        "row": row,
        "record_id": f"openrouter:{day.started_at:%Y-%m-%d}:{digest(item.endpoint_id, model, item.workspace_id)[:24]}",
        "snapshot": ACTIVITY,
        "started_at": day.started_at,
        "ended_at": day.ended_at,
        "project": item.workspace_id,
        "hosting": "api",
        "provider": provider_slug(item.provider_name),
        "evidence": "modelled",
        "account": account_of(context),
        "model": model,
        "requests": item.requests,
        "input_tokens": item.prompt_tokens,
        "cached_input_tokens": None if item.prompt_tokens is None else item.cached_tokens,
        "output_tokens": item.completion_tokens,
        "cost": item.usage,
        "currency": None if item.usage is None else CURRENCY,
    }


_FORM: Final = usage_reports.Form(
    what=WHAT,
    kept=_KEPT,
    cut=json_stream.PAGES,
    bucket=_day,
    fault=("date", "it is no day like 2026-10-01"),
    results=lambda item: [item],
    report=lambda item: ACTIVITY,
    snapshots=lambda report, width_s: [report],
)
