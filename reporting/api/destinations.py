"""GET, POST /api/v1/destinations, DELETE /api/v1/destinations/{id}, POST .../test, GET /api/v1/deliveries."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.delivery import selectors, services
from core.delivery.models import Delivery, Destination
from core.delivery.tasks import wake_after_commit
from core.organizations.policy import Action
from core.organizations.tenancy import organization_scope
from core.problems import Problem
from reporting.api.scenarios import body_of

TEXTS: Final = ("name", "channel", "address", "team", "language")
FIELDS: Final = (*TEXTS, "kinds")
PAGE: Final = 100


class DestinationsView(APIView):
    """Where messages go, and a new one."""

    action_needed = Action.MANAGE_DESTINATIONS

    @extend_schema(operation_id="destinations", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """List the destinations by name; never a secret."""
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        with organization_scope(organization_id):
            rows = list(selectors.destinations(organization_id))
        return Response({"destinations": [described(each) for each in rows]})

    @extend_schema(
        operation_id="add_destination",
        request={"application/json": OpenApiTypes.OBJECT},
        responses={201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        """Add a destination: name, channel (email, webhook, slack), address, kinds, team, language. The secret is shown once."""
        identity: Any = request.user
        body = body_of(request.data, FIELDS)
        wanted = body.get("kinds", [])
        for name in TEXTS:
            if not isinstance(body.get(name, ""), str):
                raise Problem(400, "bad-field", f"{name} is text.", field=name)
        if not isinstance(wanted, list) or not all(isinstance(each, str) for each in wanted):
            raise Problem(400, "bad-field", "kinds is a list of text.", field="kinds")
        try:
            made, secret = services.add_destination(
                organization_id=identity.organization_id,
                kinds_wanted=wanted,
                created_by_id=identity.person_id,
                name=body.get("name", ""),
                channel=body.get("channel", ""),
                address=body.get("address", ""),
                team=body.get("team", ""),
                language=body.get("language", "en"),
            )
        except services.DestinationError as error:
            raise Problem(400, "impossible-destination", str(error), field=error.field) from error
        return Response(described(made) | {"secret": secret or None}, status=201)


class DestinationView(APIView):
    """One destination."""

    action_needed = Action.MANAGE_DESTINATIONS

    @extend_schema(operation_id="remove_destination", responses={204: None})
    def delete(self, request: Request, destination_id: int) -> Response:
        """Remove a destination; its log stays."""
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        try:
            services.remove_destination(organization_id=organization_id, destination_id=destination_id)
        except Destination.DoesNotExist:
            raise Problem(404, "no-such-destination", f"There is no destination {destination_id}.") from None
        return Response(status=204)


class DestinationTestView(APIView):
    """A test of one destination."""

    action_needed = Action.MANAGE_DESTINATIONS

    @extend_schema(operation_id="test_destination", request=None, responses={202: OpenApiTypes.OBJECT})
    def post(self, request: Request, destination_id: int) -> Response:
        """Have a test sent; the log says what became of it."""
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        try:
            message = services.send_test(organization_id=organization_id, destination_id=destination_id)
        except Destination.DoesNotExist:
            raise Problem(404, "no-such-destination", f"There is no destination {destination_id}.") from None
        wake_after_commit(organization_id)
        return Response({"message": f"msg_{message.uid.hex}"}, status=202)


class DeliveriesView(APIView):
    """The delivery log."""

    action_needed = Action.MANAGE_DESTINATIONS

    @extend_schema(
        operation_id="deliveries",
        parameters=[OpenApiParameter("before", int, description="only deliveries of lower ids")],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        """List deliveries with every attempt, the latest first; next is the value of `before` for more."""
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        before = request.query_params.get("before")
        if before is not None and not (before.isascii() and before.isdigit() and len(before) < 10):
            raise Problem(400, "bad-parameter", "before is the id of a delivery.", field="before")
        with organization_scope(organization_id):
            rows = selectors.latest_deliveries(
                organization_id, before=None if before is None else int(before), limit=PAGE
            )
        following = rows[-1].id if len(rows) == PAGE else None
        return Response({"deliveries": [delivery(each) for each in rows], "next": following})


def described(found: Destination) -> dict[str, Any]:
    """Write a destination as plain values."""
    return {"id": found.id, **services.described(found), "paused": found.paused_at is not None}


def delivery(found: Delivery) -> dict[str, Any]:
    """Write a delivery as plain values."""
    return {
        "id": found.id,
        "message": f"msg_{found.message.uid.hex}",
        "kind": found.message.kind,
        "team": found.message.team or None,
        "data": found.message.data,
        "occurred_at": _written(found.message.occurred_at),
        "destination": found.destination.name,
        "destination_id": found.destination_id,
        "state": found.state,
        "next_at": _written(found.next_at) if found.ended_at is None else None,
        "attempts": [
            {
                "number": each.number,
                "began_at": _written(each.began_at),
                "took_s": round(each.took_s, 3),
                "succeeded": each.succeeded,
                "http_status": each.http_status,
                "detail": each.detail,
            }
            for each in found.attempts.all()
        ],
    }


def _written(at: Any) -> str:
    text: str = at.isoformat(timespec="seconds")
    return text.replace("+00:00", "Z")
