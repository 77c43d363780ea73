"""manage.py target --organization SLUG [--name NAME --definition FILE [--proposed-by EMAIL] [--approved-by EMAIL]]"""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.accounting.asking import USAGE, add_organization_argument, organization_of
from core.accounting.output import as_table
from core.organizations.models import Organization, Person
from core.organizations.policy import ALLOWED, Action
from core.organizations.selectors import memberships_of
from core.organizations.tenancy import organization_scope
from reporting.management.commands.scenario import read_rules
from reporting.selectors.target_figures import progress_of
from reporting.selectors.targets import path_of, shown_version, targets
from reporting.services.targets import decide_version, propose_target
from reporting.targets.definition import TargetError, from_plain

COLUMNS = ("id", "name", "state", "status", "from", "to", "actual", "allowed")


class Command(BaseCommand):
    help = "Propose a target and have it approved; without one, list how the targets stand."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_organization_argument(parser)
        parser.add_argument("--name", help="of a new target")
        parser.add_argument("--definition", metavar="FILE", help="JSON as the API takes it; - for standard input")
        parser.add_argument("--note", default="", help="what it is about")
        parser.add_argument("--owner", metavar="EMAIL", help="who answers for it")
        parser.add_argument("--proposed-by", metavar="EMAIL")
        parser.add_argument("--approved-by", metavar="EMAIL", help="another person, whose role approves targets")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = organization_of(options)
        if bool(options["name"]) != bool(options["definition"]):
            raise CommandError("A new target takes --name and --definition.", returncode=USAGE)
        if options["name"]:
            self.propose(organization, options)
        self.stdout.write(as_table(list(COLUMNS), self.rows(organization.id)))

    def propose(self, organization: Organization, options: dict[str, Any]) -> None:
        """Propose a target, and approve it in the name of another person."""
        people = {name: self.person(organization, options[name]) for name in ("owner", "proposed_by", "approved_by")}
        approver = people["approved_by"]
        if approver is not None and not self.approves(organization, approver):
            raise CommandError(f"{options['approved_by']} has no role that approves targets.")
        try:
            version = propose_target(
                organization_id=organization.id,
                name=options["name"],
                note=options["note"],
                definition=from_plain(read_rules(options["definition"])),
                owner_id=id_of(people["owner"]),
                today=datetime.now(UTC).date(),
                created_by_id=id_of(people["proposed_by"]),
            )
            if approver is not None:
                decide_version(
                    organization_id=organization.id, version_id=version.id, approve=True, person_id=approver.pk
                )
        except TargetError as error:
            raise CommandError(f"{error.field}: {error}") from error

    @staticmethod
    def person(organization: Organization, email: str | None) -> Person | None:
        """Find a member by the address. Raises CommandError."""
        if not email:
            return None
        person = Person.objects.filter(email__iexact=email).first()
        if person is None or not _memberships(organization, person):
            raise CommandError(f"{email} is nobody of this organization.")
        return person

    @staticmethod
    def approves(organization: Organization, person: Person) -> bool:
        """Tell whether a person's role approves targets."""
        return any(Action.APPROVE_TARGETS in ALLOWED[each.role] for each in _memberships(organization, person))

    @staticmethod
    def rows(organization_id: int) -> list[dict[str, Any]]:
        """List how the targets stand."""
        today = datetime.now(UTC).date()
        with organization_scope(organization_id):
            found = targets(organization_id)
        rows = []
        for each in found:
            version = shown_version(each)
            progress = progress_of(organization_id, path_of(version), today=today)
            first, last = progress.window or (None, None)
            rows.append(
                {
                    "id": each.id,
                    "name": each.name,
                    "state": str(version.state),
                    "status": progress.status.word,
                    "from": first,
                    "to": last,
                    "actual": progress.actual.value,
                    "allowed": progress.allowed,
                }
            )
        return rows


def _memberships(organization: Organization, person: Person) -> list[Any]:
    today = datetime.now(UTC).date()
    with organization_scope(organization.id):
        return [each for each in memberships_of(person.pk, today) if each.organization_id == organization.id]


def id_of(person: Person | None) -> int | None:
    """Return the id of a person, if there is one."""
    return None if person is None else person.pk
