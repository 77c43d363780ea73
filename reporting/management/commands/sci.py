"""manage.py sci --organization SLUG --period P [--unit UNIT] [--by DIM,...] [--grain ...] ..."""

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
from core.organizations.tenancy import organization_scope
from reporting.intensities.units import REQUEST, UnknownUnit
from reporting.selectors.denominators import unit_named
from reporting.selectors.sci import sci

HIDDEN = ("left_out_records", "left_out_kg_co2e", "left_out_reason", "embodied_known_share")


class Command(BaseCommand):
    help = "Print software carbon intensity (ISO/IEC 21031) per functional unit, with its components and boundary."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_organization_argument(parser)
        parser.add_argument("--unit", default=REQUEST.name, help="functional unit; a wrong one lists all there are")
        add_period_arguments(parser)
        add_grouping_arguments(parser)
        add_filter_arguments(parser)
        parser.add_argument("--format", choices=["table", "csv", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        asked = filter_of(options, organization)
        try:
            with organization_scope(organization.id):
                unit = unit_named(organization.id, options["unit"])
            answer = sci(organization.id, asked, unit).as_dict()
        except UnknownUnit as error:
            raise CommandError(f"--unit: {error}", returncode=USAGE) from error
        except FilterError as error:
            raise CommandError(f"--{error.field}: {error}", returncode=USAGE) from error
        if options["format"] == "json":
            self.stdout.write(json.dumps(answer, indent=2, allow_nan=False))
        elif options["format"] == "csv":
            self.stdout.write(as_csv(answer["columns"], answer["rows"]), ending="")
        else:
            self.table(answer)

    def table(self, answer: dict[str, Any]) -> None:
        """Print the scores, and below them what they are."""
        shown = [
            name
            for name in answer["columns"]
            if name not in HIDDEN and (not name.endswith(("_low", "_high")) or name.startswith("sci_"))
        ]
        self.stdout.write(as_table(shown, answer["rows"]))
        self.stdout.write(f"per {answer['unit']['text']}, location-based, as of {answer['as_of']}")
        for name, score in answer["scores"].items():
            self.stdout.write(f"{name}: {', '.join(score['stages'])}")
