"""GET /api/v1/variance: why a period differs from the one that it is compared with."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.accounting.figures import FilterError
from core.accounting.selectors.variance import CONTRIBUTORS, variance_between
from core.organizations.policy import Action
from core.problems import Problem
from reporting.api.figures import QUERY_PARAMETERS, asked

CMP_PARAMETER = OpenApiParameter(
    "cmp", str, description="what to compare with: previous (default), year, or a period such as 2025-Q3"
)
BY_PARAMETER = OpenApiParameter(
    "by", str, description=f"whose contributions to list, separated by commas: {', '.join(CONTRIBUTORS)}"
)


class VarianceView(APIView):
    """Volume, mix, efficiency, grid, coverage and method between two periods."""

    one_snapshot = True
    action_needed = Action.SEE_OWN_TEAM

    @extend_schema(
        operation_id="variance",
        parameters=[
            CMP_PARAMETER,
            BY_PARAMETER,
            *(each for each in QUERY_PARAMETERS if each.name not in ("by", "grain")),
        ],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        """Answer both totals and the parts between them, which sum exactly, in kg CO2e."""
        query = asked(request)
        if query.comparison is None:
            raise Problem(400, "bad-parameter", "A variance is between two periods: cmp cannot be none.", field="cmp")
        for name in query.filter.by:
            if name not in CONTRIBUTORS:
                text = f"Contributions are listed by {', '.join(CONTRIBUTORS)}, not by {name}."
                raise Problem(400, "bad-parameter", text, field="by")
        try:
            found = variance_between(request.user.organization_id, query.filter, query.comparison)  # type: ignore[union-attr]
        except FilterError as error:
            raise Problem(400, "bad-parameter", str(error), field=error.field) from error
        return Response(found.as_dict(query.filter.by))
