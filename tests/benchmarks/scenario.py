"""
Measure scenarios over a million hourly cells of 200 teams and 300 models, a year: seconds from the question to the answer.

Each rule touches every cell, so everything is derived again; the rules of the three scenarios differ. Beside it stands what the
plain figures of the same days take, in the same run. ``scenario_first`` makes every plan anew. Run: ``make bench
ONLY=scenario``.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.benchmarks.pages import fill
from tests.benchmarks.stage import stage

GOAL_S: Final = 2.0
RUNS: Final = 5
SCENARIOS: Final = (
    [{"sets": {"model": "gpt-4o-mini"}, "share": 0.3}],
    [{"sets": {"zone": "SE"}}, {"energy_saving": {"value": 0.2, "low": -0.1, "high": 0.4}, "source": "trial"}],
    [{"factors": {"pue": 1.1}, "source": "new hall"}, {"scales": {"volume": 1.5}}],
)


def measure() -> list[dict[str, Any]]:
    """Return the figures as `make bench` writes them."""
    with stage() as on:
        fill(on)
        from core.accounting.figures import Filter
        from core.accounting.selectors import emissions
        from core.accounting.selectors.scenarios import side_by_side
        from core.quantification.plan import make_plan
        from core.quantification.scenario import from_plain

        last = datetime.now(UTC).date() - timedelta(days=1)
        year = Filter(last - timedelta(days=364), last)
        rules = [from_plain(list(each)) for each in SCENARIOS]
        plain = seconds(lambda: emissions(on.organization_id, year))
        first = []
        for _ in range(RUNS):
            make_plan.cache_clear()
            first += seconds(lambda: side_by_side(on.organization_id, year, rules[:1]), runs=1)
        one = seconds(lambda: side_by_side(on.organization_id, year, rules[:1]))
        three = seconds(lambda: side_by_side(on.organization_id, year, rules))
    named = {"scenario_first": first, "scenario": one, "scenario_three": three}
    return [
        row(f"{name}{suffix}", took, compared_with, other)
        for name, took in named.items()
        for suffix, compared_with, other in (
            ("", "goal", GOAL_S),
            ("_beside_figures", "the same days without a scenario, same run", statistics.median(plain)),
        )
    ]


def seconds(work: Callable[[], object], runs: int = RUNS) -> list[float]:
    """Time the same work again and again. [s]"""
    took = []
    for _ in range(runs):
        started = time.perf_counter()
        work()
        took.append(time.perf_counter() - started)
    return took


def row(name: str, took: list[float], compared_with: str, other: float) -> dict[str, Any]:
    value = statistics.median(took)
    return {
        "name": name,
        "value": value,
        "unit": "s",
        "compared_with": compared_with,
        "compared_value": other,
        "ratio": value / other,
        "runs": len(took),
        "spread": (max(took) - min(took)) / value,
    }
