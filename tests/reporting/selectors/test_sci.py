"""SCI of records, runs and business figures, worked out by hand: German electricity at 329.0 g/kWh (EEA, 2023)."""

from __future__ import annotations

import random
from datetime import date

import pytest

from core.accounting import selectors
from core.accounting.figures import Filter, FilterError
from core.organizations.services import set_head_count
from core.organizations.tenancy import organization_scope
from reporting.intensities.units import BUILT_IN, revenue_unit
from reporting.selectors import sci as selector
from reporting.selectors.denominators import unit_named
from reporting.selectors.sci import sci
from reporting.services.denominators import enter_figures
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

JULY = (date(2026, 7, 1), date(2026, 7, 31))
QUARTER = (date(2026, 7, 1), date(2026, 9, 30))
TASKS = BUILT_IN["accepted_task"]
DE_KG_PER_KWH = 0.329


def scores(organization, unit, period=JULY, **asked):
    return sci(organization.id, Filter(*period, **asked), unit).rows


def only(rows):
    (row,) = rows
    return row


def by(rows, dim):
    return {row.dims[dim]: row for row in rows}


def enter(organization, *rows):
    names = ("series", "period", "value", "team")
    return enter_figures(organization_id=organization.id, rows=[dict(zip(names, row, strict=False)) for row in rows])


def test_requests_divide_energy_and_embodied_of_the_records_that_report_them(organization):
    deliver(
        organization,
        [
            metered("a", 10.0, requests=1000, failed_requests=200),
            metered("b", 30.0, requests=200),
            metered("silent", 60.0),
            metered("made", 500.0, stage="training"),
        ],
    )

    row = only(scores(organization, BUILT_IN["request"]))

    assert row.score == "consumer"
    assert row.sums.functional_units == 1000  # 1,000 - 200 + 200
    assert row.sums.energy_kwh.value == pytest.approx(40.0)
    assert row.sums.intensity_g_co2e_per_kwh == pytest.approx(329.0)
    assert row.kg_per_unit.value == pytest.approx(40 * DE_KG_PER_KWH / 1000)
    assert row.kg_per_unit.low < row.kg_per_unit.value < row.kg_per_unit.high
    assert row.sums.embodied_kg is None  # energy alone says nothing of the hardware
    assert row.embodied_known_share == 0.0
    assert (row.records, row.left_out_records) == (2, 1)
    assert row.left_out_share == pytest.approx(0.6)  # 60 of 100 kWh on the same grid


def test_the_embodied_share_is_added_and_said_for_which_energy_it_is_known(organization):
    held = {"hardware": "NVIDIA H100 80GB HBM3", "device_hours": 35_040.0, "ended_at": "2026-07-16T10:00:00Z"}
    deliver(organization, [metered("a", 10.0, requests=100, **held), metered("b", 30.0, requests=300)])

    row = only(scores(organization, BUILT_IN["request"]))

    # Held for its whole life of 35,040 h: 164 kg (NVIDIA PCF) and an eighth of a server of 2,500 kg (methodology 4.2).
    embodied_kg = 164.0 + 2500.0 / 8
    assert row.sums.embodied_kg.value == pytest.approx(embodied_kg, rel=1e-6)
    assert row.sums.carbon_kg.value == pytest.approx(40 * DE_KG_PER_KWH + embodied_kg, rel=1e-6)
    assert row.kg_per_unit.value == pytest.approx((40 * DE_KG_PER_KWH + embodied_kg) / 400, rel=1e-6)
    assert row.embodied_known_share == pytest.approx(0.25)


def test_a_thousand_tokens_need_both_kinds(organization):
    deliver(
        organization,
        [
            metered("a", 3.0, input_tokens=4000, output_tokens=2000),
            metered("b", 1.0, input_tokens=8000),
            metered("c", 1.0, output_tokens=1000),
        ],
    )

    both = only(scores(organization, BUILT_IN["1000_tokens"]))
    output = only(scores(organization, BUILT_IN["1000_output_tokens"]))

    assert both.kg_per_unit.value == pytest.approx(3 * DE_KG_PER_KWH / 6)
    assert output.kg_per_unit.value == pytest.approx(4 * DE_KG_PER_KWH / 3)
    assert both.left_out_share == pytest.approx(0.4)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"requests": 5, "failed_requests": 5}, "None of these requests succeeded"),
        ({}, "No record of these stages reports requests."),
        ({"stage": "training", "requests": 5}, "No record of these stages and this period"),
    ],
)
def test_without_a_request_there_is_no_score_but_a_reason(organization, fields, reason):
    deliver(organization, [metered("a", 10.0, **fields)])

    row = only(scores(organization, BUILT_IN["request"]))

    assert row.kg_per_unit is None
    assert reason in row.reason


def test_spend_has_no_energy_and_is_left_out(organization):
    spent = {"energy_kwh": None, "energy_boundary": None, "cost": 100.0, "currency": "USD", "hosting": "api"}
    bill = {name: value for name, value in metered("bill", 1.0, requests=50, **spent).items() if value is not None}
    deliver(organization, [bill | {"evidence": "modelled"}])

    row = only(scores(organization, BUILT_IN["request"]))

    assert row.kg_per_unit is None
    assert "there is no E × I" in row.reason
    assert row.left_out_records == 1


def test_runs_are_counted_once_and_records_without_one_are_left_out(organization):
    deliver(
        organization,
        [
            metered("a", 10.0, stage="training", run="r1"),
            metered("b", 20.0, stage="training", run="r1"),
            metered("c", 30.0, stage="fine_tuning", run="r2"),
            metered("d", 40.0, stage="experimentation", run="r3"),
            metered("e", 100.0, stage="inference", run="r4"),
        ],
    )

    row = only(scores(organization, BUILT_IN["training_run"]))

    assert row.score == "provider"
    assert row.sums.functional_units == 2
    assert row.kg_per_unit.value == pytest.approx(60 * DE_KG_PER_KWH / 2)
    assert row.left_out_share == pytest.approx(0.4)


def test_tasks_of_the_organization_divide_each_score_by_itself(organization):
    deliver(organization, [metered("a", 100.0), metered("b", 300.0, stage="training")])
    enter(organization, ("accepted_tasks", "2026-07", "200"))

    consumer, provider = scores(organization, TASKS)

    assert (consumer.score, provider.score) == ("consumer", "provider")
    assert consumer.kg_per_unit.value == pytest.approx(100 * DE_KG_PER_KWH / 200)
    assert provider.kg_per_unit.value == pytest.approx(300 * DE_KG_PER_KWH / 200)


@pytest.mark.parametrize(("entered", "reads"), [((), 2), ((("accepted_tasks", "2026-07", "200"),), 4)])
def test_the_same_sums_are_read_once_and_undivided_ones_never(organization, monkeypatch, entered, reads):
    deliver(organization, [metered("a", 100.0)])
    if entered:
        enter(organization, *entered)
    asked = []
    monkeypatch.setattr(
        selector, "emissions", lambda *given, **named: asked.append(given) or selectors.emissions(*given, **named)
    )

    scores(organization, TASKS)

    assert len(asked) == reads  # all of each score; of what has figures those with energy, and with an embodied share


def test_a_month_counts_only_in_a_period_that_holds_all_of_it(organization):
    deliver(organization, [metered("a", 100.0)])
    enter(organization, ("accepted_tasks", "2026-07", "200"))

    part = scores(organization, TASKS, (date(2026, 7, 10), date(2026, 7, 31)))[0]
    quarter = scores(organization, TASKS, QUARTER)[0]
    months = scores(organization, TASKS, QUARTER, grain="month")

    assert part.reason == "The figure for 2026-07 reaches beyond this period, and is not split."
    assert quarter.reason == "Accepted tasks are missing for 2026-08, 2026-09."
    assert [row.kg_per_unit.value for row in months] == [pytest.approx(100 * DE_KG_PER_KWH / 200)]


def test_a_correction_replaces_and_a_withdrawal_takes_away(organization):
    deliver(organization, [metered("a", 100.0)])
    enter(organization, ("accepted_tasks", "2026-07", "200"))
    enter(organization, ("accepted_tasks", "2026-07", "400"))

    corrected = scores(organization, TASKS)[0]
    enter(organization, ("accepted_tasks", "2026-07", "withdrawn"))
    withdrawn = scores(organization, TASKS)[0]

    assert corrected.kg_per_unit.value == pytest.approx(100 * DE_KG_PER_KWH / 400)
    assert withdrawn.reason == "No accepted tasks are entered for this period."


def test_zero_tasks_give_no_score(organization):
    deliver(organization, [metered("a", 100.0)])
    enter(organization, ("accepted_tasks", "2026-07", "0"))

    row = scores(organization, TASKS)[0]

    assert row.kg_per_unit is None
    assert row.reason == "There were 0 accepted tasks, so there is nothing to divide by."


def test_figures_of_teams_are_divided_by_their_own_records_only(organization):
    deliver(
        organization,
        [metered("a", 100.0, team="search"), metered("b", 50.0, team="vision"), metered("c", 250.0, team="legal")],
    )
    enter(
        organization,
        ("accepted_tasks", "2026-07", "1000", "search"),
        ("accepted_tasks", "2026-07", "10", "vision"),
        ("accepted_tasks", "2026-07", "77", "a team without records"),
    )

    whole = scores(organization, TASKS)[0]
    teams = by([row for row in scores(organization, TASKS, by=("team",)) if row.score == "consumer"], "team")
    of_search = scores(organization, TASKS, dims={"team": ("search",)})[0]

    assert whole.kg_per_unit.value == pytest.approx(150 * DE_KG_PER_KWH / 1010)
    assert whole.left_out_share == pytest.approx(250 / 400)
    assert teams["search"].kg_per_unit.value == pytest.approx(100 * DE_KG_PER_KWH / 1000)
    assert teams["legal"].reason == "No accepted tasks are entered for team legal."
    assert of_search.kg_per_unit.value == teams["search"].kg_per_unit.value
    # a ratio of sums, never the mean of rates
    assert whole.sums.functional_units == sum(row.sums.functional_units for row in teams.values() if row.sums)


def test_figures_that_are_not_told_apart_by_a_filter_give_a_reason(organization):
    deliver(organization, [metered("a", 100.0, model="atlas", team="search")])
    enter(organization, ("accepted_tasks", "2026-07", "200"))

    model = scores(organization, TASKS, by=("model",))[0]
    team = scores(organization, TASKS, dims={"team": ("search",)})[0]
    two = scores(organization, TASKS, dims={"team": ("search",), "project": ("x", "unattributed")})[0]

    assert model.reason == "Accepted tasks are not told apart by model."
    assert team.reason == "No accepted tasks are entered for team search."
    assert two.reason == "Accepted tasks are not told apart by project and team."


def test_small_teams_are_divided_together_or_not_at_all(organization):
    for name, people in (("legal", 2), ("audit", 3), ("search", 30)):
        set_head_count(organization_id=organization.id, name=name, head_count=people)
    deliver(
        organization,
        [metered("a", 10.0, team="legal"), metered("b", 30.0, team="audit"), metered("c", 60.0, team="search")],
    )
    enter(organization, ("accepted_tasks", "2026-07", "100", "legal"), ("accepted_tasks", "2026-07", "20", "search"))

    alone = scores(organization, TASKS, dims={"team": ("legal",)})[0]
    whole = scores(organization, TASKS)[0]
    enter(organization, ("accepted_tasks", "2026-07", "300", "audit"))
    together = scores(organization, TASKS, dims={"team": ("legal",)})[0]

    assert alone.kg_per_unit is None
    assert whole.kg_per_unit.value == pytest.approx(60 * DE_KG_PER_KWH / 20)
    assert together.kg_per_unit.value == pytest.approx(40 * DE_KG_PER_KWH / 400)


def test_revenue_is_divided_by_the_thousand_and_by_currency(organization):
    deliver(organization, [metered("a", 100.0)])
    row = {"series": "revenue", "period": "2026-Q3", "value": "2500000", "currency": "EUR"}
    enter_figures(organization_id=organization.id, rows=[row])

    euros = scores(organization, revenue_unit("EUR"), QUARTER)[0]
    dollars = scores(organization, revenue_unit("USD"), QUARTER)[0]

    assert euros.kg_per_unit.value == pytest.approx(100 * DE_KG_PER_KWH / 2500)
    assert dollars.reason == "No USD of revenue are entered for this period."


def test_a_unit_of_their_own_works_like_the_others(organization):
    deliver(organization, [metered("a", 100.0)])
    rows = [{"series": "claims", "period": f"2026-07-{day:02}", "value": 10, "unit": "claim"} for day in range(1, 32)]
    enter_figures(organization_id=organization.id, rows=rows)
    with organization_scope(organization.id):
        unit = unit_named(organization.id, "claims")

    row = scores(organization, unit)[0]

    assert row.sums.functional_units == 310
    assert row.kg_per_unit.value == pytest.approx(100 * DE_KG_PER_KWH / 310)


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("basis", {"basis": "market"}),
        ("booking", {"booking": "disclosed"}),
        ("include", {"include": ("upstream",)}),
        ("role", {"role": ("counted", "cross_check")}),
    ],
)
def test_what_no_sci_rests_on_is_refused(organization, field, asked):
    with pytest.raises(FilterError) as refused:
        scores(organization, BUILT_IN["request"], **asked)

    assert refused.value.field == field


def test_another_organization_s_figures_do_not_count(organization, other_organization):
    deliver(organization, [metered("a", 100.0)])
    enter(other_organization, ("accepted_tasks", "2026-07", "200"))

    assert scores(organization, TASKS)[0].reason == "No accepted tasks are entered for this period."


@pytest.mark.parametrize("unit", ["request", "1000_output_tokens"])
@pytest.mark.parametrize("by", [("team",), ("model",), ("team", "model"), ("application", "provider")])
def test_the_whole_is_the_ratio_of_the_sums_of_any_partition(organization, unit, by):
    deliver(organization, list(many_records()))

    whole = only(scores(organization, BUILT_IN[unit], QUARTER))
    parts = [row for row in scores(organization, BUILT_IN[unit], QUARTER, by=by) if row.sums]
    months = [row for row in scores(organization, BUILT_IN[unit], QUARTER, grain="month") if row.sums]

    for some in (parts, months):
        kg = sum(row.sums.carbon_kg.value for row in some)
        units = sum(row.sums.functional_units for row in some)
        assert len(some) > 1
        assert units == pytest.approx(whole.sums.functional_units)
        assert whole.kg_per_unit.value == pytest.approx(kg / units, rel=1e-9)


def many_records():
    """A hundred records of three months, drawn with a fixed seed: some without requests, some without tokens."""
    draw = random.Random(31)
    for number in range(100):
        month, day = draw.choice((7, 8, 9)), draw.randint(1, 28)
        measures = {"requests": draw.randint(0, 500), "output_tokens": draw.randint(0, 90_000)}
        kept = {name: value for name, value in measures.items() if draw.random() < 0.8}
        yield metered(
            f"r{number}",
            draw.uniform(0.001, 50.0),
            started_at=f"2026-{month:02}-{day:02}T10:00:00Z",
            ended_at=f"2026-{month:02}-{day:02}T11:00:00Z",
            team=draw.choice(("search", "vision", "legal")),
            model=draw.choice(("atlas", "embed")),
            application=draw.choice(("assistant", "help")),
            provider=draw.choice(("own", "rented")),
            zone=draw.choice(("DE", "FR")),
            **kept,
        )
