"""A provider's statement covers the whole account: what it says of other services than AI is kept and never counted."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import import_module
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection

from core.accounting import services
from core.accounting.selectors.covering import statements_to_derive_again
from core.accounting.selectors.rules import rules_of
from core.accounting.selectors.unit_reconciliation import reconciled_units
from core.accounting.selectors.unlinked_statements import unlinked_statements
from core.organizations.tenancy import organization_scope

from .conftest import at, call
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


def test_a_statement_without_a_link_is_shown_beside_until_it_is_linked(
    committed_db, organization, factor_set, statement
):
    services.derive_dirty_days(organization.id)
    arguments = ("coverage", "reconcile", "--organization", organization.slug, "--period", "2026-07")
    table, answer = StringIO(), StringIO()
    call_command(*arguments, stdout=table)
    call_command(*arguments, "--format", "json", stdout=answer)

    (found,) = json.loads(answer.getvalue())["unlinked_statements"]

    assert (found["source"], found["account"], found["records"]) == ("statement", "cloud", 4)
    said = [found[f"{name}_kg_co2e"] for name in ("stated", "counted", "beside")]
    assert said == [pytest.approx(kg) for kg in (15, 1 + 8, 2 + 4)]
    assert "coverage link SOURCE --account ACCOUNT --unit UNIT" in table.getvalue()
    assert len(unlinked_statements(organization.id, replace(JULY, basis="market"))) == 1

    unit_of(organization, statement)
    assert unlinked_statements(organization.id, JULY) == []


def test_a_statement_declared_independent_is_not_asked_about(committed_db, organization, factor_set, statement):
    services.declare_independent(
        organization_id=organization.id, source_id=statement, account="cloud", reason="all else"
    )
    services.derive_dirty_days(organization.id)

    assert unlinked_statements(organization.id, JULY) == []


def test_days_of_existing_installations_on_which_statements_counted_are_derived_again(
    committed_db, organization, factor_set, statement, write
):
    write(call(1, "2026-07-02"))
    services.derive_dirty_days(organization.id)
    migration = import_module("core.accounting.migrations.0011_days_of_money_and_statements")

    with connection.cursor() as cursor:
        cursor.execute(migration.MARK)

    with organization_scope(organization.id), connection.cursor() as cursor:
        cursor.execute("select day from ledger_dirty_day")
        assert cursor.fetchall() == [(JULY.from_day,)]
