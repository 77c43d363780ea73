"""One workload at several candidates: equal to importing the records of each, and comparable draw by draw."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from core.accounting.figures import Filter, FilterError
from core.accounting.selectors.candidates import made_up_at, recorded_at, refuse_unknown_offer
from core.accounting.selectors.emissions import emissions
from core.accounting.services import derive_dirty_days
from core.organizations.tenancy import organization_scope
from core.quantification.scenario import Rewrite, ScenarioError

from .conftest import call, metered

pytestmark = pytest.mark.usefixtures("committed_db", "factor_set")

QUARTER = Filter(date(2026, 7, 1), date(2026, 9, 30))
ROUNDED = 4e-9  # two stored rows are rounded to 1e-9 kg, kWh and L, in two parts of the total
TOTAL = "total_kg_co2e"
FIGURES = ("energy_facility_kwh", "location_kg_co2e", "upstream_kg_co2e", "embodied_kg_co2e", TOTAL, "water_l")
IRELAND = Rewrite(sets={"hosting": "api", "provider": "aws", "region": "eu-west-1"})
SWEDEN = Rewrite(sets={"hosting": "api", "provider": "aws", "region": "eu-north-1"})


@pytest.mark.parametrize("offer", [IRELAND, SWEDEN])
def test_a_recorded_workload_equals_the_import_of_its_records_there(organization, write, offer):
    write(call(1), call(2, "2026-08-20", output_tokens=1700))
    derive_dirty_days(organization.id)
    found = recorded_at(organization.id, QUARTER, [offer]).candidates[0]

    write(*(call(number, day, **fields, **offer.sets) for number, day, fields in OTHERS))
    derive_dirty_days(organization.id)

    imported = emissions(organization.id, Filter(date(2026, 4, 1), date(2026, 6, 30))).rows.iloc[0]
    for name in FIGURES:
        assert found.figures[name] == pytest.approx(imported[name], abs=ROUNDED), name


OTHERS = [(11, "2026-05-01", {}), (12, "2026-05-20", {"output_tokens": 1700})]


def test_a_made_up_activity_equals_the_records_that_it_describes(organization, write):
    write(call(1), call(2, "2026-08-20"))
    derive_dirty_days(organization.id)
    stored = emissions(organization.id, QUARTER).rows.iloc[0]
    one = call(1)
    activity = {name: 2 * one[name] for name in ("requests", "input_tokens", "output_tokens") if one.get(name)}
    named = {name: one[name] for name in ("hosting", "provider", "region", "zone", "model") if one.get(name)}

    found = made_up_at(
        organization.id,
        {**activity, "stage": "inference", "tier": one.get("tier")},
        2026,
        [Rewrite(sets=named)],
        QUARTER,
    )

    for name in FIGURES:
        assert found.candidates[0].figures[name] == pytest.approx(stored[name], abs=ROUNDED), name
        assert found.candidates[0].figures[f"{name}_high"] == pytest.approx(stored[f"{name}_high"], abs=ROUNDED), name
    assert found.amounts["output_tokens"] == activity["output_tokens"]
    assert {each["name"] for each in found.candidates[0].factors} >= {"grid_location", "pue"}


def test_operations_of_a_made_up_training_are_counted_singly(organization):
    # 3.6e21 FLOP at 989.4e12 x share reached: the energy is linear in the operations, so a thousandth takes a thousandth
    sets = {"hosting": "cloud", "provider": "aws", "region": "eu-north-1", "hardware": "H100 SXM"}
    activity = {"stage": "fine_tuning", "flops": 3.6e21}
    whole, part = (
        made_up_at(organization.id, {**activity, "flops": flops}, 2026, [Rewrite(sets=sets)], QUARTER).candidates[0]
        for flops in (3.6e21, 3.6e18)
    )

    # 3.6e21 / (989.4e12 x 0.33 a second) / 3600 = 3,063 h at 0.5 to 1.2 kW with host and building
    assert 1_500.0 < whole.figures["energy_facility_kwh"] < 3_700.0
    assert part.figures["energy_facility_kwh"] == pytest.approx(whole.figures["energy_facility_kwh"] / 1000.0)


def test_errors_that_two_candidates_share_cancel(organization, write):
    write(call(1))
    derive_dirty_days(organization.id)

    one, other, same = recorded_at(organization.id, QUARTER, [IRELAND, SWEDEN, None]).candidates
    again = recorded_at(organization.id, QUARTER, [IRELAND]).candidates[0]

    assert (one.figures[f"{TOTAL}_low"] or 0) < (other.figures[f"{TOTAL}_high"] or 0)  # the two totals overlap
    assert np.quantile(one.draws - other.draws, 0.025) > 0.0  # and yet Sweden is surely less
    assert np.array_equal(one.draws, again.draws)
    assert same.figures[TOTAL] == pytest.approx(emissions(organization.id, QUARTER).rows.iloc[0][TOTAL])


def test_energy_that_a_meter_measured_is_unchanged_by_a_model(organization, write):
    write(metered(1, 10.0, "2026-07-15"))
    derive_dirty_days(organization.id)

    found = recorded_at(organization.id, QUARTER, [Rewrite(sets={"model": "gpt-4o-mini"})]).candidates[0]

    assert found.unchanged_kg == pytest.approx(found.figures[TOTAL])


def test_a_candidate_that_cannot_be_is_refused_alone(organization, write):
    write(call(1))
    derive_dirty_days(organization.id)
    nowhere = Rewrite(sets={"provider": "aws", "region": "mars-1"})

    found = recorded_at(organization.id, QUARTER, [SWEDEN, nowhere]).candidates

    assert found[0].refusal is None
    assert "no region 'mars-1'" in str(found[1].refusal)
    with organization_scope(organization.id), pytest.raises(ScenarioError, match="mars-1"):
        refuse_unknown_offer(organization.id, nowhere)


def test_without_records_a_made_up_activity_still_serves(organization):
    activity = {"stage": "inference", "requests": 1.0, "output_tokens": 250.0}
    sets = {"hosting": "api", "provider": "openai", "zone": "SE", "model": "gpt-4o"}

    found = made_up_at(organization.id, activity, 2026, [Rewrite(sets=sets)], QUARTER)

    assert (found.candidates[0].figures[TOTAL] or 0.0) > 0.0
    with pytest.raises(FilterError, match="typical workload"):
        recorded_at(organization.id, QUARTER, [SWEDEN])


def test_an_activity_without_a_model_has_no_figure(organization):
    found = made_up_at(
        organization.id,
        {"stage": "inference", "requests": 1.0, "output_tokens": 250.0},
        2026,
        [Rewrite(sets={"hosting": "api", "provider": "openai"})],
        QUARTER,
    ).candidates[0]

    assert found.figures[TOTAL] is None
    assert "unknown_model" in found.notes
