"""Own grid series in figures: by hour, month, run and record, and in explain; only what changed is derived again."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors import emissions
from core.accounting.selectors.explain import explain
from core.accounting.selectors.reconciliation import reconcile_daily
from core.factors.grid_services import GridSeriesError
from core.ledger.selectors import dirty_days
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope
from core.quantification.grid_series_file import read_series

from .conftest import at, metered
from .test_derive import daily, table
from .test_rule_commands import run

pytestmark = pytest.mark.usefixtures("committed_db", "factor_set")

QUARTER = (date(2026, 7, 1), date(2026, 10, 1))
PLAIN = 300.0


def hourly_csv(values=None, *, missing=0, first=QUARTER[0], until=QUARTER[1], plain=PLAIN):
    """Every hour of a quarter: 300 g/kWh but where ``values`` says otherwise, the last ``missing`` hours left out."""
    start = datetime(first.year, first.month, first.day, tzinfo=UTC)
    hours = (until - first).days * 24
    lines = ["start_utc,g_per_kwh"]
    for number in range(hours - missing):
        hour = f"{start + timedelta(hours=number):%Y-%m-%dT%H:00Z}"
        lines.append(f"{hour},{(values or {}).get(hour, plain)}")
    return "\n".join(lines)


def enter(organization, text, *, zone="DE", use="hourly", **fields):
    given = {"boundary": "lifecycle", "source": "TSO's own data", "licence": "CC BY 4.0", **fields}
    series = services.import_grid_series(organization_id=organization.id, file=read_series(text), zone=zone, **given)
    if use is not None:
        services.choose_granularity(organization_id=organization.id, zone=zone, granularity=use)
    services.derive_dirty_days(organization.id)
    return series


def asked(**fields):
    given = {"from_day": QUARTER[0], "to_day": QUARTER[1] - timedelta(days=1), **fields}
    return Filter(**given)


def only(organization, **fields):
    return emissions(organization.id, asked(**fields)).rows.iloc[0]


THREE = {"2026-07-01T10:00Z": 100.0, "2026-07-01T11:00Z": 400.0, "2026-07-01T12:00Z": 700.0}
"""Three hours of 1, 2 and 3 kWh at the facility: 0.1 + 0.8 + 2.1 kg."""


def three_hours():
    return [
        metered(number, float(number), started_at=at(f"2026-07-01T{9 + number}:00:00"),
                ended_at=at(f"2026-07-01T{10 + number}:00:00"), energy_boundary="facility", run="run-1")
        for number in (1, 2, 3)
    ]  # fmt: skip


@pytest.fixture
def three(organization, write):
    write(*three_hours())
    enter(organization, hourly_csv(THREE))


def test_three_hours_by_hand(organization, three):
    (row,) = daily(organization).itertuples()

    assert row.location_nkg == 3_000_000_000  # 1 x 100 + 2 x 400 + 3 x 700 g
    assert row.energy_facility_pkwh == 6 * 10**12
    assert row.upstream_nkg == 0  # a lifecycle series holds the fuel, and losses are not known
    # Germany has no residual mix in the tables: market equals location
    assert (row.market_nkg, row.market_nkg_low, row.market_nkg_high) == (
        row.location_nkg,
        row.location_nkg_low,
        row.location_nkg_high,
    )
    answer = only(organization)
    assert answer["market_kg_co2e"] == answer["location_kg_co2e"] == 3.0


def test_bounds_are_those_of_the_very_hour(organization, three):
    (row,) = daily(organization).itertuples()

    # meter and grid each have a GSD of 1.05 (methodology 9.2); at the facility's meter no PUE stands between
    width = np.exp(1.959964 * np.hypot(np.log(1.05), np.log(1.05)))
    assert row.location_nkg_high / row.location_nkg == pytest.approx(width, rel=1e-6)
    assert row.location_nkg / row.location_nkg_low == pytest.approx(width, rel=1e-6)


def test_hours_runs_and_records_take_the_hours_own_factor(organization, three):
    by_hour = emissions(organization.id, asked(to_day=date(2026, 7, 2), grain="hour")).rows
    by_run = only(organization, by=("run",))
    records = [explain(organization.id, asked(), impact="location_kg_co2e", record_id=f"meter-{n}") for n in (1, 2, 3)]

    assert by_hour["location_kg_co2e"].tolist() == pytest.approx([0.1, 0.8, 2.1], rel=1e-12)
    assert by_hour["market_kg_co2e"].tolist() == by_hour["location_kg_co2e"].tolist()
    assert by_run["location_kg_co2e"] == pytest.approx(3.0, rel=1e-12)
    assert [tree["value"] for tree in records] == pytest.approx([0.1, 0.8, 2.1], rel=1e-12)
    (factor,) = records[1]["factors"][0:1]
    assert (factor["value"], factor["hour"], factor["granularity"]) == (
        pytest.approx(400.0),
        "2026-07-01T11:00Z",
        "hourly",
    )


def test_explain_of_a_period_multiplies_out_by_the_mean_weighed_by_load(organization, three):
    tree = explain(organization.id, asked(), impact="location_kg_co2e")

    (plan,) = tree["children"][0]["children"]
    (term,) = plan["terms"]
    (grid,) = [each for each in tree["factors"] if each["name"] == "grid_location"]
    assert tree["explained"] == pytest.approx(tree["value"], rel=1e-12)
    assert grid["value"] == pytest.approx(500.0)  # 3 kg over 6 kWh; the quarter's plain mean is about 300
    assert (grid["granularity"], grid["weighed_by"], grid["match"]) == ("hourly", "load", "exact")
    assert (grid["zone"], grid["period"], grid["source"]) == ("DE", "2026-Q3", "TSO's own data")
    assert (grid["hours"], grid["hours_missing"]) == (2208, 0)
    assert term["amount"] * grid["value"] / 1000 == pytest.approx(tree["value"])
    assert "hourly_grid_factor" in [note["code"] for note in plan["notes"]]


def test_market_explained_equals_location_explained(organization, three):
    figures = [explain(organization.id, asked(), impact=name) for name in ("location_kg_co2e", "market_kg_co2e")]

    assert figures[0]["value"] == figures[1]["value"] == pytest.approx(figures[1]["explained"], rel=1e-12)


def test_days_are_the_sum_of_records_hour_by_hour(organization, write):
    """The law of the product in a quarter of hourly factors: long records, corrections and odd numbers too."""
    random = np.random.default_rng(7)
    start = at("2026-07-01T00:00:00")
    records, kg, values = [], 0.0, {}
    for hour in range(72):
        values[f"{start + timedelta(hours=hour):%Y-%m-%dT%H:00Z}"] = round(float(random.uniform(20, 800)), 1)
    for number in range(60):
        minute = int(random.integers(0, 60 * 60))
        length = int(random.integers(1, 600))
        kwh = round(float(random.uniform(0.001, 50)), 6) * (-1 if number % 10 == 9 else 1)
        begins = start + timedelta(minutes=minute)
        records.append(
            metered(number, kwh, started_at=begins, ended_at=begins + timedelta(minutes=length),
                    energy_boundary="facility", corrects="meter-0" if kwh < 0 else None)
        )  # fmt: skip
        for each in range(minute, minute + length):  # minute by minute, independent of how cells are made
            hour = f"{start + timedelta(hours=each // 60):%Y-%m-%dT%H:00Z}"
            kg += kwh / length * values[hour] / 1000
    write(*records)
    enter(organization, hourly_csv(values))

    assert daily(organization)["location_nkg"].sum() / 1e9 == pytest.approx(kg, rel=1e-9, abs=1e-7)
    hours = emissions(organization.id, asked(to_day=date(2026, 7, 4), grain="hour")).rows
    assert hours["location_kg_co2e"].sum() == pytest.approx(kg, rel=1e-9, abs=1e-7)


def test_a_day_of_a_statement_counts_a_24th_an_hour(organization, write):
    midday = {f"2026-07-01T{hour:02}:00Z": 100.0 if hour < 12 else 500.0 for hour in range(24)}
    write(
        metered(1, 24.0, started_at=at("2026-07-01T00:00:00"), ended_at=at("2026-07-02T00:00:00"),
                evidence="stated", energy_boundary="facility", team="bills")
    )  # fmt: skip
    enter(organization, hourly_csv(midday))

    (row,) = daily(organization).itertuples()
    grains = table(organization, "select grain from ledger_series")["grain"].tolist()
    assert grains == ["day"]
    assert row.location_nkg == 7_200_000_000  # 12 kWh x 100 + 12 kWh x 500 g


def test_without_a_choice_the_published_factor_stands(organization, write):
    write(*three_hours())
    services.derive_dirty_days(organization.id)
    before = daily(organization)

    enter(organization, hourly_csv(THREE), use=None)

    pd.testing.assert_frame_equal(daily(organization), before)


@pytest.mark.parametrize(("missing", "kg"), [(44, 3.0), (45, 6 * 0.329)])
def test_98_percent_of_the_hours_serve_the_quarter_and_not_less(organization, write, missing, kg):
    write(*three_hours())

    enter(organization, hourly_csv(THREE, missing=missing))

    # 44 of 2,208 hours are 1.99 %, 45 are 2.04 %: then September lacks more than 2 % too, and 329.0 g/kWh is the EEA's
    assert only(organization)["location_kg_co2e"] == pytest.approx(kg, rel=1e-12)


def test_a_missing_hour_takes_the_mean_of_its_month(organization, write):
    values = {f"2026-07-{day:02}T{hour:02}:00Z": 450.0 for day in range(1, 32) for hour in range(24)}
    text = "\n".join(line for line in hourly_csv(values).splitlines() if not line.startswith("2026-07-01T11"))
    write(*three_hours())

    enter(organization, text)

    assert only(organization)["location_kg_co2e"] == pytest.approx(6 * 0.450, rel=1e-12)
    (grid,) = [
        e
        for e in explain(organization.id, asked(), impact="location_kg_co2e")["factors"]
        if e["name"] == "grid_location"
    ]
    assert grid["hours_missing"] == 1


def test_months_by_hand(organization, write):
    write(
        metered(1, 10.0, "2026-07-05", energy_boundary="facility"),
        metered(2, 10.0, "2026-08-05", energy_boundary="facility"),
    )

    enter(organization, "month,g_per_kwh\n2026-07,100\n2026-08,200.5\n2026-09,300", use="hourly", boundary="direct")

    rows = daily(organization)
    assert rows["location_nkg"].tolist() == [1_000_000_000, 2_005_000_000]
    # a direct series keeps the published fuel part: 363.6 - 329.0 g/kWh of 2023 (Ember, EEA)
    assert rows["upstream_nkg"].tolist() == [346_000_000, 346_000_000]
    months = emissions(organization.id, asked(grain="month")).rows
    assert months["market_kg_co2e"].tolist() == pytest.approx([1.0, 2.005])
    tree = explain(organization.id, asked(to_day=date(2026, 7, 31)), impact="location_kg_co2e")
    (grid,) = tree["factors"][0:1]
    assert (grid["period"], grid["granularity"], grid["origin"], grid["match"]) == (
        "2026-07",
        "monthly",
        "given",
        "exact",
    )
    assert tree["explained"] == pytest.approx(1.0)


def test_losses_follow_the_hour_and_the_fuel_does_not(organization, write):
    write(*three_hours())
    services.add_own_factor(
        organization_id=organization.id, name="grid_loss_fraction", value=0.2, source="TSO", where={"zone": "DE"}
    )

    enter(organization, hourly_csv(THREE), boundary="direct")

    (row,) = daily(organization).itertuples()
    # fuel 34.6 g x 6 kWh; a quarter kWh lost for each delivered, of (g + 34.6): (3000 + 6 x 34.6) / 4
    assert row.upstream_nkg == pytest.approx((6 * 34.6 + (3000 + 6 * 34.6) / 4) * 1e6, rel=1e-9)


def test_a_finer_zone_with_a_published_factor_keeps_it(organization, write):
    write(metered(1, 10.0, zone="EGRID:CAMX"), metered(2, 10.0, zone="US"))
    services.derive_dirty_days(organization.id)
    before = daily(organization).set_index("zone")["location_nkg"]

    enter(organization, hourly_csv(), zone="US")

    after = daily(organization).set_index("zone")["location_nkg"]
    assert after["EGRID:CAMX"] == before["EGRID:CAMX"]
    assert after["US"] == pytest.approx(10 * 1.58 * 300 * 1e6)


def test_an_own_factor_of_the_grid_goes_before_a_series(organization, three):
    services.add_own_factor(
        organization_id=organization.id,
        name="grid_g_co2e_per_kwh",
        value=50,
        source="line of our own",
        where={"zone": "DE"},
    )
    services.derive_dirty_days(organization.id)

    assert daily(organization)["location_nkg"].tolist() == [300_000_000]


def test_a_changed_value_marks_its_quarter_and_changes_its_zone_alone(organization, write):
    write(
        *three_hours(),
        metered(11, 5.0, "2026-07-01", zone="FR"),
        metered(12, 5.0, "2026-08-20"),
        metered(13, 5.0, "2026-05-01"),
    )
    both = hourly_csv(THREE, first=date(2026, 4, 1))
    enter(organization, both)
    before = daily(organization)

    services.import_grid_series(
        organization_id=organization.id,
        file=read_series(both.replace("2026-07-01T11:00Z,400.0", "2026-07-01T11:00Z,401.0")),
        zone="de",
        boundary="lifecycle",
        source="TSO's own data",
        licence="CC BY 4.0",
    )

    with organization_scope(organization.id):
        marked = sorted(set(dirty_days(organization.id).days))
    services.derive_dirty_days(organization.id)
    after = daily(organization)
    assert marked == [date(2026, 7, 1), date(2026, 8, 20)]
    changed = before.merge(after, on=["day", "series_id"], suffixes=("", "_after"))
    difference = (changed["location_nkg_after"] - changed["location_nkg"]).astype("int64").tolist()
    assert sorted(difference) == [0, 0, 0, 2_000_000]
    assert reconcile_daily(organization.id, date(2026, 4, 1), date(2026, 9, 30)).differences.empty


def test_importing_the_same_again_marks_nothing(organization, three):
    services.import_grid_series(
        organization_id=organization.id,
        file=read_series(hourly_csv(THREE)),
        zone="DE",
        boundary="lifecycle",
        source="TSO's own data",
        licence="CC BY 4.0",
    )

    with organization_scope(organization.id):
        assert not dirty_days(organization.id).days


def test_taking_back_brings_the_older_import_back_and_leaves_a_trace(organization, three):
    newer = enter(organization, hourly_csv(THREE, plain=1000.0).replace(",400.0", ",500.0"), use=None)
    changed = daily(organization)["location_nkg"].tolist()

    services.remove_grid_series(organization_id=organization.id, series_id=newer.id, reason="of another zone")
    services.derive_dirty_days(organization.id)

    assert changed == [3_200_000_000]
    assert daily(organization)["location_nkg"].tolist() == [3_000_000_000]
    with organization_scope(organization.id):
        events = AuditEvent.objects.filter(organization_id=organization.id, object_type__startswith="grid")
        assert [event.action for event in events.order_by("id")] == [
            "import_grid_series",
            "choose_grid_granularity",
            "import_grid_series",
            "remove_grid_series",
        ]


def test_deriving_twice_or_in_other_passes_gives_the_same_rows(organization, write, monkeypatch):
    from core.accounting.services import derive

    days = [f"2026-07-{day:02}" for day in range(1, 9)]
    write(*(metered(number, 1.7 + number / 3, day) for number, day in enumerate(days)))
    enter(organization, hourly_csv(THREE))
    before = daily(organization)

    monkeypatch.setattr(derive, "ROWS_A_PASS", 50 * 24)  # one day a pass
    services.derive_days(organization.id, [date.fromisoformat(day) for day in days])

    pd.testing.assert_frame_equal(daily(organization), before)


def test_a_kill_between_passes_changes_nothing(organization, write, monkeypatch):
    from core.accounting.services import derive

    write(*three_hours(), metered(9, 3.3, "2026-07-02"), metered(10, 4.4, "2026-08-02"))
    enter(organization, hourly_csv(THREE))
    expected = daily(organization)
    newer = enter(organization, hourly_csv(THREE, plain=299.0), use=None)
    changed = daily(organization)
    assert changed["location_nkg"].tolist() != expected["location_nkg"].tolist()

    real, passes = derive._replace, []

    def killed_at_the_second(*arguments):
        passes.append(arguments)
        if len(passes) == 2:
            raise KeyboardInterrupt
        real(*arguments)

    services.remove_grid_series(organization_id=organization.id, series_id=newer.id, reason="a slip")
    monkeypatch.setattr(derive, "_replace", killed_at_the_second)
    monkeypatch.setattr(derive, "ROWS_A_PASS", 50 * 24)
    with pytest.raises(KeyboardInterrupt):
        services.derive_dirty_days(organization.id)
    monkeypatch.undo()
    services.derive_dirty_days(organization.id)

    pd.testing.assert_frame_equal(daily(organization), expected)


def test_the_yearly_path_reads_no_hours(organization, write, monkeypatch):
    from core.accounting import rows

    def never(*arguments):
        raise AssertionError(f"hours were read: {arguments}")

    monkeypatch.setattr(rows, "hour_cells", never)
    write(*three_hours())
    enter(organization, hourly_csv(THREE), use=None)
    services.derive_dirty_days(organization.id)

    assert len(daily(organization)) == 1


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"zone": "Atlantis"}, "zone", "not in the catalog"),
        ({"source": " "}, "source", "auditor"),
        ({"boundary": "marginal"}, "boundary", "not one of"),
        ({"boundary": "direct"}, "boundary", "a quarter has one kind"),
    ],
)
def test_what_cannot_be_is_refused_with_its_field(organization, three, fields, field, says):
    with pytest.raises(GridSeriesError, match=says) as refused:
        enter(organization, "month,g_per_kwh\n2026-07,100", **fields)

    assert refused.value.field == field


def test_choices_are_refused_without_series_or_sense(organization):
    for fields, says in (
        ({"zone": "FR", "granularity": "hourly"}, "import one first"),
        ({"zone": "DE", "granularity": "daily"}, "not one of"),
        ({"zone": "DE", "granularity": "hourly", "first_quarter": date(2026, 8, 1)}, "first day of a quarter"),
    ):
        with pytest.raises(GridSeriesError, match=says):
            services.choose_granularity(organization_id=organization.id, **fields)


def test_a_choice_can_begin_with_a_quarter(organization, write):
    write(*three_hours(), metered(13, 1.0, "2026-05-01", energy_boundary="facility"))
    enter(organization, hourly_csv(THREE, first=date(2026, 4, 1)), use=None)

    services.choose_granularity(
        organization_id=organization.id, zone="DE", granularity="hourly", first_quarter=date(2026, 7, 1)
    )
    services.derive_dirty_days(organization.id)

    assert daily(organization)["location_nkg"].tolist() == [329_000_000, 3_000_000_000]


def test_grid_series_by_command(organization, write, tmp_path):
    write(*three_hours())
    file = tmp_path / "de.csv"
    file.write_text(hourly_csv(THREE, missing=2))
    kind = ("--zone", "DE", "--boundary", "lifecycle", "--source", "TSO")

    entered = run("grid_series", "import", str(file), *kind)
    number = entered.split()[2].strip(":")
    used = run("grid_series", "use", "--zone", "DE", "hourly", "--from", "2026-Q3")
    services.derive_dirty_days(organization.id)
    listed = json.loads(run("grid_series", "list", "--format", "json"))

    assert "2206 hours of DE" in entered
    assert "grid_series use --zone DE hourly" in entered
    assert "DE takes hourly factors from 2026-Q3 on" in used
    assert only(organization)["location_kg_co2e"] == pytest.approx(3.0)
    (quarter,) = listed["quarters"]
    assert (quarter["served"], quarter["hours"], quarter["hours_missing"]) == ("hourly", 2206, 2)
    assert quarter["gaps"] == [{"first_hour": "2026-09-30T22:00Z", "hours": 2}]
    assert "2026-09-30T22:00Z (2 h)" in run("grid_series", "list")
    assert "taken back" in run("grid_series", "remove", number, "--reason", "a slip")
    assert json.loads(run("grid_series", "list", "--format", "json"))["series"][0]["removed"] == "a slip"
    with pytest.raises(CommandError, match="taken back already"):
        run("grid_series", "remove", number, "--reason", "a slip")


def test_command_says_every_fault_of_a_file(organization, tmp_path):
    file = tmp_path / "de.csv"
    file.write_text("month,g_per_kwh\n2026-07,x\n2026-08,-1\n")

    with pytest.raises(CommandError) as refused:
        run("grid_series", "import", str(file), "--zone", "DE", "--boundary", "direct", "--source", "TSO")

    assert "row 1, g_per_kwh" in str(refused.value)
    assert "row 2, g_per_kwh" in str(refused.value)
