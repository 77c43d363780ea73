"""Keep a page's query string under a name, or behind a short address."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db import IntegrityError, transaction

from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from reporting.models import SavedFilter, ShortLink

LONGEST_QUERY: Final = 4_000
LONGEST_NAME: Final = 100
KEY_BYTES: Final = 9


class SavedError(Exception):
    """A filter or link that cannot be kept; the message says why."""


@dataclass(frozen=True)
class Stand:
    """What a page's figures were when a link was made: the view, up to when it held records, and its total."""

    view_id: int
    watermark_at: datetime
    records: int
    total_kg_co2e: float | None


def save_filter(
    *, organization_id: int, name: str, path: str, query: str, created_by_id: int, everybody: bool = False
) -> SavedFilter:
    """
    Keep a query string under a name, for its maker or for everybody of the organization.

    Raises SavedError for a name that is empty, too long or taken, or a query that is too long.
    """
    name = " ".join(name.replace("\0", "").split())
    if not name:
        raise SavedError("Give the filters a name.")
    if len(name) > LONGEST_NAME:
        raise SavedError(f"The name is longer than {LONGEST_NAME} characters.")
    refuse_long(query)
    with organization_scope(organization_id):
        try:
            with transaction.atomic():
                saved = SavedFilter.objects.create(
                    organization_id=organization_id,
                    person_id=None if everybody else created_by_id,
                    name=name,
                    path=path,
                    query=query,
                    created_by_id=created_by_id,
                )
        except IntegrityError as error:
            if "saved_filter_name_once" not in str(error):
                raise
            raise SavedError(
                f"There are filters of the name {name!r} already: remove them or choose another."
            ) from None
        record_event(
            organization_id=organization_id,
            action="save_filter",
            object_type="saved_filter",
            object_id=saved.id,
            after=described(saved),
        )
    return saved


def remove_filter(*, organization_id: int, saved_id: int, person_id: int, may_share: bool) -> bool:
    """Remove one's own saved filter, or, for who may share them, everybody's; False where there is no such."""
    with organization_scope(organization_id):
        saved = SavedFilter.objects.filter(organization_id=organization_id, id=saved_id).first()
        if saved is None or not (saved.person_id == person_id or (saved.person_id is None and may_share)):
            return False
        before = described(saved)
        saved.delete()
        record_event(
            organization_id=organization_id,
            action="remove_filter",
            object_type="saved_filter",
            object_id=saved_id,
            before=before,
        )
    return True


def make_link(
    *, organization_id: int, path: str, query: str, created_by_id: int, stand: Stand | None = None
) -> ShortLink:
    """
    Make a short address of a page and its query; with a stand, of its figures as they are now.

    Raises SavedError for a query that is too long.
    """
    refuse_long(query)
    kept = {} if stand is None else vars(stand)
    with organization_scope(organization_id):
        link = ShortLink.objects.create(
            organization_id=organization_id,
            key=secrets.token_urlsafe(KEY_BYTES),
            path=path,
            query=query,
            created_by_id=created_by_id,
            **kept,
        )
        record_event(
            organization_id=organization_id,
            action="make_link",
            object_type="short_link",
            object_id=link.key,
            after={"path": path, "query": query, "view": link.view_id},
        )
    return link


def refuse_long(query: str) -> None:
    if len(query) > LONGEST_QUERY:
        raise SavedError(f"These are too many filters to keep: more than {LONGEST_QUERY:,} characters.")


def described(saved: SavedFilter) -> dict[str, object]:
    return {"name": saved.name, "path": saved.path, "query": saved.query, "everybody": saved.person_id is None}
