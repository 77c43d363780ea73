"""Close a period: soft close, submit, approve, publish; back again until it is approved. Four eyes, and a chain of hashes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core.accounting.figures import Period, parse_period
from core.locks import PERIOD_LOCK
from core.organizations.models import Membership, Organization, Person
from core.organizations.policy import ALLOWED, Action
from core.organizations.selectors import members
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope, organization_snapshot
from reporting.disclosures import Inventory as Document
from reporting.inventories import locked
from reporting.inventories.draft import draft_inventory, kind_of
from reporting.inventories.locked import Decision
from reporting.models import Inventory, PeriodState
from reporting.selectors.checklist import ITEMS, Finding, checklist
from reporting.selectors.inventories import document_of, standing

LONGEST_REASON: Final = 1_000


class PeriodError(Exception):
    """A period cannot go on; ``findings`` are the open items of the checklist, where they are why."""

    def __init__(self, message: str, findings: Sequence[Finding] = ()) -> None:
        super().__init__(message)
        self.findings = list(findings)


@dataclass(frozen=True)
class Reading:
    """What a period's figures and its checklist say, in one moment."""

    period: str
    named: Period
    document: Document
    findings: list[Finding]
    read_at: datetime


def read_period(organization: Organization, period: str, *, today: date) -> Reading:
    """
    Read a period's figures and its checklist in one moment; writes nothing.

    Raises:
        FilterError: no such period. RefusedError: there is nothing to draw up. PeriodError: it is not over.
    """
    named = parse_period(period, organization.fiscal_year_start_month)
    if named.to_day >= today:
        raise PeriodError(f"{period} is not over: it can be closed from the day after {named.to_day} on.")
    read_at = datetime.now(UTC)  # before the snapshot: what comes while it is taken counts as late rather than as lost
    with organization_snapshot(organization.id):
        document = draft_inventory(organization, period)
        return Reading(period, named, document, checklist(organization.id, named, today=today), read_at)


def soft_close(*, organization: Organization, reading: Reading, person_id: int) -> Inventory:
    """
    Keep what was read as the period's snapshot; closed softly already, it is read anew.

    Raises PeriodError where the period, or one that lies across it, is further already.
    """
    with changing(organization.id):
        person = allowed(organization.id, person_id, Action.PREPARE_PERIOD)
        named = reading.named
        inventory = standing(organization.id, named.from_day, named.to_day)
        if inventory is not None and inventory.state != PeriodState.SOFT_CLOSED:
            raise PeriodError(f"{reading.period} is {_said(inventory.state)} already (inventory {inventory.id}).")
        if inventory is not None and inventory.supersedes_id is not None:
            raise PeriodError(f"{reading.period} is being restated: give that up and begin it anew to read it anew.")
        if inventory is None:
            _refuse_across(organization.id, reading)
            inventory = Inventory(
                organization=organization,
                period=reading.period,
                kind=kind_of(named.from_day, named.to_day),
                from_day=named.from_day,
                to_day=named.to_day,
            )
        inventory.prepared_by = person
        inventory.closed_at = reading.read_at
        write(inventory, locked.begun(reading.document, inventory.id, inventory.supersedes_id))
        inventory.save()
        record(inventory, "soft_close_period")
    return inventory


def submit(
    *,
    organization: Organization,
    inventory_id: UUID,
    reading: Reading,
    person_id: int,
    accepted: Mapping[str, str] | None = None,
) -> Inventory:
    """
    Hand a period over for review.

    Args:
        reading: what figures and checklist say now.
        accepted: open items of the checklist that it is closed with, by name, each with a reason.

    Raises PeriodError with the open items that are not accepted.
    """
    reasons = {item: reason.strip()[:LONGEST_REASON] for item, reason in (accepted or {}).items()}
    if unknown := [item for item in reasons if item not in ITEMS]:
        raise PeriodError(f"The checklist has no {', '.join(unknown)}; its items are {', '.join(ITEMS)}.")
    with changing(organization.id):
        person = allowed(organization.id, person_id, Action.PREPARE_PERIOD)
        inventory = held(organization.id, inventory_id, PeriodState.SOFT_CLOSED)
        findings = [*reading.findings, moved_since(document_of(inventory), reading.document)]
        left = [each for each in findings if each.open and each.item not in reasons]
        if left:
            names = ", ".join(each.item for each in left)
            raise PeriodError(f"{inventory.period} has open items: {names}. Settle them, or accept them by name.", left)
        now = datetime.now(UTC)
        inventory.accepted = [
            {"item": each.item, "reason": reasons[each.item], "who": str(person), "at": locked.instant(now)}
            for each in findings
            if each.open
        ]
        inventory.checklist = [each.as_dict() for each in findings]
        inventory.prepared_by = person
        inventory.submitted_at = now
        inventory.single_reviewer = organization_alone(organization.id)
        inventory.decisions = [
            *inventory.decisions,
            Decision("preparer", str(person), now, "submitted").as_dict(),
        ]
        inventory.state = PeriodState.IN_REVIEW
        write(inventory, locked.submitted(document_of(inventory), inventory.accepted, inventory.decisions))
        inventory.save()
        record(inventory, "submit_period", accepted=inventory.accepted)
    return inventory


def reject(*, organization_id: int, inventory_id: UUID, person_id: int, note: str) -> Inventory:
    """Send a period back to soft close, with a note."""
    note = note.strip()[:LONGEST_REASON]
    if not note:
        raise PeriodError("Say what is to be changed.")
    with changing(organization_id):
        person = allowed(organization_id, person_id, Action.APPROVE_PERIOD)
        inventory = held(organization_id, inventory_id, PeriodState.IN_REVIEW)
        decision = Decision("approver", str(person), datetime.now(UTC), "rejected", note)
        inventory.decisions = [*inventory.decisions, decision.as_dict()]
        inventory.state = PeriodState.SOFT_CLOSED
        inventory.single_reviewer = False
        inventory.save()
        record(inventory, "reject_period", note=note)
    return inventory


def approve(*, organization_id: int, inventory_id: UUID, person_id: int, note: str = "") -> Inventory:
    """
    Lock a period: its document takes the approval and the hash of the one locked before it, and never changes again.

    Raises PeriodError where who approves is who prepared, unless the organization reviews alone.
    """
    with changing(organization_id):
        person = allowed(organization_id, person_id, Action.APPROVE_PERIOD)
        inventory = held(organization_id, inventory_id, PeriodState.IN_REVIEW)
        own = inventory.prepared_by_id == person.pk
        if own and not (inventory.single_reviewer and organization_alone(organization_id)):
            raise PeriodError(f"{person} prepared {inventory.period}: somebody else approves it.")
        _refuse_inactive(organization_id, inventory)
        head = Inventory.objects.filter(organization_id=organization_id, sequence__isnull=False)
        latest = head.order_by("-sequence").only("sequence", "sha256").first()
        now = datetime.now(UTC)
        if inventory.supersedes_id is not None:
            Inventory.objects.filter(organization_id=organization_id, id=inventory.supersedes_id).update(
                state=PeriodState.SUPERSEDED, superseded_at=now
            )
        decision = Decision("approver", str(person), now, "approved", note.strip()[:LONGEST_REASON])
        inventory.decisions = [*inventory.decisions, decision.as_dict()]
        inventory.single_reviewer = own
        inventory.approved_by, inventory.approved_at = person, now
        inventory.sequence = latest.sequence + 1 if latest is not None and latest.sequence else 1
        inventory.previous_sha256 = latest.sha256 if latest is not None else None
        inventory.state = PeriodState.APPROVED
        document = locked.approved(
            document_of(inventory),
            inventory.decisions,
            previous_sha256=inventory.previous_sha256,
            single_reviewer=own,
        )
        write(inventory, document)
        inventory.save()
        record(inventory, "approve_period", sha256=inventory.sha256, previous_sha256=inventory.previous_sha256)
    return inventory


def publish(*, organization_id: int, inventory_id: UUID, person_id: int) -> Inventory:
    """Say of an approved period that it was handed out; its files stay what they are."""
    with changing(organization_id):
        allowed(organization_id, person_id, Action.APPROVE_PERIOD)
        inventory = held(organization_id, inventory_id, PeriodState.APPROVED)
        inventory.state, inventory.published_at = PeriodState.PUBLISHED, datetime.now(UTC)
        inventory.save(update_fields=["state", "published_at"])
        record(inventory, "publish_period", sha256=inventory.sha256)
    return inventory


def reopen(*, organization_id: int, inventory_id: UUID, person_id: int, reason: str) -> None:
    """Give up the snapshot of a period that is not approved: it is open again, and the audit log says why."""
    reason = reason.strip()[:LONGEST_REASON]
    if not reason:
        raise PeriodError("Say why the period is opened again.")
    with changing(organization_id):
        allowed(organization_id, person_id, Action.PREPARE_PERIOD)
        inventory = held(organization_id, inventory_id, PeriodState.SOFT_CLOSED, PeriodState.IN_REVIEW)
        before = {"period": inventory.period, "state": inventory.state, "sha256": inventory.sha256}
        inventory.delete()
        record_event(
            organization_id=organization_id,
            action="reopen_period",
            object_type="inventory",
            object_id=inventory_id,
            before=before,
            reason=reason,
        )


def close(
    *,
    organization: Organization,
    period: str,
    prepared_by_id: int,
    approved_by_id: int,
    accepted: Mapping[str, str],
    today: date,
) -> Inventory:
    """Take a period from open to approved in one go; all of it or nothing. Raises what its steps do."""
    reading = read_period(organization, period, today=today)
    with organization_scope(organization.id):
        inventory = soft_close(organization=organization, reading=reading, person_id=prepared_by_id)
        submit(
            organization=organization,
            inventory_id=inventory.id,
            reading=reading,
            person_id=prepared_by_id,
            accepted=accepted,
        )
        return approve(organization_id=organization.id, inventory_id=inventory.id, person_id=approved_by_id)


def moved_since(kept: Document, now: Document) -> Finding:
    """Tell whether figures of the period have changed since its soft close."""
    by_t = locked.moved_t(kept, now)
    return Finding("moved_since", by_t is not None, {} if by_t is None else {"t_co2e": str(by_t)})


def organization_alone(organization_id: int) -> bool:
    """Tell whether one person prepares and approves, as declared."""
    return Organization.objects.only("single_reviewer").get(id=organization_id).single_reviewer


@contextmanager
def changing(organization_id: int) -> Iterator[None]:
    """Open the organization's scope, and let no other closing of it go on meanwhile."""
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [PERIOD_LOCK, organization_id])
        yield


def allowed(organization_id: int, person_id: int, action: Action) -> Person:
    """Find an active person of the organization whose role allows something today."""
    today = datetime.now(UTC).date()
    membership = members(organization_id).filter(person_id=person_id, person__is_active=True).first()
    if membership is None or (membership.ends_on is not None and membership.ends_on < today):
        raise PeriodError("Only active people of the organization close its periods.")
    if action not in ALLOWED[membership.role]:
        raise PeriodError(f"{membership.person} is {membership.get_role_display()}: that role may not do this.")
    return membership.person


def _refuse_inactive(organization_id: int, inventory: Inventory) -> None:
    """Refuse to approve what was prepared by somebody who is no longer there: two active people sign."""
    today = datetime.now(UTC).date()
    memberships = Membership.objects.filter(
        organization_id=organization_id, person_id=inventory.prepared_by_id, person__is_active=True
    )
    if not any(each.ends_on is None or each.ends_on >= today for each in memberships):
        raise PeriodError(f"{inventory.prepared_by}, who prepared {inventory.period}, is not active any more.")


def held(organization_id: int, inventory_id: UUID, *states: PeriodState) -> Inventory:
    """Find an inventory that is in one of some states. Raises PeriodError, Inventory.DoesNotExist."""
    inventory = Inventory.objects.select_related("prepared_by").get(organization_id=organization_id, id=inventory_id)
    if inventory.state not in states:
        wanted = " or ".join(_said(each) for each in states)
        raise PeriodError(f"{inventory.period} is {_said(inventory.state)}; this is done while it is {wanted}.")
    return inventory


def _refuse_across(organization_id: int, reading: Reading) -> None:
    """Refuse a period that overlaps one of its kind, or lies across one of another kind: neither holds the other."""
    named = reading.named
    others = Inventory.objects.filter(
        organization_id=organization_id, from_day__lte=named.to_day, to_day__gte=named.from_day
    )
    for other in others.exclude(state=PeriodState.SUPERSEDED).only("period", "from_day", "to_day", "kind", "state"):
        inside = named.from_day >= other.from_day and named.to_day <= other.to_day
        around = named.from_day <= other.from_day and named.to_day >= other.to_day
        if other.kind == kind_of(named.from_day, named.to_day) or not (inside or around):
            raise PeriodError(f"{reading.period} overlaps {other.period}, which is {_said(other.state)}.")


def write(inventory: Inventory, document: Document) -> None:
    inventory.document = locked.written(document)
    inventory.sha256 = document["evidence"]["sha256"]


def _said(state: str) -> str:
    return state.replace("_", " ")


def record(inventory: Inventory, action: str, **after: Any) -> None:
    record_event(
        organization_id=inventory.organization_id,
        action=action,
        object_type="inventory",
        object_id=inventory.id,
        after={"period": inventory.period, "state": inventory.state, **after},
    )
