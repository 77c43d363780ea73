"""Scenarios on the daily rows of the current view: what was rewritten is derived again, all else stays as pages show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting.aggregate import BASES, PARTS, TOTAL, SharedErrors, reported, with_market
from core.accounting.columns import Impact
from core.accounting.derive import HOURS_A_DAY, OUT_OF_RANGE
from core.accounting.drawing import method_sigmas
from core.accounting.figures import Filter, FilterError
from core.accounting.models import View
from core.accounting.pools import pools_of
from core.accounting.rewritten import Derived, Difference, HourWeights, derive_parts, difference, draws_of, weighted
from core.accounting.rows import hour_cells
from core.accounting.rules import Rules
from core.accounting.selectors.conditions import matches, sources_asked, unfolded
from core.accounting.selectors.disclosed import joined
from core.accounting.selectors.rewritable import Base, read_base
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.views import current_view, watermark
from core.catalog.selectors import sites_not_controlled
from core.factors.selectors import NoFactorSet, pack_of, shipped_factor_set
from core.ledger.selectors import series_by_id
from core.organizations.tenancy import organization_snapshot
from core.quantification import units
from core.quantification.pack import FactorPack
from core.quantification.plan import Plan
from core.quantification.resolve import catalog_of
from core.quantification.rewriting import rewrite
from core.quantification.scenario import Rewrite, ScenarioError, check_names

Booleans = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

MOST_SCENARIOS: Final = 3
NOT_NARROWED_BY: Final = ("run", "scope")
"""A cell belongs to no run, and a scenario says nothing of what a row books as where."""
SAME: Final = 1e-12
"""Share of a figure below which a difference is one of rounding."""


@dataclass(frozen=True)
class RuleEffect:
    """
    What one rule is about.

    Attributes:
        records: that fit its conditions.
        before_kg: their total before. [kg CO2e]
        rewritten_kg: the part of it that the rule rewrites: less where it takes a share. [kg CO2e]
        unchanged_kg: the part of that which stays as it is, since no factor of it depends on what the rule says. [kg CO2e]
    """

    records: float
    before_kg: float
    rewritten_kg: float
    unchanged_kg: float


@dataclass(frozen=True)
class Money:
    """Cost in one currency before and after; ``not_known`` is the part of the cost before whose new price nobody said."""

    currency: str
    before: float
    after: float
    not_known: float


@dataclass(frozen=True)
class Outcome:
    """
    What a scenario comes to.

    Attributes:
        figures: records, requests, ``REPORTED`` and the total, each with low and high; None: not known.
        difference: of the total to the baseline.
        not_known_kg: part by part, what has no figure after; the two are then not comparable.
        newly_known_kg: the same of what had no figure before.
        gaps: parts of the total that some use has no figure of afterwards.
        after: draws of what was rewritten, afterwards; all of the total where every cell was. [draws]
        plans: that what was rewritten is derived by, each once.
    """

    figures: Mapping[str, float | None]
    difference: Difference
    rules: tuple[RuleEffect, ...]
    not_known_kg: float
    newly_known_kg: float
    money: tuple[Money, ...]
    gaps: tuple[str, ...]
    after: Floats = field(repr=False)
    plans: tuple[Plan, ...] = field(repr=False)

    @property
    def comparable(self) -> bool:
        """Tell whether all that has a figure on one side has one on the other: the difference is then that of the totals."""
        return self.not_known_kg == self.newly_known_kg == 0.0

    @property
    def verdict(self) -> str:
        """Say how the scenario stands to the baseline: lower, higher, or why nobody can say."""
        if not self.comparable:
            return "not_comparable"
        if abs(self.difference.value) <= SAME * max(abs(self.figures[TOTAL] or 0.0), units.PER_KG**-1):
            return "no_effect"
        if not self.difference.distinguishable:
            return "not_distinguishable"
        return "lower" if self.difference.value < 0.0 else "higher"


@dataclass(frozen=True)
class SideBySide:
    """The baseline and the scenarios, of one moment and one view."""

    asked: Filter
    baseline: Mapping[str, float | None]
    money: Mapping[str, float]
    outcomes: tuple[Outcome, ...]
    as_of: datetime
    view_id: int | None


def side_by_side(
    organization_id: int, asked: Filter, scenarios: Sequence[Sequence[Rewrite]], *, view: View | None = None
) -> SideBySide:
    """
    Derive up to three scenarios beside what was recorded.

    Args:
        asked: period, dimensions, basis and parts: the cells that everything is about. Its grouping is not looked at.
        scenarios: rules of each.
        view: another view than the current one.

    Raises:
        FilterError: the filter asks for runs, scopes, cross-checks or the booking as disclosed.
        ScenarioError: a rule cannot be applied; ``field`` begins with the scenario's number where there are several.
    """
    asked = checked(asked)
    if not 1 <= len(scenarios) <= MOST_SCENARIOS:
        raise FilterError("scenario", f"Compare one to {MOST_SCENARIOS} scenarios at a time.")
    with organization_snapshot(organization_id):
        as_of = watermark(organization_id)
        view = view or current_view(organization_id)
        if view is None:
            raise FilterError("period", "Nothing was recorded yet, so there is nothing to rewrite.")
        rules = rules_of(organization_id)
        pack = pack_of(view.factor_set.content_hash)
        for some in scenarios:
            check_names(some, catalog_of(pack), own_names(rules))
        base = read_base(organization_id, view, asked, rules)
        outcomes = tuple(outcome_of(organization_id, base, some, rules, pack, view.methodology) for some in scenarios)
    figures = reported_of(base.sums, base.errors, asked)
    money = base.cost.groupby(base.cells["currency"]).sum()
    return SideBySide(
        asked, figures, {str(name): float(each) for name, each in money.items()}, outcomes, as_of, view.id
    )


def refuse_unknown_names(organization_id: int, rules: Sequence[Rewrite]) -> None:
    """Raise ScenarioError for names that neither the factors in use nor the organization's own know; inside its scope."""
    view = current_view(organization_id)
    try:
        factor_set = view.factor_set if view else shipped_factor_set()
    except NoFactorSet:
        return  # nothing can be derived either, and a scenario says so then
    check_names(rules, catalog_of(pack_of(factor_set.content_hash)), own_names(rules_of(organization_id)))


def checked(asked: Filter) -> Filter:
    """Refuse filters that cells cannot be narrowed by. Raises FilterError."""
    for name in NOT_NARROWED_BY:
        if name in asked.dims:
            raise FilterError(name, f"A scenario cannot be narrowed to a {name}.")
    if asked.role != ("counted",):
        raise FilterError("role", "A scenario is about what counts; cross-checks are beside it.")
    if asked.booking != "life-cycle":
        raise FilterError("booking", "A scenario is about operations and life cycle; it has no purchases to book.")
    return replace(asked, by=(), grain="total")


def own_names(rules: Rules) -> dict[str, frozenset[str]]:
    """List the names that own factors are about: what they say is known of a name that the catalog does not have."""
    names: dict[str, set[str]] = {}
    for factor in rules.own_factors:
        for dimension, name in factor.where.items():
            names.setdefault(dimension, set()).add(name.casefold())
    return {dimension: frozenset(each) for dimension, each in names.items()}


# --- one scenario -----------------------------------------------------------------------------------------------------


def outcome_of(
    organization_id: int, base: Base, some: Sequence[Rewrite], rules: Rules, pack: FactorPack, methodology: str
) -> Outcome:
    """Derive one scenario over cells that were read, inside `organization_scope`. Raises ScenarioError."""
    catalog = catalog_of(pack)
    chosen = [_chosen(organization_id, base, rule, number) for number, rule in enumerate(some, start=1)]
    found = rewrite(base.cells, some, chosen, catalog, rules.own_factors, methodology)
    moved = np.array([bool(each) for each in found.cells["rules"]], dtype=bool)
    parts, rest = found.cells[moved].reset_index(drop=True), found.cells[~moved]
    derived = derive_parts(parts, pack, methodology)
    weights = _hour_weights(organization_id, base, parts, derived, rules)
    if weights:
        derived = derive_parts(parts, pack, methodology, weights)
    errors = joined(base.errors, derived.errors)
    rates = {**derived.rates, **base.rates}
    before = weighted(base.sums.iloc[parts["cell"]].reset_index(drop=True), parts["weight"].to_numpy())
    after = with_market(derived.sums.assign(pool=_pools(organization_id, base, parts)), derived.errors, rates)
    left = weighted(base.sums.iloc[rest["cell"]].reset_index(drop=True), rest["weight"].to_numpy())
    whole = pd.concat([base.sums[~found.touched], left, after], ignore_index=True)
    impacts = added_by(base.asked)
    names = [impact.name for impact in impacts]
    one, other = before[names].to_numpy(dtype=float), after[names].to_numpy(dtype=float)
    changed = difference(before, after, impacts, errors, methodology)
    drawn = changed.after
    if np.isnan(one[~np.isnan(other)]).any():  # the difference leaves out what had no figure before
        drawn = draws_of(after, impacts, errors, method_sigmas(errors.group.values(), methodology))
    return Outcome(
        figures=reported_of(whole, errors, base.asked),
        difference=changed,
        rules=tuple(
            _effect(base, own, number, parts, before[names], after[names]) for number, own in enumerate(chosen)
        ),
        not_known_kg=float(np.nansum(one[np.isnan(other)])),
        newly_known_kg=float(np.nansum(other[np.isnan(one)])),
        money=_money(base, found.cells, found.touched),
        gaps=gaps_of(whole, base.asked),
        after=drawn,
        plans=tuple(dict.fromkeys(derived.plans)),
    )


def _chosen(organization_id: int, base: Base, rule: Rewrite, number: int) -> Booleans:
    """Tell which cells a rule is about, by the conditions that filters on figures have. Raises ScenarioError."""
    at = f"rules.{number}.where"
    try:
        asked = unfolded(replace(base.asked, dims=dict(rule.where)), base.folded)
    except FilterError as error:
        raise ScenarioError(at, str(error)) from error
    for name in NOT_NARROWED_BY:
        if name in rule.where:
            raise ScenarioError(f"{at}.{name}", f"A rule cannot be narrowed to a {name}.")
    kept = matches(base.resolved, asked, sources_asked(organization_id, asked), base.folded).to_numpy(dtype=bool)
    lost = np.array([OUT_OF_RANGE in notes for notes in base.resolved["notes"]], dtype=bool)
    return np.asarray(kept & ~lost)


def _pools(organization_id: int, base: Base, parts: pd.DataFrame) -> pd.Series:
    """Name the pool of rewritten cells: by what they have become."""
    frame = base.resolved.iloc[parts["cell"]].reset_index(drop=True)
    names = ("hosting", "provider", "region", "site", "model", "hardware", "instance_type", "tier")
    frame = frame.assign(**{name: parts[name].to_numpy() for name in names})
    known = {pool for _, pool, _ in base.rates if pool}
    return pools_of(frame, known, sites_not_controlled(organization_id))


def _hour_weights(organization_id: int, base: Base, parts: pd.DataFrame, derived: Derived, rules: Rules) -> HourWeights:
    """Weigh the hours of each part whose grid has hourly factors, measure by measure, from the cells of its series."""
    hourly = [at for at, plan in enumerate(derived.plans) if plan.hourly is not None]
    if not hourly:
        return {}
    series_of = base.resolved["series_id"].to_numpy()[parts["cell"].to_numpy()]
    series_ids = sorted({int(series_of[at]) for at in hourly})
    cells = hour_cells(organization_id, base.asked.starts_at, base.asked.ends_at, series_ids)
    grain = series_by_id(organization_id, series_ids)["grain"]
    day = cells["hour"].to_numpy() // HOURS_A_DAY
    cells = cells.assign(
        by_day=(cells["series_id"].map(grain) == "day").to_numpy(dtype=bool),
        stretch=np.searchsorted(base.boundaries, day, side="right"),
        year=(np.datetime64("1970-01-01", "D") + day).astype("datetime64[Y]").astype(np.int64) + 1970,
    )
    groups = dict(iter(cells.groupby(["series_id", "stretch", "year"])))
    stretches = parts["stretch"].to_numpy(dtype=np.int64)
    found: dict[int, dict[str, float]] = {}
    for at in hourly:
        plan = derived.plans[at]
        rows = groups[(int(series_of[at]), int(stretches[at]), plan.use.year)]
        weight = rules.profiles[plan.hourly or ""].weights(
            rows["hour"].to_numpy(dtype=np.int64), rows["by_day"].to_numpy(dtype=bool)
        )
        for name in plan.hourly_coefficients:
            amounts = rows[name].to_numpy(dtype=float)
            if amounts.sum() != 0.0:
                found.setdefault(at, {})[name] = float((amounts * weight).sum() / amounts.sum())
    return found


def _effect(
    base: Base, own: Booleans, number: int, parts: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame
) -> RuleEffect:
    """Say what a rule is about, and how much of it stays as it was whatever the rule says."""
    mine = np.array([number in each for each in parts["rules"]], dtype=bool)
    one, other = before.to_numpy(dtype=float)[mine], after.to_numpy(dtype=float)[mine]
    same = (np.isnan(one) & np.isnan(other)) | (np.abs(one - other) <= 1e-9 * np.abs(one))
    names = list(before.columns)
    return RuleEffect(
        records=float(base.sums.loc[own, "records"].sum()),
        before_kg=float(np.nansum(base.sums.loc[own, names].to_numpy(dtype=float))),
        rewritten_kg=float(np.nansum(one)),
        unchanged_kg=float(np.nansum(one[same.all(axis=1)])),
    )


def _money(base: Base, parts: pd.DataFrame, touched: Booleans) -> tuple[Money, ...]:
    """Add costs up by currency. What has a new price that nobody said is not in the sum after."""
    cost = base.cost.to_numpy(dtype=float)
    at = parts["cell"].to_numpy()
    own = (
        parts["nano_cost"].to_numpy(dtype=float) * base.sample[at] / units.PER_CURRENCY_UNIT * parts["price"].to_numpy()
    )
    unknown = np.isnan(own) & ~np.isnan(cost[at])
    frame = pd.concat(
        [
            pd.DataFrame({"currency": base.cells["currency"], "before": cost, "after": np.where(touched, 0.0, cost)}),
            pd.DataFrame(
                {
                    "currency": base.cells["currency"].to_numpy()[at],
                    "after": np.where(np.isnan(cost[at]), np.nan, own),
                    "not_known": np.where(unknown, cost[at] * parts["weight"].to_numpy(), 0.0),
                }
            ),
        ],
        ignore_index=True,
    )
    frame = frame[frame["currency"].notna()]
    sums = frame.groupby("currency")[["before", "after", "not_known"]].sum()
    numbers = zip(sums.index.tolist(), sums.to_numpy(dtype=float).tolist(), strict=True)
    return tuple(Money(str(currency), *amounts) for currency, amounts in numbers)


def added_by(asked: Filter) -> list[Impact]:
    """List what the total adds up."""
    return [BASES[asked.basis], *(PARTS[part] for part in asked.include)]


def gaps_of(sums: pd.DataFrame, asked: Filter) -> tuple[str, ...]:
    """Name the parts of the total that some row has no figure of."""
    return tuple(impact.name for impact in added_by(asked) if sums[impact.name].isna().any())


def reported_of(sums: pd.DataFrame, errors: SharedErrors, asked: Filter) -> dict[str, float | None]:
    """Add sums up to one row of figures, None where one is not known."""
    row = reported(sums, [], errors, basis=asked.basis, include=asked.include).iloc[0]
    return {str(name): None if pd.isna(value) else float(value) for name, value in row.items()}
