"""Writes of contractual instruments: entered once, then retired or withdrawn by events, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any
from uuid import UUID, uuid4

from django.db import IntegrityError, connection, transaction

from core.factors.instrument_selectors import instrument_of, live_parts, markets_of
from core.factors.models import (
    CertificateClaim,
    ContractualInstrument,
    InstrumentEvent,
    InstrumentEventKind,
    InstrumentHours,
)
from core.locks import CLAIM_LOCK, INSTRUMENT_LOCK
from core.organizations.models import Organization
from core.organizations.services import record_event
from core.organizations.tenancy import organization_scope
from core.quantification.electricity_markets import MarketsError, own_markets
from core.quantification.instrument_entry import (
    Entry,
    EntryError,
    Fault,
    Retirement,
    read_entry,
    read_hours,
    read_retirement,
)
from core.quantification.serials import blocks_of, serial_range


class InstrumentError(Exception):
    """Something that cannot be done with an instrument; the message says why."""


def add_instruments(
    *,
    organization_id: int,
    given: Sequence[Mapping[str, Any]],
    today: date,
    countries: Mapping[str, str],
    corrects_id: int | None = None,
) -> list[ContractualInstrument]:
    """
    Enter instruments, all of them or none.

    Args:
        given: fields of each, see `core.quantification.instrument_entry.FIELDS`, and ``hours``: pairs of time and kWh.
        today: UTC.
        countries: every known zone to its country.
        corrects_id: one that the single new one stands for from now on; it is withdrawn.

    Raises:
        EntryError: with every fault of every row. InstrumentError: there is nothing to correct.
    """
    with organization_scope(organization_id):
        _lock(organization_id)
        if corrects_id is not None:
            withdraw_instrument(
                organization_id=organization_id, instrument_id=corrects_id, reason="Corrected by the next entry."
            )
        markets = markets_of(organization_id)
        entries: list[Entry] = []
        faults: list[Fault] = []
        for row, each in enumerate(given, 1):
            fields = {name: value for name, value in each.items() if name != "hours"}
            try:
                entries.append(read_entry(fields, row=row, today=today, markets=markets, countries=countries))
            except EntryError as error:
                faults += error.faults
        if not given:
            faults.append(Fault(1, "type", "There is no instrument."))
        if faults:
            raise EntryError(faults)
        made = []
        for row, entry in enumerate(entries, 1):
            try:
                made.append(_add(organization_id, entry, row, corrects_id))
            except EntryError as error:
                faults += error.faults
                continue
            try:
                if given[row - 1].get("hours"):
                    add_hours(organization_id=organization_id, instrument_id=made[-1].id, rows=given[row - 1]["hours"])
            except EntryError as error:
                faults += [Fault(row, "hours", f"Line {fault.row}: {fault.reason}") for fault in error.faults]
        if faults:
            raise EntryError(faults)
    return made


def _add(organization_id: int, entry: Entry, row: int, corrects_id: int | None) -> ContractualInstrument:
    _refuse_more_than_bought(organization_id, entry, row)
    instrument = ContractualInstrument.objects.create(
        organization_id=organization_id,
        type=entry.type,
        kind=entry.kind,
        energy_kwh=entry.energy_kwh,
        intensity_g_per_kwh=entry.intensity_g_per_kwh,
        market=entry.market,
        vintage_start=entry.vintage_start,
        vintage_end=entry.vintage_end,
        carbon_free=entry.carbon_free,
        technology=entry.technology,
        pool=entry.pool,
        reference=entry.reference,
        bought_kwh=entry.bought_kwh,
        document=entry.document,
        corrects_id=corrects_id,
    )
    if entry.retirement is not None:
        _retire(instrument, entry.retirement, row)
    record_event(
        organization_id=organization_id,
        action="add_instrument",
        object_type="instrument",
        object_id=instrument.id,
        after=described(instrument)
        | ({"retired_on": entry.retirement.retired_on.isoformat()} if entry.retirement else {}),
    )
    return instrument


def _refuse_more_than_bought(organization_id: int, entry: Entry, row: int) -> None:
    """Hold the parts of one contract and year to the volume that was bought."""
    if not entry.reference:
        return
    parts = live_parts(organization_id, entry.reference, entry.vintage_start.year)
    bought = {part.bought_kwh for part in parts} | {entry.bought_kwh}
    if parts and len(bought) > 1:
        reason = f"Another part of {entry.reference} names another bought volume: correct or withdraw that one."
        raise EntryError([Fault(row, "bought_kwh", reason)])
    used = sum(part.energy_kwh for part in parts) + entry.energy_kwh
    if parts and entry.bought_kwh is None:
        reason = (
            f"{entry.reference} is entered for {entry.vintage_start.year} already; parts of it name the bought volume."
        )
        raise EntryError([Fault(row, "reference", reason)])
    if entry.bought_kwh is not None and used > entry.bought_kwh:
        reason = f"With its other parts {entry.reference} would be used for {used:,f} kWh of {entry.bought_kwh:,f} kWh bought."
        raise EntryError([Fault(row, "energy_kwh", reason)])


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
    """
    Note that certificates were retired for the organization.

    Raises:
        InstrumentError: there is no such instrument, it is none of certificates, or retired or withdrawn already.
        EntryError: what is wrong with the day or the serial numbers, or that they are claimed already.
    """
    with organization_scope(organization_id):
        _lock(organization_id)
        instrument = _live(organization_id, instrument_id)
        if instrument.type != "certificate":
            raise InstrumentError("Only certificates are retired.")
        if instrument.events.filter(kind=InstrumentEventKind.RETIRED).exists():
            raise InstrumentError("These certificates are retired already.")
        retirement = read_retirement(
            retired_on=retired_on,
            registry=registry,
            serial_first=serial_first,
            serial_last=serial_last,
            today=today,
            energy_kwh=instrument.energy_kwh,
            vintage_start=instrument.vintage_start,
        )
        event = _retire(instrument, retirement, 1)
        record_event(
            organization_id=organization_id,
            action="retire_instrument",
            object_type="instrument",
            object_id=instrument_id,
            after={
                "retired_on": retirement.retired_on.isoformat(),
                "registry": event.registry,
                "serial_first": event.serial_first,
                "serial_last": event.serial_last,
            },
        )
    return event


def _retire(instrument: ContractualInstrument, retirement: Retirement, row: int) -> InstrumentEvent:
    _refuse_same_numbers(instrument.organization_id, retirement, row)
    claim = _claim(retirement, row)
    serials = retirement.serials
    return InstrumentEvent.objects.create(
        organization_id=instrument.organization_id,
        instrument=instrument,
        kind=InstrumentEventKind.RETIRED,
        retired_on=retirement.retired_on,
        registry=retirement.registry,
        serial_first=retirement.serial_first,
        serial_last=retirement.serial_last if serials.count > 1 else retirement.serial_first,
        claim=claim,
    )


def _refuse_same_numbers(organization_id: int, retirement: Retirement, row: int) -> None:
    """Refuse numbers that the organization has retired under another registry: rather one registry spelled in two ways."""
    retired = InstrumentEvent.objects.filter(organization_id=organization_id, kind=InstrumentEventKind.RETIRED)
    withdrawn = InstrumentEvent.objects.filter(organization_id=organization_id, kind=InstrumentEventKind.WITHDRAWN)
    for event in retired.exclude(instrument_id__in=withdrawn.values("instrument_id")).order_by("id"):
        there = serial_range(event.registry, event.serial_first, event.serial_last)
        if retirement.serials.registry != there.registry and retirement.serials.same_numbers(there):
            reason = (
                f"Instrument {event.instrument_id} has the same numbers of {event.registry}. If it is the same registry, write"
                " it the same way; if it is another, put its own letters before the numbers."
            )
            raise EntryError([Fault(row, "registry", reason)])


def _claim(retirement: Retirement, row: int) -> UUID:
    """Claim serial numbers before all organizations. Raises EntryError where one of them is claimed already."""
    blocks, claim = blocks_of(retirement.serials), uuid4()
    taken = Fault(row, "serial_first", "One of these certificates is claimed already: a certificate counts once.")
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [CLAIM_LOCK])
        cursor.execute(
            "select exists(select from factors_certificateclaim where key = any(%s) or (key = any(%s) and whole))",
            [list(blocks.whole), list(blocks.partly)],
        )
        if cursor.fetchone()[0]:
            raise EntryError([taken])
    try:
        with transaction.atomic():
            CertificateClaim.objects.bulk_create(
                CertificateClaim(claim=claim, key=key, whole=whole)
                for whole, keys in ((True, blocks.whole), (False, blocks.partly))
                for key in sorted(keys)
            )
    except IntegrityError as error:
        raise EntryError([taken]) from error
    return claim


def withdraw_instrument(*, organization_id: int, instrument_id: int, reason: str) -> InstrumentEvent:
    """
    Take an instrument out of every figure; it stays to be seen, and its serial numbers are free again.

    Raises InstrumentError: no such instrument, withdrawn already, or no reason.
    """
    if not reason.strip():
        raise InstrumentError("Say why it is withdrawn.")
    with organization_scope(organization_id):
        _lock(organization_id)
        instrument = _live(organization_id, instrument_id)
        event = InstrumentEvent.objects.create(
            organization_id=organization_id,
            instrument=instrument,
            kind=InstrumentEventKind.WITHDRAWN,
            reason=reason.strip()[:500],
        )
        claims = instrument.events.filter(claim__isnull=False).values_list("claim", flat=True)
        CertificateClaim.objects.filter(claim__in=list(claims)).delete()
        record_event(
            organization_id=organization_id,
            action="withdraw_instrument",
            object_type="instrument",
            object_id=instrument_id,
            before=described(instrument),
            reason=event.reason,
        )
    return event


def add_hours(*, organization_id: int, instrument_id: int, rows: Iterable[tuple[str, str]]) -> InstrumentHours:
    """
    Enter when an instrument's electricity was generated.

    Raises:
        InstrumentError: there is no such instrument, or its hours are there already.
        EntryError: see `core.quantification.instrument_entry.read_hours`.
    """
    with organization_scope(organization_id):
        _lock(organization_id)
        instrument = _live(organization_id, instrument_id)
        if InstrumentHours.objects.filter(organization_id=organization_id, instrument=instrument).exists():
            raise InstrumentError("Its hours are entered already: correct the instrument to enter others.")
        hours = read_hours(
            rows,
            vintage_start=instrument.vintage_start,
            vintage_end=instrument.vintage_end,
            energy_kwh=instrument.energy_kwh,
        )
        kept = InstrumentHours.objects.create(
            organization_id=organization_id,
            instrument=instrument,
            starts_at=hours.starts_at,
            energy_kwh=list(hours.energy_kwh),
        )
        record_event(
            organization_id=organization_id,
            action="add_instrument_hours",
            object_type="instrument",
            object_id=instrument_id,
            after={"starts_at": hours.starts_at.isoformat(), "hours": len(hours.energy_kwh)},
        )
    return kept


def set_markets(*, organization_id: int, own: Mapping[str, Sequence[str]]) -> Organization:
    """
    Say which countries or zones form one market, before the defaults.

    Raises MarketsError for what cannot be.
    """
    own_markets(own)
    with organization_scope(organization_id):
        _lock(organization_id)
        organization = Organization.objects.select_for_update().get(id=organization_id)
        before = organization.settings.get("electricity_markets", {})
        organization.settings["electricity_markets"] = {name: list(places) for name, places in own.items()}
        organization.save(update_fields=["settings"])
        record_event(
            organization_id=organization_id,
            action="set_markets",
            object_type="organization",
            object_id=organization_id,
            before={"electricity_markets": before},
            after={"electricity_markets": organization.settings["electricity_markets"]},
        )
    return organization


def _live(organization_id: int, instrument_id: int) -> ContractualInstrument:
    instrument = instrument_of(organization_id, instrument_id)
    if instrument is None:
        raise InstrumentError("There is no instrument of that id.")
    if instrument.events.filter(kind=InstrumentEventKind.WITHDRAWN).exists():
        raise InstrumentError("This instrument is withdrawn already.")
    return instrument


def described(instrument: ContractualInstrument) -> dict[str, object]:
    """Write an instrument as plain values, for the audit log."""
    return {
        "type": instrument.type,
        "kind": instrument.kind,
        "energy_kwh": str(instrument.energy_kwh),
        "intensity_g_per_kwh": instrument.intensity_g_per_kwh,
        "market": instrument.market,
        "vintage_start": instrument.vintage_start.isoformat(),
        "vintage_end": instrument.vintage_end.isoformat(),
        "pool": instrument.pool,
        "reference": instrument.reference,
        "corrects": instrument.corrects_id,
    }


def _lock(organization_id: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s, %s)", [INSTRUMENT_LOCK, organization_id])


__all__ = [
    "InstrumentError",
    "MarketsError",
    "add_hours",
    "add_instruments",
    "described",
    "retire_instrument",
    "set_markets",
    "withdraw_instrument",
]
