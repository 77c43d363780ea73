"""Saved filters and short links, inside `organization_scope`."""

from __future__ import annotations

from django.db.models import Q

from core.accounting.models import View
from core.accounting.selectors import views
from reporting.models import SavedFilter, ShortLink


def saved_filters(organization_id: int, person_id: int | None) -> list[SavedFilter]:
    """List a person's own saved filters and then everybody's, by name."""
    theirs = Q(person__isnull=True) | (Q(person_id=person_id) if person_id is not None else Q(pk__in=()))
    rows = SavedFilter.objects.filter(theirs, organization_id=organization_id)
    return sorted(rows, key=lambda one: (one.person_id is None, one.name.casefold()))


def short_link(organization_id: int, key: str) -> ShortLink | None:
    """Find a short link of the organization."""
    if "\0" in key:
        return None
    links = ShortLink.objects.select_related("created_by")
    return links.filter(organization_id=organization_id, key=key).first()


def stored_view(organization_id: int, view_id: int) -> View | None:
    """Return a view whose rows are still there; None once they were discarded."""
    return views(organization_id).filter(id=view_id, built_at__isnull=False).first()
