"""manage.py create_organization SLUG --name NAME"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.organizations import services


class Command(BaseCommand):
    help = "Enter an organization into the registry."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--name", required=True)
        parser.add_argument("--country", default="", help="ISO 3166-1 alpha-2")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            organization = services.create_organization(
                slug=options["slug"], name=options["name"], country=options["country"]
            )
        except services.OrganizationError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Organization {organization.slug} created.")
