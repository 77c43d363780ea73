"""The laws that everything else stands on (law 1 and 5 of the architecture)."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.factors.pack import load_pack
from core.quantification.activity import MEASURE_COLUMNS
from core.quantification.notes import TEXTS
from core.quantification.quantify import COLUMNS, INTEGER_COLUMNS, quantify, to_integers
from core.quantification.terms import IMPACTS
from core.quantification.use import USE_TEXT
from tests.strategies import cells, mask_of

PACK = load_pack()
SERIES = [*USE_TEXT, "techniques", "mask", "year"]
LAW = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def sums(frame: pd.DataFrame) -> pd.DataFrame:
    """Add cells up to their series."""
    return frame.groupby(SERIES, dropna=False, sort=False, as_index=False)[list(MEASURE_COLUMNS)].sum()


@pytest.mark.slow
@given(cells())
@LAW
def test_quantify_and_aggregate_commute(activity):
    each = quantify(activity, PACK)
    added = activity[SERIES].join(each.impacts).groupby(SERIES, dropna=False, sort=False)[list(COLUMNS)]
    size = each.impacts.abs().groupby([activity[name] for name in SERIES], dropna=False, sort=False).sum()
    total = sums(activity)

    together = quantify(total, PACK).impacts.to_numpy()

    apart = added.sum(min_count=1).to_numpy()
    assert (np.isnan(apart) == np.isnan(together)).all()
    assert np.nanmax(np.abs(apart - together) - 1e-9 * size.to_numpy(), initial=-1.0) <= 0.0


@pytest.mark.slow
@given(cells(), st.randoms(use_true_random=False))
@LAW
def test_results_do_not_depend_on_order_or_chunking(activity, random):
    whole = quantify(activity, PACK).impacts.to_numpy()
    order = list(range(len(activity)))
    random.shuffle(order)
    cut = random.randint(0, len(order))

    parts = [quantify(activity.iloc[rows], PACK).impacts for rows in (order[:cut], order[cut:]) if rows]

    again = pd.concat(parts).sort_index().to_numpy()
    assert again.tobytes() == whole.tobytes()


def test_rows_of_several_blocks_are_the_sums_of_their_own_plans():
    """Rows are worked off in blocks; whatever stands beside a row, it is its plan's sum, term by term, to the last bit."""
    rng = np.random.default_rng(11)
    work = (
        {
            "model": "gpt-4o-mini",
            "hosting": "api",
            "provider": "openai",
            "mask": mask_of("input_tokens", "output_tokens"),
        },
        {
            "hardware": "NVIDIA L4",
            "hosting": "owned",
            "zone": "DE",
            "mask": mask_of("device_hours", "device_utilization"),
        },
        {"hosting": "owned", "zone": "FR", "energy_boundary": "it", "mask": mask_of("energy_kwh", "water_l")},
        {"hosting": "owned", "mask": mask_of("seat_months")},
    )
    rows = pd.DataFrame(work).iloc[rng.integers(len(work), size=5_001)].reset_index(drop=True)
    rows = rows.assign(
        stage="inference", year=2026, **{name: rng.integers(-(10**9), 10**12, 5_001) for name in MEASURE_COLUMNS}
    )

    result = quantify(rows, PACK)

    for row, code in enumerate(result.code):
        plan, expected = result.plans[code], result.plans[code].base.copy()
        for name in MEASURE_COLUMNS:
            if name in plan.coefficients:
                expected = expected + plan.coefficients[name] * float(rows.at[row, name])
        assert result.impacts.iloc[row].to_numpy().tobytes() == expected.tobytes()


@pytest.mark.slow
@given(cells())
@LAW
def test_a_reversal_cancels_exactly(activity):
    reversed_ = activity.assign(**{name: -activity[name] for name in MEASURE_COLUMNS})

    forth = to_integers(quantify(activity, PACK).impacts)
    back = to_integers(quantify(reversed_, PACK).impacts)

    assert (forth + back).fillna(0).eq(0).all(axis=None)


@pytest.mark.slow
@given(cells())
@LAW
def test_bounds_contain_the_value_and_nulls_have_a_note(activity):
    positive = activity.assign(**{name: activity[name].abs() for name in MEASURE_COLUMNS})
    # Cached tokens are part of the input, so they may not exceed it.
    positive["cached_input_tokens"] = np.minimum(positive["cached_input_tokens"], positive["input_tokens"])

    result = quantify(positive, PACK)

    for impact in IMPACTS:
        value, low, high = (result.impacts[f"{impact}{bound}"] for bound in ("", "_low", "_high"))
        slack = 1e-12 * value.abs()
        assert ((low <= value + slack) & (value <= high + slack) | value.isna()).all()
        assert (value.fillna(0.0) >= 0.0).all()
    for plan in result.plans:
        assert set(plan.notes) <= set(TEXTS)
        assert plan.notes or not plan.nulls


@pytest.mark.slow
@given(cells())
@LAW
def test_the_terms_of_a_plan_multiply_out_to_its_impacts(activity):
    result = quantify(activity, PACK)

    for row, (code, impacts) in enumerate(zip(result.code, result.impacts.to_dict("records"), strict=True)):
        plan = result.plans[code]
        measures = activity.iloc[row]
        for impact in IMPACTS:
            if impact in plan.nulls:
                continue
            parts = []
            for term in plan.terms:
                if term.impact != impact:
                    continue
                product = term.constant * term.sign * float(measures[term.measure]) / term.per_unit
                for factor, power in term.inputs:
                    product *= factor.value**power
                parts.append(product)
            assert math.isclose(math.fsum(parts), impacts[impact], rel_tol=1e-9, abs_tol=1e-9 * sum(map(abs, parts)))


def test_integers_hold_every_impact_but_the_market():
    assert len(INTEGER_COLUMNS) == 3 * (len(IMPACTS) - 1)
    assert not any("market" in name for name in INTEGER_COLUMNS)


def test_key_columns_find_the_same_uses(pack):
    frame = pd.DataFrame(
        {
            "series_id": [7, 9, 7],
            "hosting": ["owned", "cloud", "owned"],
            "zone": ["DE", "FR", "DE"],
            "energy_boundary": "it",
            "mask": 1 << 12,
            "year": 2026,
            "energy_pkwh": [1, 2, 3],
        }
    )

    by_value, by_key = quantify(frame, pack), quantify(frame, pack, key=["series_id", "year"])

    assert by_value.code.tolist() == by_key.code.tolist() == [0, 1, 0]
    pd.testing.assert_frame_equal(by_value.impacts, by_key.impacts)
