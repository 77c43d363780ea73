"""What stands in the way of closing a period: one finding for each thing that somebody has to settle, or to accept by name."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.apps import apps
from django.db.models import Q, Sum
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Left

from core.accounting.figures import Filter, Period
from core.accounting.selectors import current_view, emissions
from core.accounting.selectors.completeness import completeness
from core.accounting.selectors.conditions import source_names
from core.accounting.selectors.rules import links_in_order
from core.accounting.selectors.unit_reconciliation import reconciled_units
from core.organizations.tenancy import organization_scope
from core.quantification.coverage import units_of
from reporting.selectors.happenings import outages

ITEMS: Final = (
    *("coverage", "quarantine", "unknown_models", "cross_checks", "late_sources", "unlinked_sources"),
    "moved_since",
)
QUARANTINE_SHARE: Final = 0.001
"""Above one row in a thousand, quarantine is a gap; below it, noise."""

GAP_SHARE: Final = 0.05
"""Of what a unit counts: a cross-check that differs by more needs an explanation (materiality, five per cent)."""

BY: Final = ("source", "account", "model", "scope", "stage", "hosting", "evidence", "method", "zone", "site")
"""As fine as the lines of an inventory, so that nothing without a figure hides in a sum with something that has one."""

MOST_NAMES: Final = 20
DAY: Final = r"^\d{4}-\d{2}-\d{2}$"


@dataclass(frozen=True)
class Finding:
    """
    One item of the checklist.

    Args:
        open: it stands in the way; False: looked at, and nothing is there.
        facts: names and numbers for the sentence that says it.
    """

    item: str
    open: bool
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that JSON takes."""
        return {"item": self.item, "open": self.open, "facts": self.facts}


def checklist(organization_id: int, named: Period, *, today: date) -> list[Finding]:
    """Look at everything that may be missing from a period, or wrong in it; always the same items in the same order."""
    asked = Filter(named.from_day, named.to_day, by=BY)
    with organization_scope(organization_id):
        if (view := current_view(organization_id)) is None:
            return []
        rows = emissions(organization_id, asked, view=view, bounds=False).rows
        return [
            _coverage(organization_id, named, today),
            _quarantine(organization_id, named, int(rows["records"].sum()) if len(rows) else 0),
            _unknown_models(rows),
            _cross_checks(organization_id, named),
            _late_sources(organization_id, named),
            _unlinked(organization_id, rows),
        ]


def _coverage(organization_id: int, named: Period, today: date) -> Finding:
    entries, seen = completeness(
        organization_id, named.from_day, max(named.from_day, min(named.to_day, today - timedelta(days=1)))
    )
    short = [entry for entry in entries if entry.missing_days]
    return Finding(
        "coverage",
        bool(short),
        {
            "days": sum(entry.missing_days for entry in short),
            "names": _names(_named(entry.source, entry.account) for entry in short),
            "expected": len(entries),
            "unexpected": len(seen),
        },
    )


def _quarantine(organization_id: int, named: Period, records: int) -> Finding:
    """
    Weigh the rows that wait against the records of the period.

    A row that says when it began counts for the period of that day, any other for every period that had begun when it
    arrived. The model is named as a string: the two apps do not know each other.
    """
    waiting: Any = apps.get_model("ingestion", "QuarantinedRow").objects
    rows = waiting.filter(organization_id=organization_id, state="open").annotate(
        began=Left(KeyTextTransform("started_at", "payload"), 10)
    )
    inside = Q(began__gte=named.from_day.isoformat(), began__lte=named.to_day.isoformat())
    undated = Q(began__isnull=True) | ~Q(began__regex=DAY)
    rows = rows.filter(
        (~undated & inside) | (undated & Q(first_seen__gte=datetime.combine(named.from_day, time(), UTC)))
    )
    count = rows.aggregate(rows=Sum("rows"))["rows"] or 0
    share = count / (count + records) if count else 0.0
    return Finding(
        "quarantine", share > QUARANTINE_SHARE, {"rows": count, "share": share, "allowed_share": QUARANTINE_SHARE}
    )


def _unknown_models(rows: Any) -> Finding:
    without = rows[rows["location_kg_co2e"].isna() & (rows["records"] > 0)] if len(rows) else rows
    models = _names(str(name) for name in without["model"].dropna().unique()) if len(without) else []
    return Finding(
        "unknown_models",
        bool(len(without)),
        {"records": int(without["records"].sum()) if len(without) else 0, "names": models},
    )


def _cross_checks(organization_id: int, named: Period) -> Finding:
    apart = []
    for unit in reconciled_units(organization_id, Filter(named.from_day, named.to_day)):
        line = unit.side_by_side()
        counted, gap = line["counted_kg_co2e"], line["gap_kg_co2e"]
        if (counted and gap is not None and abs(gap) > GAP_SHARE * counted) or "not_comparable" in line["flags"]:
            apart.append((unit.name, gap or 0.0))
    return Finding(
        "cross_checks",
        bool(apart),
        {"names": _names(name for name, _gap in apart), "gap_kg_co2e": round(sum(abs(gap) for _name, gap in apart), 3)},
    )


def _late_sources(organization_id: int, named: Period) -> Finding:
    """Sources with an open alert whose latest arrival lies before the period's end: what they owe may belong into it."""
    end = datetime.combine(named.to_day + timedelta(days=1), time(), UTC)
    still = [each for each in outages(organization_id) if each.until is None and each.since < end]
    return Finding("late_sources", bool(still), {"names": _names(each.source for each in still)})


def _unlinked(organization_id: int, rows: Any) -> Finding:
    """Sources that count beside others and are tied to nothing: they may count something a second time."""
    numbers = {title: number for number, title in source_names(organization_id).items()}
    if not len(rows) or rows["source"].nunique() < 2:
        return Finding("unlinked_sources", open=False, facts={"names": [], "kg_co2e": 0.0})
    own = rows.assign(source_id=rows["source"].map(numbers))
    units = units_of(own, links_in_order(organization_id))
    loose = own[[unit is None for unit in units]]
    kg = loose.groupby("source")["total_kg_co2e"].sum()
    kg = kg[kg > 0]
    return Finding(
        "unlinked_sources",
        bool(len(kg)),
        {"names": _names(str(name) for name in kg.index), "kg_co2e": round(float(kg.sum()), 3)},
    )


def _named(source: str, account: str | None) -> str:
    return f"{source}, {account}" if account else source


def _names(names: Any) -> list[str]:
    """Keep the first of some names, each once, in their order."""
    return list(dict.fromkeys(names))[:MOST_NAMES]
