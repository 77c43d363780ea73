"""The tree behind a figure multiplies out to it."""

from __future__ import annotations

import json
import math
import re
from datetime import date

import pytest

from core.accounting import services
from core.accounting.explain import as_text
from core.accounting.figures import Filter, FilterError
from core.accounting.selectors import emissions
from core.accounting.selectors.explain import NothingToExplain, explain
from core.organizations.services import create_team

from .conftest import call, metered

YEAR = Filter(date(2026, 1, 1), date(2026, 12, 31))
ROUNDING = 1e-8  # a few rows, each rounded to 1e-9


def product(term) -> float:
    """Multiply a formula out from what the tree prints of it."""
    value = term["amount"] * term["constant"]
    for factor in term["inputs"]:
        value = value * factor["value"] if factor["power"] == 1 else value / factor["value"]
    return value


@pytest.fixture
def figures(committed_db, organization, factor_set, write):
    write(
        call(1, output_tokens=200_000),
        call(2, day="2026-08-01", output_tokens=50_000, model="a-model-nobody-knows"),
        metered(1, 10.0, energy_boundary="device"),
        metered(2, 5.0, zone="FR", device_hours=8.0, hardware="NVIDIA H100 80GB HBM3"),
    )
    services.derive_dirty_days(organization.id)


@pytest.mark.parametrize(
    "impact",
    ["total_kg_co2e", "location_kg_co2e", "market_kg_co2e", "embodied_kg_co2e", "energy_facility_kwh", "adpe_kg_sbeq"],
)
def test_every_level_adds_up_to_the_figure(organization, figures, impact):
    tree = explain(organization.id, YEAR, impact=impact)

    shown = emissions(organization.id, YEAR, resources=True).rows.iloc[0][impact]
    assert tree["value"] == shown
    assert abs(tree["rounding"]) < ROUNDING
    assert tree["explained"] + tree["rounding"] == pytest.approx(shown, rel=1e-15)
    for method in tree["children"]:
        assert math.fsum(plan["value"] for plan in method["children"]) == pytest.approx(method["value"])
        for plan in method["children"]:
            assert math.fsum(term["value"] for term in plan["terms"]) == pytest.approx(plan["value"])
            for term in plan["terms"]:
                assert product(term) == pytest.approx(term["value"])


def test_the_tree_names_factors_sources_cells_and_what_is_missing(organization, figures):
    tree = explain(organization.id, YEAR)

    assert {factor["name"] for factor in tree["factors"]} >= {"grid_location", "pue", "host_factor"}
    assert all(factor["source"] and factor["unit"] and factor["match"] for factor in tree["factors"])
    assert tree["sources"] == [{"name": "gateway", "records": 4}]
    assert {method["method"] for method in tree["children"]} == {"measured", "tokens"}
    assert sum(plan["cells"] for method in tree["children"] for plan in method["children"]) == 3
    unknown = next(each for each in tree["missing"] if "location_kg_co2e" in each["impacts"])
    assert unknown["subjects"]["model"] == ["a-model-nobody-knows"]
    assert "unknown_model" in {note["code"] for note in unknown["notes"]}


def test_every_name_of_a_formula_has_its_number(organization, figures):
    tree = explain(organization.id, YEAR)
    terms = [term for method in tree["children"] for plan in method["children"] for term in plan["terms"]]

    assert any("measured_spread" in term["formula"] for term in terms)
    for term in terms:
        assert re.findall(r" [x/] ", term["filled_in"]) == re.findall(r" [x/] ", term["formula"])


def test_the_rounding_of_rows_is_named(organization, figures):
    tree = explain(organization.id, YEAR)

    assert tree["rounding"] != 0
    assert f"rounding: {tree['rounding']:.3g} kg CO2e" in as_text(tree)
    assert explain(organization.id, YEAR, record_id="meter-1")["rounding"] == 0


def test_a_filter_narrows_the_tree(organization, figures):
    narrowed = Filter(date(2026, 1, 1), date(2026, 12, 31), dims={"stage": ("training",)}, include=("embodied",))

    tree = explain(organization.id, narrowed)

    assert [method["method"] for method in tree["children"]] == ["measured"]
    assert tree["explained"] == pytest.approx(tree["value"], abs=ROUNDING)


@pytest.mark.parametrize("scope", ["2", "3.2", "3.1"])
def test_a_scope_has_a_tree_of_its_own(organization, figures, scope):
    narrowed = Filter(date(2026, 1, 1), date(2026, 12, 31), dims={"scope": (scope,)})

    tree = explain(organization.id, narrowed)

    assert tree["explained"] == pytest.approx(tree["value"], abs=ROUNDING)


def test_one_record_is_explained(organization, figures):
    tree = explain(organization.id, YEAR, impact="energy_it_kwh", record_id="meter-1")

    # 10 kWh at the device, times the host factor 1.35 (methodology 1.2)
    assert tree["value"] == pytest.approx(13.5)
    assert tree["records"] == 1
    assert tree["corrections"] == []


def test_a_record_outside_the_filter_is_not_explained(organization, figures):
    others = Filter(date(2026, 1, 1), date(2026, 12, 31), dims={"team": ("search",)})

    with pytest.raises(NothingToExplain, match="in what was asked for"):
        explain(organization.id, others, record_id="meter-1")
    with pytest.raises(NothingToExplain, match="no record"):
        explain(organization.id, YEAR, record_id="nobody-sent-this")


def test_another_organizations_record_is_not_explained(organization, other_organization, figures):
    services.ensure_current_view(other_organization.id)

    with pytest.raises(NothingToExplain):
        explain(other_organization.id, YEAR, record_id="meter-1")


def test_a_run_is_explained_from_its_records(committed_db, organization, factor_set, write):
    write(metered(1, 10.0, run="run-a", energy_boundary="facility"), metered(2, 5.0))
    services.derive_dirty_days(organization.id)

    run = Filter(date(2026, 1, 1), date(2026, 12, 31), dims={"run": ("run-a",)})
    tree = explain(organization.id, run, impact="location_kg_co2e")

    assert tree["explained"] == pytest.approx(3.29)
    assert tree["value"] == pytest.approx(3.29)


def test_small_teams_are_not_named(organization, figures):
    for name, head_count in (("vision", 2), ("search", 9)):
        create_team(organization_id=organization.id, name=name, head_count=head_count)

    tree = explain(organization.id, YEAR)

    assert "vision" not in json.dumps(tree)


def test_a_figure_that_is_not_is_refused(organization, figures):
    with pytest.raises(FilterError, match="not one of"):
        explain(organization.id, YEAR, impact="kittens")


def test_before_the_first_derive_nothing_is_explained(committed_db, organization, factor_set):
    with pytest.raises(NothingToExplain, match="No figure"):
        explain(organization.id, YEAR)


def test_a_tree_is_plain_json_and_readable_text(organization, figures):
    tree = explain(organization.id, YEAR)

    json.dumps(tree, allow_nan=False)
    text = as_text(tree)
    assert re.search(r"10 kWh x 1(\.35)? x 1(\.35)? x 1\.\d+ x 329 g CO2e/kWh x 0\.001 = ", text)
    assert "not known: location_kg_co2e" in text
