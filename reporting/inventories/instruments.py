"""Contractual instruments in the words of an inventory: what each covered of a period's own electricity."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from core.accounting.figures import Period
from core.accounting.models import View
from core.accounting.selectors.market import consumed_between, countries_known, pool_rates
from core.factors.instrument_selectors import Held, held_instruments
from core.organizations.models import Organization
from reporting.disclosures.csv_tables import decimal_text
from reporting.inventories.factors import text

TYPE: Final = {"certificate": "eac_unbundled", "contract": "ppa", "supplier_rate": "supplier_tariff"}
KWH_PER_MWH: Final = 1000
PLACES: Final = Decimal("0.000001")
"""To a watt-hour."""


@dataclass(frozen=True)
class UsedInstruments:
    """
    What an inventory says of them.

    Args:
        instruments, factors: entries of ``inventory.schema.json``.
        mwh: that they cover. [MWh]
    """

    instruments: list[dict[str, Any]]
    factors: list[dict[str, Any]]
    mwh: Decimal

    def percent_of(self, purchased_mwh: Decimal) -> Decimal | None:
        """Return the share of an inventory's purchased electricity that they cover; None where there is none of both."""
        if not self.instruments or purchased_mwh <= 0:
            return None
        return (100 * self.mwh / purchased_mwh).quantize(PLACES)


def used_instruments(organization: Organization, view: View, period: Period) -> UsedInstruments:
    """
    List the instruments that are in the market-based figures of a period of whole months.

    A year's rate holds for each of its days, so a quarter has the year's shares of its own consumption.
    """
    held = {each.facts.id: each for each in held_instruments(organization.id, countries_known(organization.id))}
    rates = pool_rates(organization.id, view.id).factors
    kwh: dict[int, float] = {}
    for year, consumed in consumed_between(organization.id, view, period.from_day, period.to_day, list(held.values())):
        for part in rates.get((consumed.key, consumed.pool, year), {}).get("instruments", ()):
            kwh[part["id"]] = kwh.get(part["id"], 0.0) + part["share"] * consumed.kwh
    used = {number: amount for number, amount in sorted(kwh.items()) if amount > 0.0 and number in held}
    return UsedInstruments(
        instruments=[entry(held[number], amount, organization) for number, amount in used.items()],
        factors=[factor(held[number]) for number in used],
        mwh=Decimal(repr(math.fsum(used.values()) / KWH_PER_MWH)),
    )


def entry(held: Held, kwh: float, organization: Organization) -> dict[str, Any]:
    """Write an instrument with the MWh that it covered."""
    facts, retired = held.facts, held.retired
    about: dict[str, Any] = {
        "id": f"instrument:{facts.id}",
        "type": TYPE[facts.type],
        "mwh": decimal_text(Decimal(repr(kwh / KWH_PER_MWH)).quantize(PLACES)),
        "matched_hourly_mwh": None,
        "market": held.market or facts.market,
        "vintage_start": facts.vintage_start.isoformat(),
        "vintage_end": (facts.vintage_end - timedelta(days=1)).isoformat(),
        "retired_on": retired.retired_on.isoformat() if retired and retired.retired_on else None,
        "beneficiary": organization.name,
        # g/kWh is kg/MWh
        "emission_factor_kg_per_mwh": text(facts.intensity_g_per_kwh),
        # Only what fits its market and year covers anything, and a serial number is claimed once.
        "quality": {
            "attributes_conveyed": True,
            "sole_claim": True,
            "retired": retired is not None or facts.type != "certificate",
            "vintage_ok": True,
            "same_market": True,
        },
    }
    if retired is not None:
        serials = dict.fromkeys((retired.serial_first, retired.serial_last))
        about |= {"registry": retired.registry, "certificate_ids": " – ".join(serials)}
    return about | ({"technology": facts.technology} if facts.technology else {})


def factor(held: Held) -> dict[str, Any]:
    """Write the intensity that an instrument conveys as a factor."""
    facts = held.facts
    registry = held.retired.registry if held.retired else ""
    return {
        "id": f"instrument:{facts.id}",
        "kind": "supplier" if facts.type == "supplier_rate" else "instrument",
        "value": text(facts.intensity_g_per_kwh),
        "unit": "g CO2e/kWh",
        "source": {
            "title": facts.document or facts.kind,
            "publisher": registry or facts.reference or facts.kind,
        },
        "version": str(facts.vintage_start.year),
        "valid_from": facts.vintage_start.isoformat(),
        "valid_to": (facts.vintage_end - timedelta(days=1)).isoformat(),
    }
