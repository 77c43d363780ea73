"""Readings become dated factors of their site, whose id says from which readings they follow."""

from __future__ import annotations

from datetime import date

import pytest

from core.quantification.site_factors import factors_of_site
from core.quantification.site_metrics import Reading

READINGS = [
    Reading(date(2026, 3, 1), 120.0, 100.0, 40.0),
    Reading(date(2026, 12, 1), 390.0, 300.0),
]


def test_months_and_the_year_between_them():
    factors = [factor for factor in factors_of_site("berlin", READINGS) if factor.name == "pue"]

    found = {(factor.id, factor.valid_from, factor.valid_to): (factor.value, factor.match) for factor in factors}
    assert found == {
        ("register:berlin:2026:pue", date(2026, 1, 1), date(2026, 3, 1)): (pytest.approx(1.275), "default"),
        ("register:berlin:2026-03:pue", date(2026, 3, 1), date(2026, 4, 1)): (1.2, "exact"),
        ("register:berlin:2026:pue", date(2026, 4, 1), date(2026, 12, 1)): (pytest.approx(1.275), "default"),
        ("register:berlin:2026-12:pue", date(2026, 12, 1), date(2027, 1, 1)): (1.3, "exact"),
    }
    assert {tuple(factor.where.items()) for factor in factors} == {(("site", "berlin"),)}


def test_water_follows_from_the_months_that_have_both_meters():
    wue = [factor for factor in factors_of_site("berlin", READINGS) if factor.name == "wue_l_per_kwh"]

    assert {factor.value for factor in wue} == {0.4}
    assert next(factor.source for factor in wue if factor.match == "default") == (
        "meter readings of berlin, 1 month of 2026 (site-year)"
    )


def test_a_site_without_an_it_meter_gives_nothing():
    assert factors_of_site("berlin", [Reading(date(2026, 3, 1), 120.0)]) == []
