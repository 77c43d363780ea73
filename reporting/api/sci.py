"""GET /api/v1/sci: software carbon intensity per functional unit, for any filter and period."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.accounting.figures import FilterError
from core.organizations.policy import Action
from core.problems import Problem
from reporting.api.figures import QUERY_PARAMETERS, asked
from reporting.api.renderers import CsvRenderer
from reporting.intensities.units import BUILT_IN, REQUEST, UnknownUnit
from reporting.selectors.denominators import unit_named
from reporting.selectors.sci import sci

UNIT_PARAMETER = OpenApiParameter(
    "unit",
    str,
    description=f"what emissions are divided by: {', '.join(BUILT_IN)}, 1000_EUR (or another currency), or the name of a"
    " series of your own; default request",
)
REFUSED = ("basis", "booking", "include", "role")


class SciView(APIView):
    """Scores after ISO/IEC 21031, location-based, consumer and provider apart."""

    action_needed = Action.SEE_OWN_TEAM
    renderer_classes = (JSONRenderer, CsvRenderer)

    @extend_schema(
        operation_id="sci",
        parameters=[UNIT_PARAMETER, *(each for each in QUERY_PARAMETERS if each.name not in REFUSED)],
        responses={(200, "application/json"): OpenApiTypes.OBJECT, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> Response:
        """Answer score, components and boundary; where there is no score, the reason in words."""
        query = asked(request)
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        try:
            unit = unit_named(organization_id, query.params.get("unit", (REQUEST.name,))[0])
            return Response(sci(organization_id, query.filter, unit).as_dict())
        except UnknownUnit as error:
            raise Problem(400, "bad-parameter", str(error), field="unit") from error
        except FilterError as error:
            raise Problem(400, "bad-parameter", str(error), field=error.field) from error
