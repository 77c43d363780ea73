"""A month typed in by hand: what stands in it, what the figure would be, and what would narrow its range most."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import msgspec
from django.utils.translation import gettext_lazy as _

from core.factors.selectors import NoFactorSet, pack_of, shipped_factor_set
from core.ledger.selectors import cells_of_series, series_of_source, source_by_name
from core.organizations.identity import Identity
from core.quantification.activity import MEASURES
from core.quantification.answer import answers
from core.quantification.pack import FactorPack
from ingestion import services, uploads
from ingestion.services.accept import Accepted
from ingestion.sources import monthly_totals
from ingestion.sources.base import Context

Line = dict[str, Any]
"""One line of the template of monthly totals, with only what is filled in."""

TOTAL_PARTS: Final = ("location_kg_co2e", "upstream_kg_co2e", "embodied_kg_co2e")
PER_UNIT: Final = {
    measure.source: measure.per_unit for measure in MEASURES if not measure.source.endswith("utilization")
}
COLUMN: Final = {measure.source: measure.column for measure in MEASURES if not measure.source.endswith("utilization")}
MEASURED_AS: Final = {
    **{name: name for name in monthly_totals.COUNTS},
    "seats": "seat_months",
    "hours": "device_hours",
    "energy_kwh": "energy_kwh",
    "spend": "cost",
}
"""Measures of the template by their name in the activity table."""

LACKING: Final = {
    "no_method": _("Add tokens: requests alone say nothing of how long the answers were."),
    "unknown_model": _("Choose the model from the list, or state its parameters under own factors."),
    "unknown_hardware": _("Choose the computer from the list, or read its kWh from a plug meter."),
    "no_seat_factor": _(
        "No published figure of this product is shipped: enter one under own factors, or import its usage."
    ),
    "no_spend_factor": _("Money alone has no shipped factor: add the tokens, or enter a factor under own factors."),
}
"""What is missing where a line has no figure, by the note that says so."""

NARROWER: Final = {
    "tokens": _("Name the country that serves it; a gateway or agent that reports every call narrows it further."),
    "device": _("Read the kWh from a plug meter or an agent on the computer."),
    "seats": _("Import the product's usage export."),
    "spend": _("Add the tokens of the model."),
}
"""The one better input, by the method of a line."""


@dataclass(frozen=True)
class Worked:
    """
    What the shipped factors make of one line.

    Args:
        line: its number, from 1.
        what: what it is about, in the reader's own words.
        method: of methodology 2; None where there is none.
        data_quality: tier 1 (best) to 5; None without a method.
        kg, low_kg, high_kg: electricity, its upstream and the embodied share, location-based; None: not known. [kg CO2e]
        fault: why the line cannot be taken, "" where it can.
        lacking: what is missing for a figure, or "".
    """

    line: int
    what: str
    method: str | None = None
    data_quality: int | None = None
    kg: float | None = None
    low_kg: float | None = None
    high_kg: float | None = None
    fault: str = ""
    lacking: str = ""

    @property
    def width_kg(self) -> float:
        """Give how wide its range is. [kg CO2e]"""
        return 0.0 if self.low_kg is None or self.high_kg is None else self.high_kg - self.low_kg


@dataclass(frozen=True)
class WorkedOut:
    """All lines of a month with their sum; bounds of lines add up, as if all erred the same way."""

    lines: list[Worked]

    @property
    def known(self) -> list[Worked]:
        """Give the lines that have a figure."""
        return [each for each in self.lines if each.kg is not None]

    @property
    def faults(self) -> list[Worked]:
        """Give the lines that cannot be taken."""
        return [each for each in self.lines if each.fault]

    @property
    def total(self) -> tuple[float, float, float] | None:
        """Give value, low and high; None where no line has a figure. [kg CO2e]"""
        if not self.known:
            return None
        value, low, high = (
            math.fsum(getattr(each, name) for each in self.known) for name in ("kg", "low_kg", "high_kg")
        )
        return value, low, high

    @property
    def widest(self) -> Worked | None:
        """Give the line whose range makes most of the total's."""
        return max(self.known, key=lambda each: each.width_kg, default=None)

    @property
    def better(self) -> str:
        """Say which one better input would narrow the range most."""
        widest = self.widest
        return str(NARROWER.get(widest.method or "", "")) if widest is not None else ""


def months_over(today: date, number: int = 24) -> list[str]:
    """
    List the months that are over, the latest first.

    >>> months_over(date(2026, 2, 3), 3)
    ['2026-01', '2025-12', '2025-11']
    """
    last = today.year * 12 + today.month - 2
    return [f"{month // 12}-{month % 12 + 1:02d}" for month in range(last, last - number, -1)]


def bounds_of(month: str) -> tuple[date, date]:
    """Give the first and the last day of a month like 2026-10."""
    first = date.fromisoformat(f"{month}-01")
    return first, (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)


def lines_of(organization_id: int, month: str) -> list[Line]:
    """Read what stands in a month: the sums of its cells by what they are about, corrections taken in."""
    source = source_by_name(organization_id, monthly_totals.NAME)
    if source is None:
        return []
    series = series_of_source(organization_id, source.id)
    if series.empty:
        return []
    cells = cells_of_series(organization_id, list(series.index), *bounds_of(month))
    sums = cells.groupby("series_id")[[COLUMN[name] for name in MEASURED_AS.values()]].sum()
    found = [_line(series.loc[at], sums.loc[at]) for at in sums.index[sums.any(axis=1)].tolist()]
    return sorted(found, key=lambda line: tuple(str(line.get(name, "")) for name in monthly_totals.TEMPLATE))


def _line(series: Any, sums: Any) -> Line:
    """Write a series and its sums as a line of the template."""
    line: Line = {name: series[name] for name in ("team", "project", "stage", "model", "hardware", "currency")}
    line |= {"vendor": series["provider"], "country": series["zone"]}
    seats = sums[COLUMN["seat_months"]]
    line["product" if seats else "application"] = series["application"]
    for name, source in MEASURED_AS.items():
        units = int(sums[COLUMN[source]])
        number = units / PER_UNIT[source]
        line[name] = None if not units else int(number) if number == int(number) else number
    return {name: value for name, value in line.items() if value is not None}


def worked_out(month: str, lines: Sequence[Line], now: datetime) -> WorkedOut:
    """
    Quantify the lines of a month without storing them, by the shipped factors.

    An organization's own factors, rules and better evidence join in once the month is saved.
    """
    pack = shipped_pack()
    found: dict[int, Worked] = {}
    for parsed in monthly_totals.parse(io.BytesIO(body_of(month, lines)), Context(now)):
        for rejection in parsed.rejected:
            found[rejection.row] = Worked(rejection.row, what_of(lines[rejection.row - 1]), fault=faulty(rejection))
        if pack is None:
            continue
        for row, answer in zip(parsed.activity["row"], answers(parsed.activity, pack), strict=True):
            found[int(row)] = _worked(int(row), lines[int(row) - 1], answer)
    return WorkedOut([found[row] for row in sorted(found)])


def shipped_pack() -> FactorPack | None:
    """Give the shipped factors; None before they are loaded."""
    try:
        return pack_of(shipped_factor_set().content_hash)
    except NoFactorSet:
        return None


def faulty(rejection: Any) -> str:
    """Say what is wrong with a line."""
    field = (rejection.field or "").replace("_", " ")
    return f"{field}: {rejection.detail}" if field else str(rejection.detail)


def what_of(line: Mapping[str, Any]) -> str:
    """Name a line by what it is about."""
    words = [line.get(name) for name in ("vendor", "model", "product", "hardware", "application")]
    return " ".join(str(word) for word in words if word)


def _worked(row: int, line: Line, answer: Mapping[str, Any]) -> Worked:
    impacts = answer["impacts"]
    known = [impacts[name] for name in TOTAL_PARTS if impacts.get(name) is not None]
    electric = impacts.get("location_kg_co2e") is not None
    sums = {at: math.fsum(part[at] for part in known) for at in ("value", "low", "high")} if electric else {}
    lacking = [LACKING[note] for note in answer["notes"] if note in LACKING]
    return Worked(
        row,
        what_of(line),
        method=answer["method"],
        data_quality=answer["data_quality"],
        kg=sums.get("value"),
        low_kg=sums.get("low"),
        high_kg=sums.get("high"),
        lacking="" if electric else str(lacking[0] if lacking else ""),
    )


def body_of(month: str, lines: Sequence[Line]) -> bytes:
    """Write lines as the payload that their adapter reads."""
    return msgspec.json.encode([{"month": month, **line} for line in lines])


def save(identity: Identity, month: str, lines: Sequence[Line]) -> Accepted:
    """Put a month into the inbox like any other delivery; what stood there before is replaced once it is read."""
    body = body_of(month, lines)
    file = uploads.Upload(f"typed-in-{month}.json", lambda: io.BytesIO(body), "application/json")
    return services.accept_files(identity=identity, given=[file], wanted=monthly_totals.NAME)


def utc_now() -> datetime:
    """Give the present time, UTC."""
    return datetime.now(UTC)
