"""Writes of an organization's own factors: the days on which a changed one holds are marked to be derived again."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from core.accounting.services.market_rates import mark_years
from core.accounting.services.marks import mark_days
from core.factors import own
from core.factors.instrument_selectors import vintage_years
from core.factors.models import OwnFactor
from core.organizations.tenancy import organization_scope


def add_own_factor(
    *,
    organization_id: int,
    name: str,
    value: float,
    source: str,
    low: float | None = None,
    high: float | None = None,
    where: Mapping[str, str] | None = None,
    valid_from: date | None = None,
    valid_to: date | None = None,
) -> OwnFactor:
    """Enter a number of the organization's own, as `core.factors.own.add_own_factor`, and derive its days again."""
    with organization_scope(organization_id):
        factor = own.add_own_factor(
            organization_id=organization_id,
            name=name,
            value=value,
            source=source,
            low=low,
            high=high,
            where=where,
            valid_from=valid_from,
            valid_to=valid_to,
        )
        mark_between(organization_id, valid_from, valid_to)
    return factor


def end_own_factor(*, organization_id: int, factor_id: int, valid_to: date) -> OwnFactor:
    """Let a factor hold only until a day, as `core.factors.own.end_own_factor`, and derive the days after it again."""
    with organization_scope(organization_id):
        factor = own.end_own_factor(organization_id=organization_id, factor_id=factor_id, valid_to=valid_to)
        before = factor.valid_to
        mark_between(
            organization_id, min(valid_to, before or valid_to), None if before is None else max(valid_to, before)
        )
    return factor


def remove_own_factor(*, organization_id: int, factor_id: int, reason: str) -> OwnFactor:
    """Take back a factor that was wrong, as `core.factors.own.remove_own_factor`, and derive its days again."""
    with organization_scope(organization_id):
        factor = own.remove_own_factor(organization_id=organization_id, factor_id=factor_id, reason=reason)
        mark_between(organization_id, factor.valid_from, factor.valid_to)
    return factor


def mark_between(organization_id: int, valid_from: date | None, valid_to: date | None) -> int:
    """
    Mark every day of a half-open span that has figures; returns how many.

    Which of its series a factor fits is for derive to find out: names mean what the catalog says.
    """
    mark_years(organization_id, vintage_years(organization_id))  # it may weigh what no record covers
    return mark_days(
        organization_id,
        "(%s::date is null or d.day >= %s::date) and (%s::date is null or d.day < %s::date)",
        [valid_from, valid_from, valid_to, valid_to],
    )
