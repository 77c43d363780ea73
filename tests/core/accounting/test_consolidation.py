"""Who controls a site decides where its figures are booked; a switch of the approach changes no sum."""

from __future__ import annotations

from datetime import date

import pytest

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors import disclosure_bridge, emissions
from core.organizations.models import AuditEvent
from core.organizations.services import OrganizationError, set_consolidation
from core.organizations.tenancy import organization_scope

from .conftest import call, metered

pytestmark = pytest.mark.usefixtures("committed_db", "factor_set")
QUARTER = {"from_day": date(2026, 7, 1), "to_day": date(2026, 9, 30)}


@pytest.fixture
def halls(organization, write):
    """An own hall, and one where somebody else sets the operating policy; records and a leak in each."""
    for slug, operational in (("berlin", True), ("munich", False)):
        services.add_site(
            organization_id=organization.id,
            slug=slug,
            name=slug,
            country="DE",
            zone="DE",
            kind="owned" if operational else "colocation",
            operational_control=operational,
        )
    write(
        metered(1, 100.0, site="berlin"),
        metered(2, 50.0, site="Munich", hosting="colocated"),
        call(3),
    )
    rows = [
        {"site": slug, "source": "x", "kind": "refrigerant", "date": "2026-07-14", "gas": "R-134a", "gas_kg": 1}
        for slug in ("berlin", "munich")
    ]
    services.add_register_entries(organization_id=organization.id, rows=rows, today=date(2026, 11, 25))
    services.derive_dirty_days(organization.id)
    return organization


def by_scope(organization, **filters):
    rows = emissions(organization.id, Filter(**QUARTER, by=("scope",), **filters)).rows
    return dict(zip(rows["scope"], rows["total_kg_co2e"], strict=True))


def test_a_hall_without_control_is_a_leased_asset(halls):
    kg = by_scope(halls)

    # 50 kWh x 1.58 x (329.0 + 34.6) g: electricity and its upstream together
    assert kg["3.8"] == pytest.approx(50 * 1.58 * 0.3636)
    assert kg["2"] == pytest.approx(100 * 1.58 * 0.3290)
    assert kg["3.3"] == pytest.approx(100 * 1.58 * 0.0346)


@pytest.mark.parametrize("booking", ["life-cycle", "disclosed"])
def test_a_switch_re_books_and_the_sum_stays(halls, booking):
    before = by_scope(halls, booking=booking)
    bridge_before, _ = disclosure_bridge(halls.id, Filter(**QUARTER))

    set_consolidation(organization_id=halls.id, approach="financial_control")

    after = by_scope(halls, booking=booking)
    bridge_after, _ = disclosure_bridge(halls.id, Filter(**QUARTER))
    assert "3.8" in before
    assert "3.8" not in after
    assert sum(after.values()) == pytest.approx(sum(before.values()), rel=1e-12)
    assert bridge_after == bridge_before


def test_a_leak_of_a_hall_without_control_is_not_scope_1(halls):
    kg = by_scope(halls, booking="disclosed")

    assert kg["1"] == pytest.approx(1300)
    assert kg["3.8"] == pytest.approx(50 * 1.58 * 0.3636 + 1300)


def test_the_filter_on_scopes_follows(halls):
    rows = emissions(halls.id, Filter(**QUARTER, dims={"scope": ("3.8",)})).rows

    assert rows.iloc[0]["energy_facility_kwh"] == pytest.approx(50 * 1.58)


def test_the_switch_is_audited_and_an_unknown_approach_refused(halls):
    set_consolidation(organization_id=halls.id, approach="financial_control")

    with organization_scope(halls.id):
        event = AuditEvent.objects.filter(organization_id=halls.id).latest("sequence")
    assert (event.before, event.after) == (
        {"consolidation": "operational_control"},
        {"consolidation": "financial_control"},
    )
    with pytest.raises(OrganizationError, match="no approach"):
        set_consolidation(organization_id=halls.id, approach="equity_share")
