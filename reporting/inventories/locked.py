"""Plain Python: from what was read of a period to the document that is locked, and the check of a chain of them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from reporting.disclosures import Inventory
from reporting.disclosures.inventory_json import canonical, content_hash, stamped

FIGURES: Final = ("totals", "emissions", "energy", "instruments", "factors")
"""What is compared to tell whether figures have moved since they were read."""

ACCEPTED: Final = "accepted as it is: "
"""How an entry of the change log begins that names an open item."""


@dataclass(frozen=True)
class Decision:
    """What somebody decided about a period."""

    role: str  # preparer, approver
    who: str
    at: datetime
    decision: str  # submitted, approved, rejected
    note: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return an entry of ``evidence.approvals``."""
        plain = {"role": self.role, "who": self.who, "at": instant(self.at), "decision": self.decision}
        return plain | ({"note": self.note} if self.note else {})


@dataclass(frozen=True)
class ChainFault:
    """The first locked inventory that does not hold, and why."""

    id: UUID
    why: str


def instant(at: datetime) -> str:
    """Write an instant as documents have it, to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def begun(draft: Inventory, inventory_id: UUID, supersedes: UUID | None) -> Inventory:
    """Give what was read of a period its id."""
    return stamped({**draft, "id": str(inventory_id), "supersedes": str(supersedes) if supersedes else None})


def submitted(
    inventory: Inventory, accepted: Sequence[Mapping[str, str]], decisions: list[dict[str, str]]
) -> Inventory:
    """Put into the document what is accepted and who submitted it; the steps of a restatement stay."""
    log = [each for each in inventory["evidence"]["change_log"] if not each["what"].startswith(ACCEPTED)]
    log += [
        {
            "at": each["at"],
            "who": each["who"],
            "what": f"{ACCEPTED}{each['item']}",
            "reason": each["reason"] or "no reason given",
        }
        for each in accepted
    ]
    evidence = {**inventory["evidence"], "change_log": log, "approvals": decisions}
    return stamped({**inventory, "status": "in_review", "evidence": evidence})


def approved(
    inventory: Inventory, decisions: list[dict[str, str]], *, previous_sha256: str | None, single_reviewer: bool
) -> Inventory:
    """Put into the document who approved it, after which other, and whether anybody reviewed it independently."""
    evidence = {
        **inventory["evidence"],
        "approvals": decisions,
        "previous_sha256": previous_sha256,
        "single_reviewer": single_reviewer,
    }
    return stamped({**inventory, "status": "approved", "evidence": evidence})


def written(inventory: Inventory) -> str:
    """Write the document as it is kept: its canonical form."""
    return canonical(inventory).decode()


def moved_t(kept: Inventory, now: Inventory) -> Decimal | None:
    """
    Tell by how much the location-based total has moved since a document was read; None: no figure is another. [t CO2e]

    It can be 0 where figures moved against each other.
    """
    same_records = kept["evidence"]["records_sha256"] == now["evidence"]["records_sha256"]
    if same_records and all(kept[name] == now[name] for name in FIGURES):
        return None
    return Decimal(now["totals"]["total_location"]) - Decimal(kept["totals"]["total_location"])


def chain_fault(locked: Iterable[tuple[UUID, str, str, str | None]]) -> ChainFault | None:
    """
    Recompute every hash of a chain, the oldest first.

    Args:
        locked: id, document, sha256 and previous_sha256 of each, in the order in which they were locked.
    """
    head: str | None = None
    for inventory_id, document, sha256, previous_sha256 in locked:
        inventory = json.loads(document)
        if content_hash(inventory) != sha256 or inventory["evidence"]["sha256"] != sha256:
            return ChainFault(inventory_id, "its document is another than the one that was hashed")
        if previous_sha256 != head or inventory["evidence"]["previous_sha256"] != head:
            return ChainFault(inventory_id, "the one locked before it is missing or another")
        head = sha256
    return None
