"""Targets and their versions, inside `organization_scope`, and who of their readers may see and change them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import Prefetch

from core.organizations.identity import Identity
from core.organizations.models import Person
from core.organizations.policy import Action, may, narrowing
from reporting.models import BaseYearEvent, Target, TargetVersion, VersionState
from reporting.targets.definition import Definition, from_plain
from reporting.targets.paths import Path, base_from_plain

DIMS = Mapping[str, Sequence[str]]


def targets(organization_id: int, *, retired: bool = False) -> list[Target]:
    """List targets by name with their versions, the newest first; those that are retired instead where asked for."""
    rows = (
        Target.objects.filter(organization_id=organization_id, retired_at__isnull=not retired)
        .select_related("owner", "retired_by")
        .prefetch_related(
            Prefetch(
                "versions",
                TargetVersion.objects.filter(organization_id=organization_id)
                .select_related("created_by", "decided_by")
                .order_by("-number"),
            ),
            Prefetch("events", BaseYearEvent.objects.filter(organization_id=organization_id).order_by("id")),
        )
    )
    return sorted(rows, key=lambda each: (each.name.casefold(), each.id))


def target_of(organization_id: int, target_id: int) -> Target | None:
    """Find a target, retired or not, with its versions and events."""
    found = [*targets(organization_id), *targets(organization_id, retired=True)]
    return next((each for each in found if each.id == target_id), None)


def in_state(target: Target, state: str) -> TargetVersion | None:
    """Return the version that is approved, or proposed; None where there is none."""
    return next((each for each in target.versions.all() if each.state == state), None)


def shown_version(target: Target) -> TargetVersion:
    """Return the version in force; before the first approval, or after a refusal of it, the newest."""
    return in_state(target, VersionState.APPROVED) or target.versions.all()[0]


def path_of(version: TargetVersion) -> Path:
    """Return what a version asks for."""
    return Path(from_plain(version.definition), base_from_plain(version.base))


def versions_in_force(organization_id: int) -> list[TargetVersion]:
    """List the versions that somebody holds to or proposes, of targets that are not retired."""
    return list(
        TargetVersion.objects.filter(
            organization_id=organization_id,
            target__retired_at__isnull=True,
            state__in=(VersionState.PROPOSED, VersionState.APPROVED),
        ).select_related("target")
    )


def owners(organization_id: int) -> list[Person]:
    """List the people who can own a target: the organization's members."""
    return list(
        Person.objects.filter(membership__organization_id=organization_id, is_active=True)
        .distinct()
        .order_by("name", "email")
    )


# --- rights -----------------------------------------------------------------------------------------------------------


def may_see(identity: Identity, dims: DIMS) -> bool:
    """Tell whether a target is about nothing but what its reader may see."""
    return all(
        set(dims.get(name, ())) and set(dims[name]) <= set(allowed) for name, allowed in narrowing(identity).items()
    )


def may_edit(identity: Identity, dims: DIMS) -> bool:
    """Tell whether somebody may set or change a target about these dimensions: a team lead those of the own team."""
    if may(identity, Action.EDIT_TARGETS):
        return True
    own = bool(identity.team) and tuple(dims.get("team", ())) == (identity.team,)
    return own and may(identity, Action.EDIT_TEAM_TARGETS)


def may_approve(identity: Identity) -> bool:
    """Tell whether somebody may approve targets that another has proposed; no token does."""
    return identity.person_id is not None and may(identity, Action.APPROVE_TARGETS)


def definition_of(target: Target) -> Definition:
    """Return what the target asks for now."""
    return from_plain(shown_version(target).definition)
