"""
Rules as people write them: a condition is a line, ``label.namespace is search, ranking``; a list of rules is a CSV file.

A field is quoted where its name has a space; so is a value of ``is`` and ``is_not`` with a comma. The value of the other
operators is all that follows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from core.quantification.attribution_rules import (
    OPERATORS,
    TARGETS,
    Condition,
    Rule,
    RuleError,
    check_rule,
)

COLUMNS: Final = ("name", "conditions", *TARGETS, "overwrite", "first_day", "last_day", "reason")
"""Columns of the file, in the order of the list; conditions are lines of one cell."""
MOST_RULES: Final = 1_000
MOST_BYTES: Final = 2_000_000
SEPARATORS: Final = (",", ";", "\t")

LISTED: Final = ("is", "is_not")
"""Operators with several values."""

_LINE: Final = re.compile(
    r'(?:"(?P<quoted>(?:[^"]|"")+)"|(?P<plain>\S+))\s+(?P<operator>'
    + "|".join(sorted(OPERATORS, key=len, reverse=True))
    + r")(?:\s+(?P<values>.*))?"
)
_RISKY: Final = ("=", "+", "-", "@", "\t", "'")
"""What a cell must not begin with, or a spreadsheet takes it as a formula; the quote before it is taken off again."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with a row of a file, counted from 1 without the header."""

    row: int
    field: str
    reason: str


class FaultyFile(ValueError):
    """A file that is not taken, as a whole; with the faults of its rows."""

    def __init__(self, message: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


def parse_condition(line: str) -> Condition:
    """
    Read a condition.

    Raises:
        RuleError: saying how one is written.

    >>> parse_condition('label.namespace is search, "a, b"')
    Condition(field='label.namespace', operator='is', values=('search', 'a, b'))
    """
    found = _LINE.fullmatch(line.strip())
    if found is None:
        raise RuleError(
            "conditions",
            f"{line.strip()[:80]!r} is no condition: write a field, one of {', '.join(OPERATORS)}, and a value.",
        )
    field = found["plain"] or found["quoted"].replace('""', '"')
    return condition_of(field, found["operator"], found["values"] or "")


def condition_of(field: str, operator: str, text: str) -> Condition:
    """Make a condition of a field, an operator and what stands behind it. Raises RuleError."""
    text = text.strip()
    one = (text,) if text else ()
    return Condition(field.strip(), operator, _listed(text) if operator in LISTED else one)


def values_text(condition: Condition) -> str:
    """Write what stands behind the operator of a condition."""
    if condition.operator in LISTED:
        return ", ".join(_quoted(value) for value in condition.values)
    return condition.values[0] if condition.values else ""


def write_condition(condition: Condition) -> str:
    """
    Write a condition so that `parse_condition` reads it back.

    >>> write_condition(Condition("label.cost center", "is", ("A, B", "C")))
    '"label.cost center" is "A, B", C'
    """
    quoted = condition.field.replace('"', '""')
    field = f'"{quoted}"' if re.search(r'[\s"]', condition.field) else condition.field
    return f"{field} {condition.operator} {values_text(condition)}".rstrip()


def _listed(text: str) -> tuple[str, ...]:
    try:
        (line,) = csv.reader([text], skipinitialspace=True, strict=True) if text else ([],)
    except (csv.Error, ValueError) as error:
        raise RuleError("conditions", f"{text[:80]!r} is no list of names: quotes do not end.") from error
    return tuple(value.strip() for value in line if value.strip())


def _quoted(value: str) -> str:
    doubled = value.replace('"', '""')
    return f'"{doubled}"' if "," in value or '"' in value else value


def write_file(rules: Iterable[tuple[Rule, str]]) -> str:
    """Write rules, each with its reason, as a CSV file that `read_file` reads back."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for rule, reason in rules:
        last = None if rule.valid_to is None else rule.valid_to - timedelta(days=1)
        cells = (
            rule.name,
            "\n".join(write_condition(each) for each in rule.conditions),
            *(rule.sets.get(target, "") for target in TARGETS),
            "yes" if rule.overwrite else "",
            rule.valid_from.isoformat() if rule.valid_from else "",
            last.isoformat() if last else "",
            reason,
        )
        writer.writerow([f"'{cell}" if cell.startswith(_RISKY) else cell for cell in cells])
    return out.getvalue()


def read_file(content: bytes) -> list[tuple[Rule, str]]:
    """
    Read a file of rules: UTF-8; comma, semicolon or tab; ``COLUMNS`` in any order, all but ``conditions`` may be left out.

    Returns:
        Rules with their reasons, in the order of the file; sources are still named.

    Raises:
        FaultyFile: with every fault.
    """
    names, lines = _lines(content)
    rules, faults = [], []
    for number, line in enumerate(lines, 1):
        if len(line) != len(names):
            faults.append(Fault(number, "", f"The row has {len(line)} cells, the header {len(names)}."))
            continue
        row = {name: _plain(cell) for name, cell in zip(names, line, strict=True)}
        try:
            rules.append((_rule(row), row.get("reason", "")))
        except RuleError as error:
            faults.append(Fault(number, error.field, str(error)))
    if faults:
        raise FaultyFile(f"{len(faults)} of {len(lines)} rows cannot be read; nothing was taken.", faults)
    return rules


def _plain(cell: str) -> str:
    cell = cell.strip()
    return cell[1:] if cell.startswith("'") else cell


def _lines(content: bytes) -> tuple[list[str], list[list[str]]]:
    if len(content) > MOST_BYTES:
        raise FaultyFile(f"A file has at most {MOST_BYTES // 1_000_000} MB.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FaultyFile("The file is not UTF-8 text: save it as CSV (UTF-8).") from error
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)
    try:
        lines = [line for line in csv.reader(io.StringIO(text), delimiter=separator, strict=True) if any(line)]
    except csv.Error as error:
        raise FaultyFile(f"The file is no CSV: {error}.") from error
    names = [name.strip() for name in lines[0]] if lines else []
    unknown = sorted(set(names) - set(COLUMNS))
    if unknown or "conditions" not in names or len(set(names)) < len(names):
        said = f"{unknown[0]!r} is none of them." if unknown else "Conditions are needed."
        raise FaultyFile(f"The first line names each column once: {', '.join(COLUMNS)}. {said}")
    if len(lines) - 1 > MOST_RULES:
        raise FaultyFile(f"A file has at most {MOST_RULES:,} rules.")
    return names, lines[1:]


def _rule(row: Mapping[str, str]) -> Rule:
    last = _day(row, "last_day")
    overwrite = row.get("overwrite", "").casefold()
    if overwrite not in ("", "yes", "no", "true", "false"):
        raise RuleError("overwrite", f"{overwrite!r} is neither yes nor no.")
    rule = Rule(
        conditions=tuple(parse_condition(line) for line in row["conditions"].splitlines() if line.strip()),
        sets={target: row[target] for target in TARGETS if row.get(target)},
        overwrite=overwrite in ("yes", "true"),
        valid_from=_day(row, "first_day"),
        valid_to=None if last is None else last + timedelta(days=1),
        name=row.get("name", ""),
    )
    check_rule(rule)
    return rule


def _day(row: Mapping[str, str], name: str) -> date | None:
    text = row.get(name, "")
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        raise RuleError(name, f"{text!r} is no day like 2026-07-01.") from None


def as_plain(rule: Rule) -> dict[str, Any]:
    """Write a rule as JSON has it: conditions as lines, days as text, the last day included."""
    last = None if rule.valid_to is None else rule.valid_to - timedelta(days=1)
    return {
        "id": rule.id,
        "name": rule.name,
        "conditions": [write_condition(each) for each in rule.conditions],
        "sets": dict(rule.sets),
        "overwrite": rule.overwrite,
        "first_day": rule.valid_from.isoformat() if rule.valid_from else None,
        "last_day": last.isoformat() if last else None,
    }
