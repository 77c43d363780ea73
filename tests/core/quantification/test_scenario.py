"""Rules of a scenario: what they refuse, and that what they write can be read again."""

from __future__ import annotations

import pytest

from core.quantification.resolve import catalog_of
from core.quantification.scenario import Rewrite, ScenarioError, as_plain, check_names, from_plain

FULL = {
    "where": {"model": ["gpt-4o", "gpt-4o-mini"], "team": ["search"]},
    "share": 0.3,
    "sets": {"model": "gpt-4o-mini", "provider": "openai"},
    "techniques": ["quantized:int8"],
    "factors": {"pue": 1.2, "market_g_co2e_per_kwh": {"value": 20, "low": 10, "high": 40}},
    "scales": {"output_tokens": 0.8},
    "energy_saving": {"value": 0.2, "low": -0.35, "high": 0.6},
    "price": 0.5,
    "source": "offer of May",
}


def test_rules_survive_being_written_and_read():
    rules = from_plain([FULL])

    assert from_plain([as_plain(rules[0])]) == rules
    assert as_plain(rules[0]) == FULL


def test_what_a_rule_does_not_say_is_left_out():
    assert as_plain(Rewrite(scales={"volume": 2.0})) == {"scales": {"volume": 2.0}}


@pytest.mark.parametrize(
    ("rule", "field", "said"),
    [
        ({}, "rules.1", "changes nothing"),
        ({"where": {"team": ["search"]}}, "rules.1", "changes nothing"),
        ({"colour": "green"}, "rules.1.colour", "no field"),
        ({"sets": {"team": "other"}}, "rules.1.sets.team", "is not one of"),
        ({"sets": {"model": " "}}, "rules.1.sets.model", "text of 1 to"),
        ({"sets": ["model"]}, "rules.1.sets", "an object"),
        ({"scales": {"volume": 2}, "share": 0}, "rules.1.share", "above 0"),
        ({"scales": {"volume": 2}, "share": 1.5}, "rules.1.share", "at most 1"),
        ({"scales": {"volume": -1}}, "rules.1.scales.volume", "0 to 1000"),
        ({"scales": {"volume": "much"}}, "rules.1.scales.volume", "no number"),
        ({"scales": {"volume": float("nan")}}, "rules.1.scales.volume", "no number"),
        ({"scales": {"volume": True}}, "rules.1.scales.volume", "no number"),
        ({"factors": {"pue": 0.9}, "source": "x"}, "rules.1.factors.pue", "at least 1"),
        ({"factors": {"pue": 120}, "source": "x"}, "rules.1.factors.pue", "percentage"),
        ({"factors": {"grid_g_co2e_per_kwh": 0.3}, "source": "x"}, "rules.1.factors.grid_g_co2e_per_kwh", "329"),
        (
            {"factors": {"pue": {"value": 1.2, "low": 1.3, "high": 1.4}}, "source": "x"},
            "rules.1.factors.pue",
            "outside",
        ),
        ({"factors": {"pue": 1.2}}, "rules.1.source", "where the number comes from"),
        ({"energy_saving": 1.0, "source": "x"}, "rules.1.energy_saving", "share below 1"),
        ({"energy_saving": 0.2}, "rules.1.source", "where the number comes from"),
        ({"techniques": ["quantized:int8", "quantized:int4"]}, "rules.1.techniques", "one kind"),
        ({"scales": {"volume": 2}, "where": {"team": []}}, "rules.1.where.team", "names no value"),
        ({"scales": {"volume": 2}, "price": -1}, "rules.1.price", "0 to 1000"),
    ],
)
def test_impossible_rules_are_refused_by_their_field(rule, field, said):
    with pytest.raises(ScenarioError, match=said) as refused:
        from_plain([rule])

    assert refused.value.field == field


@pytest.mark.parametrize("rules", [[], None, {"rules": []}, "none", [{"scales": {"volume": 2}}] * 21])
def test_a_scenario_is_a_list_of_some_rules(rules):
    with pytest.raises(ScenarioError) as refused:
        from_plain(rules)

    assert refused.value.field == "rules"


@pytest.mark.parametrize(
    ("sets", "field"),
    [
        ({"model": "no-such-model-9"}, "model"),
        ({"hardware": "abacus"}, "hardware"),
        ({"instance_type": "p99.huge"}, "instance_type"),
        ({"provider": "nobody"}, "provider"),
        ({"provider": "aws", "region": "atlantis-1"}, "region"),
        ({"zone": "ATLANTIS"}, "zone"),
        ({"hosting": "moon"}, "hosting"),
        ({"tier": "express"}, "tier"),
    ],
)
def test_names_without_a_factor_are_refused(pack, sets, field):
    rules = from_plain([{"scales": {"volume": 1}}, {"sets": sets}])

    with pytest.raises(ScenarioError) as refused:
        check_names(rules, catalog_of(pack), {})

    assert refused.value.field == f"rules.2.sets.{field}"


def test_a_region_and_a_zone_are_not_both_given():
    with pytest.raises(ScenarioError, match="the region or the zone") as refused:
        from_plain([{"sets": {"region": "eu-north-1", "zone": "FR"}}])

    assert refused.value.field == "rules.1.sets.zone"


@pytest.mark.parametrize(
    "sets",
    [
        {"model": "gpt-4o-mini"},
        {"hardware": "NVIDIA H100 80GB HBM3"},
        {"provider": "aws", "region": "eu-north-1"},
        {"region": "eu-north-1"},
        {"provider": "anthropic", "model": "claude-sonnet-4-6"},
        {"zone": "FR"},
        {"hosting": "cloud", "tier": "batch"},
    ],
)
def test_names_of_the_catalog_are_taken(pack, sets):
    check_names(from_plain([{"sets": sets}]), catalog_of(pack), {})


def test_a_name_with_an_own_factor_is_taken(pack):
    check_names(from_plain([{"sets": {"model": "Atlas-7"}}]), catalog_of(pack), {"model": frozenset({"atlas-7"})})
