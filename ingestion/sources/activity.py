"""
The canonical record itself: JSON array, JSON lines or Arrow stream at the door; JSON lines, Parquet and the CSV or XLSX
template as files. The forms tell themselves apart by their first bytes, since media types and endings are often wrong.

A JSON array parses whole or not at all. Elsewhere a bad line or row is quarantined alone, under the field at fault.
"""

from __future__ import annotations

import io
import json
import operator
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, cast

import msgspec
import pandas as pd

from core.quantification import records
from core.quantification.activity import COLUMNS, IDENTIFIERS, SERIES_TEXT
from core.quantification.private import is_private, names_private_value, without_private
from core.quantification.prose import brief, is_prose
from core.quantification.rejections import Rejection
from ingestion.sources import activity_columns, activity_sheets, private_tables, private_texts
from ingestion.sources.base import CHUNK_ROWS, Context, Draft, Parsed, UnreadablePayload, digest, finish
from ingestion.sources.byte_streams import open_maybe_compressed, unpacked, unpacked_head

NAME: Final = "activity"
SNAPSHOT: Final = False

DROPPED: Final = (
    "Fields that no record has; labels that name a person, a credential or content, or whose value is a mail "
    "address or a key. Ids that hold a mail address are hashed. Of workbooks: other sheets, comments and "
    "authors."
)
"""What never reaches the inbox, in words for the privacy page."""

BLOCK_BYTES: Final = 4 * 1024 * 1024
"""JSON lines are read in blocks of this size, about 10,000 records."""

HEAD_BYTES: Final = 64 * 1024

UNPACKED_BYTES: Final = 256 * 1024 * 1024
"""Most that a packed body may hold; larger ones are files."""

BOM: Final = b"\xef\xbb\xbf"
ARRAY, LINES, ARROW, PARQUET, CSV, XLSX = "JSON array", "JSON lines", "Arrow stream", "Parquet", "CSV", "XLSX"

_array = msgspec.json.Decoder(list[records.Record])
_raw_array = msgspec.json.Decoder(list[msgspec.Raw])
_record = msgspec.json.Decoder(records.Record)
_any = msgspec.json.Decoder()


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the canonical columns in any of the six forms."""
    form = form_of(head, filename)
    if form in (ARRAY, LINES):
        telling = (b'"record_id"', b'"started_at"')
        return f"canonical records, {form}" if all(word in head for word in telling) else None
    if form in (ARROW, PARQUET):
        return f"canonical records, {form}" if all(word in head for word in (b"record_id", b"started_at")) else None
    if form == XLSX:
        return "canonical records, XLSX template"
    columns = re.split(rb"[,;\t]", head.removeprefix(BOM).split(b"\n", 1)[0])
    names = {column.strip().strip(b'"') for column in columns}
    return "canonical records, CSV template" if {b"record_id", b"started_at"} <= names else None


def form_of(head: bytes, filename: str = "", content_type: str = "") -> str:
    """Tell which of the six forms begins with these bytes."""
    if head[:4] == b"\xff\xff\xff\xff":
        return ARROW
    if head[:4] == b"PAR1":
        return PARQUET
    if head[:4] == b"PK\x03\x04":
        return XLSX
    first = head.removeprefix(BOM).lstrip()[:1]
    if first == b"[" and not re.search(r"ndjson|jsonl|json-?lines", content_type):
        return ARRAY
    if first in (b"{", b"["):
        return LINES
    if re.search(r"csv|tsv|text/plain", content_type) or filename.lower().endswith((".csv", ".tsv", ".txt")):
        return CSV
    return LINES if "json" in content_type or filename.lower().endswith((".jsonl", ".ndjson", ".json")) else CSV


def count_rows(body: bytes, content_type: str, filename: str | None = None) -> int | None:
    """
    Count the records of a body for the door's answer, without reading them.

    Returns:
        Their number; None for forms that are counted while they are read.
    """
    form = form_of(body[:64], filename or "", content_type)
    if form == ARRAY:
        return len(_split_array(body.removeprefix(BOM)))
    if form == LINES:
        single = _single_object(body)
        return 1 if single is not None else sum(1 for line in body.splitlines() if line.strip())
    return None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """
    Drop labels that name a person and the values of fields that no record has; hold a JSON array to its form.

    Raises UnreadablePayload for a JSON array that does not parse whole, and for `application/json` that begins with no
    object: the door answers 400 and stores nothing.
    """
    body = unpacked(body, UNPACKED_BYTES)
    form = form_of(body[:64], filename or "", content_type)
    if form == ARRAY:
        _split_array(body.removeprefix(BOM))
    elif form in (CSV, PARQUET):
        return private_tables.scrubbed_bytes(body, RULES)
    elif form == ARROW:
        return activity_columns.scrub_arrow(body, RULES)
    elif form == XLSX:
        return activity_sheets.scrub_xlsx(body, RULES)
    elif re.match(r"application/json\b", content_type):
        _hold_to_json(body.removeprefix(BOM))
    if _is_plain(body.removeprefix(BOM), form):
        return body
    if form == ARRAY:
        return b"[%s]" % b",".join(_scrubbed(bytes(item)) for item in _split_array(body.removeprefix(BOM)))
    return b"\n".join(_scrubbed(line) for line in body.removeprefix(BOM).split(b"\n"))


def stores(column: str) -> bool:
    """Tell whether a column's cells are stored: a record's own, and labels that name no person."""
    if column.startswith(activity_columns.LABEL_PREFIX):
        return not is_private(column.removeprefix(activity_columns.LABEL_PREFIX))
    return column in COLUMNS


def _is_text(column: str) -> bool:
    return column.startswith(activity_columns.LABEL_PREFIX) or column in (*IDENTIFIERS, *SERIES_TEXT)


RULES: Final = private_texts.Rules(stores=stores, brief=_is_text, identifiers=IDENTIFIERS)


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read canonical records of any form, in chunks of about 20,000; text forms may be packed."""
    head = unpacked_head(stream, HEAD_BYTES)
    form = form_of(head[:64], context.filename or "", context.content_type)
    has_stage = bool(context.defaults.get("stage"))
    if form == ARRAY:
        for frame, rejected, received in _read_array(open_maybe_compressed(stream).read().removeprefix(BOM)):
            yield _finished(frame, rejected, received, context)
    elif form == LINES:
        for rows, lines in _blocks(open_maybe_compressed(stream)):
            for start in range(0, len(rows), CHUNK_ROWS):
                part = slice(start, start + CHUNK_ROWS)
                yield _finished(*_read_lines(rows[part], lines[part]), context)
    else:
        for frame, rejected, received in _read_table(form, stream, head, has_stage=has_stage):
            yield _finished(frame, rejected, received, context)


def _read_table(form: str, stream: BinaryIO, head: bytes, *, has_stage: bool) -> Iterator[activity_columns.Chunk]:
    if form == ARROW:
        return activity_columns.read_arrow(stream, has_stage=has_stage)
    if form == PARQUET:
        return activity_columns.read_parquet(stream, has_stage=has_stage)
    if form == XLSX:
        return activity_sheets.read_xlsx(stream, has_stage=has_stage)
    return activity_sheets.read_csv(open_maybe_compressed(stream), head, has_stage=has_stage)


def read(body: bytes, context: Context) -> Draft:
    """Read a small payload as a draft, to be finished together with others; see `parse`."""
    body = unpacked(body)
    form = form_of(body[:64], context.filename or "", context.content_type)
    draft = Draft()
    if form == ARRAY:
        pieces = _split_array(body.removeprefix(BOM))
        numbered = list(enumerate(pieces, 1))
    elif form == LINES:
        numbered = [pair for rows, lines in _blocks(io.BytesIO(body)) for pair in zip(rows, lines, strict=True)]
    else:
        has_stage = bool(context.defaults.get("stage"))
        for frame, rejected, received in _read_table(form, io.BytesIO(body), body[:HEAD_BYTES], has_stage=has_stage):
            draft.received += received
            draft.rejected += rejected
            found = zip(frame["row"].tolist(), records.as_records(frame), strict=True)
            _add(draft, (records.read_record(row, record) for row, record in found), frame["row"].tolist())
        return draft
    draft.received = len(numbered)
    _add(draft, (_read_piece(row, piece) for row, piece in numbered), [row for row, _ in numbered])
    return draft


def _add(draft: Draft, outcomes: Iterable[records.Record | Rejection], rows: Iterable[int]) -> None:
    for row, outcome in zip(rows, outcomes, strict=True):
        if isinstance(outcome, Rejection):
            draft.rejected.append(outcome)
        else:
            outcome.labels = cast("dict[str, str | int | float | bool]", _public_labels(outcome.labels))
            draft.wire.append((row, outcome))


def template_csv() -> bytes:
    """Give the empty CSV template: a header of canonical columns and one example row to overwrite."""
    return activity_sheets.template_csv()


def template_xlsx() -> bytes:
    """Give the XLSX template: the sheet `records` to fill in and the sheet `instructions`."""
    return activity_sheets.template_xlsx()


# --- JSON -------------------------------------------------------------------------------------------------------------


def _read_array(body: bytes) -> Iterator[activity_columns.Chunk]:
    """Decode an array whole, in the fast way when every item is a record, and give it in chunks."""
    decoded: Sequence[records.Record] | None = None
    pieces: Sequence[bytes | memoryview] = ()
    try:
        decoded = _array.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pieces = _split_array(body)
    size = len(pieces if decoded is None else decoded)
    for start in range(0, max(size, 1), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        rows = range(start + 1, min(start + CHUNK_ROWS, size) + 1)
        frame, rejected = (
            _read_pieces(rows, pieces[part]) if decoded is None else records.from_structs(decoded[part], rows)
        )
        yield frame, rejected, len(rows)


def _split_array(body: bytes) -> Sequence[bytes | memoryview]:
    """Cut a JSON array into its items; raise UnreadablePayload with the position of the first fault of its form."""
    try:
        if not body.isascii():
            body.decode()
        return cast("Sequence[bytes | memoryview]", _raw_array.decode(body))
    except UnicodeDecodeError as error:
        raise UnreadablePayload(f"The JSON array is not UTF-8 (byte {error.start}). Send it in UTF-8.") from error
    except msgspec.DecodeError as error:
        for row, item in enumerate(_as_list(_lenient(body)), 1):
            outcome = records.read_record(row, item)
            if isinstance(outcome, Rejection) and "JSON has" in outcome.detail:
                name = f"{row} ({outcome.record_id!r})" if outcome.record_id else str(row)
                raise UnreadablePayload(
                    f"Record {name}, field {outcome.field}: {outcome.detail}. Send null where a value is not known."
                    " Nothing was stored; send the array again."
                ) from error
        raise UnreadablePayload(
            f"The JSON array cannot be read: {_with_position(str(error), body)}. Nothing was stored; send it again whole."
        ) from error
    except RecursionError as error:
        raise UnreadablePayload("The JSON array is nested too deeply; records are flat objects.") from error


def _lenient(body: bytes) -> object:
    """Read what some libraries take for JSON, NaN and Infinity included, to find where they stand; None if it is not that."""
    try:
        return cast("object", json.loads(body))
    except (ValueError, RecursionError):
        return None


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _with_position(message: str, body: bytes) -> str:
    found = re.search(r"\(byte (\d+)\)", message)
    position = int(found[1]) if found else len(body)
    line = body.count(b"\n", 0, position) + 1
    plain = re.sub(r"^JSON is malformed: | \(byte \d+\)$", "", message)
    return f"{plain[:1].lower()}{plain[1:]} at byte {position}, line {line}"


def _blocks(stream: BinaryIO) -> Iterator[tuple[list[int], list[bytes]]]:
    """Cut JSON lines into blocks of whole lines with their numbers; blank lines are no rows."""
    number, rest = 0, stream.read(BLOCK_BYTES).removeprefix(BOM)
    single = _single_object(rest) if len(rest) < BLOCK_BYTES else None
    if single is not None:
        yield [1], [single]
        return
    while rest:
        more = stream.read(BLOCK_BYTES)
        end = rest.rfind(b"\n") + 1 if more else len(rest)
        lines = rest[:end].split(b"\n") if end else []
        numbered = [(number + at, line) for at, line in enumerate(lines, 1) if line.strip()]
        number += rest.count(b"\n", 0, end)
        rest = rest[end:] + more
        if numbered:
            yield [row for row, _ in numbered], [line for _, line in numbered]


def _hold_to_json(body: bytes) -> None:
    """Refuse what calls itself JSON and is neither one object nor JSON lines, judged by the first line."""
    first = body.strip().split(b"\n", 1)[0]
    if _single_object(body) is None and not isinstance(_lenient(first), dict):
        shown = first[:60].decode(errors="replace")
        raise UnreadablePayload(
            f"The body is no JSON: it begins with {shown!r}. Send a JSON array of records, one record, or JSON lines"
            " (application/x-ndjson). Nothing was stored."
        )


def _single_object(body: bytes) -> bytes | None:
    """Give the body when it is one JSON object over several lines."""
    body = body.removeprefix(BOM).strip()
    if b"\n" not in body or body[:1] != b"{":
        return None
    try:
        msgspec.json.decode(body, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError):
        return None
    return body


def _read_lines(rows: list[int], lines: list[bytes]) -> tuple[pd.DataFrame, list[Rejection], int]:
    try:
        decoded = _record.decode_lines(b"\n".join(lines))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        frame, rejected = _read_pieces(rows, lines)
    else:
        frame, rejected = records.from_structs(decoded, rows)
    return frame, rejected, len(lines)


def _read_pieces(rows: Sequence[int], pieces: Sequence[bytes | memoryview]) -> tuple[pd.DataFrame, list[Rejection]]:
    """Read records one by one, so that the bad ones go alone."""
    decoded: list[records.Record] = []
    numbers: list[int] = []
    rejected: list[Rejection] = []
    for row, piece in zip(rows, pieces, strict=True):
        outcome = _read_piece(row, piece)
        if isinstance(outcome, Rejection):
            rejected.append(outcome)
        else:
            decoded.append(outcome)
            numbers.append(row)
    frame, more = records.from_structs(decoded, numbers)
    return frame, [*rejected, *more]


def _read_piece(row: int, piece: bytes | memoryview) -> records.Record | Rejection:
    try:
        return _record.decode(piece)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        pass  # find out what is wrong, or accept what only the fast decoder refuses (a count written as 3.0)
    try:
        value = _any.decode(piece)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        lenient = _lenient(bytes(piece))
        if isinstance(lenient, dict):
            return records.read_record(row, lenient)
        shown = bytes(piece)[:200].decode(errors="replace")
        return Rejection(row, None, None, "bad_field", f"it is not JSON: {error}"[:200], shown)
    return records.read_record(row, value)


# --- privacy ----------------------------------------------------------------------------------------------------------


def _is_plain(body: bytes, form: str) -> bool:
    """Tell whether every item is a record, without fields of its own and with nothing private: the usual body."""
    if private_texts.mentions_address(body):
        return False
    try:
        decoded = _array.decode(body) if form == ARRAY else _record.decode_lines(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return _are_brief(decoded) and not any(
        map(is_private, {key for record in decoded if record.labels for key in record.labels})
    )


_texts: Final = operator.attrgetter(*SERIES_TEXT)
_identifiers: Final = operator.attrgetter(*IDENTIFIERS)


def _are_brief(decoded: Sequence[records.Record]) -> bool:
    """Tell whether no record holds prose; what many records share is looked at once."""
    rows = set(map(_texts, decoded))
    if any(text and brief(text, column) != text for row in rows for column, text in zip(SERIES_TEXT, row, strict=True)):
        return False
    ids = [text for row in map(_identifiers, decoded) for text in row if text and not text.isalnum()]
    if brief(ids, "id") != ids:
        return False
    sets = {each for record in decoded for each in (*(record.techniques or ()), *(record.flags or ()))}
    labels = {(key, text) for record in decoded for key, text in (record.labels or {}).items() if isinstance(text, str)}
    return not any(is_prose(key) or brief(text, "name") != text for key, text in labels) and all(
        brief(each, "flags") == each for each in sets
    )


def _without_private(value: object) -> object:
    """Keep the fields of a record; of others, which put it into quarantine, only the names."""
    if not isinstance(value, dict):
        return brief(without_private(value))
    return {key: _kept(key, brief(item, key)) if key in COLUMNS else None for key, item in value.items()}


def _kept(key: str, item: object) -> object:
    if key in IDENTIFIERS and names_private_value(item):
        return f"h:{digest(item)}"
    if key == "labels" and isinstance(item, dict):
        return _public_labels(item)
    return item if isinstance(item, str) and key in SERIES_TEXT else without_private(item)


def _scrubbed(piece: bytes) -> bytes:
    """Clean one item or line; one that is no JSON stays, so that its fault can be told, unless it mentions something."""
    if not piece.strip():
        return piece
    try:
        return msgspec.json.encode(_without_private(_any.decode(piece)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        lenient = _lenient(piece)
    if isinstance(lenient, dict):
        return json.dumps(_without_private(lenient)).encode()
    return b'"(unreadable line, not kept)"' if private_texts.mentions_private(piece) else piece


def _public_labels(labels: Mapping[str, object]) -> Mapping[str, object]:
    if not any(is_private(key) or names_private_value(value) for key, value in labels.items()):
        return labels
    return {key: value for key, value in labels.items() if not (is_private(key) or names_private_value(value))}


def _finished(frame: pd.DataFrame, rejected: list[Rejection], received: int, context: Context) -> Parsed:
    labels = frame["labels"].tolist()
    if any(labels):
        frame["labels"] = pd.Series([_public_labels(each) for each in labels], dtype=object)
    return finish(frame, context, received=received, rejected=rejected)
