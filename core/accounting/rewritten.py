"""
Rewritten cells as sums that figures are made of, and how far they differ from what they were. Values in, values out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from core.accounting.aggregate import REPORTED, Rate, SharedErrors
from core.accounting.by_hour import FOLLOWING
from core.accounting.columns import EMBODIED, MARKET, SAMPLED, SUFFIXES, Impact
from core.accounting.derive import market_rates
from core.accounting.drawing import Drawing, method_sigmas
from core.quantification.bounds import Z
from core.quantification.comparison import QUANTILES
from core.quantification.intervals import MONTE_CARLO_DRAWS, named_draws
from core.quantification.pack import FactorPack
from core.quantification.plan import Plan
from core.quantification.quantify import COLUMNS, quantify
from core.quantification.sampling import SHARE
from core.quantification.saving import ENERGY_SCALE

Floats = npt.NDArray[np.float64]

FIGURES: Final = tuple(impact.name + suffix for impact in REPORTED for suffix in SUFFIXES)
NAMED_BY: Final = {"tokens": "model", "device": "hardware", "instance": "instance_type", "flops": "hardware"}
"""Whose error is a use's own, by method: what nobody disclosed of a model is one error wherever the model runs."""
DISTINCT: Final = ["own", "saving", "shared_error_id", "year", "pool"]

HourWeights = Mapping[int, Mapping[str, float]]
"""Row to measure to what the hours of the measure weigh against the mean of the grid's hourly factor."""


@dataclass(frozen=True)
class Derived:
    """
    Parts of cells, derived.

    Attributes:
        sums: one row a part: ``FIGURES`` (market figures only where they do not follow from energy and a rate),
            shared_error_id, year, records, requests, ``own`` (whose error is its own), ``saving`` (of which rules), and
            ``saving_below``, ``saving_above``: ln half-widths of the saving in what follows from energy.
        errors: of the sums, by negative numbers, so that they go together with those of stored sums.
        rates: of markets without instruments.
        plans: of each part.
    """

    sums: pd.DataFrame
    errors: SharedErrors
    rates: Mapping[tuple[str, str, int], Rate]
    plans: tuple[Plan, ...]


def derive_parts(
    parts: pd.DataFrame, pack: FactorPack, methodology: str, weights: HourWeights | None = None, *, first_id: int = -1
) -> Derived:
    """
    Quantify rewritten cells.

    Args:
        parts: `core.quantification.rewriting.Rewritten.cells`.
        weights: of the rows whose plan has an hourly factor.
        first_id: of the shared errors; further ones count down.
    """
    quantified = quantify(parts, pack, methodology)
    plans = tuple(quantified.plans[code] for code in quantified.code)
    impacts = quantified.impacts.to_numpy(copy=True)
    for row, of_measure in (weights or {}).items():
        impacts[row] += _by_hours(parts, row, plans[row], of_measure)
    sums = pd.DataFrame(impacts, columns=list(COLUMNS))[list(FIGURES)]
    own_market = np.array([plan.market_key is None or plan.market_by_hour for plan in plans], dtype=bool)
    for suffix in SUFFIXES:
        sums[MARKET.name + suffix] = sums[MARKET.name + suffix].where(own_market)
    known: dict[object, int] = {}
    ids = [known.setdefault(_error_of(plan), len(known)) for plan in plans]
    sample = np.array([_sample(each) for each in parts["given"]])
    sums = sums.assign(
        shared_error_id=[first_id - each for each in ids],
        year=parts["year"].to_numpy(),
        records=parts["records"].to_numpy(dtype=float),
        requests=parts["requests"].to_numpy(dtype=float) * sample,
        own=[
            own_name(plan.method, parts["model"].iat[at], parts["hardware"].iat[at], parts["instance_type"].iat[at])
            for at, plan in enumerate(plans)
        ],
        **_savings(parts),
    )
    first = {first_id - each: plan for each, plan in zip(reversed(ids), reversed(plans), strict=True)}
    errors = SharedErrors(
        {key: plan.group for key, plan in first.items()},
        {key: plan.zone_group for key, plan in first.items()},
        {key: plan.market_key for key, plan in first.items()},
        {key: _widths(plan) for key, plan in first.items()},
    )
    rates = {
        (each.market, "", each.year): (each.rate.value, each.rate.low, each.rate.high) for each in market_rates(plans)
    }
    return Derived(sums, errors, rates, plans)


def _by_hours(parts: pd.DataFrame, row: int, plan: Plan, of_measure: Mapping[str, float]) -> Floats:
    """Return what the hours of a row add to its figures at the mean of the hourly factor. [len(COLUMNS)]"""
    added = np.zeros(len(COLUMNS))
    for name, coefficients in plan.hourly_coefficients.items():
        added += (of_measure.get(name, 1.0) - 1.0) * float(parts[name].to_numpy(dtype=float)[row]) * coefficients
    following = {impact.name + suffix for impact in FOLLOWING for suffix in SUFFIXES}
    return np.where([name in following for name in COLUMNS], added, 0.0)


def _error_of(plan: Plan) -> object:
    return plan.group, plan.zone_group, plan.market_key, tuple(sorted(plan.shared.items())), plan.sampled_variance


def _widths(plan: Plan) -> dict[str, Sequence[float]]:
    widths: dict[str, Sequence[float]] = {name: list(each) for name, each in plan.shared.items()}
    if plan.sampled_variance:
        widths[SAMPLED] = [plan.sampled_variance]
    return widths


def _sample(given: Sequence[tuple[str, object]]) -> float:
    share = dict(given).get(SHARE)
    return 1.0 if share is None else 1.0 / share.value  # type: ignore[attr-defined]


def own_name(method: str | None, model: object, hardware: object, instance_type: object) -> str:
    """
    Name what a use's own error belongs to; measured energy keeps its meter's error whatever is rewritten.

    >>> own_name("tokens", "gpt-4o", None, None), own_name("measured", "gpt-4o", None, None)
    ('gpt-4o', 'measured')
    """
    names = {"model": model, "hardware": hardware, "instance_type": instance_type}
    return str(names.get(NAMED_BY.get(method or "", "")) or method or "")


def _savings(parts: pd.DataFrame) -> dict[str, Any]:
    found = [dict(each).get(ENERGY_SCALE) for each in parts["given"]]
    below, above = np.zeros(len(parts)), np.zeros(len(parts))
    for at, scale in enumerate(found):
        if scale is not None:
            below[at], above[at] = np.log(scale.value / scale.low), np.log(scale.high / scale.value)
    names = ["" if scale is None else scale.id for scale in found]
    return {"saving": names, "saving_below": below, "saving_above": above}


def weighted(rows: pd.DataFrame, weights: Floats) -> pd.DataFrame:
    """Take shares of rows: their figures and counts. [rows]"""
    columns = [*FIGURES, "records", "requests"]
    return rows.assign(**{name: rows[name].to_numpy(dtype=float) * weights for name in columns})


@dataclass(frozen=True)
class Difference:
    """
    After less before. [kg CO2e]

    Attributes:
        value: the plain difference.
        low, high: 95 % interval, once the errors that both have are taken out.
        draws: of it. [draws]
        after: draws of what was subtracted from. [draws]
    """

    value: float
    low: float
    high: float
    draws: Floats
    after: Floats

    @property
    def distinguishable(self) -> bool:
        """Tell whether after is surely more, or surely less, than before."""
        return self.low > 0.0 or self.high < 0.0


def difference(
    before: pd.DataFrame, after: pd.DataFrame, impacts: Sequence[Impact], errors: SharedErrors, methodology: str
) -> Difference:
    """
    Subtract what was rewritten from what it has become, draw by draw, so that shared errors cancel (methodology 9.5).

    Args:
        before, after: sums of the same parts, row by row, with market figures, `Derived.sums`' columns and ``pool``.
        impacts: what the total adds up.
        errors: of both.
    """
    names = [impact.name for impact in impacts]
    known = before[names].notna() & after[names].notna()
    one, other = before.copy(), after.copy()
    for impact in impacts:
        for suffix in SUFFIXES:
            one[impact.name + suffix] = one[impact.name + suffix].where(known[impact.name])
            other[impact.name + suffix] = other[impact.name + suffix].where(known[impact.name])
    sigmas = method_sigmas(errors.group.values(), methodology)
    drawn = draws_of(other, impacts, errors, sigmas)
    draws = drawn - draws_of(one, impacts, errors, sigmas)
    value = float(np.nansum(other[names].to_numpy()) - np.nansum(one[names].to_numpy()))
    low, high = (float(each) for each in np.quantile(draws, QUANTILES))
    return Difference(value, min(low, value), max(high, value), draws, drawn)


def draws_of(
    sums: pd.DataFrame, impacts: Sequence[Impact], errors: SharedErrors, sigmas: Mapping[str, float]
) -> Floats:
    """Draw a total, one thing's own error after the other; savings have an error of their own in what follows from energy."""
    energy = [impact for impact in impacts if impact is not EMBODIED]
    rest = [impact for impact in impacts if impact is EMBODIED]
    total = np.zeros(MONTE_CARLO_DRAWS)
    narrowed = _without_savings(sums, energy)
    kept = [name for name in narrowed.columns if name in FIGURES or name in ("records", "requests")]
    widths = ["market_below", "market_above", "saving_below", "saving_above"]
    grouped = narrowed.groupby(DISTINCT, sort=True, dropna=False)
    rows = grouped[kept].sum(min_count=1).join(grouped[widths].first()).reset_index()
    drawn = Drawing(rows, energy, errors, sigmas)
    hardware = Drawing(rows, rest, errors, sigmas) if rest else None
    sides = [rows[f"saving_{side}"].to_numpy(dtype=float) / Z for side in ("below", "above")]
    pairs = pd.factorize(pd.Series(list(zip(rows["own"], rows["saving"], strict=True)), dtype=object), sort=True)
    for number, (own, saving) in enumerate(pairs[1]):
        at = np.flatnonzero(pairs[0] == number)
        part = drawn.total(str(own), at)
        if saving:
            part = part * named_draws(f"saving {saving}", float(sides[0][at[0]]), float(sides[1][at[0]]))
        total += part
        if hardware is not None:
            total += hardware.total(str(own), at)
    return total


def _without_savings(sums: pd.DataFrame, energy: Sequence[Impact]) -> pd.DataFrame:
    """Take the width of savings out of the bounds of what follows from energy, in quadrature."""
    saved = (sums["saving"] != "").to_numpy()
    if not saved.any():
        return sums
    narrowed = sums.copy()
    for impact in energy:
        value = sums[impact.name].to_numpy(dtype=float)
        for suffix, side, sign in (("_low", "saving_below", -1.0), ("_high", "saving_above", 1.0)):
            bound = sums[impact.name + suffix].to_numpy(dtype=float)
            with np.errstate(divide="ignore", invalid="ignore"):
                width = np.abs(np.log(bound / value))
            own = np.sqrt(np.maximum(width**2 - sums[side].to_numpy(dtype=float) ** 2, 0.0))
            fits = saved & (value > 0.0) & np.isfinite(own)
            narrowed[impact.name + suffix] = np.where(fits, value * np.exp(sign * own), bound)
    return narrowed
