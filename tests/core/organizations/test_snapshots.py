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


def visible():
    return sorted(Source.objects.values_list("name", flat=True))


names = once_a_snapshot(visible)


def test_something_is_read_once_in_a_snapshot_and_anew_in_the_next(organization):
    make(organization, "first")
    with organization_snapshot(organization.id):
        assert names() == ["first"]
        with CaptureQueriesContext(connection) as queries:
            assert names() == ["first"]
        assert len(queries) == 0
    make(organization, "second")
    with organization_snapshot(organization.id):
        assert names() == ["first", "second"]


def test_outside_of_a_snapshot_it_is_read_each_time(organization):
    with organization_scope(organization.id):
        assert names() == []
        Source.objects.create(organization_id=organization.id, kind="activity", name="first")
        assert names() == ["first"]


def test_a_snapshot_that_fails_leaves_nothing_behind(organization):
    with pytest.raises(ZeroDivisionError), organization_snapshot(organization.id):
        assert [*names(), 1 // 0]
    make(organization, "first")
    with organization_scope(organization.id):
        assert names() == ["first"]


def test_the_same_scope_again_asks_nothing_and_another_is_another(organization, other_organization):
    make(organization, "ours")
    make(other_organization, "theirs")
    with organization_snapshot(organization.id):
        with CaptureQueriesContext(connection) as queries, organization_scope(organization.id):
            pass
        assert len(queries) == 0
        with organization_scope(other_organization.id):
            assert visible() == ["theirs"]
            with organization_scope(organization.id):
                assert visible() == ["ours"]
            assert visible() == ["theirs"]
        with organization_scope(organization.id):
            assert visible() == ["ours"]
        with pytest.raises(ZeroDivisionError), organization_scope(other_organization.id):
            assert 1 // 0
        with organization_scope(organization.id):
            assert visible() == ["ours"]


def test_a_selector_reads_once_in_a_snapshot_and_anew_in_the_next(organization, other_organization):
    asked = []

    @once_a_snapshot
    def read(organization_id: int, name: str = "") -> str:
        asked.append((organization_id, name))
        return f"{organization_id}{name}"

    for _ in range(2):
        with organization_snapshot(organization.id):
            assert read(organization.id) == read(organization.id) == str(organization.id)
            with organization_snapshot(other_organization.id):
                assert read(other_organization.id) == str(other_organization.id)
            assert read(organization.id, name="x") == f"{organization.id}x"
    with organization_scope(organization.id):
        read(organization.id)
        read(organization.id)

    once = [(organization.id, ""), (other_organization.id, ""), (organization.id, "x")]
    assert asked == [*once, *once, (organization.id, ""), (organization.id, "")]
