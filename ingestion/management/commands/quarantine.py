"""manage.py quarantine list|export|replay --organization SLUG"""

from __future__ import annotations

import csv
import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from core.logging import quietly
from core.organizations.tenancy import organization_scope
from core.quantification.rejections import REASONS
from ingestion import selectors, services, wake
from ingestion.management.commands.import_usage import finish, organization_or_fail
from ingestion.models import COUNTS, QuarantinedRow

COLUMNS = ("first_seen", "source", "batch", "row", "record_id", "field", "reason", "detail")


class Command(BaseCommand):
    help = "List rows in quarantine, write them to a file, or read them again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="list|export|replay")
        for verb, text in (
            ("list", "list open rows"),
            ("export", "write open rows with their payload as read, CSV or JSON"),
            ("replay", "read open rows again; ends with the five counts"),
        ):
            each = verbs.add_parser(verb, help=text)
            each.add_argument("--organization", required=True, metavar="SLUG")
            each.add_argument("--source", default=None, help="name or kind of the source")
            each.add_argument("--reason", default=None, choices=sorted(REASONS), metavar="NAME")
            each.add_argument("--batch", default=None, type=UUID, metavar="ID")
            if verb == "list":
                each.add_argument("--format", default="table", choices=("table", "csv", "json"))
            elif verb == "export":
                each.add_argument("--format", default="csv", choices=("csv", "json"))
            else:
                each.add_argument("--dry-run", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_or_fail(options["organization"])
        filters = {name: options[name] for name in ("source", "reason", "batch")}
        if options["verb"] == "list":
            with organization_scope(organization.id):
                rows = selectors.quarantine(organization.id, **filters).select_related("source")
                self.show(rows.iterator(2000), options["format"])
        elif options["verb"] == "export":
            with organization_scope(organization.id):
                rows = selectors.quarantine(organization.id, **filters).select_related("source")
                self.export(rows.iterator(2000), options["format"])
        else:
            with quietly(options["verbosity"]):
                self.replay(organization.id, filters, dry_run=options["dry_run"])

    def show(self, rows: Iterable[QuarantinedRow], form: str) -> None:
        """Print rows as a table, CSV or JSON."""
        if form == "json":
            self.stdout.write(json.dumps([{**described(row), "payload": row.payload} for row in rows], indent=1))
        elif form == "csv":
            writer = csv.writer(self.stdout, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([selectors.neutral(value) for value in described(row).values()] for row in rows)
        else:
            for row in rows:
                about = described(row)
                self.stdout.write(f"{about['source']}  {about['batch']}  row {row.row}  {row.record_id or '-'}")
                self.stdout.write(f"    {row.reason} in {row.field or 'the row'}: {row.detail}")
                self.stdout.write(f"    {REASONS[row.reason].remedy}")

    def export(self, rows: Iterable[QuarantinedRow], form: str) -> None:
        """Write all there is of each row."""
        found = (selectors.exported(row) for row in rows)
        if form == "json":
            self.stdout.write(json.dumps(list(found), indent=1))
            return
        writer = csv.writer(self.stdout, lineterminator="\n")
        writer.writerow(selectors.EXPORTED)
        for row in found:
            cells = row | {"payload": json.dumps(row["payload"])}
            writer.writerow([selectors.neutral(cells[name]) for name in selectors.EXPORTED])

    def replay(self, organization_id: int, filters: dict[str, Any], *, dry_run: bool) -> None:
        """Read rows again in this process; print what became of them."""
        replay = services.replay_quarantine(organization_id, dry_run=dry_run, **filters)
        for refusal in replay.refused:
            self.stderr.write(refusal)
        counts: Counter[str] = Counter()
        for batch_id in replay.batches:
            counts.update(finish(organization_id, batch_id, lambda *_: None).counts)
        if counts["written"] and not dry_run:
            wake.derive(organization_id)
            wake.flush()
        for name in COUNTS:
            self.stdout.write(f"{name} {counts[name]}")
        if replay.refused and not replay.batches:
            raise CommandError("Nothing could be read again.")


def described(row: QuarantinedRow) -> dict[str, Any]:
    """Give what people want to know of a row in quarantine, by column."""
    return {
        "first_seen": row.first_seen.isoformat().replace("+00:00", "Z"),
        "source": row.source.name,
        "batch": str(row.batch_id),
        "row": row.row,
        "record_id": row.record_id,
        "field": row.field,
        "reason": row.reason,
        "detail": row.detail,
    }
