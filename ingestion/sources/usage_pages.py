"""
What files of usage share, of providers' APIs, gateways and sheets: JSON documents, buckets of time, and chunks of records.

Buckets of a provider come in several widths, and all widths describe the same activity, so a page of one width replaces what
a page of another said about the same time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from core.quantification import records
from core.quantification.rejections import Cover, Rejection
from ingestion.sources import json_stream
from ingestion.sources.base import Context, Parsed, finish
from ingestion.sources.vocabulary import tier_of

WIDTHS_S: Final = (60, 3600, 86400)
"""Widths in which providers offer buckets. [s]"""

LONGEST_TEXT: Final = 500
"""Of a text in a page; models, projects and line items are shorter."""

Shape = Mapping[str, Any]
"""Field -> None (a number or a text), or the shape of the object, or of each object of the list, that it holds."""

Span = tuple[datetime, datetime]
"""A time, half-open."""

Outcome = dict[str, Any] | Rejection | None
"""A record, a row for the quarantine, or a row that is outside."""


@dataclass(frozen=True)
class Bucket:
    """The time that some results are about, half-open, UTC."""

    started_at: datetime
    ended_at: datetime

    @property
    def width_s(self) -> int:
        """Give its width. [s]"""
        return round((self.ended_at - self.started_at).total_seconds())


def pruned(value: Any, shape: Shape | None) -> Any:
    """
    Keep of a JSON value the fields that a shape names, so that nothing else is ever stored.

    >>> pruned({"model": "m", "user_id": "u", "amount": {"value": 1, "by": "ada"}}, {"model": None, "amount": {"value": None}})
    {'model': 'm', 'amount': {'value': 1}}
    """
    if isinstance(value, list):
        return [pruned(item, shape) for item in value] if shape is not None else None
    if isinstance(value, dict):
        return {key: pruned(value[key], shape[key]) for key in shape if key in value} if shape is not None else None
    return value[:LONGEST_TEXT] if isinstance(value, str) else value


# --- rows -------------------------------------------------------------------------------------------------------------


class Times:
    """What buckets cover together: those that touch are one span, so that a file's buckets take little room."""

    def __init__(self) -> None:
        self._spans: list[Span] = []
        self._limit = 1_000

    def add(self, start: datetime, end: datetime) -> None:
        """Add a span."""
        if self._spans and self._spans[-1][0] <= start <= self._spans[-1][1]:
            self._spans[-1] = (self._spans[-1][0], max(end, self._spans[-1][1]))
            return
        self._spans.append((start, end))
        if len(self._spans) > self._limit:
            self._spans = joined(self._spans)
            self._limit = max(self._limit, 2 * len(self._spans))

    def spans(self) -> list[Span]:
        """Give them joined, in order."""
        return joined(self._spans)


class Reading:
    """Collects what becomes of the rows of a file, and gives it in chunks."""

    def __init__(self, context: Context, fallback: Mapping[str, str]) -> None:
        self.context = context
        self.fallback = fallback
        self.received = 0
        self.log: list[str] = []
        self._records: list[dict[str, Any]] = []
        self._rejected: list[Rejection] = []
        self._outside = 0
        self._times: dict[str, Times] = {}
        self._own: set[str] = set()
        self._replaced = self._running = 0

    def next_row(self) -> int:
        """Number the next result, from 1."""
        self.received += 1
        return self.received

    def take(self, outcome: Outcome) -> None:
        """Keep what became of one result. Results of one key are parts of it, which the ledger sums."""
        if outcome is None:
            self.leave_out(1)
        elif isinstance(outcome, Rejection):
            self._rejected.append(outcome)
        else:
            self._records.append(outcome)

    def leave_out(self, rows: int) -> None:
        """Count rows as outside."""
        self._outside += rows

    def leave_replaced(self) -> None:
        """Count one result as outside that stands on a later page again."""
        self.leave_out(1)
        self._replaced += 1

    def is_running(self, bucket: Bucket) -> bool:
        """Tell whether a bucket was not over when the file came: its results are left for the next time it is read."""
        return bucket.started_at <= self.context.received_at < bucket.ended_at

    def leave_for_later(self) -> None:
        """Count one result of a running bucket as outside."""
        self.leave_out(1)
        self._running += 1

    def speak_for(self, snapshots: Sequence[str], start: datetime, end: datetime) -> None:
        """Note that the file holds all that there is of a time, under the first of its snapshots."""
        self._own.add(snapshots[0])
        for snapshot in snapshots:
            self._times.setdefault(snapshot, Times()).add(start, end)

    def ready(self) -> Iterator[Parsed]:
        """Give a chunk when there are rows enough for one."""
        if len(self._records) + len(self._rejected) >= json_stream.CHUNK_ITEMS:
            yield self._chunk()

    def parsed(self) -> Iterator[Parsed]:
        """Give the last chunk, which has the log and the cover."""
        if self._replaced:
            self.log.append(f"{self._replaced:,} results stand on a later page of the file again: the later ones count")
        if self._running:
            self.log.append(f"{self._running:,} results are of time that is not over: read it again once it is")
        yield self._chunk(self.log, self._cover())

    def _chunk(self, log: Sequence[str] = (), cover: Sequence[Cover] = ()) -> Parsed:
        kept, rejected, outside = self._records, self._rejected, self._outside
        self._records, self._rejected, self._outside = [], [], 0
        return finish(
            records.to_activity(kept),
            self.context,
            received=sum(each.get("rows", 1) for each in kept) + sum(each.rows for each in rejected) + outside,
            rejected=rejected,
            outside=outside,
            log=log,
            cover=cover,
            fallback=self.fallback,
        )

    def _cover(self) -> list[Cover]:
        return [
            Cover(snapshot, {}, start, end, told_otherwise=snapshot not in self._own)
            for snapshot, times in sorted(self._times.items())
            for start, end in times.spans()
        ]


def snapshots(prefix: str, width_s: int) -> list[str]:
    """
    Name what a page of buckets restates: the snapshot of its own width first, then those of the other widths.

    >>> snapshots("openai_usage:completions", 86400)
    ['openai_usage:completions:86400', 'openai_usage:completions:60', 'openai_usage:completions:3600']
    """
    return [f"{prefix}:{width}" for width in dict.fromkeys([width_s, *WIDTHS_S])]


def joined(spans: Sequence[Span]) -> list[Span]:
    """Join times that touch, so that a file covers what it holds and nothing between two such pieces."""
    found: list[Span] = []
    for start, end in sorted(spans):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def convert(row: int, value: object, kind: type[Any]) -> Any:
    """Read a result as a Struct; give a Rejection that names the field where it does not fit."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        field, detail = records.explain(str(error))
        return Rejection(row, None, field, "bad_field", detail, value)


def tier_columns(service_tier: str | None, *, batch: bool = False) -> dict[str, Any]:
    """
    Give the tier of a service tier; one that the table does not know is kept as a label and flagged.

    >>> tier_columns("gold")
    {'tier': None, 'labels': {'service_tier': 'gold'}, 'flags': ['unknown_tier']}
    """
    tier = "batch" if batch else tier_of(service_tier)
    unknown = service_tier if service_tier and tier is None else None
    return {
        "tier": tier,
        "labels": {"service_tier": unknown[:200]} if unknown else {},
        "flags": ["unknown_tier"] if unknown else [],
    }


def account_of(context: Context) -> str | None:
    """Give the source's setting `account`: who the usage belongs to, which the answers of these APIs do not say."""
    account = context.setting.get("account")
    return account if isinstance(account, str) and account else None


def read_time(text: object) -> datetime | None:
    """Read a time with its offset, or None when it is none of our time."""
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if not 1990 <= moment.year < 9000:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
