"""manage.py scenario --organization SLUG --period P (--scenario NAME ... | --rules FILE) [any filter]"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
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
from core.accounting.figures import FilterError
from core.accounting.output import as_csv, as_table
from core.accounting.selectors.scenarios import side_by_side
from core.organizations.tenancy import organization_scope
from core.quantification.scenario import ScenarioError, from_plain
from reporting.scenarios.answer import Named, as_dict, table
from reporting.selectors.scenarios import scenarios
from reporting.services.scenarios import save_scenario

FIGURES = ("total_kg_co2e", "total_kg_co2e_low", "total_kg_co2e_high")
DIFFERENCE = ("difference_kg_co2e", "difference_kg_co2e_low", "difference_kg_co2e_high")
SHOWN = ("name", "verdict", *FIGURES, *DIFFERENCE, "energy_facility_kwh")


class Command(BaseCommand):
    help = "Derive a period again as scenarios rewrite it, and print it beside what was recorded, in kg CO2e."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_organization_argument(parser)
        add_period_arguments(parser)
        parser.add_argument("--scenario", action="append", default=[], metavar="NAME", help="saved; repeated: up to 3")
        parser.add_argument("--rules", metavar="FILE", help="a JSON list of rules; - for standard input")
        parser.add_argument("--save", metavar="NAME", help="keep the rules of the file under this name")
        add_filter_arguments(parser)
        parser.add_argument("--format", choices=["table", "csv", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        asked = filter_of(options, organization)
        named = self.saved(organization.id, options["scenario"])
        try:
            if options["rules"]:
                rules = from_plain(read_rules(options["rules"]))
                named.append(Named(options["save"] or "rules", rules))
            if not named:
                raise CommandError("Say which: --scenario NAME, or --rules FILE.", returncode=USAGE)
            found = side_by_side(organization.id, asked, [each.rules for each in named])
            if options["save"] and options["rules"]:
                save_scenario(organization_id=organization.id, name=options["save"], rules=rules)
        except (FilterError, ScenarioError) as error:
            raise CommandError(f"{error.field}: {error}") from error
        if options["format"] == "json":
            self.stdout.write(json.dumps(as_dict(found, named), indent=2, allow_nan=False))
        elif options["format"] == "csv":
            rows = table(found, named)
            self.stdout.write(as_csv(list(rows[0]), rows), ending="")
        else:
            rows = [{name: row[name] for name in SHOWN} for row in table(found, named)]
            self.stdout.write(as_table(list(SHOWN), rows))
            self.stdout.write(f"as of {as_dict(found, named)['as_of']}")

    @staticmethod
    def saved(organization_id: int, names: list[str]) -> list[Named]:
        """Find saved scenarios by their names."""
        with organization_scope(organization_id):
            known = {each.name: each for each in scenarios(organization_id)}
        for name in names:
            if name not in known:
                raise CommandError(f"There is no scenario {name!r}.")
        return [Named(name, from_plain(known[name].rules), known[name].id) for name in names]


def read_rules(path: str) -> Any:
    """Read a file of rules. Raises CommandError where it cannot be read."""
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
        read = json.loads(text)
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: {error}") from error
    return read["rules"] if isinstance(read, dict) and "rules" in read else read
