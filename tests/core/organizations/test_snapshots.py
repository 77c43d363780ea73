"""A snapshot reads one moment, and what all of its figures ask for, once."""

import pytest

from core.organizations.tenancy import once_a_snapshot, organization_scope, organization_snapshot


@pytest.mark.usefixtures("committed_db")
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
