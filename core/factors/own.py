"""
Writes of an organization's own factors.

A changed factor takes effect where days are derived again: `core.accounting.services` has the same verbs, which see to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import connection

from core.factors.models import OwnFactor
from core.locks import OWN_FACTOR_LOCK
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.activity import HOSTINGS
from core.quantification.overrides import UNITS, ImpossibleFactor, parse_override
from core.quantification.own_factors import SELECTORS, implausible


class OwnFactorError(Exception):
    """
    A factor that cannot be entered; the message says why.

    Attributes:
        field: what to mend: name, value, where, source, valid_from, valid_to.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


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
    """
    Enter a number of the organization's own.

    Args:
        name: an override of `core.quantification.overrides.UNITS`.
        low, high: 95 % interval, both or neither.
        where: selector (`SELECTORS`) to name; empty: it holds for everything.
        valid_from, valid_to: half-open, UTC days.

    Raises:
        OwnFactorError: it cannot be, has no source, or overlaps one for the same uses.
    """
    conditions = _conditions(where or {})
    if name == "spend_kg_co2e" and "currency" not in conditions:
        raise OwnFactorError("where_currency", "A factor of spend holds for one currency: say which.")
    value, low, high = _number(name, value, low, high)
    if not source.strip():
        raise OwnFactorError("source", "Say where the number comes from: an auditor will ask.")
    if valid_from is not None and valid_to is not None and valid_to <= valid_from:
        raise OwnFactorError("valid_to", "A factor must end after it starts.")
    with organization_scope(organization_id):
        _lock(organization_id)
        _refuse_overlap(organization_id, name, conditions, valid_from, valid_to)
        _refuse_idle_above_peak(organization_id, name, value, conditions, valid_from, valid_to)
        factor = OwnFactor.objects.create(
            organization_id=organization_id,
            name=name,
            unit=UNITS[name][1],
            value=value,
            low=low,
            high=high,
            where=conditions,
            source=source.strip(),
            valid_from=valid_from,
            valid_to=valid_to,
        )
        record_event(
            organization_id=organization_id,
            action="add_own_factor",
            object_type="own_factor",
            object_id=factor.id,
            after=_described(factor),
        )
    return factor


def end_own_factor(*, organization_id: int, factor_id: int, valid_to: date) -> OwnFactor:
    """Let a factor hold only until a day (the first on which it does not); returns it as it was."""
    with organization_scope(organization_id):
        _lock(organization_id)
        factor = _found(organization_id, factor_id)
        if factor.valid_from is not None and valid_to <= factor.valid_from:
            raise OwnFactorError("valid_to", "A factor must end after it starts: remove one that never held.")
        _refuse_overlap(organization_id, factor.name, factor.where, factor.valid_from, valid_to, but=factor.id)
        OwnFactor.objects.filter(organization_id=organization_id, id=factor_id).update(valid_to=valid_to)
        record_event(
            organization_id=organization_id,
            action="end_own_factor",
            object_type="own_factor",
            object_id=factor_id,
            before=_described(factor),
            after={**_described(factor), "valid_to": valid_to.isoformat()},
        )
    return factor


def remove_own_factor(*, organization_id: int, factor_id: int, reason: str) -> OwnFactor:
    """Take back a factor that was wrong, and return it as it was; the audit log keeps it with the reason."""
    if not reason.strip():
        raise OwnFactorError("reason", "Say why the factor is taken back.")
    with organization_scope(organization_id):
        _lock(organization_id)
        factor = _found(organization_id, factor_id)
        OwnFactor.objects.filter(organization_id=organization_id, id=factor_id).delete()
        record_event(
            organization_id=organization_id,
            action="remove_own_factor",
            object_type="own_factor",
            object_id=factor_id,
            before=_described(factor),
            reason=reason.strip(),
        )
    return factor


def _number(name: str, value: float, low: float | None, high: float | None) -> tuple[float, float, float]:
    if (low is None) != (high is None):
        raise OwnFactorError("low", "An interval needs both ends.")
    try:
        number = parse_override(name, value if low is None else {"value": value, "low": low, "high": high})
        doubt = implausible(name, number[0])
        if doubt is not None:
            raise OwnFactorError("value", doubt)
        return number
    except ImpossibleFactor as error:
        raise OwnFactorError("name" if error.reason == "unknown_factor" else "value", str(error)) from error


def _conditions(where: Mapping[str, str]) -> dict[str, str]:
    """Keep the conditions that say something, in one order."""
    for selector in where:
        if selector not in SELECTORS:
            raise OwnFactorError("where", f"{selector!r} is not one of {', '.join(SELECTORS)}.")
    conditions = {selector: name for selector in SELECTORS if (name := str(where.get(selector) or "").strip())}
    if conditions.get("hosting", "owned").casefold() not in HOSTINGS:
        raise OwnFactorError("where_hosting", f"Hosting is one of {', '.join(HOSTINGS)}.")
    return conditions


def _refuse_overlap(
    organization_id: int,
    name: str,
    where: Mapping[str, str],
    valid_from: date | None,
    valid_to: date | None,
    *,
    but: int | None = None,
) -> None:
    """Of two numbers for the same uses on the same day nobody could say which holds."""
    for other in _same_uses(organization_id, name, where, valid_from, valid_to):
        if other.id != but:
            since = other.valid_from.isoformat() if other.valid_from else "always"
            raise OwnFactorError(
                "valid_from",
                f"Own factor {other.id} ({other.value:g}, from {since}) holds for the same uses on some of these days:"
                " end it first.",
            )


def _refuse_idle_above_peak(
    organization_id: int,
    name: str,
    value: float,
    where: Mapping[str, str],
    valid_from: date | None,
    valid_to: date | None,
) -> None:
    """A device that draws more idle than at full load has no power curve: every figure of it would be null."""
    pair = {"device_idle_w": "device_tdp_w", "device_tdp_w": "device_idle_w"}.get(name)
    for other in _same_uses(organization_id, pair, where, valid_from, valid_to) if pair else ():
        idle, peak = (value, other.value) if name == "device_idle_w" else (other.value, value)
        if idle > peak:
            reason = f"{idle:g} W idle would be above {peak:g} W at full load (own factor {other.id})."
            raise OwnFactorError("value", reason)


def _same_uses(
    organization_id: int, name: str, where: Mapping[str, str], valid_from: date | None, valid_to: date | None
) -> list[OwnFactor]:
    """List factors of a name that hold for the same uses on some of the days."""
    wanted = {selector: text.casefold() for selector, text in where.items()}
    found = []
    for other in OwnFactor.objects.filter(organization_id=organization_id, name=name).order_by("id"):
        same = {selector: text.casefold() for selector, text in other.where.items()} == wanted
        begins_before_end = valid_to is None or other.valid_from is None or other.valid_from < valid_to
        ends_after_begin = valid_from is None or other.valid_to is None or other.valid_to > valid_from
        if same and begins_before_end and ends_after_begin:
            found.append(other)
    return found


def _found(organization_id: int, factor_id: int) -> OwnFactor:
    factor = OwnFactor.objects.filter(organization_id=organization_id, id=factor_id).first()
    if factor is None:
        raise OwnFactorError("id", "There is no own factor of that id.")
    return factor


def _described(factor: OwnFactor) -> dict[str, Any]:
    return {
        "name": factor.name,
        "unit": factor.unit,
        "value": factor.value,
        "low": factor.low,
        "high": factor.high,
        "where": factor.where,
        "source": factor.source,
        "valid_from": factor.valid_from.isoformat() if factor.valid_from else None,
        "valid_to": factor.valid_to.isoformat() if factor.valid_to else None,
    }


def _lock(organization_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [OWN_FACTOR_LOCK, organization_id])
