"""Own factors: entered, ended and taken back by those who may; refusals stand beside the field."""

from __future__ import annotations

import pytest

from core.accounting import services as accounting
from core.accounting.services import add_site
from core.factors.models import OwnFactor
from core.organizations import services
from core.organizations.models import Person, Role
from core.organizations.tenancy import organization_scope
from core.quantification.overrides import UNITS
from core.quantification.own_factors import SELECTORS
from reporting.pages.own_factors import NAMES, WHERE

pytestmark = pytest.mark.django_db

ENTERED = {
    "name": "pue",
    "value": "1.21",
    "low": "1.19",
    "high": "1.24",
    "source": "Meters of hall 3",
    "first_day": "2026-07-01",
    "where_site": "berlin",
}


@pytest.fixture
def sign_in(client, organization):
    def enter(role):
        who = Person.objects.create_user(f"{role}@example.org")
        services.add_member(organization_id=organization.id, person=who, role=role)
        client.force_login(who)
        return client

    return enter


def all_factors(organization):
    with organization_scope(organization.id):
        return list(OwnFactor.objects.filter(organization_id=organization.id).values())


def test_a_factor_is_entered_and_listed(sign_in, organization):
    client = sign_in(Role.SUSTAINABILITY_LEAD)

    page = client.post("/factors/own/", ENTERED, follow=True).content.decode()

    (factor,) = all_factors(organization)
    assert (factor["value"], factor["low"], factor["high"]) == (1.21, 1.19, 1.24)
    assert factor["where"] == {"site": "berlin"}
    assert "Meters of hall 3" in page
    assert "Site: berlin" in page
    assert "1.19–1.24" in page


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"value": "0.8", "low": "", "high": ""}, "</a>: 0.8 is not at least 1"),
        ({"high": ""}, "both ends"),
        ({"source": ""}, "This field is required"),
        ({"last_day": "2026-06-01"}, "end after it starts"),
    ],
)
def test_refusal_stands_beside_the_field_and_keeps_what_was_typed(sign_in, organization, change, says):
    answer = sign_in(Role.SUSTAINABILITY_LEAD).post("/factors/own/", {**ENTERED, **change})

    assert answer.status_code == 400
    assert says in answer.content.decode()
    assert 'value="berlin"' in answer.content.decode()
    assert all_factors(organization) == []


def test_a_factor_is_ended_by_its_last_day_or_taken_back_with_a_reason(sign_in, organization):
    client = sign_in(Role.SUSTAINABILITY_LEAD)
    client.post("/factors/own/", ENTERED)
    (factor,) = all_factors(organization)
    address = f"/factors/own/{factor['id']}/"

    nothing = client.post(address, {}, follow=True).content.decode()
    client.post(address, {"last_day": "2026-07-31"})
    ended = client.get("/factors/own/").content.decode()
    client.post(address, {"reason": "of another hall"})

    assert "or the reason" in nothing
    assert "31 Jul 2026" in ended
    assert all_factors(organization) == []


def test_who_may_not_manage_factors_reads_them(sign_in, organization):
    accounting.add_own_factor(organization_id=organization.id, name="pue", value=1.3, source="Meters")
    client = sign_in(Role.AUDITOR)

    page = client.get("/factors/own/").content.decode()

    assert "1.3" in page
    assert "Enter a factor" not in page
    assert client.post("/factors/own/", ENTERED).status_code == 403


def test_every_override_and_condition_has_words():
    assert set(NAMES) == set(UNITS)
    assert set(WHERE) == set(SELECTORS)


def test_known_sites_are_suggested_and_rare_conditions_folded_away(sign_in, organization):
    add_site(organization_id=organization.id, slug="fra-1", name="Frankfurt", country="DE", zone="DE")
    client = sign_in(Role.SUSTAINABILITY_LEAD)

    page = client.get("/factors/own/").content.decode()
    refused = client.post("/factors/own/", {**ENTERED, "source": "", "where_region": "eu-west-1"}).content.decode()

    assert '<datalist id="id_where_site-names"><option value="fra-1"></option></datalist>' in page
    assert page.index('id="id_where_site"') < page.index("<details>") < page.index('id="id_where_region"')
    assert "<details open>" in refused
