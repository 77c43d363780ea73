"""Targets: listed with how they stand, and proposed; approval is for people on the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.organizations.identity import Identity
from core.organizations.policy import Action, narrowing, refusal
from core.organizations.tenancy import organization_scope
from core.problems import Problem
from reporting.api.scenarios import body_of
from reporting.models import Target, TargetVersion, VersionState
from reporting.selectors import targets as selectors
from reporting.selectors.target_figures import Progress, progress_of
from reporting.services import targets as services
from reporting.targets.definition import EMISSIONS, ENERGY, TargetError, from_plain
from reporting.targets.forecast import SHARE

FIELDS: Final = ("name", "note", "owner", "target")


class TargetsView(APIView):
    """All targets, and a new one."""

    @property
    def action_needed(self) -> Action:
        """Reading is for everybody, each what they may see; proposing for those who may."""
        return Action.EDIT_TEAM_TARGETS if self.request.method == "POST" else Action.SEE_OWN_TEAM

    @extend_schema(operation_id="targets", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """List the targets that are not retired by name, each with what it asks for and how it stands."""
        identity: Identity = request.user  # type: ignore[assignment]
        with organization_scope(identity.organization_id):
            found = [
                each
                for each in selectors.targets(identity.organization_id)
                if selectors.may_see(identity, selectors.definition_of(each).dims)
            ]
        return Response({"targets": [described(each) for each in found]})

    @extend_schema(
        operation_id="propose_target",
        request={"application/json": OpenApiTypes.OBJECT},
        responses={201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        """Propose a target; a person approves it on its page."""
        identity: Identity = request.user  # type: ignore[assignment]
        body = body_of(request.data, FIELDS)
        for name in ("name", "note"):
            if not isinstance(body.get(name, ""), str):
                raise Problem(400, "bad-field", f"{name} is text.", field=name)
        try:
            definition = from_plain(body.get("target"))
            if not selectors.may_edit(identity, definition.dims):
                raise Problem(403, "not-allowed", refusal(identity, Action.EDIT_TARGETS))
            version = services.propose_target(
                organization_id=identity.organization_id,
                name=body.get("name", ""),
                note=body.get("note", ""),
                owner_id=owner_of(identity.organization_id, body),
                definition=definition,
                today=datetime.now(UTC).date(),
                created_by_id=identity.person_id,
            )
        except TargetError as error:
            raise Problem(400, "impossible-target", str(error), field=error.field) from error
        return Response(described(found_target(identity, version.target_id)), status=201)


class TargetView(APIView):
    """One target."""

    action_needed = Action.SEE_OWN_TEAM

    @extend_schema(operation_id="target", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, target_id: int) -> Response:
        """Answer a target with its versions, its path and how it stands, in kg CO2e, kWh or L."""
        identity: Identity = request.user  # type: ignore[assignment]
        return Response(described(found_target(identity, target_id), whole=True))


def found_target(identity: Identity, target_id: int) -> Target:
    """Find a target that the asker may see. Raises Problem 404 or 403."""
    with organization_scope(identity.organization_id):
        found = selectors.target_of(identity.organization_id, target_id)
    if found is not None and not selectors.may_see(identity, selectors.definition_of(found).dims):
        found = None
    if found is None and narrowing(identity):  # who may not see it is not told either whether it is there
        raise Problem(403, "not-allowed", refusal(identity, Action.SEE_ALL_TEAMS))
    if found is None:
        raise Problem(404, "no-such-target", f"There is no target {target_id}.")
    return found


def owner_of(organization_id: int, body: Mapping[str, Any]) -> int | None:
    """Find the owner by e-mail. Raises TargetError."""
    email = body.get("owner")
    if email in (None, ""):
        return None
    with organization_scope(organization_id):
        owner = next((each.id for each in selectors.owners(organization_id) if each.email == email), None)
    if owner is None:
        raise TargetError("owner", f"Nobody of this organization has the address {email!r}.")
    return int(owner)


def described(target: Target, *, whole: bool = False) -> dict[str, Any]:
    """Write a target as plain values; with ``whole`` its versions and its path too."""
    version = selectors.shown_version(target)
    path = selectors.path_of(version)
    progress = progress_of(target.organization_id, path, today=datetime.now(UTC).date())
    waiting = selectors.in_state(target, VersionState.PROPOSED)
    found = {
        "id": target.id,
        "name": target.name,
        "note": target.note,
        "owner": target.owner.email if target.owner else None,
        "retired": target.retired_at is not None,
        "version": version.number,
        "state": str(version.state),
        "waiting_version": waiting.number if waiting else None,
        "target": version.definition,
        "unit": unit_of(progress),
        "base": None if path.base is None else path.base.value,
        "standing": standing(progress),
    }
    if whole:
        found["versions"] = [version_of(each) for each in target.versions.all()]
        found["path"] = [
            {"year": year, "allowed": allowed, "reduction": gone}
            for year, allowed, gone in path.by_year(path.definition.target_year or progress_year(progress))
        ]
        months = zip(progress.months.index, progress.months["actual"], progress.months["allowed"], strict=True)
        found["months"] = [
            {"month": f"{month:%Y-%m}", "actual": none_if_nan(actual), "allowed": none_if_nan(allowed)}
            for month, actual, allowed in months
        ]
    return found


def forecast_of(progress: Progress) -> dict[str, Any] | None:
    """Write what the months to come of the year may be, and the year with them; None where nobody can tell."""
    if progress.forecast is None:
        return None
    months = zip(progress.to_come, progress.forecast.months, strict=True)
    return {
        "share": SHARE,
        "months_read": progress.forecast.read,
        "seasons": progress.forecast.seasons,
        "year": asdict(progress.forecast.total.plus(progress.over)),
        "months": [{"month": f"{month:%Y-%m}", **asdict(each)} for month, each in months],
    }


def progress_year(progress: Progress) -> int:
    """Name the year up to which a path without an end is listed."""
    return progress.year[1].year if progress.year else progress.path.first_day.year


def unit_of(progress: Progress) -> str:
    """Name the unit of the amounts."""
    definition = progress.path.definition
    if definition.per:
        return f"kg CO2e per {definition.per}"
    return {EMISSIONS: "kg CO2e", ENERGY: "kWh"}.get(definition.measure, "L")


def standing(progress: Progress) -> dict[str, Any]:
    """Write how a target stands."""
    window, year = progress.window, progress.year
    actual, allowed = progress.actual.value, progress.allowed
    return {
        "status": progress.status.word,
        "because": progress.status.because,
        "from": window and window[0].isoformat(),
        "to": window and window[1].isoformat(),
        "actual": actual,
        "allowed": allowed,
        "gap": None if actual is None or allowed is None else actual - allowed,
        "coverage": progress.actual.coverage if window else None,
        "forecast": forecast_of(progress),
        "year_ends": year and year[1].isoformat(),
        "allowed_to_year_end": progress.allowed_to_end,
    }


def version_of(version: TargetVersion) -> dict[str, Any]:
    """Write a version as plain values."""
    decided = version.decided_at
    return {
        "version": version.number,
        "kind": str(version.kind),
        "state": str(version.state),
        "target": version.definition,
        "base": None if version.base is None else version.base["value"],
        "reason": version.reason,
        "decided_at": None if decided is None else decided.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def none_if_nan(value: float) -> float | None:
    """Write what is not known as null."""
    return None if value != value else float(value)
