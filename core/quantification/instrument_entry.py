"""Contractual instruments as somebody enters them: a form, a line of CSV or JSON becomes an entry, or is refused with reasons."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from core.quantification.activity import HOSTINGS
from core.quantification.electricity_markets import Markets
from core.quantification.instruments import ORDER
from core.quantification.serials import SerialError, SerialRange, serial_range

FIELDS: Final = (
    "type",
    "kind",
    "energy_kwh",
    "intensity_g_per_kwh",
    "market",
    "vintage",
    "carbon_free",
    "technology",
    "pool",
    "reference",
    "bought_kwh",
    "retired_on",
    "registry",
    "serial_first",
    "serial_last",
    "document",
)
"""Columns of a file and keys of a JSON object, in this order."""

POOL_DIMENSIONS: Final = ("site", "project", "team", "hosting")
"""What an instrument can be assigned to, the narrowest first: electricity that two pools would hold is in the first."""

KWH_PER_CERTIFICATE: Final = 1_000
MOST_KWH: Final = Decimal(10) ** 14
MOST_G_PER_KWH: Final = 3_000.0
MOST_TEXT: Final = 500

_TRUE: Final = ("yes", "true", "1")
_FALSE: Final = ("", "no", "false", "0")
_YEAR: Final = re.compile(r"\d{4}")
_MONTH: Final = re.compile(r"(\d{4})-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class Fault:
    """What is wrong with an entry: its row (1 is the first), the field, and why."""

    row: int
    field: str
    reason: str

    def as_dict(self) -> dict[str, object]:
        return {"row": self.row, "field": self.field, "reason": self.reason}


@dataclass(frozen=True)
class Retirement:
    """Certificates taken out of circulation for the reporter, in one registry."""

    retired_on: date
    registry: str
    serials: SerialRange
    serial_first: str
    serial_last: str


@dataclass(frozen=True)
class Entry:
    """
    An instrument that can be kept.

    Args:
        vintage_start, vintage_end: of the generation, half-open, within one calendar year; UTC days.
        pool: empty: the whole market; else a dimension and its value, such as ``site:fra-1``.
        reference, bought_kwh: the contract or delivery that it is a part of, and the volume of all its parts.
    """

    type: str
    kind: str
    energy_kwh: Decimal
    intensity_g_per_kwh: float
    market: str
    vintage_start: date
    vintage_end: date
    carbon_free: bool
    technology: str
    pool: str
    reference: str
    bought_kwh: Decimal | None
    document: str
    retirement: Retirement | None


class EntryError(ValueError):
    """An entry that is refused; ``faults`` has every reason."""

    def __init__(self, faults: list[Fault]) -> None:
        super().__init__(" ".join(f"Row {fault.row}, {fault.field}: {fault.reason}" for fault in faults))
        self.faults = faults


def read_entry(
    given: Mapping[str, Any], *, row: int, today: date, markets: Markets, countries: Mapping[str, str]
) -> Entry:
    """
    Read one instrument.

    Args:
        given: some of ``FIELDS``; text as in a file, or what JSON has.
        today: UTC; nothing lies after it.
        markets, countries: those that there are, and every known zone with its country.

    Raises:
        EntryError: with all that is wrong.
    """
    return _Reader(given, row, today, markets, countries).entry()


class _Reader:
    """Reads fields and gathers what is wrong with them."""

    def __init__(
        self, given: Mapping[str, Any], row: int, today: date, markets: Markets, countries: Mapping[str, str]
    ) -> None:
        self.given, self.row, self.today = given, row, today
        self.markets, self.countries = markets, countries
        self.faults: list[Fault] = []

    def refuse(self, name: str, reason: str) -> None:
        self.faults.append(Fault(self.row, name, reason))

    def entry(self) -> Entry:
        for name in self.given:
            if name not in FIELDS:
                self.refuse(str(name), f"There is no such field; the fields are {', '.join(FIELDS)}.")
        energy = self.energy("energy_kwh", required=True)
        bought = self.energy("bought_kwh", required=False)
        vintage = self.vintage()
        technology = self.text("technology")
        carbon_free = self.truth("carbon_free")
        if carbon_free and not technology:
            self.refuse("technology", "Carbon-free electricity names its technology, such as wind.")
        reference = self.text("reference")
        if bought is not None and not reference:
            self.refuse("reference", "A bought volume belongs to a contract or delivery: give its number.")
        if bought is not None and energy is not None and energy > bought:
            self.refuse("energy_kwh", f"More is used than was bought: {energy} of {bought} kWh.")
        kind_of = self.type()
        retirement = self.retirement(kind_of, energy, vintage)
        market, intensity, pool = self.market(), self.intensity(), self.pool()
        kind, document = self.text("kind"), self.text("document")
        if self.faults or energy is None or vintage is None or intensity is None:
            raise EntryError(self.faults)
        return Entry(
            type=kind_of,
            kind=kind or kind_of.replace("_", " "),
            energy_kwh=energy,
            intensity_g_per_kwh=intensity,
            market=market,
            vintage_start=vintage[0],
            vintage_end=vintage[1],
            carbon_free=carbon_free,
            technology=technology,
            pool=pool,
            reference=reference,
            bought_kwh=bought,
            document=document,
            retirement=retirement,
        )

    def text(self, name: str) -> str:
        value = self.given.get(name)
        if value is None:
            return ""
        if not isinstance(value, (str, int, float, bool, Decimal, date)):
            self.refuse(name, "This is no text.")
            return ""
        text = " ".join(str(value).split())
        if len(text) > MOST_TEXT or "\x00" in text:
            self.refuse(name, f"This is no text of at most {MOST_TEXT} characters.")
            return ""
        return text

    def type(self) -> str:
        text = self.text("type").casefold().replace(" ", "_")
        if text not in ORDER:
            self.refuse("type", f"Use one of {', '.join(ORDER)}.")
        return text

    def energy(self, name: str, *, required: bool) -> Decimal | None:
        text = self.text(name)
        if (not text and not required) or any(fault.field == name for fault in self.faults):
            return None
        try:
            value = Decimal(text)
        except InvalidOperation:
            self.refuse(name, "Give the volume in kWh, with a point as decimal sign.")
            return None
        if not value.is_finite() or not 0 < value <= MOST_KWH:
            self.refuse(name, f"The volume must be more than 0 kWh and at most {MOST_KWH:,} kWh.")
            return None
        if value != value.quantize(Decimal("0.001")):
            self.refuse(name, "Volumes are kept to the watt-hour: give at most three decimals.")
            return None
        return value

    def intensity(self) -> float | None:
        try:
            value = float(self.text("intensity_g_per_kwh"))
        except ValueError:
            value = math.nan
        if not 0.0 <= value <= MOST_G_PER_KWH:
            self.refuse(
                "intensity_g_per_kwh", f"The intensity must lie between 0 and {MOST_G_PER_KWH:,.0f} g CO2e per kWh."
            )
            return None
        return value

    def market(self) -> str:
        text = self.text("market")
        if self.markets.named(text, self.countries) is None:
            known = ", ".join(self.markets.members)
            self.refuse("market", f"{text!r} is no market: use {known}, or a country such as DE.")
        return text if text in self.markets.members else text.upper()

    def truth(self, name: str) -> bool:
        text = self.text(name).casefold()
        if text not in (*_TRUE, *_FALSE):
            self.refuse(name, "Use yes or no.")
        return text in _TRUE

    def pool(self) -> str:
        text = self.text("pool")
        name, colon, value = text.partition(":")
        if not text:
            return ""
        if not colon or name not in POOL_DIMENSIONS or not value.strip():
            self.refuse("pool", f"Name one of {', '.join(POOL_DIMENSIONS)} and its value, such as site:fra-1.")
        if name == "hosting" and value.strip() not in ("owned", "colocated"):
            rented = ", ".join(each for each in HOSTINGS if each not in ("owned", "colocated"))
            self.refuse(
                "pool", f"Instruments are for owned and colocated hardware; {rented} has its provider's factor."
            )
        return f"{name}:{value.strip()}"

    def vintage(self) -> tuple[date, date] | None:
        text = self.text("vintage")
        try:
            start, end = _period(text)
        except ValueError:
            self.refuse("vintage", "Name a year, a month or two days: 2026, 2026-07 or 2026-01-01/2026-06-30.")
            return None
        if end <= start:
            self.refuse("vintage", "The last day lies before the first.")
        elif start.year != (end - timedelta(days=1)).year:
            self.refuse("vintage", "A vintage lies within one calendar year: split the volume by year.")
        elif start > self.today:
            self.refuse("vintage", f"The vintage {text} lies in the future: nothing of it has been generated.")
        else:
            return start, end
        return None

    def retirement(self, kind_of: str, energy: Decimal | None, vintage: tuple[date, date] | None) -> Retirement | None:
        """Read when and where certificates were retired; only certificates are."""
        given = {name: self.text(name) for name in ("retired_on", "registry", "serial_first", "serial_last")}
        if not any(given.values()):
            return None
        if kind_of != "certificate":
            self.refuse("retired_on", "Only certificates are retired: enter those of a contract as certificates.")
            return None
        if not given["retired_on"]:
            self.refuse("retired_on", "Serial numbers count once they are retired: give the day.")
            return None
        try:
            return read_retirement(
                **given,
                today=self.today,
                energy_kwh=energy,
                vintage_start=vintage[0] if vintage else None,
                row=self.row,
            )
        except EntryError as error:
            self.faults += error.faults
            return None


def read_retirement(
    *,
    retired_on: str,
    registry: str,
    serial_first: str,
    serial_last: str,
    today: date,
    energy_kwh: Decimal | None,
    vintage_start: date | None,
    row: int = 1,
) -> Retirement:
    """Read a retirement. Raises EntryError for days to come, serial numbers that make no range, and too few of them."""
    faults = []
    day = today
    try:
        day = date.fromisoformat(retired_on)
    except ValueError:
        faults.append(Fault(row, "retired_on", f"{retired_on!r} is no day like 2027-03-31."))
    if day > today:
        faults.append(Fault(row, "retired_on", "The day lies in the future."))
    if vintage_start is not None and day < vintage_start:
        faults.append(Fault(row, "retired_on", "Certificates are not retired before they are generated."))
    try:
        serials = serial_range(registry, serial_first, serial_last)
    except SerialError as error:
        raise EntryError([*faults, Fault(row, "serial_first", str(error))]) from error
    if energy_kwh is not None and energy_kwh > serials.count * KWH_PER_CERTIFICATE:
        reason = f"{serials.count:,} certificates are {serials.count:,} MWh: more is used than was bought."
        faults.append(Fault(row, "energy_kwh", reason))
    if faults:
        raise EntryError(faults)
    return Retirement(
        day, " ".join(registry.split()), serials, serial_first.strip(), (serial_last or serial_first).strip()
    )


def _period(text: str) -> tuple[date, date]:
    """Read a year, a month, or two days (inclusive) as a half-open period."""
    if _YEAR.fullmatch(text):
        return date(int(text), 1, 1), date(int(text) + 1, 1, 1)
    month = _MONTH.fullmatch(text)
    if month:
        year, number = int(month[1]), int(month[2])
        return date(year, number, 1), date(year + number // 12, number % 12 + 1, 1)
    first, _, last = text.partition("/")
    return date.fromisoformat(first.strip()), date.fromisoformat(last.strip()) + timedelta(days=1)


@dataclass(frozen=True)
class Hours:
    """Generation by UTC hour: from the first hour on, None where none is known. [kWh]"""

    starts_at: datetime
    energy_kwh: tuple[float | None, ...]


def read_hours(
    rows: Iterable[tuple[str, str]], *, vintage_start: date, vintage_end: date, energy_kwh: Decimal
) -> Hours:
    """
    Read hourly volumes; half-hours are added up, an hour that is not there stays unknown.

    Args:
        rows: time (RFC 3339 with offset) and kWh.

    Raises:
        EntryError: what is no hour or no volume, lies outside the vintage, comes twice, or adds up to more than the volume.
    """
    first = datetime(vintage_start.year, vintage_start.month, vintage_start.day, tzinfo=UTC)
    end = datetime(vintage_end.year, vintage_end.month, vintage_end.day, tzinfo=UTC)
    faults: list[Fault] = []
    seen: dict[datetime, float] = {}
    for number, (text, amount) in enumerate(rows, 1):
        try:
            at = datetime.fromisoformat(text.strip())
            value = float(amount)
        except ValueError:
            faults.append(
                Fault(number, "hour", f"{text!r}, {amount!r} is no time and volume: 2026-07-01T10:00:00Z,12.5")
            )
            continue
        if at.tzinfo is None or at.minute % 30 or at.second or at.microsecond:
            faults.append(
                Fault(number, "hour", f"{text} is no full or half hour with its zone, such as ...T10:00:00Z.")
            )
        elif not first <= at < end:
            faults.append(Fault(number, "hour", f"{text} lies outside the vintage."))
        elif not 0.0 <= value < math.inf:
            faults.append(Fault(number, "energy_kwh", f"{amount} is no volume of 0 kWh or more."))
        elif at in seen:
            faults.append(Fault(number, "hour", f"{text} is there twice."))
        else:
            seen[at] = value
    by_hour: dict[datetime, list[float]] = {}
    for at, value in seen.items():
        by_hour.setdefault(at.astimezone(UTC).replace(minute=0), []).append(value)
    total = math.fsum(seen.values())
    if not by_hour and not faults:
        faults.append(Fault(1, "hour", "There is no hour."))
    if total > float(energy_kwh) * (1 + 1e-9):
        faults.append(
            Fault(1, "energy_kwh", f"The hours add up to {total:,.3f} kWh, more than the {energy_kwh} bought.")
        )
    if faults:
        raise EntryError(faults)
    starts_at = min(by_hour)
    count = int((max(by_hour) - starts_at) / timedelta(hours=1)) + 1
    volumes = [by_hour.get(starts_at + timedelta(hours=each)) for each in range(count)]
    return Hours(starts_at, tuple(None if each is None else math.fsum(each) for each in volumes))


def read_csv(content: bytes) -> list[dict[str, str]]:
    """Read a file of instruments. Raises ValueError for text that is no UTF-8, and for columns that nobody has."""
    try:
        reader = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), strict=True)
        rows = [dict(row) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"The file is no CSV in UTF-8: {error}.") from error
    unknown = [name for name in reader.fieldnames or () if name not in FIELDS]
    if unknown:
        raise ValueError(f"There is no column {unknown[0]!r}; the columns are {', '.join(FIELDS)}.")
    if any(None in row for row in rows):
        raise ValueError("A line has more values than there are columns.")
    return rows
