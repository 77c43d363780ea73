"""
Register entries as lines of the *as disclosed* booking: scope 1, categories 2 and 5 (methodology 4.4, 8.1). Amounts are
integers, rounded per line, so that every sum of them is exact. What meters show is in `core.quantification.metered`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import date
from typing import Final

from core.quantification import booking, units
from core.quantification.assets import disposed_kg_co2e, embodied_of, purchased_kg_co2e, treatments
from core.quantification.factor import Factor
from core.quantification.methods import Methodology
from core.quantification.pack import FactorPack
from core.quantification.scope import OF_TWO_BASES, Scopes, booked_scope
from core.quantification.scope1 import FUEL_UNITS, fuel_kg_co2e, fuels, gases, refrigerant_kg_co2e

Amount = tuple[int, int, int]
"""Value, low, high; 1e-9 kg CO2e, of energy 1e-12 kWh."""


@dataclass(frozen=True)
class Fact:
    """A register entry in plain numbers: ``values`` by the columns that its kind fills."""

    id: int
    site: str
    kind: str
    day: date
    values: Mapping[str, float | str]


@dataclass(frozen=True)
class Line:
    """
    One line of the disclosed booking.

    Attributes:
        step: the step of the bridge it belongs to, of `booking.STEPS`.
        scope: of its amounts; of its upstream where it is electricity.
        amounts: impact (``location_kg_co2e``, ``energy_facility_kwh``, ...) to amount; absent is not known.
        factors: that it was weighed with.
        notes: codes of `notes.TEXTS`: why something is not known.
        label: what it is, in a few words.
        entries: ids of the register entries behind it.
        mass_kg: retired; None for other lines.
    """

    step: str
    site: str
    day: date
    scopes: Scopes
    amounts: Mapping[str, Amount]
    factors: tuple[Factor, ...] = ()
    notes: tuple[str, ...] = ()
    label: str = ""
    entries: tuple[int, ...] = ()
    mass_kg: float | None = None
    zone: str | None = None
    detail: Mapping[str, str | float] = field(default_factory=dict)

    def nkg(self, basis: str = "location") -> int:
        """Return what the line adds to the total of a basis, which tells scope 2 apart and nothing else. [1e-9 kg CO2e]"""
        electricity = f"{basis if self.scopes.energy == OF_TWO_BASES else 'location'}_kg_co2e"
        counted = (electricity, "upstream_kg_co2e", "embodied_kg_co2e")
        return sum(self.amounts[name][0] for name in counted if name in self.amounts)


_DIRECT: Final = Scopes("1", "1", "1")
_BOUGHT: Final = Scopes("3.2", "3.2", "3.2")
_RETIRED: Final = Scopes("3.5", "3.5", "3.5")


def lines_of_entries(facts: Sequence[Fact], pack: FactorPack, method: Methodology) -> list[Line]:
    """
    Weigh fuel, refrigerants, purchases and retirements; other kinds feed factors and are left out.

    A name that the tables do not know has no amount, and a note: nothing is guessed.
    """
    rules = {"fuel": _fuel, "refrigerant": _refrigerant, "purchase": _purchase, "retirement": _retirement}
    return [rules[fact.kind](fact, pack, method) for fact in facts if fact.kind in rules]


def _fuel(fact: Fact, pack: FactorPack, method: Methodology) -> Line:
    column = next(name for name in FUEL_UNITS if name in fact.values)
    quantity, unit = float(fact.values[column]), FUEL_UNITS[column]
    fuel = fuels(pack).get((str(fact.values["fuel"]), unit))
    label = f"{quantity:g} {unit} of {fact.values['fuel']}"
    if fuel is None:
        return _unknown(fact, booking.FUEL, _DIRECT, label, "no_fuel_factor")
    amounts = _direct(_weighed(fuel.factor, lambda each: fuel_kg_co2e(quantity, each)))
    return _line(fact, booking.FUEL, _DIRECT, label, amounts, (fuel.factor,), detail={"carrier": fuel.carrier})


def _refrigerant(fact: Fact, pack: FactorPack, method: Methodology) -> Line:
    kg, name = float(fact.values["gas_kg"]), str(fact.values["gas"])
    gas = gases(pack).get(name.upper())
    label = f"{kg:g} kg of {name}"
    if gas is None:
        return _unknown(fact, booking.REFRIGERANT, _DIRECT, label, "no_gwp")
    amounts = _direct(_weighed(gas.factor, lambda each: refrigerant_kg_co2e(kg, each)))
    return _line(fact, booking.REFRIGERANT, _DIRECT, label, amounts, (gas.factor,))


def _purchase(fact: Fact, pack: FactorPack, method: Methodology) -> Line:
    count, hardware = int(fact.values["count"]), str(fact.values["hardware"])
    factors, notes = embodied_of(hardware, pack, method)
    label = f"{count} {hardware}"
    if not factors:
        return _unknown(fact, booking.PURCHASES, _BOUGHT, label, *notes)
    parts = [_weighed(factor, lambda each: purchased_kg_co2e(count, each)) for factor in factors]
    total: Amount = tuple(sum(part[side] for part in parts) for side in range(3))  # type: ignore[assignment]
    return _line(fact, booking.PURCHASES, _BOUGHT, label, {"embodied_kg_co2e": total}, factors, notes)


def _retirement(fact: Fact, pack: FactorPack, method: Methodology) -> Line:
    mass_kg, treatment = float(fact.values["mass_kg"]), str(fact.values["treatment"])
    factor = treatments(pack).get(treatment)
    label = f"{fact.values['count']} {fact.values['hardware']}, {mass_kg:g} kg, {treatment}"
    if factor is None:
        return _unknown(fact, booking.DISPOSAL, _RETIRED, label, "no_treatment_factor", mass_kg=mass_kg)
    amount = _weighed(factor, lambda each: disposed_kg_co2e(mass_kg, each))
    return _line(fact, booking.DISPOSAL, _RETIRED, label, {"embodied_kg_co2e": amount}, (factor,), mass_kg=mass_kg)


def rebooked(line: Line) -> Line:
    """Book a line of a site that the organization does not control where it belongs; no amount changes."""
    scopes = (booked_scope(scope, controlled=False) or scope for scope in astuple(line.scopes))
    return replace(line, scopes=Scopes(*scopes))


def _weighed(factor: Factor, formula: Callable[[float], float]) -> Amount:
    value, low, high = (round(formula(each) * units.PER_KG) for each in (factor.value, factor.low, factor.high))
    return value, low, high


def _direct(amount: Amount) -> dict[str, Amount]:
    """Book what the site itself emits: it is the same on both bases of electricity."""
    return {"location_kg_co2e": amount, "market_kg_co2e": amount}


def _line(
    fact: Fact,
    step: str,
    scopes: Scopes,
    label: str,
    amounts: Mapping[str, Amount],
    factors: tuple[Factor, ...],
    notes: tuple[str, ...] = (),
    *,
    mass_kg: float | None = None,
    detail: Mapping[str, str | float] | None = None,
) -> Line:
    return Line(
        step, fact.site, fact.day, scopes, amounts, factors, notes, label, (fact.id,), mass_kg, detail=detail or {}
    )


def _unknown(fact: Fact, step: str, scopes: Scopes, label: str, *notes: str, mass_kg: float | None = None) -> Line:
    return _line(fact, step, scopes, label, {}, (), notes, mass_kg=mass_kg)
