"""Sheets that go out to providers and come back: price sheets as CSV or XLSX, questionnaires as XLSX."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import openpyxl
import xlsxwriter
from openpyxl.utils.exceptions import InvalidFileException

from reporting.procurement import prices as price_sheets
from reporting.procurement.answers import ProcurementError
from reporting.procurement.claims_given import Claim, read_claim
from reporting.procurement.metrics import METRICS
from reporting.procurement.prices import COLUMNS, UNITS, Price

MOST_BYTES: Final = 2_000_000
MOST_UNPACKED: Final = 50_000_000
MOST_ROWS: Final = 1_000
QUESTIONS: Final = "Questions"
PRICES: Final = "Prices"
ABOUT: Final = "About"
ASKED: Final = ("key", "topic", "question", "unit")
ANSWERED: Final = ("answer", "boundary", "document", "url", "document_date", "expires_on", "note")
HINTS: Final = {
    "answer": "a number in the unit beside it, or words where the unit is text; empty: not disclosed",
    "boundary": "what it is about: fleet, region <code>, site <name>",
    "document": "title of the document that bears it out",
    "url": "where it can be read",
    "document_date": "YYYY-MM-DD",
    "expires_on": "YYYY-MM-DD, of certificates",
    "note": "method, standard, instruments with volume and vintage",
}
WIDTHS: Final = {
    "key": 24,
    "topic": 26,
    "question": 60,
    "unit": 12,
    "answer": 24,
    "document": 34,
    "url": 30,
    "note": 40,
}
ROW_HEIGHT: Final = 36
"""Room for a question of two lines, in points."""
A3: Final = 8
INSTRUCTIONS: Final = (
    "Please answer on the sheet Questions. Leave an answer empty where nothing can be disclosed; it is then counted as such.",
    "Please give one price for each unit on the sheet Prices, in one currency; leave out what you do not charge for.",
    "Send the file back as it is: the first column names each question.",
)


@dataclass(frozen=True)
class Returned:
    """What came back: claims for review, and prices."""

    claims: tuple[Claim, ...]
    prices: tuple[Price, ...]


def questionnaire(asker: str, supplier: str, day: date) -> bytes:
    """
    Write the questionnaire to a provider; the same values give the same bytes.

    Args:
        asker: the organization's name.
        supplier: name of the provider.
        day: printed as the day on which it was made.
    """
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True}) as workbook:
        made = datetime(day.year, day.month, day.day)  # noqa: DTZ001  (workbooks know no zone)
        workbook.set_properties({"title": f"Questions to {supplier}", "created": made})
        head = workbook.add_format({"bold": True, "bottom": 1, "text_wrap": True, "valign": "top"})
        wrapped = workbook.add_format({"text_wrap": True, "valign": "top"})
        empty = workbook.add_format(
            {"text_wrap": True, "valign": "top", "bg_color": "#FFF8DC", "border": 1, "border_color": "#D0D0D0"}
        )
        sheet = workbook.add_worksheet(QUESTIONS)
        _head(sheet, (*ASKED, *ANSWERED), head)
        for row, (key, metric) in enumerate(METRICS.items(), start=1):
            sheet.set_row(row, ROW_HEIGHT)
            for column, text in enumerate((key, metric.label, metric.question, metric.unit)):
                sheet.write_string(row, column, text, wrapped)
            for column in range(len(ANSWERED)):
                sheet.write_blank(row, len(ASKED) + column, None, empty)
        for column, name in enumerate(ANSWERED, start=len(ASKED)):
            sheet.write_comment(0, column, HINTS[name], {"author": asker, "visible": False})
        sheet.freeze_panes(1, 2)
        sheet.set_landscape()
        sheet.set_paper(A3)
        sheet.fit_to_pages(1, 0)
        sheet.repeat_rows(0)
        sheet = workbook.add_worksheet(PRICES)
        _head(sheet, COLUMNS, head)
        for row, (unit, per) in enumerate(UNITS.items(), start=1):
            sheet.write_string(row, 0, unit, wrapped)
            sheet.write_number(row, 1, per, wrapped)
            for column in (2, 3):
                sheet.write_blank(row, column, None, empty)
        sheet = workbook.add_worksheet(ABOUT)
        sheet.set_column(0, 0, 18)
        sheet.set_column(1, 1, 100)
        lines = [
            ("From", asker),
            ("To", supplier),
            ("Made on", day.isoformat()),
            *(("", each) for each in INSTRUCTIONS),
        ]
        for row, (name, text) in enumerate(lines):
            sheet.write_string(row, 0, name, head if name else wrapped)
            sheet.write_string(row, 1, text, wrapped)
    return buffer.getvalue()


def _head(sheet: Any, names: Sequence[str], style: Any) -> None:
    for column, name in enumerate(names):
        sheet.write_string(0, column, name, style)
        sheet.set_column(column, column, WIDTHS.get(name, 18))


def read_questionnaire(content: bytes) -> Returned:
    """
    Read a questionnaire that came back, all of it or none.

    Raises:
        ProcurementError: the file is no such questionnaire, or an answer cannot be; ``field`` names sheet and row.
    """
    book = _workbook(content)
    if QUESTIONS not in book:
        raise ProcurementError(
            "file", f"The file has no sheet {QUESTIONS!r}: send the questionnaire back as it went out."
        )
    claims = []
    for number, row in enumerate(_rows(book[QUESTIONS], (ASKED[0], *ANSWERED)), start=2):
        answer = row.pop("answer")
        if answer in (None, ""):
            continue
        given = {name: value for name, value in row.items() if name in ANSWERED and value not in (None, "")}
        claims.append(read_claim({"metric": row.get("key"), "value": answer, **given}, f"{QUESTIONS} row {number}"))
    prices = _priced(book[PRICES]) if PRICES in book else ()
    if not claims and not prices:
        raise ProcurementError("file", "No question is answered and no price is given.")
    return Returned(tuple(claims), prices)


def read_prices(content: bytes) -> tuple[Price, ...]:
    """
    Read a price sheet: CSV with the columns unit, per, price and currency, or a workbook with them on its sheet Prices or first.

    Raises:
        ProcurementError: a file that cannot be read, or the first line that cannot be.
    """
    if len(content) > MOST_BYTES:
        raise ProcurementError("file", f"A price sheet has at most {MOST_BYTES // 1_000_000} MB.")
    if content[:2] == b"PK":
        book = _workbook(content)
        found = _priced(book.get(PRICES, next(iter(book.values()))))
    else:
        found = _priced(_csv(content))
    if not found:
        raise ProcurementError("file", "The sheet holds no price.")
    return found


def _priced(lines: Sequence[Sequence[Any]]) -> tuple[Price, ...]:
    rows = _rows(lines, ("unit", "price", "currency"))
    given = [{name: row[name] for name in COLUMNS if name in row} for row in rows if row.get("price") not in (None, "")]
    return price_sheets.from_plain(given)


def _rows(lines: Sequence[Sequence[Any]], wanted: Sequence[str]) -> list[dict[str, Any]]:
    """Give rows by the names of the first line. Raises ProcurementError."""
    head = [str(each or "").strip().casefold() for each in lines[0]] if lines else []
    if missing := [name for name in wanted if name not in head]:
        raise ProcurementError("file", f"The first line of the sheet has no column {missing[0]!r}.")
    return [
        {name: _plain(value) for name, value in zip(head, line, strict=False) if name}
        for line in lines[1:]
        if any(value not in (None, "") for value in line)
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else value


def _csv(content: bytes) -> list[list[str]]:
    try:
        text = content.decode("utf-8-sig")
        separator = max((",", ";", "\t"), key=text.partition("\n")[0].count)
        lines = list(csv.reader(io.StringIO(text), delimiter=separator, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ProcurementError("file", f"The file is no CSV in UTF-8 and no workbook: {error}.") from error
    if len(lines) > MOST_ROWS:
        raise ProcurementError("file", f"A sheet has at most {MOST_ROWS:,} rows.")
    return lines


def _workbook(content: bytes) -> dict[str, list[list[Any]]]:
    """Read the sheets of a workbook as rows of values; formulas count by what they came to. Raises ProcurementError."""
    if len(content) > MOST_BYTES:
        raise ProcurementError("file", f"A workbook has at most {MOST_BYTES // 1_000_000} MB.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(each.file_size for each in packed.infolist()) > MOST_UNPACKED:
                raise ProcurementError("file", "The workbook is too large once unpacked.")
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=True)
        sheets = {
            str(sheet.title): [list(row) for row in sheet.iter_rows(max_row=MOST_ROWS, max_col=40, values_only=True)]
            for sheet in book.worksheets
        }
        book.close()
    except (zipfile.BadZipFile, InvalidFileException, KeyError, ValueError, OSError, SyntaxError, TypeError) as error:
        if isinstance(error, ProcurementError):
            raise
        raise ProcurementError("file", "The file is no workbook that can be read: save it as XLSX.") from error
    if not sheets:
        raise ProcurementError("file", "The workbook has no sheet.")
    return sheets
