"""Derive on the real database: figures equal their cells, late data is caught up, nothing is lost or counted twice."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from django.core.management import CommandError
from django.db import connection

from core.accounting import rows, selectors, services
from core.accounting.figures import Filter
from core.accounting.selectors import emissions
from core.accounting.selectors.explain import explain
from core.accounting.selectors.reconciliation import reconcile_daily
from core.factors.selectors import pack_of
from core.ledger.selectors import series_by_id
from core.organizations.tenancy import organization_scope
from core.quantification.quantify import quantify
from ingestion.management.commands.import_usage import derive_all

from .conftest import at, call, metered

JULY = date(2026, 7, 1)


def table(organization, query: str) -> pd.DataFrame:
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(query)
        return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])


def daily(organization) -> pd.DataFrame:
    return table(
        organization,
        "select d.*, r.team, r.role, r.method, r.zone, r.scope, r.series_id, r.source_id from accounting_daily d"
        " join accounting_resolved_series r on r.id = d.resolved_id order by d.day, d.resolved_id",
    )


def test_daily_rows_are_quantified_cells(committed_db, organization, factor_set, write):
    write(call(1), call(2, output_tokens=50), metered(1, 10.0), metered(2, 2.5, started_at=at("2026-07-01T09:00:00")))

    services.derive_dirty_days(organization.id)

    found = daily(organization)
    with organization_scope(organization.id):
        cells = rows.hour_cells(organization.id, *period(JULY))
        series = series_by_id(organization.id, cells["series_id"].unique().tolist())
    activity = cells.join(series.drop(columns=["source_id"]), on="series_id").assign(year=2026)
    impacts = quantify(activity, pack_of(factor_set.content_hash), "2026.1").impacts
    expected = impacts["location_kg_co2e"].groupby(cells["series_id"]).sum()
    for row in found.itertuples():
        assert int(row.location_nkg) / 1e9 == pytest.approx(expected[row.series_id], abs=1e-9)
    assert sorted(found["records"]) == [2, 2]
    assert found["energy_pkwh"].dropna().tolist() == [12_500_000_000_000]


def test_a_measured_kwh_becomes_kilograms_by_hand(committed_db, organization, factor_set, write):
    write(metered(1, 10.0, energy_boundary="facility"))

    services.derive_dirty_days(organization.id)

    (row,) = daily(organization).itertuples()
    # Germany in 2026: the direct factor of 2023, 329.0 g/kWh (methodology 3.1)
    assert row.energy_facility_pkwh == 10 * 10**12
    assert row.location_nkg == 3_290_000_000
    assert (row.method, row.zone, row.scope, row.role) == ("measured", "DE", "2", "counted")
    assert row.market_nkg is None


def test_deriving_again_changes_nothing(committed_db, organization, factor_set, write):
    write(call(1), metered(1, 10.0))
    services.derive_dirty_days(organization.id)
    before = daily(organization)

    services.derive_day(organization.id, JULY)

    pd.testing.assert_frame_equal(daily(organization), before)
    assert len(table(organization, "select id from accounting_resolved_series")) == 2


def test_late_records_are_caught_up(committed_db, organization, factor_set, write):
    write(metered(1, 10.0))
    services.derive_dirty_days(organization.id)
    write(metered(2, 5.0))

    result = services.derive_dirty_days(organization.id)

    assert result.days == 1
    assert daily(organization)["energy_pkwh"].tolist() == [15 * 10**12]


def test_months_add_up_their_days(committed_db, organization, factor_set, write):
    write(metered(1, 10.0), metered(2, 5.0, day="2026-07-31"), metered(3, 1.0, day="2026-08-01"))

    services.derive_dirty_days(organization.id)

    months = table(organization, "select month, energy_pkwh, location_nkg from accounting_monthly order by month")
    days = daily(organization)
    assert months["month"].tolist() == [date(2026, 7, 1), date(2026, 8, 1)]
    assert months["energy_pkwh"].tolist() == [15 * 10**12, 10**12]
    assert months["location_nkg"].astype("int64").sum() == days["location_nkg"].sum()


def test_a_source_without_values_of_its_own_gets_its_defaults(committed_db, organization, factor_set, write):
    from core.ledger.services import update_source

    source_id = write(metered(1, 10.0, team=None))
    services.derive_dirty_days(organization.id)
    update_source(organization_id=organization.id, source_id=source_id, settings={"team": "platform"})
    services.rederive_source(organization_id=organization.id, source_id=source_id)

    services.derive_dirty_days(organization.id)

    assert daily(organization)["team"].tolist() == ["platform"]


def test_an_own_alias_holds_while_it_is_valid(committed_db, organization, factor_set, write):
    from core.catalog.services import set_alias

    write(call(1, model="house-model"), call(2, day="2026-07-03", model="house-model"))
    set_alias(
        organization_id=organization.id,
        kind="model",
        reported="House-Model",
        resolves_to="gpt-4o",
        valid_from=date(2026, 7, 2),
    )

    services.derive_dirty_days(organization.id)

    models = table(
        organization,
        "select d.day, r.model, d.location_nkg is not null as known from accounting_daily d"
        " join accounting_resolved_series r on r.id = d.resolved_id order by d.day",
    )
    assert models.values.tolist() == [[JULY, "house-model", False], [date(2026, 7, 3), "gpt-4o", True]]


def test_a_mark_made_during_derive_stays(committed_db, organization, factor_set, write, monkeypatch):
    from core.accounting.services import derive

    write(metered(1, 10.0))
    real = derive._figures

    def figures_while_somebody_writes(read, view):
        if not written:
            written.append(write(metered(2, 5.0)))
        return real(read, view)

    written: list[int] = []
    monkeypatch.setattr(derive, "_figures", figures_while_somebody_writes)

    services.derive_day(organization.id, JULY)

    assert daily(organization)["energy_pkwh"].tolist() == [10 * 10**12]
    assert len(table(organization, "select id from ledger_dirty_day")) == 1
    services.derive_dirty_days(organization.id)
    assert daily(organization)["energy_pkwh"].tolist() == [15 * 10**12]


def test_the_watermark_is_the_oldest_mark(committed_db, organization, factor_set, write):
    write(metered(1, 10.0))
    (marked_at,) = table(organization, "select marked_at from ledger_dirty_day")["marked_at"]

    with organization_scope(organization.id):
        assert selectors.watermark(organization.id) == marked_at
    services.derive_dirty_days(organization.id)
    with organization_scope(organization.id):
        assert selectors.watermark(organization.id) > marked_at


def test_one_organization_derives_nothing_of_another(committed_db, organization, other_organization, factor_set, write):
    write(metered(1, 10.0))
    write(metered(1, 7.0), into=other_organization)

    services.derive_dirty_days(organization.id)

    assert daily(organization)["energy_pkwh"].tolist() == [10 * 10**12]
    assert daily(other_organization).empty
    services.derive_dirty_days(other_organization.id)
    assert daily(other_organization)["energy_pkwh"].tolist() == [7 * 10**12]


def period(day: date):
    filtered = Filter(day, day)
    return filtered.starts_at, filtered.ends_at


def test_a_day_without_cells_derives_to_nothing(committed_db, organization, factor_set, write):
    write(metered(1, 10.0))

    result = services.derive_days(organization.id, [date(2020, 1, 1), JULY])

    assert (result.days, result.rows) == (2, 1)
    services.derive_day(organization.id, date(2020, 1, 1))


def test_a_figure_too_large_to_store_is_null_and_holds_up_nothing(committed_db, organization, factor_set, write):
    # 9e6 kWh fit the stored integers, what they become at the facility does not
    write(metered(1, 9e6, energy_boundary="device"), metered(2, 10.0, energy_boundary="device", day="2026-07-02"))

    result = services.derive_dirty_days(organization.id)

    assert (result.days, result.failed) == (2, ())
    rows = daily(organization)
    assert rows["energy_pkwh"].tolist() == [9 * 10**18, 10 * 10**12]
    assert rows["location_nkg"].isna().tolist() == [True, False]
    missing = explain(organization.id, Filter(JULY, JULY))["missing"]
    assert "impact_out_of_range" in {note["code"] for note in missing[0]["notes"]}
    assert "location_kg_co2e" in missing[0]["impacts"]


def test_a_day_that_cannot_be_derived_holds_up_no_other(committed_db, organization, factor_set, write, monkeypatch):
    from core.accounting.services import derive

    write(*(metered(number, 10.0, day=f"2026-07-0{number}") for number in range(1, 6)))
    real = derive._figures
    bad = derive.daily.numbers_of([date(2026, 7, 3)])[0]

    def figures_but_of_one_day(read, view):
        if (read.sums["day"] == bad).any():
            raise OverflowError("too large")
        return real(read, view)

    monkeypatch.setattr(derive, "_figures", figures_but_of_one_day)

    result = services.derive_dirty_days(organization.id)
    with pytest.raises(CommandError, match="no figures of 2026-07-03"):
        derive_all(organization.id)

    assert (result.days, result.left, result.failed) == (4, False, (date(2026, 7, 3),))
    assert [day.day for day in daily(organization)["day"]] == [1, 2, 4, 5]
    assert table(organization, "select day from ledger_dirty_day")["day"].tolist() == [date(2026, 7, 3)]


def test_a_month_may_hold_more_than_a_day(committed_db, organization, factor_set, write):
    july = Filter(JULY, date(2026, 7, 31), include=())
    write(*(metered(number, 5e6, energy_boundary="facility", day=f"2026-07-0{number}") for number in (1, 2, 3)))

    services.derive_dirty_days(organization.id)

    (month,) = table(organization, "select energy_pkwh from accounting_monthly")["energy_pkwh"]
    assert month == 15 * 10**18
    (row,) = emissions(organization.id, july).rows.itertuples()
    assert row.energy_facility_kwh == 15e6
    assert row.location_kg_co2e == pytest.approx(15e6 * 0.329)
    assert explain(organization.id, july)["explained"] == pytest.approx(15e6 * 0.329)
    assert reconcile_daily(organization.id, july.from_day, july.to_day).differences.empty


def test_a_day_too_large_to_add_up_is_null_and_noted(committed_db, organization, factor_set, write):
    write(
        metered(1, 6e6, energy_boundary="facility"),
        metered(2, 6e6, energy_boundary="facility", started_at=at("2026-07-01T09:00:00")),
        call(3),
    )

    services.derive_dirty_days(organization.id)

    found = daily(organization).set_index("method", drop=False)
    assert found["records"].to_dict() == {"measured": 2, "tokens": 1}
    assert found[["energy_pkwh", "location_nkg"]].isna().all(axis=1).to_dict() == {"measured": True, "tokens": False}
    (missing,) = explain(organization.id, Filter(JULY, JULY), impact="location_kg_co2e")["missing"]
    assert (missing["records"], missing["notes"][-1]["code"]) == (2, "impact_out_of_range")
