"""manage.py set_target --organization SLUG --kg-per-year N --from DATE"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.organizations import selectors
from reporting.services import limits


class Command(BaseCommand):
    help = "Set the yearly limit that the overview holds emissions against."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--name", default="Yearly limit")
        parser.add_argument("--kg-per-year", required=True, type=float, help="kg CO2e a year")
        parser.add_argument("--from", required=True, type=date.fromisoformat, dest="starts_on", metavar="DATE")
        parser.add_argument("--to", type=date.fromisoformat, dest="ends_on", metavar="DATE")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = selectors.organization_by_slug(options["organization"])
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']!r}.")
        try:
            target = limits.set_limit(
                organization_id=organization.id,
                name=options["name"],
                limit_kg_co2e_per_year=options["kg_per_year"],
                starts_on=options["starts_on"],
                ends_on=options["ends_on"],
            )
        except limits.LimitError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{target.name}: {target.limit_kg_co2e_per_year:g} kg CO2e a year from {target.starts_on}.")
