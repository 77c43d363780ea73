"""
Anthropic's usage and cost reports: the pages of its administration and analytics APIs, saved as JSON files.

A page is a snapshot of the buckets (or rows) that it holds. Cached tokens stand beside the others and are added up here;
amounts are decimal text in cents. Users, API keys and actors are not kept.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification.records import Count
from core.quantification.rejections import Rejection
from ingestion.sources import json_stream, usage_reports
from ingestion.sources.base import Context, Parsed, UnreadablePayload, digest
from ingestion.sources.byte_streams import from_pieces
from ingestion.sources.usage_pages import (
    Bucket,
    Outcome,
    account_of,
    convert,
    read_time,
    snapshots,
    tier_columns,
)

NAME: Final = "anthropic_usage"
SNAPSHOT: Final = True
COVERS_APART: Final = True

DROPPED: Final = (
    "Everything of a result but its counts, costs, workspace, model and tier: accounts and API keys are dropped."
)
"""What never reaches the inbox, in words for the privacy page."""

WHAT: Final = "Anthropic's usage and cost reports"
CENTS: Final = 100

GLOBAL: Final = "global"
"""Value of `inference_geo` that leaves the place open."""


class _CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: Count | None = None
    ephemeral_1h_input_tokens: Count | None = None


class _Group(msgspec.Struct):
    """What a row is broken out by; null where it was not grouped so. Users, actors and keys are not among them."""

    workspace_id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None
    speed: str | None = None
    product: str | None = None
    description: str | None = None
    cost_type: str | None = None
    token_type: str | None = None


class _Usage(msgspec.Struct):
    uncached_input_tokens: Count
    output_tokens: Count
    cache_read_input_tokens: Count | None = None
    cache_creation: _CacheCreation | None = None
    requests: Count | None = None


class _Cost(msgspec.Struct):
    amount: str | float
    currency: str = "USD"


_CACHE: Final = dict.fromkeys(_CacheCreation.__struct_fields__)
_RESULT: Final[Mapping[str, Any]] = {
    **dict.fromkeys(_Group.__struct_fields__),
    **dict.fromkeys(_Usage.__struct_fields__),
    **dict.fromkeys(_Cost.__struct_fields__),
    "cache_creation": _CACHE,
}
_KEPT: Final[Mapping[str, Any]] = {
    "has_more": None,
    "data": {
        **dict.fromkeys(("starting_at", "ending_at")),
        "results": _RESULT,
        "group": dict.fromkeys(_Group.__struct_fields__),
        "usage": {**dict.fromkeys(_Usage.__struct_fields__), "cache_creation": _CACHE},
        "cost": dict.fromkeys(_Cost.__struct_fields__),
        "core_metrics": {},  # only to say what the file is
    },
}


def detect(head: bytes, filename: str) -> str | None:
    """Recognize a page by its buckets' times and its results' fields."""
    if head.lstrip()[:1] not in (b"{", b"[") or b'"starting_at"' not in head:
        return None
    if b'"uncached_input_tokens"' in head:
        return "Anthropic usage report"
    telling = (b'"amount"', b'"inference_geo"', b'"workspace_id"', b'"list_amount"')
    return "Anthropic cost report" if telling[0] in head and any(word in head for word in telling[1:]) else None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep the known fields: no accounts, actors or API keys. Raises UnreadablePayload when the body is no such page."""
    return b"".join(usage_reports.scrubbed(io.BytesIO(body), _FORM))


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Do the same to a file of any size."""
    return from_pieces(usage_reports.scrubbed(stream, _FORM))


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read pages of buckets with results, or of rows with what they are grouped by."""
    yield from usage_reports.read(
        stream, context, _FORM, lambda row, bucket, result: _record(row, bucket, result, context)
    )


def _results(item: object) -> list[Any]:
    """Give the results of a bucket, or the one result that a row is. Raises UnreadablePayload for a report of people."""
    if not isinstance(item, dict):
        return [item]
    if "core_metrics" in item:
        raise UnreadablePayload(
            "This is a Claude Code report of people, whose calls the messages report holds already. Import"
            " /v1/organizations/usage_report/messages, or the analytics usage report for subscriptions."
        )
    if "results" in item:
        return item["results"] if isinstance(item["results"], list) else []
    parts = [item.get(name) for name in ("group", "usage", "cost")]
    return [{key: value for part in parts if isinstance(part, dict) for key, value in part.items()}]


def _report(result: object) -> str:
    """Name the report that a result is of; those of subscriptions have the field `product`."""
    fields = result if isinstance(result, dict) else {}
    kind = "cost" if "amount" in fields else "messages"
    return f"analytics_{kind}" if "product" in fields else kind


def _bucket(item: object) -> Bucket | None:
    start = read_time(item.get("starting_at")) if isinstance(item, dict) else None
    end = read_time(item.get("ending_at")) if isinstance(item, dict) else None
    return Bucket(start, end) if start is not None and end is not None and start < end else None


def _record(row: int, bucket: Bucket, result: object, context: Context) -> Outcome:
    report = _report(result)
    group = convert(row, result, _Group)
    if isinstance(group, Rejection):
        return group
    measures = _cost(row, result) if report.endswith("cost") else _usage(row, result)
    if isinstance(measures, Rejection):
        return measures
    tier = tier_columns(group.service_tier)
    described = {"line_item": group.description, "cost_type": group.cost_type, "token_type": group.token_type}
    placed = {"inference_geo": group.inference_geo, "context_window": group.context_window, "speed": group.speed}
    labels = {key: text[:200] for key, text in {**described, **placed}.items() if text}
    parts = [getattr(group, name) for name in _Group.__struct_fields__]
    return {
        "row": row,
        "record_id": f"anthropic:{report}:{bucket.width_s}:{int(bucket.started_at.timestamp())}:{digest(*parts)[:24]}",
        "snapshot": snapshots(f"{NAME}:{report}", bucket.width_s)[0],
        "started_at": bucket.started_at,
        "ended_at": bucket.ended_at,
        "project": group.workspace_id,
        "application": group.product,
        "hosting": "api",
        "provider": "anthropic",
        "evidence": "modelled",
        "account": account_of(context),
        "model": group.model,
        "tier": tier["tier"],
        "labels": {**labels, **tier["labels"]},
        "flags": [*tier["flags"], *(["global_routing"] if group.inference_geo == GLOBAL else [])],
        **measures,
    }


def _usage(row: int, result: object) -> dict[str, Any] | Rejection:
    """Add up what the model read: uncached tokens, both kinds written to the cache, and those read from it."""
    usage = convert(row, result, _Usage)
    if isinstance(usage, Rejection):
        return usage
    written = usage.cache_creation or _CacheCreation()
    parts = {
        "uncached_input_tokens": usage.uncached_input_tokens,
        "cache_creation": (written.ephemeral_5m_input_tokens or 0) + (written.ephemeral_1h_input_tokens or 0),
        "cache_read_input_tokens": usage.cache_read_input_tokens or 0,
    }
    for name, count in parts.items():
        if count < 0:  # a sum would hide it
            return Rejection(row, None, name, "negative_quantity", str(count), result)
    return {
        "requests": usage.requests,
        "input_tokens": min(sum(parts.values()), 2**63 - 1),
        "cached_input_tokens": usage.cache_read_input_tokens,
        "output_tokens": usage.output_tokens,
    }


_AMOUNT: Final = re.compile(r"^-?\d{1,15}(?:\.\d{1,18})?$")


def _cost(row: int, result: object) -> dict[str, Any] | Rejection:
    """Read an amount in cents as money of its currency."""
    cost = convert(row, result, _Cost)
    if isinstance(cost, Rejection):
        return cost
    text = str(cost.amount).strip()
    try:
        amount = Decimal(text) if _AMOUNT.match(text) or not isinstance(cost.amount, str) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite():
        return Rejection(row, None, "amount", "bad_field", f"{text[:40]!r} is no amount in cents", result)
    return {"cost": float(amount / CENTS), "currency": cost.currency.upper()}


_FORM: Final = usage_reports.Form(
    what=WHAT,
    kept=_KEPT,
    cut=json_stream.Cut("data", inner=json_stream.Cut("results", after=frozenset({"starting_at", "ending_at"}))),
    bucket=_bucket,
    fault=("starting_at", "starting_at and ending_at must be times, the end after the start"),
    results=_results,
    report=_report,
    snapshots=lambda report, width_s: snapshots(f"{NAME}:{report}", width_s),
)
