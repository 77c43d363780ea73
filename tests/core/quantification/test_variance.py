"""Why another period has another figure: parts worked out by hand, and the law that they sum to the difference."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from core.quantification.variance import COMPONENTS, KIND, MEASURES, NOT_KNOWN, PARTS, Variance, variance

NOTHING: dict[str, Any] = {
    **dict.fromkeys(("team", *KIND, "method", "source", "recorder")),
    **dict.fromkeys((*MEASURES, "energy_facility_kwh", *COMPONENTS), np.nan),
    "records": 1,
}
QUICK = (Phase.explicit, Phase.reuse, Phase.generate)  # frames shrink slowly
LOCATION = ["location_kg_co2e"]


def frame(*rows: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([NOTHING | row for row in rows], columns=list(NOTHING))


def use(model: str, tokens: float, kwh: float | None, kg: float | None, **fields: Any) -> dict[str, Any]:
    amounts = {"output_tokens": tokens, "energy_facility_kwh": kwh, "location_kg_co2e": kg}
    return {"stage": "inference", "model": model, "method": "tokens", **amounts, **fields}


def parts_of(found: Variance, **expected: float) -> None:
    """Assert every part, those that are not named as 0, and that they lead from one period to the other."""
    whole = dict.fromkeys((*PARTS, NOT_KNOWN), 0.0) | expected
    assert {**found.parts, NOT_KNOWN: found.not_known_kg} == pytest.approx(whole, abs=1e-9)
    assert math.fsum(whole.values()) == pytest.approx(found.difference_kg, abs=1e-9)


def test_two_models_on_a_cleaner_grid_by_hand() -> None:
    """
    1,000 tokens each by a model of 10 Wh and one of 2 Wh a token, at 0.4 kg/kWh: 4.0 + 0.8 kg. Then 900 and 2,100 tokens of 8
    and 2 Wh, at 0.3 kg/kWh.

    volume      3,000 instead of 2,000 tokens: half of 4.8 kg more                        +2.40
    mix         600 tokens leave the one (0.004 kg each) for the other (0.0008 kg)        -2.40 + 0.48
    efficiency  900 x 2 Wh less x 0.4                                                     -0.72
    grid        (7.2 + 4.2 kWh) x 0.1 less                                                -1.14
    """
    before = frame(use("a", 1000, 10.0, 4.0), use("b", 1000, 2.0, 0.8))
    after = frame(use("a", 900, 7.2, 2.16), use("b", 2100, 4.2, 1.26))

    found = variance(before, after, components=LOCATION)

    parts_of(found, volume=2.4, mix=-1.92, efficiency=-0.72, grid=-1.14)
    assert list(found.parts) == ["volume", "mix", "efficiency", "grid", "coverage", "method"]
    by_model = found.contributions.set_index("model")
    assert by_model.loc["a", ["volume", "mix", "efficiency", "grid"]].tolist() == pytest.approx([2, -2.4, -0.72, -0.72])


def test_embodied_hardware_has_no_grid() -> None:
    before = frame({"hardware": "h", "method": "device", "device_hours": 10.0, "embodied_kg_co2e": 1.0})
    after = frame({"hardware": "h", "method": "device", "device_hours": 30.0, "embodied_kg_co2e": 1.5})

    found = variance(before, after, components=["embodied_kg_co2e"])

    parts_of(found, volume=2.0, efficiency=-1.5)  # 20 h x 0.1 kg; 30 h x 0.05 kg less


def test_nothing_before_is_volume_where_it_could_have_been_recorded() -> None:
    found = variance(frame(), frame(use("a", 10, 1.0, 0.4)), components=LOCATION)

    parts_of(found, volume=0.4)


def test_nothing_after_is_volume() -> None:
    found = variance(frame(use("a", 10, 1.0, 0.4)), frame(), components=LOCATION)

    parts_of(found, volume=-0.4)


def test_nothing_at_all() -> None:
    parts_of(variance(frame(), frame(), components=LOCATION))


def test_a_new_model_is_mix_at_its_own_rate() -> None:
    before = frame(use("a", 100, 10.0, 4.0))
    after = frame(use("a", 50, 5.0, 2.0), use("b", 50, 1.0, 0.4))

    found = variance(before, after, components=LOCATION)

    parts_of(found, mix=-1.6)


def test_a_new_team_on_a_known_model_is_held_against_the_model() -> None:
    """The new team needs 20 Wh a token where the model took 10: more than mix, it is less efficient."""
    before = frame(use("a", 100, 1.0, 0.4, team="one"))
    after = frame(use("a", 50, 0.5, 0.2, team="one"), use("a", 50, 1.0, 0.4, team="two"))

    found = variance(before, after, components=LOCATION)

    parts_of(found, efficiency=0.2)


def test_a_source_that_began_between_the_periods_is_coverage() -> None:
    before = frame(use("a", 100, 1.0, 0.4, source="old", recorder="old"))
    after = frame(
        use("a", 100, 1.0, 0.4, source="old", recorder="old"), use("b", 500, 1.0, 0.4, source="new", recorder="new")
    )

    found = variance(before, after, components=LOCATION, covered={"new": (0.0, 1.0)})

    parts_of(found, coverage=0.4)
    assert found.contributions.query("coverage != 0")["source"].tolist() == ["new"]


def test_half_a_period_is_compared_with_half() -> None:
    """50 tokens in half of the earlier period are 100 a period; the later 120 are a fifth more, of half of them 10 tokens."""
    before = frame(use("a", 50, 5.0, 2.0, recorder="agent"))
    after = frame(use("a", 120, 12.0, 4.8, recorder="agent"))

    found = variance(before, after, components=LOCATION, covered={"agent": (0.5, 1.0)})

    parts_of(found, volume=0.4, coverage=2.4)


def test_another_method_alone_says_nothing_of_efficiency() -> None:
    """Twice the tokens; a meter then shows 3 kWh where the estimate of the same tokens would have been 2."""
    before = frame(use("a", 100, 1.0, 0.4))
    after = frame(use("a", 200, 3.0, 0.9, method="measured"))

    found = variance(before, after, components=LOCATION)

    parts_of(found, volume=0.4, grid=-0.2, method=0.3)  # 2 kWh x 0.1 less; 1 kWh more at 0.3


def test_what_is_calculated_in_two_ways_is_compared_by_each() -> None:
    """
    Half of the tokens get a meter. The estimated half stays as it was (10 Wh), so efficiency is unchanged; the metered half has
    16 Wh, so the method says 50 x 6 Wh x 0.4 kg more.
    """
    before = frame(use("a", 100, 1.0, 0.4))
    after = frame(use("a", 50, 0.5, 0.2), use("a", 50, 0.8, 0.32, method="measured"))

    found = variance(before, after, components=LOCATION)

    parts_of(found, method=0.12)


def test_without_any_measure_in_common_the_method_is_all() -> None:
    before = frame({"model": "a", "method": "reported", "location_kg_co2e": 3.0})
    after = frame(use("a", 10, 1.0, 0.4) | {"stage": None})

    found = variance(before, after, components=LOCATION)

    parts_of(found, method=-2.6)


def test_reported_kilograms_can_only_be_more_or_less() -> None:
    before = frame({"provider": "p", "method": "reported", "location_kg_co2e": 3.0})
    after = frame({"provider": "p", "method": "reported", "location_kg_co2e": 5.0})

    parts_of(variance(before, after, components=LOCATION), volume=2.0)


def test_what_could_not_be_calculated_before_is_the_rest() -> None:
    before = frame(use("a", 100, 1.0, 0.4), use("b", 100, None, None))
    after = frame(use("a", 100, 1.0, 0.4), use("b", 100, 2.0, 0.8))

    found = variance(before, after, components=LOCATION)

    parts_of(found, not_known=0.8)
    assert found.not_known_records == (1, 0)


def test_half_known_is_compared_with_half() -> None:
    before = frame(use("a", 50, 0.5, 0.2), use("a", 50, None, None))
    after = frame(use("a", 100, 1.0, 0.4))

    parts_of(variance(before, after, components=LOCATION), not_known=0.2)


AMOUNT = st.one_of(st.none(), st.integers(0, 10**12).map(lambda stored: stored / 1e9))
SHARE = st.integers(0, 92).map(lambda days: days / 92)
ROW = st.fixed_dictionaries(
    {
        "team": st.sampled_from([None, "one", "two"]),
        "stage": st.sampled_from(["inference", "training"]),
        "model": st.sampled_from([None, "a", "b"]),
        "method": st.sampled_from([None, "tokens", "measured", "reported"]),
        "recorder": st.sampled_from(["x", "y", "z"]),
        "output_tokens": AMOUNT,
        "device_hours": AMOUNT,
        "energy_facility_kwh": AMOUNT,
        "location_kg_co2e": AMOUNT,
        "upstream_kg_co2e": AMOUNT,
        "embodied_kg_co2e": st.one_of(
            AMOUNT, st.integers(-(10**10), 0).map(lambda stored: stored / 1e9)
        ),  # a correction may outlive what it corrects
    }
)
ROWS = st.lists(ROW, max_size=6).map(lambda rows: frame(*rows))
SHARES = st.dictionaries(st.sampled_from(["x", "y"]), st.tuples(SHARE, SHARE))


@pytest.mark.slow
@settings(max_examples=60, phases=QUICK)
@given(before=ROWS, after=ROWS, covered=SHARES)
def test_parts_sum_to_the_difference(before: pd.DataFrame, after: pd.DataFrame, covered: dict[str, Any]) -> None:
    components = ["location_kg_co2e", "upstream_kg_co2e", "embodied_kg_co2e"]

    found = variance(before, after, components=components, covered=covered)

    whole = math.fsum(after[components].fillna(0).to_numpy().ravel()) - math.fsum(
        before[components].fillna(0).to_numpy().ravel()
    )
    assert math.fsum([*found.parts.values(), found.not_known_kg]) == pytest.approx(found.difference_kg, abs=1e-9)
    assert found.difference_kg == pytest.approx(whole, abs=1.1e-9)  # both ends are rounded to 1e-9 kg
    contributed = found.contributions[[*PARTS, NOT_KNOWN]].sum()
    assert contributed.to_dict() == pytest.approx({**found.parts, NOT_KNOWN: found.not_known_kg}, abs=1e-6)


@pytest.mark.slow
@settings(max_examples=40, phases=QUICK)
@given(rows=ROWS, covered=st.dictionaries(st.just("x"), st.floats(0.1, 1).map(lambda share: (share, share))))
def test_equal_periods_have_no_variance(rows: pd.DataFrame, covered: dict[str, Any]) -> None:
    found = variance(rows, rows, components=LOCATION, covered=covered)

    assert [*found.parts.values(), found.not_known_kg] == pytest.approx([0.0] * 7, abs=1e-9 * (1 + found.after_kg))
