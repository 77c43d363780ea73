"""
Rows of the register read one by one: every fault of every row is told at once, with what to do. Plain Python, no database.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from core.catalog.entries import KINDS, NUMBERS, TEMPLATE, WITHDRAWAL, Entry, Fault, Kind, Known
from core.quantification.scope1 import FUEL_UNITS

TREATMENTS: Final = ("reuse", "recycling", "incineration", "landfill", "unknown")
LARGEST: Final = Decimal(10) ** 14
"""First number with more digits before its point than the stored columns hold."""
LARGEST_COUNT: Final = 10_000_000
EARLIEST: Final = date(1990, 1, 1)
DECIMALS: Final = 6


def read_rows(rows: Iterable[Mapping[str, Any]], known: Known) -> tuple[list[Entry], list[Fault]]:
    """
    Turn rows into entries, or say of every fault where it is and what to do.

    Args:
        rows: of ``TEMPLATE``; text, or numbers as JSON has them; empty text and None are absent.

    Returns:
        As many entries as rows where there is no fault; with any fault nothing should be written.
    """
    entries: list[Entry] = []
    faults: list[Fault] = []
    taken = _Taken(known)
    for number, row in enumerate(rows, 1):
        reading = _Row(number, row, known)
        entry = reading.entry()
        if entry is not None:
            reading.faults += taken.refusals(number, entry)
        if not reading.faults and entry is not None:
            taken.add(number, entry)
            entries.append(entry)
        faults += reading.faults
    return entries, faults


class _Taken:
    """What stands already, in the register and in the rows so far: a month has one reading of a kind."""

    def __init__(self, known: Known) -> None:
        self._standing = {each.id: each for each in known.standing}
        self._month = {
            (each.site, each.kind, each.day): f"entry {each.id}"
            for each in known.standing
            if each.kind in KINDS and KINDS[each.kind].monthly
        }
        self._replaced: dict[int, int] = {}

    def refusals(self, number: int, entry: Entry) -> list[Fault]:
        before = self._standing.get(entry.replaces or 0)
        if entry.replaces is not None:
            if before is None:
                return [
                    Fault(number, "replaces", f"No entry {entry.replaces} stands: it is unknown or replaced already.")
                ]
            if entry.replaces in self._replaced:
                return [
                    Fault(number, "replaces", f"Row {self._replaced[entry.replaces]} replaces entry {entry.replaces}.")
                ]
        if entry.kind == WITHDRAWAL or not KINDS[entry.kind].monthly:
            return []
        holder = self._month.get((entry.site, entry.kind, entry.day))
        if holder is None or (before is not None and holder == f"entry {before.id}"):
            return []
        what = f"{KINDS[entry.kind].label} of {entry.site} in {entry.day:%Y-%m}"
        standing = int(holder.removeprefix("entry ")) if holder.startswith("entry ") else None
        advice = f"to correct it, put {standing} into replaces" if standing else "keep one"
        return [Fault(number, "date", f"{what} is there already ({holder}): {advice}.", standing)]

    def add(self, number: int, entry: Entry) -> None:
        if entry.replaces is not None:
            before = self._standing[entry.replaces]
            self._replaced[entry.replaces] = number
            self._month.pop((before.site, before.kind, before.day), None)
        if entry.kind != WITHDRAWAL and KINDS[entry.kind].monthly:
            self._month[entry.site, entry.kind, entry.day] = f"row {number}"


class _Row:
    """One row in the reading; faults gather, so that all of them are told at once."""

    def __init__(self, number: int, row: Mapping[str, Any], known: Known) -> None:
        self._number = number
        self._row = {str(name): _cell(value) for name, value in row.items()}
        self._known = known
        self.faults: list[Fault] = []

    def entry(self) -> Entry | None:
        """Read the row; None where a fault leaves nothing to go on with."""
        kind = self._kind()
        self._unknown_columns(kind)
        site, source = (
            self._site(),
            self._text("source", "Say where the figure comes from: an invoice, a meter, a report."),
        )
        replaces = self._replaces()
        if kind is None:
            return None
        monthly = kind != WITHDRAWAL and KINDS[kind].monthly
        day = self._day(monthly=monthly)
        values = {} if kind == WITHDRAWAL else self._values(KINDS[kind])
        if kind == WITHDRAWAL and replaces is None:
            self._fault("replaces", "A withdrawal names the entry that it withdraws.")
        if self.faults or day is None:
            return None
        return Entry(site, kind, day, source, values, replaces)

    def _fault(self, name: str, reason: str) -> None:
        self.faults.append(Fault(self._number, name, reason))

    def _kind(self) -> str | None:
        kind = self._row.get("kind", "")
        if kind in KINDS or kind == WITHDRAWAL:
            return kind
        said = f"{kind!r} is no kind of entry" if kind else "The kind is missing"
        self._fault("kind", f"{said}: use one of {', '.join((*KINDS, WITHDRAWAL))}.")
        return None

    def _unknown_columns(self, kind: str | None) -> None:
        own = TEMPLATE if kind is None else ("site", "kind", "date", "source", "replaces")
        own = own if kind is None or kind == WITHDRAWAL else (*own, *KINDS[kind].columns)
        for name, text in self._row.items():
            if name not in TEMPLATE:
                self._fault(name or "row", "There is no such column: see the template.")
            elif text and name not in own:
                self._fault(name, f"An entry of kind {kind} has no {name}: leave it empty, or choose another kind.")

    def _site(self) -> str:
        site = self._row.get("site", "")
        if site not in self._known.sites:
            known = ", ".join(sorted(self._known.sites)) or "none yet"
            said = f"There is no site {site!r}" if site else "The site is missing"
            self._fault("site", f"{said}: known sites are {known}. Add the site first.")
        return site

    def _text(self, name: str, missing: str) -> str:
        text = self._row.get(name, "")
        if not text:
            self._fault(name, missing)
        return text

    def _replaces(self) -> int | None:
        text = self._row.get("replaces", "")
        if not text:
            return None
        if not text.isdecimal() or len(text) > 18:
            self._fault("replaces", "Give the number of the entry that this one replaces.")
            return None
        return int(text)

    def _day(self, *, monthly: bool) -> date | None:
        text = self._row.get("date", "")
        form = "a month such as 2026-07" if monthly else "a day such as 2026-07-14"
        try:
            day = date.fromisoformat(f"{text}-01" if monthly and len(text) == 7 else text)
        except ValueError:
            self._fault("date", f"{text!r} is no date: give {form}." if text else f"The date is missing: give {form}.")
            return None
        if monthly and day.day != 1:
            self._fault("date", f"A reading is about a month: give {day:%Y-%m}.")
        elif day > self._known.today:
            self._fault("date", f"{text} lies in the future: enter what has been read, not what is expected.")
        elif day < EARLIEST:
            self._fault("date", f"{text} lies before {EARLIEST.year}: check the year.")
        else:
            return day
        return None

    def _values(self, kind: Kind) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for name in kind.columns:
            text = self._row.get(name, "")
            if not text:
                if name in kind.required:
                    self._fault(name, f"{kind.label}: {name} is missing.")
            elif name in NUMBERS:
                values[name] = self._count(text) if name == "count" else self._number_of(name, text)
            else:
                values[name] = text
        self._plausible(values)
        return {name: value for name, value in values.items() if value is not None}

    def _number_of(self, name: str, text: str) -> Decimal | None:
        try:
            value = Decimal(text)
        except InvalidOperation:
            self._fault(
                name, f"{text!r} is no number: write it with a point as decimal sign and no thousands separators."
            )
            return None
        if not value.is_finite() or value < 0:
            self._fault(
                name, f"{text} cannot be: a quantity is 0 or more. A correction replaces the entry it corrects."
            )
        elif value >= LARGEST:
            self._fault(name, f"{text} is too large: check its unit, {name.rpartition('_')[2]}.")
        elif -int(value.normalize().as_tuple().exponent) > DECIMALS:
            self._fault(name, f"{text} has more than {DECIMALS} decimals: round it.")
        else:
            return value
        return None

    def _count(self, text: str) -> int | None:
        if not text.isdecimal() or not 0 < int(text[:9]) <= LARGEST_COUNT:
            self._fault("count", f"{text!r} is no number of units: give a whole number above 0.")
            return None
        return int(text)

    def _plausible(self, values: dict[str, Any]) -> None:
        """Hold what was read against what can be, and spell names as they are stored."""
        facility, it = values.get("facility_kwh"), values.get("it_kwh")
        if it is not None and it == 0:
            self._fault("it_kwh", "IT drew nothing: leave it empty where there is no meter for IT.")
        elif facility is not None and it is not None and facility < it:
            self._fault(
                "it_kwh", f"IT's {it} kWh are more than the facility's {facility} kWh (PUE below 1): check both meters."
            )
        if "fuel" in values:
            self._fuel(values)
        for name, named in (("gas", self._known.gas_of), ("hardware", self._known.hardware_of)):
            if name in values:
                known = named(values[name])
                if known is None:
                    self._fault(name, f"No factor is known for {values[name]!r}: {_ADVICE[name]}")
                values[name] = known
        if values.get("treatment") is not None and values["treatment"] not in TREATMENTS:
            self._fault("treatment", f"{values['treatment']!r} is no treatment: use one of {', '.join(TREATMENTS)}.")
        for name in ("mass_kg", "gas_kg", *FUEL_UNITS):
            if values.get(name) == 0:
                self._fault(name, "Nothing is no entry: give what was there, or withdraw the entry it replaces.")

    def _fuel(self, values: dict[str, Any]) -> None:
        fuel = values["fuel"]
        units = self._known.fuels.get(fuel)
        if units is None:
            self._fault("fuel", f"No factor is known for {fuel!r}: use one of {', '.join(sorted(self._known.fuels))}.")
            return
        fitting = [name for name, unit in FUEL_UNITS.items() if unit in units]
        given = [name for name in FUEL_UNITS if self._row.get(name)]
        if len(given) != 1:
            self._fault("fuel", f"Give the quantity of {fuel} once, in {' or '.join(fitting)}.")
        elif given[0] not in fitting:
            self._fault(
                given[0], f"No factor is known for {fuel} in {FUEL_UNITS[given[0]]}: use {' or '.join(fitting)}."
            )


_ADVICE: Final = {
    "gas": "use a name such as R-134a, R-410A or HFC-32 of the factor tables.",
    "hardware": "use a name of the hardware table, or `server` for one without accelerators.",
}


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | list | dict):
        return repr(value)
    if isinstance(value, float):
        return f"{Decimal(repr(value)):f}"
    return str(value).strip()
