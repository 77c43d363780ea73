"""Coverage units and the completeness register: made, linked and taken back by those who may, with reasons."""

from __future__ import annotations

from datetime import date

import pytest

from core.accounting import services as accounting
from core.accounting.selectors.coverage import coverage_of
from core.ledger.services import ensure_source
from core.organizations import services
from core.organizations.models import Person, Role

pytestmark = pytest.mark.django_db


@pytest.fixture
def sign_in(client, organization):
    def enter(role):
        who = Person.objects.create_user(f"{role}@example.org")
        services.add_member(organization_id=organization.id, person=who, role=role)
        client.force_login(who)
        return client

    return enter


@pytest.fixture
def bill(organization):
    return ensure_source(organization.id, "focus", "bill")


def test_a_unit_is_made_linked_and_taken_back(sign_in, organization, bill):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    made = {"name": "Cluster A", "precedence": "modelled_bill, bill", "reason": "the invoice is audited"}
    client.post("/quality/units/save/", made)
    (unit,) = coverage_of(organization.id).units
    link = {"source": bill.id, "unit": unit["id"], "describes": "part", "reason": "its account"}

    page = client.post("/quality/units/link/", link, follow=True).content.decode()

    (linked,) = coverage_of(organization.id).links
    assert unit["precedence"] == ["modelled_bill", "bill"]
    assert (linked["unit"], linked["part"], linked["reason"]) == ("Cluster A", True, "its account")
    assert "Own order: modelled from the bill, bill, then the usual one." in page
    assert "a part of its own" in page
    client.post(f"/quality/units/links/{linked['id']}/remove/")
    assert coverage_of(organization.id).links == []


def test_a_source_is_declared_independent(sign_in, organization, bill):
    client = sign_in(Role.SUSTAINABILITY_LEAD)

    given = {"source": bill.id, "unit": "independent", "reason": "nothing else"}
    page = client.post("/quality/units/link/", given, follow=True).content.decode()

    (linked,) = coverage_of(organization.id).links
    assert (linked["unit"], linked["source"]) == (None, "bill")
    assert "Nothing else describes what these do." in page


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"name": "A", "precedence": "guessed", "reason": "x"}, "is no level of evidence"),
        ({"name": "A", "precedence": "measured"}, "This field is required"),
    ],
)
def test_refusals_stand_beside_the_form(sign_in, organization, form, says):
    answer = sign_in(Role.SUSTAINABILITY_LEAD).post("/quality/units/save/", form)

    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert coverage_of(organization.id).units == []


def test_an_auditor_sees_and_changes_nothing(sign_in, organization, bill):
    accounting.set_coverage_unit(organization_id=organization.id, name="Cluster A")
    client = sign_in(Role.AUDITOR)

    page = client.get("/quality/units/").content.decode()

    assert "Cluster A" in page
    assert "Save the unit" not in page
    assert client.post("/quality/units/save/", {"name": "B", "reason": "x"}).status_code == 403


def test_what_is_expected_is_entered_and_exported(sign_in, organization, bill):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    given = {"kind": "cluster", "source": bill.id, "account": "a", "since": "2026-07-01"}

    page = client.post("/quality/completeness/?from=2026-07-01&to=2026-07-03", given, follow=True).content.decode()
    sheet = client.get("/quality/completeness/?from=2026-07-01&to=2026-07-03&format=csv").content.decode()

    assert "Cluster" in page
    assert "cluster,bill,a,2026-07-01,,3,0,3,2026-07-01 to 2026-07-03," in sheet


def test_the_api_says_what_the_page_says(sign_in, organization, bill):
    unit = accounting.set_coverage_unit(organization_id=organization.id, name="Cluster A")
    accounting.link_source(organization_id=organization.id, source_id=bill.id, unit_id=unit.id)
    client = sign_in(Role.SUSTAINABILITY_LEAD)

    answer = client.get("/api/v1/coverage?period=2026-07").json()

    assert (answer["from"], answer["to"]) == (str(date(2026, 7, 1)), str(date(2026, 7, 31)))
    assert [(each["unit"], each["sources"][0]["source"]) for each in answer["units"]] == [("Cluster A", "bill")]
    assert client.get("/api/v1/coverage?period=whenever").status_code == 400
