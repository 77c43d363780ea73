"""
One workload at several candidates: what was recorded, or an activity that is made up, as if every use ran where each says.

The figures are those of scenarios and of `quantify`; the draws of all candidates belong together, so that errors which two of
them share cancel where they are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting.aggregate import TOTAL, with_market
from core.accounting.drawing import method_sigmas
from core.accounting.figures import Filter, FilterError
from core.accounting.models import View
from core.accounting.rewritten import derive_parts, draws_of
from core.accounting.rules import Rules
from core.accounting.selectors.rewritable import Base, read_base
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.scenarios import added_by, checked, gaps_of, outcome_of, own_names, reported_of
from core.accounting.selectors.views import current_view, watermark
from core.factors.selectors import NoFactorSet, pack_of, shipped_factor_set
from core.organizations.tenancy import organization_snapshot
from core.quantification import units
from core.quantification.activity import MASK_BITS, MEASURE_COLUMNS, MEASURES
from core.quantification.methods import LATEST, methodology_of
from core.quantification.overrides import Override
from core.quantification.own_factors import given_of
from core.quantification.pack import FactorPack
from core.quantification.plan import Plan
from core.quantification.resolve import catalog_of
from core.quantification.scenario import Rewrite, ScenarioError, check_names
from core.quantification.use import USE_TEXT

Floats = npt.NDArray[np.float64]

AMOUNTS: Final = {
    "requests": "requests",
    "input_tokens": "input_tokens",
    "cached_input_tokens": "cached_input_tokens",
    "output_tokens": "output_tokens",
    "device_nh": "device_hours",
    "instance_nh": "instance_hours",
    "gflop": "flops",
    "nano_seat_months": "seat_months",
}
"""Measures that prices are asked for, by their names outside."""
_PER_UNIT: Final = {each.column: each.per_unit for each in MEASURES} | {"gflop": 1.0 / units.FLOP_PER_GFLOP}
"""How many of a cell's own units make one outside; operations are counted singly there."""


@dataclass(frozen=True)
class Candidate:
    """
    The workload at one candidate.

    Attributes:
        figures: records, requests, impacts and the total, each with low and high; None: not known. Empty with a refusal.
        draws: of the total. [draws]
        gaps: parts of the total that some use has no figure of there.
        unchanged_kg: total of what no factor ties to the candidate, such as energy that a meter measured. [kg CO2e]
        factors: behind it, as `Plan.factors` gives them, each once.
        notes: of its plans, each once.
        refusal: why it could not be derived.
    """

    figures: Mapping[str, float | None]
    draws: Floats = field(repr=False)
    gaps: tuple[str, ...] = ()
    unchanged_kg: float = 0.0
    factors: tuple[Mapping[str, object], ...] = ()
    notes: tuple[str, ...] = ()
    refusal: ScenarioError | None = None


@dataclass(frozen=True)
class Candidates:
    """
    All candidates, of one moment, one view and one factor set.

    Attributes:
        amounts: what the workload holds, by the names of ``AMOUNTS``; without the absent ones.
        money: what it cost as recorded, by currency.
    """

    candidates: tuple[Candidate, ...]
    amounts: Mapping[str, float]
    money: Mapping[str, float]
    as_of: datetime
    view_id: int | None
    factor_set: str
    methodology: str


def recorded_at(
    organization_id: int, asked: Filter, offers: Sequence[Rewrite | None], *, view: View | None = None
) -> Candidates:
    """
    Derive what was recorded in a period as if all of it ran at each candidate.

    Args:
        asked: period, dimensions, basis and parts.
        offers: what each candidate says of names and factors, without conditions; None: as it was recorded.

    Raises:
        FilterError: nothing was recorded that fits, or the filter asks for what no scenario can be about.
    """
    asked = checked(asked)
    with organization_snapshot(organization_id):
        as_of = watermark(organization_id)
        view = view or current_view(organization_id)
        if view is None:
            raise FilterError("period", "Nothing was recorded yet: take a typical workload instead.")
        rules = rules_of(organization_id)
        pack = pack_of(view.factor_set.content_hash)
        base = read_base(organization_id, view, asked, rules)
        found = tuple(_recorded(organization_id, base, each, rules, pack, view.methodology) for each in offers)
    sums = {name: float(base.sums[column].sum()) / _PER_UNIT[column] for column, name in AMOUNTS.items()}
    money = base.cost.groupby(base.cells["currency"]).sum()
    return Candidates(
        found,
        {name: each for name, each in sums.items() if each > 0.0},
        {str(name): float(each) for name, each in money.items()},
        as_of,
        view.id,
        pack.content_hash,
        view.methodology,
    )


def made_up_at(
    organization_id: int, activity: Mapping[str, Any], year: int, offers: Sequence[Rewrite], asked: Filter
) -> Candidates:
    """
    Derive an activity that nobody recorded, at each candidate, by the factors and methodology in use.

    Args:
        activity: canonical columns: amounts by the names of ``AMOUNTS``, and ``stage``, ``tier``, ``hosting`` and others.
        year: of the use.
        asked: only its basis and parts are looked at.
    """
    with organization_snapshot(organization_id):
        view = current_view(organization_id)
        try:
            factor_set = view.factor_set if view else shipped_factor_set()
        except NoFactorSet as error:
            raise FilterError("period", str(error)) from error
        methodology = view.methodology if view else LATEST
        pack = pack_of(factor_set.content_hash)
        rules = rules_of(organization_id)
        as_of = watermark(organization_id)
    found = tuple(_made_up(activity, year, each, rules, pack, methodology, asked) for each in offers)
    amounts = {name: float(activity[name]) for name in AMOUNTS.values() if activity.get(name)}
    version = methodology_of(methodology).version
    return Candidates(found, amounts, {}, as_of, view.id if view else None, pack.content_hash, version)


def refuse_unknown_offer(organization_id: int, offer: Rewrite) -> None:
    """Raise ScenarioError for names that no factor is known for; inside `organization_scope`."""
    view = current_view(organization_id)
    try:
        factor_set = view.factor_set if view else shipped_factor_set()
    except NoFactorSet:
        return
    check_names([offer], catalog_of(pack_of(factor_set.content_hash)), own_names(rules_of(organization_id)))


def _recorded(
    organization_id: int, base: Base, offer: Rewrite | None, rules: Rules, pack: FactorPack, methodology: str
) -> Candidate:
    if offer is None:
        sigmas = method_sigmas(base.errors.group.values(), methodology)
        draws = draws_of(base.sums, added_by(base.asked), base.errors, sigmas)
        return Candidate(reported_of(base.sums, base.errors, base.asked), draws, gaps_of(base.sums, base.asked))
    try:
        check_names([offer], catalog_of(pack), own_names(rules))
        found = outcome_of(organization_id, base, [offer], rules, pack, methodology)
    except ScenarioError as error:
        return _refused(error)
    return Candidate(
        figures=found.figures,
        draws=found.after,
        gaps=found.gaps,
        unchanged_kg=found.rules[0].unchanged_kg,
        factors=_factors(found.plans),
        notes=_notes(found.plans),
    )


def _made_up(
    activity: Mapping[str, Any],
    year: int,
    offer: Rewrite,
    rules: Rules,
    pack: FactorPack,
    methodology: str,
    asked: Filter,
) -> Candidate:
    catalog = catalog_of(pack)
    try:
        check_names([offer], catalog, own_names(rules))
    except ScenarioError as error:
        return _refused(error)
    cells = _cells(activity, year, offer)
    (own,) = given_of(cells, rules.own_factors, catalog, methodology).tolist()
    numbers = dict(own) | {
        name: Override(*values, id="offer", source=offer.source) for name, values in offer.factors.items()
    }
    cells["given"] = pd.Series([tuple(sorted(numbers.items()))], dtype=object)
    derived = derive_parts(cells, pack, methodology)
    sums = with_market(derived.sums.assign(pool=""), derived.errors, derived.rates)
    figures = reported_of(sums, derived.errors, asked)
    total = figures[TOTAL]
    known = sums[[impact.name for impact in added_by(asked)]].notna().any(axis=None) and total is not None
    if not known:
        return Candidate({**figures, TOTAL: None}, np.zeros(0), notes=_notes(derived.plans))
    sigmas = method_sigmas(derived.errors.group.values(), methodology)
    draws = draws_of(sums, added_by(asked), derived.errors, sigmas)
    return Candidate(figures, draws, gaps_of(sums, asked), factors=_factors(derived.plans), notes=_notes(derived.plans))


def _cells(activity: Mapping[str, Any], year: int, offer: Rewrite) -> pd.DataFrame:
    """Lay the activity out as one cell with the offer's names. [1 row]"""
    named = {**activity, **offer.sets}
    row: dict[str, Any] = {name: named.get(name) for name in (*USE_TEXT, "site", "application", "currency", "tier")}
    row["evidence"] = row["evidence"] or "modelled"
    columns = {outside: column for column, outside in AMOUNTS.items()}
    present = [name for name in columns if activity.get(name)]
    frame = pd.DataFrame({name: pd.Series([value], dtype=object) for name, value in row.items()})
    for column in MEASURE_COLUMNS:
        frame[column] = 0.0
    for name in present:
        frame[columns[name]] = float(activity[name]) * _PER_UNIT[columns[name]]
    return frame.assign(
        techniques=pd.Series([tuple(offer.techniques)], dtype=object),
        mask=sum(1 << MASK_BITS[name] for name in present),
        year=year,
        day=(np.datetime64(f"{year}-01-01", "D") - np.datetime64("1970-01-01", "D")).astype(int),
        records=1.0,
        given=pd.Series([()], dtype=object),
    )


def _refused(error: ScenarioError) -> Candidate:
    return Candidate({}, np.zeros(0), refusal=error)


def _factors(plans: Sequence[Plan]) -> tuple[Mapping[str, object], ...]:
    found = {(str(each["name"]), str(each["id"]), str(each["value"])): each for plan in plans for each in plan.factors}
    return tuple(found[key] for key in sorted(found))


def _notes(plans: Sequence[Plan]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(note for plan in plans for note in plan.notes))
