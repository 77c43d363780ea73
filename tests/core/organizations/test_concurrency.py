"""Writers at the same moment: the audit log stays one chain, and scopes do not leak from one into the other."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from django.db import connection

from core.organizations import selectors, services
from core.organizations.models import AuditEvent, Team
from core.organizations.tenancy import organization_scope

EACH = 10


def organization_in_force():
    """Ask the database whose rows it shows: the id as text, "" outside every scope."""
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(current_setting('wattledger.org', true), '')")
        return cursor.fetchone()[0]


@pytest.mark.usefixtures("committed_db")
def test_events_of_two_writers_make_one_chain(organization):
    start = Barrier(2)

    def write(writer):
        start.wait(timeout=10)
        try:
            for number in range(EACH):
                services.create_team(organization_id=organization.id, name=f"{writer}-{number}")
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ("a", "b")))

    with organization_scope(organization.id):
        sequences = list(AuditEvent.objects.order_by("sequence").values_list("sequence", flat=True))
        fault = selectors.verify_audit_chain(organization.id)
    assert sequences == list(range(1, 22))  # the organization's own, and 10 of each
    assert fault is None


@pytest.mark.usefixtures("committed_db")
def test_a_write_that_fails_leaves_no_event(organization):
    services.create_team(organization_id=organization.id, name="search")

    with pytest.raises(services.OrganizationError):
        services.create_team(organization_id=organization.id, name="search")

    with organization_scope(organization.id):
        assert list(AuditEvent.objects.order_by("sequence").values_list("action", flat=True)) == [
            "create_organization",
            "create_team",
        ]


@pytest.mark.usefixtures("committed_db")
def test_a_scope_inside_another_gives_it_back(organization, other_organization):
    with organization_scope(organization.id):
        with organization_scope(other_organization.id):
            inner = organization_in_force()
        Team.objects.create(organization_id=organization.id, name="ours")
        outer = organization_in_force()

    assert (inner, outer) == (str(other_organization.id), str(organization.id))
    assert organization_in_force() == ""
    assert list(Team.objects.all()) == []
