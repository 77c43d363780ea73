"""Reads of contractual instruments, inside the organization's scope."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
import numpy.typing as npt

from core.factors.models import ContractualInstrument, InstrumentEvent, InstrumentEventKind, InstrumentHours
from core.organizations.models import Organization
from core.quantification import units
from core.quantification.electricity_markets import Markets, own_markets
from core.quantification.instruments import Instrument
from core.quantification.market_coverage import WHOLE_MARKET, Assigned

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Held:
    """
    An instrument with what happened to it.

    Args:
        market: that its place lies in; None where the organization's markets no longer have it.
    """

    facts: ContractualInstrument
    market: str | None
    retired: InstrumentEvent | None
    withdrawn: InstrumentEvent | None
    corrected_by: int | None
    has_hours: bool

    @property
    def assigned(self) -> Assigned:
        """Return it as the arithmetic takes it. A contract or supplier's rate needs no retirement."""
        facts = self.facts
        return Assigned(
            Instrument(
                id=str(facts.id).zfill(12),
                type=facts.type,
                kwh=float(facts.energy_kwh),
                intensity_kg_per_kwh=facts.intensity_g_per_kwh / units.G_PER_KG,
                market=self.market or f"unknown:{facts.market}",
                vintage_year=facts.vintage_start.year,
                retired=self.retired is not None or facts.type != "certificate",
            ),
            facts.pool or WHOLE_MARKET,
        )


def instrument_of(organization_id: int, instrument_id: int) -> ContractualInstrument | None:
    """Find an instrument by its id."""
    return ContractualInstrument.objects.filter(organization_id=organization_id, id=instrument_id).first()


def held_instruments(
    organization_id: int, countries: dict[str, str], *, withdrawn: bool = False, markets: Markets | None = None
) -> list[Held]:
    """
    List instruments, oldest first.

    Args:
        countries: every known zone to its country.
        withdrawn: those that are withdrawn too.
        markets: the organization's, where they were read already.
    """
    events: dict[int, dict[str, InstrumentEvent]] = {}
    for event in InstrumentEvent.objects.filter(organization_id=organization_id):
        events.setdefault(event.instrument_id, {})[event.kind] = event
    hours = set(InstrumentHours.objects.filter(organization_id=organization_id).values_list("instrument_id", flat=True))
    rows = list(ContractualInstrument.objects.filter(organization_id=organization_id).order_by("id"))
    corrections = {row.corrects_id: row.id for row in rows if row.corrects_id is not None}
    own = markets or markets_of(organization_id)
    found = [
        Held(
            facts=row,
            market=own.named(row.market, countries),
            retired=events.get(row.id, {}).get(InstrumentEventKind.RETIRED),
            withdrawn=events.get(row.id, {}).get(InstrumentEventKind.WITHDRAWN),
            corrected_by=corrections.get(row.id),
            has_hours=row.id in hours,
        )
        for row in rows
    ]
    return [held for held in found if withdrawn or held.withdrawn is None]


def has_instruments(organization_id: int) -> bool:
    """Tell whether anything was ever entered: without it there is nothing to cover."""
    return ContractualInstrument.objects.filter(organization_id=organization_id).exists()


def live_parts(organization_id: int, reference: str, year: int) -> list[ContractualInstrument]:
    """List what is entered of a contract or delivery for the vintage of a year and was not withdrawn."""
    withdrawn = InstrumentEvent.objects.filter(organization_id=organization_id, kind=InstrumentEventKind.WITHDRAWN)
    return list(
        ContractualInstrument.objects.filter(
            organization_id=organization_id, reference__iexact=reference, vintage_start__year=year
        ).exclude(id__in=withdrawn.values("instrument_id"))
    )


def markets_of(organization_id: int) -> Markets:
    """Return an organization's markets: its own, then the defaults."""
    settings = Organization.objects.only("settings").get(id=organization_id).settings
    return own_markets(settings.get("electricity_markets", {}))


def volumes_by_hour(organization_id: int, instrument_id: int, starts_at: datetime, count: int) -> Floats:
    """Read an instrument's volumes of `count` hours from an instant on; an hour that is not known is 0, so unmatched. [kWh]"""
    hours = InstrumentHours.objects.filter(organization_id=organization_id, instrument_id=instrument_id).first()
    found = np.zeros(count)
    if hours is None:
        return found
    offset = round((starts_at - hours.starts_at).total_seconds() / units.S_PER_H)
    given = np.array([0.0 if each is None else each for each in hours.energy_kwh])
    first, last = max(offset, 0), min(offset + count, len(given))
    if first < last:
        found[first - offset : last - offset] = given[first:last]
    return found


def vintage_years(organization_id: int) -> list[int]:
    """List the years of generation of all instruments."""
    starts: list[date] = list(
        ContractualInstrument.objects.filter(organization_id=organization_id).values_list("vintage_start", flat=True)
    )
    return sorted({start.year for start in starts})
