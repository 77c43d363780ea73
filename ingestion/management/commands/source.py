"""manage.py source list|delete-data|restore-data --organization SLUG"""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, date, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.ledger import deletions
from core.ledger.models import Deletion, Source
from core.logging import quietly
from core.organizations.tenancy import organization_scope
from ingestion import selectors, wake
from ingestion.management.commands.import_usage import organization_or_fail
from ingestion.sources import registry


class Command(BaseCommand):
    help = "List sources; delete the data of one for a period, or take that back. Nothing is removed from the ledger."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|delete-data|restore-data")
        listed = verbs.add_parser("list", help="sources with their state, and their deletions")
        delete = verbs.add_parser("delete-data", help="take the records of a period back by corrections")
        restore = verbs.add_parser("restore-data", help="bring the records of a deletion again, to the last digit")
        for each in (listed, delete, restore):
            each.add_argument("--organization", required=True, metavar="SLUG")
            each.add_argument("--format", default="text", choices=("text", "json"))
        delete.add_argument("--source", required=True, metavar="NAME")
        delete.add_argument("--kind", default="", choices=("", *sorted(registry.SOURCES)), help="where names repeat")
        delete.add_argument("--from", dest="from_day", required=True, type=date.fromisoformat, metavar="DATE")
        delete.add_argument("--to", dest="to_day", required=True, type=date.fromisoformat, metavar="DATE")
        delete.add_argument("--reason", default="", help="why; it stays in the audit log")
        delete.add_argument("--confirm", default="", metavar="NAME", help="the name of the source once more")
        delete.add_argument("--dry-run", action="store_true", help="say how many records it would take back")
        restore.add_argument("--deletion", required=True, type=int, metavar="ID", help="as `source list` shows it")
        restore.add_argument("--reason", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        organization_id = organization_or_fail(options["organization"]).id
        try:
            with quietly(options["verbosity"]):
                match options["verb"]:
                    case "list":
                        self.list(organization_id, options["format"])
                    case "delete-data":
                        self.delete(organization_id, options)
                    case "restore-data":
                        asked = deletions.ask_restore(
                            organization_id=organization_id,
                            deletion_id=options["deletion"],
                            reason=options["reason"],
                        )
                        self.finish(organization_id, asked.id, options["format"])
        except deletions.DeletionError as error:
            raise CommandError(str(error)) from error

    def list(self, organization_id: int, form: str) -> None:
        """Print each source with its state, and its deletions below it."""
        with organization_scope(organization_id):
            cards = selectors.source_cards(organization_id, datetime.now(UTC))
            deleted = {card.id: deletions.deletions_of(organization_id, card.id) for card in cards}
        if form == "json":
            answer = [
                selectors.source_object(card) | {"deletions": [described(each) for each in deleted[card.id]]}
                for card in cards
            ]
            self.stdout.write(json.dumps(answer, indent=1))
            return
        for card in cards:
            latest = f"{card.latest_arrival:%Y-%m-%d %H:%M}" if card.latest_arrival else "-"
            self.stdout.write(f"{card.name}  {card.kind}  {card.state}  latest arrival {latest}")
            for each in deleted[card.id]:
                self.stdout.write(
                    f"    deletion {each.id}: {each.from_day} to {each.to_day}, {each.records} records, {each.state}"
                )

    def delete(self, organization_id: int, options: dict[str, Any]) -> None:
        """Delete a period, or say what that would take back."""
        source = one_source(organization_id, options["source"], options["kind"])
        period = {"from_day": options["from_day"], "to_day": options["to_day"]}
        if options["dry_run"]:
            extent = deletions.extent_of(organization_id, source.id, **period)
            self.stdout.write(f"records {extent.records}")
            return
        asked = deletions.ask_deletion(
            organization_id=organization_id,
            source_id=source.id,
            reason=options["reason"],
            name=options["confirm"],
            **period,
        )
        self.finish(organization_id, asked.id, options["format"])

    def finish(self, organization_id: int, deletion_id: int, form: str) -> None:
        """Do the work here, and say what was done."""
        done = deletions.work_on(organization_id, deletion_id)
        wake.derive(organization_id)
        wake.flush()
        if form == "json":
            self.stdout.write(json.dumps(described(done), indent=1))
            return
        for name in ("id", "state", "records", "restored"):
            self.stdout.write(f"{name} {getattr(done, name)}")


def one_source(organization_id: int, name: str, kind: str) -> Source:
    """Find the source of a name. Raises CommandError when there is none, or one of several formats."""
    with organization_scope(organization_id):
        found = list(Source.objects.filter(organization_id=organization_id, name=name))
    found = [source for source in found if not kind or source.kind == kind]
    if not found:
        raise CommandError(f"There is no source {name!r}{f' of kind {kind}' if kind else ''}.")
    if len(found) > 1:
        kinds = ", ".join(sorted(source.kind for source in found))
        raise CommandError(f"Several sources are named {name!r}: say which --kind ({kinds}).")
    return found[0]


def described(deletion: Deletion) -> dict[str, Any]:
    """Give a deletion in plain values."""
    return {
        "id": deletion.id,
        "from": deletion.from_day.isoformat(),
        "to": deletion.to_day.isoformat(),
        "state": str(deletion.state),
        "records": deletion.records,
        "restored": deletion.restored,
        "reason": deletion.reason,
        "asked_by": deletion.asked_by,
    }
