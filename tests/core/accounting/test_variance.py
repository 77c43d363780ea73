"""The variance of real records, and what was recorded in each period."""

from __future__ import annotations

import math
from datetime import date

import pytest

from core.accounting.figures import Filter
from core.accounting.selectors import emissions
from core.accounting.selectors.variance import covered_shares, variance_between
from core.accounting.services import derive_dirty_days, ensure_current_view
from core.accounting.small_groups import SMALL_GROUPS
from core.organizations.services import create_team
from tests.core.accounting.conftest import metered

JUNE = Filter(date(2026, 6, 1), date(2026, 6, 30))
JULY = Filter(date(2026, 7, 1), date(2026, 7, 31))
DE_KG_PER_KWH = 0.329  # EEA, 2023


def meter(number: int, kwh: float, day: str, **fields):
    return metered(number, kwh, day=day, energy_boundary="facility", **fields)


@pytest.fixture
def derived(committed_db, organization, factor_set, write):
    """Give what writes records and derives their days."""

    def deliver(*records, **options):
        write(*records, **options)
        ensure_current_view(organization.id)
        while derive_dirty_days(organization.id).left:
            pass

    return deliver


def plain(asked: Filter, **changes) -> Filter:
    return Filter(asked.from_day, asked.to_day, include=(), **changes)


@pytest.mark.slow
def test_parts_lead_from_one_figure_to_the_other(organization, derived):
    derived(
        meter(1, 100.0, "2026-06-01", model="a", output_tokens=1000),
        meter(2, 100.0, "2026-06-28", model="b", output_tokens=1000),
        meter(3, 150.0, "2026-07-01", model="a", output_tokens=3000),
        meter(4, 100.0, "2026-07-30", model="b", output_tokens=1000),
    )

    found = variance_between(organization.id, plain(JULY), plain(JUNE)).found

    before, after = (
        float(emissions(organization.id, plain(each)).rows["total_kg_co2e"].iloc[0]) for each in (JUNE, JULY)
    )
    assert (found.before_kg, found.after_kg) == pytest.approx((before, after))
    # Twice the tokens at 0.1 kWh each; the 1,000 that left b for a cost the same; a then took 0.05 kWh less for 3,000.
    assert found.parts["volume"] == pytest.approx(200 * DE_KG_PER_KWH)
    assert found.parts["mix"] == pytest.approx(0.0, abs=1e-9)
    assert found.parts["efficiency"] == pytest.approx(-3000 * 0.05 * DE_KG_PER_KWH)
    assert math.fsum(found.parts.values()) == pytest.approx(after - before, abs=1e-9)


@pytest.mark.slow
def test_a_source_that_begins_with_the_later_period_is_coverage(organization, derived):
    derived(meter(1, 100.0, "2026-06-01", model="a"), meter(2, 100.0, "2026-07-30", model="a"))
    derived(meter(3, 40.0, "2026-07-01", model="b"), meter(4, 10.0, "2026-07-31", model="b"), source="agent")

    result = variance_between(organization.id, plain(JULY), plain(JUNE))

    assert result.found.parts["coverage"] == pytest.approx(50 * DE_KG_PER_KWH)
    assert result.found.parts["volume"] == pytest.approx(0.0, abs=1e-9)
    assert [(each.name, each.before, each.after) for each in result.covered] == [("agent", 0.0, 1.0)]
    assert result.contributors("source").set_index("source").loc["agent", "coverage"] == pytest.approx(
        50 * DE_KG_PER_KWH
    )


@pytest.mark.slow
def test_small_teams_are_together_in_contributions(organization, derived):
    for name, people in (("legal", 2), ("press", 3), ("search", 9)):
        create_team(organization_id=organization.id, name=name, head_count=people)
    derived(
        meter(1, 1.0, "2026-06-01", team="legal"),
        meter(2, 2.0, "2026-06-01", team="press"),
        meter(3, 4.0, "2026-07-30", team="legal"),
        meter(4, 8.0, "2026-07-30", team="search"),
    )

    everybody = variance_between(organization.id, plain(JULY), plain(JUNE)).contributors("team")
    legal = variance_between(organization.id, plain(JULY, dims={"team": ("legal",)}), plain(JUNE)).found

    assert set(everybody["team"]) == {SMALL_GROUPS, "search"}
    assert (legal.before_kg, legal.after_kg) == pytest.approx((3 * DE_KG_PER_KWH, 4 * DE_KG_PER_KWH))


@pytest.mark.slow
def test_before_anything_was_derived_there_is_nothing_to_tell(organization, committed_db):
    found = variance_between(organization.id, plain(JULY), plain(JUNE))

    assert (found.found.before_kg, found.found.after_kg, found.view_id) == (0.0, 0.0, None)
    assert found.contributors("work").empty


PERIODS = (Filter(date(2026, 6, 1), date(2026, 6, 30)), Filter(date(2026, 7, 1), date(2026, 7, 31)))


def shares(first: date, last: date, latest: date = date(2026, 12, 31)):
    spans = {("x", None): (first, last), ("other", None): (date(2026, 1, 1), latest)}
    found = covered_shares(spans, {("x", None): "x"}, PERIODS)["x"]
    return found.before, found.after


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2026, 1, 1), date(2026, 12, 1), (1.0, 1.0)),
        (date(2026, 6, 8), date(2026, 7, 24), (1.0, 1.0)),  # silent for a week at either end: it was there all the same
        (date(2026, 6, 16), date(2026, 12, 1), (0.5, 1.0)),
        (date(2026, 1, 1), date(2026, 7, 16), (1.0, 16 / 31)),
        (date(2026, 7, 1), date(2026, 12, 1), (0.0, 1.0)),
        (date(2026, 8, 1), date(2026, 12, 1), (0.0, 0.0)),
    ],
)
def test_a_recorder_covers_the_days_between_its_first_and_its_last(first, last, expected):
    assert shares(first, last) == pytest.approx(expected)


def test_days_that_nobody_could_record_yet_are_not_missing():
    assert shares(date(2026, 1, 1), date(2026, 7, 10), latest=date(2026, 7, 10)) == (1.0, 1.0)


def test_sources_of_one_unit_record_for_each_other():
    spans = {
        ("bill", None): (date(2026, 1, 1), date(2026, 6, 15)),
        ("agent", "a"): (date(2026, 6, 16), date(2026, 8, 1)),
    }
    recorders = {("bill", None): "cluster", ("agent", "a"): "cluster"}

    found = covered_shares(spans, recorders, PERIODS)

    assert (found["cluster"].before, found["cluster"].after) == (1.0, 1.0)
