from datetime import date

import pytest

from core.organizations.tenancy import organization_scope
from reporting.selectors.limits import limits_kg_co2e
from reporting.services.limits import LimitError, set_limit

pytestmark = pytest.mark.django_db


def limits(organization, stretches):
    with organization_scope(organization.id):
        return limits_kg_co2e(organization.id, stretches)


def test_a_yearly_limit_is_spread_evenly_over_days(organization):
    set_limit(organization_id=organization.id, name="2026", limit_kg_co2e_per_year=36_500, starts_on=date(2026, 1, 1))

    (week,) = limits(organization, [(date(2026, 3, 2), date(2026, 3, 8))])

    assert week == pytest.approx(700)


def test_a_day_of_a_leap_year_is_a_366th(organization):
    set_limit(organization_id=organization.id, name="x", limit_kg_co2e_per_year=366, starts_on=date(2024, 1, 1))

    (day,) = limits(organization, [(date(2024, 2, 29), date(2024, 2, 29))])

    assert day == pytest.approx(1)


def test_the_limit_that_started_last_holds(organization):
    set_limit(organization_id=organization.id, name="a", limit_kg_co2e_per_year=365, starts_on=date(2026, 1, 1))
    set_limit(organization_id=organization.id, name="b", limit_kg_co2e_per_year=730, starts_on=date(2026, 7, 1))

    (stretch,) = limits(organization, [(date(2026, 6, 30), date(2026, 7, 1))])

    assert stretch == pytest.approx(1 + 2)


def test_days_without_a_limit_give_none(organization):
    set_limit(
        organization_id=organization.id,
        name="a",
        limit_kg_co2e_per_year=365,
        starts_on=date(2026, 1, 1),
        ends_on=date(2026, 6, 30),
    )

    found = limits(organization, [(date(2025, 12, 31), date(2026, 1, 1)), (date(2026, 6, 30), date(2026, 7, 1))])

    assert found == [None, None]


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_limit_that_limits_nothing_is_refused(organization, limit):
    with pytest.raises(LimitError, match="more than 0"):
        set_limit(organization_id=organization.id, name="x", limit_kg_co2e_per_year=limit, starts_on=date(2026, 1, 1))
