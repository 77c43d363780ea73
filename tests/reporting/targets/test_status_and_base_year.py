"""Status words, and when a base year is recalculated."""

from __future__ import annotations

import pytest

from reporting.targets.base_year import event, recalculation
from reporting.targets.definition import TargetError
from reporting.targets.paths import Base
from reporting.targets.status import status_of

KNOWN = {"coverage": 1.0}


@pytest.mark.parametrize(
    ("about", "word", "because"),
    [
        ({"actual": 90.0, "allowed": 100.0}, "on_path", "below"),
        ({"actual": 100.0, "allowed": 100.0}, "on_path", "below"),
        ({"actual": 100.1, "allowed": 100.0}, "off_path", "above"),
        ({"actual": 90.0, "allowed": 100.0, "expected_to_end": 201.0, "allowed_to_end": 200.0}, "at_risk", "crosses"),
        ({"actual": 90.0, "allowed": 100.0, "expected_to_end": 199.0, "allowed_to_end": 200.0}, "on_path", "below"),
        ({"actual": 101.0, "allowed": 100.0, "expected_to_end": 199.0, "allowed_to_end": 200.0}, "off_path", "above"),
        ({"actual": 90.0, "allowed": 100.0, "ended": True}, "met", "ended_below"),
        ({"actual": 110.0, "allowed": 100.0, "ended": True}, "off_path", "ended_above"),
        ({"actual": 10.0, "allowed": 100.0, "coverage": 0.89}, "not_assessable", "coverage_low"),
        ({"actual": None, "allowed": 100.0}, "not_assessable", "no_data"),
        ({"actual": 1.0, "allowed": None}, "not_assessable", "not_begun"),
    ],
)
def test_status_says_how_a_target_stands(about, word, because):
    found = status_of(**(KNOWN | about))

    assert (found.word, found.because) == (word, because)


def test_small_changes_wait_until_their_sum_is_significant():
    """30 kg bought and 10 kg outsourced of 1,000 kg are 2 %; with another 40 kg of an error 6 %, above 5 %."""
    base = Base(1000.0)
    small = [event("acquisition", 30.0), event("outsourcing", 10.0)]

    waiting, due = recalculation(base, small, 0.05), recalculation(base, [*small, event("error", 40.0)], 0.05)

    assert (waiting.delta_kg, waiting.significance, waiting.recalculate) == (20.0, 0.02, False)
    assert (due.significance, due.recalculate, due.base_kg) == (0.06, True, 1060.0)


def test_what_did_not_exist_in_the_base_year_is_growth():
    """GHG Protocol, chapter 5: a facility acquired that was built after the base year changes nothing."""
    found = recalculation(Base(1000.0), [event("acquisition", 500.0, existed=False)], 0.05)

    assert (found.delta_kg, found.recalculate) == (0.0, False)


@pytest.mark.parametrize(
    ("kind", "kg", "said"),
    [
        ("merger", 1.0, "none of"),
        ("acquisition", -5.0, "positive"),
        ("error", 0.0, "not 0"),
        ("error", float("nan"), "not 0"),
    ],
)
def test_an_event_that_cannot_be_is_refused(kind, kg, said):
    with pytest.raises(TargetError, match=said):
        event(kind, kg)


def test_a_base_of_which_nothing_is_left_is_refused():
    with pytest.raises(TargetError, match="Nothing would be left"):
        recalculation(Base(100.0), [event("divestment", 100.0)], 0.05)
