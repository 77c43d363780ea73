"""Training: its operations, and what it is beside use: spread, break-even, overhead (methodology 1.4, 2.5, 2.9, 7).

Waits for its caller: pages show training as its own stage so far; published cases hold the formulas.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

FLOP_PER_PARAMETER_TOKEN: Final = 6.0


def training_flop(parameters: float, tokens: float, flop_per_param_token: float = FLOP_PER_PARAMETER_TOKEN) -> float:
    """
    Return the operations of training all parameters once over the tokens: forward 2, backward 4.

    Args:
        parameters: active ones. [1]
        tokens: of training data, repetitions included. [1]

    >>> training_flop(1e9, 1e9)
    6e+18
    """
    return flop_per_param_token * parameters * tokens


def model_flop_utilization(
    parameters: float,
    tokens_per_s: float,
    peak_flop_per_s: float,
    device_count: float,
    flop_per_param_token: float = FLOP_PER_PARAMETER_TOKEN,
) -> float:
    """
    Return MFU: useful operations over the peak of all devices.

    Source: PaLM (Chowdhery et al. 2022), appendix B.

    >>> round(model_flop_utilization(540.35e9, 238_300, 275e12, 6144), 3)
    0.457
    """
    return flop_per_param_token * parameters * tokens_per_s / (peak_flop_per_s * device_count)


@dataclass(frozen=True)
class Spread:
    """Training spread over the listed days; a day without requests stays unallocated. [kg CO2e]"""

    daily_kg: float
    per_request_kg: tuple[float | None, ...]
    allocated_kg: float
    unallocated_kg: float


def spread_training(training_kg: float, window_days: float, requests_per_day: Sequence[float]) -> Spread:
    """
    Spread a training run evenly over a window of days and, in each day, over its requests. For display only.

    Args:
        training_kg: emissions of the run. [kg CO2e]
        window_days: from first serving.
        requests_per_day: of the listed days, from the first.

    Source: methodology section 7.
    """
    if window_days <= 0.0:
        raise ValueError("the window is at least a part of a day")
    daily = training_kg / window_days
    per_request = tuple(daily / requests if requests else None for requests in requests_per_day)
    served = sum(1 for requests in requests_per_day if requests)
    return Spread(daily, per_request, daily * served, daily * (len(requests_per_day) - served))


def break_even_requests(upfront: float, per_request: float) -> float:
    """
    Return after how many requests inference equals what was spent before, both in kWh or both in kg.

    Source: Luccioni et al. 2024 (BLOOMz); methodology section 7.

    >>> break_even_requests(100.0, 0.5)
    200.0
    """
    if per_request <= 0.0:
        raise ValueError("a request has to cost something")
    return upfront / per_request


def development_multiplier(final: float, everything: float) -> tuple[float, float]:
    """
    Return the final run's share of all recorded work, and how many times larger all of it is.

    Source: methodology 1.4, after Luccioni et al. 2022 (BLOOM).

    >>> development_multiplier(50.0, 100.0)
    (0.5, 2.0)
    """
    return final / everything, everything / final


def scale_by_time(quantity: float, measured_time: float, target_time: float) -> float:
    """
    Extrapolate a quantity by time: a partial run to its end, one run to all runs. The result carries ``estimated``.

    Source: Dodge et al. 2022; methodology 2.9.

    >>> scale_by_time(13800.0, 8.0, 60.0)
    103500.0
    """
    return quantity / measured_time * target_time


def total(parts: Sequence[float]) -> float:
    """Return an exactly rounded sum."""
    return math.fsum(parts)
