"""
Scores, knock-outs, places and how sure they are.

A score is a ratio to the best offer: ``best / value`` where less is better, ``value / best`` where more is, so that half the
emissions are twice the points whatever a third offer says. What is not known scores nothing and is listed, never filled in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from core.quantification.comparison import QUANTILES
from core.quantification.intervals import MONTE_CARLO_DRAWS
from reporting.procurement.answers import Answer, Floats, ProcurementError
from reporting.procurement.criteria import Criterion, as_plain, shares_of

WEIGHT_SPREAD: Final = 0.2
"""How far each weight is moved either way to see whether the order holds."""

Grid = Mapping[str, Sequence[Answer]]
"""Offer to its answers, one for each criterion in their order."""


@dataclass(frozen=True)
class Scored:
    """
    One offer.

    Attributes:
        scores: of each criterion, 0 to 1; 0 where it is not known.
        total: weighed sum, 0 to 1; None where the offer is knocked out.
        low, high: 95 % interval of the total at the weights as they are.
        out: position of a criterion to why it knocks the offer out.
        may_miss: criteria whose limit part of the offer's range misses.
        unanswered: criteria without a value.
        place: from 1; offers that cannot be told apart share one. None where it is knocked out.
        leads: share of simulated weights and values in which it has most points.
        rivals: offers of the same place.
    """

    name: str
    scores: tuple[float, ...]
    total: float | None
    low: float | None
    high: float | None
    out: Mapping[int, str]
    may_miss: tuple[int, ...]
    unanswered: tuple[int, ...]
    place: int | None
    leads: float
    rivals: tuple[str, ...]


@dataclass(frozen=True)
class Turn:
    """Where the order of the two best turns: ``rival`` leads once the criterion has this share of all weights."""

    criterion: int
    share: float
    now: float
    rival: str


@dataclass(frozen=True)
class Result:
    """
    The outcome.

    Attributes:
        offers: best first, those knocked out last.
        verdict: ``leader``, ``not_distinguishable``, ``one_offer`` or ``none_left``.
        draws, seed: of the simulation.
    """

    offers: tuple[Scored, ...]
    verdict: str
    turns: tuple[Turn, ...]
    shares: tuple[float, ...]
    draws: int
    seed: str


def evaluate(criteria: Sequence[Criterion], grid: Grid, *, spread: float = WEIGHT_SPREAD) -> Result:
    """
    Score, rank and shake offers.

    Args:
        criteria: with weights.
        grid: answers of each offer.
        spread: share by which each weight is moved either way, uniformly and apart from the others.

    Raises:
        ProcurementError: weights that sum to zero, no offer.
    """
    shares = np.array(shares_of(criteria))
    if not grid:
        raise ProcurementError("offers", "There is no offer to evaluate: add one.")
    outs = {name: _out(criteria, answers) for name, answers in grid.items()}
    kept = [name for name in grid if not outs[name]]
    values, drawn = _values(criteria, grid, kept)
    scores, score_draws = _scores(criteria, values[:, :, None])[:, :, 0], _scores(criteria, drawn)
    totals, total_draws = scores @ shares, np.einsum("ocd,c->od", score_draws, shares)
    seed = seed_of(criteria, grid)
    leads = _leads(score_draws, shares, seed, spread)
    places = _places(kept, totals, total_draws)
    found = []
    for name, answers in grid.items():
        at = kept.index(name) if name in kept else None
        low, high = (None, None) if at is None else _interval(total_draws[at], float(totals[at]))
        found.append(
            Scored(
                name=name,
                scores=tuple(float(each) for each in scores[at]) if at is not None else (0.0,) * len(criteria),
                total=None if at is None else float(totals[at]),
                low=low,
                high=high,
                out=outs[name],
                may_miss=tuple(
                    number for number, each in enumerate(criteria) if at is not None and each.may_miss(answers[number])
                ),
                unanswered=tuple(number for number, each in enumerate(answers) if not each.is_known),
                place=places.get(name),
                leads=0.0 if at is None else float(leads[at]),
                rivals=tuple(each for each in kept if each != name and places.get(each) == places.get(name))
                if at is not None
                else (),
            )
        )
    found.sort(key=lambda each: (each.place is None, each.place or 0, -(each.total or 0.0), each.name))
    return Result(
        offers=tuple(found),
        verdict=_verdict(len(grid), kept, places),
        turns=_turns(kept, scores, shares),
        shares=tuple(float(each) for each in shares),
        draws=MONTE_CARLO_DRAWS,
        seed=seed,
    )


def seed_of(criteria: Sequence[Criterion], grid: Grid) -> str:
    """Name the simulation after what is evaluated: the same question has the same draws, on any machine."""
    said = {
        "criteria": [as_plain(each) for each in criteria],
        "offers": {
            name: [[each.state, each.value, each.low, each.high] for each in answers] for name, answers in grid.items()
        },
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]


def _out(criteria: Sequence[Criterion], answers: Sequence[Answer]) -> dict[int, str]:
    found = {number: each.knocks_out(answers[number]) for number, each in enumerate(criteria)}
    return {number: why for number, why in found.items() if why}


def _values(criteria: Sequence[Criterion], grid: Grid, kept: Sequence[str]) -> tuple[Floats, Floats]:
    """Lay out the values and their draws; NaN where an offer does not say. [offers, criteria], [offers, criteria, draws]"""
    values = np.full((len(kept), len(criteria)), np.nan)
    drawn = np.full((len(kept), len(criteria), MONTE_CARLO_DRAWS), np.nan)
    for row, name in enumerate(kept):
        for column, criterion in enumerate(criteria):
            answer = grid[name][column]
            if answer.is_known and answer.value is not None:
                values[row, column] = answer.value
                drawn[row, column] = answer.drawn(f"offer {name}, {criterion.subject}")
    return values, drawn


def _scores(criteria: Sequence[Criterion], values: Floats) -> Floats:
    """Score values against the best of each draw. [offers, criteria, draws]"""
    scores = np.zeros(values.shape)
    for column, criterion in enumerate(criteria):
        own = values[:, column]
        known = ~np.isnan(own)
        if not known.any():
            continue
        filled = np.where(known, own, np.inf if criterion.better == "less" else -np.inf)
        if criterion.better == "less":
            best = filled.min(axis=0)
            with np.errstate(divide="ignore", invalid="ignore"):
                score = np.where(filled <= best, 1.0, best / filled)
        else:
            best = filled.max(axis=0) if criterion.full_at is None else np.full(own.shape[1], criterion.full_at)
            with np.errstate(divide="ignore", invalid="ignore"):
                score = np.where(best > 0.0, np.minimum(filled / best, 1.0), 1.0)
        scores[:, column] = np.where(known, np.clip(score, 0.0, 1.0), 0.0)
    return scores


def _interval(draws: Floats, value: float) -> tuple[float, float]:
    low, high = (float(each) for each in np.quantile(draws, QUANTILES))
    return min(low, value), max(high, value)


def _leads(score_draws: Floats, shares: Floats, seed: str, spread: float) -> Floats:
    """Give each offer the share of draws in which it has most points; those that are equal part a draw between them."""
    generator = np.random.Generator(np.random.PCG64(int(seed, 16)))
    moved = shares[None, :] * (1.0 + spread * (2.0 * generator.random((MONTE_CARLO_DRAWS, len(shares))) - 1.0))
    totals = np.einsum("ocd,dc->od", score_draws, moved / moved.sum(axis=1, keepdims=True))
    if not len(totals):
        return np.zeros(0)
    first = totals >= totals.max(axis=0) - 1e-12
    return np.asarray((first / first.sum(axis=0)).mean(axis=1))


def _places(kept: Sequence[str], totals: Floats, draws: Floats) -> dict[str, int]:
    """Give places: whoever cannot be told apart from the best of those left shares its place."""
    order = sorted(range(len(kept)), key=lambda at: (-totals[at], kept[at]))
    places: dict[str, int] = {}
    while order:
        best, place = order[0], len(places) + 1
        same = [at for at in order if at == best or not _better(draws[best] - draws[at])]
        places |= {kept[at]: place for at in same}
        order = [at for at in order if at not in same]
    return places


def _better(difference: Floats) -> bool:
    return float(np.quantile(difference, QUANTILES[0])) > 1e-12


def _verdict(offers: int, kept: Sequence[str], places: Mapping[str, int]) -> str:
    if not kept:
        return "none_left"
    if offers == 1 or len(kept) == 1:
        return "one_offer"
    return "leader" if sum(place == 1 for place in places.values()) == 1 else "not_distinguishable"


def _turns(kept: Sequence[str], scores: Floats, shares: Floats) -> tuple[Turn, ...]:
    """Find the share at which each criterion by itself would let the second best lead, the others keeping their proportions."""
    if len(kept) < 2:
        return ()
    totals = scores @ shares
    best, second = sorted(range(len(kept)), key=lambda at: (-totals[at], kept[at]))[:2]
    gains = scores[best] - scores[second]
    found = []
    for number, gain in enumerate(gains):
        rest = float(totals[best] - totals[second] - shares[number] * gain)
        if gain == 0.0 or -rest / gain < 0.0 or (rest == 0.0 and shares[number] == 0.0):
            continue
        weight = -rest / float(gain)
        others = 1.0 - float(shares[number])
        if weight + others > 0.0:
            found.append(Turn(number, weight / (weight + others), float(shares[number]), kept[second]))
    return tuple(sorted(found, key=lambda each: abs(each.share - each.now)))
