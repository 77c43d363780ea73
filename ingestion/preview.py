"""The first rows of a payload, as they stand in the file and as they were understood."""

from __future__ import annotations

import contextlib
import csv
import io
from dataclasses import dataclass
from typing import Any, BinaryIO, Final

import msgspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as parquet

from core.quantification.activity import COLUMNS
from core.quantification.answer import answers
from core.quantification.pack import FactorPack
from core.quantification.record_checks import as_records
from core.quantification.rejections import Rejection
from ingestion.sources import registry
from ingestion.sources.base import Context, UnreadablePayload
from ingestion.sources.byte_streams import open_maybe_compressed

ROWS: Final = 50
HEAD_BYTES: Final = 256 * 1024
CELL_LENGTH: Final = 48
TEXT_LENGTH: Final = 2_000
FIRST: Final = ("started_at", "ended_at", "team", "project", "stage", "model", "hardware", "instance_type")
FIGURES: Final = ("method", "energy_facility_kwh", "location_kg_co2e", "upstream_kg_co2e", "embodied_kg_co2e")
"""What the shipped factors make of a record, before attribution rules, coverage and the organization's own factors."""


@dataclass(frozen=True)
class Table:
    """Text cells under column names."""

    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Preview:
    """
    Args:
        as_read: the file's own columns and first rows; None where it is no table.
        as_understood: canonical records made of its beginning; only columns that any of them fills.
        rejected: what was refused there.
        fault: why nothing could be read, else "".
        first: what the shipped factors make of its first record, as `quantify` answers it; None where there is none.
        text: its beginning as it arrived; "" for what is no text.
    """

    as_read: Table | None
    as_understood: Table
    rejected: list[Rejection]
    fault: str = ""
    first: dict[str, Any] | None = None
    text: str = ""


def preview(stream: BinaryIO, kind: str, context: Context, pack: FactorPack | None) -> Preview:
    """Read the beginning of a payload; never raises for what is wrong in it. Without a pack it shows no kg."""
    raw = _as_read(stream)
    stream.seek(0)
    text = _text(stream)
    stream.seek(0)
    try:
        parsed = next(iter(registry.adapter(kind).parse(stream, context)), None)
    except UnreadablePayload as error:
        return Preview(raw, Table([], []), [], str(error), text=text)
    if parsed is None:
        return Preview(raw, Table([], []), [], text=text)
    activity = parsed.activity.head(ROWS)
    quantified = list(answers(activity, pack)) if pack is not None and len(activity) else []
    return Preview(
        raw,
        _as_understood(activity, quantified),
        parsed.rejected[:ROWS],
        first=quantified[0] if quantified else None,
        text=text,
    )


def _as_understood(activity: pd.DataFrame, quantified: list[dict[str, Any]]) -> Table:
    records = as_records(activity)
    for record, answer in zip(records, quantified, strict=False):
        record |= _figures(answer)
    filled = {name for record in records for name in record}
    columns: list[str] = [
        *(name for name in (*FIRST, *FIGURES) if name in filled),
        *(name for name in COLUMNS if name in filled - set(FIRST)),
    ]
    return Table(columns, [[_cell(record.get(name)) for name in columns] for record in records])


def _figures(answer: dict[str, Any]) -> dict[str, object]:
    figures: dict[str, object] = {"method": answer["method"]}
    for name in FIGURES[1:]:
        impact = answer["impacts"].get(name)
        if impact is not None:
            figures[name] = f"{impact['value']:.4g}"
    return figures


def _text(stream: BinaryIO) -> str:
    """Give the beginning of a payload for people to read; JSON in lines."""
    try:
        head = open_maybe_compressed(stream).read(HEAD_BYTES)
        text = head.decode()
    except (UnreadablePayload, UnicodeDecodeError, OSError):
        return ""
    if not text.isprintable() and any(ord(sign) < 32 and sign not in "\t\r\n" for sign in text):
        return ""
    with contextlib.suppress(msgspec.DecodeError):  # lines, or cut at the end: as it is
        text = msgspec.json.format(text, indent=2)
    return text if len(text) <= TEXT_LENGTH else f"{text[:TEXT_LENGTH]}\n…"


def _as_read(stream: BinaryIO) -> Table | None:
    try:
        plain = open_maybe_compressed(stream)
        head = plain.read(HEAD_BYTES)
        if head[:4] == b"PAR1":
            return _parquet(stream)
        text = head.decode("utf-8-sig", errors="ignore")
        if text.lstrip()[:1] in ("{", "["):
            return _json_lines(text)
        return _csv(text, whole=len(head) < HEAD_BYTES)
    except (UnreadablePayload, pa.ArrowException, csv.Error, OSError):
        return None


def _parquet(stream: BinaryIO) -> Table:
    stream.seek(0)
    batch = next(parquet.ParquetFile(stream).iter_batches(batch_size=ROWS), None)
    rows: list[dict[str, Any]] = batch.to_pylist() if batch is not None else []
    columns = list(rows[0]) if rows else []
    return Table(columns, [[_cell(row[name]) for name in columns] for row in rows])


def _json_lines(text: str) -> Table | None:
    lines = [line for line in text.splitlines() if line.strip()][:ROWS]
    try:
        rows = [msgspec.json.decode(line) for line in lines]
    except msgspec.DecodeError:
        return Table(["text"], [[_cell(line)] for line in lines])
    objects = [row for row in rows if isinstance(row, dict)]
    columns = list(dict.fromkeys(name for row in objects for name in row))
    return Table(columns, [[_cell(row.get(name)) for name in columns] for row in objects]) if columns else None


def _csv(text: str, *, whole: bool) -> Table | None:
    lines = text.splitlines(keepends=True)
    if not whole:
        lines = lines[:-1]  # cut in the middle
    if not lines:
        return None
    separator = max(",;\t", key=lines[0].count)
    rows = list(csv.reader(io.StringIO("".join(lines[: ROWS * 20])), delimiter=separator))[: ROWS + 1]
    return (
        Table([_cell(name) for name in rows[0]], [[_cell(value) for value in row] for row in rows[1:]])
        if rows
        else None
    )


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else msgspec.json.encode(value, enc_hook=str).decode().strip('"')
    return text if len(text) <= CELL_LENGTH else text[: CELL_LENGTH - 1] + "…"
