"""GET /api/v1/emissions and /api/v1/explain: the figures that pages show, and the tree behind one."""

from __future__ import annotations

from datetime import UTC, datetime

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.accounting.figures import BASES, BOOKINGS, DIMS, FILTERS, GRAINS, INCLUDES, ROLES, FilterError
from core.accounting.selectors import emissions
from core.accounting.selectors.explain import NothingToExplain, explain
from core.organizations.models import Organization
from core.organizations.policy import Action
from core.problems import Problem
from reporting.api.renderers import ArrowRenderer, CsvRenderer
from reporting.query import Query, read_query
from reporting.visibility import may_see_record

QUERY_PARAMETERS = [
    OpenApiParameter("period", str, description="2026, 2026-Q3, 2026-07, FY2026, FY2026-Q3 or last-30d"),
    OpenApiParameter("from", OpenApiTypes.DATE, description="first day, inclusive, UTC"),
    OpenApiParameter("to", OpenApiTypes.DATE, description="last day, inclusive, UTC"),
    OpenApiParameter("by", str, description=f"dimensions, separated by commas: {', '.join(DIMS)}"),
    OpenApiParameter("grain", str, enum=GRAINS),
    OpenApiParameter("basis", str, enum=BASES, description="the one that is in total_kg_co2e"),
    OpenApiParameter("include", str, description=f"{', '.join(INCLUDES)}, or none"),
    OpenApiParameter("role", str, description=f"{', '.join(ROLES)}"),
    OpenApiParameter("booking", str, enum=BOOKINGS),
    *(OpenApiParameter(name, str, many=True, description=f"only this {name}; repeated: either") for name in FILTERS),
]


def asked(request: Request, *, besides: str = "") -> Query:
    """
    Read the parameters of a call; the first one at fault is answered with its name.

    Args:
        besides: a parameter of the call's own, which is no filter.
    """
    data = request._request.GET.copy()
    data.pop(besides, None)
    identity = request.user
    organization = Organization.objects.only("fiscal_year_start_month").get(id=identity.organization_id)  # type: ignore[union-attr]
    try:
        return read_query(
            data,
            identity=identity,  # type: ignore[arg-type]
            today=datetime.now(UTC).date(),
            fiscal_start=organization.fiscal_year_start_month,
            strict=True,
        )
    except FilterError as error:
        raise Problem(400, "bad-parameter", str(error), field=error.field) from error


class EmissionsView(APIView):
    """Aggregated emissions of the current view."""

    one_snapshot = True
    action_needed = Action.SEE_OWN_TEAM
    renderer_classes = (JSONRenderer, CsvRenderer, ArrowRenderer)

    @extend_schema(
        operation_id="emissions",
        parameters=QUERY_PARAMETERS,
        responses={
            (200, "application/json"): OpenApiTypes.OBJECT,
            (200, "text/csv"): OpenApiTypes.STR,
            (200, "application/vnd.apache.arrow.stream"): OpenApiTypes.BINARY,
        },
    )
    def get(self, request: Request) -> Response:
        """Answer the aggregates that pages show, in kWh, kg CO2e and L, with low and high."""
        query = asked(request)
        result = emissions(request.user.organization_id, query.filter)  # type: ignore[union-attr]
        answer = result.as_dict()
        if not answer["rows"] and request.accepted_renderer.format != "json":
            answer["columns"] = list(result.rows.columns)  # a file without rows still has its header
        return Response(answer)


class ExplainView(APIView):
    """The tree behind a figure."""

    action_needed = Action.SEE_OWN_TEAM

    @extend_schema(
        operation_id="explain",
        parameters=[
            *QUERY_PARAMETERS,
            OpenApiParameter("impact", str, description="an impact of the emissions, or total_kg_co2e (default)"),
            OpenApiParameter("record", str, description="only this record"),
        ],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        """Answer formulas, cells, factors and sources of a figure, as a tree that multiplies out to it."""
        query = asked(request)
        try:
            tree = explain(
                request.user.organization_id,  # type: ignore[union-attr]
                query.filter,
                impact=request.GET.get("impact", "total_kg_co2e"),
                record_id=request.GET.get("record") or None,
            )
        except FilterError as error:
            raise Problem(400, "bad-parameter", str(error), field=error.field) from error
        except NothingToExplain as error:
            raise Problem(404, "nothing-to-explain", str(error)) from error
        if tree["record_id"] is not None and not may_see_record(request.user, tree):  # type: ignore[arg-type]
            raise Problem(404, "nothing-to-explain", f"There is no record {tree['record_id']!r}.")
        return Response(tree)
