"""Set budgets and the internal carbon price, and tell who wants to know how budgets stand."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from core.accounting.figures import FilterError, parse_period
from core.delivery.services import announce
from core.organizations.models import Organization
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from reporting.budgets.announcements import BUDGET_AHEAD, BUDGET_THRESHOLD
from reporting.budgets.rules import AHEAD, KG_PER_T, alerts_due
from reporting.models import Budget, CarbonPrice
from reporting.selectors.budgets import Standing, price_on, standings

DEFAULT_THRESHOLDS: Final = (80, 100)
MOST_THRESHOLDS: Final = 6
HIGHEST_THRESHOLD: Final = 1000
LARGEST_AMOUNT: Final = Decimal("1e12")
LONGEST_NOTE: Final = 2_000
QUARTER: Final = re.compile(r"(FY)?\d{4}-Q[1-4]")
CURRENCY: Final = re.compile(r"[A-Z]{3}")


class BudgetError(Exception):
    """A budget or price that cannot be; the message says why, ``field`` what of it."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


def set_budget(
    *,
    organization_id: int,
    team: str,
    period: str,
    amount: Decimal | None,
    unit: str = "kg",
    thresholds_percent: Sequence[int] = DEFAULT_THRESHOLDS,
    note: str = "",
    created_by_id: int | None = None,
) -> Budget:
    """
    Set what a team may emit in a quarter, as a new version; without an amount the budget is withdrawn.

    Args:
        period: name of a quarter.
        unit: kg, t, or the currency of the internal carbon price that is in force on the quarter's first day.

    Raises BudgetError.
    """
    team = team.replace("\0", "").strip()
    if not team or len(team) > 200:
        raise BudgetError("team", "Name a team.")
    first, last = _quarter(organization_id, period)
    thresholds = sorted(set(thresholds_percent))
    if len(thresholds) > MOST_THRESHOLDS or any(not 1 <= each <= HIGHEST_THRESHOLD for each in thresholds):
        raise BudgetError(
            "thresholds_percent", f"Give up to {MOST_THRESHOLDS} thresholds of 1 to {HIGHEST_THRESHOLD} %."
        )
    if len(note) > LONGEST_NOTE:
        raise BudgetError("note", f"The note is longer than {LONGEST_NOTE} characters.")
    with organization_scope(organization_id):
        price = None
        if amount is not None and unit not in {"kg", "t"}:
            price = price_on(organization_id, first)
            if price is None or price.currency != unit:
                raise BudgetError("unit", f"No internal carbon price in {unit} is in force on {first}: set one first.")
        limit_kg = None if amount is None else _in_kg(amount, unit, price)
        former = (
            Budget.objects.select_for_update()
            .filter(organization_id=organization_id, team=team, from_day=first)
            .order_by("-version")
            .first()
        )
        if amount is None and (former is None or former.limit_kg_co2e is None):
            raise BudgetError("amount", "There is no budget to withdraw.")
        budget = Budget.objects.create(
            organization_id=organization_id,
            team=team,
            period=period,
            from_day=first,
            to_day=last,
            version=former.version + 1 if former else 1,
            limit_kg_co2e=limit_kg,
            entered_in_units=amount,
            entered_unit=unit if amount is not None else "",
            price_per_t=price.price_per_t if price else None,
            thresholds_percent=thresholds,
            note=note.replace("\0", "").strip(),
            created_by_id=created_by_id,
        )
        record_event(
            organization_id=organization_id,
            action="set_budget" if amount is not None else "withdraw_budget",
            object_type="budget",
            object_id=budget.id,
            before=described(former) if former else None,
            after=described(budget),
            reason=budget.note,
        )
    return budget


def set_carbon_price(
    *,
    organization_id: int,
    price_per_t: Decimal,
    currency: str,
    valid_from: date,
    basis: str,
    created_by_id: int | None = None,
) -> CarbonPrice:
    """Set what a tonne costs from a day on; earlier rows stay. Raises BudgetError."""
    if not price_per_t.is_finite() or not 0 < price_per_t < Decimal("1e9"):
        raise BudgetError("price_per_t", "The price must be above 0.")
    if not CURRENCY.fullmatch(currency):
        raise BudgetError("currency", "Give a currency by its three letters, such as EUR.")
    basis = basis.replace("\0", "").strip()
    if not basis or len(basis) > LONGEST_NOTE:
        raise BudgetError("basis", "Say what the price stands for and where it comes from.")
    with organization_scope(organization_id):
        price = CarbonPrice.objects.create(
            organization_id=organization_id,
            price_per_t=price_per_t,
            currency=currency,
            valid_from=valid_from,
            basis=basis,
            created_by_id=created_by_id,
        )
        record_event(
            organization_id=organization_id,
            action="set_carbon_price",
            object_type="carbon_price",
            object_id=price.id,
            after={
                "price_per_t": str(price_per_t),
                "currency": currency,
                "valid_from": valid_from.isoformat(),
                "basis": basis,
            },
        )
    return price


def described(budget: Budget) -> dict[str, Any]:
    """Write a budget as the audit log keeps it."""
    return {
        "team": budget.team,
        "period": budget.period,
        "version": budget.version,
        "limit_kg_co2e": budget.limit_kg_co2e,
        "entered": None if budget.entered_in_units is None else f"{budget.entered_in_units:f} {budget.entered_unit}",
        "thresholds_percent": list(budget.thresholds_percent),
    }


def _quarter(organization_id: int, period: str) -> tuple[date, date]:
    start = Organization.objects.values_list("fiscal_year_start_month", flat=True).get(id=organization_id)
    if not QUARTER.fullmatch(period):
        raise BudgetError("period", "Name a quarter, such as 2026-Q4 or FY2027-Q1.")
    try:
        found = parse_period(period, start)
    except (FilterError, ValueError) as error:
        raise BudgetError("period", str(error)) from None
    return found.from_day, found.to_day


def _in_kg(amount: Decimal, unit: str, price: CarbonPrice | None) -> float:
    if not amount.is_finite() or not 0 < amount <= LARGEST_AMOUNT:
        raise BudgetError("amount", "The budget must be above 0.")
    if unit == "kg":
        return float(amount)
    return float(amount) * KG_PER_T if price is None else float(amount / price.price_per_t * 1000)


# --- alerts -----------------------------------------------------------------------------------------------------------


def watch_budgets(now: datetime | None = None) -> dict[str, int]:
    """Look at every budget of every organization; give how many things were said that were not said before."""
    said = 0
    for organization_id in Organization.objects.order_by("id").values_list("id", flat=True):
        said += watch_organization(organization_id, now or datetime.now(UTC))
    return {"said": said}


def watch_organization(organization_id: int, now: datetime) -> int:
    """Say of each budget of an organization that is open, or ended lately, what is due; each thing once a version."""
    with organization_scope(organization_id):
        found = standings(organization_id, now.astimezone(UTC).date(), watched=True)
    return sum(_say(organization_id, each, now) for each in found)


def _say(organization_id: int, standing: Standing, now: datetime) -> int:
    budget = standing.budget
    if standing.used_kg is None or budget.limit_kg_co2e is None:
        return 0
    due = alerts_due(
        used_kg=standing.used_kg,
        limit_kg=budget.limit_kg_co2e,
        thresholds=budget.thresholds_percent,
        run_out=standing.run_out if standing.is_open else None,
        to_day=budget.to_day,
    )
    said = 0
    with transaction.atomic():
        for what in due:
            message = announce(
                organization_id=organization_id,
                kind=BUDGET_AHEAD if what == AHEAD else BUDGET_THRESHOLD,
                key=f"budget-{budget.id}-{what}",
                team=budget.team,
                data=_data(standing, what),
                occurred_at=now,
            )
            said += message is not None
    return said


def _data(standing: Standing, what: str) -> dict[str, Any]:
    budget, run_out = standing.budget, standing.run_out
    days = (None, None, None) if run_out is None else (run_out.day, run_out.earliest, run_out.latest)
    return {
        "budget_id": budget.id,
        "team": budget.team,
        "period": budget.period,
        "limit_kg_co2e": budget.limit_kg_co2e,
        "used_kg_co2e": standing.used_kg,
        "threshold_percent": None if what == AHEAD else int(what),
        "through": standing.through.isoformat(),
        "ends_on": budget.to_day.isoformat(),
        **dict(
            zip(
                ("runs_out_on", "runs_out_earliest", "runs_out_latest"),
                (day.isoformat() if day else None for day in days),
                strict=True,
            )
        ),
    }
