"""Tables for a terminal and as CSV: fixed units, full precision, nothing that a spreadsheet would run as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")


def as_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """
    Write rows as CSV; unknown is empty.

    >>> as_csv(["team", "kg"], [{"team": "=1+1", "kg": -0.5}, {"team": None, "kg": None}]).splitlines()
    ['team,kg', "'=1+1,-0.5", ',']
    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return "" if value is None else value


def as_table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    """
    Write rows for a terminal: numbers to the right with six significant digits, unknown as ``-``.

    >>> print(as_table(["team", "kg"], [{"team": "search", "kg": 1.5}, {"team": None, "kg": None}]))
    team     kg
    search  1.5
    -         -
    """
    texts = [[_text(row[name]) for name in columns] for row in rows]
    numeric = [any(isinstance(row[name], int | float) for row in rows) for name in columns]
    widths = [max([len(name), *(len(line[at]) for line in texts)]) for at, name in enumerate(columns)]
    lines = []
    for line in [list(columns), *texts]:
        padded = [
            text.rjust(width) if right else text.ljust(width)
            for text, width, right in zip(line, widths, numeric, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def _text(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.6g}" if isinstance(value, float) else printable(str(value))


def printable(text: str) -> str:
    r"""
    Write what a terminal would obey (new lines, escapes, marks that turn the direction) as Python writes it.

    >>> printable("a\nb\x1b[2J\u202e"), printable("Größe 模型")
    ('a\\nb\\x1b[2J\\u202e', 'Größe 模型')
    """
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)
