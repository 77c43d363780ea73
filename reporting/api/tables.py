"""Tables in the three forms that BI tools read: JSON, CSV with units in the header, and an Arrow stream."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from rest_framework.renderers import BaseRenderer

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


class CsvRenderer(BaseRenderer):
    """``text/csv``: a header whose names carry the units, point as decimal sign, full precision."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if not isinstance(data, Mapping) or "rows" not in data:
            return b""
        rows = data["rows"]
        names = list(rows[0]) if rows else list(data.get("columns", ()))
        return written([names, *([row[name] for name in names] for row in rows)])


class ArrowRenderer(BaseRenderer):
    """``application/vnd.apache.arrow.stream``: the same columns, typed."""

    media_type = "application/vnd.apache.arrow.stream"
    format = "arrow"
    charset = None

    def render(
        self, data: Any, accepted_media_type: str | None = None, renderer_context: Mapping[str, Any] | None = None
    ) -> bytes:
        if not isinstance(data, Mapping) or "rows" not in data:
            return b""
        rows = data["rows"]
        names = list(rows[0]) if rows else list(data.get("columns", ()))
        table = pa.table({name: [row[name] for row in rows] for name in names})
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return sink.getvalue()
