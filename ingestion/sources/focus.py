"""
FOCUS 1.0 to 1.3: bills of cloud providers in the common columns of the FinOps Foundation, as CSV or Parquet.

Every row is in one place: a record (rows of AI services and accelerator machines), outside (all others, counted with
their cost) or quarantine. Which is which the visible table `ai_services.csv` says. Columns are read whole and texts are
understood once per distinct value; nothing here walks over the rows of the file.

A bill restates its months, so records are imported by difference: `record_id` is a hash of the row's key, rows of equal
key are summed, and the last chunk tells which accounts and times the file speaks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final

import numpy as np
import pandas as pd

from core.quantification import records
from core.quantification.rejections import Cover, Rejection
from ingestion.sources import bill_tables, focus_records, focus_rows, private_tables
from ingestion.sources.base import CHUNK_ROWS, Context, Parsed, UnreadablePayload, fill_absent
from ingestion.sources.bill_columns import distinct
from ingestion.sources.bill_meaning import Meaning
from ingestion.sources.focus_rows import Rows, Understanding

NAME: Final = "focus"
SNAPSHOT: Final = True

DROPPED: Final = (
    "Columns and tags that name a person, a credential or content; mail addresses and keys in any cell. Tags "
    "become labels only where the source allows them by name."
)
"""What never reaches the inbox, in words for the privacy page."""

REQUIRED: Final = (
    *("BillingAccountId", "BillingCurrency", "BillingPeriodStart", "ChargeCategory", "ChargePeriodStart"),
    *("ChargePeriodEnd", "EffectiveCost", "ServiceName"),
)
ONE_OF: Final = (
    ("ProviderName", "ServiceProviderName", "HostProviderName"),
    ("ConsumedQuantity", "PricingQuantity"),
    ("ConsumedUnit", "PricingUnit"),
)
"""Columns of which at least one must be there: names changed between versions, and one stands in for the other."""

EDITIONS: Final = (
    ("1.3", ("ServiceProviderName", "HostProviderName", "ContractApplied", "AllocatedMethodId")),
    ("1.2", ("InvoiceId", "BillingAccountType", "SubAccountType", "PricingCurrency")),
    (
        "1.1",
        ("SkuMeter", "SkuPriceDetails", "ServiceSubcategory", "CapacityReservationId", "CommitmentDiscountQuantity"),
    ),
)
"""Version -> columns that it brought; a table without any of them is 1.0."""

UNKNOWN_METERS_NAMED: Final = 5


def detect(head: bytes, filename: str) -> str | None:
    """Recognize the columns of FOCUS, and tell the version by those that came later."""
    if head[:4] == b"PAR1":
        told = b"ChargePeriodStart" in head or "focus" in filename.lower()
        return "FOCUS, Parquet" if told else None
    names = bill_tables.column_names(head)
    known = {name.lower() for name in names}
    if not {"billingaccountid", "chargeperiodstart", "chargecategory"} <= known:
        return None
    edition, reasons = version(names)
    return f"FOCUS {edition}, CSV" + (f" (it has {', '.join(reasons)})" if reasons else "")


def version(names: Sequence[str]) -> tuple[str, list[str]]:
    """Tell the FOCUS version of a table by its columns, and which of them told."""
    known = {name.lower() for name in names}
    for edition, columns in EDITIONS:
        found = [column for column in columns if column.lower() in known]
        if found:
            return edition, found
    return "1.0", []


def scrub(body: bytes, content_type: str, filename: str | None = None) -> bytes:
    """Drop columns and tags that name a person or hold content; a bill has none as a rule, and stays as it is."""
    return private_tables.scrubbed_bytes(body)


def parse(stream: BinaryIO, context: Context, chunk_rows: int = CHUNK_ROWS) -> Iterator[Parsed]:
    """
    Read a bill in chunks.

    Args:
        stream: seekable, at its start; CSV may be packed with gzip or Zstandard.
        context: settings used: `max_age_days`; `plain_machines` (true: machines without accelerators become records
            too), `include_supporting` (true: all supporting rows do); `labels` (names of tags to keep as labels);
            `stage` (of machines whose purpose the bill does not say; else the token's, else training).
        chunk_rows: rows of a chunk; the records of a file, summed by `record_id`, do not depend on it.

    Raises UnreadablePayload: no table, truncated or damaged, or a required column is missing.
    """
    table = bill_tables.open_table(stream, focus_rows.COLUMNS, chunk_rows)
    edition, _ = version(table.names)
    _require(table.names, edition)
    reader = _Reader(context, _Options.of(context.setting))
    pending: Parsed | None = None
    for chunk in table.chunks:
        if pending is not None:
            yield pending
        pending = reader.read(chunk)
    latest = pending or Parsed(records.empty_activity(), [], 0)
    yield replace(latest, cover=reader.cover(), log=[f"Read as FOCUS {edition}, {table.form}.", *reader.remarks()])


def _require(names: Sequence[str], edition: str) -> None:
    known = {name.lower() for name in names}
    missing = [name for name in REQUIRED if name.lower() not in known]
    missing += [" or ".join(some) for some in ONE_OF if not known & {name.lower() for name in some}]
    if missing:
        raise UnreadablePayload(
            f"The table looks like FOCUS {edition}, but these columns are missing: {', '.join(missing)}. "
            "Add them to the export and send it again."
        )


@dataclass(frozen=True)
class _Options:
    """The source's settings that this format knows."""

    plain_machines: bool
    include_supporting: bool
    labels: frozenset[str]
    stage: str | None

    @classmethod
    def of(cls, setting: Mapping[str, object]) -> _Options:
        """Read the settings; raise ValueError naming one of the wrong type."""
        for name in ("plain_machines", "include_supporting"):
            if not isinstance(setting.get(name, False), bool):
                raise ValueError(f"the source's setting {name!r} must be true or false, not {setting[name]!r}")
        labels, stage = setting.get("labels", []), setting.get("stage")
        if not isinstance(labels, list | tuple) or not all(isinstance(label, str) for label in labels):
            raise ValueError(f"the source's setting 'labels' must be a list of tag names, not {labels!r}")
        if stage is not None and not isinstance(stage, str):
            raise ValueError(f"the source's setting 'stage' must be a stage, not {stage!r}")
        return cls(
            plain_machines=setting.get("plain_machines") is True,
            include_supporting=setting.get("include_supporting") is True,
            labels=frozenset(label.strip().lower() for label in labels),
            stage=stage,
        )

    def becomes_record(self, meaning: Meaning) -> bool:
        """Tell whether rows of a meaning become records."""
        if meaning.rule.classification == "supporting":
            return self.include_supporting or (self.plain_machines and meaning.measure != "cost")
        return meaning.rule.classification == "ai"


@dataclass
class _Reader:
    """Reads chunk after chunk; keeps between them only what the last one reports."""

    context: Context
    options: _Options
    understanding: Understanding = field(default_factory=Understanding)
    spans: dict[str, _Span] = field(default_factory=dict)
    unknown_meters: Counter[str] = field(default_factory=Counter)

    def read(self, chunk: bill_tables.Chunk) -> Parsed:
        """Put every row of the chunk in its place."""
        rejected = [
            Rejection(line.row, None, None, "bad_field", f"{line.cells} cells where the header has {line.expected}")
            for line in chunk.broken
        ]
        received = len(chunk.rows) + len(chunk.broken)
        if not len(chunk.rows):
            return Parsed(records.empty_activity(), rejected, received)
        everything = self.understanding.rows(chunk)
        unreadable = focus_rows.faults_of_any_row(everything)
        readable = everything.subset(unreadable.free)
        self._note_cover(readable)
        inside = readable.by_meaning(self.options.becomes_record).astype(bool)
        activity, broken = self._records(readable.subset(inside))
        together = sorted([*rejected, *unreadable.rejections(), *broken], key=lambda each: each.row)
        return Parsed(activity, together, received, int((~inside).sum()), _outside_by(readable, ~inside))

    def _records(self, rows: Rows) -> tuple[pd.DataFrame, list[Rejection]]:
        if not len(rows):
            return records.empty_activity(), []
        context, labels = self.context, self.options.labels
        draft = focus_records.draft(rows, labels, received_at=context.received_at, max_age_days=context.max_age_days)
        rejected = draft.faults.rejections()
        if rejected:
            rows = rows.subset(draft.faults.free)
            draft = focus_records.draft(
                rows, labels, received_at=context.received_at, max_age_days=context.max_age_days
            )
        if not len(rows):
            return records.empty_activity(), rejected
        self._note_unknown_meters(rows)
        frame = focus_records.to_frame(rows, draft, stage=self.options.stage)
        completed = fill_absent(records.conform(frame), context.defaults, {"stage": "training"})
        # Times were held against the receipt row by row, where a running charge period is no fault.
        valid, broken = records.check_activity(completed, limits=context.limits())
        return valid, [*rejected, *broken]

    def _note_unknown_meters(self, rows: Rows) -> None:
        usage = rows.says("ChargeCategory", "usage")
        counts = np.bincount(rows.meaning[usage], minlength=len(rows.meanings))
        for meaning, count in zip(rows.meanings, counts.tolist(), strict=True):
            if count and meaning.rule.flag == "unknown_meter":
                self.unknown_meters[meaning.service] += count

    def remarks(self) -> list[str]:
        """Say what the batch's log should hold."""
        if not self.unknown_meters:
            return []
        named = [f"{service} ({count})" for service, count in self.unknown_meters.most_common(UNKNOWN_METERS_NAMED)]
        count = self.unknown_meters.total()
        known = f"{count} rows of AI services have a meter that no rule knows; only their cost is recorded"
        return [f"{known}: {', '.join(named)}."]

    def _note_cover(self, rows: Rows) -> None:
        if not len(rows):
            return
        bills, names = focus_records.bills_of(rows)
        sub, billing = rows.codes_of("SubAccountId"), rows.codes_of("BillingAccountId")
        accounts = focus_records.account_ids(rows)
        for at in distinct([bills, sub.codes, billing.codes]).first.tolist():
            self.spans.setdefault(names[bills[at]], _Span()).accounts.add(accounts[at])
        usage = rows.says("ChargeCategory", "usage")
        times = pd.DataFrame(
            {
                "start": rows.times["ChargePeriodStart"].values[usage],
                "end": rows.times["ChargePeriodEnd"].values[usage],
            }
        )
        spans = times.groupby(bills[usage]).agg({"start": "min", "end": "max"})
        for bill, start, end in spans.itertuples():
            self.spans[names[bill]].widen(
                start.to_pydatetime().replace(tzinfo=UTC), end.to_pydatetime().replace(tzinfo=UTC)
            )

    def cover(self) -> list[Cover]:
        """
        Tell what the file speaks for: each account that occurs in it, from the first to the last charge period of the
        usage rows of its bill. What is older than the source accepts would be quarantined, so it is not spoken for.
        """
        oldest = self.context.received_at - timedelta(days=self.context.max_age_days)
        return [
            Cover(snapshot, {"account": account}, max(span.start, oldest), span.end)
            for snapshot, span in sorted(self.spans.items())
            if span.start is not None and span.end is not None and span.end > oldest
            for account in sorted(span.accounts)
        ]


@dataclass
class _Span:
    """Accounts of one bill, and from when to when its usage rows run."""

    accounts: set[str] = field(default_factory=set)
    start: datetime | None = None
    end: datetime | None = None

    def widen(self, start: datetime, end: datetime) -> None:
        """Take in an interval."""
        self.start = start if self.start is None else min(self.start, start)
        self.end = end if self.end is None else max(self.end, end)


def _outside_by(rows: Rows, outside: np.ndarray) -> pd.DataFrame:
    """Count the rows of a mask and their cost by classification, service and currency."""
    currency = rows.codes_of("BillingCurrency")
    combinations = distinct([rows.meaning[outside], currency.codes[outside]])
    at = np.flatnonzero(outside)[combinations.first]
    size = len(at)
    frame = pd.DataFrame(
        {
            "classification": rows.by_meaning(lambda meaning: meaning.rule.classification)[at],
            "service": rows.by_meaning(lambda meaning: meaning.service)[at],
            "currency": currency.spread(currency.values)[at],
            "rows": np.bincount(combinations.inverse, minlength=size),
            "cost": np.bincount(combinations.inverse, np.nan_to_num(rows.cost[outside]), minlength=size),
        }
    )
    return frame.groupby(["classification", "service", "currency"], as_index=False, sort=True).sum()
