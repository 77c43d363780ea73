"""What the demo organization has decided: budgets of its teams, a carbon price, and who is told."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Final

from django.core.management import call_command

from core.accounting.figures import Filter
from core.accounting.selectors import emissions
from core.delivery.selectors import destinations
from core.delivery.services import add_destination
from core.organizations.tenancy import organization_scope

PRICE: Final = (Decimal(85), "EUR", "Near the auction mean of EU allowances, set by the board")
FORMER_PRICE: Final = (Decimal(65), "EUR", "Auction mean of EU allowances in 2024 (EEX)")
TELLS: Final = "Sustainability team"


@dataclass(frozen=True)
class Share:
    """
    How a team's budget of the quarter stands.

    Args:
        used: share that is used by now; 0: not set so.
        of_pace: share of what the quarter would come to at an even pace; 0: not set so.
    """

    used: float = 0.0
    of_pace: float = 0.0


BUDGETS: Final = {
    "Foundation models": Share(used=0.94),
    "Search": Share(of_pace=1.2),
    "Assistants": Share(of_pace=0.9),
    "Support": Share(of_pace=1.05),
}


def decide(organization_id: int, slug: str, today: date) -> None:
    """Set the carbon price, the budgets of this quarter, and where messages go; what is there already is left."""
    with organization_scope(organization_id):
        if destinations(organization_id).exists():
            return
    for (price, currency, basis), year in ((FORMER_PRICE, today.year - 1), (PRICE, today.year)):
        call_command(
            "set_carbon_price",
            organization=slug,
            price_per_t=price,
            currency=currency,
            basis=basis,
            valid_from=date(year, 1, 1),
            stdout=StringIO(),
        )
    first = date(today.year, today.month - (today.month - 1) % 3, 1)
    following = date(first.year + first.month // 10, (first.month + 2) % 12 + 1, 1)
    passed = (today - first + timedelta(days=1)) / (following - first)
    with organization_scope(organization_id):
        rows = emissions(organization_id, Filter(first, today, by=("team",)), bounds=False).rows
    used_kg = dict(zip(rows["team"], rows["total_kg_co2e"], strict=True))
    for team, share in BUDGETS.items():
        kg = float(used_kg.get(team) or 0.0)
        limit = kg / share.used if share.used else kg / passed * share.of_pace
        if limit > 0.0:
            call_command(
                "set_budget",
                organization=slug,
                team=team,
                period=f"{today.year}-Q{(today.month + 2) // 3}",
                amount=Decimal(f"{limit:.3g}"),
                unit="kg",
                note="Agreed at the quarterly review",
                stdout=StringIO(),
            )
    add_destination(organization_id=organization_id, name=TELLS, channel="email", address="sustainability@demo.example")
