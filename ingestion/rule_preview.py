"""What rules for bills would change: the latest delivery of a source read under the rules of today and under others."""

from __future__ import annotations

import importlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np

from core.ledger.models import Source
from ingestion import reading
from ingestion.models import Batch, State
from ingestion.sources import service_rules
from ingestion.sources.ai_services import Rule
from ingestion.sources.base import UnreadablePayload
from ingestion.sources.bill_format import BillFormat
from ingestion.sources.bill_rows import Rows, Understanding
from ingestion.sources.own_units import own_units
from ingestion.sources.service_rules import Rulebook

KINDS: Final = ("focus", "aws_cur2", "azure_cost", "gcp_billing")
"""Formats of bills, whose rows rules put into classes."""
ROWS_AT_MOST: Final = 50_000
CHUNK_ROWS: Final = 10_000


@dataclass
class Moved:
    """Bill rows that other rules read otherwise: how many, and their cost by currency."""

    rows: int = 0
    cost: dict[str, float] = field(default_factory=lambda: defaultdict(float))


@dataclass
class RulesPreview:
    """
    What rules would change in a delivery.

    Args:
        received_at: when the delivery came, UTC.
        rows: that were read; `whole` says whether these are all.
        moved: (what a row is by the rules of today, what by the others) -> rows and cost.
        matched: name of a rule -> rows that it decides by the other rules.
    """

    received_at: datetime
    rows: int = 0
    whole: bool = True
    moved: dict[tuple[str, str], Moved] = field(default_factory=lambda: defaultdict(Moved))
    matched: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def changed(self) -> int:
        """Count the rows that change."""
        return sum(each.rows for each in self.moved.values())


def preview_of(source: Source, rules: Sequence[Mapping[str, Any]]) -> RulesPreview | None:
    """
    Read the latest delivery of a bill, 50,000 rows at most, under the rules of today and under others.

    Returns None where nothing was delivered yet or the payload is no longer kept. Raises SettingError for rules of no use.
    """
    form: BillFormat = importlib.import_module(f"ingestion.sources.{source.kind}").FORM
    before = Rulebook.of(source.settings)
    after = Rulebook(service_rules.own_rules(list(rules)), own_units(source.settings))
    batch = _latest(source)
    if batch is None:
        return None
    found = RulesPreview(batch.received_at)
    for stored in reading.stored_files(source.organization_id, [batch.payload_of or batch.id]):
        try:
            with reading.opened(stored) as stream:
                table = form.open(stream, form.pick, CHUNK_ROWS)
                form.check(table.names)
                known = Understanding(form, before), Understanding(form, after)
                for chunk in table.chunks:
                    if found.rows >= ROWS_AT_MOST:
                        found.whole = False
                        break
                    if len(chunk.rows):
                        _compare(found, known[0].rows(chunk), known[1].rows(chunk))
        except UnreadablePayload:
            found.whole = False  # a manifest, or a part that cannot be read
    return found if found.rows else None


def _latest(source: Source) -> Batch | None:
    batches = Batch.objects.filter(
        organization_id=source.organization_id, source_id=source.id, state=State.DONE, dry_run=False, replay=False
    )
    return batches.order_by("-received_at", "-id").first()


def _compare(found: RulesPreview, before: Rows, after: Rows) -> None:
    """Add a chunk's rows up by what they are under both rulebooks."""
    found.rows += len(before)
    was, will = before.by_meaning(lambda each: each.rule), after.by_meaning(lambda each: each.rule)
    currencies = before.codes_of("BillingCurrency")
    names = currencies.spread(currencies.values)
    cost = np.nan_to_num(before.cost)
    rows = zip(was.tolist(), will.tolist(), cost.tolist(), names.tolist(), strict=True)
    for old, new, amount, currency in rows:
        found.matched[new.name] += 1
        if in_words(old) != in_words(new):
            moved = found.moved[in_words(old), in_words(new)]
            moved.rows += 1
            moved.cost[str(currency)] += amount


def in_words(rule: Rule) -> str:
    """Say what a rule makes of a row: its class, and for records measure, stage and hosting."""
    if rule.classification == "outside":
        return rule.classification
    parts = [each for each in (rule.measure, rule.stage, rule.hosting, rule.flag) if each]
    return f"{rule.classification}: {', '.join(parts)}"
