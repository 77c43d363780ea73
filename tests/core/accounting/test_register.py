"""What the meters of a site show changes its records' figures, from the month they are about."""

from __future__ import annotations

from datetime import date

import pytest

from core.accounting import services
from core.accounting.models import Plan
from core.ledger.selectors import dirty_days
from core.organizations.tenancy import organization_scope

from .conftest import metered
from .test_derive import daily

pytestmark = pytest.mark.usefixtures("committed_db", "factor_set")
TODAY = date(2026, 11, 25)


@pytest.fixture
def berlin(organization, write):
    """10 kWh of IT energy on a day of June, July and August at the site Berlin, and as much elsewhere."""
    services.add_site(organization_id=organization.id, slug="berlin", name="Berlin hall", country="DE", zone="DE")
    months = ["2026-06-30", "2026-07-01", "2026-08-31"]
    write(
        *(metered(number, 10.0, day, site="Berlin") for number, day in enumerate(months)),
        metered(9, 10.0, "2026-07-02", site="paris"),
    )
    services.derive_dirty_days(organization.id)


def enter(organization, **fields):
    row = {"site": "berlin", "kind": "meter_reading", "source": "meters", **fields}
    return services.add_register_entries(organization_id=organization.id, rows=[row], today=TODAY)[0]


def facility_kwh(organization):
    services.derive_dirty_days(organization.id)
    return {str(row.day): row.energy_facility_pkwh / 1e12 for row in daily(organization).itertuples()}


def test_a_reading_gives_its_month_and_year_a_pue(organization, berlin):
    enter(organization, date="2026-07", facility_kwh=120000, it_kwh=100000)

    assert facility_kwh(organization) == {
        "2026-06-30": pytest.approx(12),  # the year's ratio stands in
        "2026-07-01": pytest.approx(12),
        "2026-07-02": pytest.approx(15.8),  # another site
        "2026-08-31": pytest.approx(12),
    }


def test_only_days_of_the_site_and_year_are_marked(organization, berlin):
    enter(organization, date="2026-07", facility_kwh=120000, it_kwh=100000)

    with organization_scope(organization.id):
        assert {str(day) for day in dirty_days(organization.id).days} == {"2026-06-30", "2026-07-01", "2026-08-31"}


def test_a_fuel_delivery_marks_nothing(organization, berlin):
    enter(organization, kind="fuel", date="2026-07-14", fuel="diesel", fuel_l=400)

    with organization_scope(organization.id):
        assert not dirty_days(organization.id).days


def test_a_correction_changes_figures_again(organization, berlin):
    first = enter(organization, date="2026-07", facility_kwh=120000, it_kwh=100000)
    enter(organization, date="2026-08", facility_kwh=130000, it_kwh=100000)
    assert facility_kwh(organization)["2026-06-30"] == pytest.approx(12.5)  # 250 / 200

    enter(organization, date="2026-07", facility_kwh=140000, it_kwh=100000, replaces=first.id)

    found = facility_kwh(organization)
    assert found["2026-07-01"] == pytest.approx(14)
    assert found["2026-08-31"] == pytest.approx(13)
    assert found["2026-06-30"] == pytest.approx(13.5)


def test_a_withdrawn_reading_is_as_if_it_never_was(organization, berlin):
    first = enter(organization, date="2026-07", facility_kwh=120000, it_kwh=100000)
    facility_kwh(organization)

    enter(organization, kind="withdrawal", date="2026-11-01", replaces=first.id)

    assert facility_kwh(organization)["2026-07-01"] == pytest.approx(15.8)


def test_water_gives_the_site_s_own_wue(organization, berlin):
    enter(organization, date="2026-07", facility_kwh=120000, it_kwh=100000)
    enter(organization, kind="water", date="2026-07", water_l=20000)
    facility_kwh(organization)

    with organization_scope(organization.id):
        plan = Plan.objects.filter(
            organization_id=organization.id, factors__contains=[{"id": "register:berlin:2026-07:wue"}]
        ).get()
    factors = {factor["name"]: factor for factor in plan.factors}
    assert (factors["wue"]["value"], factors["wue"]["match"]) == (0.2, "exact")
    assert (factors["pue"]["id"], factors["pue"]["value"]) == ("register:berlin:2026-07:pue", 1.2)
    assert factors["pue"]["low"] < 1.2 < factors["pue"]["high"]
