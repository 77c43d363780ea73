"""What fits the stored integers is stored, and what does not is known beforehand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from core.quantification.quantify import BOUNDS, COLUMNS, INTEGERS, out_of_range, to_integers

LARGEST = 2.0**63


def row(**impacts: float) -> pd.DataFrame:
    return pd.DataFrame([impacts], columns=list(COLUMNS), dtype=float)


@pytest.mark.parametrize("column", [f"{impact}{bound}" for impact in INTEGERS for bound in BOUNDS])
def test_whatever_is_in_range_can_be_stored(column):
    per_unit = next(per_unit for impact, (_, per_unit) in INTEGERS.items() if column.startswith(impact))
    near = LARGEST / per_unit * (1 + np.arange(-40, 41) * 2.0**-53)
    frame = pd.concat([row(**{column: sign * value}) for value in near for sign in (1, -1)], ignore_index=True)

    beyond = out_of_range(frame)
    to_integers(frame[~beyond])

    assert beyond[-2:].all()
    assert not out_of_range(row(**{column: LARGEST / per_unit * (1 - 1e-12)}))[0]


def test_market_figures_have_a_range_too():
    assert out_of_range(row(market_kg_co2e=1e10)).tolist() == [True]


def test_null_is_in_range_and_infinity_is_not():
    assert out_of_range(row()).tolist() == [False]
    assert out_of_range(row(water_l=np.inf)).tolist() == [True]


def test_what_is_beyond_is_refused_by_name():
    with pytest.raises(OverflowError, match="location_kg_co2e_high"):
        to_integers(row(location_kg_co2e_high=1e10))
