"""24/7 on read: contracted hours meet the hours of the cells."""

from __future__ import annotations

from datetime import date

import pytest

from core.accounting import services
from core.accounting.selectors.hourly_match import hourly_match

from .conftest import at, metered

TODAY = date(2026, 11, 25)
DAY = date(2026, 7, 1)
PPA = {
    "type": "contract",
    "kind": "PPA",
    "energy_kwh": "1000",
    "intensity_g_per_kwh": "0",
    "market": "DE",
    "vintage": "2026",
    "carbon_free": "yes",
    "technology": "solar",
}


def hour(number: int, of_day: int, kwh: float, **fields):
    start = at(f"2026-07-01T{of_day:02}:00:00")
    end = at(f"2026-07-01T{of_day + 1:02}:00:00")
    return metered(number, kwh, energy_boundary="facility", started_at=start, ended_at=end, **fields)


def add(organization, *given):
    return services.add_instruments(organization_id=organization.id, given=list(given), today=TODAY)


def volumes(*pairs):
    return [(f"2026-07-01T{of_day:02}:00:00Z", str(kwh)) for of_day, kwh in pairs]


def test_excess_of_one_hour_does_not_help_another(committed_db, organization, factor_set, write):
    write(hour(1, 10, 100.0), hour(2, 11, 100.0), hour(3, 12, 50.0))
    add(organization, {**PPA, "hours": volumes((10, 180), (12, 20))})
    services.derive_dirty_days(organization.id)

    (found,) = hourly_match(organization.id, DAY, DAY)

    # 100 of 100, none of 100, 20 of 50: 120 of 250 kWh; by the sum 200 of 250. Nothing is known of the grid's own share.
    assert (found.market, found.hours) == ("AIB", 3)
    assert found.match.cfe_score == pytest.approx(120 / 250)
    assert found.match.annual_match_ratio == pytest.approx(200 / 250)
    assert found.match.market_hourly_kg == pytest.approx(130 * 0.329)
    assert found.match.market_annual_kg == pytest.approx(50 * 0.329)
    assert found.match.excess_kwh == pytest.approx(80)
    assert found.match.location_kg == pytest.approx(250 * 0.329)


def test_a_pool_s_hours_are_for_the_pool(committed_db, organization, factor_set, write):
    write(hour(1, 10, 60.0, site="fra-1"), hour(2, 10, 40.0, site="muc-2"))
    add(organization, {**PPA, "pool": "site:muc-2", "hours": volumes((10, 90))})
    services.derive_dirty_days(organization.id)

    (found,) = hourly_match(organization.id, DAY, DAY)

    assert found.match.matched_kwh == pytest.approx(40)
    assert found.contracted_kwh == pytest.approx(90)
    assert found.match.excess_kwh == pytest.approx(50)
    assert found.match.annual_match_ratio == pytest.approx(40 / 100)


@pytest.mark.parametrize("pool", ["", "site:berlin"])
def test_a_volume_counts_alike_for_the_pool_that_is_all_there_is(committed_db, organization, factor_set, write, pool):
    write(hour(1, 10, 10.0, site="berlin"), hour(2, 11, 10.0, site="berlin"))
    add(organization, {**PPA, "pool": pool, "hours": volumes((10, 20))})
    services.derive_dirty_days(organization.id)

    (found,) = hourly_match(organization.id, DAY, DAY)

    assert found.match.cfe_score == pytest.approx(0.5)
    assert found.match.annual_match_ratio == pytest.approx(1.0)
    assert found.match.excess_kwh == pytest.approx(10)
    assert found.match.market_annual_kg == pytest.approx(0)


def test_two_pools_keep_their_own_volumes_by_the_hour_and_on_the_sum(committed_db, organization, factor_set, write):
    write(
        *(hour(1, 10, 10.0, site="berlin"), hour(2, 11, 10.0, site="berlin")),
        *(hour(3, 10, 5.0, site="munich"), hour(4, 11, 15.0, site="munich")),
    )
    add(
        organization,
        {**PPA, "pool": "site:berlin", "hours": volumes((10, 30))},
        {**PPA, "pool": "site:munich", "hours": volumes((11, 12))},
        {**PPA, "hours": volumes((10, 2), (11, 2))},
    )
    services.derive_dirty_days(organization.id)

    (found,) = hourly_match(organization.id, DAY, DAY)

    # by the hour 10 + 0 + 2 of 15, then 0 + 12 + 2 of 25; on the sum 20 of Berlin's 30, Munich's 12 and 4 for all, of 40
    assert found.match.matched_kwh == pytest.approx(26)
    assert found.match.excess_kwh == pytest.approx(20)
    assert found.match.annual_match_ratio == pytest.approx(36 / 40)
    assert found.match.market_hourly_kg == pytest.approx(14 * 0.329)
    assert found.match.market_annual_kg == pytest.approx(4 * 0.329)


def test_only_carbon_free_and_retired_volumes_of_own_markets_are_matched(committed_db, organization, factor_set, write):
    write(hour(1, 10, 100.0), hour(2, 10, 100.0, hosting="cloud"))
    timed = {"hours": volumes((10, 500))}
    add(
        organization,
        {**PPA, **timed, "carbon_free": "no"},
        {**PPA, **timed, "type": "certificate"},  # not retired
        {**PPA, **timed, "market": "CN"},
    )
    services.derive_dirty_days(organization.id)

    assert hourly_match(organization.id, DAY, DAY) == []


def test_a_period_crosses_months_and_is_bounded(committed_db, organization, factor_set, write):
    write(hour(1, 10, 100.0), metered(2, 50.0, day="2026-08-02", energy_boundary="facility"))
    add(organization, {**PPA, "hours": volumes((10, 30))})
    services.derive_dirty_days(organization.id)

    (found,) = hourly_match(organization.id, date(2026, 6, 20), date(2026, 8, 10))

    assert found.load_kwh == pytest.approx(150)
    assert found.match.cfe_score == pytest.approx(30 / 150)
    with pytest.raises(ValueError, match="at most 366 days"):
        hourly_match(organization.id, date(2025, 1, 1), date(2026, 12, 31))
