"""Tables as rows for JSON and as CSV: fixed units, full precision, nothing that a spreadsheet would run as a formula."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from reporting.disclosures.csv_tables import written


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
