"""Business figures as CSV: the template, and reading of what comes back."""

from __future__ import annotations

import csv
import io
from typing import Final

from reporting.intensities.denominators import COLUMNS, Fault

SEPARATORS: Final = (",", ";", "\t")
MOST_ROWS: Final = 5_000
MOST_BYTES: Final = 2_000_000
EXAMPLES: Final = (
    ("accepted_tasks", "2026-07", "18250", "", "", "", "", "assistant", "support desk export"),
    ("active_users", "2026-07", "1240", "", "", "", "", "", "identity provider"),
    ("revenue", "2026-Q3", "2450000", "", "EUR", "", "", "", "consolidated accounts"),
    ("claims", "2026-07-15", "312", "claim handled", "", "Search", "", "", ""),
)


class UnreadableSheet(ValueError):
    """A file that cannot be read at all; the message says why."""


def template() -> str:
    """Write the header and one example of each kind of figure."""
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\n").writerows([COLUMNS, *EXAMPLES])
    return out.getvalue()


def read_sheet(content: bytes) -> tuple[list[dict[str, object]], list[Fault]]:
    """
    Read a CSV file: UTF-8; comma, semicolon or tab; the columns of the template in any order.

    Returns:
        The rows, and faults of their form. Empty lines are left out; rows are counted from 1, the header not counted.

    Raises:
        UnreadableSheet: no text, no header, or too long.
    """
    if len(content) > MOST_BYTES:
        raise UnreadableSheet(f"A file has at most {MOST_BYTES // 1_000_000} MB: send it in parts.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableSheet("The file is not UTF-8 text: save it as CSV (UTF-8).") from error
    header_line = text.partition("\n")[0]
    separator = max(SEPARATORS, key=header_line.count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=separator, strict=True) if any(line)]
    except csv.Error as error:
        raise UnreadableSheet(f"The file is no CSV: {error}.") from error
    if not lines:
        raise UnreadableSheet(f"The file is empty: its first line names the columns {', '.join(COLUMNS)}.")
    names = [name.strip() for name in lines[0]]
    if len(set(names)) != len(names) or "series" not in names:
        raise UnreadableSheet(f"The first line names each column once: {', '.join(COLUMNS)}.")
    if len(lines) - 1 > MOST_ROWS:
        raise UnreadableSheet(f"A file has at most {MOST_ROWS:,} rows: send it in parts.")
    faults = [
        Fault(row, "", f"The row has {len(line)} cells, the header {len(names)}.")
        for row, line in enumerate(lines[1:], 1)
        if len(line) != len(names)
    ]
    return [dict(zip(names, line, strict=False)) for line in lines[1:]], faults
