"""What the meters of a site show beyond its records, as lines of the *as disclosed* booking (methodology 4.4, 8.1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from core.quantification import booking, units
from core.quantification.electricity import Supply, supply_of
from core.quantification.market import follows_hours, market_based_kg_co2e
from core.quantification.market_coverage import UNCOVERED, Interval, Rates
from core.quantification.methods import Methodology
from core.quantification.overrides import Given
from core.quantification.pack import FactorPack
from core.quantification.register_lines import Amount, Line
from core.quantification.scope import Scopes
from core.quantification.site_metrics import unallocated_pkwh
from core.quantification.use import Context, Use

_OWN_ELECTRICITY: Final = Scopes("2", "3.3", "3.2")


@dataclass(frozen=True)
class Drawn:
    """
    Own electricity that weighs the same, market-based.

    Args:
        key: of the rate without instruments.
        pool: that it belongs to.
        pkwh: at the facility. [1e-12 kWh]
        location_nkg: [1e-9 kg CO2e]
    """

    key: str
    pool: str
    pkwh: int
    location_nkg: int


@dataclass(frozen=True)
class MeteredMonth:
    """
    A site's month with a facility meter.

    Args:
        hosting: of the site's hardware.
        metered_pkwh: what the meter shows. [1e-12 kWh]
        self_generated_pkwh: of it, generated on the site itself. [1e-12 kWh]
        records_pkwh: facility energy of the site's records. [1e-12 kWh]
        entries: the register entries behind it.
        given: the organization's own factors that hold for the site, as a record of it on the first day would have them.
        recorded: the electricity of its records that has a market rate.
        pool: of what no record covers.
    """

    site: str
    zone: str
    month: date
    metered_pkwh: int
    self_generated_pkwh: int
    records_pkwh: int
    entries: tuple[int, ...] = ()
    hosting: str = "owned"
    given: Given = ()
    recorded: tuple[Drawn, ...] = ()
    pool: str = UNCOVERED

    @property
    def beyond_pkwh(self) -> int:
        """Return what no record covers; negative where records exceed the meter. [1e-12 kWh]"""
        return unallocated_pkwh(self.metered_pkwh, self.records_pkwh)


def lines_of_meters(months: Sequence[MeteredMonth], pack: FactorPack, method: Methodology, rates: Rates) -> list[Line]:
    """
    Weigh what meters show beyond the records, and take back what the site generates itself.

    A month whose records exceed the meter has negative amounts: flagged, never clipped. On-site generation that burns
    nothing emits nothing in operation; where it burns, its fuel is scope 1 and its kWh are not purchased as well.

    Args:
        rates: of the view; others are chosen here.
    """
    found: list[Line] = []
    for month in months:
        supply = supply_of_month(month, pack, method)
        for step, pkwh, label in (
            (booking.UNALLOCATED, month.beyond_pkwh, "metered, and in no record"),
            (booking.SELF_GENERATED, -month.self_generated_pkwh, "generated on site and used"),
        ):
            if pkwh:
                found.append(_line(month, step, pkwh, label, supply, _rate(month, pkwh, supply, rates)))
    return found


def supply_of_month(month: MeteredMonth, pack: FactorPack, method: Methodology) -> Supply:
    """Weigh a kWh of a site by the factors of a record that its facility meter would make."""
    use = Use(
        stage=None,
        hosting=month.hosting,
        provider=None,
        region=None,
        zone=month.zone,
        model=None,
        hardware=None,
        instance_type=None,
        evidence="measured",
        energy_boundary="facility",
        reported_basis=None,
        techniques=(),
        present=frozenset({"energy_kwh"}),
        year=month.month.year,
        given=month.given,
    )
    return supply_of(use, Context.of(use, pack, method))


def drawn(month: MeteredMonth, supply: Supply) -> tuple[Drawn, ...]:
    """List what a site used in a month, whoever generated it: its records, and what the meter shows beyond them."""
    beyond = month.beyond_pkwh
    if beyond <= 0:
        return month.recorded
    kg_per_kwh, *_ = supply.kg_per_kwh.get("location_kg_co2e", (0.0,))
    location_nkg = round(kg_per_kwh * beyond / units.PER_KWH * units.PER_KG)
    return (*month.recorded, Drawn(supply.market.key, month.pool, beyond, location_nkg))


def purchased(month: MeteredMonth, supply: Supply) -> tuple[Drawn, ...]:
    """
    List what a site purchased in a month: what it used less what it generated and what its meter does not show, pro rata.

    Never below 0. With the lines of `lines_of_meters` the market-based figure is that of exactly these kWh.

    Source: GHG Protocol Scope 2 Guidance (2015): instruments are for purchased electricity, all that a site consumes of it.
    """
    used = drawn(month, supply)
    whole = sum(each.pkwh for each in used)
    if whole <= 0:
        return ()
    bought = max(0, whole - month.self_generated_pkwh - max(0, -month.beyond_pkwh))
    return tuple(
        replace(each, pkwh=each.pkwh * bought // whole, location_nkg=each.location_nkg * bought // whole)
        for each in used
    )


def _kg_per_kwh(month: MeteredMonth, pkwh: int, supply: Supply) -> Mapping[str, Interval]:
    """Weigh what is taken back, location-based, as all that the site used, which holds it: hours may have their own factors."""
    used, location = drawn(month, supply), supply.kg_per_kwh.get("location_kg_co2e")
    whole = sum(each.pkwh for each in used)
    if pkwh > 0 or whole <= 0 or location is None or not location[0]:
        return supply.kg_per_kwh
    mean = sum(each.location_nkg for each in used) / units.PER_KG / (whole / units.PER_KWH)
    value, low, high = (side * (mean / location[0]) for side in location)
    return {**supply.kg_per_kwh, "location_kg_co2e": (value, low, high)}


def _rate(month: MeteredMonth, pkwh: int, supply: Supply, rates: Rates) -> Interval | None:
    """Choose the rate of a line: what is taken back takes that of all that the site used, which holds it."""
    year, own = month.month.year, supply.market.rate
    without = None if own is None else (own.value, own.low, own.high)
    rate = rates.of(supply.market.key, month.pool, year) or without
    if pkwh > 0:
        return rate
    weighed = []
    for each in drawn(month, supply):
        known = rates.of(each.key, each.pool, year) or (without if each.key == supply.market.key else None)
        if known is not None and follows_hours(each.key) and not rates.cover(each.key, each.pool, year):
            known = _of_hours(each, known)
        if known is not None:
            weighed.append((each.pkwh, known))
    whole = sum(amount for amount, _ in weighed)
    if whole <= 0:
        return rate
    value, low, high = (sum(amount * known[side] for amount, known in weighed) / whole for side in range(3))
    return value, low, high


def _of_hours(used: Drawn, mean: Interval) -> Interval:
    """Give a rate that follows the grid hour by hour the mean of the hours in which the electricity was used."""
    if used.pkwh <= 0 or not mean[0]:
        return mean
    g_per_kwh = used.location_nkg / units.PER_KG * units.G_PER_KG / (used.pkwh / units.PER_KWH)
    value, low, high = (side * (g_per_kwh / mean[0]) for side in mean)
    return value, low, high


def _line(month: MeteredMonth, step: str, pkwh: int, label: str, supply: Supply, rate: Interval | None) -> Line:
    kwh = pkwh / units.PER_KWH
    amounts: dict[str, Amount] = {"energy_facility_kwh": (pkwh, pkwh, pkwh)}
    for impact, sides in _kg_per_kwh(month, pkwh, supply).items():
        amounts[impact] = _amount([kwh * side for side in sides])
    if rate is not None:
        amounts["market_kg_co2e"] = _amount([market_based_kg_co2e(kwh, side) for side in rate])
    exceeds: tuple[str, ...] = ()
    if step == booking.UNALLOCATED and pkwh < 0:
        exceeds = ("records_exceed_meter",)
    elif step == booking.SELF_GENERATED and month.self_generated_pkwh > month.metered_pkwh:
        exceeds = ("generated_exceeds_meter",)
    return Line(
        step=step,
        site=month.site,
        day=month.month,
        scopes=_OWN_ELECTRICITY,
        amounts=amounts,
        factors=supply.factors,
        notes=(*supply.notes, *exceeds),
        label=label,
        entries=month.entries,
        zone=month.zone,
    )


def _amount(kg: Sequence[float]) -> Amount:
    """Round to whole 1e-9 kg; the bounds of a negative amount change places."""
    value, *bounds = (round(side * units.PER_KG) for side in kg)
    return value, min(bounds), max(bounds)
