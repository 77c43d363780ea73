"""GET, POST /api/v1/budgets, GET, POST /api/v1/carbon-prices."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.organizations.policy import Action
from core.organizations.tenancy import organization_scope
from core.problems import Problem
from reporting.api.scenarios import body_of
from reporting.models import CarbonPrice
from reporting.selectors import budgets as selectors
from reporting.selectors.budgets import Standing
from reporting.selectors.targets import may_edit, may_see
from reporting.services import budgets as services
from reporting.tasks import watch_after_commit

BUDGET: Final = ("team", "period", "amount", "unit", "thresholds_percent", "note")
PRICE: Final = ("price_per_t", "currency", "valid_from", "basis")


class BudgetsView(APIView):
    """Budgets of teams and quarters, and how they stand."""

    @property
    def action_needed(self) -> Action:
        """Reading is for whoever sees the team, setting for who may for it."""
        return Action.EDIT_TEAM_TARGETS if self.request.method == "POST" else Action.SEE_OWN_TEAM

    @extend_schema(
        operation_id="budgets",
        parameters=[OpenApiParameter("period", str, description="only of this quarter, such as 2026-Q4")],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        """List standing budgets with what is used, the pace of the latest 28 days and the day each runs out."""
        identity: Any = request.user
        period = request.query_params.get("period", "")
        with organization_scope(identity.organization_id):
            found = [
                one
                for one in selectors.budgets(identity.organization_id)
                if period in {"", one.period} and may_see(identity, {"team": (one.team,)})
            ]
            rows = selectors.standings(identity.organization_id, datetime.now(UTC).date(), of=found)
        return Response({"budgets": [described(each) for each in rows]})

    @extend_schema(
        operation_id="set_budget",
        request={"application/json": OpenApiTypes.OBJECT},
        responses={201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        """Set a budget as a new version: team, period, amount (null: withdraw), unit (kg, t, currency), thresholds_percent."""
        identity: Any = request.user
        body = body_of(request.data, BUDGET)
        for name in ("team", "period", "unit", "note"):
            if not isinstance(body.get(name, ""), str):
                raise Problem(400, "bad-field", f"{name} is text.", field=name)
        thresholds = body.get("thresholds_percent", list(services.DEFAULT_THRESHOLDS))
        if not isinstance(thresholds, list) or not all(type(each) is int for each in thresholds):
            raise Problem(
                400, "bad-field", "thresholds_percent is a list of whole numbers.", field="thresholds_percent"
            )
        if "amount" not in body:
            raise Problem(400, "bad-field", "amount is missing; null withdraws.", field="amount")
        team = body.get("team", "").strip()
        if not may_edit(identity, {"team": (team,)}):
            raise Problem(403, "not-allowed", "A team lead sets the budgets of the own team.")
        amount = body["amount"]
        try:
            made = services.set_budget(
                organization_id=identity.organization_id,
                team=team,
                period=body.get("period", ""),
                amount=None if amount is None else decimal("amount", amount),
                unit=body.get("unit", "kg"),
                thresholds_percent=thresholds,
                note=body.get("note", ""),
                created_by_id=identity.person_id,
            )
        except services.BudgetError as error:
            raise Problem(400, "impossible-budget", str(error), field=error.field) from error
        with transaction.atomic():
            watch_after_commit(identity.organization_id)
        return Response({"id": made.id, **services.described(made)}, status=201)


class CarbonPricesView(APIView):
    """The internal carbon price."""

    @property
    def action_needed(self) -> Action:
        """Setting a price is for who sets targets of all."""
        return Action.EDIT_TARGETS if self.request.method == "POST" else Action.SEE_ALL_TEAMS

    @extend_schema(operation_id="carbon_prices", responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request) -> Response:
        """List the prices by the day each begins, the latest first."""
        organization_id = request.user.organization_id  # type: ignore[union-attr]
        with organization_scope(organization_id):
            return Response({"prices": [price(each) for each in selectors.prices(organization_id)]})

    @extend_schema(
        operation_id="set_carbon_price",
        request={"application/json": OpenApiTypes.OBJECT},
        responses={201: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request) -> Response:
        """Set what a tonne costs from a day on: price_per_t, currency, valid_from, basis."""
        identity: Any = request.user
        body = body_of(request.data, PRICE)
        for name in PRICE[1:]:
            if not isinstance(body.get(name), str):
                raise Problem(400, "bad-field", f"{name} is text.", field=name)
        try:
            valid_from = date.fromisoformat(body["valid_from"])
        except ValueError:
            raise Problem(400, "bad-field", "valid_from is a day, such as 2026-10-01.", field="valid_from") from None
        try:
            made = services.set_carbon_price(
                organization_id=identity.organization_id,
                price_per_t=decimal("price_per_t", body.get("price_per_t")),
                currency=body["currency"],
                valid_from=valid_from,
                basis=body["basis"],
                created_by_id=identity.person_id,
            )
        except services.BudgetError as error:
            raise Problem(400, "impossible-price", str(error), field=error.field) from error
        return Response(price(made), status=201)


def decimal(name: str, given: Any) -> Decimal:
    """Read a number, also as text. Raises Problem 400."""
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise Problem(400, "bad-field", f"{name} is a number.", field=name)
    try:
        return Decimal(str(given))
    except InvalidOperation:
        raise Problem(400, "bad-field", f"{name} is a number.", field=name) from None


def described(standing: Standing) -> dict[str, Any]:
    """Write how a budget stands as plain values."""
    pace, run_out = standing.pace, standing.run_out
    return {
        "id": standing.budget.id,
        **services.described(standing.budget),
        "from": standing.budget.from_day.isoformat(),
        "to": standing.budget.to_day.isoformat(),
        "used_kg_co2e": standing.used_kg,
        "state": standing.state,
        "through": standing.through.isoformat(),
        "pace_kg_co2e_per_day": pace.kg_per_day if pace else None,
        "pace_kg_co2e_per_day_low": pace.low if pace else None,
        "pace_kg_co2e_per_day_high": pace.high if pace else None,
        "spent_on": day(standing.spent_on),
        "runs_out_on": day(run_out.day) if run_out else None,
        "runs_out_earliest": day(run_out.earliest) if run_out else None,
        "runs_out_latest": day(run_out.latest) if run_out else None,
    }


def day(given: date | None) -> str | None:
    """Write a day."""
    return given.isoformat() if given else None


def price(found: CarbonPrice) -> dict[str, Any]:
    """Write a price as plain values."""
    return {
        "valid_from": found.valid_from.isoformat(),
        "price_per_t": float(found.price_per_t),
        "currency": found.currency,
        "basis": found.basis,
    }
