"""Scenarios on what was recorded: equal to importing the rewritten records, honest about what cannot be told apart."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from core.accounting.figures import Filter, FilterError
from core.accounting.selectors.emissions import emissions
from core.accounting.selectors.scenarios import SideBySide, side_by_side
from core.accounting.services import add_own_factor, derive_dirty_days
from core.organizations.models import Team
from core.organizations.tenancy import organization_scope
from core.quantification.scenario import Rewrite, ScenarioError, from_plain

from .conftest import call, metered
from .test_grid_series import THREE, enter, hourly_csv, three_hours

pytestmark = pytest.mark.usefixtures("committed_db", "factor_set")

QUARTER = Filter(date(2026, 7, 1), date(2026, 9, 30))
FIGURES = ("energy_it_kwh", "energy_facility_kwh", "location_kg_co2e", "market_kg_co2e", "upstream_kg_co2e")
ROUNDED = 7 * 0.5e-9  # each stored row is rounded to 1e-9 kg, kWh and L
FIGURES = (*FIGURES, "embodied_kg_co2e", "total_kg_co2e", "water_l")


def device(number: int, **fields: Any) -> dict[str, Any]:
    """Ten hours of a rented accelerator in Oregon."""
    work = {"hardware": "NVIDIA A100-SXM4-80GB", "device_hours": 10.0, "device_utilization": 0.6}
    place = {"hosting": "cloud", "provider": "aws", "region": "us-west-2", "zone": None}
    return metered(number, 0.0, **work, **place, energy_kwh=None, energy_boundary=None, evidence="modelled", **fields)


RECORDS = [
    call(1, "2026-07-01"),
    call(2, "2026-08-20", output_tokens=1700, team="vision"),
    call(3, "2026-09-30", model="gpt-4o-mini", output_tokens=900),
    metered(4, 12.5, "2026-07-15"),
    metered(5, 3.25, "2026-09-01", zone="FR", team="search"),
    device(6, day="2026-07-20"),
    device(7, day="2026-08-02", team="search"),
]


def run(organization, *plain: dict[str, Any], asked: Filter = QUARTER) -> SideBySide:
    return side_by_side(organization.id, asked, [from_plain(list(plain))])


def figures_of(organization, asked: Filter = QUARTER) -> dict[str, float]:
    """What pages show."""
    return emissions(organization.id, asked).rows.iloc[0].to_dict()


@pytest.fixture
def recorded(organization, write):
    write(*RECORDS)
    derive_dirty_days(organization.id)
    return organization


def test_baseline_is_what_pages_show(recorded):
    found = run(recorded, {"scales": {"volume": 2}})

    shown = figures_of(recorded)
    assert {name: found.baseline[name] for name in FIGURES} == pytest.approx({name: shown[name] for name in FIGURES})


def test_twice_the_volume_is_twice_every_figure_with_its_bounds(recorded):
    found = run(recorded, {"scales": {"volume": 2}}).outcomes[0]

    shown = figures_of(recorded)
    for name in FIGURES:
        assert found.figures[name] == pytest.approx(2 * shown[name], rel=1e-9)
        assert found.figures[f"{name}_high"] == pytest.approx(2 * shown[f"{name}_high"], rel=1e-6)
    assert found.figures["records"] == 2 * len(RECORDS)
    assert found.verdict == "higher"  # twice itself, whatever the error: shared errors cancel
    assert found.difference.value == pytest.approx(shown["total_kg_co2e"], rel=1e-9)


def changed(records: list[dict[str, Any]], fits, **fields: Any) -> list[dict[str, Any]]:
    """Rewrite records by hand, as their sender would have sent them."""
    return [{**record, **fields} if fits(record) else record for record in records]


REWRITES = {
    "model": (
        {"where": {"model": ["gpt-4o"]}, "sets": {"model": "gpt-4o-mini"}},
        lambda: changed(RECORDS, lambda record: record.get("model") == "gpt-4o", model="gpt-4o-mini"),
    ),
    "hardware": (
        {"where": {"hosting": ["cloud"]}, "sets": {"hardware": "NVIDIA L4"}, "scales": {"device_hours": 3}},
        lambda: changed(RECORDS, lambda record: "device_hours" in record, hardware="NVIDIA L4", device_hours=30.0),
    ),
    "region": (
        {"where": {"provider": ["aws"]}, "sets": {"region": "eu-north-1"}},
        lambda: changed(RECORDS, lambda record: record.get("provider") == "aws", region="eu-north-1"),
    ),
    "provider": (
        {"where": {"provider": ["aws"], "team": ["search"]}, "sets": {"provider": "gcp", "region": "europe-north1"}},
        lambda: changed(
            RECORDS, lambda record: record["record_id"] == "meter-7", provider="gcp", region="europe-north1"
        ),
    ),
    "technique": (
        {"where": {"model": ["gpt-4o"]}, "techniques": ["quantized:int4"]},
        lambda: changed(RECORDS, lambda record: record.get("model") == "gpt-4o", techniques=["quantized:int4"]),
    ),
    "tier": (
        {"where": {"stage": ["inference"]}, "sets": {"tier": "batch"}},
        lambda: changed(RECORDS, lambda record: record["stage"] == "inference", tier="batch"),
    ),
    "shorter answers": (
        {"where": {"model": ["gpt-4o"]}, "scales": {"output_tokens": 0.5}},
        lambda: [
            {**each, "output_tokens": each["output_tokens"] // 2} if each.get("model") == "gpt-4o" else each
            for each in RECORDS
        ],
    ),
    "from own hall to the cloud": (
        {
            "where": {"hosting": ["owned"], "zone": ["DE"]},
            "sets": {"hosting": "cloud", "provider": "aws", "region": "eu-north-1"},
        },
        lambda: changed(
            RECORDS,
            lambda record: record["record_id"] == "meter-4",
            hosting="cloud",
            provider="aws",
            region="eu-north-1",
            zone=None,
        ),
    ),
}


@pytest.mark.parametrize("name", REWRITES)
def test_scenario_equals_importing_the_rewritten_records(recorded, other_organization, write, name):
    rule, rewritten = REWRITES[name]
    write(*rewritten(), into=other_organization)
    derive_dirty_days(other_organization.id)

    found = run(recorded, rule).outcomes[0]

    imported = figures_of(other_organization)
    for figure in FIGURES:
        assert found.figures[figure] == pytest.approx(imported[figure], rel=1e-9, abs=ROUNDED), figure
        for bound in ("_low", "_high"):  # simulated in single precision
            assert found.figures[figure + bound] == pytest.approx(imported[figure + bound], rel=1e-6), figure + bound
    assert found.figures["records"] == imported["records"]


def test_own_factors_of_the_new_place_are_those_of_their_days(recorded, other_organization, write):
    for organization in (recorded, other_organization):
        add_own_factor(
            organization_id=organization.id,
            name="pue",
            value=1.3,
            source="their statement",
            where={"region": "eu-north-1"},
            valid_from=date(2026, 8, 1),
        )
    rule, rewritten = REWRITES["region"]
    write(*rewritten(), into=other_organization)
    for organization in (recorded, other_organization):
        derive_dirty_days(organization.id)

    found = run(recorded, rule).outcomes[0]

    imported = figures_of(other_organization)
    assert found.figures["energy_facility_kwh"] == pytest.approx(imported["energy_facility_kwh"], rel=1e-9)
    assert found.figures["location_kg_co2e"] == pytest.approx(imported["location_kg_co2e"], rel=1e-9)


def test_lower_pue_by_hand(organization, write):
    write(metered(1, 10.0))
    derive_dirty_days(organization.id)

    found = run(organization, {"factors": {"pue": 1.2}, "source": "new hall"}).outcomes[0]

    assert found.figures["energy_facility_kwh"] == pytest.approx(12.0)
    assert found.figures["location_kg_co2e"] == pytest.approx(12.0 * 0.329)


def test_share_moves_in_part(organization, write):
    write(metered(1, 10.0, energy_boundary="facility"))
    derive_dirty_days(organization.id)
    rule = {"share": 0.3, "factors": {"grid_g_co2e_per_kwh": 100}, "source": "wind park"}

    found = run(organization, rule).outcomes[0]

    assert found.figures["location_kg_co2e"] == pytest.approx(3 * 0.1 + 7 * 0.329)


def test_contract_counts_on_the_market_basis_alone(organization, write):
    write(metered(1, 10.0, energy_boundary="facility"))
    derive_dirty_days(organization.id)
    rule = {"factors": {"market_g_co2e_per_kwh": 20}, "source": "PPA offer", "share": 0.5}
    market = Filter(QUARTER.from_day, QUARTER.to_day, basis="market")

    by_location, by_market = (run(organization, rule, asked=asked).outcomes[0] for asked in (QUARTER, market))

    before = figures_of(organization)
    assert by_location.verdict == "no_effect"
    assert by_location.rules[0].unchanged_kg == pytest.approx(0.5 * before["total_kg_co2e"])
    assert by_market.figures["market_kg_co2e"] == pytest.approx(0.5 * before["market_kg_co2e"] + 0.5 * 10 * 0.020)
    assert by_market.verdict == "lower"


def test_error_that_both_have_does_not_hide_a_saving(organization, write):
    write(call(1, output_tokens=100_000))  # a model of undisclosed size: GSD 2.75
    derive_dirty_days(organization.id)

    found = run(organization, {"energy_saving": {"value": 0.2, "low": 0.1, "high": 0.3}, "source": "trial"})

    before, after = found.baseline, found.outcomes[0]
    assert after.figures["total_kg_co2e_high"] > before["total_kg_co2e"]  # their ranges overlap by far
    assert after.verdict == "lower"


def test_saving_whose_range_has_both_signs_is_not_distinguishable(organization, write):
    write(metered(1, 10.0, energy_boundary="facility"))
    derive_dirty_days(organization.id)
    rule = {"energy_saving": {"value": 0.25, "low": -0.5, "high": 0.5}, "source": "methodology, section 12"}

    found = run(organization, rule).outcomes[0]

    # Electricity and its upstream follow the scale 0.75 (0.5 to 1.5): less by a quarter, from half less to half more.
    total = figures_of(organization)["total_kg_co2e"]
    assert found.verdict == "not_distinguishable"
    assert found.difference.value == pytest.approx(-0.25 * total)
    assert found.difference.low == pytest.approx(-0.5 * total, rel=0.08)
    assert found.difference.high == pytest.approx(0.5 * total, rel=0.08)


def test_model_of_measured_energy_changes_nothing_and_is_said(organization, write):
    write(metered(1, 10.0, model="atlas"))
    derive_dirty_days(organization.id)

    found = run(organization, {"sets": {"model": "gpt-4o-mini"}}).outcomes[0]

    assert found.verdict == "no_effect"
    assert found.rules[0].unchanged_kg == pytest.approx(figures_of(organization)["total_kg_co2e"])


def test_what_has_no_figure_after_is_not_comparable(organization, write):
    hours = {"instance_type": "p4d.24xlarge", "instance_hours": 5.0, "hardware": None, "device_hours": None}
    write({**device(1, day="2026-07-02"), **hours, "device_utilization": None}, metered(2, 1.0))
    derive_dirty_days(organization.id)
    rule = {"where": {"hosting": ["cloud"]}, "sets": {"instance_type": "g5g.16xlarge"}}  # its power is not published

    found = run(organization, rule).outcomes[0]

    asked = Filter(QUARTER.from_day, QUARTER.to_day, dims={"hosting": ("cloud",)})
    assert found.verdict == "not_comparable"
    assert found.not_known_kg == pytest.approx(figures_of(organization, asked)["total_kg_co2e"])


def test_what_has_a_figure_only_after_is_not_comparable_either(organization, write):
    hours = {"instance_type": "g5g.16xlarge", "instance_hours": 5.0, "hardware": None, "device_hours": None}
    write({**device(1, day="2026-07-02"), **hours, "device_utilization": None}, metered(2, 1.0))
    derive_dirty_days(organization.id)
    before = figures_of(organization)["total_kg_co2e"]

    found = run(organization, {"where": {"hosting": ["cloud"]}, "sets": {"instance_type": "p4d.24xlarge"}}).outcomes[0]

    assert found.verdict == "not_comparable"
    assert found.newly_known_kg == pytest.approx(found.figures["total_kg_co2e"] - before)


def test_a_share_says_how_much_of_what_it_rewrites_stays(organization, write):
    write(metered(1, 100.0, model="gpt-4o"))  # measured: another model changes nothing
    derive_dirty_days(organization.id)
    total = figures_of(organization)["total_kg_co2e"]

    found = run(organization, {"sets": {"model": "gpt-4o-mini"}, "share": 0.25}).outcomes[0]

    about = found.rules[0]
    assert [about.before_kg, about.rewritten_kg, about.unchanged_kg] == pytest.approx([total, total / 4, total / 4])


def test_cost_stands_beside_where_its_price_was_said(organization, write):
    write(call(1, cost=4.0, currency="EUR"), call(2, cost=6.0, currency="USD"), call(3))
    derive_dirty_days(organization.id)
    cheaper = {"where": {"model": ["gpt-4o"]}, "sets": {"model": "gpt-4o-mini"}}

    unknown = run(organization, cheaper).outcomes[0]
    known = run(organization, {**cheaper, "price": 0.25}).outcomes[0]
    doubled = run(organization, {"scales": {"volume": 2}}).outcomes[0]

    def in_words(outcome):
        return [(each.currency, each.before, each.after, each.not_known) for each in outcome.money]

    assert in_words(unknown) == [("EUR", 4.0, 0.0, 4.0), ("USD", 6.0, 0.0, 6.0)]
    assert in_words(known) == [("EUR", 4.0, 1.0, 0.0), ("USD", 6.0, 1.5, 0.0)]
    assert in_words(doubled) == [("EUR", 4.0, 8.0, 0.0), ("USD", 6.0, 12.0, 0.0)]


def test_scenarios_stand_beside_each_other(recorded):
    rules = [from_plain([{"scales": {"volume": scale}}]) for scale in (0.5, 1.5, 3)]

    found = side_by_side(recorded.id, QUARTER, rules)

    base = found.baseline["total_kg_co2e"]
    assert [each.figures["total_kg_co2e"] / base for each in found.outcomes] == pytest.approx([0.5, 1.5, 3])


def test_filter_narrows_what_a_scenario_is_about(recorded):
    asked = Filter(QUARTER.from_day, QUARTER.to_day, dims={"team": ("search",)})

    found = run(recorded, {"scales": {"volume": 2}}, asked=asked).outcomes[0]

    assert found.figures["total_kg_co2e"] == pytest.approx(2 * figures_of(recorded, asked)["total_kg_co2e"])


def test_rule_on_a_small_team_is_about_all_small_teams(recorded):
    with organization_scope(recorded.id):
        for name, head_count in (("search", 2), ("vision", 3), ("research", 9)):
            Team.objects.create(organization=recorded, name=name, head_count=head_count)

    one, all_of_them = (
        run(recorded, {"where": {"team": names}, "scales": {"volume": 2}}).outcomes[0]
        for names in (["vision"], ["vision", "search"])
    )

    assert one.difference.value == all_of_them.difference.value


@pytest.mark.parametrize(
    ("rule", "field"),
    [
        ({"sets": {"model": "no-such-model-9"}}, "rules.1.sets.model"),
        ({"where": {"team": ["nobody"]}, "scales": {"volume": 2}}, "rules.1.where"),
        ({"where": {"colour": ["red"]}, "scales": {"volume": 2}}, "rules.1.where"),
        ({"where": {"run": ["r1"]}, "scales": {"volume": 2}}, "rules.1.where.run"),
        ({"sets": {"region": "atlantis-1"}}, "rules.1.sets.region"),
    ],
)
def test_rules_that_cannot_be_applied_are_refused(recorded, rule, field):
    with pytest.raises(ScenarioError) as refused:
        run(recorded, rule)

    assert refused.value.field == field


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"dims": {"team": ("nobody",)}}, "period"),
        ({"dims": {"run": ("r1",)}}, "run"),
        ({"dims": {"scope": ("2",)}}, "scope"),
        ({"role": ("cross_check",)}, "role"),
        ({"booking": "disclosed"}, "booking"),
    ],
)
def test_filters_that_no_scenario_can_have_are_refused(recorded, options, field):
    with pytest.raises(FilterError) as refused:
        run(recorded, {"scales": {"volume": 2}}, asked=Filter(QUARTER.from_day, QUARTER.to_day, **options))

    assert refused.value.field == field


def test_four_scenarios_are_too_many(recorded):
    with pytest.raises(FilterError):
        side_by_side(recorded.id, QUARTER, [(Rewrite(scales={"volume": 2.0}),)] * 4)


@pytest.fixture
def hourly(organization, write):
    """1, 2 and 3 kWh at a facility in Germany and as much in France, in hours of 100, 400 and 700 g/kWh in Germany."""
    there = [{**each, "zone": "FR", "record_id": f"{each['record_id']}-fr"} for each in three_hours()]
    write(*three_hours(), *there)
    enter(organization, hourly_csv(THREE))
    return organization


@pytest.mark.parametrize(
    ("rule", "location_kg"),
    [
        ({"where": {"zone": ["DE"]}, "scales": {"volume": 2}}, 6.0),
        ({"where": {"zone": ["DE"]}, "energy_saving": 0.5, "source": "trial"}, 1.5),
        ({"where": {"zone": ["FR"]}, "sets": {"zone": "DE"}}, 3.0),
        ({"where": {"zone": ["FR"]}, "sets": {"zone": "DE"}, "share": 0.5}, 1.5),
    ],
)
def test_hours_of_a_grid_keep_their_weights(hourly, rule, location_kg):
    zone = rule["where"]["zone"][0]
    asked = Filter(QUARTER.from_day, QUARTER.to_day, dims={"zone": (zone,)})

    found = run(hourly, rule, asked=asked)

    # 1 kWh x 0.1 + 2 x 0.4 + 3 x 0.7 = 3.0 kg in the German hours; half of what is French stays with its own grid.
    rest = 0.5 * found.baseline["location_kg_co2e"] if rule.get("share") else 0.0
    assert found.outcomes[0].figures["location_kg_co2e"] == pytest.approx(location_kg + rest)
