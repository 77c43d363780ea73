"""The aggregates of pages, API and command against numbers worked out by hand."""

from __future__ import annotations

import json
from datetime import date

import pandas as pd
import pytest

from core.accounting import services
from core.accounting.figures import Filter, FilterError
from core.accounting.selectors import emissions
from core.organizations.services import create_team

from .conftest import at, call, metered

YEAR = (date(2026, 1, 1), date(2026, 12, 31))
DE_G_PER_KWH = 329.0  # direct factor of 2023, used in 2026 (methodology 3.1)


def facility(number: int, kwh: float, **fields):
    """Energy metered at the facility boundary in Germany: kg = kWh x 0.329, with no PUE between."""
    return metered(number, kwh, energy_boundary="facility", **fields)


@pytest.fixture
def three_meters(committed_db, organization, factor_set, write):
    write(
        facility(1, 10.0, team="vision", run="run-a"),
        facility(2, 20.0, day="2026-08-04", team="search", run="run-a"),
        facility(3, 30.0, day="2026-08-05", team=None),
    )
    services.derive_dirty_days(organization.id)


def rows(organization, **options) -> pd.DataFrame:
    period = options.pop("period", YEAR)
    return emissions(organization.id, Filter(*period, **options)).rows


def test_total_is_energy_times_grid_factor(organization, three_meters):
    (row,) = rows(organization, include=()).itertuples()

    assert row.records == 3
    assert row.requests == 0
    assert row.energy_facility_kwh == 60.0
    assert row.location_kg_co2e == pytest.approx(60.0 * DE_G_PER_KWH / 1000, abs=1e-9)
    assert row.total_kg_co2e == row.location_kg_co2e
    assert row.location_kg_co2e_low < row.location_kg_co2e < row.location_kg_co2e_high


@pytest.mark.parametrize("grain", ["total", "hour"])  # of daily rows, and of cells on read
def test_only_what_knows_the_measures_is_counted(committed_db, organization, factor_set, write, grain):
    write(
        facility(1, 10.0, requests=4),
        facility(2, 20.0),
        facility(3, 5.0, requests=0, hardware="NVIDIA H100 80GB HBM3", device_hours=1.0),
        call(4, model="a-model-nobody-knows"),
    )
    services.derive_dirty_days(organization.id)
    asked = Filter(date(2026, 7, 1), date(2026, 7, 31), grain=grain)

    def kwh(*known):
        found = emissions(organization.id, asked, known=known).rows
        return found["energy_facility_kwh"].sum(), found["records"].sum()

    assert kwh("requests", "energy_facility_kwh") == (15.0, 2)
    assert kwh("energy_facility_kwh") == (35.0, 3)
    assert kwh("requests", "embodied_kg_co2e") == (5.0, 1)


def test_teams_add_up_and_nobody_is_named_so(organization, three_meters):
    found = rows(organization, by=("team",)).set_index("team")["energy_facility_kwh"]

    assert found.to_dict() == {"search": 20.0, "vision": 10.0, "unattributed": 30.0}


@pytest.mark.parametrize(
    ("grain", "expected"),
    [
        ("day", {"2026-07-01": 10.0, "2026-08-04": 20.0, "2026-08-05": 30.0}),
        ("week", {"2026-06-29": 10.0, "2026-08-03": 50.0}),
        ("month", {"2026-07-01": 10.0, "2026-08-01": 50.0}),
        ("quarter", {"2026-07-01": 60.0}),
        ("year", {"2026-01-01": 60.0}),
    ],
)
def test_slots_begin_where_they_should(organization, three_meters, grain, expected):
    found = rows(organization, grain=grain).set_index("start")["energy_facility_kwh"]

    assert {str(start.date()): kwh for start, kwh in found.items()} == expected


def test_parts_of_months_come_from_days(organization, three_meters):
    found = rows(organization, period=(date(2026, 8, 5), date(2026, 8, 31)))

    assert found["energy_facility_kwh"].tolist() == [30.0]


def test_hours_come_from_cells_and_agree_with_days(organization, three_meters):
    day = (date(2026, 8, 5), date(2026, 8, 5))
    (hour,) = rows(organization, grain="hour", period=day).itertuples()
    (whole,) = rows(organization, grain="day", period=day).itertuples()

    assert hour.start == at("2026-08-05T10:00:00")
    assert hour.total_kg_co2e == pytest.approx(whole.total_kg_co2e, abs=1e-9)
    assert hour.market_kg_co2e == pytest.approx(whole.market_kg_co2e, abs=1e-9)
    assert hour.total_kg_co2e_low == pytest.approx(whole.total_kg_co2e_low, rel=1e-6)


def test_runs_come_from_the_ledger(organization, three_meters):
    found = rows(organization, by=("run",))
    one = rows(organization, dims={"run": ("run-a",)}, by=("run", "team"))

    assert found[["run", "records", "energy_facility_kwh"]].values.tolist() == [["run-a", 2, 30.0]]
    assert one["energy_facility_kwh"].tolist() == [20.0, 10.0]


def test_filters_narrow_and_values_of_one_dimension_mean_either(organization, three_meters):
    either = rows(organization, dims={"team": ("vision", "unattributed")})
    none = rows(organization, dims={"team": ("vision",), "stage": ("inference",)})

    assert either["energy_facility_kwh"].tolist() == [40.0]
    assert none.empty


def test_market_takes_the_rate_of_its_market(committed_db, organization, factor_set, write):
    write(facility(1, 10.0, zone="CN"))
    services.derive_dirty_days(organization.id)

    (row,) = rows(organization, basis="market", include=()).itertuples()

    # The residual mix of China of the shipped tables, applied to 10 kWh.
    from core.accounting.models import MarketRate
    from core.organizations.tenancy import organization_scope

    with organization_scope(organization.id):
        rate = MarketRate.objects.get(organization_id=organization.id)
    assert rate.factor["name"] == "grid_market"
    assert row.market_kg_co2e == pytest.approx(10 * rate.g_per_kwh / 1000)
    assert row.total_kg_co2e == row.market_kg_co2e
    assert row.market_kg_co2e != pytest.approx(row.location_kg_co2e)
    assert row.market_kg_co2e_low == pytest.approx(row.market_kg_co2e * rate.g_per_kwh_low / rate.g_per_kwh, rel=0.03)


def test_a_suppliers_market_figure_is_its_own(committed_db, organization, factor_set, write):
    write(
        {
            "record_id": "statement-1",
            "started_at": at("2026-07-01T00:00:00"),
            "ended_at": at("2026-08-01T00:00:00"),
            "hosting": "cloud",
            "provider": "aws",
            "evidence": "stated",
            "reported_kg_co2e": 12.5,
            "reported_basis": "market",
        }
    )
    services.derive_dirty_days(organization.id)

    (row,) = rows(organization, basis="market").itertuples()

    assert row.market_kg_co2e == pytest.approx(12.5, abs=1e-6)
    assert pd.isna(row.location_kg_co2e)
    assert pd.isna(row.energy_facility_kwh)


def test_scopes_split_a_row_by_what_books_where(committed_db, organization, factor_set, write):
    write(
        metered(
            1,
            10.0,
            device_hours=8.0,
            hardware="NVIDIA H100 80GB HBM3",
            energy_boundary="device",
        )
    )
    services.derive_dirty_days(organization.id)

    found = rows(organization, by=("scope",)).set_index("scope")

    assert sorted(found.index) == ["2", "3.2", "3.3"]
    assert found["records"].to_dict() == {"2": 1, "3.2": 0, "3.3": 0}
    assert found["embodied_kg_co2e"].notna().to_dict() == {"2": False, "3.2": True, "3.3": False}
    assert found["location_kg_co2e"].notna().to_dict() == {"2": True, "3.2": False, "3.3": False}
    assert found["total_kg_co2e"].sum() == pytest.approx(rows(organization)["total_kg_co2e"].sum())


def test_disclosed_leaves_out_the_share_of_own_hardware(committed_db, organization, factor_set, write):
    write(
        metered(1, 10.0, device_hours=8.0, hardware="NVIDIA H100 80GB HBM3"),
        call(1),
    )
    services.derive_dirty_days(organization.id)

    by_stage = {
        booking: rows(organization, by=("stage",), booking=booking).set_index("stage")["embodied_kg_co2e"]
        for booking in ("life-cycle", "disclosed")
    }

    assert by_stage["life-cycle"]["training"] > 0
    assert pd.isna(by_stage["disclosed"]["training"])
    assert by_stage["disclosed"]["inference"] == by_stage["life-cycle"]["inference"]


def test_cross_checks_are_shown_beside_and_never_added(committed_db, organization, factor_set, write):
    agent = write(facility(1, 10.0), source="agent")
    bill = write(facility(2, 12.0), source="bill")
    unit = services.set_coverage_unit(organization_id=organization.id, name="A", counting_source_id=agent)
    for source_id in (agent, bill):
        services.link_source(organization_id=organization.id, source_id=source_id, unit_id=unit.id)
    services.derive_dirty_days(organization.id)

    counted = rows(organization)
    both = rows(organization, by=("source", "role"), role=("counted", "cross_check"))

    assert counted["energy_facility_kwh"].tolist() == [10.0]
    assert both[["source", "role", "energy_facility_kwh"]].values.tolist() == [
        ["agent", "counted", 10.0],
        ["bill", "cross_check", 12.0],
    ]


def test_small_teams_fold_and_cannot_be_asked_for(organization, three_meters):
    for name, head_count in (("vision", 2), ("search", 9)):
        create_team(organization_id=organization.id, name=name, head_count=head_count)

    folded = rows(organization, by=("team",)).set_index("team")["energy_facility_kwh"]
    asked = rows(organization, dims={"team": ("vision",)})

    assert folded.to_dict() == {"small groups": 30.0, "unattributed": 30.0}
    assert asked["energy_facility_kwh"].tolist() == [30.0]


@pytest.fixture
def small_teams_with_projects(committed_db, organization, factor_set, write):
    """Three teams, two of which are folded; the project `shared` belongs to a folded team and to one that is shown."""
    for name, head_count in (("vision", 2), ("legal", 3), ("search", 9)):
        create_team(organization_id=organization.id, name=name, head_count=head_count)
    write(
        facility(1, 10.0, team="vision", project="robot", run="run-a"),
        facility(2, 20.0, team="legal", project="shared", run="run-a"),
        facility(3, 40.0, team="search", project="shared", run="run-a"),
        facility(4, 80.0, team="search", project=None, run="run-a"),
    )
    services.derive_dirty_days(organization.id)


ON_READ = [{}, {"dims": {"run": ("run-a",)}}, {"grain": "hour", "period": (date(2026, 7, 1), date(2026, 7, 1))}]


@pytest.mark.parametrize("options", ON_READ)
def test_projects_of_small_teams_fold_without_their_team(organization, small_teams_with_projects, options):
    found = rows(organization, by=("project",), **options).set_index("project")["energy_facility_kwh"]

    assert found.to_dict() == {"shared": 40.0, "small groups": 30.0, "unattributed": 80.0}


@pytest.mark.parametrize("options", ON_READ)
@pytest.mark.parametrize(
    ("project", "expected"),
    [("robot", []), ("shared", [40.0]), ("small groups", [30.0]), ("unattributed", [80.0])],
)
def test_a_project_filter_does_not_ask_for_a_small_team(
    organization, small_teams_with_projects, options, project, expected
):
    narrowed = {**options, "dims": {**options.get("dims", {}), "project": (project,)}}

    assert rows(organization, **narrowed)["energy_facility_kwh"].tolist() == expected


def test_measures_can_be_asked_for_beside(committed_db, organization, factor_set, write):
    write(call(1), call(2, output_tokens=50))
    services.derive_dirty_days(organization.id)

    result = emissions(organization.id, Filter(*YEAR), measures=("output_tokens",), bounds=False)

    assert result.rows["output_tokens"].tolist() == [250.0]
    assert result.rows["requests"].tolist() == [2]
    assert not any(name.endswith("_low") for name in result.rows)


def test_measures_stand_with_the_electricity_and_once(committed_db, organization, factor_set, write):
    write(call(1), metered(2, 10.0, device_hours=8.0, hardware="NVIDIA H100 80GB HBM3"))
    services.derive_dirty_days(organization.id)

    def of(measure: str, **options) -> dict[str, float]:
        found = emissions(organization.id, Filter(*YEAR, by=("scope",), **options), measures=(measure,)).rows
        return found.set_index("scope")[measure].dropna().to_dict()

    assert of("output_tokens") == {"3.1": 200.0}
    assert of("device_hours") == {"2": 8.0}
    assert of("device_hours", dims={"scope": ("3.2",)}) == {}


def test_nothing_is_no_rows_with_the_same_columns(organization, three_meters):
    nothing = rows(organization, by=("team",), grain="month", period=(date(2020, 1, 1), date(2020, 12, 31)))
    something = rows(organization, by=("team",), grain="month")

    assert nothing.empty
    assert list(nothing.columns) == list(something.columns)


def test_before_the_first_derive_there_are_no_rows(committed_db, organization, factor_set):
    result = emissions(organization.id, Filter(*YEAR, by=("team",)))

    assert result.rows.empty
    assert result.view_id is None


def test_the_answer_is_the_json_of_the_contract(organization, three_meters):
    result = emissions(organization.id, Filter(*YEAR, by=("team",), grain="month"))

    answer = json.loads(json.dumps(result.as_dict(), allow_nan=False))

    assert answer["filter"]["from"] == "2026-01-01"
    assert answer["filter"]["role"] == ["counted"]
    assert answer["as_of"].endswith("Z")
    assert answer["rows"][0]["start"] == "2026-07-01T00:00:00Z"
    assert answer["rows"][0]["team"] == "vision"
    assert answer["rows"][0]["records"] == 1


def test_hours_of_a_year_are_refused(organization, three_meters):
    with pytest.raises(FilterError, match="62 days"):
        rows(organization, grain="hour")


def test_another_organization_sees_nothing(organization, other_organization, three_meters):
    assert rows(other_organization).empty


@pytest.mark.parametrize("options", [{"grain": "hour"}, {"by": ("run",)}, {"dims": {"run": ("nobody",)}}])
def test_nothing_to_quantify_on_read_is_no_rows(organization, three_meters, options):
    assert rows(organization, period=(date(2020, 1, 1), date(2020, 1, 2)), **options).empty


@pytest.mark.parametrize(
    "shown", [(), ("total_kg_co2e",), ("market_kg_co2e", "water_l"), ("total_kg_co2e", "energy_facility_kwh")]
)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"by": ("team",), "grain": "month"},
        {"by": ("scope",)},
        {"basis": "market"},
        {"booking": "disclosed"},
        {"booking": "disclosed", "basis": "market"},
    ],
)
def test_intervals_that_are_not_shown_change_no_figure(organization, three_meters, options, shown):
    asked = Filter(*YEAR, **options)
    every, some = emissions(organization.id, asked).rows, emissions(organization.id, asked, bounds=shown).rows
    sides = {f"{name}{suffix}" for name in shown for suffix in ("_low", "_high")}

    assert sides <= set(some.columns) < set(every.columns)
    pd.testing.assert_frame_equal(some, every[some.columns], check_exact=True)
