from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from core.organizations import selectors, services
from core.organizations.identity import Actor, Identity
from core.organizations.models import ApiToken, AuditEvent, Membership, Role, Team
from core.organizations.tenancy import organization_scope, person_scope

pytestmark = pytest.mark.django_db


def test_a_token_is_stored_as_a_hash_only(organization):
    token, secret = services.issue_token(organization_id=organization.id, name="agent", scopes=["ingest"])

    assert secret.startswith(f"wl_{organization.id}_")
    with organization_scope(organization.id):
        stored = ApiToken.objects.get(id=token.id)
        events = list(AuditEvent.objects.values_list("after", flat=True))
    assert secret not in repr(stored.__dict__) + repr(events)
    assert len(stored.secret_hash) == 32


def test_a_token_is_known_until_it_is_revoked(organization):
    token, secret = services.issue_token(
        organization_id=organization.id, name="agent", scopes=["ingest"], team="search"
    )

    identity = services.authenticate_token(secret)
    services.revoke_token(organization_id=organization.id, token_id=token.id)

    assert identity is not None
    assert (identity.organization_id, identity.team) == (organization.id, "search")
    assert services.authenticate_token(secret) is None


def test_an_expired_token_is_a_stranger(organization, time_machine):
    time_machine.move_to(datetime(2026, 10, 1, tzinfo=UTC), tick=False)
    _, secret = services.issue_token(
        organization_id=organization.id, name="a", scopes=["read"], expires_at=datetime(2026, 10, 2, tzinfo=UTC)
    )
    assert services.authenticate_token(secret) is not None

    time_machine.move_to(datetime(2026, 10, 2, 0, 0, 1, tzinfo=UTC), tick=False)

    assert services.authenticate_token(secret) is None


@pytest.mark.parametrize(
    "secret", ["", "wl_", "wl_1_short", "wl_99999999999_" + "a" * 43, "wl_1_" + "a" * 43, "x" * 500]
)
def test_a_made_up_token_is_a_stranger(organization, secret):
    assert services.authenticate_token(secret) is None


def test_a_token_of_one_organization_does_not_open_another(organization, other_organization):
    _, secret = services.issue_token(organization_id=organization.id, name="agent", scopes=["ingest"])
    moved = secret.replace(f"wl_{organization.id}_", f"wl_{other_organization.id}_")

    assert services.authenticate_token(moved) is None


def test_a_token_without_scope_is_refused(organization):
    with pytest.raises(services.OrganizationError, match="needs scopes"):
        services.issue_token(organization_id=organization.id, name="x", scopes=["everything"])


def test_a_token_cannot_be_born_expired(organization):
    with pytest.raises(services.OrganizationError, match="expired already"):
        services.issue_token(
            organization_id=organization.id,
            name="x",
            scopes=["read"],
            expires_at=datetime.now(UTC) - timedelta(seconds=1),
        )


def test_rows_of_another_organization_cannot_be_seen_or_written(organization, other_organization):
    services.create_team(organization_id=organization.id, name="search")

    with organization_scope(other_organization.id):
        assert list(Team.objects.all()) == []
        assert Team.objects.filter(organization_id=organization.id).update(name="stolen") == 0
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
            Team.objects.create(organization_id=organization.id, name="planted")


def test_without_a_scope_there_is_nothing(organization):
    services.create_team(organization_id=organization.id, name="search")

    with connection.cursor() as cursor:
        cursor.execute("select set_config('wattledger.org', '', true)")

    assert list(Team.objects.all()) == []


def test_a_key_cannot_point_into_another_organization(organization, other_organization, person):
    team = services.create_team(organization_id=other_organization.id, name="theirs")

    with organization_scope(organization.id), connection.cursor() as cursor:
        Membership.objects.create(organization=organization, person=person, role="member", team_id=team.id)

        with pytest.raises(DatabaseError, match="same_organization"), transaction.atomic():
            cursor.execute("set constraints all immediate")
        Membership.objects.filter(team_id=team.id).delete()


def test_a_person_reads_their_own_memberships_anywhere(organization, other_organization, person):
    services.add_member(organization_id=organization.id, person=person, role="owner")
    services.add_member(organization_id=other_organization.id, person=person, role="auditor")
    with connection.cursor() as cursor:
        cursor.execute("select set_config('wattledger.org', '', true)")

    with person_scope(person.id):
        roles = [membership.role for membership in selectors.memberships_of(person.id, datetime.now(UTC).date())]

    assert roles == ["owner", "auditor"]


def test_an_admin_makes_no_owner_and_no_sustainability_lead(organization, person):
    admin = Identity(organization_id=organization.id, actor=Actor("person", "1"), role=Role.ADMIN, person_id=1)

    for role in (Role.OWNER, Role.SUSTAINABILITY_LEAD):
        with pytest.raises(services.OrganizationError, match="more than you may do"):
            services.add_member(organization_id=organization.id, person=person, role=role, granted_by=admin)

    assert services.add_member(organization_id=organization.id, person=person, role=Role.AUDITOR, granted_by=admin)


def test_a_membership_ends_on_its_last_day(organization, person):
    membership = services.add_member(organization_id=organization.id, person=person, role="auditor")
    with organization_scope(organization.id):
        Membership.objects.filter(id=membership.id).update(ends_on=datetime(2026, 9, 30, tzinfo=UTC).date())
        on_the_day = selectors.memberships_of(person.id, datetime(2026, 9, 30, tzinfo=UTC).date()).count()
        after = selectors.memberships_of(person.id, datetime(2026, 10, 1, tzinfo=UTC).date()).count()

    assert (on_the_day, after) == (1, 0)


def test_the_audit_log_is_a_chain(organization):
    for name in ("search", "vision", "nlp"):
        services.create_team(organization_id=organization.id, name=name)

    with organization_scope(organization.id):
        events = list(AuditEvent.objects.order_by("sequence"))
        fault = selectors.verify_audit_chain(organization.id)

    assert [event.action for event in events] == ["create_organization"] + ["create_team"] * 3
    assert [event.previous_hash for event in events] == [selectors.FIRST_HASH, *(event.hash for event in events[:-1])]
    assert fault is None


@pytest.mark.parametrize(
    "statement", ["update organizations_auditevent set reason = 'x'", "delete from organizations_auditevent"]
)
def test_the_application_cannot_change_the_audit_log(organization, statement):
    with (
        pytest.raises(DatabaseError, match=r"permission denied|append-only"),
        organization_scope(organization.id),
        connection.cursor() as cursor,
    ):
        cursor.execute(statement)


def test_a_changed_audit_event_is_found(organization):
    services.create_team(organization_id=organization.id, name="search")
    with organization_scope(organization.id):
        event = AuditEvent.objects.get(sequence=2)
        event.after = {"name": "seurch", "head_count": None}

        assert selectors.event_hash(event) != event.hash


def test_two_organizations_of_one_name_are_refused(organization):
    with pytest.raises(services.OrganizationError, match="exists already"):
        services.create_organization(slug=organization.slug, name="Twin")


@pytest.mark.parametrize("slug", ["", "Upper", "with space", "-x", "a" * 65])
def test_a_malformed_slug_is_refused(slug):
    with pytest.raises(services.OrganizationError, match="no slug"):
        services.create_organization(slug=slug, name="X")
