"""Seats of bought assistants, and spend: the last resorts, by factors that an organization brings (methodology 2.6, 2.6a)."""

from __future__ import annotations

from core.quantification.factor import Factor, spread
from core.quantification.methods import Methodology
from core.quantification.overrides import override_factor
from core.quantification.terms import UNIT, Product, Quantity
from core.quantification.use import Context, Energy, EnergyTerm, Refusal, Use


def seats_energy_kwh(seat_months: Quantity, kwh_per_seat_month: Quantity) -> Quantity:
    """
    Return the IT energy of seats whose use is not known.

    Args:
        seat_months: seats times months held. [seat-month]
        kwh_per_seat_month: a published figure per prompt times stated prompts, or the vendor's own. [kWh/seat-month]

    Source: methodology 2.6a.

    >>> seats_energy_kwh(120.0, 0.25)
    30.0
    """
    return seat_months * kwh_per_seat_month


def seats_kg_co2e(seat_months: Quantity, kg_co2e_per_seat_month: Quantity) -> Quantity:
    """
    Return the emissions of seats by the vendor's own figure for one.

    Args:
        seat_months: seats times months held. [seat-month]
        kg_co2e_per_seat_month: as published for that product. [kg CO2e/seat-month]

    Source: methodology 2.6a.

    >>> seats_kg_co2e(120.0, 0.5)
    60.0
    """
    return seat_months * kg_co2e_per_seat_month


def spend_kg_co2e(spend: Quantity, kg_co2e_per_unit: Quantity) -> Quantity:
    """
    Return what a sum of money stands for in an environmentally extended input-output model, cradle to gate.

    Args:
        spend: in the factor's own currency, without taxes, credits and refunds.
        kg_co2e_per_unit: of that currency, at the prices of the spend's year. [kg CO2e/unit]

    Source: GHG Protocol Scope 3 Standard (2011), spend-based method; methodology 2.6.

    >>> spend_kg_co2e(2000.0, 0.15)
    300.0
    """
    return spend * kg_co2e_per_unit


def seats(use: Use, context: Context) -> Energy | Refusal:
    """Turn seat-months into energy where the organization brings a factor in kWh."""
    factor = override_factor("seat_it_kwh", use.overrides)
    if factor is None:
        return Refusal("no_seat_factor")
    energy = seats_energy_kwh(UNIT, wide(factor, "seats", context.method))
    return Energy("seats", (EnergyTerm("nano_seat_months", energy),), 5, use.model or use.provider or "", (factor,))


def wide(factor: Factor, kind: str, method: Methodology) -> Product:
    """Give a factor without an interval of its own the spread of its method; one that has an interval keeps it."""
    if factor.low < factor.high:
        return Product.of(factor)
    return Product.of(factor, spread(f"{kind}_spread", method.gsd[kind], method.source))
