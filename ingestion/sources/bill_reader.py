"""
Bills of every format, read by one reader: each row ends in one place, as a record, outside or in quarantine.

A record are rows of AI services and accelerator machines; outside are all others, counted with their cost. Which is which
the visible table `ai_services.csv` says. Columns are read whole and texts are understood once per distinct value; nothing
here walks over the rows of the file. How a format joins in: `bill_format`.

A bill restates its months, so records are imported by difference: `record_id` is a hash of the row's key, rows of equal
key are summed, and the last chunk tells which accounts and times the file speaks for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, Final

import numpy as np
import pandas as pd

from core.quantification import records
from core.quantification.rejections import Cover, Rejection
from ingestion.sources import bill_records, bill_rows, bill_tables
from ingestion.sources.base import CHUNK_ROWS, Context, Parsed, SettingError, fill_absent
from ingestion.sources.bill_columns import distinct
from ingestion.sources.bill_format import REPEATED, BillFormat
from ingestion.sources.bill_meaning import Meaning
from ingestion.sources.bill_rows import Rows, Understanding
from ingestion.sources.service_rules import Rulebook

UNKNOWN_METERS_NAMED: Final = 5


def read_bill(stream: BinaryIO, context: Context, form: BillFormat, chunk_rows: int = CHUNK_ROWS) -> Iterator[Parsed]:
    """
    Read a bill in chunks.

    Args:
        stream: seekable, at its start; CSV may be packed with gzip or Zstandard.
        context: settings used: `max_age_days`; `plain_machines` (true: machines without accelerators become records
            too), `include_supporting` (true: all supporting rows do); `labels` (names of tags to keep as labels);
            `stage` (of machines whose purpose the bill does not say; else the token's, else training); `service_rules`
            (the organization's own, before `ai_services.csv`).
        form: the bill's format.
        chunk_rows: rows of a chunk; the records of a file, summed by `record_id`, do not depend on it.

    Raises UnreadablePayload: no table, truncated or damaged, a required column is missing, or a setting is of no use.
    """
    table = form.open(stream, form.pick, chunk_rows)
    what = form.check(table.names)
    rules = Rulebook.of(context.setting)
    reader = _Reader(context, _Options.of(context.setting), Understanding(form, rules))
    pending: Parsed | None = None
    for chunk in table.chunks:
        if pending is not None:
            yield pending
        pending = reader.read(chunk)
    latest = pending or Parsed(records.empty_activity(), [], 0)
    cover = reader.cover() if form.snapshot else []
    yield replace(latest, cover=cover, log=[f"Read as {what}, {table.form}.", *reader.remarks()])


@dataclass(frozen=True)
class _Options:
    """The source's settings that bills know."""

    plain_machines: bool
    include_supporting: bool
    labels: frozenset[str]
    stage: str | None

    @classmethod
    def of(cls, setting: Mapping[str, object]) -> _Options:
        """Read the settings; raise SettingError naming one of the wrong type."""
        for name in ("plain_machines", "include_supporting"):
            if not isinstance(setting.get(name, False), bool):
                raise SettingError(f"the source's setting {name!r} must be true or false, not {setting[name]!r}")
        labels, stage = setting.get("labels", []), setting.get("stage")
        if not isinstance(labels, list | tuple) or not all(isinstance(label, str) for label in labels):
            raise SettingError(f"the source's setting 'labels' must be a list of tag names, not {labels!r}")
        if stage is not None and not isinstance(stage, str):
            raise SettingError(f"the source's setting 'stage' must be a stage, not {stage!r}")
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
    understanding: Understanding
    spans: dict[str, _Span] = field(default_factory=dict)
    unknown_meters: Counter[str] = field(default_factory=Counter)
    charges: dict[tuple[str, str], tuple[int, float]] = field(default_factory=dict)

    def read(self, chunk: bill_tables.Chunk) -> Parsed:
        """Put every row of the chunk in its place."""
        rejected = [Rejection(line.row, None, None, "bad_field", line.detail) for line in chunk.broken]
        received = len(chunk.rows) + len(chunk.broken)
        if not len(chunk.rows):
            return Parsed(records.empty_activity(), rejected, received)
        everything = self.understanding.rows(chunk)
        unreadable = bill_rows.faults_of_any_row(everything)
        readable = everything.subset(unreadable.free)
        self._note_cover(readable)
        inside = readable.by_meaning(self.options.becomes_record).astype(bool)
        inside &= ~readable.says("ChargeCategory", REPEATED)
        activity, broken = self._records(readable.subset(inside))
        records_of = bill_records.part_of(unreadable, everything.by_meaning(self.options.becomes_record).astype(bool))
        together = sorted([*rejected, *unreadable.rejections(records_of), *broken], key=lambda each: each.row)
        return Parsed(activity, together, received, int((~inside).sum()), _outside_by(readable, ~inside))

    def _records(self, rows: Rows) -> tuple[pd.DataFrame, list[Rejection]]:
        if not len(rows):
            return records.empty_activity(), []
        context, labels = self.context, self.options.labels
        draft = bill_records.draft(rows, labels, received_at=context.received_at, max_age_days=context.max_age_days)
        rejected = draft.faults.rejections(bill_records.part_of(draft.faults, np.ones(len(rows), dtype=bool)))
        if rejected:
            rows = rows.subset(draft.faults.free)
            draft = bill_records.draft(rows, labels, received_at=context.received_at, max_age_days=context.max_age_days)
        if not len(rows):
            return records.empty_activity(), rejected
        self._note_unknown_meters(rows)
        self._note_charges(rows)
        frame = bill_records.to_frame(rows, draft, stage=self.options.stage)
        completed = fill_absent(records.conform(frame), context.defaults, {"stage": "training"})
        # Times were held against the receipt row by row, where a running charge period is no fault.
        valid, broken = records.check_activity(completed, limits=context.limits(), only_team=context.only_team)
        return valid, [*rejected, *broken]

    def _note_unknown_meters(self, rows: Rows) -> None:
        usage = rows.says("ChargeCategory", "usage")
        counts = np.bincount(rows.meaning[usage], minlength=len(rows.meanings))
        for meaning, count in zip(rows.meanings, counts.tolist(), strict=True):
            if count and meaning.rule.flag == "unknown_meter":
                self.unknown_meters[meaning.service] += count

    def _note_charges(self, rows: Rows) -> None:
        """Sum up what is no usage (credits, taxes, fees) by category and currency."""
        category, currency = rows.codes_of("ChargeCategory"), rows.codes_of("BillingCurrency")
        other = np.flatnonzero((category.codes >= 0) & ~rows.says("ChargeCategory", "usage"))
        combinations = distinct([category.codes[other], currency.codes[other]])
        size = len(combinations.first)
        counts = np.bincount(combinations.inverse, minlength=size).tolist()
        costs = np.bincount(combinations.inverse, np.nan_to_num(rows.cost[other]), minlength=size).tolist()
        for at, count, cost in zip(other[combinations.first].tolist(), counts, costs, strict=True):
            key = category.values[category.codes[at]].lower(), currency.values[currency.codes[at]]
            earlier = self.charges.get(key, (0, 0.0))
            self.charges[key] = earlier[0] + count, earlier[1] + cost

    def remarks(self) -> list[str]:
        """Say what the batch's log should hold."""
        charged = [
            f"{count} {'row' if count == 1 else 'rows'} of AI services charged as {category} ({cost:,.2f} {currency}):"
            " money alone, from which no tokens, hours or emissions follow."
            for (category, currency), (count, cost) in sorted(self.charges.items())
        ]
        return charged + self._remarks_on_meters()

    def _remarks_on_meters(self) -> list[str]:
        if not self.unknown_meters:
            return []
        named = [f"{service} ({count})" for service, count in self.unknown_meters.most_common(UNKNOWN_METERS_NAMED)]
        count = self.unknown_meters.total()
        known = f"{count} rows of AI services have a meter that no rule knows; only their cost is recorded"
        return [f"{known}: {', '.join(named)}."]

    def _note_cover(self, rows: Rows) -> None:
        if not len(rows):
            return
        bills, names = bill_records.bills_of(rows)
        sub, billing = rows.codes_of("SubAccountId"), rows.codes_of("BillingAccountId")
        accounts = bill_records.account_ids(rows)
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
