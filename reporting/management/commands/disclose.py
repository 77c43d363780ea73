"""manage.py disclose --organization SLUG --period P --format NAME[,NAME] --output DIR [--draft]"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.accounting.figures import FilterError
from core.organizations import selectors
from reporting.disclosures import RefusedError
from reporting.inventories.documents import FORMATS, render
from reporting.inventories.draft import draft_inventory


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
        wanted = list(FORMATS) if options["format"] == "all" else options["format"].split(",")
        unknown = [name for name in wanted if name not in FORMATS]
        if unknown:
            raise CommandError(
                f"No format is called {', '.join(unknown)}; there are {', '.join(FORMATS)}.", returncode=2
            )
        if not options["draft"]:
            raise CommandError(
                f"{options['period']} has no approved inventory: --draft renders what there is, marked as a draft."
            )
        try:
            inventory = draft_inventory(organization, options["period"])
            files = {path: content for name in wanted for path, content in render(name, inventory).items()}
        except FilterError as error:
            raise CommandError(str(error), returncode=2) from error
        except RefusedError as error:
            raise CommandError(" ".join(error.reasons)) from error
        folder = options["output"] / options["period"]
        for path, content in sorted(files.items()):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            self.stdout.write(str(target))
