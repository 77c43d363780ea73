"""A plan: how one distinct use becomes impacts, as linear coefficients with their factors, notes and formulas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from core.quantification.draft import Draft, Shared, coefficients_of, summed
from core.quantification.electricity import add_electricity, grid_of
from core.quantification.embodied import Embodied, Share, embodied
from core.quantification.energy.device import device
from core.quantification.energy.flops import flops
from core.quantification.energy.instance import instance
from core.quantification.energy.measured import measured
from core.quantification.energy.seats import seats, seats_kg_co2e, spend_kg_co2e, wide
from core.quantification.energy.tokens import tokens
from core.quantification.factor import Factor, spread
from core.quantification.market import Market, follows_hours
from core.quantification.methods import Methodology
from core.quantification.operational import Grid
from core.quantification.overrides import Override, override_factor
from core.quantification.pack import FactorPack
from core.quantification.sampling import SHARE, UNREADABLE, sampling_variance, scale_factor
from core.quantification.saving import ENERGY_SCALE, scaled_energy
from core.quantification.saving import scale_factor as saving_factor
from core.quantification.scope import scopes_of
from core.quantification.terms import IMPACTS, UNIT, Product, Term, make_term
from core.quantification.use import Context, Energy, Refusal, Use

_METHODS: Final[dict[str, tuple[tuple[str, ...], Callable[[Use, Context], Energy | Refusal]]]] = {
    "measured": (("energy_kwh",), measured),
    "device": (("device_hours",), device),
    "instance": (("instance_hours",), instance),
    "tokens": (("output_tokens", "input_tokens"), tokens),
    "flops": (("flops",), flops),
}
"""Physical methods, best first: the measures of which one must be there, and the rule."""

PHYSICAL: Final = frozenset(measure for measures, _ in _METHODS.values() for measure in measures)
"""Measures of use: where one of them is there, neither money nor a supplier's own figure counts."""

_FLAT: Final = (
    ("seat_months", "seats", "nano_seat_months", "seat_kg_co2e", "no_seat_factor", seats_kg_co2e),
    ("cost", "spend", "nano_cost", "spend_kg_co2e", "no_spend_factor", spend_kg_co2e),
)
"""Methods that go straight to kg, best first: measure, method, integers, the factor they need, its absence, formula."""


@dataclass(frozen=True, eq=False)
class Plan:
    """
    Hold how one use is quantified.

    Attributes:
        use: the combination that the plan is for.
        method: ``measured``, ``device``, ``instance``, ``tokens``, ``flops``, ``seats``, ``spend``, ``reported``, or
            None where no measure can be used.
        data_quality: score 1 (best) to 5; None without a method.
        scope: of the location- and market-based figure, such as ``3.1``; ``scope_upstream``, ``scope_embodied``: of
            those columns.
        factors: entries of contracts.md section 5, plain values that JSON takes.
        notes: codes of `notes.TEXTS`, in the order in which they came up, each once.
        resolved: ``model``, ``hardware``, ``instance_type``, ``region``, ``zone`` by the catalog's names, None: unknown.
        market_key: with the year it names the market rate; None where the market figure is not energy times a rate
            (the supplier's own report) or is not known.
        market_rate: that rate. [g CO2e/kWh]
        group: method and family: items of one group in one zone share their method error (methodology 9.4).
        zone_group: the zone whose grid error items share; ``world`` for all that matched the world average.
        shared: impact to (grid below, grid above, PUE below, PUE above), the ln half-widths that a zone shares.
        coefficients: measure column to 27 coefficients per stored integer, in the order of ``quantify.COLUMNS``.
        base: 0 for each column that has a value, NaN for nulls.
        formulas: writes the terms; an organization has thousands of plans, and few are ever explained.
        hourly: id of the grid factor that is the mean of hourly ones; None where no factor differs by the hour.
        hourly_coefficients: the part of the coefficients that this factor is in.
        sampled_variance: relative variance of a total that is estimated from one kept record; 0 where nothing was sampled.
    """

    use: Use
    method: str | None
    data_quality: int | None
    scope: str
    scope_upstream: str
    scope_embodied: str
    factors: tuple[dict[str, object], ...]
    notes: tuple[str, ...]
    resolved: Mapping[str, str | None]
    market_key: str | None
    market_rate: Factor | None
    group: str
    zone_group: str
    shared: Shared
    coefficients: Mapping[str, npt.NDArray[np.float64]] = field(repr=False)
    base: npt.NDArray[np.float64] = field(repr=False)
    formulas: Callable[[], tuple[Term, ...]] = field(repr=False)
    hourly: str | None = None
    hourly_coefficients: Mapping[str, npt.NDArray[np.float64]] = field(default_factory=dict, repr=False)
    sampled_variance: float = 0.0

    @property
    def market_by_hour(self) -> bool:
        """Tell whether the market figure follows the grid hour by hour, since no market factor is known."""
        return self.hourly is not None and follows_hours(self.market_key)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        """Return the formulas: measures times their values add up to the impacts."""
        return self.formulas()

    @property
    def nulls(self) -> tuple[str, ...]:
        """Return the impacts that are null."""
        return tuple(impact for position, impact in enumerate(IMPACTS) if np.isnan(self.base[3 * position]))


@lru_cache(maxsize=8_192)
def make_plan(pack: FactorPack, method: Methodology, use: Use) -> Plan:
    """Choose method and factors for one use and multiply its coefficients out. Remembered: a use is planned once."""
    return _planned(pack, method, use)[0]


def _formulas(pack: FactorPack, method: Methodology, use: Use) -> tuple[Term, ...]:
    return tuple(_planned(pack, method, use)[1])


def _planned(pack: FactorPack, method: Methodology, use: Use) -> tuple[Plan, list[Term]]:
    """Make a plan; the terms that its coefficients were added up from go with it only where they are asked for."""
    context = Context.of(use, pack, method)
    draft = Draft()
    energy = choose_energy(use, context, draft)
    grid = grid_of(use, context)
    match, name, quality = grid.match, None, None
    market: Market | None = None
    family = ""
    if energy is not None:
        if ENERGY_SCALE in use.overrides:
            energy = scaled_energy(energy, saving_factor(use.overrides[ENERGY_SCALE]))
        name, quality, family = energy.method, energy.data_quality, energy.family
        market = add_electricity(use, context, energy, grid, draft)
        _embody(embodied(use, context, energy.method), draft)
        if match == "world":
            quality = min(5, quality + 1)
    else:
        name, quality = _not_physical(use, context, draft)
    variance = _scale_up(use.overrides.get(SHARE), method, draft)
    scopes = scopes_of(use.hosting)
    coefficients, base = coefficients_of(draft)
    hourly = grid.series if grid.hourly and any(_holds(term, grid.series) for term in draft.terms) else None
    plan = Plan(
        use=use,
        method=name,
        data_quality=quality,
        scope=scopes.energy,
        scope_upstream=scopes.upstream,
        scope_embodied=scopes.embodied,
        factors=tuple(factor.as_dict() for factor in draft.factors.values()),
        notes=tuple(draft.notes),
        resolved=_resolved(use, context, grid if energy is not None else None),
        market_key=market.key if market is not None and market.rate is not None else None,
        market_rate=market.rate if market is not None else None,
        group=f"{name}:{family}",
        zone_group="world" if match == "world" else grid.zone or "world",
        shared=draft.shared,
        coefficients=coefficients,
        base=base,
        formulas=partial(_formulas, pack, method, use),
        hourly=hourly,
        hourly_coefficients={} if hourly is None else summed(term for term in draft.terms if _holds(term, hourly)),
        sampled_variance=variance,
    )
    return plan, draft.terms


def _scale_up(share: Override | None, method: Methodology, draft: Draft) -> float:
    """Multiply every term of sampled records by what each of them stands for; returns `Plan.sampled_variance`."""
    if share is None:
        return 0.0
    if share.id == UNREADABLE:
        draft.note("sample_share_unreadable")
        return 0.0
    scale = scale_factor(share)
    draft.terms = [
        make_term(
            term.impact,
            term.measure,
            term.per_unit,
            Product((*term.inputs, (scale, 1)), term.constant),
            sign=term.sign,
        )
        for term in draft.terms
    ]
    draft.show(scale)
    draft.note("scaled")
    return sampling_variance(share.value, method.sampled_size_cv)


def with_market_rate(plan: Plan, entry: Mapping[str, Any]) -> Plan:
    """
    Put another market rate into a plan's formulas and factors; its coefficients stay those of the rate without instruments.

    Args:
        entry: the factor as `quantify` prints it, with whatever details.
    """
    promised = ("id", "value", "low", "high", "unit", "source", "valid_from", "match")
    rate = Factor(name="grid_market", **{name: entry[name] for name in promised})

    def changed(term: Term) -> Term:
        if term.impact != "market_kg_co2e":
            return term
        inputs = tuple((rate if factor.name == "grid_market" else factor, power) for factor, power in term.inputs)
        return make_term(term.impact, term.measure, term.per_unit, Product(inputs, term.constant), sign=term.sign)

    factors = tuple(dict(entry) if factor["name"] == "grid_market" else factor for factor in plan.factors)
    return replace(plan, factors=factors, formulas=lambda: tuple(changed(term) for term in plan.terms))


def with_grid_value(plan: Plan, scale: float, detail: Mapping[str, str | int | float | bool]) -> Plan:
    """
    Put another value in the place of the hourly grid factor's mean, so that formulas multiply out to what its hours made.

    Args:
        scale: the other value over the mean.
        detail: what a reader should see of it; ``id`` takes the place of the factor's own.
    """
    name = str(detail.get("id", plan.hourly))

    def scaled(factor: Factor) -> Factor:
        if factor.id != plan.hourly or factor.name == "grid_upstream":
            return factor
        value, low, high = (scale * each for each in (factor.value, factor.low, factor.high))
        return replace(factor, id=name, value=value, low=low, high=high)

    def changed(term: Term) -> Term:
        inputs = tuple((scaled(factor), power) for factor, power in term.inputs)
        return make_term(term.impact, term.measure, term.per_unit, Product(inputs, term.constant), sign=term.sign)

    factors = []
    for each in plan.factors:
        if each["id"] == plan.hourly and each["name"] != "grid_upstream":
            numbers = {key: scale * float(each[key]) for key in ("value", "low", "high")}  # type: ignore[arg-type]
            each = {**each, **numbers, **detail, "id": name}
        factors.append(each)
    return replace(plan, factors=tuple(factors), formulas=lambda: tuple(changed(term) for term in plan.terms))


def _holds(term: Term, factor_id: str | None) -> bool:
    return any(factor.id == factor_id for factor, _ in term.inputs)


def choose_energy(use: Use, context: Context, draft: Draft) -> Energy | None:
    """
    Choose the best physical method whose measure and names are there; each that is passed over leaves a note.

    Where device and instance hours describe one cloud machine, the instance table goes first if it covers all of it.
    """
    order = [name for name in context.method.methods if name in _METHODS]
    found = context.catalog.instance(use.instance_type, use.provider)
    whole = found is not None and found.covers_whole_machine
    if use.hosting == "cloud" and whole and {"device_hours", "instance_hours"} <= use.present:
        order = _instance_before_device(order)
    if any(name not in order and not use.present.isdisjoint(measures) for name, (measures, _) in _METHODS.items()):
        draft.note("method_switched_off")
    for name in order:
        measures, rule = _METHODS[name]
        if use.present.isdisjoint(measures):
            continue
        answer = rule(use, context)
        if isinstance(answer, Energy):
            draft.note(*answer.notes)
            return answer
        draft.note(answer.note)
    if "seats" in context.method.methods and "seat_months" in use.present and use.present.isdisjoint(PHYSICAL):
        answer = seats(use, context)
        return answer if isinstance(answer, Energy) else None
    return None


def _instance_before_device(order: list[str]) -> list[str]:
    if not {"instance", "device"} <= set(order):
        return order
    rest = [name for name in order if name != "instance"]
    rest.insert(rest.index("device"), "instance")
    return rest


def _embody(found: Embodied, draft: Draft) -> None:
    draft.note(*found.notes)
    columns: tuple[tuple[str, tuple[Share, ...] | None], ...] = (
        ("embodied_kg_co2e", found.kg),
        ("primary_energy_mj", found.pe if "primary_energy_mj" in draft.known else None),
        ("adpe_kg_sbeq", found.adpe if "adpe_kg_sbeq" in draft.known else None),
    )
    for impact, shares in columns:
        for share in shares or ():
            draft.add(impact, share.measure, share.impact)
            draft.show(*(factor for factor, _ in share.impact.inputs if not factor.name.endswith("_spread")))
    if not found.pe:
        draft.note("hardware_not_in_resources")


def _not_physical(use: Use, context: Context, draft: Draft) -> tuple[str | None, int | None]:
    """Answer for records without energy: a factor in kg for seats or spend, else the supplier's figure as it stands."""
    if "water_l" in use.present:
        draft.add("water_l", "water_nl", UNIT)
        draft.note("site_water_reported", "off_site_water_missing")
    if not use.present.isdisjoint(PHYSICAL):
        return None, None
    used = context.method.methods
    there = sorted(
        (each for each in _FLAT if each[0] in use.present and each[1] in used), key=lambda each: used.index(each[1])
    )
    for _, method, measure, name, missing, formula in there:
        factor = override_factor(name, use.overrides)
        if factor is None:
            draft.note(missing)
            continue
        for impact in ("location_kg_co2e", "market_kg_co2e"):
            draft.add(impact, measure, formula(UNIT, wide(factor, method, context.method)))
        draft.show(factor)
        draft.note("one_figure_for_both_bases")
        return method, 5
    if "reported_kg_co2e" in use.present and "reported" in used:
        return _reported(use, context, draft)
    if there:
        return there[0][1], 5
    draft.note("no_method")
    return None, None


def _reported(use: Use, context: Context, draft: Draft) -> tuple[str, int]:
    method = context.method
    width = spread("reported_spread", method.gsd["reported"], method.source)
    impact = "market_kg_co2e" if use.reported_basis == "market" else "location_kg_co2e"
    draft.add(impact, "reported_nkg", Product.of(width))
    draft.note("reported_by_supplier", "other_basis_not_reported")
    source = f"{use.provider or 'the supplier'}'s own statement"
    draft.show(Factor("record:reported_kg_co2e", "reported", 1.0, width.low, width.high, "1", source, None, "provider"))
    return "reported", 5


def _resolved(use: Use, context: Context, grid: Grid | None) -> dict[str, str | None]:
    model = context.catalog.model(use.model, use.provider)
    hardware = context.catalog.hardware(use.hardware)
    instance_type = context.catalog.instance(use.instance_type, use.provider)
    own = context.place.zones[0][0] if context.place.zones else None
    return {
        "model": model.name if model else None,
        "hardware": hardware.id if hardware else None,
        "instance_type": instance_type.name if instance_type else None,
        "region": context.place.region,
        "zone": own if grid is None or grid.match == "override" else grid.zone,
    }
