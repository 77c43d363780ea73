"""Coverage units and the completeness register: made, linked and taken back by those who may, with reasons."""

from __future__ import annotations

import re
from datetime import date

import pytest

from core.accounting import services as accounting
from core.accounting.selectors.coverage import coverage_of
from core.ledger.services import ensure_source
from core.organizations import services
from core.organizations.models import AuditEvent, Person, Role
from core.organizations.tenancy import organization_scope
from tests.core.accounting.conftest import call, factor_set, write

__all__ = ["factor_set", "write"]

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


@pytest.fixture
def proposed(organization, factor_set, write):
    """Two sources that name the same account, with the same use on the same day."""
    sources = [write(call(number, account="org-1"), source=name) for number, name in enumerate(("gateway", "export"))]
    accounting.derive_dirty_days(organization.id)
    return sources


def test_a_proposed_link_is_one_click_and_shows_what_it_displaces(committed_db, sign_in, organization, proposed):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    (entry,) = client.get("/quality/units/").context["suggested"]

    page = client.post("/quality/units/proposed/", {"proposed": entry["key"]}, follow=True)

    effect = entry["effect"]
    assert effect.displaced_kg_co2e == pytest.approx(effect.before_kg_co2e / 2, rel=1e-9)
    assert effect.displaced_kg_co2e > 0
    assert page.context["suggested"] == []
    links = coverage_of(organization.id).links
    assert {(each["source"], each["account"], each["unit"]) for each in links} == {
        ("gateway", "org-1", "org-1"),
        ("export", "org-1", "org-1"),
    }
    assert "Both name the account org-1." in page.content.decode()
    with organization_scope(organization.id):
        events = list(AuditEvent.objects.filter(action="link_source").values_list("reason", flat=True))
    assert events == ["Both name the account org-1."] * 2


def test_one_of_two_is_marked_independent_with_a_reason(committed_db, sign_in, organization, proposed):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    (entry,) = client.get("/quality/units/").context["suggested"]
    given = {"proposed": entry["key"], "independent": proposed[0]}

    client.post("/quality/units/proposed/", given)
    unsaid = coverage_of(organization.id).links
    page = client.post("/quality/units/proposed/", given | {"reason": "its own traffic"}, follow=True)
    again = client.post("/quality/units/proposed/", given | {"reason": "twice"}, follow=True)

    assert unsaid == []
    assert page.context["suggested"] == []
    (linked,) = coverage_of(organization.id).links
    assert (linked["source"], linked["unit"], linked["reason"]) == ("gateway", None, "its own traffic")
    assert "settled already" in again.content.decode()


@pytest.mark.parametrize(
    ("model", "says"), [("gpt-4o", "output tokens"), ("gpt-4o-mini", "no common measure, so both count")]
)
def test_two_bills_of_one_unit_stand_side_by_side(sign_in, organization, factor_set, write, model, says):
    bills = [
        write(call(number, model=name, requests=None, input_tokens=None, snapshot="2026-07"), source=source)
        for number, (source, name) in enumerate((("cur", "gpt-4o"), ("focus", model)))
    ]
    unit = accounting.set_coverage_unit(organization_id=organization.id, name="Account")
    for each in bills:
        accounting.link_source(organization_id=organization.id, source_id=each, unit_id=unit.id)
    accounting.derive_dirty_days(organization.id)

    page = sign_in(Role.SUSTAINABILITY_LEAD).get("/quality/units/?period=2026-07").content.decode()

    assert "Sources of one kind of evidence" in page
    assert says in page


def test_a_statement_without_a_link_stands_beside(sign_in, organization, factor_set, write):
    said = {"evidence": "stated", "reported_kg_co2e": 3.0, "reported_basis": "location", "account": "123"}
    nothing = dict.fromkeys(("requests", "input_tokens", "output_tokens", "model"))
    write(
        *(
            call(number, **nothing, **said, labels={"classification": name})
            for number, name in enumerate(("ai", "outside"))
        ),
        source="aws-statement",
    )
    accounting.derive_dirty_days(organization.id)

    page = sign_in(Role.SUSTAINABILITY_LEAD).get("/quality/units/?period=2026-07").content.decode()

    assert "Statements linked to nothing" in page
    table = page.split('id="statements"')[1].split("</table>")[0]
    cells = re.findall(r"nowrap\">([0-9.]+)[^0-9]*kg<", table)
    assert [float(each) for each in cells] == [6, 3, 3]  # all of it, of AI, of all else


def test_what_a_source_counts_beside_its_statement_is_warned_of(sign_in, organization, factor_set, write):
    stated = {"evidence": "stated", "reported_kg_co2e": 5.0, "reported_basis": "location", "account": "stated-7"}
    write(call(1, **stated), call(2, output_tokens=5_000_000, account="used-8"))
    write(call(3), source="another")
    accounting.derive_dirty_days(organization.id)

    page = sign_in(Role.SUSTAINABILITY_LEAD).get("/quality/units/?period=2026").content.decode()
    unlinked = page.split('id="unlinked"')[1].split("</section>")[0]

    assert "used-8" in unlinked
    assert "stated-7" not in unlinked


@pytest.mark.parametrize("language", ["en", "de"])
def test_an_account_that_was_seen_is_expected_from_its_first_day_in_any_language(
    sign_in, organization, factor_set, write, language
):
    write(call(1, account="12345"))
    accounting.derive_dirty_days(organization.id)
    client = sign_in(Role.SUSTAINABILITY_LEAD)

    page = client.get("/quality/completeness/?period=2026", headers={"accept-language": language}).content.decode()

    assert re.search(r'name="since"\s+value="2026-\d\d-\d\d"', page)
