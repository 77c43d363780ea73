"""manage.py set_budget --organization SLUG --team NAME --period P --amount N [--unit t]"""

from __future__ import annotations

from argparse import ArgumentParser
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.organizations import selectors
from reporting.services import budgets


class Command(BaseCommand):
    help = "Set what a team may emit in a quarter."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--team", required=True, metavar="NAME")
        parser.add_argument("--period", required=True, metavar="P", help="a quarter, such as 2026-Q4")
        parser.add_argument("--amount", required=True, type=Decimal, metavar="N")
        parser.add_argument("--unit", default="t", help="t, kg or the currency of the internal carbon price")
        parser.add_argument("--note", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = selectors.organization_by_slug(options["organization"])
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']!r}.")
        try:
            made = budgets.set_budget(
                organization_id=organization.id,
                **{name: options[name] for name in ("team", "period", "amount", "unit", "note")},
            )
        except budgets.BudgetError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{made.team}, {made.period}: {made.limit_kg_co2e:g} kg CO2e, version {made.version}.")
