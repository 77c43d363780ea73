"""manage.py disclose --organization SLUG --period P --format NAME[,NAME] --output DIR [--draft]"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from core.accounting.figures import FilterError, parse_period
from core.organizations import selectors
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from reporting.disclosures import Inventory, RefusedError
from reporting.inventories.documents import FORMATS, PLANNED, render
from reporting.inventories.draft import draft_inventory
from reporting.models import DRAFTS, STANDING, PeriodState
from reporting.selectors.inventories import chain_fault_of, document_of, standing

NOT_WRITTEN: Final = "This release does not write it yet."


class Command(BaseCommand):
    help = "Write the disclosure documents of a period."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--period", required=True, help="2026, 2026-Q3, 2026-07, FY2026, FY2026-Q3")
        parser.add_argument("--format", required=True, help=f"{', '.join(FORMATS)}, or all; several with commas")
        parser.add_argument("--output", required=True, type=Path, metavar="DIR")
        parser.add_argument("--draft", action="store_true", help="render what there is, marked as a draft")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = selectors.organization_by_slug(options["organization"])
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']!r}.")
        everything = options["format"] == "all"
        wanted = list(FORMATS) if everything else [each.strip() for each in options["format"].split(",")]
        if unknown := [name for name in wanted if name not in FORMATS and name not in PLANNED]:
            raise CommandError(
                f"No format is called {', '.join(unknown)}; there are {', '.join(FORMATS)}.", returncode=2
            )
        if planned := [name for name in wanted if name in PLANNED]:
            raise CommandError(f"{', '.join(planned)}: {NOT_WRITTEN} There are {', '.join(FORMATS)}.")
        try:
            inventory = self.inventory(organization, options["period"], draft=options["draft"])
            files = {path: content for name in wanted for path, content in render(name, inventory).items()}
        except FilterError as error:
            raise CommandError(str(error), returncode=2) from error
        except RefusedError as error:
            raise CommandError(" ".join(error.reasons)) from error
        if everything:
            refused = {name: [NOT_WRITTEN] for name in PLANNED}
            files["refused.json"] = json.dumps(refused, indent=1, sort_keys=True).encode() + b"\n"
        folder = options["output"] / options["period"]
        for path, content in sorted(files.items()):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            self.stdout.write(str(target))

    def inventory(self, organization: Organization, period: str, *, draft: bool) -> Inventory:
        """
        Find the document of a period that is approved or, as a draft, its snapshot, else what there is now.

        Raises FilterError, RefusedError.
        """
        named = parse_period(period, organization.fiscal_year_start_month)
        with organization_scope(organization.id):
            wanted = DRAFTS if draft else STANDING
            found = standing(organization.id, named.from_day, named.to_day, states=wanted)
            other = found or standing(organization.id, named.from_day, named.to_day)
            fault = chain_fault_of(organization.id) if found is not None and not draft else None
        if fault is not None:
            raise RefusedError([f"The chain of locked inventories does not hold at {fault.id}: {fault.why}."])
        if found is not None:
            return document_of(found)
        if draft:
            return draft_inventory(organization, period)
        state = str(PeriodState(other.state).label) if other is not None else "open"
        raise RefusedError(
            [
                f"{period} is {state} and has no approved inventory: close it first (close_period),",
                "or --draft renders what there is, marked as a draft.",
            ]
        )
