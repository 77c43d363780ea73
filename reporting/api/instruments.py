"""GET and POST /api/v1/instruments: contractual instruments with their use, and new ones, all or none."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import PermissionDenied
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.accounting.services import EntryError, add_instruments
from core.accounting.tasks import wake_after_commit
from core.organizations.identity import Identity
from core.organizations.policy import Action, may, roles_that_may
from core.problems import Problem
from core.quantification.instrument_entry import read_csv
from reporting.api.renderers import CsvRenderer
from reporting.selectors.electricity import electricity, row_of

MOST_INSTRUMENTS = 5_000


class CsvParser(BaseParser):
    """``text/csv`` with the fields of an instrument as its header: one mapping a line."""

    media_type = "text/csv"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None) -> Any:
        try:
            return read_csv(stream.read())
        except ValueError as error:
            raise ParseError(str(error)) from error


class InstrumentsView(APIView):
    """Contractual instruments for electricity."""

    action_needed = Action.SEE_ALL_TEAMS
    renderer_classes = (JSONRenderer, CsvRenderer)
    parser_classes = (JSONParser, CsvParser)

    @extend_schema(
        operation_id="instruments",
        parameters=[OpenApiParameter("year", int, description="of the consumption by market; default: the latest")],
        responses={(200, "application/json"): OpenApiTypes.OBJECT, (200, "text/csv"): OpenApiTypes.STR},
    )
    def get(self, request: Request) -> Response:
        """Answer every instrument with what is used and left of it, and a year's consumption by market."""
        identity: Identity = request.user  # type: ignore[assignment]
        found = electricity(identity.organization_id, year_of(request), today=datetime.now(UTC).date())
        return Response(
            {
                "year": found.year,
                "provisional": found.provisional,
                "rows": [row_of(position) for position in found.positions],
                "markets": [
                    {
                        "market": row.market,
                        "pool": row.pool,
                        "consumption_kwh": row.consumption_kwh,
                        "covered_kwh": row.covered_kwh,
                        "uncovered_kwh": row.uncovered_kwh,
                        "location_kg_co2e": row.location_kg,
                        "market_kg_co2e": row.market_kg,
                    }
                    for row in (*found.markets, *found.pools)
                ],
            }
        )

    @extend_schema(
        operation_id="instruments_create",
        request={"application/json": OpenApiTypes.OBJECT, "text/csv": OpenApiTypes.STR},
        responses={201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        """Enter instruments, all or none: 201 with their ids, else 400 with every fault."""
        identity: Identity = request.user  # type: ignore[assignment]
        if not may(identity, Action.MANAGE_INSTRUMENTS):
            raise PermissionDenied(
                f"Instruments are entered by: {', '.join(roles_that_may(Action.MANAGE_INSTRUMENTS))}."
            )
        try:
            made = add_instruments(
                organization_id=identity.organization_id, given=given_in(request), today=datetime.now(UTC).date()
            )
        except EntryError as error:
            detail = "Nothing was entered. Each fault names its row, counted from 1, and its field."
            faults = [fault.as_dict() for fault in error.faults]
            raise Problem(400, "bad-instruments", detail, faults=faults) from error
        wake_after_commit(identity.organization_id)
        return Response({"ids": [each.id for each in made]}, status=201)


def year_of(request: Request) -> int | None:
    """Read the year. Raises Problem 400."""
    text = request.GET.get("year")
    if text is None:
        return None
    if not (len(text) == 4 and text.isascii() and text.isdigit() and int(text) >= 1900):
        raise Problem(400, "bad-parameter", f"year={text!r} is no year like 2026.", field="year")
    return int(text)


def given_in(request: Request) -> list[dict[str, Any]]:
    """Read the body: one object, or a list of them. Raises Problem 400."""
    data: Any = request.data
    rows = data if isinstance(data, list) else [data]
    if not all(isinstance(row, dict) for row in rows) or not rows or not rows[0]:
        raise Problem(400, "bad-instruments", "Send a list of instruments, each an object of fields.")
    if len(rows) > MOST_INSTRUMENTS:
        raise Problem(400, "bad-instruments", f"At most {MOST_INSTRUMENTS:,} instruments are entered at once.")
    return [read_hours_of(dict(row)) for row in rows]


def read_hours_of(row: dict[str, Any]) -> dict[str, Any]:
    """Turn ``hours`` of an object into pairs of text. Raises Problem 400."""
    hours = row.get("hours")
    if hours is None:
        return row
    if not isinstance(hours, list) or not all(isinstance(each, dict) for each in hours):
        raise Problem(400, "bad-instruments", "hours is a list of {hour, energy_kwh}.", field="hours")
    return {**row, "hours": [(str(each.get("hour")), str(each.get("energy_kwh"))) for each in hours]}
