"""manage.py variance --organization SLUG --period P [--cmp previous|year|P] [--by DIM,...] [any filter]"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.accounting.asking import (
    USAGE,
    add_filter_arguments,
    add_organization_argument,
    add_period_arguments,
    filter_of,
    organization_of,
)
from core.accounting.figures import Filter, FilterError
from core.accounting.output import as_csv, as_table
from core.accounting.selectors.variance import CONTRIBUTORS, WORK, VarianceResult, variance_between
from core.organizations.models import Organization
from core.quantification.variance import PARTS
from reporting.query import compared


class Command(BaseCommand):
    help = "Print why a period differs from another: volume, mix, efficiency, grid, coverage, method, in kg CO2e."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_organization_argument(parser)
        add_period_arguments(parser)
        parser.add_argument("--cmp", default="previous", help="previous, year, or a period: 2026-Q2")
        parser.add_argument("--by", default="", metavar="DIM,...", help=f"of {', '.join(CONTRIBUTORS)}")
        add_filter_arguments(parser)
        parser.add_argument("--format", choices=["table", "csv", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        by = tuple(name.strip() for name in options.pop("by").split(",") if name.strip())
        if unknown := [name for name in by if name not in CONTRIBUTORS]:
            raise CommandError(f"--by: {unknown[0]!r} is not one of {', '.join(CONTRIBUTORS)}.", returncode=USAGE)
        organization = organization_of(options)
        asked = filter_of(options, organization)
        try:
            found = variance_between(organization.id, asked, other_period(asked, options["cmp"], organization))
        except FilterError as error:
            raise CommandError(f"--{error.field}: {error}", returncode=USAGE) from error
        answer = found.as_dict(by)
        if options["format"] == "json":
            self.stdout.write(json.dumps(answer, indent=2, allow_nan=False))
        elif options["format"] == "csv":
            self.stdout.write(as_csv(["part", "kg_co2e"], steps(found)), ending="")
        else:
            self.stdout.write(as_table(["part", "kg_co2e"], steps(found)))
            for name in (WORK, *by):
                rows = answer["contributors"][name]
                self.stdout.write(
                    "\n" + as_table([name, "change_kg_co2e", *(f"{part}_kg_co2e" for part in PARTS)], rows)
                )
            for each in found.covered:
                self.stdout.write(
                    f"{each.name} covers {each.before:.0%} of the earlier and {each.after:.0%} of the later period"
                )
            self.stdout.write(f"as of {answer['as_of']}")


def other_period(asked: Filter, wanted: str, organization: Organization) -> Filter:
    """Find the period to compare with, as pages do. Raises FilterError."""
    start = organization.fiscal_year_start_month
    found = compared(asked, wanted, [], today=datetime.now(UTC).date(), fiscal_start=start, strict=True)
    if found is None:
        raise FilterError("cmp", "A variance is between two periods.")
    return found


def steps(found: VarianceResult) -> list[dict[str, Any]]:
    """Give the way from the earlier total to the later one, row by row; what is not known only where there is some."""
    before = f"{found.before.from_day} to {found.before.to_day}"
    after = f"{found.asked.from_day} to {found.asked.to_day}"
    rows = [(before, found.found.before_kg), *found.found.parts.items(), (after, found.found.after_kg)]
    rows.insert(-1, ("not_known", found.found.not_known_kg))
    return [{"part": name, "kg_co2e": kg} for name, kg in rows]
