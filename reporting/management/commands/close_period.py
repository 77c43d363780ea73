"""manage.py close_period --organization SLUG --period P --prepared-by EMAIL --approved-by EMAIL [--accept ITEM,...]"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.accounting.figures import FilterError
from core.organizations import selectors
from core.organizations.models import Person
from reporting.disclosures import RefusedError
from reporting.inventories.words import said
from reporting.selectors.checklist import ITEMS
from reporting.services.periods import PeriodError, close


class Command(BaseCommand):
    help = "Close a period: from open to approved in one go, by two people."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--period", required=True, help="2026, 2026-Q3, 2026-07, FY2026, FY2026-Q3")
        parser.add_argument("--prepared-by", required=True, metavar="EMAIL")
        parser.add_argument("--approved-by", required=True, metavar="EMAIL", help="somebody else")
        parser.add_argument(
            "--accept", default="", metavar="ITEM,...", help=f"open items to close with: {', '.join(ITEMS)}"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        organization = selectors.organization_by_slug(options["organization"])
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']!r}.")
        items = [each.strip() for each in options["accept"].split(",") if each.strip()]
        if unknown := [each for each in items if each not in ITEMS]:
            raise CommandError(
                f"The checklist has no {', '.join(unknown)}; its items are {', '.join(ITEMS)}.", returncode=2
            )
        preparer, approver = (_person(options[name]) for name in ("prepared_by", "approved_by"))
        reason = f"accepted on the command line for {preparer.email}"
        try:
            inventory = close(
                organization=organization,
                period=options["period"],
                prepared_by_id=preparer.pk,
                approved_by_id=approver.pk,
                accepted=dict.fromkeys(items, reason),
                today=datetime.now(UTC).date(),
            )
        except FilterError as error:
            raise CommandError(str(error), returncode=2) from error
        except RefusedError as error:
            raise CommandError(" ".join(error.reasons)) from error
        except PeriodError as error:
            for finding in error.findings:
                self.stderr.write(f"{finding.item}: {said(finding)}")
            raise CommandError(str(error)) from error
        self.stdout.write(str(inventory.id))


def _person(email: str) -> Person:
    person = Person.objects.filter(email__iexact=email.strip()).first()
    if person is None:
        raise CommandError(f"Nobody has the address {email}.")
    return person
