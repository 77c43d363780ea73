"""The life of a target: proposed, approved by another person, changed by a new version, re-based, retired."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from django.db import IntegrityError, transaction

from core.organizations.models import Membership, Organization
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.targets import Event, Recalculation
from reporting.models import BaseYearEvent, Target, TargetVersion, VersionKind, VersionState
from reporting.selectors.target_figures import base_of
from reporting.selectors.targets import path_of, versions_in_force
from reporting.targets.base_year import event, recalculation
from reporting.targets.definition import EMISSIONS, Definition, TargetError, as_plain, from_plain
from reporting.targets.paths import Base, Path, base_from_plain, contradiction

LONGEST_NAME: Final = 200
LONGEST_NOTE: Final = 2_000
MOST: Final = 500


@dataclass(frozen=True)
class Rebased:
    """What came of a change of the base year: the sums so far, and the version that it led to, if any."""

    found: Recalculation
    version: TargetVersion | None


def propose_target(
    *,
    organization_id: int,
    name: str,
    definition: Definition,
    today: date,
    note: str = "",
    owner_id: int | None = None,
    created_by_id: int | None = None,
) -> TargetVersion:
    """
    Propose a target; it holds once another person approves it.

    Raises:
        TargetError: a name that is empty or taken, an owner from elsewhere, a base without data, or another target that it
            contradicts.
    """
    name, note = _line(name, "name", "target"), _text(note, "note")
    base = base_of(organization_id, definition, today=today)  # reads one moment, so outside what writes
    with organization_scope(organization_id):
        _refuse_stranger(organization_id, owner_id)
        _refuse_contradiction(organization_id, Path(definition, base))
        if Target.objects.filter(organization_id=organization_id).count() >= MOST:
            raise TargetError("name", f"There are {MOST} targets already.")
        target = Target(
            organization_id=organization_id, name=name, note=note, owner_id=owner_id, created_by_id=created_by_id
        )
        try:
            with transaction.atomic():
                target.save()
        except IntegrityError as error:
            if "target_name_once" not in str(error):
                raise
            raise TargetError("name", f"There is a target of the name {name!r} already.") from None
        version = _version(target, definition, base, VersionKind.NEW, "", created_by_id)
        _noted(target, "propose_target", after=described(version))
    return version


def propose_version(
    *,
    organization_id: int,
    target_id: int,
    definition: Definition,
    reason: str,
    today: date,
    created_by_id: int | None = None,
) -> TargetVersion:
    """
    Propose another version of a target; the one in force stays until this one is approved.

    A base of other days, or about other figures, is read anew; else it stays as it was, recalculations included.

    Raises:
        TargetError: no reason, a version that waits already, nothing that changes, or what `propose_target` refuses.
        Target.DoesNotExist: the organization has no such target.
    """
    reason = _text(reason, "reason")
    if not reason:
        raise TargetError("reason", "Say why the target changes.")
    with organization_scope(organization_id):
        latest = _latest(Target.objects.get(organization_id=organization_id, id=target_id))
        before = from_plain(latest.definition)
        kept = base_from_plain(latest.base)
        held = before.same_figures(definition) and _base_days(before) == _base_days(definition)
    base = kept if held else base_of(organization_id, definition, today=today)
    with organization_scope(organization_id):
        target = _open(organization_id, target_id)
        if as_plain(before) == as_plain(definition):
            raise TargetError("target", "This is what the target asks for already.")
        _refuse_contradiction(organization_id, Path(definition, base), besides=target.id)
        version = _version(target, definition, base, VersionKind.CHANGED, reason, created_by_id)
        _noted(target, "change_target", before=described(latest), after=described(version), reason=reason)
    return version


def decide_version(
    *, organization_id: int, version_id: int, approve: bool, person_id: int, note: str = ""
) -> TargetVersion:
    """
    Approve or reject what another person has proposed; an approved version takes the place of the one in force.

    Raises:
        TargetError: decided already, retired, or proposed by the same person, unless the organization has one reviewer.
        TargetVersion.DoesNotExist: the organization has no such version.
    """
    note = _text(note, "note")
    with organization_scope(organization_id):
        version = TargetVersion.objects.select_for_update().get(organization_id=organization_id, id=version_id)
        target = _unretired(organization_id, version.target_id)
        if version.state != VersionState.PROPOSED:
            raise TargetError("version", "This version was decided on already.")
        single = Organization.objects.get(id=organization_id).single_reviewer
        if version.created_by_id == person_id and not single:
            raise TargetError("version", "Who proposed a version does not decide on it: ask another person.")
        if not approve and not note:
            raise TargetError("note", "Say why it is rejected.")
        if approve:
            _refuse_contradiction(organization_id, path_of(version), besides=target.id)
            TargetVersion.objects.filter(
                organization_id=organization_id, target_id=target.id, state=VersionState.APPROVED
            ).update(state=VersionState.SUPERSEDED)
        version.state = VersionState.APPROVED if approve else VersionState.REJECTED
        version.decided_by_id, version.decided_at, version.decision_note = person_id, datetime.now(UTC), note
        version.single_reviewer = single
        version.save()
        if not approve:  # what it was made of waits for the next one
            BaseYearEvent.objects.filter(organization_id=organization_id, version_id=version.id).update(version=None)
        _noted(target, "approve_target" if approve else "reject_target", after=described(version), reason=note)
    return version


def change_base_year(
    *,
    organization_id: int,
    target_id: int,
    kind: str,
    base_year_kg: float,
    note: str,
    existed: bool = True,
    recorded_by_id: int | None = None,
) -> Rebased:
    """
    Note what changed of the base year; once the sum of what was noted is significant, propose a re-based version.

    Raises:
        TargetError: a kind or amount that cannot be, no note, a target without a base in kg CO2e, a version that waits.
        Target.DoesNotExist: the organization has no such target.
    """
    note = _text(note, "note")
    if not note:
        raise TargetError("note", "Say what happened.")
    event(kind, base_year_kg, existed=existed)
    with organization_scope(organization_id):
        target = _open(organization_id, target_id)
        latest = _latest(target)
        definition, base = from_plain(latest.definition), base_from_plain(latest.base)
        if base is None or definition.per or definition.measure != EMISSIONS:
            raise TargetError("kind", "Only a base in kg CO2e is recalculated so; read that of a rate anew.")
        noted = BaseYearEvent.objects.create(
            organization_id=organization_id,
            target=target,
            kind=kind,
            existed_in_base_year=existed,
            base_year_kg=base_year_kg,
            note=note,
            recorded_by_id=recorded_by_id,
        )
        waiting = BaseYearEvent.objects.filter(
            organization_id=organization_id, target_id=target.id, version__isnull=True
        ).order_by("id")
        events = [Event(each.kind, each.base_year_kg, each.existed_in_base_year) for each in waiting]
        found = recalculation(base, events, definition.significance_threshold)
        version = None
        if found.recalculate:
            reason = "; ".join(each.note for each in waiting)[:LONGEST_NOTE]
            version = _version(
                target, definition, base.scaled_to(found.base_kg), VersionKind.REBASED, reason, recorded_by_id
            )
            waiting.update(version=version)
        _noted(
            target,
            "change_base_year",
            before={"base": base.value},
            after={
                "kind": kind,
                "base_year_kg": noted.base_year_kg,
                "existed_in_base_year": existed,
                "significance": found.significance,
                "base": found.base_kg,
            },
            reason=note,
        )
    return Rebased(found, version)


def read_base_anew(
    *, organization_id: int, target_id: int, reason: str, today: date, recorded_by_id: int | None = None
) -> Rebased:
    """
    Read the base period again, as method and factors have it now, and propose a re-based version where that is significant.

    Raises:
        TargetError: no reason, a ceiling, a version that waits, a base that holds nothing now.
        Target.DoesNotExist: the organization has no such target.
    """
    reason = _text(reason, "reason")
    if not reason:
        raise TargetError("reason", "Say what changed: the method, a factor, an error that was found.")
    with organization_scope(organization_id):
        latest = _latest(_open(organization_id, target_id))
    definition, before = from_plain(latest.definition), base_from_plain(latest.base)
    base = base_of(organization_id, definition, today=today)
    if base is None or before is None:
        raise TargetError("target", "A ceiling has no base.")
    with organization_scope(organization_id):
        target = _open(organization_id, target_id)
        change = Event("method_change", base.value - before.value)
        found = recalculation(before, [change], definition.significance_threshold)
        version = None
        if found.recalculate:
            version = _version(target, definition, base, VersionKind.REBASED, reason, recorded_by_id)
        _noted(
            target,
            "change_base_year",
            before={"base": before.value},
            after={"kind": "method_change", "significance": found.significance, "base": found.base_kg},
            reason=reason,
        )
    return Rebased(found, version)


def retire_target(*, organization_id: int, target_id: int, reason: str, person_id: int | None = None) -> Target:
    """
    Take a target out of force; it stays readable.

    Raises:
        TargetError: no reason, or retired already.
        Target.DoesNotExist: the organization has no such target.
    """
    reason = _text(reason, "reason")
    if not reason:
        raise TargetError("reason", "Say why the target is retired.")
    with organization_scope(organization_id):
        target = _unretired(organization_id, target_id)
        target.retired_at, target.retired_by_id, target.retired_because = datetime.now(UTC), person_id, reason
        target.save()
        _noted(target, "retire_target", before={"retired": False}, after={"retired": True}, reason=reason)
    return target


def described(version: TargetVersion) -> dict[str, Any]:
    """Write a version as the audit log keeps it."""
    return {
        "version": version.number,
        "state": str(version.state),
        "definition": version.definition,
        "base": None if version.base is None else version.base["value"],
    }


# --- parts ------------------------------------------------------------------------------------------------------------


def _version(
    target: Target, definition: Definition, base: Base | None, kind: str, reason: str, created_by_id: int | None
) -> TargetVersion:
    last = TargetVersion.objects.filter(organization_id=target.organization_id, target_id=target.id).order_by("-number")
    latest = last.first()
    return TargetVersion.objects.create(
        organization_id=target.organization_id,
        target=target,
        number=latest.number + 1 if latest else 1,
        kind=kind,
        definition=as_plain(definition),
        base=None if base is None else base.as_plain(),
        reason=reason,
        created_by_id=created_by_id,
    )


def _latest(target: Target) -> TargetVersion:
    """Return what a change starts from: the version in force, else the newest one."""
    versions = TargetVersion.objects.filter(organization_id=target.organization_id, target_id=target.id)
    return versions.filter(state=VersionState.APPROVED).first() or versions.latest("number")


def _unretired(organization_id: int, target_id: int) -> Target:
    target = Target.objects.select_for_update().get(organization_id=organization_id, id=target_id)
    if target.retired_at is not None:
        raise TargetError("target", "This target is retired.")
    return target


def _open(organization_id: int, target_id: int) -> Target:
    """Find a target that another version can be proposed of."""
    target = _unretired(organization_id, target_id)
    if TargetVersion.objects.filter(
        organization_id=organization_id, target_id=target_id, state=VersionState.PROPOSED
    ).exists():
        raise TargetError("target", "A version of it waits for a decision: approve or reject that one first.")
    return target


def _refuse_contradiction(organization_id: int, path: Path, *, besides: int = 0) -> None:
    for version in versions_in_force(organization_id):
        other = path_of(version)
        if version.target_id == besides or not other.definition.same_figures(path.definition):
            continue
        why = contradiction(path, other)
        if why:
            raise TargetError(
                "filter",
                f"{version.target.name} is about the same figures and {why}: make a new version of it, or retire it first.",
            )


def _refuse_stranger(organization_id: int, owner_id: int | None) -> None:
    if owner_id is None:
        return
    if not Membership.objects.filter(organization_id=organization_id, person_id=owner_id).exists():
        raise TargetError("owner", "The owner is not of this organization.")


def _base_days(definition: Definition) -> tuple[date | None, date | None]:
    return definition.base_from, definition.base_to


def _line(text: str, field: str, what: str) -> str:
    text = " ".join(text.replace("\0", "").split())
    if not text or len(text) > LONGEST_NAME:
        raise TargetError(field, f"Give the {what} a {field} of 1 to {LONGEST_NAME} characters.")
    return text


def _text(text: str, field: str) -> str:
    text = text.replace("\0", "").strip()
    if len(text) > LONGEST_NOTE:
        raise TargetError(field, f"At most {LONGEST_NOTE} characters.")
    return text


def _noted(target: Target, action: str, **about: Any) -> None:
    record_event(
        organization_id=target.organization_id, action=action, object_type="target", object_id=target.id, **about
    )
