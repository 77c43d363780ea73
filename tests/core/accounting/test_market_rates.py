"""Rates that instruments make, on the real database: exact, late data included, and never half-new."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import date

import pytest
from django.db import connection

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.models import MarketMark, MarketRate
from core.accounting.selectors import emissions
from core.accounting.selectors.explain import explain
from core.organizations.tenancy import organization_scope
from core.quantification.instruments import Instrument, cover_consumption

from .conftest import call, metered
from .test_concurrency import in_thread

TODAY = date(2026, 11, 25)
YEAR = Filter(date(2026, 1, 1), date(2026, 12, 31), include=())
GO = {
    "type": "certificate",
    "kind": "GO",
    "energy_kwh": "40",
    "intensity_g_per_kwh": "0",
    "market": "AIB",
    "vintage": "2026",
    "retired_on": "2026-11-01",
    "registry": "UBA",
    "serial_first": "1",
}


def facility(number: int, kwh: float, **fields):
    return metered(number, kwh, energy_boundary="facility", **fields)


def add(organization, *given):
    return services.add_instruments(organization_id=organization.id, given=list(given), today=TODAY)


def rates(organization):
    with organization_scope(organization.id):
        found = MarketRate.objects.exclude(pool="").order_by("market", "pool", "period_start")
        return [(rate.market, rate.pool, rate.g_per_kwh, rate.covered_kwh, rate.uncovered_kwh) for rate in found]


def market_kg(organization, **about) -> float:
    return float(
        emissions(organization.id, Filter(YEAR.from_day, YEAR.to_day, include=(), **about)).rows["market_kg_co2e"].sum()
    )


def test_the_rows_of_a_market_sum_to_what_the_formula_says(committed_db, organization, factor_set, write):
    write(facility(1, 60.0), facility(2, 30.0, zone="FR", day="2026-02-01"), facility(3, 10.0, zone="CN"))
    services.derive_dirty_days(organization.id)
    before = emissions(organization.id, Filter(YEAR.from_day, YEAR.to_day, by=("zone",), include=())).rows.set_index(
        "zone"
    )

    add(organization, GO)
    services.derive_dirty_days(organization.id)

    europe = before.loc[["DE", "FR"]]
    expected = cover_consumption(
        90.0,
        [Instrument("go", "certificate", 40.0, 0.0)],
        location_kg_per_kwh=europe["location_kg_co2e"].sum() / 90,
        residual_kg_per_kwh=europe["market_kg_co2e"].sum() / 90,
    )
    after = emissions(organization.id, Filter(YEAR.from_day, YEAR.to_day, by=("zone", "team"), include=())).rows
    assert after[after["zone"].isin(["DE", "FR"])]["market_kg_co2e"].sum() == pytest.approx(
        expected.market_kg, rel=1e-12
    )
    assert after[after["zone"] == "CN"]["market_kg_co2e"].sum() == before.loc["CN", "market_kg_co2e"]
    assert after["location_kg_co2e"].sum() == pytest.approx(before["location_kg_co2e"].sum(), rel=1e-15)
    assert sum(covered for *_, covered, _ in rates(organization)) == pytest.approx(40.0)
    assert sum(left for *_, left in rates(organization)) == pytest.approx(50.0)


def test_rented_hardware_and_services_keep_their_own_factor(committed_db, organization, factor_set, write):
    write(
        facility(1, 60.0),
        facility(2, 60.0, hosting="cloud"),
        facility(3, 60.0, hosting="colocated", site="hall"),
        call(4, output_tokens=1_000_000),
    )
    services.derive_dirty_days(organization.id)
    by = Filter(YEAR.from_day, YEAR.to_day, by=("hosting",), include=())
    before = emissions(organization.id, by).rows.set_index("hosting")["market_kg_co2e"]

    add(organization, {**GO, "energy_kwh": "1000"})
    services.derive_dirty_days(organization.id)

    after = emissions(organization.id, by).rows.set_index("hosting")["market_kg_co2e"]
    assert after[["cloud", "api"]].to_dict() == before[["cloud", "api"]].to_dict()
    assert after[["owned", "colocated"]].to_dict() == {"owned": 0.0, "colocated": 0.0}


def test_late_data_change_the_rate_and_no_row_of_other_days(committed_db, organization, factor_set, write):
    write(facility(1, 80.0))
    add(organization, GO)
    services.derive_dirty_days(organization.id)
    assert market_kg(organization) == pytest.approx(40 * 0.329)  # half of 80 kWh is covered, the rest takes 329 g
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select xmin::text from accounting_daily")
        (row,) = cursor.fetchall()

    write(facility(2, 80.0, day="2026-03-01"))
    services.derive_dirty_days(organization.id)

    assert market_kg(organization) == pytest.approx(120 * 0.329)
    assert market_kg(organization, dims={"zone": ("DE",)}, by=("team",)) == pytest.approx(120 * 0.329)
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select xmin::text from accounting_daily where day = '2026-07-01'")
        assert cursor.fetchall() == [row]


def test_what_happens_to_an_instrument_reaches_the_figures(committed_db, organization, factor_set, write):
    write(facility(1, 80.0))
    kept = {name: value for name, value in GO.items() if name not in ("retired_on", "registry", "serial_first")}
    (made,) = add(organization, kept)
    services.derive_dirty_days(organization.id)
    assert (market_kg(organization), rates(organization)) == (pytest.approx(80 * 0.329), [])  # not retired

    services.retire_instrument(
        organization_id=organization.id,
        instrument_id=made.id,
        retired_on="2026-11-20",
        registry="UBA",
        serial_first="1",
        serial_last="",
        today=TODAY,
    )
    services.derive_dirty_days(organization.id)
    assert market_kg(organization) == pytest.approx(40 * 0.329)

    services.withdraw_instrument(organization_id=organization.id, instrument_id=made.id, reason="sold on")
    services.derive_dirty_days(organization.id)
    assert (market_kg(organization), rates(organization)) == (pytest.approx(80 * 0.329), [])


def test_pools_take_their_own_instruments_first(committed_db, organization, factor_set, write):
    write(
        facility(1, 60.0, site="fra-1", team="search"),
        facility(2, 60.0, site="muc-2", team="search"),
        facility(3, 60.0, site="muc-2", team="vision"),
    )
    add(
        organization,
        {**GO, "pool": "site:fra-1"},
        {**GO, "serial_first": "2", "pool": "team:search", "energy_kwh": "15"},
    )
    services.derive_dirty_days(organization.id)

    by_site = emissions(organization.id, Filter(YEAR.from_day, YEAR.to_day, by=("site", "team"), include=())).rows
    found = {(row.site, row.team): row.market_kg_co2e for row in by_site.itertuples()}

    # A site goes before a team: search's electricity in fra-1 is the site's; 15 kWh cover its 60 in muc-2.
    assert found == pytest.approx(
        {("fra-1", "search"): 20 * 0.329, ("muc-2", "search"): 45 * 0.329, ("muc-2", "vision"): 60 * 0.329}
    )
    hours = Filter(date(2026, 7, 1), date(2026, 7, 1), grain="hour", by=("site", "team"), include=())
    on_read = {(row.site, row.team): row.market_kg_co2e for row in emissions(organization.id, hours).rows.itertuples()}
    assert on_read == pytest.approx(found)


def test_another_vintage_covers_nothing(committed_db, organization, factor_set, write):
    write(facility(1, 80.0))
    add(organization, {**GO, "vintage": "2025"})
    services.derive_dirty_days(organization.id)

    assert (market_kg(organization), rates(organization)) == (pytest.approx(80 * 0.329), [])


def test_the_tree_multiplies_out_with_instruments_and_names_them(committed_db, organization, factor_set, write):
    write(facility(1, 60.0), facility(2, 60.0, hosting="cloud"), metered(3, 20.0, zone="FR"))
    (made,) = add(organization, {**GO, "technology": "wind"})
    services.derive_dirty_days(organization.id)

    tree = explain(organization.id, Filter(YEAR.from_day, YEAR.to_day, basis="market", include=()))

    assert tree["value"] == pytest.approx(market_kg(organization))
    assert abs(tree["rounding"]) < 1e-8
    named = [factor for factor in tree["factors"] if "instruments" in factor]
    assert {part["id"] for factor in named for part in factor["instruments"]} == {made.id}
    for factor in named:
        shares = sum(part["share"] for part in factor["instruments"]) + factor["uncovered_share"]
        assert shares == pytest.approx(1.0)
        assert factor["value"] == pytest.approx(factor["uncovered_share"] * factor["without"]["value"])
    record = explain(organization.id, YEAR, impact="market_kg_co2e", record_id="meter-1")
    assert record["value"] == pytest.approx(60 * named[0]["value"] / 1000, rel=0.2)
    assert "instruments" in record["factors"][0]


def test_an_interval_follows_the_rate_that_was_joined(committed_db, organization, factor_set, write):
    write(facility(1, 80.0))
    services.derive_dirty_days(organization.id)
    (plain,) = emissions(organization.id, YEAR).rows.itertuples()
    add(organization, {**GO, "intensity_g_per_kwh": "329"})
    services.derive_dirty_days(organization.id)

    (row,) = emissions(organization.id, YEAR).rows.itertuples()

    # Half of the rate is contracted without a spread, so the interval is narrower around the same figure.
    assert row.market_kg_co2e == pytest.approx(plain.market_kg_co2e)
    assert plain.market_kg_co2e_low < row.market_kg_co2e_low < row.market_kg_co2e < row.market_kg_co2e_high
    assert row.market_kg_co2e_high < plain.market_kg_co2e_high


def test_own_markets_decide_where_a_certificate_counts(committed_db, organization, factor_set, write):
    write(facility(1, 80.0))
    add(organization, {**GO, "market": "FR"})
    services.derive_dirty_days(organization.id)
    assert market_kg(organization) == pytest.approx(40 * 0.329)  # France and Germany are one market

    services.set_markets(organization_id=organization.id, own={"France": ["FR"]})
    services.derive_dirty_days(organization.id)

    assert market_kg(organization) == pytest.approx(80 * 0.329)


def test_a_view_that_is_built_beside_has_its_own_rates(committed_db, organization, factor_set, write):
    write(facility(1, 80.0))
    add(organization, GO)
    services.derive_dirty_days(organization.id)
    view = services.begin_view(organization_id=organization.id)

    services.build_view(organization_id=organization.id, view_id=view.id)

    assert float(emissions(organization.id, YEAR, view=view).rows["market_kg_co2e"].sum()) == pytest.approx(40 * 0.329)


def test_an_own_grid_factor_can_be_covered_and_an_own_market_factor_cannot(
    committed_db, organization, factor_set, write
):
    write(facility(1, 80.0, site="a"), facility(2, 20.0, site="b"))
    own = {"organization_id": organization.id, "source": "the utility"}
    services.add_own_factor(**own, name="grid_g_co2e_per_kwh", value=500.0, where={"site": "a"})
    services.add_own_factor(**own, name="market_g_co2e_per_kwh", value=100.0, where={"site": "b"})
    add(organization, {**GO, "energy_kwh": "40"})
    services.derive_dirty_days(organization.id)

    by = Filter(YEAR.from_day, YEAR.to_day, by=("site",), include=())
    found = emissions(organization.id, by).rows.set_index("site")["market_kg_co2e"].to_dict()

    assert found == pytest.approx({"a": 40 * 0.5, "b": 20 * 0.1})


def test_covering_twice_changes_nothing_and_the_marks_are_gone(committed_db, organization, factor_set, write):
    write(facility(1, 80.0))
    add(organization, GO)
    services.derive_dirty_days(organization.id)
    once = rates(organization)

    services.derive_day(organization.id, date(2026, 7, 1))

    assert rates(organization) == once != []
    assert services.cover_marked_years(organization.id) == 0
    with organization_scope(organization.id):
        assert MarketMark.objects.count() == 0


def test_the_sweep_wakes_whoever_has_changed_instruments(committed_db, organization, factor_set, write, monkeypatch):
    from core.accounting import tasks

    woken = []
    monkeypatch.setattr(tasks.derive, "apply_async", lambda *, kwargs, expires: woken.append(kwargs["organization_id"]))
    write(facility(1, 80.0))
    services.derive_dirty_days(organization.id)
    add(organization, GO)

    assert tasks.sweep() == {"woken": 1}
    tasks.derive(organization_id=organization.id)
    assert tasks.sweep() == {"woken": 0}
    assert market_kg(organization) == pytest.approx(40 * 0.329)


@pytest.mark.slow
def test_two_workers_on_months_of_one_year_leave_the_rate_of_both(committed_db, organization, factor_set, write):
    add(organization, GO)
    services.cover_marked_years(organization.id)

    def month(number: int) -> None:
        for step in range(6):
            write(facility(100 * number + step, 10.0, day=f"2026-{number:02}-0{step + 1}"))
            services.derive_dirty_days(organization.id)

    def cover() -> None:
        while not stop.is_set():
            with organization_scope(organization.id):
                MarketMark.objects.create(organization_id=organization.id, year=2026)
            services.cover_marked_years(organization.id)

    stop = threading.Event()
    with ThreadPoolExecutor(4) as pool:
        covering = pool.submit(in_thread, cover)
        try:
            for worker in [pool.submit(in_thread, month, number) for number in (3, 4, 5)]:
                worker.result()
        finally:
            stop.set()
        covering.result()
    services.derive_dirty_days(organization.id)

    assert market_kg(organization) == pytest.approx((180 - 40) * 0.329, rel=1e-9)
    ((_, pool_name, rate, covered, left),) = rates(organization)
    assert (pool_name, covered, left) == ("own", pytest.approx(40), pytest.approx(140))
    assert rate == pytest.approx(329 * 140 / 180)


@pytest.mark.slow
def test_a_reader_never_sees_new_rows_with_an_old_rate(committed_db, organization, factor_set, write):
    write(facility(0, 80.0))
    add(organization, GO)
    services.derive_dirty_days(organization.id)
    seen, stop = [], threading.Event()

    def read() -> None:
        while not stop.is_set():
            row = emissions(organization.id, YEAR, bounds=False).rows.iloc[0]
            seen.append((row["energy_facility_kwh"], row["market_kg_co2e"]))

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(in_thread, read) for _ in range(1)]
        try:
            for number in range(1, 7):
                write(facility(number, 7.0, day=f"2026-{number:02}-15"))
                services.derive_dirty_days(organization.id)
        finally:
            stop.set()
        for reader in readers:
            reader.result()

    assert len({kwh for kwh, _ in seen}) > 3
    for kwh, kg in seen:
        assert kg == pytest.approx((kwh - 40) * 0.329, rel=1e-9)


def test_hours_use_the_former_cover_until_derive_has_met_a_late_record(committed_db, organization, factor_set, write):
    write(facility(1, 60.0))
    add(organization, GO)
    services.derive_dirty_days(organization.id)
    hours = Filter(date(2026, 7, 1), date(2026, 7, 1), grain="hour", include=())
    write(facility(2, 40.0))

    before = emissions(organization.id, hours)
    services.derive_dirty_days(organization.id)
    after = emissions(organization.id, hours)

    # 40 kWh are covered: of 60 kWh before, of all 100 afterwards; the watermark said that something was still to come
    assert before.rows["market_kg_co2e"].sum() == pytest.approx(100 * 20 / 60 * 0.329)
    assert after.rows["market_kg_co2e"].sum() == pytest.approx(60 * 0.329)
    assert before.as_of < after.as_of
