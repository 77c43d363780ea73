"""
Seats of bought assistants: how many, by product, team and month, and how many of them were used.

A template (CSV or JSON), with a line for each team or for each person, and GitHub Copilot's own answers. People are
counted while the file comes in; none of their names is stored. A file is a snapshot of its products and months.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, Final

import msgspec

from core.quantification.private import names_a_person
from core.quantification.prose import brief
from core.quantification.rejections import Cover, Rejection
from ingestion.sources import bill_tables, copilot_seats
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

NAME: Final = "assistant_seats"
SNAPSHOT: Final = True
COVERS_APART: Final = True

DROPPED: Final = "Who holds a seat: persons are counted while a file comes in, by team, product and month."
"""What never reaches the inbox, in words for the privacy page."""

FALLBACK: Final = {"stage": "inference"}

WHAT: Final = "the seats of an assistant"
TEMPLATE: Final = (
    *("month", "vendor", "product", "team", "project", "account", "seats", "active_users"),
    *("metered_seats", "cost", "currency"),
)
"""Columns of the template; `metered_seats` are those whose tokens another source reports."""
MOST_BYTES: Final = 64 * 1024**2
REQUIRED: Final = ("month", "vendor", "product")
_WHOSE: Final = ("month", "vendor", "product", "team", "project", "account")
_ACTIVE: Final = "active"
"""Of a line for each person: whether the seat was used (yes, true, 1)."""

_MONTH_IN_NAME: Final = re.compile(r"(?<!\d)(20\d\d-(?:0[1-9]|1[0-2]))(?!\d)")
_PERSON_WORDS: Final = frozenset({"name", "display_name", "member"})
"""In a table of seats, besides what names a person everywhere."""


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the template by its columns, and Copilot's answers by theirs."""
    start = head.lstrip()[:1]
    if start in (b"{", b"["):
        if (b'"assignee"' in head and b'"seats"' in head) or b'"seat_breakdown"' in head:
            return "GitHub Copilot seats"
        if b'"copilot_ide_code_completions"' in head:
            return "GitHub Copilot metrics"
        return (
            "seats of assistants" if _has_columns(re.findall(r'"(\w+)"\s*:', head.decode("utf-8", "replace"))) else None
        )
    return "seats of assistants" if _has_columns(bill_tables.column_names(head)) else None


def _has_columns(names: Any) -> bool:
    found = {_plain(name) for name in names}
    return found >= set(REQUIRED) and ("seats" in found or any(map(_is_person, found)))


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """
    Count the people of a file and keep the counts. Raises UnreadablePayload when it is neither the template nor an answer
    of an API that is read here.
    """
    return msgspec.json.encode(brief(_stored(body)))


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Do the same to a file: who holds a seat is counted before names are taken out, so it is read whole."""
    plain = open_maybe_compressed(stream).read(MOST_BYTES + 1)
    if len(plain) > MOST_BYTES:
        raise UnreadablePayload(f"A file of seats may have {MOST_BYTES // 1024**2} MB. Split it by month.")
    return io.BytesIO(scrub(plain, ""))


def _stored(body: bytes) -> list[dict[str, Any]]:
    plain = unpacked(body)
    if plain.lstrip()[:1] not in (b"{", b"["):
        return _counted(_csv_rows(plain))
    values = documents(plain, WHAT)
    if values and all(isinstance(value, dict) and isinstance(value.get("form"), str) for value in values):
        return values  # counted before
    if values and all(copilot_seats.is_answer(value) for value in values):
        return copilot_seats.counted(values)
    return _counted(
        [{_plain(str(key)): value[key] for key in value} if isinstance(value, dict) else None for value in values]
    )


def _csv_rows(plain: bytes) -> list[dict[str, Any] | None]:
    head = plain[: bill_tables.HEAD_BYTES]
    names = [name for name in bill_tables.column_names(head) if name]
    table = bill_tables.open_table(io.BytesIO(plain), bill_tables.picker(names), CHUNK_ROWS)
    found: list[dict[str, Any] | None] = []
    for chunk in table.chunks:
        columns = {_plain(name): column.to_pylist() for name, column in chunk.columns.items()}
        found += [{name: values[at] for name, values in columns.items()} for at in range(len(chunk.rows))]
        found += [None] * len(chunk.broken)
    return found


def _counted(lines: list[dict[str, Any] | None]) -> list[dict[str, Any]]:
    """Keep the template's columns; lines of people become one row for each team, product and month."""
    names = {name for line in lines if line for name in line}
    missing = [name for name in REQUIRED if name not in names]
    if lines and missing:
        raise UnreadablePayload(
            f"There is no column {missing[0]!r}. {', '.join(TEMPLATE)} are read (month, vendor and product are needed), and"
            " GitHub Copilot's own answers; other exports are not known: bring their sums into the template."
        )
    people = sorted(filter(_is_person, names))
    if not people and "seats" not in names and lines:
        raise UnreadablePayload("There is neither a column 'seats' nor a line for each person ('user').")
    rows = [_row(line) for line in lines] if not people else _people(lines, people)
    return [{"form": "seats", "rows": 1, **row} if "form" not in row else row for row in rows]


def _row(line: Mapping[str, Any] | None) -> dict[str, Any]:
    if line is None:
        return {"form": "broken", "detail": "the line does not have the cells of the header", "rows": 1}
    return {name: _scalar(line[name]) for name in TEMPLATE if _scalar(line.get(name)) is not None}


def _people(lines: list[dict[str, Any] | None], columns: list[str]) -> list[dict[str, Any]]:
    """Count persons by what their lines say besides; who stands twice in one team holds one seat."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    broken = 0
    for line in lines:
        if line is None:
            broken += 1
            continue
        key = tuple(_scalar(line.get(name)) for name in _WHOSE)
        group = groups.setdefault(key, {"rows": 0, "held": set(), "used": set()})
        person = tuple(str(line.get(name) or "").strip().lower() for name in columns)
        group["rows"] += 1
        group["held"].add(person)
        if str(line.get(_ACTIVE) or "").strip().lower() in ("1", "true", "yes", "y"):
            group["used"].add(person)
    rows: list[dict[str, Any]] = [
        {
            **{name: value for name, value in zip(_WHOSE, key, strict=True) if value is not None},
            "seats": len(group["held"]),
            **({"active_users": len(group["used"])} if any(_ACTIVE in line for line in lines if line) else {}),
            "rows": group["rows"],
        }
        for key, group in groups.items()
    ]
    return [*rows, *([{"form": "broken", "detail": "the line lacks cells", "rows": broken}] if broken else [])]


def _plain(name: str) -> str:
    return re.sub(r"[\s-]+", "_", name.strip().lower().removeprefix("\ufeff"))


def _is_person(name: str) -> bool:
    return name in _PERSON_WORDS or names_a_person(name)


def _scalar(value: object) -> str | int | float | None:
    if isinstance(value, str):
        return value.strip()[:200] or None
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


# --- records ----------------------------------------------------------------------------------------------------------


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """
    Read counted seats. Copilot's answers do not say their month: the setting `month` does, else the file's name.

    Raises UnreadablePayload when neither does.
    """
    rows = _stored(open_maybe_compressed(stream).read())
    reading = _Seats(context, FALLBACK)
    copilot = [row for row in rows if row["form"] in copilot_seats.FORMS]
    for row in rows:
        if row["form"] not in copilot_seats.FORMS:
            reading.seats(row)
    if copilot:
        reading.copilot(copilot)
    yield from reading.parsed()


class _Seats(Reading):
    """Turns counted rows into records of seat-months."""

    def __init__(self, context: Context, fallback: Mapping[str, str]) -> None:
        super().__init__(context, fallback)
        self._scopes: dict[tuple[str, str | None], None] = {}

    def copilot(self, rows: list[dict[str, Any]]) -> None:
        """Add up what is of one product and team, leaving out seats given after the month."""
        month = _month_of(self.context)
        totals: dict[tuple[Any, ...], dict[str, Any]] = {}
        metrics = later = 0
        for row in rows:
            if row["form"] == copilot_seats.METRICS:
                metrics += _rows(row)
            elif (row.get("created_month") or "") > month:
                later += _rows(row)
            else:
                key = (copilot_seats.product_of(row.get("plan")), row.get("team"), row.get("organization"))
                total = totals.setdefault(key, {"seats": 0.0, "active": 0.0, "rows": 0})
                seats = _number(row.get("seats"))
                used = seats if (row.get("active_month") or "") >= month else _number(row.get("active"))
                total["seats"] = None if seats is None or total["seats"] is None else total["seats"] + seats
                total["active"] += used or 0
                total["rows"] += _rows(row)
        for (product, team, organization), total in totals.items():
            given = {"month": month, "vendor": copilot_seats.VENDOR, "product": product, "team": team}
            sums = {"seats": total["seats"], "active_users": round(total["active"]), "rows": total["rows"]}
            self.seats({**given, "account": organization, **sums})
        self.received += metrics + later
        self.outside += metrics + later
        if metrics:
            self.log.append(
                f"{metrics:,} metrics are outside: they describe the use of the seats, which count by themselves"
            )
        if later:
            self.log.append(f"{later:,} seats were given after {month}")

    def seats(self, row: Mapping[str, Any]) -> None:
        """Take one counted row."""
        number, rows = self.received + 1, _rows(row)
        self.received += rows
        month = calendar_month(row.get("month"))
        if month is not None and self.is_running(month):
            self.outside += rows
            self.log.append(f"{row['month']} is not over: its seats count once it is")
            return
        outcome = _record(number, rows, row, month, self.context)
        self.take(outcome, 0)
        if isinstance(outcome, dict):
            self._scopes[outcome["snapshot"], outcome["account"]] = None

    def _cover(self) -> list[Cover]:
        return [Cover(snapshot, {"account": account}) for snapshot, account in self._scopes]


def _rows(row: Mapping[str, Any]) -> int:
    rows = row.get("rows")
    return rows if type(rows) is int and 0 < rows < 2**31 else 1


def _record(number: int, rows: int, row: Mapping[str, Any], month: Bucket | None, context: Context) -> Outcome:
    if row.get("form") == "broken":
        return Rejection(number, None, None, "bad_field", str(row.get("detail"))[:200], None, rows)
    fault = _fault(row, month)
    if fault is not None or month is None:
        field, detail = fault or ("month", "it is missing")
        return Rejection(number, None, field, "bad_field", detail, dict(row), rows)
    seats, metered, active = (_number(row.get(name)) for name in ("seats", "metered_seats", "active_users"))
    vendor, product = provider_slug(str(row["vendor"])), str(row["product"])
    whose = {name: str(row[name]) if row.get(name) is not None else None for name in ("team", "project", "account")}
    account = whose["account"] or account_of(context)
    cost = _number(row.get("cost"))
    return {
        "row": number,
        "rows": rows,
        "record_id": f"seats:{row['month']}:{digest(vendor, product, account, whose['team'], whose['project'])[:24]}",
        "snapshot": f"{NAME}:{vendor}:{product}"[:190] + f":{row['month']}",
        "started_at": month.started_at,
        "ended_at": month.ended_at,
        **whose,
        "account": account,
        "application": product,
        "hosting": "api",
        "provider": vendor,
        "evidence": "modelled",
        "seat_months": (seats or 0.0) - (metered or 0.0),
        "cost": cost,
        "currency": str(row["currency"]).upper() if cost is not None and row.get("currency") else None,
        "labels": {} if active is None else {"active_users": int(active)},
    }


def _fault(row: Mapping[str, Any], month: Bucket | None) -> tuple[str, str] | None:
    """Find what makes a row impossible: (field, detail)."""
    if month is None:
        return "month", f"{str(row.get('month'))[:40]!r} is no month like 2026-10"
    for name in ("vendor", "product"):
        if not row.get(name):
            return name, "it is missing"
    numbers = {name: _number(row.get(name)) for name in ("seats", "active_users", "metered_seats", "cost")}
    for name, number in numbers.items():
        if row.get(name) is not None and (number is None or (number < 0 and name != "cost")):
            return name, f"{str(row[name])[:40]!r} is no number of zero or more"
    if numbers["seats"] is None:
        return "seats", "it is missing"
    if (numbers["metered_seats"] or 0) > numbers["seats"]:
        return "metered_seats", "they are more than the seats"
    if numbers["active_users"] is not None and not numbers["active_users"].is_integer():
        return "active_users", "it is no whole number"
    return None


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < 1e15 else None  # infinities and NaN are none


def _month_of(context: Context) -> str:
    named = context.setting.get("month")
    if isinstance(named, str) and calendar_month(named):
        return named
    found = _MONTH_IN_NAME.search(context.filename or "")
    if found is None:
        raise UnreadablePayload(
            "GitHub's answer does not say of which month it is. Name the file after it (copilot-seats-2026-10.json), or give"
            " the source the setting `month`."
        )
    return found[1]
