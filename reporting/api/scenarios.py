"""GET, POST /api/v1/scenarios, DELETE /api/v1/scenarios/{id}, GET and POST /api/v1/scenarios/figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.accounting.figures import FilterError
from core.accounting.selectors.scenarios import MOST_SCENARIOS, side_by_side
from core.organizations.policy import Action
from core.organizations.tenancy import organization_scope
from core.problems import Problem
from core.quantification.scenario import ScenarioError, from_plain
from reporting.api.figures import QUERY_PARAMETERS, asked
from reporting.models import Scenario
from reporting.scenarios.answer import Named, as_dict
from reporting.selectors import scenarios as selectors
from reporting.services import scenarios as services

FIELDS: Final = ("name", "note", "rules")
SCENARIO = OpenApiParameter(
    "scenario", int, many=True, description=f"id of a saved scenario; repeated: up to {MOST_SCENARIOS}"
)
FILTERED: Final = [
    SCENARIO,
    *(each for each in QUERY_PARAMETERS if each.name not in ("by", "grain", "role", "booking")),
]


class ScenariosView(APIView):
    """Saved scenarios, and a new one."""

    @property
    def action_needed(self) -> Action:
        """Reading is for whoever sees all teams, writing for those who may."""
        return Action.EDIT_SCENARIOS if self.request.method == "POST" else Action.SEE_ALL_TEAMS

    @extend_schema(operation_id="scenarios", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """List the saved scenarios by name, with their rules."""
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        with organization_scope(organization_id):
            return Response({"scenarios": [described(each) for each in selectors.scenarios(organization_id)]})

    @extend_schema(
        operation_id="save_scenario",
        request={"application/json": OpenApiTypes.OBJECT},
        responses={201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        """Keep rules under a name."""
        identity: Any = request.user
        body = body_of(request.data, FIELDS)
        for name in ("name", "note"):
            if not isinstance(body.get(name, ""), str):
                raise Problem(400, "bad-field", f"{name} is text.", field=name)
        try:
            saved = services.save_scenario(
                organization_id=identity.organization_id,
                name=body.get("name", ""),
                note=body.get("note", ""),
                rules=from_plain(body.get("rules")),
                created_by_id=identity.person_id,
            )
        except ScenarioError as error:
            raise Problem(400, "impossible-scenario", str(error), field=error.field) from error
        return Response(described(saved), status=201)


class ScenarioView(APIView):
    """One saved scenario."""

    @property
    def action_needed(self) -> Action:
        """Reading is for whoever sees all teams, removing for those who may change scenarios."""
        return Action.EDIT_SCENARIOS if self.request.method == "DELETE" else Action.SEE_ALL_TEAMS

    @extend_schema(operation_id="scenario", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, scenario_id: int) -> Response:
        """Answer a scenario with its rules."""
        return Response(described(saved_of(request, [scenario_id])[0]))

    @extend_schema(operation_id="remove_scenario", responses={204: None})
    def delete(self, request: Request, scenario_id: int) -> Response:
        """Remove a scenario."""
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        if not services.remove_scenario(organization_id=organization_id, scenario_id=scenario_id):
            raise Problem(404, "no-such-scenario", f"There is no scenario {scenario_id}.")
        return Response(status=204)


class ScenarioFiguresView(APIView):
    """A period as it was recorded, and as scenarios rewrite it."""

    action_needed = Action.SEE_ALL_TEAMS
    one_snapshot = True

    @extend_schema(operation_id="scenario_figures", parameters=FILTERED, responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """Answer saved scenarios beside the baseline, in kWh, kg CO2e and L, with low and high."""
        ids = request.query_params.getlist("scenario")
        if not ids or not all(each.isascii() and each.isdigit() and len(each) < 10 for each in ids):
            raise Problem(400, "bad-parameter", "Name scenarios by their ids: scenario=3&scenario=5.", field="scenario")
        found = saved_of(request, [int(each) for each in ids])
        return Response(figures(request, [Named(each.name, from_plain(each.rules), each.id) for each in found]))

    @extend_schema(
        operation_id="scenario_figures_of_rules",
        parameters=FILTERED[1:],
        request={"application/json": OpenApiTypes.OBJECT},
        responses={200: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        """Answer rules that are not saved beside the baseline; nothing is stored."""
        body = body_of(request.data, ("name", "rules"))
        try:
            rules = from_plain(body.get("rules"))
        except ScenarioError as error:
            raise Problem(400, "impossible-scenario", str(error), field=error.field) from error
        return Response(figures(request, [Named(str(body.get("name") or "rules"), rules)]))


def figures(request: Request, named: Sequence[Named]) -> dict[str, Any]:
    """Derive the scenarios. Raises Problem 400 where a parameter or a rule cannot be."""
    try:
        found = side_by_side(
            request.user.organization_id,  # type: ignore[union-attr]
            asked(request, besides="scenario").filter,
            [each.rules for each in named],
        )
    except FilterError as error:
        raise Problem(400, "bad-parameter", str(error), field=error.field) from error
    except ScenarioError as error:
        raise Problem(400, "impossible-scenario", str(error), field=error.field) from error
    return as_dict(found, named)


def saved_of(request: Request, ids: Sequence[int]) -> list[Scenario]:
    """Find saved scenarios. Raises Problem 404."""
    organization_id = request.user.organization_id  # type: ignore[union-attr]
    with organization_scope(organization_id):
        found = selectors.scenarios_of(organization_id, ids)
    if found is None:
        raise Problem(404, "no-such-scenario", "One of these scenarios is not there.")
    return found


def body_of(data: Any, fields: Sequence[str]) -> Mapping[str, Any]:
    """Check the names of a body. Raises Problem 400."""
    if not isinstance(data, Mapping):
        raise Problem(400, "bad-body", "Send a JSON object.", what_to_do=f"Its fields: {', '.join(fields)}.")
    for name in data:
        if name not in fields:
            raise Problem(400, "bad-field", f"There is no field {name!r}: use {', '.join(fields)}.", field=str(name))
    return data


def described(scenario: Scenario) -> dict[str, Any]:
    """Write a scenario as plain values."""
    return {
        "id": scenario.id,
        "name": scenario.name,
        "note": scenario.note,
        "rules": scenario.rules,
        "changed_at": scenario.changed_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }
