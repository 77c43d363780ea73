"""
CodeCarbon's `emissions_endpoint`: the fields of its CSV as one JSON object, at the end of a run and on `flush()`.

Totals of the run, not differences: a later one of the same run corrects the earlier. The field `user` is dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification import records
from core.quantification.private import without_private
from core.quantification.prose import brief
from core.quantification.rejections import Rejection
from ingestion.sources.base import Context, Parsed, UnreadablePayload, finish
from ingestion.sources.byte_streams import unpacked
from ingestion.sources.codecarbon import FALLBACK, InvalidBody
from ingestion.sources.codecarbon_csv import (
    COORDINATES,
    KEPT,
    REQUIRED,
    Bad,
    clock_zone,
    record_id_of,
    totals_record,
    without_coordinate,
)

NAME: Final = "codecarbon_http_output"
SNAPSHOT: Final = True

DROPPED: Final = "Everything but the client's own fields; “user” and coordinates are dropped."
"""What never reaches the inbox, in words for the privacy page."""


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the JSON form of the CSV's fields."""
    telling = (b'"energy_consumed"', b'"tracking_mode"', b'"emissions"')
    if head.lstrip()[:1] == b"{" and all(word in head for word in telling):
        return "CodeCarbon HTTP output"
    return None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """
    Keep the known fields only. Raises UnreadablePayload when the body is not JSON, InvalidBody when it is no object or
    lacks what every run has.
    """
    value = _read(body)
    missing = [name for name in REQUIRED if name not in value]
    if missing:
        raise InvalidBody(f"{missing[0]} is missing", missing[0])
    kept = {name: brief(without_private(value[name]), name) for name in KEPT if name in value}
    placeless = {name: without_coordinate(name, kept[name]) for name in COORDINATES if name in kept}
    return msgspec.json.encode(kept | placeless)


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read one object of totals."""
    value = _read(unpacked(stream.read()))
    zone = clock_zone(context)
    rejected: list[Rejection] = []
    read: list[dict[str, Any]] = []
    try:
        read.append(totals_record(value, zone, context))
    except Bad as bad:
        rejected.append(Rejection(1, _identity(value, context), bad.field, bad.reason, bad.detail, value))
    yield finish(
        records.to_activity(read),
        context,
        received=1,
        rejected=rejected,
        fallback=FALLBACK,
        per_host=True,
    )


def _identity(value: dict[str, Any], context: Context) -> str | None:
    try:
        return record_id_of(value, clock_zone(context))
    except Bad:
        return None


def _read(body: bytes) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UnreadablePayload(f"The body is not JSON: {error}. Send one JSON object.") from error
    if not isinstance(value, dict):
        raise InvalidBody("the body must be one JSON object", None)
    return value
