"""GET and POST /api/v1/denominators: the business figures that emissions are divided by."""

from __future__ import annotations

import json
from datetime import date
from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.organizations.policy import Action, narrowing
from core.problems import Problem
from reporting.intensities.sheet import MOST_BYTES, MOST_ROWS, UnreadableSheet, read_sheet
from reporting.models import DenominatorFigure
from reporting.selectors import denominators as selectors
from reporting.services.denominators import FaultyFigures, described, enter_figures

LIMIT, MOST = 100, 1_000
NARROW: Final = ("series", "currency", "team", "project", "application")
PARAMETERS: Final = (*NARROW, "from", "to", "replaced", "after", "limit", "org", "format")


class FiguresParser(BaseParser):
    """JSON: an array of figures, or ``{"figures": [...]}``; numbers are kept as they are written."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        try:
            body = json.loads(whole(stream), parse_float=str, parse_int=str, parse_constant=str)
        except ValueError as error:
            raise ParseError(f"The body is no JSON: {error}") from error
        rows = body.get("figures") if isinstance(body, dict) else body
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise ParseError('Send a JSON array of figures, or {"figures": [...]}.')
        if len(rows) > MOST_ROWS:
            raise Problem(413, "too-large", f"A delivery has at most {MOST_ROWS:,} figures: send it in parts.")
        return {"rows": rows, "faults": []}


class SheetParser(BaseParser):
    """``text/csv``: the template, filled in."""

    media_type = "text/csv"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> dict[str, Any]:
        try:
            rows, faults = read_sheet(whole(stream))
        except UnreadableSheet as error:
            raise ParseError(str(error)) from error
        return {"rows": rows, "faults": faults}


def whole(stream: Any) -> bytes:
    """Read a body. Raises Problem 413."""
    body: bytes = stream.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise Problem(413, "too-large", f"A delivery has at most {MOST_BYTES // 1_000_000} MB: send it in parts.")
    return body


class DenominatorsView(APIView):
    """Business figures: those that stand, and new ones."""

    parser_classes = (FiguresParser, SheetParser)

    @property
    def action_needed(self) -> Action:
        """Reading is for whoever sees figures, entering for those who may."""
        return Action.EDIT_DENOMINATORS if self.request.method == "POST" else Action.SEE_OWN_TEAM

    @extend_schema(
        operation_id="denominators",
        parameters=[
            *(OpenApiParameter(name, str) for name in NARROW),
            OpenApiParameter("from", OpenApiTypes.DATE, description="figures that end on this day or later, UTC"),
            OpenApiParameter("to", OpenApiTypes.DATE, description="figures that begin on this day or earlier, UTC"),
            OpenApiParameter("replaced", bool, description="also figures that were corrected or withdrawn"),
            OpenApiParameter("after", str, description="next of the page before"),
            OpenApiParameter("limit", int, description=f"default {LIMIT}, at most {MOST}"),
        ],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        """List figures, the latest entered first, a page at a time."""
        unknown = sorted(set(request.query_params) - set(PARAMETERS))
        if unknown:
            raise Problem(400, "bad-parameter", f"There is no parameter {unknown[0]!r} here.", field=unknown[0])
        identity: Any = request.user
        rows = selectors.figures(
            identity.organization_id,
            replaced=request.query_params.get("replaced", "").lower() in {"1", "true", "yes"},
            allowed=narrowing(identity),
        ).order_by("-id")
        for name in NARROW:
            if name in request.query_params:
                rows = rows.filter(**{name: request.query_params[name]})
        if "from" in request.query_params:
            rows = rows.filter(to_day__gte=day_of(request, "from"))
        if "to" in request.query_params:
            rows = rows.filter(from_day__lte=day_of(request, "to"))
        if "after" in request.query_params:
            rows = rows.filter(id__lt=number_of(request, "after", 2**31 - 1))
        limit = number_of(request, "limit", MOST) if "limit" in request.query_params else LIMIT
        page = list(rows[: limit + 1])
        following = str(page[limit - 1].pk) if len(page) > limit else None
        return Response({"figures": [shown(row) for row in page[:limit]], "next": following})

    @extend_schema(
        operation_id="enter_denominators",
        request={"application/json": OpenApiTypes.OBJECT, "text/csv": OpenApiTypes.STR},
        responses={201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        """Enter figures, all or none: 201 with them, else 400 with every fault."""
        sent: Any = request.data
        if "rows" not in sent:
            raise Problem(400, "empty-body", "There is no figure in the body.", what_to_do="Send JSON or CSV.")
        identity: Any = request.user
        try:
            entered = enter_figures(organization_id=identity.organization_id, rows=sent["rows"], faults=sent["faults"])
        except FaultyFigures as error:
            found = [{"row": fault.row, "field": fault.field, "reason": fault.reason} for fault in error.faults]
            raise Problem(400, "faulty-figures", str(error), errors=found) from error
        return Response({"written": entered.written, "figures": [shown(row) for row in entered.figures]}, status=201)


def shown(row: DenominatorFigure) -> dict[str, Any]:
    """Write a figure: the number as a number, null where it is withdrawn."""
    value = row.value_in_units
    if value is None:
        return described(row)
    return described(row) | {"value": int(value) if value == int(value) else float(value)}


def day_of(request: Request, name: str) -> date:
    """Read a UTC day. Raises Problem 400."""
    text = request.query_params[name]
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Problem(400, "bad-parameter", f"{name}={text!r} is no day like 2026-07-01.", field=name) from None


def number_of(request: Request, name: str, most: int) -> int:
    """Read a number from 1 on. Raises Problem 400."""
    text = request.query_params[name]
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:12]) <= most):
        raise Problem(400, "bad-parameter", f"{name}={text!r} is not between 1 and {most}.", field=name)
    return int(text)
