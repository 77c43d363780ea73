"""manage.py evaluation --organization SLUG (--file FILE | --name NAME) [--freeze] [--format table,json]"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.http import QueryDict

from core.accounting.asking import USAGE, add_organization_argument, organization_of
from core.accounting.figures import FilterError
from core.accounting.output import as_table
from core.organizations.identity import SYSTEM, Identity
from core.organizations.models import Organization, Scope
from core.organizations.tenancy import organization_scope
from reporting.procurement.answers import ProcurementError
from reporting.procurement.claims_given import read_claim
from reporting.procurement.dossier import supplier_of
from reporting.query import read_query
from reporting.selectors import procurement as selectors
from reporting.services import procurement as services

SHOWN = ("place", "offer", "points", "leads", "out")


class Command(BaseCommand):
    help = (
        "Compare offers on one workload: keep an evaluation from a JSON file, or take a saved one, and print the order."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_organization_argument(parser)
        parser.add_argument(
            "--file", help="a JSON object: name, note, workload, criteria, offers, claims; - for standard input"
        )
        parser.add_argument("--name", help="of a saved evaluation")
        parser.add_argument("--freeze", action="store_true", help="freeze what it comes to")
        parser.add_argument("--format", choices=["table", "json"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        if bool(options["file"]) == bool(options["name"]):
            raise CommandError("Say which: --file FILE or --name NAME.", returncode=USAGE)
        try:
            evaluation_id = self.saved(organization.id, options)
            document = self.assessed(organization, evaluation_id)
            if options["freeze"]:
                row = services.freeze_evaluation(
                    organization_id=organization.id,
                    evaluation_id=evaluation_id,
                    document=document,
                    now=datetime.now(UTC),
                )
        except (FilterError, ProcurementError) as error:
            raise CommandError(f"{error.field}: {error}") from error
        if options["format"] == "json":
            self.stdout.write(json.dumps(document, indent=2, allow_nan=False))
            return
        rows = [
            {
                "place": each["place"] or "",
                "offer": each["name"],
                "points": "" if each["total"] is None else f"{100 * each['total']:.1f}",
                "leads": f"{100 * each['leads']:.1f} %",
                "out": ", ".join(document["criteria"][int(at)]["subject"] for at in each["out"]),
            }
            for each in document["offers"]
        ]
        self.stdout.write(as_table(list(SHOWN), rows))
        self.stdout.write(document["verdict"])
        if options["freeze"]:
            self.stdout.write(f"frozen {row.id} sha256:{row.sha256}")

    @staticmethod
    def saved(organization_id: int, options: dict[str, Any]) -> int:
        """Keep the evaluation and the claims of a file, or find a saved one."""
        if options["name"]:
            with organization_scope(organization_id):
                found = [each for each in selectors.evaluations(organization_id) if each.name == options["name"]]
            if not found:
                raise CommandError(f"There is no evaluation {options['name']!r}.")
            return int(found[0].id)
        given = dict(read_file(options["file"]))
        claims = [
            (each.pop("supplier", ""), read_claim(each, f"claims.{at}"))
            for at, each in enumerate(given.pop("claims", []), 1)
        ]
        with organization_scope(organization_id):
            saved = services.save_described(organization_id=organization_id, given=given)
            for supplier, claim in claims:
                services.add_evidence(organization_id=organization_id, provider=supplier_of(supplier), claims=[claim])
        return int(saved.id)

    @staticmethod
    def assessed(organization: Organization, evaluation_id: int) -> dict[str, Any]:
        """Derive an evaluation at this moment."""
        with organization_scope(organization.id):
            row = selectors.evaluation_of(organization.id, evaluation_id)
            if row is None:
                raise CommandError("The evaluation was removed meanwhile.")
            asked = selectors.asked_of(row)
        query = read_query(
            QueryDict(asked.workload.query),
            identity=Identity(organization.id, SYSTEM, scopes=frozenset({Scope.ADMIN})),
            today=services.today(),
            fiscal_start=organization.fiscal_year_start_month,
            strict=True,
        )
        return selectors.assessed(organization.id, asked, query.filter, services.today())


def read_file(path: str) -> Any:
    """Read a file with an evaluation. Raises CommandError where it cannot be read."""
    try:
        read = json.loads(sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CommandError(f"{path}: {error}") from error
    if not isinstance(read, dict):
        raise CommandError(f"{path}: an evaluation is a JSON object.")
    return read
