"""Sites and their register by form and file, as those who may and those who may not."""

from __future__ import annotations

from datetime import date
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from core.accounting import services as accounting
from core.accounting.services import ensure_current_view
from core.catalog.entries import template_csv
from core.catalog.selectors import all_entries, site_of, standing_entries
from core.factors.pack import load_pack
from core.factors.services import load_factor_set
from core.organizations import services
from core.organizations.models import Person, Role
from core.organizations.tenancy import organization_scope

pytestmark = pytest.mark.django_db
READING = {"kind": "meter_reading", "date": "2026-07", "facility_kwh": "120000", "it_kwh": "100000", "source": "meters"}
SITE = {
    "slug": "berlin",
    "name": "Berlin hall",
    "country": "DE",
    "zone": "DE",
    "kind": "owned",
    "operational_control": "on",
    "financial_control": "on",
}


@pytest.fixture
def sign_in(client, organization):
    def enter(role):
        who = Person.objects.create_user(f"{role}@example.org")
        services.add_member(organization_id=organization.id, person=who, role=role)
        client.force_login(who)
        return client

    return enter


@pytest.fixture
def lead(sign_in):
    return sign_in(Role.SUSTAINABILITY_LEAD)


@pytest.fixture
def berlin(organization):
    return accounting.add_site(
        organization_id=organization.id, slug="berlin", name="Berlin hall", country="DE", zone="DE"
    )


@pytest.fixture
def factor_view(organization):
    """A view of the shipped factors, as an organization has from its first record on."""
    load_factor_set(load_pack())
    return ensure_current_view(organization.id)


def page(answer, status=200):
    assert answer.status_code == status
    return unescape(answer.content.decode())


def standing(organization):
    with organization_scope(organization.id):
        return list(standing_entries(organization.id))


def test_a_site_is_added_and_its_first_reading_shows(lead, organization):
    assert lead.post("/settings/sites/", SITE)["Location"] == "/settings/sites/berlin/"

    assert lead.post("/settings/sites/berlin/", READING).status_code == 302

    text = page(lead.get("/settings/sites/berlin/"))
    assert "120,000" in text
    assert "1.200" in text  # PUE
    assert "Berlin hall" in page(lead.get("/settings/sites/"))


def test_a_site_that_cannot_be_says_why_beside_the_field(lead):
    text = page(lead.post("/settings/sites/", {**SITE, "zone": "ATLANTIS"}), 400)

    assert "no grid zone" in text
    assert 'value="ATLANTIS"' in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"country": "Germany"}, "Two letters of ISO 3166-1, such as DE."),
        ({"slug": "Berlin hall 1"}, "Small letters, digits and hyphens, such as fra-1."),
    ],
)
def test_what_a_site_is_called_is_refused_in_words_of_its_form(lead, change, says):
    text = page(lead.post("/settings/sites/", {**SITE, **change}), 400)

    assert f'<p class="error" id="id_{next(iter(change))}-error">{says}' in text


def test_the_site_s_control_is_changed(lead, organization, berlin):
    given = {name: value for name, value in SITE.items() if name != "operational_control"}

    assert lead.post("/settings/sites/berlin/", given).status_code == 302

    with organization_scope(organization.id):
        assert site_of(organization.id, "berlin").operational_control is False


def test_what_is_wrong_with_an_entry_stands_beside_its_field(lead, organization, berlin):
    text = page(lead.post("/settings/sites/berlin/", {**READING, "it_kwh": "130000"}), 400)

    assert "PUE below 1" in text
    assert standing(organization) == []


def test_a_scope_1_entry_shows_what_it_weighs(lead, organization, berlin, factor_view):
    lead.post(
        "/settings/sites/berlin/",
        {"kind": "fuel", "date": "2026-07-14", "fuel": "diesel", "fuel_l": "400", "source": "invoice"},
    )

    assert "1,065" in page(lead.get("/settings/sites/berlin/"))  # 400 L x 2.66155 kg


def test_an_entry_is_corrected_and_another_withdrawn(lead, organization, berlin):
    lead.post("/settings/sites/berlin/", READING)
    (first,) = standing(organization)

    form = page(lead.get("/settings/sites/berlin/", {"correct": first.id}))
    assert f"Correct entry {first.id}" in form
    assert 'value="120000"' in form
    lead.post("/settings/sites/berlin/", {**READING, "facility_kwh": "130000", "replaces": first.id})
    (second,) = standing(organization)
    assert second.replaces_id == first.id

    lead.post("/settings/sites/berlin/", {"kind": "withdrawal", "replaces": second.id, "source": "wrong hall"})
    assert standing(organization) == []
    with organization_scope(organization.id):
        assert all_entries(organization.id).count() == 3


def test_a_second_reading_of_a_month_leads_to_the_change_of_the_first(lead, organization, berlin):
    lead.post("/settings/sites/berlin/", READING)
    (first,) = standing(organization)

    text = page(lead.post("/settings/sites/berlin/", READING), 400)

    assert f'Entry {first.id} holds this month already: <a href="?correct={first.id}#entry">change it</a>.' in text
    assert "replaces." not in text
    assert "Or withdraw it" in page(lead.get("/settings/sites/berlin/", {"correct": first.id}))


def test_a_file_is_shown_first_and_then_added(lead, organization, berlin):
    file = SimpleUploadedFile("register.csv", template_csv().encode(), "text/csv")

    text = page(lead.post("/settings/register/upload/", {"file": file}))
    assert "8 entries, without a fault" in text
    assert standing(organization) == []

    assert lead.post("/settings/register/upload/", {"content": template_csv()}).status_code == 302
    assert len(standing(organization)) == 8


def test_every_fault_of_a_file_is_shown(lead, organization, berlin):
    text = "site,kind,date,source,water_l\natlantis,water,2026-07,bill,5\nberlin,water,2099-01,bill,-5\n"

    answer = page(lead.post("/settings/register/upload/", {"file": SimpleUploadedFile("r.csv", text.encode())}), 400)

    assert "Nothing was written" in answer
    assert "There is no site 'atlantis'" in answer
    assert "lies in the future" in answer
    assert "a quantity is 0 or more" in answer


def test_a_file_that_is_no_table_is_refused(lead, berlin):
    answer = lead.post("/settings/register/upload/", {"file": SimpleUploadedFile("r.csv", b"\xff\xfe\x00")})

    assert "not UTF-8" in page(answer, 400)


def test_the_template_is_a_file(lead):
    answer = lead.get("/settings/register/template.csv")

    assert answer["Content-Type"].startswith("text/csv")
    assert answer.content.decode() == template_csv()


def test_an_auditor_reads_and_a_member_does_not(sign_in, organization, berlin):
    text = page(sign_in(Role.AUDITOR).get("/settings/sites/berlin/"))
    assert "Add an entry" not in text

    member = sign_in(Role.MEMBER)
    assert member.get("/settings/sites/").status_code == 403
    assert member.post("/settings/sites/berlin/", READING).status_code == 403


def test_another_organization_s_site_is_not_there(lead, other_organization):
    accounting.add_site(organization_id=other_organization.id, slug="paris", name="Theirs", country="FR", zone="FR")

    assert lead.get("/settings/sites/paris/").status_code == 404
    assert lead.post("/settings/sites/paris/", READING).status_code == 404


def test_years_are_chosen_and_unknown_kinds_refused(lead, organization, berlin):
    rows = [{**READING, "site": "berlin", "date": month} for month in ("2025-12", "2026-01")]
    accounting.add_register_entries(organization_id=organization.id, rows=rows, today=date(2026, 11, 25))

    assert "Dec 2025" in page(lead.get("/settings/sites/berlin/", {"year": "2025"}))
    assert "Jan 2026" in page(lead.get("/settings/sites/berlin/", {"year": "1066"}))
    assert lead.post("/settings/sites/berlin/", {"kind": "guess"}).status_code == 400
