"""Daily rows equal their cells after any sequence of writes and derives; where they do not, it is said where."""

from __future__ import annotations

import json
import random
from datetime import date
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from core.accounting import services
from core.accounting.selectors.reconciliation import reconcile_daily
from core.organizations.tenancy import organization_scope

from .conftest import at, call, metered

YEAR = (date(2026, 1, 1), date(2026, 12, 31))
DAYS = ("2026-06-30", "2026-07-01", "2026-07-02")


def execute(organization, statement: str) -> None:
    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_any_sequence_reconciles(committed_db, organization, factor_set, write, seed):
    chance = random.Random(seed)
    for step in range(8):
        match chance.randrange(4):
            case 0:
                write(metered(step, chance.uniform(0.1, 50), day=chance.choice(DAYS)), source="agent")
            case 1:
                write(call(chance.randrange(5), day=chance.choice(DAYS)), source="gateway")  # ids repeat
            case 2:
                services.derive_dirty_days(organization.id)
            case 3:
                services.derive_day(organization.id, date.fromisoformat(chance.choice(DAYS)))
    services.derive_dirty_days(organization.id)

    reconciled = reconcile_daily(organization.id, *YEAR)

    assert reconciled.differences.empty, reconciled.differences
    assert reconciled.pending == []


def test_days_that_wait_for_derive_are_not_compared(committed_db, organization, factor_set, write):
    write(metered(1, 10.0))

    reconciled = reconcile_daily(organization.id, *YEAR)

    assert reconciled.differences.empty
    assert reconciled.pending == [date(2026, 7, 1)]


def test_a_changed_cell_is_found(committed_db, organization, factor_set, write):
    write(metered(1, 10.0), metered(2, 5.0, day="2026-07-02"))
    services.derive_dirty_days(organization.id)
    execute(organization, "update ledger_cell set energy_pkwh = energy_pkwh + 1 where hour < '2026-07-02'")

    (found,) = reconcile_daily(organization.id, *YEAR).differences.to_dict("records")

    assert (found["level"], found["day"], found["measure"]) == ("daily", date(2026, 7, 1), "energy_pkwh")
    assert found["expected"] - found["found"] == 1


def test_a_lost_daily_row_is_found_by_days_and_months(committed_db, organization, factor_set, write):
    write(metered(1, 10.0))
    services.derive_dirty_days(organization.id)
    execute(organization, "delete from accounting_daily")

    differences = reconcile_daily(organization.id, *YEAR).differences

    assert set(differences["level"]) == {"daily", "monthly"}
    assert {"records", "energy_pkwh"} <= set(differences["measure"])


def test_a_day_too_large_for_its_row_is_a_difference(committed_db, organization, factor_set, write):
    write(
        metered(1, 6e6, energy_boundary="facility"),
        metered(2, 6e6, energy_boundary="facility", started_at=at("2026-07-01T09:00:00")),
    )
    services.derive_dirty_days(organization.id)

    (found,) = reconcile_daily(organization.id, *YEAR).differences.to_dict("records")

    assert (found["measure"], found["expected"], found["found"]) == ("energy_pkwh", 12 * 10**18, 0)


def test_the_command_says_equal_or_ends_with_1(committed_db, organization, factor_set, write):
    write(metered(1, 10.0))
    services.derive_dirty_days(organization.id)

    out = StringIO()
    call_command("reconcile", organization="northwind", stdout=out)
    assert out.getvalue().count("equal") == 2

    execute(organization, "update ledger_cell set records = 7")
    out = StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("reconcile", organization="northwind", format="json", stdout=out)
    assert ended.value.code == 1
    answer = json.loads(out.getvalue())
    assert answer["ledger"][0]["measure"] == "records"
    assert answer["daily"][0]["measure"] == "records"


def test_an_organization_without_cells_has_nothing_to_compare(committed_db, organization, factor_set):
    out = StringIO()

    call_command("reconcile", organization="northwind", stdout=out)

    assert "nothing to compare" in out.getvalue()
