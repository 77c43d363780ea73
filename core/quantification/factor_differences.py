"""What differs between two factor sets: by what a row is about, so that a new edition shows as new values, not as new rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from core.quantification.factor_tables import PROVENANCE, TABLES, Table
from core.quantification.pack import FILE, FactorPack, Row

_SAYS_NOTHING: Final = frozenset({*PROVENANCE, "verification", "note", "preferred", "source_url", "source_urls", FILE})
"""Columns in which two editions of the same value differ; the unit is compared on its own."""


@dataclass(frozen=True)
class Value:
    """One column of one row before and after; ``percent`` where both are numbers and the old one is not 0."""

    column: str
    old: str
    new: str
    percent: float | None


@dataclass(frozen=True)
class RowChange:
    """
    What a key stands for in both sets.

    Attributes:
        key: columns of the key and their values.
        old_row, new_row: of the pack, with the name of their file.
    """

    key: Mapping[str, str]
    values: tuple[Value, ...]
    old_row: Row
    new_row: Row

    @property
    def largest_percent(self) -> float:
        """Return the largest change of a number, without its sign; 0 where no number changed."""
        return max((abs(value.percent) for value in self.values if value.percent is not None), default=0.0)


@dataclass(frozen=True)
class TableDifference:
    """
    How a table differs. Of several rows of one choice the preferred one speaks, as it does in figures.

    Attributes:
        added, removed: rows whose key only one set has.
        changed: the largest change first.
        only_source: keys whose values are the same, from another edition.
        others: rows that figures do not use (not preferred or unverified) and that only one set has.
    """

    table: str
    added: tuple[Row, ...]
    removed: tuple[Row, ...]
    changed: tuple[RowChange, ...]
    only_source: int
    others: int

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "table": self.table,
            "added": [_plain(row) for row in self.added],
            "removed": [_plain(row) for row in self.removed],
            "changed": [
                {
                    "key": dict(change.key),
                    "edition": {"old": change.old_row[FILE], "new": change.new_row[FILE]},
                    "values": [
                        {"column": each.column, "old": each.old, "new": each.new, "percent": each.percent}
                        for each in change.values
                    ],
                }
                for change in self.changed
            ],
            "same_value_other_source": self.only_source,
            "rows_not_used_by_figures": self.others,
        }


def difference_of(first: FactorPack, second: FactorPack) -> list[TableDifference]:
    """Compare two sets table by table; tables that are equal are left out."""
    found = []
    for table in sorted({*first.tables, *second.tables}):
        if first.every_row(table) == second.every_row(table):
            continue
        found.append(_compared(table, first, second))
    return found


def key_columns(table: Table | None, rows: Iterable[Row]) -> tuple[str, ...]:
    """Return the columns that say what a row is about, whichever edition it is of."""
    if table is None:
        return tuple(dict.fromkeys(column for row in rows for column in row if column != FILE))
    return table.choice or tuple(column for column in table.key if column != "dataset")


def _compared(table: str, first: FactorPack, second: FactorPack) -> TableDifference:
    old_rows, new_rows = first.every_row(table), second.every_row(table)
    columns = key_columns(TABLES.get(table), (*old_rows, *new_rows))
    old, new = _speaking(first.rows(table), columns), _speaking(second.rows(table), columns)
    changed, only_source = [], 0
    for key in old.keys() & new.keys():
        values = _values(old[key], new[key])
        if values:
            changed.append(RowChange(dict(zip(columns, key, strict=True)), values, old[key], new[key]))
        elif _plain(old[key]) != _plain(new[key]):
            only_source += 1
    changed.sort(key=lambda change: (-change.largest_percent, sorted(change.key.values())))
    silent = (_silent(old_rows, old), _silent(new_rows, new))
    return TableDifference(
        table=table,
        added=tuple(new[key] for key in sorted(new.keys() - old.keys())),
        removed=tuple(old[key] for key in sorted(old.keys() - new.keys())),
        changed=tuple(changed),
        only_source=only_source,
        others=((silent[0] - silent[1]) + (silent[1] - silent[0])).total(),
    )


def _speaking(rows: Iterable[Row], columns: tuple[str, ...]) -> dict[tuple[str, ...], Row]:
    """Map keys to the row that figures use: the preferred one, else the first."""
    found: dict[tuple[str, ...], Row] = {}
    for row in rows:
        key = tuple(row.get(column, "") for column in columns)
        if key not in found or (row.get("preferred") == "True" and found[key].get("preferred") != "True"):
            found[key] = row
    return found


def _silent(rows: Iterable[Row], speaking: Mapping[tuple[str, ...], Row]) -> Counter[tuple[str, ...]]:
    spoken = {id(row) for row in speaking.values()}
    return Counter(tuple(row.values()) for row in rows if id(row) not in spoken)


def _values(old: Row, new: Row) -> tuple[Value, ...]:
    columns = [column for column in dict.fromkeys((*old, *new)) if column == "unit" or column not in _SAYS_NOTHING]
    return tuple(
        Value(column, before, after, percent_change(before, after))
        for column in columns
        for before, after in [(old.get(column, ""), new.get(column, ""))]
        if before != after and not _same_number(before, after)
    )


def _same_number(before: str, after: str) -> bool:
    one, other = _number(before), _number(after)
    return one is not None and one == other  # 85.0 and 85 are one value, however they are written


def percent_change(before: str, after: str) -> float | None:
    """
    Return by how many percent a number changed; None where one of the two is no number, or the old one is 0.

    >>> percent_change("329.0", "300"), percent_change("", "5"), percent_change("0", "5")
    (-8.81, None, None)
    """
    one, other = _number(before), _number(after)
    return None if one is None or other is None or not one else round((other / one - 1.0) * 100.0, 2)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _plain(row: Row) -> dict[str, str]:
    return {column: value for column, value in row.items() if column != FILE} | {"table": row[FILE]}
