"""Scores, knock-outs, places and sensitivity, against values worked out by hand."""

import numpy as np
import pytest

from reporting.procurement.answers import Answer, ProcurementError
from reporting.procurement.criteria import Criterion, from_plain
from reporting.procurement.scoring import evaluate

EMISSIONS, COST = Criterion("emissions", 60.0), Criterion("cost", 40.0)


def known(value, low=None, high=None):
    return Answer(value=value, low=low, high=high)


def by_name(result):
    return {each.name: each for each in result.offers}


def test_scores_are_ratios_to_the_best():
    # A: 100 kg, 500; B: 200 kg, 400. Emissions 1 and 0.5, cost 0.8 and 1.
    # A: 0.6 x 1 + 0.4 x 0.8 = 0.92; B: 0.6 x 0.5 + 0.4 x 1 = 0.70
    result = evaluate([EMISSIONS, COST], {"A": [known(100.0), known(500.0)], "B": [known(200.0), known(400.0)]})

    offers = by_name(result)
    assert offers["A"].scores == pytest.approx((1.0, 0.8))
    assert offers["B"].scores == pytest.approx((0.5, 1.0))
    assert offers["A"].total == pytest.approx(0.92)
    assert offers["B"].total == pytest.approx(0.70)
    assert (result.verdict, offers["A"].place, offers["B"].place) == ("leader", 1, 2)


def test_more_is_better_by_the_best_offer_or_by_the_full_mark():
    free = Criterion("claim:carbon_free_hourly_share", 1.0, better="more")
    points = Criterion("rating:support", 1.0, better="more", full_at=10.0)

    result = evaluate([free, points], {"A": [known(0.8), known(7.0)], "B": [known(0.6), known(12.0)]})

    assert by_name(result)["B"].scores == pytest.approx((0.75, 1.0))
    assert by_name(result)["A"].scores == pytest.approx((1.0, 0.7))


def test_changed_weights_flip_the_order_where_the_turning_point_says():
    # A leads emissions by 1 - 0.5 = 0.5, B leads cost by 1 - 0.8 = 0.2. They are equal at share w of the cost where
    # 0.5 (1 - w) = 0.2 w, w = 0.5 / 0.7 = 0.714286
    grid = {"A": [known(100.0), known(500.0)], "B": [known(200.0), known(400.0)]}

    result = evaluate([EMISSIONS, COST], grid)
    before = evaluate([Criterion("emissions", 29.0), Criterion("cost", 71.0)], grid)
    after = evaluate([Criterion("emissions", 28.0), Criterion("cost", 72.0)], grid)

    assert {each.criterion: each.share for each in result.turns} == pytest.approx({0: 0.285714, 1: 0.714286}, abs=1e-6)
    assert (before.offers[0].name, after.offers[0].name) == ("A", "B")


def test_the_share_of_leads_is_that_of_the_geometry():
    # Scores (1, 0.5) and (0.5, 1): A leads where 0.55 (1 + 0.2 u) > 0.45 (1 + 0.2 v) with u, v uniform over -1 to 1. It does
    # not in a triangle with legs 10/9 and 10/11 of the square of area 4: 1 - (10/9 x 10/11 / 2) / 4 = 0.873737
    grid = {"A": [known(1.0), known(2.0)], "B": [known(2.0), known(1.0)]}
    criteria = [Criterion("emissions", 55.0), Criterion("cost", 45.0)]

    first, second = evaluate(criteria, grid), evaluate(criteria, grid)

    assert by_name(first)["A"].leads == pytest.approx(0.873737, abs=0.01)
    assert by_name(first)["A"].leads + by_name(first)["B"].leads == pytest.approx(1.0)
    assert first == second
    assert first.seed == second.seed


def test_without_any_spread_the_first_leads_always_and_equals_part_it():
    grid = {"A": [known(1.0), known(2.0)], "B": [known(2.0), known(1.0)]}

    sure = evaluate([Criterion("emissions", 55.0), Criterion("cost", 45.0)], grid, spread=0.0)
    equal = evaluate([Criterion("emissions", 50.0), Criterion("cost", 50.0)], grid, spread=0.0)

    assert by_name(sure)["A"].leads == 1.0
    assert [each.leads for each in equal.offers] == [0.5, 0.5]
    assert equal.verdict == "not_distinguishable"


def test_overlapping_ranges_share_a_place():
    # 100 (x/÷ 2) against 110: 110 lies well inside; 1,000 does not.
    only = [Criterion("emissions", 1.0)]
    result = evaluate(only, {"A": [known(100.0, 50.0, 200.0)], "B": [known(110.0)], "C": [known(1000.0)]})

    offers = by_name(result)
    assert result.verdict == "not_distinguishable"
    assert (offers["A"].place, offers["B"].place, offers["C"].place) == (1, 1, 3)
    assert offers["A"].rivals == ("B",)
    # A's median is 100, and it is above 110 where a normal of sigma ln 2 / 1.96 exceeds ln 1.1: z = 0.2695, p = 0.394
    assert offers["B"].leads == pytest.approx(0.394, abs=0.01)


def test_errors_that_offers_share_cancel():
    shared = np.exp(np.linspace(-1.0, 1.0, 10_000))
    only = [Criterion("emissions", 1.0)]
    grid = {
        "A": [Answer(value=100.0, low=37.0, high=272.0, draws=100.0 * shared)],
        "B": [Answer(value=110.0, low=41.0, high=299.0, draws=110.0 * shared)],
    }

    result = evaluate(only, grid)

    assert result.verdict == "leader"
    assert by_name(result)["A"].leads == 1.0


def test_what_is_not_known_scores_nothing_and_is_listed():
    silent = Answer(state="not_disclosed", why="no_evidence")
    result = evaluate([EMISSIONS, COST], {"A": [known(100.0), silent], "B": [known(100.0), known(400.0)]})

    assert by_name(result)["A"].total == pytest.approx(0.6)
    assert by_name(result)["A"].unanswered == (1,)


@pytest.mark.parametrize(
    ("criterion", "answer", "why"),
    [
        (Criterion("emissions", 1.0, at_most=99.0), known(100.0), "at_most"),
        (Criterion("emissions", 1.0, at_most=100.0), known(100.0), None),
        (Criterion("rating:support", 1.0, better="more", at_least=6.0), known(5.0), "at_least"),
        (Criterion("emissions", 1.0, at_most=99.0), Answer(state="not_known"), "not_disclosed"),
        (Criterion("claim:pue", 1.0, must_be_known=True), Answer(state="not_disclosed"), "not_disclosed"),
        (Criterion("claim:pue", 1.0), Answer(state="not_disclosed"), None),
    ],
)
def test_knock_outs(criterion, answer, why):
    assert criterion.knocks_out(answer) == why


def test_an_offer_that_is_knocked_out_has_no_place_and_sets_no_mark():
    limited = [Criterion("emissions", 60.0, at_most=150.0), COST]

    result = evaluate(
        limited,
        {
            "A": [known(100.0), known(500.0)],
            "B": [known(200.0), known(100.0)],
            "C": [known(120.0), known(400.0)],
        },
    )

    offers = by_name(result)
    assert (offers["B"].place, offers["B"].total, offers["B"].out) == (None, None, {0: "at_most"})
    assert offers["C"].scores == pytest.approx((100 / 120, 1.0))  # 400, not B's 100, is the best price
    assert result.offers[-1].name == "B"


def test_a_limit_within_the_range_is_said():
    limited = [Criterion("emissions", 1.0, at_most=150.0)]

    result = evaluate(limited, {"A": [known(100.0, 50.0, 200.0)], "B": [known(100.0, 90.0, 110.0)]})

    assert by_name(result)["A"].may_miss == (0,)
    assert by_name(result)["B"].may_miss == ()


def test_one_offer_and_none_left_are_verdicts():
    out = [Criterion("emissions", 1.0, at_most=1.0)]

    assert evaluate([EMISSIONS], {"A": [known(1.0)]}).verdict == "one_offer"
    assert evaluate(out, {"A": [known(2.0)], "B": [known(3.0)]}).verdict == "none_left"
    with pytest.raises(ProcurementError, match="no offer"):
        evaluate([EMISSIONS], {})


@pytest.mark.parametrize(
    ("criteria", "field", "said"),
    [
        ([{"subject": "emissions", "weight": 0}, {"subject": "cost", "weight": 0}], "criteria", "sum to zero"),
        ([{"subject": "emissions", "weight": -1}], "criteria.1.weight", "0 or more"),
        ([{"subject": "emissions", "weight": float("nan")}], "criteria.1.weight", "0 or more"),
        ([{"subject": "beauty", "weight": 1}], "criteria.1.subject", "no criterion"),
        ([{"subject": "claim:beauty", "weight": 1}], "criteria.1.subject", "no criterion"),
        ([{"subject": "cost", "weight": 1}, {"subject": "cost", "weight": 1}], "criteria.2.subject", "already"),
        ([{"subject": "cost", "weight": 1, "at_least": 5, "at_most": 4}], "criteria.1.at_least", "every offer"),
        ([], "criteria", "at least one"),
    ],
)
def test_criteria_that_cannot_be_are_refused(criteria, field, said):
    with pytest.raises(ProcurementError, match=said) as refused:
        from_plain(criteria)

    assert refused.value.field == field


def test_a_range_down_to_zero_is_drawn_without_going_below():
    draws = known(10.0, 0.0, 20.0).drawn("x")

    assert draws.min() == 0.0
    assert np.quantile(draws, 0.975) == pytest.approx(20.0, rel=0.01)
