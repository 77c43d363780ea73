"""
Register entries as lines of the *as disclosed* booking: scope 1, categories 2 and 5, and what a site's meter shows beyond
its records (methodology 4.4, 8.1). Amounts are integers, rounded per line, so that every sum of them is exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field, replace
from datetime import date
from typing import Final

from core.quantification import booking, units
from core.quantification.assets import disposed_kg_co2e, embodied_of, purchased_kg_co2e, treatments
from core.quantification.factor import Factor
from core.quantification.market import choose_market, market_based_kg_co2e
from core.quantification.market_coverage import UNCOVERED, Rates
from core.quantification.methods import Methodology
from core.quantification.operational import choose_grid, location_based_kg_co2e, upstream_kg_co2e
from core.quantification.pack import FactorPack
from core.quantification.resolve import catalog_of
from core.quantification.scope import OF_TWO_BASES, Scopes, booked_scope
from core.quantification.scope1 import FUEL_UNITS, fuel_kg_co2e, fuels, gases, refrigerant_kg_co2e
from core.quantification.site_metrics import unallocated_pkwh

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
class MeteredMonth:
    """
    A site's month with a facility meter.

    Args:
        metered_pkwh: what the meter shows. [1e-12 kWh]
        self_generated_pkwh: of it, generated on the site itself. [1e-12 kWh]
        records_pkwh: facility energy of the site's records. [1e-12 kWh]
        entries: the register entries behind it.
    """

    site: str
    zone: str
    month: date
    metered_pkwh: int
    self_generated_pkwh: int
    records_pkwh: int
    entries: tuple[int, ...] = ()


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


_OWN_ELECTRICITY: Final = Scopes("2", "3.3", "3.2")
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


def lines_of_meters(
    months: Sequence[MeteredMonth],
    pack: FactorPack,
    method: Methodology,
    rates: Rates,
) -> list[Line]:
    """
    Weigh what meters show beyond the records, and take back what the site generates itself.

    A month whose records exceed the meter has negative amounts: flagged, never clipped. On-site generation that burns
    nothing emits nothing in operation; where it burns, its fuel is scope 1 and its kWh are not purchased as well.

    Args:
        rates: of the view; others are chosen here.
    """
    found: list[Line] = []
    for month in months:
        beyond = unallocated_pkwh(month.metered_pkwh, month.records_pkwh)
        for step, pkwh, label in (
            (booking.UNALLOCATED, beyond, "metered, and in no record"),
            (booking.SELF_GENERATED, -month.self_generated_pkwh, "generated on site and used"),
        ):
            if pkwh:
                found.append(_electricity(month, step, pkwh, label, pack, method, rates))
    return found


def _electricity(
    month: MeteredMonth,
    step: str,
    pkwh: int,
    label: str,
    pack: FactorPack,
    method: Methodology,
    rates: Rates,
) -> Line:
    place = catalog_of(pack).place(hosting="owned", provider=None, region=None, zone=month.zone)
    year = month.month.year
    grid = choose_grid(pack, place.zones, place.notes, year, method)
    market = choose_market(pack, place, "owned", None, grid, year, method)
    kwh = pkwh / units.PER_KWH
    amounts: dict[str, Amount] = {"energy_facility_kwh": (pkwh, pkwh, pkwh)}
    factors = [factor for factor in (grid.location, grid.fuel) if factor is not None]
    if grid.location is not None:
        amounts["location_kg_co2e"] = _weighed(grid.location, lambda each: location_based_kg_co2e(kwh, each))
    if grid.fuel is not None:
        amounts["upstream_kg_co2e"] = _weighed(grid.fuel, lambda each: upstream_kg_co2e(kwh, each))
    rate = rates.of(market.key, UNCOVERED, year)
    if rate is None and market.rate is not None:
        rate = (market.rate.value, market.rate.low, market.rate.high)
    if rate is not None:
        amounts["market_kg_co2e"] = _sorted(tuple(_nkg(market_based_kg_co2e(kwh, each)) for each in rate))
    exceeds = ("records_exceed_meter",) if step == booking.UNALLOCATED and pkwh < 0 else ()
    notes = tuple(dict.fromkeys([*grid.notes, *market.notes, *exceeds]))
    return Line(
        step,
        month.site,
        month.month,
        _OWN_ELECTRICITY,
        amounts,
        tuple(factors),
        notes,
        label,
        month.entries,
        zone=month.zone,
    )


def _weighed(factor: Factor, formula: Callable[[float], float]) -> Amount:
    return _sorted(tuple(_nkg(formula(each)) for each in (factor.value, factor.low, factor.high)))


def _sorted(amount: tuple[int, ...]) -> Amount:
    """Put the bounds of a negative amount in their order."""
    value, *bounds = amount
    return value, min(bounds), max(bounds)


def _nkg(kg: float) -> int:
    return round(kg * units.PER_KG)


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
