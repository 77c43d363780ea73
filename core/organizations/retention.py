"""How long an organization keeps ids as text and payloads: its own settings, within what the installation allows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from typing import Final

from core.organizations.models import Organization
from core.organizations.services import OrganizationError, record_event
from core.organizations.tenancy import organization_scope

RETENTION: Final = "retention"
LONGEST_DAYS: Final = 3660


@dataclass(frozen=True)
class Retention:
    """
    What expires when.

    Args:
        ids_days: record, request and trace ids as text, from the day of the use. [days]
        payload_days: what senders delivered, and the content of rows in quarantine, from its receipt. [days]
    """

    ids_days: int = 90
    payload_days: int = 30

    def ids_before(self, now: datetime) -> date:
        """Give the first day whose ids are kept."""
        return now.date() - timedelta(days=self.ids_days)

    def payloads_before(self, now: datetime) -> date:
        """Give the first day whose payloads are kept."""
        return now.date() - timedelta(days=self.payload_days)


DEFAULT: Final = Retention()


def retention_of(organization: Organization) -> Retention:
    """Tell how long an organization keeps what expires; the defaults unless it has said otherwise."""
    return Retention(**organization.settings.get(RETENTION, {}))


def retentions() -> dict[int, Retention]:
    """Tell it for all organizations, by their ids."""
    return {each.id: retention_of(each) for each in Organization.objects.order_by("id")}


def longest(of: dict[int, Retention]) -> Retention:
    """
    Give what partitions that all organizations share must be kept for; the defaults where there is nobody.

    >>> longest({1: Retention(30, 60), 2: Retention(400, 7)})
    Retention(ids_days=400, payload_days=60)
    """
    if not of:
        return DEFAULT
    return Retention(max(each.ids_days for each in of.values()), max(each.payload_days for each in of.values()))


def set_retention(*, organization_id: int, ids_days: int, payload_days: int, reason: str = "") -> Retention:
    """
    Change how long an organization keeps what expires; what is past the new limits goes within the hour.

    Raises OrganizationError when a limit is under a day or over ten years.
    """
    for days in (ids_days, payload_days):
        if not 1 <= days <= LONGEST_DAYS:
            raise OrganizationError(f"Keep it from 1 to {LONGEST_DAYS} days, not {days}.")
    wanted = Retention(ids_days, payload_days)
    with organization_scope(organization_id):
        organization = Organization.objects.select_for_update().get(id=organization_id)
        before = retention_of(organization)
        organization.settings = {**organization.settings, RETENTION: asdict(wanted)}
        organization.save(update_fields=["settings"])
        record_event(
            organization_id=organization_id,
            action="set_retention",
            object_type="organization",
            object_id=organization.slug,
            before=asdict(before),
            after=asdict(wanted),
            reason=reason,
        )
    return wanted
