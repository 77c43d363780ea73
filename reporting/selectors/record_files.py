"""Records as CSV: fixed units, full precision, UTC, one row a record with its own footprint."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any, Final

from core.accounting.selectors.records import FIGURES
from core.quantification.activity import COUNTS, NUMBERS
from reporting.disclosures.csv_tables import written
from reporting.exports import values
from reporting.selectors.records import Records
from reporting.selectors.requests import NEWEST, Reach, ordered, with_text

SLICE_ROWS: Final = 2_000

TEXT: Final = (
    *(
        "record_id",
        "started_at",
        "ended_at",
        "source",
        "team",
        "project",
        "application",
        "task",
        "environment",
        "stage",
    ),
    *("hosting", "provider", "region", "zone", "model", "hardware", "instance_type", "tier", "evidence", "method"),
    *("run", "request", "trace"),
)
COLUMNS: Final = (*TEXT, *COUNTS, *NUMBERS, *FIGURES)
"""Measures are as their sender delivered them; an absent one is empty, never 0."""


def csv_of_day(reach: Reach, day: date, *, failed_only: bool = False) -> tuple[int, bytes]:
    """Write the records of a day, the latest first: how many, and the lines without a header."""
    rows, pieces = 0, []
    for page in pages_of_day(reach, day, failed_only=failed_only):
        rows += len(page.rows)
        pieces.append(written(lines_of(page)))
    return rows, b"".join(pieces)


def pages_of_day(reach: Reach, day: date, *, failed_only: bool) -> Iterator[Records]:
    """Read the records of a day in slices that fit memory."""
    window = reach.window(day)
    rows = ordered(window, NEWEST, "failed" if failed_only else "")
    for start in range(0, len(rows), SLICE_ROWS):
        yield with_text(reach, window, rows.iloc[start : start + SLICE_ROWS])


def lines_of(page: Records) -> list[list[object]]:
    """Lay records out in the order of ``COLUMNS``."""
    figures = dict(zip(FIGURES, (values(page.figures[name]) for name in FIGURES), strict=True))
    return [
        [*(plain(row[name]) for name in (*TEXT, *COUNTS, *NUMBERS)), *(figures[name][at] for name in FIGURES)]
        for at, row in enumerate(page.rows)
    ]


def plain(value: Any) -> object:
    """Write times as RFC 3339 in UTC, and all else as it is."""
    return value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat") else value
