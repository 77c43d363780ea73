"""manage.py create_person SLUG EMAIL --role ROLE"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.organizations import selectors, services
from core.organizations.models import Role


class Command(BaseCommand):
    help = "Give somebody a role in an organization. Prints a first password, once, for a person who is new here."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("organization", metavar="SLUG")
        parser.add_argument("email")
        parser.add_argument("--role", required=True, choices=Role.values)
        parser.add_argument("--name", default="")
        parser.add_argument("--team", default="", help="name of the person's team, which must exist")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = selectors.organization_by_slug(options["organization"])
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']!r}.")
        try:
            team = services.team_named(organization.id, options["team"]) if options["team"] else None
            _person, password = services.invite_person(
                organization_id=organization.id,
                email=options["email"],
                name=options["name"],
                role=options["role"],
                team=team,
            )
        except services.OrganizationError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{options['email']} is {Role(options['role']).label.lower()} of {organization.name}.")
        if password:
            self.stdout.write(f"First password, not shown again: {password}")
