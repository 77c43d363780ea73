"""Cells rewritten and quantified again: expected values worked out by hand from the factors named in each test."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.factors.pack import load_pack
from core.quantification.activity import MASK_BITS, MEASURE_COLUMNS
from core.quantification.own_factors import OwnFactor
from core.quantification.quantify import COLUMNS, quantify
from core.quantification.resolve import catalog_of
from core.quantification.rewriting import Rewritten, rewrite
from core.quantification.scenario import Rewrite, ScenarioError
from tests.strategies import cells as drawn_cells

PACK = load_pack()
KWH = 10**12
Z = 1.959963984540054  # of the standard normal distribution, 97.5 %

TEXT = {
    **dict.fromkeys(
        ("stage", "hosting", "provider", "region", "zone", "model", "hardware", "instance_type", "evidence")
    ),
    **dict.fromkeys(("energy_boundary", "reported_basis", "site", "application", "currency", "tier")),
}
METERED = {"stage": "inference", "hosting": "owned", "zone": "DE", "evidence": "measured", "energy_boundary": "it"}


def table(*rows: dict[str, Any]) -> pd.DataFrame:
    """Make cells of 2026 from what is said of them."""
    frame = []
    for row in rows:
        measures = {name: row.get(name, 0) for name in MEASURE_COLUMNS}
        present = sum(1 << MASK_BITS[name] for name in row["present"])
        given_names = {name: row.get(name) for name in TEXT}
        other = {"techniques": row.get("techniques", ()), "given": row.get("given", ()), "day": 20_635, "year": 2026}
        frame.append({**given_names, **other, **measures, "mask": present, "records": row.get("records", 1)})
    return pd.DataFrame(frame)


def metered(kwh: float, **fields: Any) -> dict[str, Any]:
    return {**METERED, "energy_pkwh": round(kwh * KWH), "present": ["energy_kwh"], **fields}


def applied(cells: pd.DataFrame, *rules: Rewrite, about=None, own_factors=()) -> Rewritten:
    everything = np.ones(len(cells), dtype=bool)
    chosen = [everything if about is None else np.array(about[n]) for n in range(len(rules))]
    return rewrite(cells, rules, chosen, catalog_of(PACK), own_factors)


def impacts(rewritten: Rewritten) -> pd.DataFrame:
    return quantify(rewritten.cells, PACK).impacts


def test_lower_pue_takes_its_share_of_facility_energy():
    cells = table(metered(10.0))

    after = impacts(applied(cells, Rewrite(factors={"pue": (1.2, 1.2, 1.2)}, source="new hall")))

    assert quantify(cells, PACK).impacts["energy_facility_kwh"].item() == pytest.approx(15.8)  # default 1.58
    assert after["energy_facility_kwh"].item() == pytest.approx(12.0)
    assert after["location_kg_co2e"].item() == pytest.approx(12.0 * 0.329)  # EEA: 329 g/kWh in Germany


def test_another_host_in_the_same_place_keeps_its_grid():
    after = impacts(applied(table(metered(10.0, energy_boundary="facility")), Rewrite(sets={"hosting": "colocated"})))

    assert after["location_kg_co2e"].item() == pytest.approx(10.0 * 0.329)  # EEA: 329 g/kWh in Germany


def test_share_of_a_cell_moves_and_the_rest_stays():
    cells = table(metered(10.0, energy_boundary="facility"))
    rule = Rewrite(share=0.3, factors={"grid_g_co2e_per_kwh": (100.0, 100.0, 100.0)}, source="wind park")

    found = applied(cells, rule)

    assert found.cells["weight"].tolist() == pytest.approx([0.3, 0.7])
    assert found.cells["cell"].tolist() == [0, 0]
    assert found.cells["energy_pkwh"].sum() == 10 * KWH
    assert impacts(found)["location_kg_co2e"].tolist() == pytest.approx([3.0 * 0.1, 7.0 * 0.329])


def test_contract_changes_the_market_figure_alone():
    cells = table(metered(10.0, energy_boundary="facility"))
    before = quantify(cells, PACK).impacts

    after = impacts(applied(cells, Rewrite(factors={"market_g_co2e_per_kwh": (50.0, 40.0, 60.0)}, source="PPA offer")))

    assert after["location_kg_co2e"].item() == before["location_kg_co2e"].item()
    assert after["market_kg_co2e"].item() == pytest.approx(0.5)


def test_energy_saving_carries_its_interval_as_one_more_factor():
    cells = table(metered(10.0, energy_boundary="facility"))

    after = impacts(applied(cells, Rewrite(energy_saving=(0.25, -0.5, 0.5), source="trial of March"))).iloc[0]

    # Measured energy has GSD 1.05 (methodology 9.2); scale 0.75 with bounds 0.5 and 1.5; half-widths add as squares.
    method = Z * math.log(1.05)
    assert after["energy_facility_kwh"] == pytest.approx(7.5)
    assert after["energy_facility_kwh_low"] == pytest.approx(7.5 * math.exp(-math.hypot(method, math.log(1.5))))
    assert after["energy_facility_kwh_high"] == pytest.approx(7.5 * math.exp(math.hypot(method, math.log(2.0))))


def test_two_savings_multiply():
    cells = table(metered(10.0, energy_boundary="facility"))
    rules = [Rewrite(energy_saving=(each, each, each), source="trial") for each in (0.5, 0.2)]

    after = impacts(applied(cells, *rules))

    assert after["energy_facility_kwh"].item() == pytest.approx(4.0)  # 10 x 0.5 x 0.8, not 10 x 0.3


def test_volume_multiplies_every_amount_and_the_cost():
    cells = table(metered(10.0, records=4, requests=6, nano_cost=10**9, present=["energy_kwh", "requests", "cost"]))

    found = applied(cells, Rewrite(scales={"volume": 1.5}))

    assert found.cells[["energy_pkwh", "records", "requests", "nano_cost"]].iloc[0].tolist() == [15 * KWH, 6, 9, 1.5e9]
    assert found.cells["price"].tolist() == [1.0]


def test_shorter_answers_scale_output_alone():
    cells = table({**TEXT, "model": "gpt-4o", "output_tokens": 200, "input_tokens": 1000, "present": ["output_tokens"]})

    found = applied(cells, Rewrite(scales={"output_tokens": 0.5}))

    assert found.cells[["output_tokens", "input_tokens"]].iloc[0].tolist() == [100, 1000]


def test_cost_is_not_known_where_nobody_said_the_price():
    cells = table(metered(1.0))

    moved = applied(cells, Rewrite(sets={"zone": "FR"}))
    priced = applied(cells, Rewrite(sets={"zone": "FR"}, price=0.8))

    assert np.isnan(moved.cells["price"].item())
    assert priced.cells["price"].item() == 0.8


def test_technique_takes_the_place_of_its_kind():
    cells = table(metered(1.0, techniques=("cached", "quantized:int8")))

    found = applied(cells, Rewrite(techniques=("quantized:int4",)))

    assert found.cells["techniques"].item() == ("cached", "quantized:int4")


def test_new_place_forgets_the_site_and_its_own_factors():
    own = [OwnFactor("own:1", "pue", 1.1, 1.1, 1.1, "meters", where={"site": "berlin"})]
    cells = table(metered(10.0, site="berlin", given=()))

    found = applied(
        cells, Rewrite(sets={"hosting": "cloud", "provider": "aws", "region": "eu-north-1"}), own_factors=own
    )

    assert found.cells[["zone", "site", "region"]].iloc[0].tolist() == [None, None, "eu-north-1"]
    assert found.cells["given"].item() == ()


def test_own_factor_of_the_new_place_is_chosen():
    own = [
        OwnFactor("own:1", "pue", 1.1, 1.1, 1.1, "their statement", where={"provider": "aws", "region": "eu-north-1"})
    ]
    cells = table(metered(10.0))

    after = impacts(
        applied(cells, Rewrite(sets={"hosting": "cloud", "provider": "aws", "region": "eu-north-1"}), own_factors=own)
    )

    assert after["energy_facility_kwh"].item() == pytest.approx(11.0)


def test_only_chosen_cells_are_touched():
    cells = table(metered(10.0), metered(20.0), metered(30.0))
    rule = Rewrite(factors={"pue": (1.0, 1.0, 1.0)}, source="x")

    found = applied(cells, rule, about=[[False, True, False]])

    assert found.touched.tolist() == [False, True, False]
    assert impacts(found)["energy_facility_kwh"].tolist() == pytest.approx([20.0])


def test_a_place_that_one_rule_names_is_not_forgotten_by_another():
    zone, hosting = Rewrite(sets={"zone": "SE"}), Rewrite(sets={"hosting": "colocated"})

    either = [impacts(applied(table(metered(10.0)), *rules)) for rules in ((zone, hosting), (hosting, zone))]

    pd.testing.assert_frame_equal(*either)
    assert applied(table(metered(10.0)), zone, hosting).cells["zone"].tolist() == ["SE"]


def test_order_of_rules_does_not_matter():
    cells = table(metered(10.0), metered(5.0, zone="FR"))
    first = Rewrite(share=0.5, factors={"pue": (1.2, 1.2, 1.2)}, source="x")
    second = Rewrite(share=0.4, scales={"volume": 2.0})

    one, other = (impacts(applied(cells, *rules)).sum() for rules in ((first, second), (second, first)))

    np.testing.assert_allclose(one.to_numpy(), other.to_numpy(), rtol=1e-12)


def test_rules_that_set_the_same_differently_contradict_each_other():
    cells = table(metered(1.0), metered(1.0))
    rules = [Rewrite(sets={"zone": "FR"}), Rewrite(sets={"zone": "SE"})]

    with pytest.raises(ScenarioError, match="contradict") as refused:
        applied(cells, *rules, about=[[True, True], [False, True]])
    apart = applied(cells, *rules, about=[[True, False], [False, True]])

    with pytest.raises(ScenarioError, match="place of the same uses"):
        applied(cells, Rewrite(sets={"zone": "FR"}), Rewrite(sets={"provider": "aws", "region": "eu-north-1"}))
    assert refused.value.field == "rules.2"
    assert sorted(apart.cells["zone"]) == ["FR", "SE"]


def test_rule_about_nothing_is_refused():
    cells = table(metered(1.0))

    with pytest.raises(ScenarioError, match="No use") as refused:
        applied(cells, Rewrite(scales={"volume": 2.0}), about=[[False]])

    assert refused.value.field == "rules.1.where"


def test_region_that_the_provider_of_a_cell_does_not_have_is_refused():
    cells = table(metered(1.0, hosting="cloud", provider="gcp", region="us-central1", zone=None))

    with pytest.raises(ScenarioError, match="gcp has no region 'eu-north-1'"):
        applied(cells, Rewrite(sets={"region": "eu-north-1"}))
    with pytest.raises(ScenarioError, match="aws has no region 'us-central1'"):
        applied(cells, Rewrite(sets={"provider": "aws"}))


RULES = st.sampled_from(
    [
        Rewrite(sets={"model": "gpt-4o-mini"}),
        Rewrite(sets={"zone": "FR"}, share=0.3),
        Rewrite(techniques=("quantized:int8",)),
        Rewrite(factors={"pue": (1.1, 1.05, 1.2)}, source="x"),
        Rewrite(scales={"volume": 0.4, "output_tokens": 0.5}),
        Rewrite(energy_saving=(0.2, -0.1, 0.4), source="x"),
        Rewrite(sets={"hardware": "NVIDIA L4"}, scales={"device_hours": 2.0}, share=0.9),
    ]
)


@pytest.mark.slow
@given(drawn_cells(), RULES)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_scenarios_and_sums_commute(activity, rule):
    names = [name for name in activity if name not in MEASURE_COLUMNS]
    activity = activity.assign(records=1, day=20_635, given=[()] * len(activity))
    for name in ("site", "application", "currency", "tier"):
        activity[name] = None
    sums = activity.groupby(names, dropna=False, sort=False, as_index=False)[[*MEASURE_COLUMNS, "records"]].sum()
    sums = sums.assign(day=20_635, given=[()] * len(sums), site=None, application=None, currency=None, tier=None)

    each, together = (quantify(applied(frame, rule).cells, PACK).impacts for frame in (activity, sums))

    size = each.abs().sum().to_numpy()
    assert (np.abs(each.sum().to_numpy() - together.sum().to_numpy()) <= 1e-9 * size + 1e-15).all()
    assert list(together) == list(COLUMNS)
