"""Saved filters by person and organization, and short links, also as of now."""

import re

import pytest

from core.accounting.services import views as view_services
from core.accounting.services.build import build_view
from core.organizations import services
from core.organizations.models import AuditEvent, Person
from core.organizations.tenancy import organization_scope
from reporting.models import SavedFilter, ShortLink
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

FILTERS = {"period": "2026-Q3", "team": "search", "include": "none"}


@pytest.fixture
def sign_in(client, organization):
    def enter(role, of=organization):
        person, _created = Person.objects.get_or_create(email=f"{role}@{of.slug}.example")
        if _created:
            services.add_member(organization_id=of.id, person=person, role=role)
        client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
        return client

    return enter


@pytest.fixture
def activity(organization):
    """1,000 kWh in July in Germany, at 329.0 g/kWh (EEA, 2023): 329 kg."""
    return deliver(organization, [metered("a", 1000.0, team="search"), metered("b", 500.0, team="vision")])


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())).replace("\u202f", " ")


def linked(client, **fields):
    """Make a short link and return its path."""
    response = client.post("/filters/link/", FILTERS | {"at": "/teams/"} | fields, follow=True)
    return re.search(r'value="http://testserver(/v/[\w-]+/)"', response.content.decode())[1]


def test_filters_are_saved_under_a_name_and_lead_to_the_page(sign_in, organization, activity):
    lead = sign_in("sustainability_lead")

    answer = lead.post("/filters/save/", FILTERS | {"name": "  Search,  Q3 ", "at": "/teams/"})
    listed = lead.get("/filters/saved/", {"at": "/teams/"}).content.decode()

    assert answer["Location"] == "/teams/?include=none&period=2026-Q3&team=search"
    assert 'href="/teams/?include=none&amp;period=2026-Q3&amp;team=search">Search, Q3' in listed
    with organization_scope(organization.id):
        event = AuditEvent.objects.get(action="save_filter")
    assert event.after["name"] == "Search, Q3"


def test_a_name_is_taken_once_by_each_person(sign_in, organization, activity):
    lead = sign_in("sustainability_lead")
    lead.post("/filters/save/", FILTERS | {"name": "Mine", "at": "/teams/"})

    again = lead.post("/filters/save/", FILTERS | {"name": "Mine", "at": "/models/"}, follow=True)
    sign_in("member").post("/filters/save/", FILTERS | {"name": "Mine", "at": "/teams/"})

    assert "already" in text_of(again)
    with organization_scope(organization.id):
        assert SavedFilter.objects.count() == 2


def test_only_leads_share_and_everybody_sees_what_is_shared(sign_in, organization, activity):
    sign_in("member").post("/filters/save/", FILTERS | {"name": "Sly", "at": "/", "everybody": "1"})
    lead = sign_in("sustainability_lead")
    lead.post("/filters/save/", FILTERS | {"name": "Board", "at": "/", "everybody": "1"})
    seen_by_lead = text_of(lead.get("/filters/saved/"))
    member = sign_in("member")
    seen_by_member = text_of(member.get("/filters/saved/"))
    with organization_scope(organization.id):
        shared = SavedFilter.objects.get(name="Board")

    refused = member.post(f"/filters/saved/{shared.id}/remove/", {"at": "/"})
    removed = sign_in("sustainability_lead").post(f"/filters/saved/{shared.id}/remove/", {"at": "/"})

    assert "Board everybody’s" in seen_by_lead
    assert "Sly" not in seen_by_lead
    assert "Board everybody’s" in seen_by_member
    assert (refused.status_code, removed.status_code) == (404, 302)
    with organization_scope(organization.id):
        assert [one.name for one in SavedFilter.objects.all()] == ["Sly"]


def test_nothing_of_another_organization_is_listed_or_followed(sign_in, organization, other_organization, activity):
    path = linked(sign_in("sustainability_lead"))
    sign_in("sustainability_lead").post("/filters/save/", FILTERS | {"name": "Board", "at": "/", "everybody": "1"})
    theirs = sign_in("owner", of=other_organization)

    assert theirs.get(path).status_code == 404
    assert "Board" not in text_of(theirs.get("/filters/saved/"))
    page = theirs.get("/teams/", {"as_of": path.split("/")[2]})
    assert "There is no stored view of this name for you" in text_of(page)


def test_a_short_link_leads_to_the_page_and_its_query(sign_in, activity):
    lead = sign_in("sustainability_lead")

    answer = lead.get(linked(lead))

    assert answer["Location"] == "/teams/?include=none&period=2026-Q3&team=search"


def test_as_of_reads_the_stored_view_after_a_switch(sign_in, organization, activity):
    lead = sign_in("sustainability_lead")
    path = linked(lead, pin="1")
    with organization_scope(organization.id):
        link = ShortLink.objects.get()
    new = view_services.begin_view(organization_id=organization.id)
    build_view(organization_id=organization.id, view_id=new.id)
    view_services.switch_view(organization_id=organization.id, view_id=new.id)
    deliver(organization, [metered("late", 100.0, team="search")])  # into the view that is current now

    pinned = lead.get(path, follow=True)
    present = lead.get("/teams/", FILTERS)
    csv = lead.get("/teams/", FILTERS | {"as_of": link.key, "format": "csv"}).content.decode()

    assert link.total_kg_co2e == pytest.approx(329.0, rel=1e-6)
    assert "Figures as of" in text_of(pinned)
    assert "changed" not in text_of(pinned)
    assert float(csv.splitlines()[1].split(",")[1]) == pytest.approx(329.0, rel=1e-6)
    assert "362" in text_of(present)  # 1,100 kWh x 0.329 = 361.9
    assert f"as_of={link.key}" in pinned.content.decode()  # every link from here keeps to it


def test_as_of_says_what_late_records_have_changed(sign_in, organization, activity):
    lead = sign_in("sustainability_lead")
    path = linked(lead, pin="1")
    deliver(organization, [metered("late", 100.0, team="search")])

    page = text_of(lead.get(path, follow=True))

    assert "Records that came later have changed them: 329 kg then, 362 kg now" in page


def test_as_of_says_when_the_view_is_gone(sign_in, organization, activity):
    lead = sign_in("sustainability_lead")
    path = linked(lead, pin="1")
    new = view_services.begin_view(organization_id=organization.id)
    with organization_scope(organization.id):
        ShortLink.objects.update(view_id=new.id)  # one that was never switched to, and is then given up
    view_services.discard_view(organization_id=organization.id, view_id=new.id)

    page = lead.get(path, follow=True)

    assert page.status_code == 200
    assert "no longer kept: their view was discarded" in text_of(page)


def test_the_latest_days_are_kept_as_days(sign_in, organization, activity):
    lead = sign_in("sustainability_lead")

    link = lead.get(linked(lead, period="last-30d", pin="1"))

    assert re.search(r"from=\d{4}-\d\d-\d\d&include=none&team=search&to=\d{4}-\d\d-\d\d", link["Location"])


def test_too_many_filters_are_refused_kindly(sign_in, activity):
    lead = sign_in("sustainability_lead")

    answer = lead.post("/filters/link/", {"at": "/teams/", "team": ["x" * 90] * 50}, follow=True)

    assert answer.status_code == 200
    assert "too many filters" in text_of(answer)
