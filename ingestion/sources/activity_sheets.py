"""The template of canonical records for people: CSV and XLSX, read and written."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Any, BinaryIO, Final, Literal, cast

import openpyxl
import pyarrow as pa
import pyarrow.csv as pa_csv
import xlsxwriter

from core.quantification import activity
from core.quantification.rejections import Rejection
from ingestion.sources.activity_columns import LABEL_PREFIX, REQUIRED, Chunk, check_columns, typed
from ingestion.sources.base import CHUNK_ROWS, UnreadablePayload
from ingestion.sources.byte_streams import Utf8
from ingestion.sources.private_texts import Rules

BLOCK_BYTES: Final = 4 * 1024 * 1024
XLSX_LIMIT: Final = 512 * 1024 * 1024
"""Most bytes that the parts of a workbook may unpack to; a million rows of the template take 300 MB."""

SHEET: Final = "records"

EXAMPLE: Final[dict[str, str | float]] = {
    "record_id": "example-1",
    "started_at": "2026-10-01T09:00:00Z",
    "ended_at": "2026-10-01T10:00:00Z",
    "team": "search",
    "project": "assistant",
    "stage": "inference",
    "hosting": "api",
    "evidence": "modelled",
    "provider": "openai",
    "model": "gpt-4o-mini",
    "requests": 120,
    "input_tokens": 96000,
    "output_tokens": 24000,
    "label.cost_center": "4711",
}

TEMPLATE_COLUMNS: Final = (
    *REQUIRED,
    *(name for name in activity.SERIES_TEXT if name not in REQUIRED),
    *activity.COUNTS,
    *activity.NUMBERS,
    "techniques",
    "run",
    "request",
    "trace",
    "corrects",
    "label.cost_center",
)

INSTRUCTIONS: Final = (
    "One row for each use: what ran, where, for whom, how much. Overwrite or delete the example row.",
    f"Always needed: {', '.join(REQUIRED)} (stage may also come from the API token), and at least one measure.",
    "record_id is your own unique name for the row. The same file sent twice counts once.",
    "Times are in UTC and written like 2026-10-01T09:00:00Z; the end is exclusive.",
    f"stage: {', '.join(activity.STAGES)}",
    f"hosting: {', '.join(activity.HOSTINGS)} - who runs the hardware",
    f"evidence: {', '.join(activity.EVIDENCES)} - by a meter or agent; from tokens, hours or size; by the provider",
    f"tier: {', '.join(activity.TIERS)}",
    f"energy_boundary, beside energy_kwh: {', '.join(activity.ENERGY_BOUNDARIES)} - where it was measured",
    f"reported_basis, beside reported_kg_co2e: {', '.join(activity.REPORTED_BASES)}",
    "currency, beside cost: three capital letters (EUR)",
    "cached_input_tokens are a part of input_tokens. device_hours count devices held, used or not; utilization is 0 to 1.",
    "Leave a cell empty when you do not know; write 0 only when it was zero. Decimal point, no thousands separator.",
    "techniques: several are separated by a semicolon (quantized:int8;cached)",
    "Columns that you do not use may be deleted. A column label.<name> becomes a label, unless it names a person.",
)


def read_csv(stream: BinaryIO, head: bytes, *, has_stage: bool) -> Iterator[Chunk]:
    """
    Read the CSV template in chunks; separators are comma, semicolon and tab.

    Args:
        stream: the file, unpacked.
        head: its first bytes, which hold the header.
        has_stage: the token says the stage, so the column may be missing.

    Raises UnreadablePayload naming missing columns, and for what is no CSV in UTF-8.
    """
    separator, header = _header(head)
    check_columns(header, "CSV file", has_stage=has_stage)
    torn: list[Rejection] = []

    def skip(row: Any) -> Literal["skip", "error"]:
        number = (row.number or 1) - 1
        detail = f"the row has {row.actual_columns} cells, the header {row.expected_columns}"
        torn.append(Rejection(number, None, None, "bad_field", detail, row.text[:500]))
        return "skip"

    try:
        reader = pa_csv.open_csv(
            cast("BinaryIO", Utf8(stream)),
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            parse_options=pa_csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=skip),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=True, null_values=["", " "]
            ),
        )
        row, reported = 1, 0
        for batch in reader:
            skipped = {rejection.row for rejection in torn}
            rows: list[int] = []
            while len(rows) < batch.num_rows:
                if row not in skipped:
                    rows.append(row)
                row += 1
            fresh, reported = torn[reported:], len(torn)
            for at in range(0, batch.num_rows, CHUNK_ROWS):
                frame, rejected, received = typed(batch.slice(at, CHUNK_ROWS), rows[at : at + CHUNK_ROWS])
                yield frame, [*fresh, *rejected], received + len(fresh)
                fresh = []
        if torn[reported:]:
            nothing = reader.schema.empty_table().to_batches() or [pa.RecordBatch.from_pylist([], reader.schema)]
            frame, _, _ = typed(nothing[0], [])
            yield frame, torn[reported:], len(torn) - reported
    except pa.ArrowInvalid as error:
        raise UnreadablePayload(f"The CSV file cannot be read: {str(error)[:200]}. Save it as CSV in UTF-8.") from error


def _header(first: bytes) -> tuple[str, list[str]]:
    """Find the separator and the column names of a CSV file by its first line."""
    try:
        line = first.removeprefix(b"\xef\xbb\xbf").split(b"\n", 1)[0].decode()
    except UnicodeDecodeError as error:
        raise UnreadablePayload("The CSV file is not in UTF-8. Save it as 'CSV UTF-8'.") from error
    separator = max(",;\t", key=line.count)
    try:
        names = next(csv.reader([line.rstrip("\r")], delimiter=separator), [])
    except csv.Error as error:
        raise UnreadablePayload(f"The first line of the CSV file names no columns: {error}.") from error
    return separator, [name.strip() for name in names]


def read_xlsx(stream: BinaryIO, *, has_stage: bool) -> Iterator[Chunk]:
    """Read the sheet `records` (else the first) of a workbook in chunks; raise UnreadablePayload for anything else."""
    header, cells, title = _open_sheet(stream)
    check_columns(header, f"sheet {title!r}", has_stage=has_stage)
    chunk: list[list[str | None]] = []
    rows: list[int] = []
    for row, values in enumerate(cells, 1):
        texts = [_cell_text(value) for value in values[: len(header)]]
        if any(texts):
            chunk.append(texts + [None] * (len(header) - len(texts)))
            rows.append(row)
        if len(chunk) == CHUNK_ROWS:
            yield _sheet_chunk(header, chunk, rows)
            chunk, rows = [], []
    if chunk:
        yield _sheet_chunk(header, chunk, rows)


def _open_sheet(stream: BinaryIO) -> tuple[list[str], Iterator[tuple[Any, ...]], str]:
    """Open the sheet that is read: its header, its rows and its title."""
    try:
        with zipfile.ZipFile(stream) as archive:
            unpacked = sum(part.file_size for part in archive.infolist())
        if unpacked > XLSX_LIMIT:
            raise UnreadablePayload(
                f"The workbook unpacks to {unpacked} bytes, more than {XLSX_LIMIT}. Send it as CSV."
            )
        stream.seek(0)
        workbook = openpyxl.load_workbook(stream, read_only=True, data_only=True)
        sheet = workbook[SHEET] if SHEET in workbook.sheetnames else workbook.worksheets[0]
        cells = sheet.iter_rows(values_only=True)
        header = [str(name).strip() for name in next(cells, ()) if name is not None]
    except (zipfile.BadZipFile, KeyError, ValueError, OSError, IndexError, EOFError) as error:
        raise UnreadablePayload("This is not a workbook that can be read. Save it as .xlsx, or send CSV.") from error
    return header, cells, sheet.title


def scrub_xlsx(body: bytes, rules: Rules) -> bytes:
    """
    Keep of a workbook the sheet that is read, without the cells of columns that are not stored: no other sheets,
    comments, authors. A workbook that cannot be read is kept as it is for `read_xlsx` to say why.
    """
    try:
        header, cells, title = _open_sheet(io.BytesIO(body))
    except UnreadablePayload:
        return b"PK\x03\x04 (a workbook that cannot be read, not kept)"
    target = io.BytesIO()
    with xlsxwriter.Workbook(target, {"in_memory": True, "constant_memory": True}) as workbook:
        workbook.set_properties({"created": datetime(2026, 1, 1, tzinfo=UTC)})  # the same sheet is the same bytes
        sheet = workbook.add_worksheet(title)
        for at, name in enumerate(header):
            sheet.write_string(0, at, name)
        cleaners = [rules.cleaner(name) for name in header]
        for row, values in enumerate(cells, 1):
            for at, (clean, value) in enumerate(zip(cleaners, values, strict=False)):
                text = _cell_text(value)
                if text and (kept := clean(text)):
                    sheet.write_string(row, at, kept)
    return target.getvalue()


def _sheet_chunk(header: Sequence[str], chunk: list[list[str | None]], rows: Sequence[int]) -> Chunk:
    arrays = [pa.array(values, pa.string()) for values in zip(*chunk, strict=True)]
    return typed(pa.RecordBatch.from_arrays(arrays, names=list(header)), rows)


def _cell_text(value: object) -> str | None:
    """Write a cell as the CSV would hold it. Excel has no time zones: its times are taken as UTC, as the sheet says."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.replace(tzinfo=UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return f"{value.isoformat()}T00:00:00Z"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    return str(value).strip() or None


def template_csv() -> bytes:
    """Write the CSV template: the header and one example row."""
    text = io.StringIO()
    writer = csv.DictWriter(text, TEMPLATE_COLUMNS, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerow(EXAMPLE)
    return text.getvalue().encode()


def template_xlsx() -> bytes:
    """Write the XLSX template: the sheet `records` with header and example, and the sheet `instructions`."""
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as workbook:
        # A fixed date: the same template is the same bytes, and says nothing of the server it came from.
        workbook.set_properties({"title": "Wattledger activity records", "created": datetime(2026, 1, 1, tzinfo=UTC)})
        bold, text = workbook.add_format({"bold": True}), workbook.add_format({"num_format": "@"})
        sheet = workbook.add_worksheet(SHEET)
        sheet.freeze_panes(1, 1)
        for at, name in enumerate(TEMPLATE_COLUMNS):
            plain = None if name in activity.COUNTS or name in activity.NUMBERS else text
            sheet.set_column(at, at, max(len(name) + 2, 12), plain)
            sheet.write_string(0, at, name, bold)
            if isinstance(EXAMPLE.get(name), str):
                sheet.write_string(1, at, str(EXAMPLE[name]), text)
            elif name in EXAMPLE:
                sheet.write_number(1, at, float(EXAMPLE[name]))
        notes = workbook.add_worksheet("instructions")
        notes.set_column(0, 0, 120, workbook.add_format({"text_wrap": True}))
        for at, line in enumerate(INSTRUCTIONS):
            notes.write_string(at, 0, line)
    return buffer.getvalue()


__all__ = ["LABEL_PREFIX", "read_csv", "read_xlsx", "template_csv", "template_xlsx"]
