"""GET /api/v1/inventories, /{id} and /{id}/files/{name}: periods with their state, the document of one, its files."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.organizations.policy import Action
from core.organizations.tenancy import organization_scope
from core.problems import Problem
from reporting.inventories.documents import FORMATS, handed, render
from reporting.inventories.locked import instant
from reporting.inventories.report_pdf import LANGUAGES
from reporting.models import Inventory, PeriodState
from reporting.selectors import inventories as selectors

STATES = [str(each) for each in PeriodState if each != PeriodState.OPEN]
STATE = OpenApiParameter("state", str, many=True, enum=STATES, description="repeated: any of them")
PERIOD = OpenApiParameter("period", str, description="2026-Q3 and its like")


class InventoriesView(APIView):
    """Periods that are closed, or on their way to it."""

    action_needed = Action.SEE_PERIODS

    @extend_schema(operation_id="inventories", parameters=[STATE, PERIOD], responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """List inventories, the latest period first: state, totals in t CO2e, who prepared and approved, hashes."""
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        if unknown := sorted(set(request.query_params) - {"state", "period", "org"}):
            raise Problem(400, "bad-parameter", f"There is no parameter {unknown[0]!r}.", field=unknown[0])
        states, period = request.query_params.getlist("state"), request.query_params.get("period")
        for state in states:
            if state not in STATES:
                raise Problem(400, "bad-parameter", f"{state!r} is no state: {', '.join(STATES)}.", field="state")
        with organization_scope(organization_id):
            found = [
                described(each)
                for each in selectors.inventories(organization_id)
                if (not states or each.state in states) and period in (None, each.period)
            ]
        return Response({"inventories": found})


class InventoryView(APIView):
    """The document of one inventory."""

    action_needed = Action.SEE_PERIODS

    @extend_schema(operation_id="inventory", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, inventory_id: UUID) -> HttpResponse:
        """Answer the document in its canonical form, byte for byte as it was locked."""
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        with organization_scope(organization_id):
            found = selectors.inventory_of(organization_id, inventory_id)
        if found is None:
            raise Problem(404, "no-such-inventory", f"There is no inventory {inventory_id}.")
        return HttpResponse(found.document, content_type="application/json")


class InventoryFileView(APIView):
    """An inventory as a file of one of the formats of ``disclose``."""

    action_needed = Action.SEE_PERIODS

    @extend_schema(
        operation_id="inventory_file",
        parameters=[
            OpenApiParameter("name", str, OpenApiParameter.PATH, enum=list(FORMATS), description="the format"),
            OpenApiParameter("language", str, enum=list(LANGUAGES), description="of the PDF; en by default"),
        ],
        responses={200: OpenApiTypes.BINARY},
    )
    def get(self, request: Request, inventory_id: UUID, name: str) -> HttpResponse:
        """Answer one file, or a zip where the format has several; of a locked inventory the same bytes for ever."""
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        language = request.query_params.get("language", LANGUAGES[0])
        if unknown := sorted(set(request.query_params) - {"language", "org"}):
            raise Problem(400, "bad-parameter", f"There is no parameter {unknown[0]!r}.", field=unknown[0])
        if language not in LANGUAGES:
            raise Problem(400, "bad-parameter", f"The PDF is written in {', '.join(LANGUAGES)}.", field="language")
        if name not in FORMATS:
            raise Problem(404, "no-such-format", f"No format is called {name!r}; there are {', '.join(FORMATS)}.")
        with organization_scope(organization_id):
            found = selectors.inventory_of(organization_id, inventory_id)
        if found is None:
            raise Problem(404, "no-such-inventory", f"There is no inventory {inventory_id}.")
        suffix = "" if found.is_locked else "-draft"
        given = handed(render(name, selectors.document_of(found), language), f"{found.period}{suffix}")
        response = HttpResponse(given.content, content_type=given.content_type)
        response["Content-Disposition"] = f'attachment; filename="{given.filename}"'
        return response


def described(inventory: Inventory) -> dict[str, Any]:
    """Write an inventory as plain values, without its lines."""
    return {
        "id": str(inventory.id),
        "period": inventory.period,
        "kind": inventory.kind,
        "start": inventory.from_day.isoformat(),
        "end": inventory.to_day.isoformat(),
        "state": inventory.state,
        "totals_t_co2e": {
            name: value
            for name, value in inventory.totals.items()  # type: ignore[attr-defined]
            if name.startswith(("scope1", "scope2", "total_")) or name == "scope3"
        },
        "sha256": inventory.sha256,
        "previous_sha256": inventory.previous_sha256,
        "supersedes": str(inventory.supersedes_id) if inventory.supersedes_id else None,
        "single_reviewer": inventory.single_reviewer,
        "prepared_by": str(inventory.prepared_by),
        "approved_by": str(inventory.approved_by) if inventory.approved_by else None,
        "accepted": [{"item": each["item"], "reason": each["reason"]} for each in inventory.accepted],
        **{f"{name}_at": _instant(getattr(inventory, f"{name}_at")) for name in TIMES},
        "document": reverse("api_inventory", args=[inventory.id]),
        "files": {name: reverse("api_inventory_file", args=[inventory.id, name]) for name in FORMATS},
    }


TIMES = ("closed", "submitted", "approved", "published", "superseded")


def _instant(at: datetime | None) -> str | None:
    return instant(at) if at is not None else None
