"""manage.py import_denominators FILE --organization SLUG"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.accounting.asking import add_organization_argument, organization_of
from reporting.intensities.sheet import UnreadableSheet, read_sheet
from reporting.services.denominators import FaultyFigures, enter_figures


class Command(BaseCommand):
    help = "Enter business figures (tasks, users, revenue, ...) from a CSV file: all of its rows or none."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)
        add_organization_argument(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        try:
            rows, faults = read_sheet(options["file"].read_bytes())
            entered = enter_figures(organization_id=organization.id, rows=rows, faults=faults)
        except (OSError, UnreadableSheet) as error:
            raise CommandError(str(error)) from error
        except FaultyFigures as error:
            for fault in error.faults:
                self.stderr.write(f"row {fault.row}, {fault.field or 'all of it'}: {fault.reason}")
            raise CommandError(str(error)) from error
        self.stdout.write(f"written {entered.written}, unchanged {len(entered.figures) - entered.written}")
