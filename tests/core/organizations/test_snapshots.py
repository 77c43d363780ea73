"""A snapshot reads one moment: what it has read once it does not read again, and whose rows are seen stays as strict."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.ledger.models import Source
from core.organizations.tenancy import once_a_snapshot, organization_scope, organization_snapshot

pytestmark = pytest.mark.usefixtures("committed_db")


def make(organization, name):
    with organization_scope(organization.id):
        Source.objects.create(organization_id=organization.id, kind="activity", name=name)


def names():
    return sorted(Source.objects.values_list("name", flat=True))


def test_something_is_read_once_in_a_snapshot_and_anew_in_the_next(organization):
    make(organization, "first")
    with organization_snapshot(organization.id):
        assert once_a_snapshot("names", names) == ["first"]
        with CaptureQueriesContext(connection) as queries:
            assert once_a_snapshot("names", names) == ["first"]
        assert len(queries) == 0
    make(organization, "second")
    with organization_snapshot(organization.id):
        assert once_a_snapshot("names", names) == ["first", "second"]


def test_outside_of_a_snapshot_it_is_read_each_time(organization):
    with organization_scope(organization.id):
        assert once_a_snapshot("names", names) == []
        Source.objects.create(organization_id=organization.id, kind="activity", name="first")
        assert once_a_snapshot("names", names) == ["first"]


def test_a_snapshot_that_fails_leaves_nothing_behind(organization):
    with pytest.raises(ZeroDivisionError), organization_snapshot(organization.id):
        assert [*once_a_snapshot("names", names), 1 // 0]
    make(organization, "first")
    with organization_scope(organization.id):
        assert once_a_snapshot("names", names) == ["first"]


def test_the_same_scope_again_asks_nothing_and_another_is_another(organization, other_organization):
    make(organization, "ours")
    make(other_organization, "theirs")
    with organization_snapshot(organization.id):
        with CaptureQueriesContext(connection) as queries, organization_scope(organization.id):
            pass
        assert len(queries) == 0
        with organization_scope(other_organization.id):
            assert names() == ["theirs"]
            with organization_scope(organization.id):
                assert names() == ["ours"]
            assert names() == ["theirs"]
        with organization_scope(organization.id):
            assert names() == ["ours"]
        with pytest.raises(ZeroDivisionError), organization_scope(other_organization.id):
            assert 1 // 0
        with organization_scope(organization.id):
            assert names() == ["ours"]
