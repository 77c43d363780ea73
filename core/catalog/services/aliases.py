"""
Writes of the catalog.

A changed name takes effect where days are derived again: `core.accounting.services` has the same verbs, which see to it.
"""

from __future__ import annotations

from datetime import date

from core.catalog.models import Alias, AliasKind
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope


class CatalogError(Exception):
    """A name that cannot be entered; the message says why."""


def set_alias(
    *,
    organization_id: int,
    kind: str,
    reported: str,
    resolves_to: str,
    valid_from: date | None = None,
    valid_to: date | None = None,
) -> Alias:
    """
    Say what a reported name stands for, from a day on or always; replaces the alias of the same name and first day.

    Raises CatalogError when the kind is unknown, a name is empty or the period ends before it starts.
    """
    if kind not in AliasKind.values:
        raise CatalogError(f"{kind!r} has no aliases: use one of {', '.join(AliasKind.values)}.")
    if not reported.strip() or not resolves_to.strip():
        raise CatalogError("An alias needs the reported name and the name that it stands for.")
    if valid_from is not None and valid_to is not None and valid_to <= valid_from:
        raise CatalogError("An alias must end after it starts.")
    with organization_scope(organization_id):
        before = Alias.objects.filter(
            organization_id=organization_id, kind=kind, reported=reported, valid_from=valid_from
        ).first()
        was = None if before is None else {"resolves_to": before.resolves_to, "valid_to": _text(before.valid_to)}
        alias, _ = Alias.objects.update_or_create(
            organization_id=organization_id,
            kind=kind,
            reported=reported,
            valid_from=valid_from,
            defaults={"resolves_to": resolves_to, "valid_to": valid_to},
        )
        record_event(
            organization_id=organization_id,
            action="set_alias",
            object_type="alias",
            object_id=alias.id,
            before=was,
            after={
                "kind": kind,
                "reported": reported,
                "resolves_to": resolves_to,
                "valid_from": _text(valid_from),
                "valid_to": _text(valid_to),
            },
        )
    return alias


def remove_alias(*, organization_id: int, alias_id: int, reason: str = "") -> Alias:
    """Take an alias back, and return it as it was. Raises CatalogError when there is no such alias."""
    with organization_scope(organization_id):
        alias = Alias.objects.filter(organization_id=organization_id, id=alias_id).first()
        if alias is None:
            raise CatalogError("There is no alias of that id.")
        Alias.objects.filter(organization_id=organization_id, id=alias_id).delete()
        record_event(
            organization_id=organization_id,
            action="remove_alias",
            object_type="alias",
            object_id=alias_id,
            before={
                "kind": alias.kind,
                "reported": alias.reported,
                "resolves_to": alias.resolves_to,
                "valid_from": _text(alias.valid_from),
                "valid_to": _text(alias.valid_to),
            },
            reason=reason,
        )
    return alias


def _text(day: date | None) -> str | None:
    return day.isoformat() if day else None
