"""Everything that follows from energy: the terms of electricity, upstream, water and resources of one use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from core.quantification.bounds import HalfWidths, half_widths
from core.quantification.draft import Draft
from core.quantification.factor import Factor
from core.quantification.market import HOURLY, Market, choose_market, market_based_kg_co2e
from core.quantification.operational import (
    Grid,
    choose_grid,
    choose_pue,
    facility_energy_kwh,
    it_of_facility_kwh,
    location_based_kg_co2e,
    loss_share,
    upstream_kg_co2e,
)
from core.quantification.overrides import override_factor
from core.quantification.series_grid import series_grid
from core.quantification.terms import UNIT, Product
from core.quantification.use import Context, Energy, EnergyTerm, Use
from core.quantification.water import choose_resources, choose_wue, grid_resources, grid_water_l, site_water_l


def grid_of(use: Use, context: Context) -> Grid:
    """Return the grid of a use: an override, which counts as a lifecycle factor; else the own series; else the published."""
    own = override_factor("grid_g_co2e_per_kwh", use.overrides)
    if own is None:
        return series_grid(use, context) or _published(use, context)
    fuel = replace(own, name="grid_upstream", value=0.0, low=0.0, high=0.0)
    zone = context.place.zones[0][0] if context.place.zones else None
    key = zone or f"{own.id}:{own.value!r}"
    return Grid(own, fuel, (own,), losses_inside=False, match="override", zone=key, notes=("upstream_in_location",))


def _published(use: Use, context: Context) -> Grid:
    return choose_grid(context.pack, context.place.zones, context.place.notes, use.year, context.method)


def add_electricity(use: Use, context: Context, energy: Energy, grid: Grid, draft: Draft) -> Market | None:
    """Add the terms of everything that follows from energy; return the market rate that was used."""
    method = context.method
    pue = override_factor("pue", use.overrides)
    if pue is None:
        pue, pue_notes = choose_pue(context.pack, context.place, use.hosting, use.provider, use.year, method)
        draft.note(*pue_notes)
    draft.note(*grid.notes)
    wue = override_factor("wue_l_per_kwh", use.overrides)
    if wue is None:
        wue = choose_wue(context.pack, context.place, use.hosting, use.provider, use.year, method)
    resources = _resources(use, context, grid)
    market = _market(use, context, grid)
    draft.note(*market.notes)
    losses = _losses(use, grid, draft)
    listed = energy.listed or tuple(factor for term in energy.terms for factor, _ in term.energy.inputs)
    draft.show(*(factor for factor in listed if not factor.name.endswith("_spread")))
    for term in energy.terms:
        it, facility = _both_sides(term, pue)
        if it is not None:
            draft.add("energy_it_kwh", term.measure, it, sign=term.sign)
        if facility is not None:
            draft.add("energy_facility_kwh", term.measure, facility, sign=term.sign)
            _per_facility_kwh(term, facility, grid, market, losses, resources, draft)
    if pue is not None:
        draft.show(pue)
    draft.show(*(factor for factor in (grid.location, grid.fuel, market.rate) if factor is not None))
    _site_water(use, energy, wue, draft)
    if "grid_water" not in resources:
        draft.note("no_grid_water_factor")
        draft.known.discard("water_l")
    draft.show(*resources.values())
    draft.note(*(f"no_{name}_factor" for name in ("primary_energy", "adpe") if name not in resources))
    _share_widths(energy, pue, grid, market, draft)
    return market


@dataclass(frozen=True)
class Supply:
    """
    What a kWh at a facility's meter weighs, apart from any record.

    Attributes:
        market: rate without instruments.
        kg_per_kwh: location and upstream, with their bounds; what is not known is left out.
    """

    market: Market
    kg_per_kwh: Mapping[str, tuple[float, float, float]]
    factors: tuple[Factor, ...]
    notes: tuple[str, ...]


def supply_of(use: Use, context: Context) -> Supply:
    """Weigh a metered kWh of a use by the factors that a record of it has."""
    draft = Draft()
    grid = grid_of(use, context)
    market = _market(use, context, grid)
    draft.note(*grid.notes, *market.notes)
    losses = _losses(use, grid, draft)
    metered = EnergyTerm("energy_pkwh", UNIT, at_facility=True)
    _per_facility_kwh(metered, UNIT, grid, replace(market, rate=None), losses, {}, draft)
    draft.show(*(factor for factor in (grid.location, grid.fuel, market.rate) if factor is not None))
    found: dict[str, tuple[float, float, float]] = {}
    for term in draft.terms:
        before = found.get(term.impact, (0.0, 0.0, 0.0))
        found[term.impact] = (before[0] + term.value, before[1] + term.low, before[2] + term.high)
    return Supply(market, found, tuple(draft.factors.values()), tuple(draft.notes))


def _both_sides(term: EnergyTerm, pue: Factor | None) -> tuple[Product | None, Product | None]:
    """Return IT and facility energy; a facility meter holds PUE already, so IT is what remains without it."""
    if term.at_facility:
        return None if pue is None else it_of_facility_kwh(term.energy, Product.of(pue)), term.energy
    return term.energy, None if pue is None else facility_energy_kwh(term.energy, Product.of(pue))


def _per_facility_kwh(
    term: EnergyTerm,
    facility: Product,
    grid: Grid,
    market: Market,
    losses: tuple[tuple[Factor, Factor], ...],
    resources: Mapping[str, Factor],
    draft: Draft,
) -> None:
    def add(impact: str, product: Product) -> None:
        draft.add(impact, term.measure, product, sign=term.sign)

    if grid.location is not None:
        add("location_kg_co2e", location_based_kg_co2e(facility, Product.of(grid.location)))
    if market.rate is not None:
        add("market_kg_co2e", market_based_kg_co2e(facility, Product.of(market.rate)))
    if grid.fuel is not None:
        add("upstream_kg_co2e", upstream_kg_co2e(facility, Product.of(grid.fuel)))
        for share, base in losses:
            lost = facility * Product.of(share)
            add("upstream_kg_co2e", upstream_kg_co2e(lost, Product.of(base)))
    if "grid_water" in resources:
        add("water_l", grid_water_l(facility, Product.of(resources["grid_water"])))
    for name, impact in (("primary_energy", "primary_energy_mj"), ("adpe", "adpe_kg_sbeq")):
        if name in resources:
            add(impact, grid_resources(facility, Product.of(resources[name])))


def _losses(use: Use, grid: Grid, draft: Draft) -> tuple[tuple[Factor, Factor], ...]:
    """Return pairs of (kWh lost per kWh, intensity of what is lost); none where losses are unknown or inside."""
    if grid.location is None or grid.losses_inside:
        return ()
    fraction = override_factor("grid_loss_fraction", use.overrides)
    if fraction is None:
        draft.note("no_loss_factor")
        return ()
    draft.show(fraction)
    share = replace(
        fraction,
        name="grid_losses",
        value=loss_share(fraction.value),
        low=loss_share(fraction.low),
        high=loss_share(fraction.high),
        unit="kWh lost/kWh",
    )
    return tuple((share, base) for base in grid.losses_base)


def _market(use: Use, context: Context, grid: Grid) -> Market:
    own = override_factor("market_g_co2e_per_kwh", use.overrides)
    if own is not None:
        return Market(f"{own.id}:{own.value!r}:{own.low!r}:{own.high!r}", own)
    place, year = context.place, use.year
    known = grid if grid.series is None else _published(use, context)
    chosen = choose_market(context.pack, place, use.hosting, use.provider, known, year, context.method)
    if grid.series is not None and grid.location is not None and "no_market_factor" in chosen.notes:
        key = f"{chosen.key}{HOURLY if grid.hourly else ':'}{grid.series}:{grid.location.value!r}"
        return replace(chosen, key=key, rate=replace(grid.location, name="grid_market"))
    if grid.match == "override" and "no_market_factor" in chosen.notes and chosen.rate is not None:
        rate = chosen.rate
        return replace(chosen, key=f"{chosen.key}:{rate.id}:{rate.value!r}:{rate.low!r}:{rate.high!r}")
    return chosen


def _resources(use: Use, context: Context, grid: Grid) -> dict[str, Factor]:
    published = grid if grid.series is None else _published(use, context)
    zone, match = published.zone, published.match
    if match == "override":
        place = context.place
        zone, match = place.zones[0] if place.zones else (None, "world")
    found = dict(choose_resources(context.pack, None if match == "world" else zone, match, context.method))
    own = override_factor("grid_water_l_per_kwh", use.overrides)
    if own is not None:
        found["grid_water"] = own
    return found


def _site_water(use: Use, energy: Energy, wue: Factor | None, draft: Draft) -> None:
    """Add on-site water: the record's own figure, else IT energy times WUE; null where neither is known."""
    if "water_l" in use.present:
        draft.note("site_water_reported")
        draft.add("water_l", "water_nl", UNIT)
    elif wue is None:
        draft.note("no_wue")
        draft.known.discard("water_l")
    else:
        draft.show(wue)
        for term in [term for term in draft.terms if term.impact == "energy_it_kwh"]:
            it = Product(term.inputs, term.constant)
            draft.add("water_l", term.measure, site_water_l(it, Product.of(wue)), sign=term.sign)


def _share_widths(energy: Energy, pue: Factor | None, grid: Grid, market: Market, draft: Draft) -> None:
    """Note the ln half-widths that all items of a zone share, impact by impact."""
    none: HalfWidths = (0.0, 0.0)
    at_facility = all(term.at_facility for term in energy.terms)
    site = none if pue is None or at_facility else half_widths(pue.value, pue.low, pue.high)

    def widths(factor: Factor | None) -> HalfWidths:
        return none if factor is None else half_widths(factor.value, factor.low, factor.high) if factor.value else none

    own = none if pue is None or not at_facility else half_widths(pue.value, pue.low, pue.high)
    draft.shared["energy_it_kwh"] = (*none, own[1], own[0])
    draft.shared["energy_facility_kwh"] = (*none, *site)
    draft.shared["location_kg_co2e"] = (*widths(grid.location), *site)
    draft.shared["market_kg_co2e"] = (*widths(market.rate), *site)
    draft.shared["upstream_kg_co2e"] = (*widths(grid.fuel), *site)
