"""The laws of cells: exact sums, reversals that cancel, hours that a record really touches."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.quantification import cells, units
from core.quantification.activity import MASK_BITS, MEASURE_COLUMNS, NUMBERS
from core.quantification.records import to_activity

HOUR = cells.HOUR_US
NEAR_LIMIT = 2**63 - 1


def frame(**columns):
    """An activity table of one record an inference in November 2026, changed by the columns given."""
    return to_activity([{**RECORD, **columns}])


RECORD = {
    "record_id": "r1",
    "started_at": pd.Timestamp("2026-11-03T10:40:00Z"),
    "ended_at": pd.Timestamp("2026-11-03T10:40:00Z"),
    "stage": "inference",
    "hosting": "api",
    "evidence": "modelled",
}


def units_of(**columns):
    """The cell integers of one record, by name, zeros left out."""
    values = cells.to_units(frame(**columns))[0].tolist()
    return {name: value for name, value in zip(MEASURE_COLUMNS, values, strict=True) if value}


def test_measures_become_integers_in_their_fixed_units():
    assert units_of(requests=3, input_tokens=1200, energy_kwh=0.25, cost=-1.5, flops=2.5e12, water_l=0.1) == {
        "requests": 3,
        "input_tokens": 1200,
        "energy_pkwh": 250_000_000_000,
        "nano_cost": -1_500_000_000,
        "gflop": 2_500,
        "water_nl": 100_000_000,
    }


def test_half_integers_are_rounded_to_even():
    assert units_of(water_l=0.5e-9) == {}
    assert units_of(water_l=1.5e-9) == {"water_nl": 2}
    assert units_of(water_l=2.5e-9) == {"water_nl": 2}


def test_hinge_hours_split_at_ten_and_fifty_percent():
    held = units_of(device_hours=10.0, device_utilization=0.6)

    # 10 h at 60 %: 10 x 0.1, 10 x 0.4 and 10 x 0.1 hours
    assert held == {
        "device_nh": 10_000_000_000,
        "device_low_nh": 1_000_000_000,
        "device_middle_nh": 4_000_000_000,
        "device_high_nh": 1_000_000_000,
    }


def test_hours_without_utilization_have_no_hinges():
    assert units_of(instance_hours=2.0) == {"instance_nh": 2_000_000_000}


@pytest.mark.parametrize("utilization", [0.0, 0.05, 0.1, 0.3, 0.5, 0.77, 1.0])
def test_any_curve_with_those_knots_is_linear_in_hinge_hours(utilization):
    low, middle, high = cells.hinge_hours(np.array([8.0]), np.array([utilization]))
    idle, ten, fifty, full = 60.0, 140.0, 300.0, 420.0  # watts at 0, 10, 50 and 100 %

    by_hinges = 8.0 * idle + low * (ten - idle) / 0.1 + middle * (fifty - ten) / 0.4 + high * (full - fifty) / 0.5

    assert by_hinges[0] == pytest.approx(8.0 * np.interp(utilization, [0, 0.1, 0.5, 1], [idle, ten, fifty, full]))


def test_the_mask_knows_zero_from_absent():
    mask = cells.presence_mask(frame(requests=0, energy_kwh=1.0))

    assert mask.tolist() == [1 << MASK_BITS["requests"] | 1 << MASK_BITS["energy_kwh"]]


def test_a_value_that_fits_no_integer_is_named():
    fine, large = frame(energy_kwh=9.2e6), frame(energy_kwh=9.3e6)

    assert cells.unfit(fine).tolist() == [None]
    assert cells.unfit(large).tolist() == ["energy_kwh"]
    assert cells.unfit(frame(flops=np.inf)).tolist() == ["flops"]
    with pytest.raises(OverflowError, match="energy_kwh"):
        cells.to_units(large)


def spread(start_us, end_us, value, *, by_day=False):
    """The parts of one record of one measure: [(hour in hours since 1970, part)]."""
    parts = cells.spread_over_hours(
        np.array([start_us]), np.array([end_us]), np.array([by_day]), np.array([[value]], dtype=np.int64)
    )
    step = cells.DAY_US if by_day else HOUR
    assert (parts.hour % step == 0).all()
    assert parts.first.tolist() == [True] + [False] * (len(parts.hour) - 1)
    return [(hour // HOUR, part) for hour, part in zip(parts.hour.tolist(), parts.measures[:, 0].tolist(), strict=True)]


def test_an_instant_lies_in_the_hour_of_its_start():
    assert spread(5 * HOUR, 5 * HOUR, 7) == [(5, 7)]
    assert spread(6 * HOUR - 1, 6 * HOUR - 1, 7) == [(5, 7)]


def test_an_interval_that_ends_on_the_hour_does_not_touch_the_next():
    assert spread(5 * HOUR, 6 * HOUR, 7) == [(5, 7)]


def test_a_long_record_is_shared_out_by_time():
    # 20 min, 60 min and 40 min of 120
    assert spread(5 * HOUR + 40 * HOUR // 60, 7 * HOUR + 40 * HOUR // 60, 12) == [(5, 2), (6, 6), (7, 4)]


def test_cumulative_rounding_keeps_the_sum_of_what_cannot_be_shared_evenly():
    # thirds of 10: cumulative 3.33, 6.67, 10 are rounded to 3, 7, 10
    assert spread(0, 3 * HOUR, 10) == [(0, 3), (1, 4), (2, 3)]


def test_grain_day_makes_one_part_a_day():
    assert spread(24 * HOUR, 72 * HOUR, 5, by_day=True) == [(24, 2), (48, 3)]


@given(
    start=st.integers(0, 10**15),
    length=st.integers(0, 400 * HOUR),
    value=st.integers(-NEAR_LIMIT, NEAR_LIMIT),
    by_day=st.booleans(),
)
def test_parts_sum_exactly_keep_their_sign_and_cancel_in_every_hour(start, length, value, by_day):
    parts = spread(start, start + length, value, by_day=by_day)
    reversal = spread(start, start + length, -value, by_day=by_day)

    assert sum(part for _, part in parts) == value
    assert all(part * value >= 0 for _, part in parts)
    assert [(hour, -part) for hour, part in parts] == reversal


numbers = st.floats(-1e5, 1e5, allow_nan=False)


@settings(max_examples=50)
@given(
    energy=numbers,
    cost=numbers,
    hours=st.floats(0, 1e4),
    utilization=st.none() | st.floats(0, 1),
    tokens=st.none() | st.integers(0, 10**12),
)
def test_a_reversal_gives_the_negatives(energy, cost, hours, utilization, tokens):
    record = frame(
        energy_kwh=energy, cost=cost, device_hours=hours, device_utilization=utilization, input_tokens=tokens
    )
    reversal = record.assign(
        energy_kwh=-record["energy_kwh"],
        cost=-record["cost"],
        device_hours=-record["device_hours"],
        input_tokens=-record["input_tokens"],
    )

    assert (cells.to_units(record) + cells.to_units(reversal) == 0).all()


@pytest.mark.parametrize(
    ("changes", "by_day"),
    [
        ({}, False),
        ({"snapshot": "bill"}, True),
        ({"evidence": "stated"}, True),
        ({"snapshot": "bill", "ended_at": pd.Timestamp("2026-11-04T01:00:00Z")}, False),
        ({"snapshot": "bill", "ended_at": pd.Timestamp("2026-11-03T00:00:00Z")}, False),
        ({"snapshot": "bill", "ended_at": pd.Timestamp("2026-12-01T00:00:00Z")}, True),
    ],
)
def test_only_statements_and_bills_of_whole_days_are_kept_by_day(changes, by_day):
    day = {"started_at": pd.Timestamp("2026-11-03T00:00:00Z"), "ended_at": pd.Timestamp("2026-11-04T00:00:00Z")}

    assert cells.grain(frame(**{**day, **changes})).tolist() == [by_day]


def test_every_number_has_a_unit_or_is_a_share():
    counted = [name for name in NUMBERS if not name.endswith("_utilization")]

    assert len(counted) == 9
    assert all(cells.UNIT_OF[name] >= 1 for name in counted)
    assert cells.UNIT_OF["energy_kwh"] == units.PER_KWH
