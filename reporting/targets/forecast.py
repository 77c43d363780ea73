"""
What the months to come may be: a structural time series in logarithms, fitted by statsmodels.

A level that wanders, or one that also drifts, with the seasons of the year once two years are known; which of them, Akaike's
criterion for small samples says (Hurvich & Tsai, Biometrika 76, 1989). The range holds what is not known of level, drift and
seasons, the noise to come, and, by Student's t, what is not known of the noise itself. Source of the model: Harvey, Forecasting,
Structural Time Series Models and the Kalman Filter, Cambridge 1989, chapters 2 and 4. Docs: docs/methodology/targets.md.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np

SHARE: Final = 0.8
"""Of what may come, inside the range."""
FEWEST_MONTHS: Final = 12
MONTHS_FOR_SEASONS: Final = 24
HARMONICS: Final = 2
DRAWS: Final = 2000
SEED: Final = 20261125
FEWEST_DEGREES_OF_FREEDOM: Final = 3


@dataclass(frozen=True)
class Range:
    """Lower end, middle and upper end of what may come; ``SHARE`` of it lies between the ends."""

    low: float
    middle: float
    high: float

    def plus(self, known: float) -> Range:
        """Add what is known already."""
        return Range(self.low + known, self.middle + known, self.high + known)


@dataclass(frozen=True)
class Forecast:
    """
    Months to come, and what they come to together.

    Args:
        months: one range a month, in order; the unit is that of the history.
        total: of the weighted sum of the months.
        read: how many months it was made from.
        seasons: whether the seasons of the year are in it.
    """

    months: tuple[Range, ...]
    total: Range
    read: int
    seasons: bool


def latest_stretch(values: Sequence[float | None]) -> tuple[float, ...]:
    """
    Give the last months without a hole.

    >>> latest_stretch([1.0, None, 2.0, 3.0]), latest_stretch([1.0, None])
    ((2.0, 3.0), ())
    """
    found: list[float] = []
    for value in reversed(values):
        if value is None or value != value:  # NaN
            break
        found.append(float(value))
    return tuple(reversed(found))


@lru_cache(maxsize=512)
def forecast_of(history: tuple[float, ...], ahead: int, weights: tuple[float, ...] | None = None) -> Forecast | None:
    """
    Say what the months after a history may come to; the same every time.

    Args:
        history: months one after the other, the latest last, none missing.
        ahead: how many months are to come.
        weights: of each of them in the total; 1 each by default.

    Returns:
        None for fewer than FEWEST_MONTHS, or where they are all zero: then nobody can tell.
    """
    if ahead < 1 or len(history) < FEWEST_MONTHS or not any(history):
        return None
    values = np.asarray(history, dtype=float)
    positive = bool((values > 0).all())  # a month of nothing has no logarithm
    scale = 1.0 if positive else float(np.abs(values).max())
    fitted, parameters, seasons = _fitted(np.log(values) if positive else values / scale)
    draws = _draws(fitted, ahead, len(values), parameters)
    paths = np.exp(draws) if positive else np.clip(draws * scale, 0.0, None)
    shares = np.asarray(weights if weights is not None else (1.0,) * ahead)
    return Forecast(
        tuple(_range(row) for row in paths), _range((paths * shares[:, None]).sum(axis=0)), len(values), seasons
    )


def _fitted(values: np.ndarray) -> tuple[Any, int, bool]:
    """Fit every form and choose one: the results, how many parameters it has, whether it has seasons."""
    from statsmodels.tsa.statespace.structural import UnobservedComponents  # takes a second to load

    size, best = len(values), None
    for level in ("local level", "random walk with drift"):
        for seasons in (False, True) if size >= MONTHS_FOR_SEASONS else (False,):
            model = UnobservedComponents(
                values,
                level=level,
                freq_seasonal=[{"period": 12, "harmonics": HARMONICS}] if seasons else None,
                stochastic_freq_seasonal=[False] if seasons else None,
            )
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a flat likelihood does not converge: the criterion sees to it
                fitted = model.fit(disp=False, maxiter=100)
            # states that begin unknown are parameters too, and use up the first months
            unknown = fitted.loglikelihood_burn
            count = len(fitted.params) + unknown
            likelihood = fitted.llf_obs[unknown:].sum() / (size - unknown) * size
            criterion = -2 * likelihood + 2 * count + 2 * count * (count + 1) / max(size - count - 1, 1)
            if best is None or criterion < best[0]:
                best = (criterion, fitted, count, seasons)
    assert best is not None  # noqa: S101  (the first form is always tried)
    return best[1], best[2], best[3]


def _draws(fitted: Any, ahead: int, size: int, parameters: int) -> np.ndarray:
    """Draw ways on, a column each, around the mean; wider for what so few months do not tell of their own noise."""
    rng = np.random.default_rng(SEED)
    middle = np.asarray(fitted.get_forecast(ahead).predicted_mean)
    drawn = np.asarray(fitted.simulate(ahead, anchor="end", repetitions=DRAWS, rng=rng)).reshape(ahead, DRAWS)
    freedom = max(size - parameters, FEWEST_DEGREES_OF_FREEDOM)
    wider = np.sqrt(size / rng.chisquare(freedom, DRAWS))
    spread: np.ndarray = middle[:, None] + (drawn - drawn.mean(axis=1, keepdims=True)) * wider
    return spread


def _range(values: np.ndarray) -> Range:
    low, middle, high = np.quantile(values, [(1 - SHARE) / 2, 0.5, (1 + SHARE) / 2])
    return Range(float(low), float(middle), float(high))
