"""What an organization without figures is shown, by role, and what is worth doing once there are some."""

import re
from datetime import date

import pytest

from core.organizations import services
from core.organizations.models import AuditEvent, Person
from core.organizations.tenancy import organization_scope
from reporting.services.limits import set_limit
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]


def sign_in(client, organization, role):
    person = Person.objects.create_user(f"{role}@example.org", "correct horse battery")
    services.add_member(organization_id=organization.id, person=person, role=role)
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_who_may_add_sources_chooses_between_three_ways(client, organization):
    page = sign_in(client, organization, "sustainability_lead").get("/").content.decode()

    for address in ("/sources/add/", "/sources/import/", "/sources/months/"):
        assert f'<a href="{address}"><strong>' in page
    assert "Just show me" not in page  # no demo of theirs
    assert "Location-based</" not in page  # nothing to filter yet


@pytest.mark.parametrize(("role", "tokens"), [("auditor", False), ("procurement", False), ("member", True)])
def test_who_may_not_is_told_who_may(client, organization, role, tokens):
    answer = sign_in(client, organization, role).get("/")

    assert "Something that sends by itself" not in text_of(answer)
    assert ("sustainability lead) adds the first one" in text_of(answer)) is not tokens
    assert ("OTEL_EXPORTER_OTLP_ENDPOINT" in text_of(answer)) is tokens


def test_rows_that_could_not_be_read_are_no_silence(client, organization):
    deliver(organization, [metered("bad", -5.0)])

    page = text_of(sign_in(client, organization, "owner").get("/"))

    assert "1 row has arrived and could not be read: see why." in page


def test_a_member_of_the_demo_can_look_at_it(client, organization):
    lead = sign_in(client, organization, "owner")
    demo = services.create_organization(slug="demo", name="Demo", demo=True)
    person = Person.objects.get(email="owner@example.org")
    services.add_member(organization_id=demo.id, person=person, role="auditor")

    page = lead.get("/?org=northwind").content.decode()

    assert '<a href="/?org=demo"><strong>' in page


def test_steps_are_ticked_as_they_are_done_and_go_when_all_are(client, organization):
    deliver(organization, [metered("a", 1.0)])
    owner = sign_in(client, organization, "owner")

    def done():
        return re.findall(r'<li class="done">\s*<div>\s*([A-Z][^<]*?)\s*<', owner.get("/").content.decode())

    assert "Next steps" in text_of(owner.get("/"))
    assert done() == []
    set_limit(organization_id=organization.id, name="t", limit_kg_co2e_per_year=1.0, starts_on=date(2026, 1, 1))
    deliver(organization, [metered("b", 1.0)], source="second")
    assert done() == ["Add a second source", "Set a target"]
    colleague = Person.objects.create_user("bob@example.org", "correct horse battery")
    services.add_member(organization_id=organization.id, person=colleague, role="admin")

    assert "Next steps" not in text_of(owner.get("/"))


def test_a_single_reviewer_is_declared_and_written_down(client, organization):
    deliver(organization, [metered("a", 1.0)])
    owner = sign_in(client, organization, "owner")

    owner.post("/next-steps/only-reviewer/")

    organization.refresh_from_db()
    with organization_scope(organization.id):
        event = AuditEvent.objects.filter(action="declare_single_reviewer").get()
    assert organization.single_reviewer is True
    assert (event.before, event.after) == ({"single_reviewer": False}, {"single_reviewer": True})


def test_a_second_approver_ends_the_declaration_and_none_is_taken_after(client, organization):
    deliver(organization, [metered("a", 1.0)])
    owner = sign_in(client, organization, "owner")
    owner.post("/next-steps/only-reviewer/")
    owner.post("/next-steps/only-reviewer/", {"declared": "no"})
    organization.refresh_from_db()
    ended = organization.single_reviewer
    owner.post("/next-steps/only-reviewer/")
    auditor, lead = (Person.objects.create_user(f"{name}@example.org") for name in ("ada", "bob"))
    services.add_member(organization_id=organization.id, person=auditor, role="auditor")
    organization.refresh_from_db()
    still = organization.single_reviewer

    services.add_member(organization_id=organization.id, person=lead, role="sustainability_lead")
    organization.refresh_from_db()
    with_two = organization.single_reviewer
    answer = owner.post("/next-steps/only-reviewer/", follow=True)

    assert (ended, still, with_two) == (False, True, False)
    assert "one prepares, another approves" in text_of(answer)
    organization.refresh_from_db()
    assert organization.single_reviewer is False


def test_dismissed_steps_stay_away_and_others_never_see_them(client, organization):
    deliver(organization, [metered("a", 1.0)])
    owner = sign_in(client, organization, "owner")
    assert owner.post("/next-steps/dismiss/").status_code == 302
    after = text_of(owner.get("/"))
    auditor = text_of(sign_in(client, organization, "auditor").get("/"))

    assert "Next steps" not in after
    assert "Next steps" not in auditor
