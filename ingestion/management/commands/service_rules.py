"""manage.py service_rules show|set|clear SOURCE [FILE] --organization SLUG"""

from __future__ import annotations

import csv
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.ledger.services import ensure_source
from core.logging import quietly
from ingestion import services
from ingestion.management.commands.import_usage import organization_or_fail
from ingestion.sources import ai_services, registry, service_rules
from ingestion.sources.base import SettingError


class Command(BaseCommand):
    help = "Show or change which rows of a source's bills are AI: its own rules first, then those that are shipped."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="show|set|clear")
        texts = (
            ("show", "print all rules in the order of matching, as CSV"),
            ("set", "put the rules of a file in place of the source's own"),
            ("clear", "take the source's own rules away"),
        )
        for verb, text in texts:
            each = verbs.add_parser(verb, help=text)
            each.add_argument("source", metavar="SOURCE", choices=sorted(registry.SOURCES))
            if verb == "set":
                each.add_argument("file", metavar="FILE", type=Path, help="CSV like ai_services.csv, or a JSON list")
            each.add_argument("--organization", required=True, metavar="SLUG")
            each.add_argument("--name", default="", help="of the connection, when there are several of this kind")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_or_fail(options["organization"])
        with quietly(options["verbosity"]):
            source = ensure_source(organization.id, options["source"], options["name"] or None)
            if options["verb"] == "show":
                self.show(source.settings.get(service_rules.SETTING) or [])
                return
            try:
                rules = services.read_rules(text_of(options["file"])) if options["verb"] == "set" else []
                services.set_service_rules(organization_id=organization.id, source_id=source.id, rules=rules)
            except SettingError as error:
                raise CommandError(f"Nothing was changed: {error}") from error
        self.stdout.write(
            f"{len(rules)} rules of the source's own. They hold for what is read from now on; send a month"
        )
        self.stdout.write("again to have them applied to it.")

    def show(self, own: list[dict[str, Any]]) -> None:
        """Print the source's own rules, then the shipped ones."""
        writer = csv.DictWriter(self.stdout, service_rules.COLUMNS, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(own)
        writer.writerows(
            {str(name): text for name, text in rule.items()} for rule in ai_services.rule_table().to_dict("records")
        )


def text_of(path: Path) -> str:
    """Read a file of rules. Raises CommandError when it cannot be read as text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {error}") from error
