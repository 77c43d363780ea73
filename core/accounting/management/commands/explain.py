"""manage.py explain --organization SLUG --from DATE --to DATE [--impact NAME] [--record ID] [--format text,json]"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.accounting.aggregate import TOTAL
from core.accounting.asking import (
    USAGE,
    add_filter_arguments,
    add_organization_argument,
    add_period_arguments,
    filter_of,
    organization_of,
)
from core.accounting.explain import FIGURES, as_text
from core.accounting.figures import FilterError
from core.accounting.selectors.explain import NothingToExplain, explain


class Command(BaseCommand):
    help = "Print the tree behind a figure: formulas with the numbers filled in, factors, sources, what is missing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_organization_argument(parser)
        add_period_arguments(parser)
        add_filter_arguments(parser)
        parser.add_argument("--impact", choices=FIGURES, default=TOTAL)
        parser.add_argument("--record", metavar="ID", help="only this record, by the sender's id")
        parser.add_argument("--format", choices=["text", "json"], default="text")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        asked = filter_of(options, organization)
        try:
            tree = explain(organization.id, asked, impact=options["impact"], record_id=options["record"])
        except FilterError as error:
            raise CommandError(f"--{error.field}: {error}", returncode=USAGE) from error
        except NothingToExplain as error:
            raise CommandError(str(error)) from error
        if options["format"] == "json":
            self.stdout.write(json.dumps(tree, indent=2, allow_nan=False))
        else:
            self.stdout.write(as_text(tree))
