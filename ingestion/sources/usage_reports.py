"""
The usage APIs of providers: pages of results in time buckets, saved as files of any size, and read again while they change.

A page is a snapshot: it speaks for the buckets that it holds. Of two pages of a file that hold the same key the later one
counts, as it would in a delivery of its own; results of one page under one key are parts (an API splits by user, key or size,
which are not kept) and are summed by the ledger. A file is gone through in a window: once for what its pages are about, once
for its records, and between them only where pages hold the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification.prose import brief
from core.quantification.rejections import Rejection
from ingestion.sources import json_stream
from ingestion.sources.base import Context, Parsed, UnreadablePayload
from ingestion.sources.byte_streams import open_maybe_compressed
from ingestion.sources.usage_pages import Bucket, Outcome, Reading, Shape, Span, Times, pruned

FALLBACK: Final = {"stage": "inference"}
LIST: Final = "data"

About = tuple[str, int]
"""(report, width of its buckets [s])"""


@dataclass(frozen=True)
class Form:
    """
    How an API answers.

    Args:
        what: its name, for messages.
        kept: the fields of a page that are kept, `data` among them.
        cut: where a page is cut that is too large for the window.
        bucket: reads the time of an item of `data`; None where it cannot be read.
        fault: of an item without a time: the field to correct, and what it must be.
        results: gives the results in an item; may refuse the file.
        report: names the report that a result is of; None where it is of none.
        snapshots: names what a page restates: the snapshot of its own results first.
    """

    what: str
    kept: Shape
    cut: json_stream.Cut
    bucket: Callable[[Any], Bucket | None]
    fault: tuple[str, str]
    results: Callable[[Any], list[Any]]
    report: Callable[[Any], str | None]
    snapshots: Callable[[str, int], list[str]]


def _pages(stream: BinaryIO, form: Form) -> Iterator[tuple[int, dict[str, Any]]]:
    """Give the pages of a file with their numbers; a large one comes in shares."""
    for number, page in json_stream.shares(open_maybe_compressed(stream), form.what, form.cut):
        if not isinstance(page, dict) or not isinstance(page.get(LIST), list):
            raise UnreadablePayload(
                f"This is no page of {form.what} (there is no list `data` in it). Save the answer of the API as it is."
            )
        yield number, page


def scrubbed(stream: BinaryIO, form: Form) -> Iterator[bytes]:
    """Keep of a file's pages the fields of the form, piece by piece. Raises UnreadablePayload when one is no page."""
    latest, beside, separator = -1, b"", b""
    for number, page in _pages(stream, form):
        if number != latest:
            yield beside + b'{"data":['
            latest, separator = number, b""
        kept = brief(pruned(page, form.kept))
        items = msgspec.json.encode(kept.pop(LIST))[1:-1]
        if items:
            yield separator + items
            separator = b","
        beside = b"]" + (b"," + msgspec.json.encode(kept)[1:] if kept else b"}") + b"\n"
    yield beside or b"[]"


def read(
    stream: BinaryIO,
    context: Context,
    form: Form,
    record: Callable[[int, Bucket, Any], Outcome],
    note: Callable[[Any], None] = lambda item: None,
) -> Iterator[Parsed]:
    """
    Read the pages of a file in chunks.

    Args:
        stream: seekable, at its start.
        record: tells what becomes of a result, from its row, its bucket and itself.
        note: sees every item before the first record is made.

    Raises UnreadablePayload, before the first chunk, when the file is no JSON or holds something else than pages.
    """
    start = stream.tell()
    reading, survey, unfinished = Reading(context, FALLBACK), _Survey(), False
    for number, page in _pages(stream, form):
        unfinished = page.get("has_more") is True
        for item in page[LIST]:
            note(item)
            bucket = form.bucket(item)
            over = bucket if bucket is not None and not reading.is_running(bucket) else None
            survey.add(number, map(form.report, form.results(item)), over)
    for about, spans in survey.spans().items():
        for span in spans:
            reading.speak_for(form.snapshots(*about), *span)
    if unfinished:
        reading.log.append("the last page says that more follow: give all pages in one call")
    stream.seek(start)
    latest = _latest_pages(stream, reading, form, record, survey.repeated())
    stream.seek(start)
    for number, page in _pages(stream, form):
        for item in page[LIST]:
            bucket = form.bucket(item)
            for result in form.results(item):
                row = reading.next_row()
                if bucket is None:
                    reading.take(Rejection(row, None, form.fault[0], "bad_field", form.fault[1], result))
                elif reading.is_running(bucket):
                    reading.leave_for_later()
                else:
                    outcome = record(row, bucket, result)
                    if isinstance(outcome, dict) and latest.get(outcome["record_id"], number) > number:
                        reading.leave_replaced()
                    else:
                        reading.take(outcome)
        yield from reading.ready()
    yield from reading.parsed()


def _latest_pages(
    stream: BinaryIO,
    reading: Reading,
    form: Form,
    record: Callable[[int, Bucket, Any], Outcome],
    repeated: Mapping[About, Span],
) -> dict[str, int]:
    """Find the last page of each record id in times that stand on several pages."""
    found: dict[str, int] = {}
    for number, page in _pages(stream, form) if repeated else ():
        for item in page[LIST]:
            bucket = form.bucket(item)
            if bucket is None or reading.is_running(bucket):
                continue
            for result in form.results(item):
                span = repeated.get((form.report(result) or "", bucket.width_s))
                if span is None or bucket.ended_at <= span[0] or span[1] <= bucket.started_at:
                    continue
                outcome = record(0, bucket, result)
                if isinstance(outcome, dict):
                    found[outcome["record_id"]] = number
    return found


class _Survey:
    """What the pages of a file are about: of each report and width the times that they hold, page by page."""

    def __init__(self) -> None:
        self._spans: dict[About, list[Span]] = {}
        self._page = -1
        self._reports: set[str] = set()
        self._times: dict[int, Times] = {}

    def add(self, page: int, reports: Iterable[str | None], bucket: Bucket | None) -> None:
        """Note an item: a page holds all of its reports in the time of all of its buckets."""
        if page != self._page:
            self._turn()
            self._page = page
        self._reports.update(report for report in reports if report is not None)
        if bucket is not None:
            self._times.setdefault(bucket.width_s, Times()).add(bucket.started_at, bucket.ended_at)

    def spans(self) -> dict[About, list[Span]]:
        """Give the times of all pages; those of one page do not overlap."""
        self._turn()
        return self._spans

    def repeated(self) -> dict[About, Span]:
        """Give, from first to last, what stands on more than one page."""
        found: dict[About, Span] = {}
        for about, spans in self.spans().items():
            latest = None
            for start, end in sorted(spans):
                if latest is not None and start < latest:
                    first, last = found.get(about, (start, start))
                    found[about] = first, max(last, min(end, latest))
                latest = end if latest is None else max(end, latest)
        return found

    def _turn(self) -> None:
        for report in self._reports:
            for width_s, times in self._times.items():
                self._spans.setdefault((report, width_s), []).extend(times.spans())
        self._reports, self._times = set(), {}
