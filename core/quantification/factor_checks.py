"""Check factor tables before they become a set: what is impossible is refused, all of it at once, with its place and reason."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Final

from core.quantification.factor_tables import (
    METRIC_RANGES,
    METRIC_UNITS,
    PROVENANCE,
    PUE_DOUBTFUL,
    TABLES,
    VERIFICATION,
    Table,
)

SOURCES: Final = "sources"
"""The table of sources that may come with an import; it holds no factors."""

SOURCE_COLUMNS: Final = ("dataset", "title", "publisher", "licence")


@dataclass(frozen=True)
class Fault:
    """
    One thing wrong with a table.

    Attributes:
        row: line of the file, the header being 1; None: the whole table.
        column: None: the whole row.
        warning: worth a second look, but possible.
    """

    table: str
    row: int | None
    column: str | None
    reason: str
    warning: bool = False

    def __str__(self) -> str:
        place = [self.table, *([f"row {self.row}"] if self.row else []), *([self.column] if self.column else [])]
        return f"{', '.join(place)}: {self.reason}"


@dataclass(frozen=True)
class Line:
    """A row of a table with the line it is on."""

    table: str
    number: int
    cells: Mapping[str, str]

    def fault(self, column: str | None, reason: str, *, warning: bool = False) -> Fault:
        """Say what is wrong here."""
        return Fault(self.table, self.number, column, reason, warning)


def faults_of(tables: Mapping[str, bytes], *, known_datasets: Set[str], this_year: int) -> list[Fault]:
    """
    Check the tables of a set.

    Args:
        tables: ``<table>--<dataset>`` to CSV bytes, and ``sources`` where one came with them.
        known_datasets: those whose sources are on record already.
        this_year: years after it are in the future.

    Returns:
        Every fault and warning, in the order of tables and rows; none without faults can give an impossible figure.
    """
    found: list[Fault] = []
    read: dict[str, list[Line]] = {}
    known = set(known_datasets)
    for name in sorted(tables, key=lambda name: (name != SOURCES, name)):
        lines, faults = _read(name, tables[name])
        found += faults
        if name == SOURCES:
            found += _source_faults(lines)
            known |= {line.cells.get("dataset", "") for line in lines}
            continue
        table, dataset = name.partition("--")[0], name.partition("--")[2]
        for line in lines:
            found += _row_faults(line, TABLES[table], dataset, known, this_year)
        if lines:
            read.setdefault(table, []).extend(lines)
    for table, lines in read.items():
        found += _choice_faults(lines, TABLES[table])
    found += _reference_faults(read)
    return sorted(found, key=lambda fault: (fault.warning, fault.table, fault.row or 0, fault.column or ""))


def _read(name: str, content: bytes) -> tuple[list[Line], list[Fault]]:
    """Read a table as far as it can be read; a fault of its form leaves no rows to check."""
    table, separator, dataset = name.partition("--")
    if name != SOURCES and table not in TABLES:
        return [], [Fault(name, None, None, f"there is no table {table!r}; known: {', '.join(sorted(TABLES))}")]
    if name != SOURCES and not (separator and dataset):
        return [], [Fault(name, None, None, "a table is called <table>--<dataset>")]
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return [], [Fault(name, None, None, f"is not UTF-8: byte {error.start} cannot be read")]
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        rows = [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        return [], [Fault(name, reader.line_num, None, f"is no CSV: {error}")]
    if len(rows) < 2:
        return [], [Fault(name, None, None, "has no rows")]
    header = rows[0][1]
    faults = _header_faults(name, header)
    wrong = [(number, row) for number, row in rows[1:] if len(row) != len(header)]
    faults += [Fault(name, number, None, f"has {len(row)} fields, the header {len(header)}") for number, row in wrong]
    if any(fault.row is None for fault in faults):
        return [], faults
    cells = [(number, row) for number, row in rows[1:] if len(row) == len(header)]
    return [Line(name, number, dict(zip(header, row, strict=True))) for number, row in cells], faults


def _header_faults(name: str, header: list[str]) -> list[Fault]:
    if name == SOURCES:
        return [Fault(name, None, column, "the column is missing") for column in SOURCE_COLUMNS if column not in header]
    table = TABLES[name.partition("--")[0]]
    faults = [Fault(name, None, column, "the column is missing") for column in sorted(table.needed - set(header))]
    faults += [
        Fault(name, None, column, "there is no such column in this table")
        for column in header
        if column not in table.columns
    ]
    twice = sorted({column for column in header if header.count(column) > 1})
    return faults + [Fault(name, None, column, "the column is there twice") for column in twice]


def _source_faults(lines: list[Line]) -> Iterator[Fault]:
    for line in lines:
        for column in SOURCE_COLUMNS:
            if not line.cells[column].strip():
                yield line.fault(column, "is empty")


def _row_faults(line: Line, table: Table, dataset: str, known: Set[str], this_year: int) -> Iterator[Fault]:
    cells = line.cells
    for column in (*PROVENANCE, *table.key, *table.required):
        if not cells[column].strip():
            yield line.fault(column, _MISSING.get(column, "is empty"))
    if cells["dataset"] and cells["dataset"] != dataset:
        yield line.fault("dataset", f"is {cells['dataset']!r}, the table's name says {dataset!r}")
    elif cells["dataset"] and cells["dataset"] not in known:
        yield line.fault("dataset", f"unknown source: {cells['dataset']!r} is in no table of sources")
    if cells.get("verification", VERIFICATION[0]) not in VERIFICATION:
        yield line.fault("verification", f"is {cells['verification']!r}, not one of {', '.join(VERIFICATION)}")
    if "preferred" in cells and cells["preferred"] not in {"True", "False"}:
        yield line.fault("preferred", f"is {cells['preferred']!r}, not True or False")
    if table.units and cells["unit"] and cells["unit"] not in table.units:
        yield line.fault("unit", f"is {cells['unit']!r}; numbers here are read in {' or '.join(table.units)}")
    gas = {"gCO2e/kWh": "CO2e", "gCO2/kWh": "CO2"}.get(cells["unit"])
    if "gas_basis" in cells and gas and cells["gas_basis"] and cells["gas_basis"] != gas:
        yield line.fault("gas_basis", f"is {cells['gas_basis']!r}, the unit says {gas}")
    yield from _number_faults(line, table)
    yield from _year_faults(line, table, this_year)
    yield from _metric_faults(line)
    yield from _pattern_faults(line)


_MISSING: Final = {
    "unit": "no unit",
    "licence": "no licence",
    "dataset": "no source: the dataset is empty",
    "source": "no source",
}


def _number_faults(line: Line, table: Table) -> Iterator[Fault]:
    numbers: dict[str, float] = {}
    bounded = [*table.ranges, *(column for column in ("value", "low", "high") if column in line.cells)]
    for column in dict.fromkeys(bounded):
        text = line.cells.get(column, "")
        if not text:
            continue
        number = _number(text)
        if number is None:
            if column in table.ranges or column != "value" or "value" not in table.required or not _is_text(line):
                yield line.fault(column, f"{text!r} is no number")
            continue
        numbers[column] = number
        low, high = table.ranges.get(column, (-math.inf, math.inf))
        if number < low:
            yield line.fault(
                column, f"{text} is below {low:g}" if low else f"{text} is negative, which is impossible here"
            )
        elif number > high:
            yield line.fault(column, f"{text} is above {high:g}: another unit?")
    for first, second in (*table.ordered, ("low", "value"), ("value", "high")):
        if first in numbers and second in numbers and numbers[first] > numbers[second]:
            yield line.fault(first, f"{first} {line.cells[first]} is above {second} {line.cells[second]}")


def _is_text(line: Line) -> bool:
    """Say whether a default's value is words, as its unit tells: ``text``, or none that is measured."""
    return line.cells["unit"] in {"text", "n/a"}


def _number(text: str) -> float | None:
    """Return a finite number written with a point; None for anything else."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def _year_faults(line: Line, table: Table, this_year: int) -> Iterator[Fault]:
    for column in table.years:
        text = line.cells[column]
        if not text:
            continue
        if not re.fullmatch(r"(19|20)\d\d", text):
            yield line.fault(column, f"{text!r} is no year")
        elif int(text) > this_year:
            yield line.fault(column, f"{text} is in the future: nothing can be published about it yet")


def _metric_faults(line: Line) -> Iterator[Fault]:
    """Check values whose meaning another cell tells: metrics of providers and the defaults for PUE."""
    metric = line.cells.get("metric") or _pue_key(line.cells.get("key", ""))
    number = _number(line.cells.get("value", ""))
    if not metric or number is None:
        return
    unit = METRIC_UNITS.get(metric)
    if line.table.startswith("cloud_region_metrics") and unit and line.cells["unit"] not in {"", unit}:
        yield line.fault("unit", f"is {line.cells['unit']!r}; {metric} is read in {unit}")
    kind = next((name for name in METRIC_RANGES if metric == name or metric.startswith(f"{name}_")), None)
    if kind is None:
        return
    low, high = METRIC_RANGES[kind]
    for column in ("value", "low", "high"):
        number = _number(line.cells.get(column, ""))
        if number is None:
            continue
        if kind == "pue" and number < low:
            yield line.fault(
                column, f"a PUE of {line.cells[column]} is below 1: a facility cannot use less than its IT"
            )
        elif not low <= number <= high:
            yield line.fault(column, f"{metric} of {line.cells[column]} is outside {low:g} to {high:g}")
        elif kind == "pue" and number > PUE_DOUBTFUL:
            yield line.fault(column, f"a PUE of {line.cells[column]} is above {PUE_DOUBTFUL:g}", warning=True)


def _pue_key(key: str) -> str:
    return "pue" if "pue" in key.split(".") else ""


def _pattern_faults(line: Line) -> Iterator[Fault]:
    pattern = line.cells.get("match_regex")
    if not pattern:
        return
    try:
        matches = re.search(pattern, line.cells["model_name"])
    except re.error as error:
        yield line.fault("match_regex", f"is no regular expression: {error}")
        return
    if matches is None:
        yield line.fault("match_regex", f"does not match the model's own name {line.cells['model_name']!r}")


def _choice_faults(lines: list[Line], table: Table) -> Iterator[Fault]:
    """Find rows that are there twice, and choices for which two rows hold at once."""
    seen: dict[tuple[str, ...], Line] = {}
    preferred: dict[tuple[str, ...], Line] = {}
    for line in lines:
        key = tuple(line.cells[column] for column in table.key)
        first = seen.setdefault(key, line)
        if first is not line:
            yield line.fault(None, f"is there twice: {' '.join(key)} stands in {first.table} row {first.number} too")
            continue
        if not table.choice or line.cells["preferred"] != "True" or line.cells.get("verification") == "unverified":
            continue
        choice = tuple(line.cells[column] for column in table.choice)
        other = preferred.setdefault(choice, line)
        if other is not line:
            words = " ".join(line.cells[column] for column in table.choice)
            yield line.fault(
                "preferred",
                f"overlapping validity: {words} is preferred in {other.table} row {other.number} too",
            )


def _reference_faults(read: Mapping[str, list[Line]]) -> Iterator[Fault]:
    """Find rows that name something which no table of the set holds."""
    for source, columns, target, keys in _REFERENCES:
        if source not in read:
            continue
        known = {tuple(line.cells[key].casefold() for key in keys) for line in read.get(target, ())}
        for line in read[source]:
            named = tuple(line.cells.get(column, "").casefold() for column in columns)
            if all(named) and named not in known:
                said = " ".join(line.cells[column] for column in columns)
                yield line.fault(columns[-1], f"{said!r} is not in {target}", warning=target == "hardware")


_REFERENCES: Final = (
    ("hardware_embodied", ("hardware_id",), "hardware", ("hardware_id",)),
    ("cloud_instances", ("hardware_id",), "hardware", ("hardware_id",)),
    ("cloud_regions", ("grid_zone_id",), "grid_intensity_annual", ("zone_id",)),
    ("cloud_region_metrics", ("provider", "region_code"), "cloud_regions", ("provider", "region_code")),
    ("model_aliases", ("provider", "model_name"), "models", ("provider", "model_name")),
)
"""
Table and columns that name a row of another table. Hardware that is not there is a warning: its row may wait for somebody
who reads its source, and until then its power is null with a note.
"""
