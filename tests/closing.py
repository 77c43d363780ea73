"""Close periods as tests need it: two people who may, activity in the third quarter of 2026, and the way to approval."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from core.organizations import services
from core.organizations.models import Organization, Person
from reporting.models import Inventory
from reporting.services import periods
from reporting.services.periods import Reading
from tests.deliver import deliver, metered

TODAY: Final = date(2026, 11, 25)


def two_leads(organization: Organization) -> list[Person]:
    """Deliver 1,000 kWh of own and 200 kWh of rented hardware; give two people who may prepare and approve."""
    deliver(organization, [metered("own", 1000.0), metered("rented", 200.0, hosting="cloud", stage="training")])
    return [somebody(organization, name) for name in ("ada", "grace")]


def somebody(organization: Organization, name: str, role: str = "sustainability_lead") -> Person:
    """Make a person of a role."""
    person = Person.objects.create_user(f"{name}@example.org", name=name.title())
    services.add_member(organization_id=organization.id, person=person, role=role)
    return person


def close(organization: Organization, people: Sequence[Person], period: str = "2026-Q3", **accepted: str) -> Inventory:
    """Take a period from open to approved: the first of two people prepares, the second approves."""
    preparer, approver = people
    return periods.close(
        organization=Organization.objects.get(id=organization.id),
        period=period,
        prepared_by_id=preparer.pk,
        approved_by_id=approver.pk,
        accepted=accepted,
        today=TODAY,
    )


def opened(organization: Organization, person: Person, period: str = "2026-Q3") -> tuple[Inventory, Reading]:
    """Close a period softly."""
    reading = periods.read_period(organization, period, today=TODAY)
    return periods.soft_close(organization=organization, reading=reading, person_id=person.pk), reading
