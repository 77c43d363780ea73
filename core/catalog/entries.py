"""
Register entries in plain values, and the template in which people write them. Plain Python, no database.

One template serves forms, files and the API; each kind fills its own columns of it. `entry_rows` reads it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from core.quantification.scope1 import FUEL_UNITS


@dataclass(frozen=True)
class Kind:
    """
    A kind of entry.

    Args:
        label: what people call it.
        required, optional: the columns that it fills, beside site, date and source.
        gives: what it feeds.
        monthly: it is about a month, once; else about a day, any number of times.
    """

    label: str
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    gives: str = ""
    monthly: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Return every column that the kind fills."""
        return (*self.required, *self.optional)


KINDS: Final[dict[str, Kind]] = {
    "meter_reading": Kind(
        "Meter reading", ("facility_kwh",), ("it_kwh",), "PUE, and what no record covers", monthly=True
    ),
    "water": Kind("Water taken in", ("water_l",), gives="WUE", monthly=True),
    "on_site_generation": Kind(
        "On-site generation",
        ("generated_used_kwh",),
        ("generated_exported_kwh",),
        "purchased electricity",
        monthly=True,
    ),
    "heat_reused": Kind("Heat reused", ("heat_reused_kwh",), gives="energy reuse factor", monthly=True),
    "fuel": Kind("Fuel", ("fuel",), tuple(FUEL_UNITS), "scope 1"),
    "refrigerant": Kind("Refrigerant top-up", ("gas", "gas_kg"), gives="scope 1"),
    "purchase": Kind("Purchase", ("hardware", "count"), gives="scope 3, category 2"),
    "retirement": Kind(
        "Retirement", ("hardware", "count", "mass_kg", "treatment"), gives="scope 3, category 5, and e-waste"
    ),
}
WITHDRAWAL: Final = "withdrawal"
"""Replaces an entry by nothing: a reading that never was."""

NUMBERS: Final = (
    "facility_kwh",
    "it_kwh",
    "water_l",
    "generated_used_kwh",
    "generated_exported_kwh",
    "heat_reused_kwh",
    *FUEL_UNITS,
    "gas_kg",
    "count",
    "mass_kg",
)
TEMPLATE: Final = (
    "site",
    "kind",
    "date",
    *dict.fromkeys(name for kind in KINDS.values() for name in kind.columns),
    "source",
    "replaces",
)
"""The columns of a file, in this order; a file may leave out those that it does not fill."""


@dataclass(frozen=True)
class Entry:
    """One entry as it is stored; ``values`` holds the columns of its kind, and those only."""

    site: str
    kind: str
    day: date
    source: str
    values: Mapping[str, Any] = field(default_factory=dict)
    replaces: int | None = None


@dataclass(frozen=True)
class Fault:
    """
    Why a row is refused: its number (the first row below the header is 1), the field, and what to do.

    ``in_the_way`` is the number of the entry that holds the row's place, where one does.
    """

    row: int
    field: str
    reason: str
    in_the_way: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the fault as the API answers it."""
        return {"row": self.row, "field": self.field, "reason": self.reason}


@dataclass(frozen=True)
class Standing:
    """An entry that stands, as a check needs it."""

    id: int
    site: str
    kind: str
    day: date


@dataclass(frozen=True)
class Known:
    """
    What an entry may name.

    Args:
        sites: slugs of the organization's sites.
        fuels: fuel to the units that a factor is known for.
        gas_of: the name under which a gas is stored, None for one that nobody knows.
        hardware_of: the same for hardware.
        standing: the entries that stand.
        today: UTC; no month after this one has a reading, no event a later day.
    """

    sites: frozenset[str]
    fuels: Mapping[str, frozenset[str]]
    gas_of: Callable[[str], str | None]
    hardware_of: Callable[[str], str | None]
    standing: Sequence[Standing]
    today: date


class UnreadableFile(ValueError):  # said in the words of the product
    """A file that is no table of the template; the message says what to do."""


def rows_of_csv(content: bytes) -> list[dict[str, Any]]:
    """
    Read a CSV file of the template.

    Raises:
        UnreadableFile: not UTF-8, no header, unknown columns, or no row.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableFile("The file is not UTF-8: save it as CSV UTF-8.") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_delimiter(text), restkey="", strict=True)
    try:
        header = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = header
        rows = list(reader)
    except csv.Error as error:
        raise UnreadableFile(f"The file cannot be read as CSV: {error}.") from error
    unknown = sorted(set(header) - set(TEMPLATE))
    if unknown or not {"site", "kind", "date", "source"} <= set(header):
        raise UnreadableFile(
            (f"Unknown columns: {', '.join(unknown)}. " if unknown else "")
            + "The file needs the columns site, kind, date and source of the template, beside those of its kinds."
        )
    if not rows:
        raise UnreadableFile("The file has no row below its header.")
    return rows


def _delimiter(text: str) -> str:
    """Tell which sign separates columns: spreadsheets of some countries write a semicolon."""
    header = text.partition("\n")[0]
    return ";" if header.count(";") > header.count(",") else ","


def template_csv() -> str:
    """Return the template with one example of each kind."""
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, TEMPLATE, lineterminator="\n")
    writer.writeheader()
    writer.writerows({"site": "berlin", "source": "invoice", **row} for row in EXAMPLES)
    return out.getvalue()


EXAMPLES: Final[tuple[dict[str, str], ...]] = (
    {
        "kind": "meter_reading",
        "date": "2026-07",
        "facility_kwh": "120000",
        "it_kwh": "100000",
        "source": "meter 1 and 2",
    },
    {"kind": "water", "date": "2026-07", "water_l": "20000", "source": "invoice of the waterworks"},
    {"kind": "on_site_generation", "date": "2026-07", "generated_used_kwh": "8000", "generated_exported_kwh": "500"},
    {"kind": "heat_reused", "date": "2026-07", "heat_reused_kwh": "30000", "source": "heat meter"},
    {"kind": "fuel", "date": "2026-07-14", "fuel": "diesel", "fuel_l": "400"},
    {"kind": "refrigerant", "date": "2026-07-20", "gas": "R-134a", "gas_kg": "2.5", "source": "service report 118"},
    {"kind": "purchase", "date": "2026-07-02", "hardware": "NVIDIA H100", "count": "8", "source": "delivery note 77"},
    {
        "kind": "retirement",
        "date": "2026-07-30",
        "hardware": "NVIDIA V100",
        "count": "16",
        "mass_kg": "320",
        "treatment": "recycling",
    },
)
