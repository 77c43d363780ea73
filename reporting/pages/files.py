"""Tables as files: fixed units, full precision, and nothing that a spreadsheet would run as a formula."""

from __future__ import annotations

import pandas as pd
from django.http import HttpResponse

from reporting.exports import csv_bytes, json_rows
from reporting.query import Query


def csv_file(table: pd.DataFrame, name: str, query: Query) -> HttpResponse:
    """Answer a table as a CSV download, named after what it is and its period."""
    return table_file(table, f"{name}_{query.filter.from_day}_{query.filter.to_day}")


def table_file(table: pd.DataFrame, name: str) -> HttpResponse:
    """Answer a table as a CSV download of a name without its ending."""
    body = csv_bytes(list(table.columns), json_rows(table))
    response = HttpResponse(body, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.csv"'
    return response
