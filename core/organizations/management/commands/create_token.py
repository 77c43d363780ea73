"""manage.py create_token --organization SLUG --name NAME --scope ingest,read"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.dateparse import parse_date, parse_datetime

from core.organizations import selectors, services
from core.organizations.tenancy import organization_scope
from core.quantification.activity import STAGES


class Command(BaseCommand):
    help = "Issue an API token. Prints the secret once, as the last line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--name", required=True)
        parser.add_argument("--scope", required=True, help="ingest, read, admin; several with commas")
        parser.add_argument("--team", default="", help="records without a team take this one")
        parser.add_argument("--team-only", action="store_true", help="refuse records that name another team")
        parser.add_argument("--project", default="", help="records without a project take this one")
        parser.add_argument("--stage", default="", choices=("", *STAGES), help="records without a stage take this one")
        parser.add_argument("--source", default="", help="name of the source connection that the token writes as")
        parser.add_argument("--expires", default=None, help="2027-01-31 or 2027-01-31T12:00:00Z, UTC")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = selectors.organization_by_slug(options["organization"])
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']!r}.")
        try:
            _, secret = services.issue_token(
                organization_id=organization.id,
                name=options["name"],
                scopes=[scope.strip() for scope in options["scope"].split(",") if scope.strip()],
                team=options["team"],
                team_only=options["team_only"],
                project=options["project"],
                stage=options["stage"],
                source=options["source"],
                expires_at=moment(options["expires"]),
            )
        except services.OrganizationError as error:
            raise CommandError(str(error)) from error
        with organization_scope(organization.id):
            known = selectors.teams(organization.id).filter(name=options["team"]).exists()
        if options["team"] and not known:
            self.stderr.write(
                f"Warning: {organization.name} has no team {options['team']!r}; records sent with this token will name it"
                " all the same."
            )
        self.stdout.write(f"Token {options['name']!r} for {organization.name}; it will not be shown again:")
        self.stdout.write(secret)


def moment(text: str | None) -> datetime | None:
    """Read the end of a UTC day, or an exact time with offset."""
    if text is None:
        return None
    try:
        day = parse_date(text)
        exact = parse_datetime(text) if day is None else None
    except ValueError as error:
        raise CommandError(f"--expires {text!r}: {error}.") from error
    if day is not None:
        return datetime(day.year, day.month, day.day, 23, 59, 59, 999999, tzinfo=UTC)
    if exact is None or exact.tzinfo is None:
        raise CommandError(f"--expires {text!r} is neither a date nor a time with its offset.")
    return exact
