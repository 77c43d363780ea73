"""
Google Cloud's Carbon Footprint export: the monthly table `carbon_footprint`, as JSON lines, CSV or Parquet.

Each row states a location-based and a market-based total and becomes two records, so its counts are of figures. A newer
carbon model restates its months: of each month the highest `carbon_model_version` stands, in whatever order files arrive.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, Final

from core.quantification import records
from core.quantification.rejections import Cover, Rejection
from ingestion.sources import bill_columns, carbon_statements, nested_tables, private_tables
from ingestion.sources.base import CHUNK_ROWS, Context, Parsed, UnreadablePayload, digest, finish, limit_labels
from ingestion.sources.bill_meaning import region_of
from ingestion.sources.bill_tables import Chunk, Table
from ingestion.sources.carbon_statements import Month, Superseded, month_of, number_of, version_of
from ingestion.sources.service_rules import Rulebook

NAME: Final = "gcp_carbon"
SNAPSHOT: Final = True

DROPPED: Final = (
    "Fields that name a person, a credential or content, mail addresses and keys; the export has none by itself."
)
"""What never reaches the inbox, in words for the privacy page."""

TOTAL: Final = "carbon_footprint_total_kgCO2e"
PARTS: Final = "carbon_footprint_kgCO2e"
BASES: Final = (("location", f"{TOTAL}.location_based"), ("market", f"{TOTAL}.market_based"))

COLUMNS: Final = (
    *("usage_month", "billing_account_id", "project.number", "project.id", "service.id", "service.description"),
    *("location.location", "location.region", "carbon_model_version"),
    *(f"{PARTS}.scope1", f"{PARTS}.scope2.location_based", f"{PARTS}.scope2.market_based", f"{PARTS}.scope3"),
    *(column for _, column in BASES),
)
REQUIRED: Final = ("usage_month", "billing_account_id", "service.description", "carbon_model_version")

PARTS_TOLERANCE: Final = 0.02
"""Share by which the scopes may miss their total before the figure is flagged `parts_mismatch`."""


class _Bad(Exception):
    """A row cannot be read: the field and what is wrong with it."""

    def __init__(self, field: str, detail: str, reason: str = "bad_field") -> None:
        super().__init__(detail)
        self.field, self.detail, self.reason = field, detail, reason


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the totals of the export, however their names are flattened."""
    if b"carbon_footprint_total_kgco2e" in head.lower() or b"carbon_model_version" in head.lower():
        return "Google Cloud Carbon Footprint export"
    return None


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Drop what is private, which the table has no column for; raise UnreadablePayload when it cannot be read."""
    with scrub_file(io.BytesIO(body)) as clean:
        return clean.read()


def scrub_file(stream: BinaryIO) -> BinaryIO:
    """Do the same to a file of any size."""
    nested_tables.refuse_avro(stream)
    return private_tables.scrubbed(stream)


def survey(stream: BinaryIO, context: Context) -> dict[str, list[str]]:
    """Tell which model versions a file has of each month: snapshot -> versions. The stream stays where it was."""
    start = stream.tell()
    found: dict[str, set[str]] = {}
    for chunk in _opened(stream).chunks:
        for row in _rows(chunk):
            try:
                found.setdefault(_snapshot(row, _month(row)), set()).add(_version(row))
            except _Bad:
                continue
    stream.seek(start)
    return {snapshot: sorted(versions) for snapshot, versions in found.items() if versions}


def parse(stream: BinaryIO, context: Context) -> Iterator[Parsed]:
    """
    Read the table in chunks. Rows of an older model version than `context.known` names for their month are outside.

    Settings used: `max_age_days`, `service_rules`.

    Raises UnreadablePayload: no such table, damaged, or a column is missing.
    """
    table = _opened(stream)
    reader = _Reader(context)
    pending: Parsed | None = None
    for chunk in table.chunks:
        if pending is not None:
            yield pending
        pending = reader.read(chunk)
    latest = pending or Parsed(records.empty_activity(), [], 0)
    log = [f"Read as Carbon Footprint export, {table.form}.", *reader.superseded.remarks()]
    yield replace(latest, log=log, cover=carbon_statements.spoken_for(reader.cover(), context))


def _opened(stream: BinaryIO) -> Table:
    table = nested_tables.open_table(stream, COLUMNS, CHUNK_ROWS)
    missing = [name for name in REQUIRED if name not in table.names]
    if not any(column in table.names for _, column in BASES):
        missing.append(f"{TOTAL}.location_based")
    if missing:
        raise UnreadablePayload(
            f"The table looks like no Carbon Footprint export: these columns are missing: {', '.join(missing)}. "
            "Export the table carbon_footprint whole; the parts of a column may be flattened with a dot or underscore."
        )
    return table


def _rows(chunk: Chunk) -> Iterator[dict[str, Any]]:
    """Give a chunk's rows with trimmed text and `row`; what says nothing is None."""
    columns = {name: _plain(array) for name, array in chunk.columns.items()}
    for at, number in enumerate(chunk.rows.tolist()):
        yield {**{name: values[at] for name, values in columns.items()}, "row": number}


def _plain(array: bill_columns.Column) -> list[Any]:
    values: list[Any] = bill_columns.as_text(array).to_pylist()
    return values


@dataclass
class _Reader:
    """Reads chunk after chunk; keeps between them what the last one reports."""

    context: Context
    covered: dict[tuple[str, str | None], Cover] = field(default_factory=dict)
    superseded: Superseded = field(init=False)
    rules: Rulebook = field(init=False)

    def __post_init__(self) -> None:
        """Take what the context knows."""
        self.superseded = Superseded(self.context.known)
        self.rules = Rulebook.of(self.context.setting)

    def read(self, chunk: Chunk) -> Parsed:
        """Make two records of each row, one for each basis that it states."""
        read: list[dict[str, Any]] = []
        rejected = [Rejection(line.row, None, None, "bad_field", line.detail) for line in chunk.broken]
        outside = 0
        for row in _rows(chunk):
            try:
                found = self._records(row)
            except _Bad as bad:
                payload = {name: value for name, value in row.items() if value is not None and name != "row"}
                rejected.append(Rejection(row["row"], None, bad.field, bad.reason, bad.detail, payload))
                continue
            read += found
            outside += not found
        received = len(read) + len(rejected) + outside
        return finish(
            records.to_activity(read),
            self.context,
            received=received,
            rejected=rejected,
            outside=outside,
            fallback=carbon_statements.FALLBACK,
        )

    def _records(self, row: Mapping[str, Any]) -> list[dict[str, Any]]:
        month = _month(row)
        snapshot, version = _snapshot(row, month), _version(row)
        if self.superseded.by_newer(snapshot, version):
            return []
        figures = _figures(row)
        account = _account(row)
        renewed = self.superseded.replaces_older(snapshot, version)
        scope = {} if renewed else {"account": account}
        self.covered[snapshot, None if renewed else account] = Cover(snapshot, scope, month.started_at, month.ended_at)
        service_name = row.get("service.description") or row.get("service.id") or "(no service)"
        service = carbon_statements.service_of(self.rules, "gcp", service_name)
        common = {
            "row": row["row"],
            "snapshot": snapshot,
            "started_at": month.started_at,
            "ended_at": month.ended_at,
            "account": account,
            "evidence": "stated",
            "provider": "gcp",
            "region": region_of(row.get("location.region"))[0],
            "hosting": service.hosting,
            "stage": service.stage,
            "labels": limit_labels(
                {
                    "service": service_name,
                    "classification": service.classification,
                    "model_version": version,
                    "location": row.get("location.location"),
                }
            ),
        }
        key = [row.get(name) for name in ("project.number", "service.id", "service.description", "location.location")]
        key = [month, row["billing_account_id"], account if key[0] is None else key[0], key[1] or key[2], key[3]]
        return [
            {
                **common,
                "record_id": f"gcp_carbon:{digest(*key, basis)}",
                "reported_kg_co2e": figure_kg,
                "reported_basis": basis,
                "flags": ["parts_mismatch"] if _mismatch(row, basis, figure_kg) else [],
            }
            for basis, figure_kg in figures.items()
        ]

    def cover(self) -> list[Cover]:
        """Tell what the file speaks for: the months of the accounts in it, or whole months that a new model restates."""
        whole = {snapshot for snapshot, account in self.covered if account is None}
        return [
            cover
            for (snapshot, account), cover in sorted(
                self.covered.items(), key=lambda each: (each[0][0], each[0][1] or "")
            )
            if account is None or snapshot not in whole
        ]


def _month(row: Mapping[str, Any]) -> Month:
    month = month_of(row.get("usage_month"))
    if month is None:
        raise _Bad("usage_month", f"{str(row.get('usage_month'))[:40]!r} is not a month like 2026-10-01")
    return month


def _version(row: Mapping[str, Any]) -> str:
    version = row.get("carbon_model_version")
    if not version or not version_of(version):
        raise _Bad("carbon_model_version", "it is missing" if not version else f"{version[:40]!r} is not a version")
    return str(version)[:40]


def _snapshot(row: Mapping[str, Any], month: Month) -> str:
    if not row.get("billing_account_id"):
        raise _Bad("billing_account_id", "it is missing")
    return f"{NAME}:{row['billing_account_id'][:100]}:{month}"


def _account(row: Mapping[str, Any]) -> str:
    """Give the account as Google's bill names it: the project, which deleted ones have as a number only."""
    return str(row.get("project.id") or row.get("project.number") or row["billing_account_id"])


def _figures(row: Mapping[str, Any]) -> dict[str, float]:
    """Read the totals that a row states, by basis. [kg CO2e]"""
    figures: dict[str, float] = {}
    for basis, column in BASES:
        value = row.get(column)
        if value is None:
            continue
        number = number_of(value)
        if number is None:
            raise _Bad(column, f"{value[:40]!r} is not a number")
        if number < 0:
            raise _Bad(column, f"it is negative: {value[:40]}", "negative_quantity")
        figures[basis] = number
    if not figures:
        raise _Bad(f"{TOTAL}.location_based", "it is missing, and so is market_based")
    return figures


def _mismatch(row: Mapping[str, Any], basis: str, total_kg: float) -> bool:
    """Tell whether the scopes of a row miss its total by more than the tolerance; where one is missing, nothing is told."""
    names = (f"{PARTS}.scope1", f"{PARTS}.scope2.{basis}_based", f"{PARTS}.scope3")
    parts = [number_of(row.get(name)) for name in names]
    if any(part is None for part in parts):
        return False
    return abs(sum(part for part in parts if part is not None) - total_kg) > PARTS_TOLERANCE * abs(total_kg)
