"""Distinct users, counted only where two people decided it, and forgotten when the month is over."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import given
from hypothesis import strategies as st

from core.organizations import services as organizations
from core.organizations import user_counts
from core.organizations.models import AuditEvent, Organization, Person, Role, UserCounting, UserSeen
from core.organizations.services import OrganizationError
from core.organizations.tenancy import organization_scope
from ingestion import services, users
from tests.ingestion.conftest import make_record
from tests.servers import Servers

PURPOSE = "To keep head counts of teams right."


@pytest.fixture(autouse=True)
def nothing_remembered() -> Any:
    user_counts._remembered.clear()
    yield
    user_counts._remembered.clear()


@pytest.fixture
def people(committed_db: None, organization: Organization) -> dict[str, Person]:
    """An owner, an admin and a member."""
    found = {}
    for role in (Role.OWNER, Role.ADMIN, Role.MEMBER):
        found[role.value] = Person.objects.create_user(f"{role}@example.org")
        organizations.add_member(organization_id=organization.id, person=found[role.value], role=role)
    return found


@pytest.fixture
def switched_on(organization: Organization, people: dict[str, Person]) -> None:
    user_counts.request_user_counts(organization_id=organization.id, purpose=PURPOSE, person=people["admin"])
    user_counts.approve_user_counts(organization_id=organization.id, person=people["owner"])


def seen(organization: Organization) -> list[tuple[str, bytes]]:
    with organization_scope(organization.id):
        rows = UserSeen.objects.filter(organization_id=organization.id).order_by("team", "hash")
        return [(row.team, bytes(row.hash)) for row in rows]


def push(post: Any, *names: str, team: str = "nlp") -> None:
    body = [make_record(f"r{at}", team=team) | {"user": name} for at, name in enumerate(names)]
    assert post("/api/v1/activity", body).status_code == 202


def test_nobody_is_counted_unasked(post: Any, organization: Organization, people: dict[str, Person]) -> None:
    push(post, "ada", "bo")
    assert seen(organization) == []

    user_counts.request_user_counts(organization_id=organization.id, purpose=PURPOSE, person=people["admin"])
    user_counts._remembered.clear()
    push(post, "ada", "bo")

    assert seen(organization) == []


def test_it_takes_a_second_active_person_with_the_right(organization: Organization, people: dict[str, Person]) -> None:
    options: dict[str, Any] = {"organization_id": organization.id}
    with pytest.raises(OrganizationError, match="manages people"):
        user_counts.request_user_counts(**options, purpose=PURPOSE, person=people["member"])
    with pytest.raises(OrganizationError, match="purpose"):
        user_counts.request_user_counts(**options, purpose=" ", person=people["admin"])
    user_counts.request_user_counts(**options, purpose=PURPOSE, person=people["admin"])
    with pytest.raises(OrganizationError, match="already"):
        user_counts.request_user_counts(**options, purpose=PURPOSE, person=people["owner"])
    with pytest.raises(OrganizationError, match="second person"):
        user_counts.approve_user_counts(**options, person=people["admin"])
    with pytest.raises(OrganizationError, match="manages people"):
        user_counts.approve_user_counts(**options, person=people["member"])
    people["owner"].is_active = False
    with pytest.raises(OrganizationError, match="active person"):
        user_counts.approve_user_counts(**options, person=people["owner"])


def test_the_database_holds_it_to_four_eyes(organization: Organization, people: dict[str, Person]) -> None:
    counting = user_counts.request_user_counts(organization_id=organization.id, purpose=PURPOSE, person=people["admin"])

    with organization_scope(organization.id), pytest.raises(IntegrityError), transaction.atomic():
        UserCounting.objects.filter(id=counting.id).update(
            approved_by=people["admin"], approved_at=datetime.now(UTC), secret=b"x"
        )


def test_every_step_is_audited(organization: Organization, switched_on: None) -> None:
    user_counts.end_user_counts(organization_id=organization.id, reason="works council")

    with organization_scope(organization.id):
        events = AuditEvent.objects.filter(object_type="user_counting").order_by("sequence")
        assert [event.action for event in events] == ["request_user_counts", "approve_user_counts", "end_user_counts"]
        assert events[0].after == {"purpose": PURPOSE}


def test_a_months_users_become_a_number_and_are_forgotten(
    post: Any, organization: Organization, servers: Servers, switched_on: None
) -> None:
    push(post, "ada", "bo", "ada ", *(f"user{number}" for number in range(4)))
    push(post, "ada", team="vision")
    kept = seen(organization)
    assert [team for team, _ in kept] == ["nlp"] * 6 + ["vision"]
    assert len({each for _, each in kept}) == 7, "the same person in two teams cannot be told"
    secret = user_counts.secret_of(organization.id)

    month = datetime.now(UTC).date().replace(day=1)
    later = datetime(month.year + month.month // 12, month.month % 12 + 1, 2, tzinfo=UTC)
    assert services.keep_house(later)["user_hashes_counted"] == 7

    assert seen(organization) == []
    assert user_counts.secret_of(organization.id) not in (secret, None)
    assert [(row.team, row.users) for row in user_counts.counts(organization.id, 5)] == [("nlp", 6)]
    assert [row.team for row in user_counts.counts(organization.id, 1)] == ["nlp", "vision"]
    services.keep_house()


def test_no_hash_is_on_a_record_or_in_the_inbox(
    post: Any, organization: Organization, servers: Servers, switched_on: None
) -> None:
    push(post, "adalovelace")
    services.drain_inbox(organization.id)
    [(_, kept)] = seen(organization)

    with psycopg.connect(servers.admin_url) as database:
        for table in ("ledger_series", "ledger_record_text", "ingestion_payload", "ingestion_quarantine"):
            text = str(database.execute(f"select t::text from {table} t").fetchall())
            assert kept.hex() not in text, table
            assert "user_hash" not in text
            assert "adalovelace" not in text


def test_switching_off_deletes_the_hashes_and_stops_doors_at_once(
    post: Any, organization: Organization, switched_on: None
) -> None:
    push(post, "ada")
    remembered = dict(user_counts._remembered)
    user_counts.end_user_counts(organization_id=organization.id)
    assert seen(organization) == []

    user_counts._remembered.update(remembered)  # a door in another process has not asked again yet
    push(post, "bo")

    assert seen(organization) == []
    with organization_scope(organization.id):
        assert UserCounting.objects.get(organization_id=organization.id).secret is None


def test_another_organization_sees_nothing(
    post: Any, organization: Organization, other_organization: Organization, switched_on: None
) -> None:
    push(post, "ada")

    with organization_scope(other_organization.id), connection.cursor() as cursor:
        cursor.execute("select count(*) from organizations_user_seen")
        assert cursor.fetchone() == (0,)


SPANS = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.namespace", "value": {"stringValue": "nlp"}}]},
            "scopeSpans": [
                {
                    "spans": [
                        {"attributes": [{"key": "enduser.id", "value": {"stringValue": name}}]}
                        for name in ("ada", "bo")
                    ]
                }
            ],
        }
    ]
}


def test_users_of_spans_have_the_team_of_their_resource() -> None:
    assert set(users.found(SPANS, "")) == {("nlp", "ada"), ("nlp", "bo")}


def test_users_in_protobuf_are_found(post: Any, organization: Organization, switched_on: None) -> None:
    from google.protobuf.json_format import ParseDict
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    body = ParseDict(SPANS, ExportTraceServiceRequest()).SerializeToString()

    assert post("/otlp/v1/traces", body, "application/x-protobuf").status_code == 200

    assert [team for team, _ in seen(organization)] == ["nlp", "nlp"]


@given(
    st.recursive(
        st.none() | st.text(max_size=4) | st.integers(0, 9),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["user", "team", "labels", "attributes", "key", "value"]) | st.text(max_size=4),
                inner,
                max_size=4,
            )
        ),
        max_leaves=8,
    )
)
def test_any_json_is_looked_through(value: Any) -> None:
    decoded = json.loads(json.dumps(value))

    assert all(user for _, user in users.found(decoded, ""))
