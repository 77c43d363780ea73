"""Writes of contractual instruments, as `core.factors.instrument_services`: the years that they touch are covered again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

from core.accounting.selectors.market import countries_known
from core.accounting.services.market_rates import mark_years
from core.factors import instrument_services as instruments
from core.factors.instrument_selectors import vintage_years
from core.factors.instrument_services import InstrumentError, MarketsError
from core.factors.models import ContractualInstrument, InstrumentEvent, InstrumentHours
from core.organizations.models import Organization
from core.organizations.tenancy import organization_scope
from core.quantification.instrument_entry import EntryError

__all__ = [
    "EntryError",
    "InstrumentError",
    "MarketsError",
    "add_instrument_hours",
    "add_instruments",
    "retire_instrument",
    "set_markets",
    "withdraw_instrument",
]


def add_instruments(
    *, organization_id: int, given: Sequence[Mapping[str, Any]], today: date, corrects_id: int | None = None
) -> list[ContractualInstrument]:
    """Enter instruments, all of them or none, as `core.factors.instrument_services.add_instruments`."""
    with organization_scope(organization_id):
        years = set(_years(organization_id, corrects_id)) if corrects_id is not None else set()
        made = instruments.add_instruments(
            organization_id=organization_id,
            given=given,
            today=today,
            countries=countries_known(organization_id),
            corrects_id=corrects_id,
        )
        mark_years(organization_id, years | {each.vintage_start.year for each in made})
    return made


def retire_instrument(
    *,
    organization_id: int,
    instrument_id: int,
    retired_on: str,
    registry: str,
    serial_first: str,
    serial_last: str,
    today: date,
) -> InstrumentEvent:
    """Note that certificates were retired, as `core.factors.instrument_services.retire_instrument`."""
    with organization_scope(organization_id):
        event = instruments.retire_instrument(
            organization_id=organization_id,
            instrument_id=instrument_id,
            retired_on=retired_on,
            registry=registry,
            serial_first=serial_first,
            serial_last=serial_last,
            today=today,
        )
        mark_years(organization_id, _years(organization_id, instrument_id))
    return event


def withdraw_instrument(*, organization_id: int, instrument_id: int, reason: str) -> InstrumentEvent:
    """Take an instrument out of every figure, as `core.factors.instrument_services.withdraw_instrument`."""
    with organization_scope(organization_id):
        event = instruments.withdraw_instrument(
            organization_id=organization_id, instrument_id=instrument_id, reason=reason
        )
        mark_years(organization_id, _years(organization_id, instrument_id))
    return event


def add_instrument_hours(
    *, organization_id: int, instrument_id: int, rows: Iterable[tuple[str, str]]
) -> InstrumentHours:
    """Enter when an instrument's electricity was generated. No rate follows from it: hours are matched on read."""
    return instruments.add_hours(organization_id=organization_id, instrument_id=instrument_id, rows=rows)


def set_markets(*, organization_id: int, own: Mapping[str, Sequence[str]]) -> Organization:
    """Say which countries or zones form one market, as `core.factors.instrument_services.set_markets`."""
    with organization_scope(organization_id):
        organization = instruments.set_markets(organization_id=organization_id, own=own)
        mark_years(organization_id, vintage_years(organization_id))
    return organization


def _years(organization_id: int, instrument_id: int) -> list[int]:
    rows = ContractualInstrument.objects.filter(organization_id=organization_id, id=instrument_id)
    return [start.year for start in rows.values_list("vintage_start", flat=True)]
