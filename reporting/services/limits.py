"""Set the limit that the emissions are held against."""

from __future__ import annotations

import math
from datetime import date

from core.organizations.models import Person
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from reporting.models import YearlyLimit


class LimitError(Exception):
    """A limit that cannot be; the message says why."""


def set_limit(
    *,
    organization_id: int,
    name: str,
    limit_kg_co2e_per_year: float,
    starts_on: date,
    ends_on: date | None = None,
    created_by: Person | None = None,
) -> YearlyLimit:
    """
    Set a yearly limit from a day on; one that starts on the same day is replaced, earlier ones end where it starts.

    Raises LimitError for a limit that is not positive or an end before the start.
    """
    if not math.isfinite(limit_kg_co2e_per_year) or limit_kg_co2e_per_year <= 0:
        raise LimitError("The limit must be more than 0 kg CO2e a year.")
    if ends_on is not None and ends_on < starts_on:
        raise LimitError("The last day lies before the first.")
    with organization_scope(organization_id):
        before = YearlyLimit.objects.filter(organization_id=organization_id, starts_on=starts_on).first()
        limit, _created = YearlyLimit.objects.update_or_create(
            organization_id=organization_id,
            starts_on=starts_on,
            defaults={
                "name": name,
                "limit_kg_co2e_per_year": limit_kg_co2e_per_year,
                "ends_on": ends_on,
                "created_by": created_by,
            },
        )
        record_event(
            organization_id=organization_id,
            action="set_target",
            object_type="target",
            object_id=limit.id,
            before=described(before) if before else None,
            after=described(limit),
        )
    return limit


def described(limit: YearlyLimit) -> dict[str, object]:
    return {
        "name": limit.name,
        "limit_kg_co2e_per_year": limit.limit_kg_co2e_per_year,
        "starts_on": limit.starts_on.isoformat(),
        "ends_on": limit.ends_on.isoformat() if limit.ends_on else None,
    }
