"""Paths, worked out by hand."""

from __future__ import annotations

from datetime import date

import pytest

from reporting.targets.definition import from_plain
from reporting.targets.paths import Base, Path, contradiction, position

YEAR = {"base_from": "2024-01-01", "base_to": "2024-12-31", "target_year": 2030}
SEASONS = Base(1200.0, (200.0, *([90.0] * 10), 100.0))  # 200 + 900 + 100


def path(base: Base | None = SEASONS, **given) -> Path:
    return Path(from_plain(YEAR | given if base is not None else given), base)


def test_linear_years_lie_on_a_straight_line():
    """42 % in six years are 7 % a year of 1,200 kg: 84 kg less each year."""
    found = path(reduction=0.42).by_year()

    assert [year for year, _, _ in found] == [2024, 2025, 2026, 2027, 2028, 2029, 2030]
    assert [kg for _, kg, _ in found] == pytest.approx([1200, 1116, 1032, 948, 864, 780, 696], abs=1e-9)


def test_months_are_held_against_the_same_month_of_the_base():
    """January of 2026: 200 kg less 2 x 7 %."""
    found = path(reduction=0.42)

    assert found.month(date(2026, 1, 1)) == pytest.approx(172.0, abs=1e-9)
    assert found.month(date(2026, 6, 1)) == pytest.approx(77.4, abs=1e-9)
    assert found.between(date(2026, 1, 1), date(2026, 2, 28)) == pytest.approx(249.4, abs=1e-9)
    assert found.between(date(2026, 6, 1), date(2026, 6, 10)) == pytest.approx(77.4 / 3, abs=1e-9)


def test_nothing_is_said_outside_the_path():
    found = path(reduction=0.42)

    assert found.month(date(2023, 12, 1)) is None
    assert found.month(date(2031, 1, 1)) is None
    assert found.between(date(2030, 12, 1), date(2031, 1, 31)) is None


def test_compound_years_multiply():
    """1,200 x 0.9^6 = 637.7292 kg."""
    found = path(path="compound", annual_rate=0.1).by_year()

    assert found[1][1] == pytest.approx(1080.0, abs=1e-9)
    assert found[-1][1] == pytest.approx(637.7292, abs=1e-9)


def test_steps_hold_until_the_next():
    """10 % from 2026, 30 % from 2028, 50 % in 2030; 2025 is as the base."""
    steps = [{"year": 2026, "reduction": 0.1}, {"year": 2028, "reduction": 0.3}]
    found = path(path="stepped", milestones=steps, reduction=0.5).by_year()

    assert [kg for _, kg, _ in found] == pytest.approx([1200, 1200, 1080, 1080, 840, 840, 600], abs=1e-9)


def test_a_straight_line_bends_at_a_milestone():
    """10 % by 2028 are 2.5 % a year, then 20 % a year to 50 % in 2030."""
    found = path(milestones=[{"year": 2028, "reduction": 0.1}], reduction=0.5).by_year()

    assert [kg for _, kg, _ in found] == pytest.approx([1200, 1170, 1140, 1110, 1080, 840, 600], abs=1e-9)


def test_contraction_after_2020_is_steeper_a_year():
    """42 % of 1,200 kg by 2030, in six years instead of ten: 7 % a year, not 4.2 %."""
    found = path(path="contraction").by_year()

    assert found[1][1] == pytest.approx(1116.0, abs=1e-9)
    assert found[-1][1] == pytest.approx(696.0, abs=1e-9)


def test_a_fiscal_base_year_gives_fiscal_years():
    """Base April 2024 to March 2025; the year named 2026 ends in March 2026 and is one year on: 10 % of 1,200 kg less."""
    fiscal = {"base_from": "2024-04-01", "base_to": "2025-03-31", "target_year": 2027, "reduction": 0.2}
    found = Path(from_plain(fiscal), Base(1200.0, (100.0,) * 12))

    assert found.block_of(date(2026, 1, 15)) == (date(2025, 4, 1), date(2026, 3, 31))
    assert found.between(date(2025, 4, 1), date(2026, 3, 31)) == pytest.approx(1080.0, abs=1e-9)
    assert found.last_day == date(2027, 3, 31)


def test_a_short_base_is_spread_over_days():
    """
    90 days at 10 kg; January to March of a common year has its middle at 45/365 = 0.12329.

    The first day of 2027 is 0.87671 years on, and 50 % are gone all that year: 3,650 / 2 kg. The middle of July 2026 is at
    (181 + 15.5) / 365 = 0.53836, 0.41507 years on: 23.672 % of 310 kg are gone.
    """
    short = {"base_from": "2026-01-01", "base_to": "2026-03-31", "target_year": 2027, "reduction": 0.5}
    found = Path(from_plain(short), Base(900.0, (310.0, 280.0, 310.0)))

    assert position(date(2026, 1, 1), date(2026, 3, 31)) == pytest.approx(2026 + 45 / 365, abs=1e-12)
    assert found.between(date(2027, 1, 1), date(2027, 12, 31)) == pytest.approx(1825.0, abs=1e-9)
    assert found.month(date(2026, 7, 1)) == pytest.approx(310.0 * (1 - 0.5 * 0.4150685 / 0.8767123), abs=1e-4)


def test_a_ceiling_spreads_over_the_days_of_the_year():
    """366 kg in 2028, a leap year: 1 kg a day. A rate is the same all the time."""
    total = path(None, path="ceiling", ceiling=366.0, starts_on="2028-01-01", target_year=2028)
    rate = path(None, path="ceiling", ceiling=0.0003, starts_on="2026-01-01", per="request")

    assert total.between(date(2028, 2, 1), date(2028, 2, 29)) == pytest.approx(29.0, abs=1e-9)
    assert rate.between(date(2026, 3, 5), date(2027, 7, 9)) == pytest.approx(0.0003, abs=1e-15)
    assert rate.last_day == date.max


def test_an_intensity_follows_its_rate():
    """2 g per request, 7 % a year: 1.72 g in 2026, whatever the month."""
    found = path(Base(0.002), per="request", reduction=0.42)

    assert found.between(date(2026, 1, 1), date(2026, 8, 31)) == pytest.approx(0.00172, abs=1e-12)


def test_a_recalculated_base_keeps_its_seasons():
    found = SEASONS.scaled_to(1500.0)

    assert found.months[0] == pytest.approx(250.0)
    assert sum(found.months) == pytest.approx(1500.0)


def test_a_long_term_target_stands_beside_a_near_term_one():
    """Minus 42 % by 2030 and minus 90 % by 2040 agree; minus 20 % by 2035 does not agree with the first."""
    near = path(reduction=0.42)

    assert contradiction(path(reduction=0.9, target_year=2040), near) == ""
    assert contradiction(path(reduction=0.2, target_year=2035), near) == "allows less before"
    assert contradiction(near, path(reduction=0.2, target_year=2035)) == "allows more later"
    assert contradiction(path(reduction=0.5), near) == "asks for something else in the same years"
    assert contradiction(path(reduction=0.42), near) == "asks for the same already"
