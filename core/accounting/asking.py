"""Options by which commands ask for figures, read into one filter: the same names as on pages and in the API."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from django.core.management.base import CommandError

from core.accounting.figures import (
    BASES,
    BOOKINGS,
    DIMS,
    FILTERS,
    GRAINS,
    INCLUDES,
    ROLES,
    Filter,
    FilterError,
    Period,
    parse_period,
)
from core.organizations.models import Organization
from core.organizations.selectors import organization_by_slug

USAGE: Final = 2
"""Exit status of a call that cannot be understood (contracts.md section 3)."""


def add_organization_argument(parser: ArgumentParser) -> None:
    """Add --organization."""
    parser.add_argument("--organization", required=True, metavar="SLUG")


def add_period_arguments(parser: ArgumentParser) -> None:
    """Add --from and --to, or --period in their place."""
    parser.add_argument("--from", type=_day, dest="from_day", metavar="DATE", help="first day, UTC, inclusive")
    parser.add_argument("--to", type=_day, dest="to_day", metavar="DATE", help="last day, UTC, inclusive")
    parser.add_argument("--period", metavar="P", help="2026, 2026-Q3, 2026-07, FY2026 or FY2026-Q3, in place of both")


def add_filter_arguments(parser: ArgumentParser) -> None:
    """Add what narrows a figure and what is in its total."""
    parser.add_argument("--basis", choices=BASES, default="location")
    parser.add_argument("--include", default=",".join(INCLUDES), help=f"of {','.join(INCLUDES)}, or none")
    parser.add_argument("--role", default="counted", help=f"of {','.join(ROLES)}")
    parser.add_argument("--booking", choices=BOOKINGS, default="life-cycle")
    for name in FILTERS:
        spellings = {f"--{name}", f"--{name.replace('_', '-')}"}
        parser.add_argument(
            *sorted(spellings),
            dest=f"dim_{name}",
            action="append",
            metavar="NAME",
            help=f"only this {name}; repeated: either",
        )


def add_grouping_arguments(parser: ArgumentParser) -> None:
    """Add how figures are grouped."""
    parser.add_argument("--by", action="append", default=[], metavar="DIM,...", help=f"of {', '.join(DIMS)}")
    parser.add_argument("--grain", choices=GRAINS, default="total")


def organization_of(options: Mapping[str, Any]) -> Organization:
    """Find the organization that a command is about. Raises CommandError when there is none."""
    organization = organization_by_slug(options["organization"])
    if organization is None:
        raise CommandError(f"There is no organization {options['organization']!r}.")
    return organization


def period_of(options: Mapping[str, Any], organization: Organization) -> Period:
    """Read the period. Raises CommandError (usage) where it is missing, double or malformed."""
    if options["period"]:
        if options["from_day"] or options["to_day"]:
            raise CommandError("--period stands in place of --from and --to: give one or the other.", returncode=USAGE)
        try:
            return parse_period(options["period"], organization.fiscal_year_start_month)
        except FilterError as error:
            raise CommandError(f"--period: {error}", returncode=USAGE) from error
    if options["from_day"] is None or options["to_day"] is None:
        raise CommandError("Say which days: --from DATE --to DATE, or --period P.", returncode=USAGE)
    return Period(options["from_day"], options["to_day"])


def filter_of(options: Mapping[str, Any], organization: Organization) -> Filter:
    """Read all options into a filter. Raises CommandError (usage) with the option at fault."""
    period = period_of(options, organization)
    try:
        return Filter(
            period.from_day,
            period.to_day,
            dims={name: tuple(options[f"dim_{name}"]) for name in FILTERS if options.get(f"dim_{name}")},
            by=tuple(name for value in options.get("by", []) for name in _listed(value)),
            grain=options.get("grain", "total"),
            basis=options["basis"],
            include=_listed(options["include"]),
            role=_listed(options["role"]),
            booking=options["booking"],
        )
    except FilterError as error:
        raise CommandError(f"--{error.field}: {error}", returncode=USAGE) from error


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip() and part.strip() != "none")


def _day(text: str) -> date:
    return date.fromisoformat(text)
