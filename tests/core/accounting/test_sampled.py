"""Sampled records on the real database: totals stand for all calls, single records for themselves, and cells stay as kept."""

from __future__ import annotations

import math
from datetime import date

import pytest

from core.accounting import services
from core.accounting.explain import as_text
from core.accounting.figures import Filter
from core.accounting.models import View
from core.accounting.selectors import emissions
from core.accounting.selectors.explain import explain
from core.accounting.selectors.reconciliation import reconcile_daily
from core.accounting.selectors.records import record_figures
from core.ledger.selectors import find_record
from core.organizations.tenancy import organization_scope

from .conftest import call
from .test_derive import daily, table

JULY = Filter(date(2026, 7, 1), date(2026, 7, 31))


@pytest.fixture
def calls(committed_db, organization, factor_set, write):
    """The same forty calls twice: whole from one source, and as a quarter that was kept from another."""
    write(*(call(number, team="whole") for number in range(40)), source="whole")
    labels = {"sample_share": 0.25}
    write(*(call(number, team="quarter", labels=labels) for number in range(10)), source="quarter")
    services.derive_dirty_days(organization.id)
    return organization


def by_team(organization, **asked):
    rows = emissions(organization.id, Filter(JULY.from_day, JULY.to_day, by=("team",), **asked), measures=["requests"])
    return rows.rows.set_index("team")


def test_what_was_kept_stands_for_what_was_not(calls):
    rows = by_team(calls)

    assert rows["records"].to_dict() == {"quarter": 10, "whole": 40}
    assert rows["requests"].to_dict() == {"quarter": 40, "whole": 40}
    for name in ("energy_it_kwh", "location_kg_co2e", "market_kg_co2e", "upstream_kg_co2e", "total_kg_co2e", "water_l"):
        assert rows.loc["quarter", name] == pytest.approx(rows.loc["whole", name], rel=1e-7), name
    assert daily(calls)["input_tokens"].tolist() == [40_000, 40_000]
    assert table(calls, "select sum(input_tokens) as kept from ledger_cell")["kept"].tolist() == [50_000]


def test_the_interval_of_a_sample_is_wider_by_the_error_of_what_was_kept(calls):
    rows = by_team(calls)
    whole, sample = rows.loc["whole"], rows.loc["quarter"]

    # (1 - 0.25) (1 + 1^2) / 10 = 0.15; z sqrt(ln 1.15) = 0.732717
    for side in ("low", "high"):
        own = abs(math.log(whole[f"energy_it_kwh_{side}"] / whole["energy_it_kwh"]))
        wider = abs(math.log(sample[f"energy_it_kwh_{side}"] / sample["energy_it_kwh"]))
        assert wider == pytest.approx(math.hypot(own, 0.732717), rel=1e-5)


def test_hours_and_days_say_the_same_of_a_sample(calls):
    days, hours = by_team(calls), by_team(calls, grain="hour")

    for name in ("requests", "location_kg_co2e", "location_kg_co2e_high"):
        assert hours.loc["quarter", name] == pytest.approx(days.loc["quarter", name], rel=1e-7), name


def test_a_single_record_is_its_own_footprint(calls):
    with organization_scope(calls.id):
        view = View.objects.get(organization_id=calls.id, state="current")
        records = [find_record(calls.id, "call-0", source_id) for source_id in source_ids(calls)]
        kg = record_figures(calls.id, view, records)["total_kg_co2e"].tolist()

    assert kg[0] == kg[1] > 0


def source_ids(organization) -> list[int]:
    return table(organization, "select id from ledger_source order by id")["id"].tolist()


def test_explain_shows_what_was_kept_and_what_it_stands_for(calls):
    tree = explain(calls.id, Filter(JULY.from_day, JULY.to_day, dims={"team": ("quarter",)}))

    (plan,) = tree["children"][0]["children"]
    term = next(each for each in plan["terms"] if each["measure"] == "output_tokens")
    assert term["amount"] == 2_000
    assert [each["value"] for each in term["inputs"] if each["name"] == "sample_scale"] == [4.0]
    assert "scaled" in [note["code"] for note in plan["notes"]]
    assert tree["explained"] == pytest.approx(tree["value"], rel=1e-6)
    (scale,) = [each for each in tree["factors"] if each["name"] == "sample_scale"]
    assert scale["sample_share"] == 0.25
    assert "x 4" in as_text(tree)


def test_cells_and_daily_rows_still_reconcile(calls):
    found = reconcile_daily(calls.id, JULY.from_day, JULY.to_day)

    assert found.differences.empty


def test_a_share_that_is_none_counts_records_as_they_are_and_says_so(committed_db, organization, factor_set, write):
    write(call(1, labels={"sample_share": "most"}))
    services.derive_dirty_days(organization.id)

    tree = explain(organization.id, JULY)

    assert daily(organization)["requests"].tolist() == [1]
    (plan,) = tree["children"][0]["children"]
    assert "sample_share_unreadable" in [note["code"] for note in plan["notes"]]


def test_a_cross_check_of_a_sample_is_scaled_and_stays_one(calls):
    whole, quarter = source_ids(calls)
    unit = services.set_coverage_unit(organization_id=calls.id, name="Gateway", counting_source_id=whole)
    for source_id in (whole, quarter):
        services.link_source(organization_id=calls.id, source_id=source_id, unit_id=unit.id)
    services.derive_dirty_days(calls.id)

    rows = daily(calls).set_index("team")

    assert rows["role"].to_dict() == {"whole": "counted", "quarter": "cross_check"}
    assert rows["requests"].to_dict() == {"whole": 40, "quarter": 40}
