"""
Totals of a month that somebody typed in or keeps in a sheet: tokens and spend by model, hours of computers, seats.

One line, one use; what is filled in says which: tokens or requests of a model, hours of a computer, seats of a product, or
money alone. A file speaks for its months whole, so a month sent again replaces what stood there.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification.activity import STAGES
from core.quantification.private import names_private_value
from core.quantification.prose import brief
from core.quantification.rejections import Cover, Rejection
from ingestion.sources import bill_tables
from ingestion.sources.base import (
    CHUNK_ROWS,
    Context,
    Parsed,
    UnreadablePayload,
    digest,
    open_maybe_compressed,
    unpacked,
)
from ingestion.sources.months import calendar_month
from ingestion.sources.usage_pages import Bucket, Outcome, Reading, account_of, documents
from ingestion.sources.vocabulary import provider_slug

NAME: Final = "monthly_totals"
SNAPSHOT: Final = True
SUMMED: Final = True
COVERS_APART: Final = True

DROPPED: Final = "Every column that the template does not have."
"""What never reaches the inbox, in words for the privacy page."""

WHAT: Final = "monthly totals"
TEXTS: Final = (
    "team",
    "project",
    "application",
    "stage",
    "vendor",
    "model",
    "product",
    "hardware",
    "country",
    "currency",
)
COUNTS: Final = ("requests", "input_tokens", "output_tokens")
NUMBERS: Final = (*COUNTS, "seats", "hours", "energy_kwh", "spend")
TEMPLATE: Final = ("month", *TEXTS, *NUMBERS)
"""Columns of the template. `country` (ISO 3166) is where the hardware stands, `energy_kwh` what its meter counted."""

LONGEST_TEXT: Final = 200
MOST_BYTES: Final = 16 * 1024**2
MEASURES: Final = ("requests", "input_tokens", "output_tokens", "seats", "hours", "energy_kwh", "spend")
"""Columns of which a line has at least one."""


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the template by its month and the measures beside it."""
    if head.lstrip()[:1] in (b"{", b"["):
        return None  # rows that were read before have no need to be recognized
    names = set(map(plain, bill_tables.column_names(head)))
    own = {"hours", "output_tokens", "spend"} & names
    return "monthly totals" if "month" in names and own and names <= {*TEMPLATE, ""} else None


def plain(name: str) -> str:
    """Write a column's name as the template does."""
    return "_".join(name.removeprefix("\ufeff").strip().lower().replace("-", " ").split())


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Keep the template's columns. Raises UnreadablePayload when it is no sheet of monthly totals."""
    return msgspec.json.encode(brief(_stored(body)))


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Do the same to a file."""
    body = open_maybe_compressed(stream).read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise UnreadablePayload(f"A sheet of monthly totals may have {MOST_BYTES // 1024**2} MB. Split it by month.")
    return io.BytesIO(scrub(body, ""))


def _stored(body: bytes) -> list[dict[str, Any] | None]:
    content = unpacked(body)
    lines = documents(content, WHAT) if content.lstrip()[:1] in (b"{", b"[") else _csv_lines(content)
    known = [
        {plain(str(key)): value for key, value in line.items()} if isinstance(line, dict) else None for line in lines
    ]
    names = {name for line in known if line for name in line}
    if known and ("month" not in names or not names & set(MEASURES)):
        raise UnreadablePayload(
            f"There is no column 'month' with one of {', '.join(MEASURES)} beside it. The template has {', '.join(TEMPLATE)}."
        )
    return [None if line is None else _kept(line) for line in known]


def _csv_lines(content: bytes) -> list[dict[str, Any] | None]:
    names = [name for name in bill_tables.column_names(content[: bill_tables.HEAD_BYTES]) if name]
    table = bill_tables.open_table(io.BytesIO(content), bill_tables.picker(names), CHUNK_ROWS)
    found: list[dict[str, Any] | None] = []
    for chunk in table.chunks:
        columns = {name: column.to_pylist() for name, column in chunk.columns.items()}
        found += [{name: values[at] for name, values in columns.items()} for at in range(len(chunk.rows))]
        found += [None] * len(chunk.broken)
    return found


def _kept(line: Mapping[str, Any]) -> dict[str, Any]:
    """Keep the columns of the template; a text that holds a mail address or a key says nothing."""
    kept: dict[str, Any] = {}
    for name in TEMPLATE:
        if name not in line:
            continue
        value = line[name]
        if isinstance(value, str):
            value = value.strip()[:LONGEST_TEXT] or None
        elif isinstance(value, bool) or not isinstance(value, int | float):
            value = None
        kept[name] = None if names_private_value(value) else value
    return kept


# --- records ----------------------------------------------------------------------------------------------------------


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """Read the lines; those of a month that is not over are left for when it is."""
    reading = _Months(context, {})
    for line in _stored(open_maybe_compressed(stream).read(MOST_BYTES + 1)):
        reading.line(line)
    yield from reading.parsed()


class _Months(Reading):
    """Turns lines into records of whole months."""

    def line(self, line: Mapping[str, Any] | None) -> None:
        """Take one line of the sheet."""
        row = self.next_row()
        month = calendar_month((line or {}).get("month"))
        if month is not None and self.is_running(month):
            self.leave_for_later()
            return
        outcome = _record(row, line, month, self.context)
        self.take(outcome, 0)
        if isinstance(outcome, dict):
            self.speak_for([outcome["snapshot"]], _time_of(outcome))

    def _cover(self) -> list[Cover]:
        return [Cover(snapshot, {}) for snapshot in sorted(self._spans)]


def _time_of(record: Mapping[str, Any]) -> Bucket:
    """Give the time of a record."""
    return Bucket(record["started_at"], record["ended_at"])


def _record(row: int, line: Mapping[str, Any] | None, month: Bucket | None, context: Context) -> Outcome:
    if line is None:
        return Rejection(row, None, None, "bad_field", "the line does not have the cells of the header", None)
    numbers = {name: _number(line.get(name)) for name in NUMBERS}
    fault = _fault(line, month, numbers)
    if fault is not None or month is None:
        field, detail = fault or ("month", "it is missing")
        return Rejection(row, None, field, "bad_field", detail, dict(line))
    texts = {name: _text(line.get(name)) for name in TEXTS}
    name = str(line["month"])
    record = {
        "account": account_of(context),
        "team": texts["team"],
        "project": texts["project"],
        "zone": texts["country"].upper() if texts["country"] else None,
        "cost": numbers["spend"],
        "currency": texts["currency"].upper() if texts["currency"] and numbers["spend"] is not None else None,
        **_use(texts, numbers),
    }
    measured = [each for each in NUMBERS if numbers[each] is not None]
    return {
        "row": row,
        "record_id": f"month:{name}:{digest(*(record.get(each) for each in _ABOUT), *measured)[:24]}",
        "snapshot": f"{NAME}:{name}",
        "started_at": month.started_at,
        "ended_at": month.ended_at,
        **record,
    }


_ABOUT: Final = (
    *(
        "account",
        "team",
        "project",
        "application",
        "stage",
        "hosting",
        "provider",
        "model",
        "hardware",
        "zone",
        "currency",
    ),
)
"""What a line is about: with the month and the measures it has, the natural key of its record."""


def _use(texts: Mapping[str, str | None], numbers: Mapping[str, float | None]) -> dict[str, Any]:
    """Tell what a line is about: a computer, seats, or what a vendor serves."""
    vendor = provider_slug(texts["vendor"]) if texts["vendor"] else None
    if numbers["hours"] is not None or numbers["energy_kwh"] is not None:
        metered = numbers["energy_kwh"] is not None
        return {
            "evidence": "measured" if metered else "modelled",
            "application": texts["application"],
            "stage": texts["stage"] or "experimentation",
            "hosting": "owned",
            "hardware": texts["hardware"],
            "model": texts["model"],
            "device_hours": numbers["hours"],
            "energy_kwh": numbers["energy_kwh"],
            "energy_boundary": "it" if metered else None,
        }
    return {
        "evidence": "modelled",
        "application": texts["product"] or texts["application"],
        "stage": texts["stage"] or "inference",
        "hosting": "api",
        "provider": vendor,
        "model": texts["model"],
        "seat_months": numbers["seats"],
        **{name: None if numbers[name] is None else int(numbers[name] or 0) for name in COUNTS},
    }


def _fault(
    line: Mapping[str, Any], month: Bucket | None, numbers: Mapping[str, float | None]
) -> tuple[str, str] | None:
    """Find what makes a line impossible: (field, detail)."""
    if month is None:
        return "month", f"{str(line.get('month'))[:40]!r} is no month like 2026-10"
    for name in NUMBERS:
        value = numbers[name]
        if line.get(name) is not None and (value is None or (value < 0 and name != "spend")):
            return name, f"{str(line[name])[:40]!r} is no number of zero or more"
        if name in COUNTS and value is not None and not value.is_integer():
            return name, "it is no whole number"
    if all(numbers[name] is None for name in MEASURES):
        return MEASURES[0], f"the line has none of {', '.join(MEASURES)}"
    for needed, by in (
        ("vendor", "seats"),
        ("product", "seats"),
        ("model", "input_tokens"),
        ("model", "output_tokens"),
    ):
        if numbers[by] is not None and _text(line.get(needed)) is None:
            return needed, f"{by} are given without it"
    if numbers["spend"] is not None and _text(line.get("currency")) is None:
        return "currency", "spend is given without it"
    if numbers["hours"] is not None and numbers["energy_kwh"] is None and _text(line.get("hardware")) is None:
        return "hardware", "hours are given without it and without energy_kwh"
    stage = _text(line.get("stage"))
    return None if stage is None or stage in STAGES else ("stage", f"it is one of {', '.join(STAGES)}")


def _text(value: object) -> str | None:
    return None if value is None or str(value).strip() == "" else str(value).strip()


def _number(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # anything else raises
    except (TypeError, ValueError, OverflowError):
        return None
    return number if abs(number) < 1e15 else None  # infinities and NaN are none
