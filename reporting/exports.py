"""Tables as rows for JSON, as CSV and as XLSX: fixed units, full precision, nothing that a spreadsheet runs as a formula."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
import xlsxwriter

from reporting.disclosures.csv_tables import written

TABLE_SHEET: Final = "table"
ABOUT_SHEET: Final = "about"
LONGEST_CELL: Final = 32_767
"""Characters that a cell of a workbook holds."""
WIDEST: Final = 40


def json_rows(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Turn a table into rows for JSON: NaN and missing text become null, times RFC 3339 in UTC."""
    columns = {name: values(rows[name]) for name in rows.columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def values(column: pd.Series) -> list[Any]:
    """Give a column's values as plain Python, nulls as None."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return [None if pd.isna(at) else at.isoformat().replace("+00:00", "Z") for at in column]
    return [
        None if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)) else plain(value)
        for value in column
    ]


def plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def csv_bytes(columns: list[str], rows: list[dict[str, Any]]) -> bytes:
    """Write rows as UTF-8 CSV, the columns' names (with their units) first."""
    return written([list[object](columns), *([row[column] for column in columns] for row in rows)])


def xlsx_bytes(lines: Iterable[Sequence[object]], about: Sequence[tuple[str, str]]) -> bytes:
    """
    Write a workbook: the table on one sheet, what it is about on another.

    Text is written as text whatever it begins with, so that nothing of it can run; what is not known is an empty cell.

    Args:
        lines: the header (names with their units) first.
        about: pairs of what is said and its value.
    """
    buffer = io.BytesIO()
    with xlsxwriter.Workbook(buffer, {"in_memory": True, "constant_memory": True}) as workbook:
        bold = workbook.add_format({"bold": True})
        sheet = workbook.add_worksheet(TABLE_SHEET)
        sheet.freeze_panes(1, 1)
        for at, line in enumerate(lines):
            for column, value in enumerate(line):
                if not at:
                    sheet.set_column(column, column, min(max(len(str(value)) + 2, 12), WIDEST))
                _write(sheet, at, column, value, None if at else bold)
        notes = workbook.add_worksheet(ABOUT_SHEET)
        notes.set_column(0, 0, 24)
        notes.set_column(1, 1, 100)
        for at, (name, text) in enumerate(about):
            notes.write_string(at, 0, name, bold)
            notes.write_string(at, 1, text)
    return buffer.getvalue()


def _write(sheet: Any, row: int, column: int, value: object, style: Any) -> None:
    """Write a cell by its kind; a number that a workbook cannot hold exactly is text, and a longer text is cut."""
    if value is None:
        return
    exact = isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**53)
    if exact and math.isfinite(value):  # type: ignore[arg-type]  # a number, as just found
        sheet.write_number(row, column, value, style)
    else:
        sheet.write_string(row, column, str(value)[:LONGEST_CELL], style)
