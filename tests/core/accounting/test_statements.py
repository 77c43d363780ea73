"""A provider's statement covers the whole account: what it says of other services than AI is kept and never counted."""

from __future__ import annotations

import pytest

from core.accounting import services
from core.accounting.selectors.covering import statements_to_derive_again
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.unit_reconciliation import reconciled_units
from core.organizations.tenancy import organization_scope

from .conftest import at
from .test_counted_once import JULY, assert_reconciled, total, unit_of


def stated(number: int, kg: float, classification: str | None, day: int = 1):
    """A day of a service in a statement."""
    return {
        "record_id": f"statement-{number}-{day}",
        "started_at": at(f"2026-07-{day:02}T00:00:00"),
        "ended_at": at(f"2026-07-{day + 1:02}T00:00:00"),
        "account": "cloud",
        "stage": "inference",
        "hosting": "cloud",
        "provider": "aws",
        "evidence": "stated",
        "reported_kg_co2e": kg,
        "reported_basis": "location",
        "snapshot": "2026-07",
        "labels": {} if classification is None else {"classification": classification},
    }


@pytest.fixture
def statement(write):
    """1 kg of AI, 2 of a service that may support it, 4 of others, 8 of which no class is said."""
    classes = ("ai", "supporting", "outside", None)
    return write(*(stated(at, 2.0**at, name) for at, name in enumerate(classes)), source="statement")


@pytest.mark.parametrize("linked", [False, True])
def test_only_ai_services_of_a_statement_count(committed_db, organization, factor_set, statement, linked):
    if linked:
        unit_of(organization, statement)
    services.derive_dirty_days(organization.id)

    assert total(organization) == pytest.approx(1 + 8)
    assert total(organization, role=("cross_check",)) == pytest.approx(2 + 4)
    assert_reconciled(organization)


def test_other_services_do_not_count_where_the_statement_alone_counts(
    committed_db, organization, factor_set, statement
):
    unit_of(organization, statement, counting_source_id=statement, reason="The provider knows best.")
    services.derive_dirty_days(organization.id)

    assert total(organization) == pytest.approx(1 + 8)


def test_the_whole_statement_is_shown_beside(committed_db, organization, factor_set, statement):
    unit_of(organization, statement)
    services.derive_dirty_days(organization.id)

    (unit,) = reconciled_units(organization.id, JULY)

    found = unit.comparison.of("stated")
    assert (found.counted_kg, found.cross_check_kg) == (pytest.approx(9), pytest.approx(6))


def test_statements_of_other_services_are_not_derived_again_and_again(
    committed_db, organization, factor_set, statement, write
):
    write(stated(9, 16.0, "outside", day=2), source="statement")
    unit_of(organization, statement)
    services.derive_dirty_days(organization.id)

    with organization_scope(organization.id):
        days = statements_to_derive_again(organization.id, [JULY.to_day], rules_of(organization.id))

    assert days == []
