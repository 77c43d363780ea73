"""People as tests need them: somebody new of a role, signed in."""

from __future__ import annotations

from django.test import Client

from core.organizations import services
from core.organizations.models import Organization, Person, Role, Team


def sign_in(
    client: Client, organization: Organization, role: str = Role.OWNER, team: Team | str | None = None
) -> Client:
    """Sign in as somebody new of a role; of a team that is there, or of a new one by its name."""
    person = Person.objects.create_user(f"{role}@example.org")
    if isinstance(team, str):
        team = services.create_team(organization_id=organization.id, name=team)
    services.add_member(organization_id=organization.id, person=person, role=role, team=team)
    client.force_login(person)
    return client
