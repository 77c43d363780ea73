"""GET /api/v1/factors: the rows of a factor set with source and licence, and what of a period rests on each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.accounting.figures import FilterError
from core.organizations.models import Organization
from core.organizations.policy import Action
from core.problems import Problem
from core.quantification.factor_tables import TABLES
from reporting.api.renderers import CsvRenderer
from reporting.factor_query import read_factor_query
from reporting.selectors.factors import FILTER_COLUMNS, factor_rows

LIMIT, MOST = 100, 1000

PARAMETERS: Final = [
    OpenApiParameter("set", str, description="name or hash of a factor set; default: the one that figures use"),
    OpenApiParameter("table", str, enum=sorted(TABLES)),
    OpenApiParameter("edition", str, description="of a table, such as grid_intensity_annual--eea"),
    OpenApiParameter("q", str, description="somewhere in the row, without regard to case"),
    *(OpenApiParameter(name, str, description=f"only rows of this {name}") for name in FILTER_COLUMNS),
    OpenApiParameter("used", str, enum=["1"], description="only rows that something of the period rests on"),
    OpenApiParameter(
        "period", str, description="whose figures rest on the rows: 2026, 2026-Q3, 2026-07, FY2026, last-30d"
    ),
    OpenApiParameter("from", OpenApiTypes.DATE, description="first day, inclusive, UTC"),
    OpenApiParameter("to", OpenApiTypes.DATE, description="last day, inclusive, UTC"),
    OpenApiParameter("after", str, description="cursor: `next` of the page before"),
    OpenApiParameter("limit", int, description=f"rows of a page, 1 to {MOST}; default {LIMIT}"),
]


class FactorsView(APIView):
    """Rows of a factor set."""

    action_needed = Action.SEE_OWN_TEAM
    renderer_classes = (JSONRenderer, CsvRenderer)

    @extend_schema(
        operation_id="factors",
        parameters=PARAMETERS,
        responses={(200, "application/json"): OpenApiTypes.OBJECT, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> Response:
        """Answer rows in the order of the set, a page at a time: ``{"set", "period", "rows", "next"}``."""
        data = request._request.GET
        identity = request.user
        organization = Organization.objects.only("fiscal_year_start_month").get(id=identity.organization_id)  # type: ignore[union-attr]
        try:
            query = read_factor_query(
                data,
                identity=identity,  # type: ignore[arg-type]
                today=datetime.now(UTC).date(),
                fiscal_start=organization.fiscal_year_start_month,
                strict=True,
            )
            after, limit = _number(data.get("after"), "after", 0), _number(data.get("limit"), "limit", LIMIT)
            if not 1 <= limit <= MOST:
                raise FilterError("limit", f"limit is between 1 and {MOST}.")
        except FilterError as error:
            raise Problem(400, "bad-parameter", str(error), field=error.field) from error
        if query.pack is None or query.factor_set is None:
            return Response({"set": None, "period": None, "rows": [], "next": None})
        uses = query.uses(identity.organization_id)  # type: ignore[union-attr]
        rows = [row for row in factor_rows(query.pack, query.asked, uses, query.methodology) if row.position > after]
        page = rows[:limit]
        return Response(
            {
                "set": {"name": query.factor_set.name, "content_hash": query.factor_set.content_hash},
                "period": {"from": query.period.from_day.isoformat(), "to": query.period.to_day.isoformat()},
                "rows": [row.as_dict() for row in page],
                "next": str(page[-1].position) if len(rows) > limit else None,
            }
        )


def _number(text: str | None, name: str, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise FilterError(name, f"{name}={text!r} is no number.")
    return int(text)
