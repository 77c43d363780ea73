"""An organization's own aliases: dated, audited, its own."""

from __future__ import annotations

from datetime import date

import pytest
from django.db import IntegrityError, transaction

from core.catalog import selectors, services
from core.catalog.models import Alias
from core.organizations.models import AuditEvent
from core.organizations.tenancy import organization_scope
from core.quantification.attribute import OwnAlias


def test_an_alias_is_kept_with_its_dates(db, organization):
    services.set_alias(
        organization_id=organization.id,
        kind="model",
        reported="house",
        resolves_to="gpt-4o",
        valid_from=date(2026, 7, 1),
    )
    services.set_alias(organization_id=organization.id, kind="model", reported="house", resolves_to="o3-mini")

    with organization_scope(organization.id):
        assert selectors.aliases(organization.id) == [
            OwnAlias("model", "house", "o3-mini"),
            OwnAlias("model", "house", "gpt-4o", date(2026, 7, 1)),
        ]


def test_the_same_first_day_replaces_and_is_audited(db, organization):
    for meaning in ("gpt-4o", "o3-mini"):
        services.set_alias(organization_id=organization.id, kind="model", reported="house", resolves_to=meaning)

    with organization_scope(organization.id):
        (alias,) = selectors.aliases(organization.id)
        event = AuditEvent.objects.filter(organization_id=organization.id).latest("sequence")
    assert alias.resolves_to == "o3-mini"
    assert (event.action, event.before["resolves_to"]) == ("set_alias", "gpt-4o")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "colour"}, "no aliases"),
        ({"reported": " "}, "needs the reported name"),
        ({"valid_from": date(2026, 2, 1), "valid_to": date(2026, 2, 1)}, "end after it starts"),
    ],
)
def test_what_cannot_be_is_refused(db, organization, change, message):
    given = {"kind": "model", "reported": "house", "resolves_to": "gpt-4o"} | change

    with pytest.raises(services.CatalogError, match=message):
        services.set_alias(organization_id=organization.id, **given)


def test_an_alias_is_taken_back_and_audited(db, organization):
    alias = services.set_alias(organization_id=organization.id, kind="model", reported="house", resolves_to="gpt-4o")

    services.remove_alias(organization_id=organization.id, alias_id=alias.id, reason="renamed")

    with organization_scope(organization.id):
        assert selectors.aliases(organization.id) == []
        event = AuditEvent.objects.filter(organization_id=organization.id).latest("sequence")
    assert (event.action, event.before["reported"], event.reason) == ("remove_alias", "house", "renamed")


def test_nobody_takes_back_the_alias_of_another_organization(db, organization, other_organization):
    alias = services.set_alias(organization_id=organization.id, kind="model", reported="house", resolves_to="gpt-4o")

    with pytest.raises(services.CatalogError, match="no alias"):
        services.remove_alias(organization_id=other_organization.id, alias_id=alias.id)


def test_another_organization_does_not_see_it(db, organization, other_organization):
    services.set_alias(organization_id=organization.id, kind="model", reported="house", resolves_to="gpt-4o")

    with organization_scope(other_organization.id):
        assert selectors.aliases(organization.id) == []


def test_the_database_knows_the_kinds(db, organization):
    with organization_scope(organization.id), pytest.raises(IntegrityError), transaction.atomic():
        Alias.objects.create(organization=organization, kind="colour", reported="a", resolves_to="b")
