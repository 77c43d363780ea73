"""Idle energy goes to those who reserved, and nothing is lost on the way (law 9 of the architecture)."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.quantification.allocation import allocate_idle

KWH = st.floats(0, 1e9)


@given(KWH, st.dictionaries(st.text(max_size=3), st.tuples(KWH, KWH), max_size=8))
def test_parts_sum_to_what_was_metered(idle, tenants):
    active = {name: used for name, (used, _) in tenants.items()}
    reserved = {name: held for name, (_, held) in tenants.items()}

    allocated = allocate_idle(idle, active, reserved)

    metered = math.fsum([idle, *active.values()])
    assert math.fsum([*allocated.energy_kwh.values(), allocated.unallocated_kwh]) == pytest.approx(metered, rel=1e-12)


def test_idle_energy_that_nobody_reserved_is_a_line_of_its_own():
    assert allocate_idle(30.0, {"a": 50.0}, {"a": 0.0}).unallocated_kwh == 30.0
