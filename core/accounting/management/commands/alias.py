"""manage.py alias list | set KIND REPORTED NAME | remove ID --organization SLUG"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import date, timedelta
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from core.accounting import services
from core.accounting.asking import add_organization_argument, organization_of
from core.accounting.output import as_table
from core.catalog.models import Alias, AliasKind
from core.catalog.services import CatalogError
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope

COLUMNS: Final = ("id", "kind", "reported", "name", "from", "to")


class Command(BaseCommand):
    help = (
        "Say what the names in records stand for, where the catalog does not know them. Figures follow within a minute."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)
        each = actions.add_parser("list", help="own aliases, by kind and name")
        add_organization_argument(each)
        each.add_argument("--format", choices=["table", "json"], default="table")
        each = actions.add_parser("set", help="replaces the alias of the same name and first day")
        add_organization_argument(each)
        each.add_argument("kind", help=f"one of {', '.join(AliasKind.values)}")
        each.add_argument("reported", help="as records say it, in whatever case")
        each.add_argument("name", help="as the catalog says it")
        each.add_argument("--from", type=date.fromisoformat, dest="from_day", metavar="DATE", help="first day, UTC")
        each.add_argument(
            "--to", type=date.fromisoformat, dest="to_day", metavar="DATE", help="last day, UTC, inclusive"
        )
        each = actions.add_parser("remove", help="take an alias back, by its id")
        add_organization_argument(each)
        each.add_argument("id", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        try:
            getattr(self, options["action"])(organization, options)
        except CatalogError as error:
            raise CommandError(str(error)) from error

    def list(self, organization: Organization, options: dict[str, Any]) -> None:
        with organization_scope(organization.id):
            aliases = Alias.objects.filter(organization_id=organization.id).order_by("kind", "reported", "valid_from")
            rows = [_described(alias) for alias in aliases]
        if options["format"] == "json":
            self.stdout.write(json.dumps(rows, indent=2))
        else:
            self.stdout.write(as_table(COLUMNS, rows) if rows else "There are no own aliases.")

    def set(self, organization: Organization, options: dict[str, Any]) -> None:
        last = options["to_day"]
        alias = services.set_alias(
            organization_id=organization.id,
            kind=options["kind"],
            reported=options["reported"],
            resolves_to=options["name"],
            valid_from=options["from_day"],
            valid_to=None if last is None else last + timedelta(days=1),
        )
        self.stdout.write(f"Alias {alias.id}: {alias.reported} stands for {alias.resolves_to}.")

    def remove(self, organization: Organization, options: dict[str, Any]) -> None:
        alias = services.remove_alias(organization_id=organization.id, alias_id=options["id"])
        self.stdout.write(f"Alias {options['id']} of {alias.reported} is taken back.")


def _described(alias: Alias) -> dict[str, Any]:
    """Name an alias in plain values, both days inclusive."""
    last = None if alias.valid_to is None else alias.valid_to - timedelta(days=1)
    return {
        "id": alias.id,
        "kind": alias.kind,
        "reported": alias.reported,
        "name": alias.resolves_to,
        "from": None if alias.valid_from is None else alias.valid_from.isoformat(),
        "to": None if last is None else last.isoformat(),
    }
