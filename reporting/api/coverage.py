"""GET /api/v1/coverage: measured, modelled and stated of each coverage unit side by side, and what is covered."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.accounting.figures import Filter, FilterError, parse_period
from core.accounting.selectors.signal_tokens import signal_differences
from core.accounting.selectors.suggested_links import suggested_links
from core.accounting.selectors.unit_reconciliation import reconciled_units
from core.accounting.selectors.unlinked_statements import unlinked_statements
from core.organizations.models import Organization
from core.organizations.policy import Action
from core.problems import Problem

PARAMETERS: Final = [
    OpenApiParameter("period", str, description="2026, 2026-Q3, 2026-07, FY2026, last-30d; default last-365d"),
]


class CoverageView(APIView):
    """The evidence of coverage units."""

    action_needed = Action.SEE_ALL_TEAMS

    @extend_schema(
        operation_id="coverage", parameters=PARAMETERS, responses={(200, "application/json"): OpenApiTypes.OBJECT}
    )
    def get(self, request: Request) -> Response:
        """
        Answer every unit, in kg CO2e, location-based.

        ``{"from", "to", "units", "unlinked_statements", "signal_differences", "suggested_links"}``
        """
        organization_id = int(request.user.organization_id)  # type: ignore[union-attr]
        organization = Organization.objects.only("fiscal_year_start_month").get(id=organization_id)
        text = request._request.GET.get("period") or "last-365d"
        try:
            period = parse_period(text, organization.fiscal_year_start_month, today=datetime.now(UTC).date())
        except FilterError as error:
            raise Problem(400, "bad-parameter", str(error), field=error.field) from error
        asked = Filter(period.from_day, period.to_day)
        return Response(
            {
                "from": period.from_day.isoformat(),
                "to": period.to_day.isoformat(),
                "units": [unit.as_dict() for unit in reconciled_units(organization_id, asked)],
                "unlinked_statements": [each.as_dict() for each in unlinked_statements(organization_id, asked)],
                "signal_differences": [each.as_dict() for each in signal_differences(organization_id, asked)],
                "suggested_links": [each.as_dict() for each in suggested_links(organization_id)],
            }
        )
