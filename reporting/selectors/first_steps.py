"""How far an organization has come: what has arrived before its first figure, and what is worth doing after it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from django.apps import apps
from django.db.models import Q

from core.accounting.selectors.conditions import source_names
from core.organizations.models import Membership, Organization
from core.organizations.selectors import NEXT_STEPS_DISMISSED
from reporting.selectors.limits import limit_rows

STEPS: Final = ("second_source", "target", "colleague", "reviewer", "draft")
"""In the order in which they are proposed; nothing tells whether a draft was read, so that one stays as long as the list."""


@dataclass(frozen=True)
class First:
    """What an organization without any figure has: deliveries that wait, rows in quarantine, a demo to look at."""

    waiting: int
    quarantined: int
    demo: str  # slug of the demo organization where the asker belongs to it, else ""


def first_steps(organization_id: int, memberships: Iterable[Membership]) -> First:
    """Read what has come before the first figure. Models are named as strings: the two apps do not know each other."""
    batches: Any = apps.get_model("ingestion", "Batch").objects.filter(organization_id=organization_id)
    rows: Any = apps.get_model("ingestion", "QuarantinedRow").objects.filter(organization_id=organization_id)
    demo = next((one.organization.slug for one in memberships if one.organization.demo), "")
    return First(batches.filter(state__in=("pending", "processing")).count(), rows.filter(state="open").count(), demo)


@dataclass(frozen=True)
class Step:
    """One thing worth doing once there are figures."""

    name: str  # of STEPS
    done: bool


def next_steps(organization: Organization, today: date) -> list[Step]:
    """List what is worth doing next; nothing once everything that can be seen is done, or somebody has dismissed the list."""
    if organization.demo or organization.settings.get(NEXT_STEPS_DISMISSED):
        return []
    people = Membership.objects.filter(organization_id=organization.id).filter(Q(ends_on=None) | Q(ends_on__gte=today))
    alone = people.count() < 2
    done = {
        "second_source": len(source_names(organization.id)) > 1,
        "target": bool(limit_rows(organization.id)),
        "colleague": not alone,
        "reviewer": organization.single_reviewer or not alone,
        "draft": False,
    }
    return [] if all(done[name] for name in STEPS[:-1]) else [Step(name, done[name]) for name in STEPS]
