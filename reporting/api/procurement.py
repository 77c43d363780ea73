"""GET, POST /api/v1/evaluations with their offers, figures and frozen copies; GET, POST /api/v1/dossiers/{supplier}."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any, Final

from django.http import QueryDict
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.accounting.figures import FilterError
from core.organizations.models import Organization
from core.organizations.policy import Action
from core.organizations.tenancy import organization_scope
from core.problems import Problem
from reporting.api.scenarios import body_of
from reporting.models import Evaluation
from reporting.procurement.answers import ProcurementError
from reporting.procurement.claims_given import FIELDS as CLAIM_FIELDS
from reporting.procurement.claims_given import read_claim
from reporting.procurement.dossier import Evidence, supplier_of
from reporting.query import read_query
from reporting.selectors import procurement as selectors
from reporting.services import procurement as services

FIELDS: Final = ("name", "note", "workload", "criteria", "offers")


class EvaluationsView(APIView):
    """Evaluations, and a new one."""

    @property
    def action_needed(self) -> Action:
        """Reading is for whoever sees all teams, writing for those who may."""
        return Action.EDIT_PROVIDERS if self.request.method == "POST" else Action.SEE_ALL_TEAMS

    @extend_schema(operation_id="evaluations", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """List evaluations by name, with their workload, criteria and offers."""
        organization_id = _organization(request)
        with organization_scope(organization_id):
            return Response({"evaluations": [described(each) for each in selectors.evaluations(organization_id)]})

    @extend_schema(
        operation_id="save_evaluation",
        request={"application/json": OpenApiTypes.OBJECT},
        responses={201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        """Keep an evaluation with its offers; where one of them is refused, nothing is kept."""
        identity: Any = request.user
        body = body_of(request.data, FIELDS)
        try:
            saved = services.save_described(
                organization_id=identity.organization_id, given=body, created_by_id=identity.person_id
            )
        except ProcurementError as error:
            raise _problem(error) from error
        with organization_scope(identity.organization_id):
            found = selectors.evaluation_of(identity.organization_id, saved.id)
        return Response(described(found or saved), status=201)


class EvaluationView(APIView):
    """One evaluation."""

    @property
    def action_needed(self) -> Action:
        """Reading is for whoever sees all teams, removing for those who may change evaluations."""
        return Action.EDIT_PROVIDERS if self.request.method == "DELETE" else Action.SEE_ALL_TEAMS

    @extend_schema(operation_id="evaluation", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, evaluation_id: int) -> Response:
        """Answer an evaluation with its workload, criteria and offers."""
        return Response(described(found_of(request, evaluation_id)))

    @extend_schema(operation_id="remove_evaluation", responses={204: None})
    def delete(self, request: Request, evaluation_id: int) -> Response:
        """Remove an evaluation; what was frozen of it stays."""
        if not services.remove_evaluation(organization_id=_organization(request), evaluation_id=evaluation_id):
            raise Problem(404, "no-such-evaluation", f"There is no evaluation {evaluation_id}.")
        return Response(status=204)


class EvaluationFiguresView(APIView):
    """What an evaluation comes to."""

    action_needed = Action.SEE_ALL_TEAMS

    @extend_schema(operation_id="evaluation_figures", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, evaluation_id: int) -> Response:
        """Answer every offer's figures, answers, scores, place and share of leads, in kWh, kg CO2e, L and the currency."""
        return Response(assessed(request, found_of(request, evaluation_id)))


class FrozenEvaluationsView(APIView):
    """What was frozen of an evaluation."""

    @property
    def action_needed(self) -> Action:
        """Reading is for whoever sees all teams, freezing for those who may change evaluations."""
        return Action.EDIT_PROVIDERS if self.request.method == "POST" else Action.SEE_ALL_TEAMS

    @extend_schema(operation_id="frozen_evaluations", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, evaluation_id: int) -> Response:
        """List the frozen copies of an evaluation, the newest first, each with its hash."""
        organization_id = _organization(request)
        found_of(request, evaluation_id)
        with organization_scope(organization_id):
            rows = selectors.frozen_of(organization_id, evaluation_id)
            return Response({"frozen": [_frozen(each) for each in rows]})

    @extend_schema(operation_id="freeze_evaluation", request=None, responses={201: OpenApiTypes.OBJECT})
    def post(self, request: Request, evaluation_id: int) -> Response:
        """Freeze an evaluation as it is now."""
        row = services.freeze_evaluation(
            organization_id=_organization(request),
            evaluation_id=evaluation_id,
            document=assessed(request, found_of(request, evaluation_id)),
            now=datetime.now(UTC),
        )
        return Response({**_frozen(row), "content": json.loads(row.content)}, status=201)


class DossierView(APIView):
    """The dossier of one provider."""

    @property
    def action_needed(self) -> Action:
        """Reading is for whoever may see providers, adding for those who may change them."""
        return Action.EDIT_PROVIDERS if self.request.method == "POST" else Action.SEE_PROVIDERS

    @extend_schema(operation_id="dossier", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, supplier: str) -> Response:
        """Answer every claim with its document, boundary, grade and what the claim checker found."""
        organization_id = _organization(request)
        supplier = supplier_of(supplier)
        with organization_scope(organization_id):
            found = selectors.dossiers(organization_id, services.today(), states=("accepted", "proposed"))
        claims = [_claim(each) for each in found if each.provider == supplier]
        return Response({"supplier": supplier, "without_evidence": not claims, "claims": claims})

    @extend_schema(
        operation_id="add_claim",
        request={"application/json": OpenApiTypes.OBJECT},
        responses={201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request, supplier: str) -> Response:
        """Take a claim into the dossier."""
        body = body_of(request.data, CLAIM_FIELDS)
        try:
            (row,) = services.add_evidence(
                organization_id=_organization(request), provider=supplier_of(supplier), claims=[read_claim(body)]
            )
        except ProcurementError as error:
            raise _problem(error) from error
        return Response(_claim(selectors.evidence_of(row)), status=201)


def assessed(request: Request, evaluation: Evaluation) -> dict[str, Any]:
    """Derive an evaluation at this moment. Raises Problem 400 where it cannot be."""
    identity: Any = request.user
    asked = selectors.asked_of(evaluation)
    with organization_scope(identity.organization_id):
        fiscal_start = Organization.objects.get(id=identity.organization_id).fiscal_year_start_month
    try:
        query = read_query(
            QueryDict(asked.workload.query),
            identity=identity,
            today=services.today(),
            fiscal_start=fiscal_start,
            strict=True,
        )
        return selectors.assessed(identity.organization_id, asked, query.filter, services.today())
    except FilterError as error:
        raise Problem(400, "bad-workload", str(error), field=f"workload.{error.field}") from error
    except ProcurementError as error:
        raise _problem(error) from error


def found_of(request: Request, evaluation_id: int) -> Evaluation:
    """Find an evaluation. Raises Problem 404."""
    organization_id = _organization(request)
    with organization_scope(organization_id):
        found = selectors.evaluation_of(organization_id, evaluation_id)
    if found is None:
        raise Problem(404, "no-such-evaluation", f"There is no evaluation {evaluation_id}.")
    return found


def described(evaluation: Evaluation) -> dict[str, Any]:
    """Write an evaluation as plain values."""
    return {
        "id": evaluation.id,
        "name": evaluation.name,
        "note": evaluation.note,
        "workload": evaluation.workload,
        "criteria": evaluation.criteria,
        "offers": [{"id": each.id, **each.terms} for each in sorted(evaluation.offers.all(), key=lambda each: each.id)],
        "changed_at": evaluation.changed_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _frozen(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "sha256": row.sha256,
        "factor_set": row.factor_set,
        "methodology": row.methodology,
        "frozen_by": row.frozen_by,
        "frozen_at": row.frozen_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _claim(each: Evidence) -> dict[str, Any]:
    return {
        **{name: getattr(each, name) for name in ("id", "metric", "value", "text", "boundary", "document", "url")},
        **{name: getattr(each, name) for name in ("dated", "grade", "note", "state")},
        "expires_on": each.expires_on.isoformat() if each.expires_on else None,
        "findings": [{"code": one.code, "detail": one.detail, "kind": one.kind} for one in each.findings],
    }


def _problem(error: ProcurementError) -> Problem:
    return Problem(400, "impossible-evaluation", str(error), field=error.field)


def _organization(request: Request) -> int:
    return int(request.user.organization_id)  # type: ignore[union-attr]
