"""Why this number names the days of each plan: a site's readings give one use a plan a month."""

from __future__ import annotations

import pytest

from reporting.pages.explain import days_of


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-07-01", "2026-07-31", "July 2026"),
        ("2026-07-01", "2026-09-30", "Q3 2026"),
        ("2026-07-03", "2026-07-03", "3 Jul 2026"),
        ("2026-07-03", "2026-08-02", "3 Jul – 2 Aug 2026"),
        (None, None, "2026"),
    ],
)
def test_days_are_named_as_people_do(first, last, said):
    assert days_of({"first_day": first, "last_day": last, "year": 2026}) == said
