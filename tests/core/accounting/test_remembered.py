"""Answers that are kept: the same as found anew, never of other rows than there are, never another organization's."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.accounting import services
from core.accounting.figures import Filter
from core.accounting.selectors import emissions
from core.accounting.selectors.explain import explain
from core.accounting.selectors.remembered import remembered
from core.accounting.selectors.views import current_view
from core.organizations.services import create_team
from core.organizations.tenancy import organization_scope, organization_snapshot
from tests.deliver import deliver

from .conftest import call, metered
from .test_views import dirtier_germany

__all__ = ["dirtier_germany"]

QUARTER = Filter(date(2026, 7, 1), date(2026, 9, 30), by=("team",))  # of whole months: their sums
WEEKS = Filter(date(2026, 7, 6), date(2026, 8, 23), by=("team",), grain="week")  # of days
OF_FIGURES = ("accounting_daily", "accounting_monthly d")


@pytest.fixture(autouse=True)
def nothing_kept(committed_db):
    cache.clear()


def facility(number: int, kwh: float, **fields):
    return metered(number, kwh, energy_boundary="facility", **{"day": "2026-07-15", **fields})


def asked(organization, filtered: Filter, **options) -> tuple[pd.DataFrame, int]:
    """Ask, and count the statements that added rows up."""
    with CaptureQueriesContext(connection) as queries:
        rows = emissions(organization.id, filtered, **options).rows
    return rows, sum(any(name in query["sql"] for name in OF_FIGURES) for query in queries)


@pytest.mark.parametrize("filtered", [QUARTER, WEEKS])
def test_an_answer_is_found_once_and_is_the_same_again(organization, factor_set, write, filtered):
    write(facility(1, 10.0, team="search"), facility(2, 20.0), call(3, team="search", output_tokens=5_000))
    services.derive_dirty_days(organization.id)

    first, found = asked(organization, filtered, measures=("output_tokens",))
    again, found_again = asked(organization, filtered, measures=("output_tokens",))
    other, found_other = asked(organization, filtered, measures=("input_tokens",))

    assert (found, found_again, found_other) == (1, 0, 1)
    pd.testing.assert_frame_equal(first, again, check_exact=True)
    assert "input_tokens" in other


@pytest.mark.parametrize("filtered", [QUARTER, WEEKS])
def test_new_rows_are_in_the_next_answer(organization, factor_set, write, filtered):
    write(facility(1, 10.0))
    services.derive_dirty_days(organization.id)
    before, _ = asked(organization, filtered)

    write(facility(2, 5.0))
    kept, found = asked(organization, filtered)  # the ledger has it, the figures do not have it yet
    services.derive_dirty_days(organization.id)
    after, _ = asked(organization, filtered)

    assert found == 0
    assert before["energy_facility_kwh"].sum() == kept["energy_facility_kwh"].sum() == 10.0
    assert after["energy_facility_kwh"].sum() == 15.0


def test_rows_of_other_months_let_an_answer_stand(organization, factor_set, write):
    write(facility(1, 10.0))
    services.derive_dirty_days(organization.id)
    asked(organization, QUARTER)

    write(facility(2, 5.0, day="2026-10-01"))
    services.derive_dirty_days(organization.id)

    assert asked(organization, QUARTER)[1] == 0


def test_what_is_no_row_counts_as_well(organization, factor_set, write):
    write(facility(1, 10.0, team="search"), facility(2, 20.0, team="vision"))
    services.derive_dirty_days(organization.id)
    named, _ = asked(organization, QUARTER)

    for name, head_count in (("search", 9), ("vision", 2)):
        create_team(organization_id=organization.id, name=name, head_count=head_count)
    folded, _ = asked(organization, QUARTER)

    assert named["team"].tolist() == ["search", "vision"]
    assert folded["team"].tolist() == ["small groups"]


def test_instruments_and_a_restatement_are_in_the_next_answer(organization, dirtier_germany, write):
    write(facility(1, 10.0))
    services.derive_dirty_days(organization.id)
    before, _ = asked(organization, QUARTER)
    certificate = {"type": "certificate", "kind": "GO", "energy_kwh": "10", "intensity_g_per_kwh": "0", "market": "AIB"}
    certificate |= {"vintage": "2026", "retired_on": "2026-11-01", "registry": "UBA", "serial_first": "1"}

    services.add_instruments(organization_id=organization.id, given=[certificate], today=date(2026, 11, 25))
    services.derive_dirty_days(organization.id)
    covered, _ = asked(organization, QUARTER)
    view = services.begin_view(organization_id=organization.id, factor_set=dirtier_germany.name)
    services.build_view(organization_id=organization.id, view_id=view.id)
    services.switch_view(organization_id=organization.id, view_id=view.id)
    restated, _ = asked(organization, QUARTER)

    assert before["market_kg_co2e"].sum() > 0.0
    assert covered["market_kg_co2e"].sum() == 0.0
    assert before["location_kg_co2e"].sum() == covered["location_kg_co2e"].sum() == pytest.approx(10 * 0.329)
    assert restated["location_kg_co2e"].sum() == pytest.approx(10 * 0.400)


def test_another_organization_is_never_told(organization, other_organization):
    for owner, kwh in ((organization, 10.0), (other_organization, 30.0)):
        record = facility(1, kwh) | {"started_at": "2026-07-15T10:00:00Z", "ended_at": "2026-07-15T11:00:00Z"}
        record = {name: value for name, value in record.items() if value is not None and name != "day"}
        deliver(owner, [record])

    sums = [asked(owner, QUARTER)[0]["energy_facility_kwh"].sum() for owner in (organization, other_organization) * 2]

    assert sums == [10.0, 30.0, 10.0, 30.0]


def test_outside_of_a_snapshot_nothing_is_kept(organization, factor_set, write):
    write(facility(1, 10.0))
    services.derive_dirty_days(organization.id)
    given = iter(pd.DataFrame({"number": [number]}) for number in range(4))

    def ask() -> int:
        view = current_view(organization.id)
        assert view is not None
        days = (QUARTER.from_day, QUARTER.to_day)
        return int(remembered(organization.id, view, days, {"own": 1}, lambda: next(given))["number"][0])

    with organization_scope(organization.id):
        assert [ask(), ask()] == [0, 1]
    for _ in range(2):
        with organization_snapshot(organization.id):
            assert ask() == 2


def test_cells_behind_a_view_that_is_not_kept_up_to_date_are_counted_as_they_are(organization, dirtier_germany, write):
    write(facility(1, 10.0))
    services.derive_dirty_days(organization.id)
    with organization_scope(organization.id):
        former = current_view(organization.id)
    newer = services.begin_view(organization_id=organization.id, factor_set=dirtier_germany.name)
    services.build_view(organization_id=organization.id, view_id=newer.id)
    services.switch_view(organization_id=organization.id, view_id=newer.id)

    def cells(view) -> int:
        with organization_snapshot(organization.id):
            tree = explain(organization.id, QUARTER, view=view)
        return sum(plan["cells"] for method in tree["children"] for plan in method["children"])

    counted = [cells(former), cells(None)]
    write(facility(2, 5.0, day="2026-07-16"))
    services.derive_dirty_days(organization.id)  # its mark comes and goes

    assert counted == [1, 1]
    assert [cells(former), cells(None)] == [2, 2]
