"""manage.py emissions --organization SLUG --from DATE --to DATE [--by DIM,...] [--grain ...] ..."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.accounting.asking import (
    USAGE,
    add_filter_arguments,
    add_grouping_arguments,
    add_organization_argument,
    add_period_arguments,
    filter_of,
    organization_of,
)
from core.accounting.figures import FilterError
from core.accounting.output import as_csv, as_table
from core.accounting.selectors import emissions


class Command(BaseCommand):
    help = "Print the aggregates that pages show, in kWh, kg CO2e and L, with their intervals."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_organization_argument(parser)
        add_period_arguments(parser)
        add_grouping_arguments(parser)
        add_filter_arguments(parser)
        parser.add_argument("--format", choices=["table", "csv", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        asked = filter_of(options, organization)
        try:
            result = emissions(organization.id, asked)
        except FilterError as error:
            raise CommandError(f"--{error.field}: {error}", returncode=USAGE) from error
        answer = result.as_dict()
        columns = list(result.rows.columns)
        if options["format"] == "json":
            self.stdout.write(json.dumps(answer, indent=2, allow_nan=False))
        elif options["format"] == "csv":
            self.stdout.write(as_csv(columns, answer["rows"]), ending="")
        else:
            shown = [name for name in columns if not name.endswith(("_low", "_high")) or name.startswith("total_")]
            self.stdout.write(as_table(shown, answer["rows"]))
            self.stdout.write(f"as of {answer['as_of']}")
