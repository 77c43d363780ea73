"""What the months to come may be: ranges that hold what they say, and nothing where too little is known."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from reporting.selectors.target_figures import ahead_of
from reporting.targets.definition import from_plain
from reporting.targets.forecast import FEWEST_MONTHS, SHARE, forecast_of, latest_stretch
from reporting.targets.paths import Base, Path, months_between

AHEAD = 6
LENGTHS = (12, 18, 24, 36, 48)
KINDS = ("level", "trend", "season", "both", "walk")


def simulated(rng, kind, size):
    """Make a series as organizations have them: a level, perhaps growth, seasons or a wandering level, and noise."""
    at = np.arange(size)
    drift = rng.uniform(-0.02, 0.03) * at if kind in ("trend", "both") else 0
    seasons = (
        rng.uniform(0.1, 0.4) * np.sin(2 * np.pi * (at + rng.integers(12)) / 12) if kind in ("season", "both") else 0
    )
    wandering = np.cumsum(rng.normal(0, 0.05, size)) if kind == "walk" else 0
    return 10 ** rng.uniform(0, 4) * np.exp(drift + seasons + wandering + rng.normal(0, rng.uniform(0.03, 0.2), size))


@pytest.mark.slow
def test_a_nominal_range_of_80_percent_holds_70_to_90_percent_of_200_series():
    assert SHARE == 0.8
    rng = np.random.default_rng(20260101)
    months, totals, naive = [], [], []
    for at in range(200):
        size = LENGTHS[at // len(KINDS) % len(LENGTHS)]
        series = simulated(rng, KINDS[at % len(KINDS)], size + AHEAD)
        came = series[size:]
        found = forecast_of(tuple(series[:size]), AHEAD)
        months.append(np.mean([each.low <= value <= each.high for each, value in zip(found.months, came, strict=True)]))
        totals.append(found.total.low <= came.sum() <= found.total.high)
        naive.append(abs(found.total.middle - came.sum()) < abs(AHEAD * series[size - 1] - came.sum()))

    assert 0.7 <= np.mean(months) <= 0.9
    assert 0.7 <= np.mean(totals) <= 0.9
    assert np.mean(naive) > 0.55  # better than saying "like last month"


def test_a_flat_year_goes_on_and_seasons_come_again():
    flat = forecast_of((100.0, 101.0, 99.0, 100.5) * 6, AHEAD)
    swing = tuple(100 * (1 + 0.3 * np.sin(2 * np.pi * month / 12)) * (1 + 0.002 * (-1) ** month) for month in range(36))
    seasonal = forecast_of(swing, 12)

    assert flat.total.middle == pytest.approx(600, rel=0.02)
    assert seasonal.seasons
    assert [each.middle for each in seasonal.months] == pytest.approx(list(swing[:12]), rel=0.03)


def test_too_little_says_nothing():
    assert forecast_of((5.0,) * (FEWEST_MONTHS - 1), AHEAD) is None
    assert forecast_of((0.0,) * 24, AHEAD) is None
    assert forecast_of(tuple(range(1, 25)), 0) is None


def test_months_of_nothing_and_any_size_are_taken():
    some = tuple(float(each % 5) for each in range(24))
    found = forecast_of(some, AHEAD)
    large = forecast_of(tuple(each * 1e12 for each in some), AHEAD)

    assert all(0 <= each.low <= each.middle <= each.high for each in found.months)
    assert large.total.middle == pytest.approx(found.total.middle * 1e12, rel=1e-6)


def test_the_total_weighs_the_months():
    history = tuple(100.0 + (each * 7) % 5 for each in range(24))

    whole, half = forecast_of(history, 2), forecast_of(history, 2, (0.5, 0.5))

    assert half.total.middle == pytest.approx(whole.total.middle / 2, rel=1e-12)


def test_a_hole_ends_what_is_read():
    assert latest_stretch([1.0, float("nan"), 2.0]) == (2.0,)


PATH = Path(
    from_plain({"base_from": "2025-01-01", "base_to": "2025-12-31", "target_year": 2030, "reduction": 0.5}),
    Base(1200.0, (100.0,) * 12),
)
YEAR = (date(2026, 1, 1), date(2026, 12, 31))


def months_until(last, value=100.0):
    index = months_between(date(2025, 1, 1), last)
    return pd.DataFrame({"actual": [value + each % 2 for each in range(len(index))]}, index=index)


def test_a_year_is_what_is_over_and_what_is_to_come():
    over, to_come, forecast, read = ahead_of(PATH, months_until(date(2026, 10, 1)), YEAR, date(2026, 10, 20))

    assert (to_come, read) == ((date(2026, 10, 1), date(2026, 11, 1), date(2026, 12, 1)), 21)
    assert over == 9 * 100 + 4  # January to September; October is not over
    assert forecast.total.plus(over).middle == pytest.approx(1205.5, rel=0.01)


def test_a_month_that_is_missing_leaves_the_year_open():
    months = months_until(date(2026, 10, 1))
    months.loc[date(2026, 4, 1), "actual"] = None

    assert ahead_of(PATH, months, YEAR, date(2026, 10, 20))[2] is None
