"""manage.py set_carbon_price --organization SLUG --price N --currency EUR --from DATE --basis TEXT"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.organizations import selectors
from reporting.services import budgets


class Command(BaseCommand):
    help = "Set what a tonne CO2e costs inside the organization from a day on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--price", required=True, type=Decimal, dest="price_per_t", help="of a tonne CO2e")
        parser.add_argument("--currency", required=True, help="ISO 4217")
        parser.add_argument("--from", required=True, type=date.fromisoformat, dest="valid_from", metavar="DATE")
        parser.add_argument("--basis", required=True, help="what it stands for and where it comes from")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = selectors.organization_by_slug(options["organization"])
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']!r}.")
        try:
            made = budgets.set_carbon_price(
                organization_id=organization.id,
                **{name: options[name] for name in ("price_per_t", "currency", "valid_from", "basis")},
            )
        except budgets.BudgetError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{made.price_per_t:f} {made.currency} a tonne from {made.valid_from}.")
