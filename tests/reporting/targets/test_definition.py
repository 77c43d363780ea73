"""What a target may ask for: read, written and refused."""

from __future__ import annotations

import pytest

from reporting.targets.definition import TargetError, as_plain, from_plain, least_contraction

WAY = {"base_from": "2024-01-01", "base_to": "2024-12-31", "target_year": 2030, "reduction": 0.42}
CEILING = {"path": "ceiling", "ceiling": 0.0003, "starts_on": "2026-01-01", "per": "request"}


@pytest.mark.parametrize(
    "given",
    [
        WAY,
        WAY | {"milestones": [{"year": 2027, "reduction": 0.2}], "filter": {"team": ["Search", "Support"]}},
        CEILING | {"filter": {"application": ["assistant"], "task": ["summary"]}},
        WAY | {"measure": "water", "path": "stepped", "milestones": [{"year": 2026, "reduction": 0.1}]},
    ],
)
def test_a_definition_is_written_as_it_was_read(given):
    once = from_plain(given)

    assert from_plain(as_plain(once)) == once


def test_a_rate_tells_the_reduction():
    """Six years at 5 % of the base are 30 %; compound, 1 - 0.95^6 = 26.49 %."""
    by_rate = {**WAY, "reduction": None, "annual_rate": 0.05}

    assert from_plain(by_rate).reduction == pytest.approx(0.30, abs=1e-12)
    assert from_plain(by_rate | {"path": "compound"}).reduction == pytest.approx(0.264908109375, abs=1e-12)


def test_minimum_of_the_contraction_counts_from_2020():
    """4.2 % x (2030 - 2018) = 50.4 %; a base of 2024 does not shorten the way: 4.2 % x (2030 - 2020) = 42 %."""
    assert least_contraction(2018, 2030) == pytest.approx(0.504, abs=1e-12)
    assert least_contraction(2024, 2030) == pytest.approx(0.42, abs=1e-12)
    assert least_contraction(2024, 2030, "well-below-2C") == pytest.approx(0.25, abs=1e-12)
    asked = from_plain({**WAY, "reduction": None, "path": "contraction"})
    assert asked.reduction == pytest.approx(0.42, abs=1e-12)
    assert asked.ambition == "1.5C"


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"target_year": 2024}, "target_year", "not after the base year 2024"),
        ({"target_year": 2020}, "target_year", "not after"),
        ({"target_year": None}, "target_year", "by which year"),
        ({"reduction": None}, "reduction", "how much"),
        ({"reduction": 42}, "reduction", "0.42 for 42 %"),
        ({"reduction": 0.0}, "reduction", "above 0"),
        ({"annual_rate": 0.05}, "annual_rate", "say one of both"),
        ({"base_to": None}, "base_from", "first and the last day"),
        ({"base_to": "2023-12-31"}, "base_to", "ends before"),
        ({"base_from": "2024-01-15"}, "base_from", "whole months"),
        ({"base_to": "2025-01-31"}, "base_to", "a year at most"),
        ({"filter": {"team": []}}, "filter", "names no value"),
        ({"filter": {"teem": ["x"]}}, "filter", "no dimension"),
        ({"filter": {"team": "Search"}}, "filter", "list of text"),
        ({"milestones": [{"year": 2027, "reduction": 0.5}]}, "milestones", "contradicts"),
        ({"milestones": [{"year": 2031, "reduction": 0.1}]}, "milestones", "outside 2025 to 2030"),
        ({"milestones": [{"year": 2030, "reduction": 0.1}]}, "milestones", "Two reductions"),
        (
            {"milestones": [{"year": 2027, "reduction": 0.3}, {"year": 2028, "reduction": 0.2}]},
            "milestones",
            "contradicts 30.0% in 2027",
        ),
        ({"path": "stepped"}, "milestones", "needs its steps"),
        ({"path": "contraction", "reduction": 0.3}, "reduction", "less than the 42.0%"),
        ({"path": "contraction", "per": "request"}, "path", "not about a rate"),
        ({"path": "contraction", "base_from": "2014-01-01", "base_to": "2014-12-31"}, "base_from", "before 2015"),
        ({"ceiling": 5}, "ceiling", "belong to a ceiling"),
        ({"per": "request", "basis": "market"}, "basis", "location-based"),
        ({"per": "request", "measure": "water"}, "per", "Only emissions"),
        ({"surprise": 1}, "surprise", "no field"),
        ({"significance_threshold": 0}, "significance_threshold", "above 0"),
    ],
)
def test_a_target_that_contradicts_itself_is_refused(change, field, said):
    with pytest.raises(TargetError, match=said) as refused:
        from_plain(WAY | change)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"ceiling": None}, "ceiling"),
        ({"ceiling": -1}, "ceiling"),
        ({"starts_on": None}, "starts_on"),
        ({"starts_on": "2026-01-02"}, "starts_on"),
        ({"reduction": 0.4}, "reduction"),
        ({"base_from": "2025-01-01"}, "base_from"),
        ({"target_year": 2025}, "target_year"),
    ],
)
def test_a_ceiling_that_contradicts_itself_is_refused(change, field):
    with pytest.raises(TargetError) as refused:
        from_plain(CEILING | change)

    assert refused.value.field == field
