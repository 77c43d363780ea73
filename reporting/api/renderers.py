"""The forms that BI tools read beside JSON: CSV with units in the header, and an Arrow stream."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
from rest_framework.renderers import BaseRenderer

from reporting.exports import csv_bytes


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
        return csv_bytes(names, rows)


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
