"""The summary of what is no AI activity stays short, and its sums whole."""

from __future__ import annotations

import pandas as pd
import pytest

from ingestion import outside


def chunk(first: int, count: int) -> pd.DataFrame:
    """Rows of so many services, one each, of which every second is billed in EUR."""
    numbers = range(first, first + count)
    return pd.DataFrame(
        {
            "classification": "other",
            "service": [f"service {number}" for number in numbers],
            "currency": ["EUR" if number % 2 else "USD" for number in numbers],
            "rows": 1,
            "cost": [float(number) for number in numbers],
        }
    )


def test_services_beyond_the_most_costly_are_one_line_for_each_currency() -> None:
    lines: list[dict[str, object]] = []
    for first in (0, 400, 800):
        lines = outside.added(lines, chunk(first, 400))

    assert len(lines) <= outside.LINES + 2
    assert sum(line["rows"] for line in lines) == 1200  # type: ignore[misc]
    for currency, odd in (("EUR", 1), ("USD", 0)):
        cost = sum(line["cost"] for line in lines if line["currency"] == currency)  # type: ignore[misc]
        assert cost == pytest.approx(sum(range(odd, 1200, 2)))
    assert {line["service"] for line in lines} >= {None, "service 1199"}
