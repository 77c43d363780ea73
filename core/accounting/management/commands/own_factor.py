"""manage.py own_factor list | add NAME VALUE | end ID | remove ID --organization SLUG"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date, timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from core.accounting import services
from core.accounting.asking import add_organization_argument, organization_of
from core.accounting.output import as_table
from core.accounting.selectors.own_factors import series_that_fit
from core.factors.models import OwnFactor
from core.factors.own import OwnFactorError
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from core.quantification.overrides import UNITS
from core.quantification.own_factors import SELECTORS

COLUMNS: Final = ("id", "name", "value", "low", "high", "unit", "where", "from", "to", "source")


class Command(BaseCommand):
    help = "Enter numbers that the organization knows better than the factor set. Figures follow within a minute."

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        each = actions.add_parser("list", help="own factors, by name and first day")
        add_organization_argument(each)
        each.add_argument("--format", choices=["table", "json"], default="table")
        each = actions.add_parser("add", help="a number, what it is about and where it comes from")
        add_organization_argument(each)
        each.add_argument("name", help=f"one of {', '.join(UNITS)}")
        each.add_argument("value", type=float)
        each.add_argument("--low", type=float, help="lower end of the 95 %% interval")
        each.add_argument("--high", type=float, help="upper end")
        each.add_argument("--source", required=True, help="where the number comes from")
        each.add_argument(
            "--where",
            action="append",
            default=[],
            metavar="DIM=NAME",
            help=f"what it is about, repeated; DIM is one of {', '.join(SELECTORS)}",
        )
        each.add_argument("--from", type=date.fromisoformat, dest="from_day", metavar="DATE", help="first day, UTC")
        each.add_argument("--to", type=date.fromisoformat, dest="to_day", metavar="DATE", help="last day, UTC")
        each = actions.add_parser("end", help="let a factor hold only until a day")
        add_organization_argument(each)
        each.add_argument("id", type=int)
        each.add_argument(
            "--to", type=date.fromisoformat, dest="to_day", metavar="DATE", required=True, help="last day"
        )
        each = actions.add_parser("remove", help="take back a factor that was wrong")
        add_organization_argument(each)
        each.add_argument("id", type=int)
        each.add_argument("--reason", required=True, help="for the audit log")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        try:
            getattr(self, options["action"])(organization, options)
        except OwnFactorError as error:
            raise CommandError(str(error)) from error

    def list(self, organization: Organization, options: dict[str, Any]) -> None:
        with organization_scope(organization.id):
            factors = OwnFactor.objects.filter(organization_id=organization.id).order_by("name", "valid_from", "id")
            rows = [_described(factor) for factor in factors]
        if options["format"] == "json":
            self.stdout.write(json.dumps(rows, indent=2))
        else:
            self.stdout.write(as_table(COLUMNS, rows) if rows else "There are no own factors.")

    def add(self, organization: Organization, options: dict[str, Any]) -> None:
        last = options["to_day"]
        factor = services.add_own_factor(
            organization_id=organization.id,
            name=options["name"],
            value=options["value"],
            low=options["low"],
            high=options["high"],
            source=options["source"],
            where=_conditions(options["where"]),
            valid_from=options["from_day"],
            valid_to=None if last is None else last + timedelta(days=1),
        )
        if not series_that_fit(organization.id, factor):
            self.stderr.write("No record so far fits it: check the names of --where.")
        unit = "" if factor.unit == "1" else f" {factor.unit}"
        self.stdout.write(f"Own factor {factor.id}: {factor.name} is {factor.value:g}{unit}.")

    def end(self, organization: Organization, options: dict[str, Any]) -> None:
        services.end_own_factor(
            organization_id=organization.id,
            factor_id=options["id"],
            valid_to=options["to_day"] + timedelta(days=1),
        )
        self.stdout.write(f"Own factor {options['id']} holds until {options['to_day']}.")

    def remove(self, organization: Organization, options: dict[str, Any]) -> None:
        factor = services.remove_own_factor(
            organization_id=organization.id, factor_id=options["id"], reason=options["reason"]
        )
        self.stdout.write(f"Own factor {options['id']} ({factor.name}) is taken back.")


def _conditions(given: list[str]) -> dict[str, str]:
    conditions = {}
    for each in given:
        selector, sign, name = each.partition("=")
        if not sign or not name.strip():
            raise OwnFactorError("where", f"{each!r} is not DIM=NAME.")
        conditions[selector.strip()] = name
    return conditions


def _described(factor: OwnFactor) -> dict[str, Any]:
    """Describe a factor in plain values, both days inclusive."""
    last = None if factor.valid_to is None else factor.valid_to - timedelta(days=1)
    return {
        "id": factor.id,
        "name": factor.name,
        "value": factor.value,
        "low": factor.low,
        "high": factor.high,
        "unit": factor.unit,
        "where": ", ".join(f"{selector}={name}" for selector, name in factor.where.items()),
        "from": None if factor.valid_from is None else factor.valid_from.isoformat(),
        "to": None if last is None else last.isoformat(),
        "source": factor.source,
    }
