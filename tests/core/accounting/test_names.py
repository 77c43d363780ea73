"""An organization's own names change the figures of the days on which they were reported, and of no others."""

from __future__ import annotations

from datetime import date

import pytest

from core.accounting import services
from core.catalog.services import CatalogError

from .conftest import call
from .test_derive import table

JULY = date(2026, 7, 1)


@pytest.fixture
def house_model(committed_db, organization, factor_set, write):
    """A day with a name of the house, another with a public one, both derived."""
    write(call(1, model="House-Model"), call(2, day="2026-07-02"))
    services.derive_dirty_days(organization.id)


def marked(organization) -> list[date]:
    return table(organization, "select day from ledger_dirty_day order by day")["day"].tolist()


def models(organization) -> list[str]:
    query = "select r.model from accounting_daily d join accounting_resolved_series r on r.id = d.resolved_id order by d.day"
    return table(organization, query)["model"].tolist()


def revision(organization) -> int:
    return int(table(organization, "select rules_revision from accounting_view")["rules_revision"][0])


def test_an_alias_set_later_reaches_the_days_that_report_its_name(organization, house_model):
    before = revision(organization)

    services.set_alias(organization_id=organization.id, kind="model", reported="house-model", resolves_to="gpt-4o")

    assert marked(organization) == [JULY]
    assert revision(organization) == before + 1
    services.derive_dirty_days(organization.id)
    assert models(organization) == ["gpt-4o", "gpt-4o"]


def test_an_alias_taken_back_leaves_the_name_as_reported(organization, house_model):
    alias = services.set_alias(
        organization_id=organization.id, kind="model", reported="house-model", resolves_to="gpt-4o"
    )
    services.derive_dirty_days(organization.id)

    services.remove_alias(organization_id=organization.id, alias_id=alias.id)

    assert marked(organization) == [JULY]
    services.derive_dirty_days(organization.id)
    assert models(organization) == ["House-Model", "gpt-4o"]


def test_a_refused_alias_marks_nothing(organization, house_model):
    with pytest.raises(CatalogError, match="no aliases"):
        services.set_alias(organization_id=organization.id, kind="colour", reported="house-model", resolves_to="red")

    assert marked(organization) == []
