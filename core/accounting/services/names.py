"""Writes of an organization's own names: the days of the series that report a name are marked when it changes."""

from __future__ import annotations

from datetime import date

from django.db import connection

from core.accounting.services.marks import mark_days
from core.catalog import services as catalog
from core.catalog.models import Alias, AliasKind
from core.organizations.tenancy import organization_scope


def set_alias(
    *,
    organization_id: int,
    kind: str,
    reported: str,
    resolves_to: str,
    valid_from: date | None = None,
    valid_to: date | None = None,
) -> Alias:
    """Say what a reported name stands for, as `core.catalog.services.set_alias`, and derive its days again."""
    with organization_scope(organization_id):
        alias = catalog.set_alias(
            organization_id=organization_id,
            kind=kind,
            reported=reported,
            resolves_to=resolves_to,
            valid_from=valid_from,
            valid_to=valid_to,
        )
        _mark(organization_id, alias)
    return alias


def remove_alias(*, organization_id: int, alias_id: int, reason: str = "") -> Alias:
    """Take an alias back, as `core.catalog.services.remove_alias`, and derive its days again."""
    with organization_scope(organization_id):
        alias = catalog.remove_alias(organization_id=organization_id, alias_id=alias_id, reason=reason)
        _mark(organization_id, alias)
    return alias


def _mark(organization_id: int, alias: Alias) -> None:
    """Mark every day on which some series reports the name, in whatever case; the alias may have held on other days before."""
    kind = AliasKind(alias.kind).value  # a column of series
    with connection.cursor() as cursor:
        cursor.execute(
            f"select distinct {kind} from ledger_series where organization_id = %s and {kind} is not null",
            [organization_id],
        )
        names = [name for (name,) in cursor.fetchall() if name.casefold() == alias.reported.casefold()]
    mark_days(
        organization_id,
        f"r.series_id in (select id from ledger_series where organization_id = %s and {kind} = any(%s))",
        [organization_id, names],
    )
