"""
Anthropic's usage and cost reports: the pages of its administration and analytics APIs, saved as JSON files.

A page is a snapshot of the buckets (or rows) that it holds. Cached tokens stand beside the others and are added up here;
amounts are decimal text in cents. Users, API keys and actors are not kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification.records import Count
from core.quantification.rejections import Rejection
from ingestion.sources.base import Context, Parsed, UnreadablePayload, digest
from ingestion.sources.byte_streams import open_maybe_compressed
from ingestion.sources.usage_pages import (
    Bucket,
    Outcome,
    Reading,
    account_of,
    convert,
    pages,
    read_time,
    scrubbed,
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

FALLBACK: Final = {"stage": "inference"}

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
    return scrubbed(body, WHAT, _KEPT)


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read pages of buckets with results, or of rows with what they are grouped by."""
    found = pages(open_maybe_compressed(stream).read(), WHAT)
    reading = Reading(context, FALLBACK)
    for number, page in enumerate(found):
        reports: set[str] = {_report(result) for item in page["data"] for result in _results(item)}
        for item in page["data"]:
            bucket = _bucket(item)
            running = bucket is not None and reading.is_running(bucket)
            for result in _results(item):
                row = reading.next_row()
                if bucket is None:
                    detail = "starting_at and ending_at must be times, the end after the start"
                    reading.take(Rejection(row, None, "starting_at", "bad_field", detail, result), number)
                elif running:
                    reading.leave_for_later()
                else:
                    reading.take(_record(row, bucket, result, context), number)
            if bucket is not None and not running:
                for report in reports:
                    reading.speak_for(snapshots(f"{NAME}:{report}", bucket.width_s), bucket)
    if found and found[-1].get("has_more") is True:
        reading.log.append("the last page says that more follow: give all pages in one call")
    yield from reading.parsed()


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
