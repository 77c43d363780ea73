"""
Records whose id stands already with other content: what stands, what came later, how the two differ, in kg too.

The content that came later is kept in quarantine as a canonical record. What stands is the first content and every
correction of it, those among them by which a later content was taken before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

import pandas as pd

from core.ledger import deletions
from core.ledger.selectors import corrections_of, find_record
from core.quantification.activity import COLUMNS, COUNTS, NUMBERS
from core.quantification.answer import answers
from core.quantification.pack import FactorPack
from core.quantification.records import from_wire, to_activity
from ingestion.fixing import PARTS, factors_of
from ingestion.models import QuarantinedRow, QuarantineState

REASON: Final = "conflicting_duplicate"
SHARES: Final = ("device_utilization", "instance_utilization")
"""Numbers that are no quantities: they weigh hours, and are not added up."""
QUANTITIES: Final = tuple(name for name in (*COUNTS, *NUMBERS) if name not in SHARES)
_NOT_COMPARED: Final = frozenset({"record_id", "corrects", "snapshot", "flags"})

Record = dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """A field of which the two contents say different things; None: nothing."""

    name: str
    standing: Any
    newer: Any

    @property
    def is_measure(self) -> bool:
        """Tell whether it is a number that figures follow from."""
        return self.name in QUANTITIES or self.name in SHARES


@dataclass(frozen=True)
class Conflict:
    """
    A record in quarantine beside the one that stands.

    Args:
        row: in quarantine.
        standing, newer: canonical columns, only those that are said; {} where it cannot be read any more.
        differences: measures first.
        standing_kg_co2e, newer_kg_co2e: location-based with upstream and embodied, before own factors and rules; None: no
            figure.
        fault: why the later content cannot be taken; "" when it can.
    """

    row: QuarantinedRow
    standing: Record
    newer: Record
    differences: tuple[Difference, ...] = ()
    standing_kg_co2e: float | None = None
    newer_kg_co2e: float | None = None
    fault: str = ""

    @property
    def change_kg_co2e(self) -> float | None:
        """Give what taking the later content would change; None where one of the two has no figure."""
        if self.standing_kg_co2e is None or self.newer_kg_co2e is None:
            return None
        return self.newer_kg_co2e - self.standing_kg_co2e


@dataclass
class Standing:
    """
    What the ledger holds of one id.

    Args:
        rows: the first record, its corrections, and what was taken later: each as the ledger has it.
        latest: whose dimensions hold.
    """

    rows: list[Record] = field(default_factory=list)
    latest: Record = field(default_factory=dict)

    def record(self) -> Record:
        """Give what all rows add up to, as one record."""
        summed: Record = {}
        for name in QUANTITIES:
            said = [row[name] for row in self.rows if row.get(name) is not None]
            if said and self.latest.get(name) is not None:
                summed[name] = sum(said) if name in COUNTS else math.fsum(said)
        return without_empty({**canonical(self.latest), **summed})


def standing_of(organization_id: int, source_id: int, record_id: str) -> Standing:
    """Find what stands under an id of a source; no rows where nothing does."""
    first = find_record(organization_id, record_id, source_id)
    if first is None:
        return Standing()
    found = {row["key"]: row for row in (first, *corrections_of(organization_id, record_id, source_id))}
    latest = first
    taken = QuarantinedRow.objects.filter(
        organization_id=organization_id,
        source_id=source_id,
        reason=REASON,
        record_id=record_id,
        state=QuarantineState.REPLAYED,
        replayed_by__isnull=False,
    )
    for row in taken.order_by("resolved_at", "id"):
        written = written_by(organization_id, source_id, row.replayed_by)
        found |= {each["key"]: each for each in written}
        latest = written[0] if written else latest
    return Standing(list(found.values()), latest)


def correction_id(correction: UUID | None, number: int) -> str:
    """Name a record of a correction: 0 is the content that was taken, the others take back what stood."""
    return f"correction:{correction}:{number}"


def written_by(organization_id: int, source_id: int, correction: UUID | None) -> list[Record]:
    """Read the records that taking a later content wrote, that content first."""
    found: list[Record] = []
    while (row := find_record(organization_id, correction_id(correction, len(found)), source_id)) is not None:
        found.append(row)
    return found


def compare(organization_id: int, rows: Iterable[QuarantinedRow]) -> list[Conflict]:
    """Put each row beside what stands, with the figures of both."""
    pack, methodology = factors_of(organization_id)
    return [_compared(organization_id, row, pack, methodology) for row in rows]


def _compared(organization_id: int, row: QuarantinedRow, pack: FactorPack | None, methodology: str) -> Conflict:
    standing = standing_of(organization_id, row.source_id, row.record_id or "").record()
    newer = newer_of(row)
    if not standing:
        return Conflict(row, standing, newer, fault="nothing_stands")
    if not newer:
        return Conflict(row, standing, newer, fault="not_kept")
    deleted = deletions.sent_again(organization_id, row.source_id, [row.record_id or ""]).names
    return Conflict(
        row,
        standing,
        newer,
        tuple(differences(standing, newer)),
        _kg(standing, pack, methodology),
        _kg(newer, pack, methodology),
        "deleted" if deleted else "",
    )


def newer_of(row: QuarantinedRow) -> Record:
    """Read the content that came later; {} where it was not kept whole."""
    frame, rejected = from_wire([(1, row.payload)])
    if rejected or not len(frame):
        return {}
    return without_empty({name: _plain(frame[name].iloc[0]) for name in COLUMNS})


def differences(standing: Mapping[str, Any], newer: Mapping[str, Any]) -> list[Difference]:
    """List the fields that differ, measures first."""
    names = [*QUANTITIES, *SHARES, *(name for name in COLUMNS if name not in {*QUANTITIES, *SHARES})]
    pairs = [(name, standing.get(name), newer.get(name)) for name in names if name not in _NOT_COMPARED]
    return [Difference(name, one, two) for name, one, two in pairs if one != two]


def canonical(row: Mapping[str, Any]) -> Record:
    """Give a ledger's row as a record: no keys, and nothing that was not said."""
    return without_empty({name: row.get(name) for name in COLUMNS if name not in _NOT_COMPARED})


def without_empty(record: Mapping[str, Any]) -> Record:
    """Leave out what says nothing."""
    shaped = {
        name: tuple(value) if name in ("techniques", "flags") and value else value for name, value in record.items()
    }
    return {name: value for name, value in shaped.items() if value is not None and value not in ("", (), [], {})}


def _plain(value: Any) -> Any:
    """Give a cell of an activity table as Python has it; None where it is absent."""
    if isinstance(value, str | tuple | list | dict | set | frozenset):
        return value
    if pd.isna(value):
        return None
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value


def _kg(record: Record, pack: FactorPack | None, methodology: str) -> float | None:
    if pack is None:
        return None
    (answer,) = answers(to_activity([{"record_id": "-", **record}]), pack, methodology)
    impacts: Any = answer["impacts"]
    parts = [impacts[name]["value"] for name in PARTS if impacts[name] is not None]
    return math.fsum(parts) if parts else None


def change_of(conflicts: Sequence[Conflict]) -> tuple[float, int]:
    """Add up what taking the later contents would change, and count those that have no figure. [kg CO2e]"""
    changes = [each.change_kg_co2e for each in conflicts if not each.fault]
    return math.fsum(change for change in changes if change is not None), changes.count(None)
