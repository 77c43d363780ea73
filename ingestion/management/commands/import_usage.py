"""manage.py import_usage SOURCE PATH... --organization SLUG"""

from __future__ import annotations

import json
import time
from argparse import ArgumentParser
from collections.abc import Callable
from typing import Any, BinaryIO, cast
from uuid import UUID

import fsspec
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from core.accounting.services import derive_dirty_days
from core.logging import quietly
from core.organizations.identity import Actor, Identity
from core.organizations.models import Organization
from core.organizations.selectors import organization_by_slug
from core.organizations.tenancy import organization_scope
from ingestion import deliveries, selectors, services, uploads, wake
from ingestion.models import COUNTS, Batch, State
from ingestion.sources import registry
from ingestion.sources.base import UnreadablePayload

GLOB = ("*", "?", "[")


class Command(BaseCommand):
    help = "Read files, folders or fsspec URLs (globs) of one wire format through the inbox. One call is one delivery."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "source", metavar="SOURCE", choices=sorted(registry.SOURCES), help=", ".join(registry.SOURCES)
        )
        parser.add_argument(
            "paths",
            metavar="PATH",
            nargs="+",
            help="file, glob, folder, manifest (with the files that it names), or fsspec URL such as s3://bucket/x*.csv",
        )
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--name", default="", help="of the source connection, when there are several of this kind")
        parser.add_argument("--dry-run", action="store_true", help="read and compare with the ledger, write nothing")
        parser.add_argument("--wait", action="store_true", help="return when the figures hold what was imported")
        parser.add_argument("--format", default="text", choices=("text", "json"))

    def handle(self, *args: Any, **options: Any) -> None:
        with quietly(options["verbosity"]):
            self.bring_in(options)

    def bring_in(self, options: dict[str, Any]) -> None:
        """Take the files in, read them here, and say what became of them."""
        organization = organization_or_fail(options["organization"])
        given = [upload for path in options["paths"] for upload in expand(path)]
        batch_id = self.accept(organization, given, options)
        batch = finish(organization.id, batch_id, self.report)
        if self.stderr.isatty():
            self.stderr.write("")
        if batch.state == State.FAILED:
            raise CommandError(f"Nothing was imported: {' '.join(batch.log)}")
        if options["wait"] and batch.held:
            raise CommandError(f"The delivery waits for confirmation: {batch.held}")
        if options["wait"] and not options["dry_run"]:
            derive_all(organization.id)
        elif batch.written:
            wake.derive(organization.id)
            wake.flush()
        if options["format"] == "json":
            with organization_scope(organization.id):
                self.stdout.write(json.dumps(selectors.batch_object(batch), indent=1))
        else:
            if batch.held:
                self.stderr.write(f"The delivery waits for confirmation: {batch.held}")
            for name in COUNTS:
                self.stdout.write(f"{name} {batch.counts[name]}")

    def accept(self, organization: Organization, given: list[uploads.Upload], options: dict[str, Any]) -> UUID:
        """Put the files into the inbox."""
        try:
            accepted = services.accept_files(
                identity=Identity(organization_id=organization.id, actor=Actor("system", name="import_usage")),
                given=given,
                wanted=options["source"],
                source_name=options["name"],
                dry_run=options["dry_run"],
            )
        except UnreadablePayload as error:
            raise CommandError(f"Nothing was imported: {error}") from error
        return accepted.batch_id

    def report(self, _: UUID, rows: int) -> None:
        """Show on a terminal how many rows have been read."""
        if self.stderr.isatty():
            self.stderr.write(f"\r{rows:,} rows read", ending="")
            self.stderr.flush()


def organization_or_fail(slug: str) -> Organization:
    """Find an organization by its slug."""
    organization = organization_by_slug(slug)
    if organization is None:
        raise CommandError(f"There is no organization {slug!r}.")
    return organization


def expand(path: str) -> list[uploads.Upload]:
    """Find the files that a path, glob, folder, manifest or URL names. Raises CommandError when there are none."""
    try:
        files, plain = fsspec.core.url_to_fs(path)
        if any(sign in plain for sign in GLOB) and not files.exists(plain):
            found = [name for name in sorted(files.glob(plain)) if files.isfile(name)]
        elif files.isdir(plain):
            found = deliveries.in_folder(files, plain)
        else:
            found = [plain] if files.isfile(plain) else []
        given = [upload_of(files, name) for name in found]
        if len(given) == 1 and (parts := deliveries.parts_of(given[0])) is not None:
            given += deliveries.beside_manifest(files, found[0], parts, lambda name: upload_of(files, name))
    except (OSError, ValueError, ImportError) as error:
        raise CommandError(f"{path} cannot be opened: {error}") from error
    if not given:
        raise CommandError(f"{path}: there is no such file.")
    return given


def upload_of(files: Any, name: str) -> uploads.Upload:
    """Make an upload of a file of an fsspec file system."""
    return uploads.Upload(name, opener(files, name))


def opener(files: Any, name: str) -> Callable[[], BinaryIO]:
    """Give a way to open a file anew."""
    return lambda: cast(BinaryIO, files.open(name, "rb"))


def finish(organization_id: int, batch_id: UUID, report: Callable[[UUID, int], None]) -> Batch:
    """Read the batch here, unless a worker has it or earlier deliveries must go first; return it done, failed or held."""
    pause_s = 0.1
    only: list[UUID] | None = [batch_id]
    while True:
        drained = services.drain_inbox(organization_id, only=only, on_progress=report)
        with organization_scope(organization_id):
            batch = selectors.batches(organization_id).get(id=batch_id)
        if batch.state in (State.DONE, State.FAILED) or batch.held:
            return batch
        if batch.source.paused:
            raise CommandError(f"The source {batch.source} is paused: its batches wait until it is resumed.")
        if not drained.batches:
            only = None  # what stands before it
            time.sleep(pause_s)
            pause_s = min(pause_s * 1.5, 2.0)


def derive_all(organization_id: int) -> None:
    """
    Derive until no day is left that was changed before now; other processes may help.

    Raises CommandError when a day cannot be derived: waiting for it would never end.
    """
    with organization_scope(organization_id), connection.cursor() as cursor:
        cursor.execute("select max(id) from ledger_dirty_day where organization_id = %s", [organization_id])
        (latest,) = cursor.fetchone()
    while latest is not None:
        failed = derive_dirty_days(organization_id).failed
        if failed:
            days = ", ".join(day.isoformat() for day in failed)
            raise CommandError(f"All is written, but there are no figures of {days}: the log says why.")
        with organization_scope(organization_id), connection.cursor() as cursor:
            cursor.execute(
                "select exists (select from ledger_dirty_day where organization_id = %s and id <= %s)",
                [organization_id, latest],
            )
            if not cursor.fetchone()[0]:
                return
        time.sleep(0.1)
