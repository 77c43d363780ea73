"""The electricity page and the ledger behind it, through the HTTP client."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from core.accounting.services import derive_dirty_days
from core.factors.models import ContractualInstrument, InstrumentEvent
from core.organizations.models import Person, Role
from core.organizations.services import add_member, create_team, issue_token
from core.organizations.tenancy import organization_scope
from tests.deliver import deliver, metered

pytestmark = pytest.mark.usefixtures("committed_db")

LIST = "/factors/instruments/"
YEAR = datetime.now(UTC).year - 1  # complete, and never in the future
FORM = {
    "type": "certificate",
    "kind": "GO",
    "energy_kwh": "400",
    "intensity_g_per_kwh": "0",
    "market": "AIB",
    "vintage": str(YEAR),
    "carbon_free": "yes",
    "technology": "wind",
    "retired_on": f"{YEAR}-12-31",
    "registry": "UBA",
    "serial_first": "GO-1",
}


@pytest.fixture
def lead(organization):
    return member(organization, Role.SUSTAINABILITY_LEAD)


def member(organization, role, **fields) -> Client:
    person = Person.objects.create_user(f"{role}@example.org", "correct horse battery")
    add_member(organization_id=organization.id, person=person, role=role, **fields)
    client = Client()
    client.force_login(person)
    return client


@pytest.fixture
def consumed(organization):
    """1,000 kWh in Germany, of which 250 in a site of their own."""
    about = {"started_at": f"{YEAR}-07-15T10:00:00Z", "ended_at": f"{YEAR}-07-15T11:00:00Z"}
    deliver(
        organization,
        [metered("a", 750.0, **about, team="Search"), metered("b", 250.0, **about, site="hall", team="Lab")],
    )


def enter(client, **changed):
    return client.post(LIST + "add/", FORM | changed)


def test_an_instrument_is_entered_and_shown_with_its_use(organization, lead, consumed):
    answer = enter(lead)
    derive_dirty_days(organization.id)

    assert answer.status_code == 302
    page = lead.get(LIST, {"year": YEAR})
    total = page.context["found"].total
    assert (total.consumption_kwh, total.covered_kwh) == (1000, 400)
    assert total.market_kg == pytest.approx(total.location_kg * 0.6)  # 600 of 1,000 kWh keep the grid's factor
    (row,) = page.context["positions"]
    assert (row["state"], row["reasons"]) == ("used", "")
    one = lead.get(answer["Location"]).content.decode()
    assert "GO-1" in one


def test_the_page_takes_few_queries_however_many_vintages_there_are(
    organization, lead, consumed, django_assert_max_num_queries
):
    enter(lead)
    for year in range(YEAR - 8, YEAR):
        enter(lead, type="contract", vintage=str(year), retired_on="", registry="", serial_first="")
    derive_dirty_days(organization.id)

    with django_assert_max_num_queries(30):
        page = lead.get(LIST, {"year": YEAR})

    assert [row["reasons"] for row in page.context["positions"]] == [
        "",
        *["nothing consumed in the year of its vintage"] * 8,
    ]


def test_what_is_wrong_stands_beside_its_field(organization, lead):
    answer = enter(lead, energy_kwh="-1", market="Atlantis")

    assert answer.status_code == 400
    assert set(answer.context["form"].errors) == {"energy_kwh", "market"}
    with organization_scope(organization.id):
        assert not ContractualInstrument.objects.exists()


def test_a_file_is_entered_whole_or_not_at_all(organization, lead):
    header = "type,kind,energy_kwh,intensity_g_per_kwh,market,vintage\n"
    good, bad = f"contract,PPA,10,0,DE,{YEAR}\n", f"contract,PPA,0,-4,DE,{YEAR}\n"

    refused = lead.post(LIST + "import/", {"many-file": SimpleUploadedFile("a.csv", (header + good + bad).encode())})
    with organization_scope(organization.id):
        assert not ContractualInstrument.objects.exists()
    taken = lead.post(LIST + "import/", {"many-file": SimpleUploadedFile("a.csv", (header + good + good).encode())})

    assert refused.status_code == 400
    assert [(fault.row, fault.field) for fault in refused.context["faults"]] == [
        (2, "energy_kwh"),
        (2, "intensity_g_per_kwh"),
    ]
    assert taken.status_code == 302
    with organization_scope(organization.id):
        assert ContractualInstrument.objects.count() == 2


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b"colour\ngreen\n", b"type,kind\na,b,c\n", b""])
def test_a_file_that_is_none_is_refused(lead, content):
    answer = lead.post(LIST + "import/", {"many-file": SimpleUploadedFile("a.csv", content)})

    assert answer.status_code == 400
    assert answer.context["file_form"].errors


def test_the_template_can_be_imported_as_it_is(organization, lead, consumed):
    template = lead.get(LIST + "template.csv")

    answer = lead.post(LIST + "import/", {"many-file": SimpleUploadedFile("t.csv", template.content)})

    assert answer.status_code == 302, answer.context["faults"]


def test_an_instrument_lives_through_retirement_hours_correction_and_withdrawal(organization, lead, consumed):
    kept = dict.fromkeys(("retired_on", "registry", "serial_first"), "")
    address = enter(lead, **kept)["Location"]
    assert lead.get(LIST, {"year": YEAR}).context["positions"][0]["reasons"] == "not retired"

    bad = lead.post(address + "retire/", {"retired_on": f"{YEAR}-12-31", "registry": "UBA", "serial_first": "none"})
    retired = lead.post(address + "retire/", {"retired_on": f"{YEAR}-12-31", "registry": "UBA", "serial_first": "7"})
    content = f"hour,energy_kwh\n{YEAR}-07-15T10:00:00Z,400\n".encode()
    timed = lead.post(address + "hours/", {"file": SimpleUploadedFile("h.csv", content)})
    again = lead.post(address + "hours/", {"file": SimpleUploadedFile("h.csv", content)})
    number = address.rstrip("/").rpartition("/")[2]
    form = lead.get(LIST + "add/", {"corrects": number}).context["form"].initial
    corrected = lead.post(
        f"{LIST}add/?corrects={number}", {**{k: v for k, v in form.items() if v is not None}, "energy_kwh": "300"}
    )
    withdrawn = lead.post(corrected["Location"] + "withdraw/", {"reason": "sold on"})

    assert (bad.status_code, retired.status_code, timed.status_code, again.status_code) == (400, 302, 302, 400)
    assert (corrected.status_code, withdrawn.status_code) == (302, 302)
    derive_dirty_days(organization.id)
    page = lead.get(LIST, {"year": YEAR})
    assert [row["state"] for row in page.context["positions"]] == ["withdrawn", "withdrawn"]
    assert page.context["found"].total.covered_kwh == 0
    assert "sold on" in lead.get(corrected["Location"]).content.decode()
    with organization_scope(organization.id):
        assert InstrumentEvent.objects.count() == 4


def test_the_hourly_card_shows_where_hours_are(organization, lead, consumed):
    address = enter(lead)["Location"]
    content = f"hour,energy_kwh\n{YEAR}-07-15T10:00:00Z,400\n".encode()
    lead.post(address + "hours/", {"file": SimpleUploadedFile("h.csv", content)})
    derive_dirty_days(organization.id)

    page = lead.get(LIST, {"year": YEAR, "hours": f"{YEAR}-07"})

    (row,) = page.context["matches"]["rows"]
    assert (row["score"], row["load"]) == (pytest.approx(0.4), pytest.approx(1000))
    assert lead.get(LIST, {"year": YEAR, "hours": "nonsense"}).status_code == 200


def test_own_markets_are_set_and_refused_kindly(organization, lead):
    assert lead.post(LIST + "markets/", {"markets": "Alps = CH, AT\n"}).status_code == 302
    assert ("Alps", "CH, AT") in lead.get(LIST).context["own_markets"]

    refused = lead.post(LIST + "markets/", {"markets": "Alps = CH\nRhine = CH\n"})

    assert refused.status_code == 400
    assert "two markets" in refused.content.decode()


def test_those_who_may_only_look_see_no_forms(organization, consumed):
    auditor = member(organization, Role.AUDITOR)

    page = auditor.get(LIST).content.decode()

    assert "Add an instrument" not in page
    assert "Set the markets" not in page
    assert member(organization, Role.MEMBER).get(LIST).status_code == 403


def test_a_team_too_small_to_be_shown_is_in_its_market_only(organization, lead, consumed):
    for name, people in (("Search", 12), ("Lab", 2)):
        create_team(organization_id=organization.id, name=name, head_count=people)
    enter(lead, pool="team:Lab")
    derive_dirty_days(organization.id)

    page = lead.get(LIST, {"year": YEAR})

    assert page.context["found"].pools == []
    assert [(row["used"], row["state"]) for row in page.context["positions"]] == [("-", "counts")]


def test_the_tree_of_a_market_figure_names_the_instruments(organization, lead, consumed):
    enter(lead)
    derive_dirty_days(organization.id)

    page = lead.get("/explain/", {"period": YEAR, "basis": "market", "impact": "market_kg_co2e"})

    (covered, rest) = page.context["instruments"]
    assert (covered["label"], covered["share"]) == ("GO, wind", pytest.approx(0.4))
    assert rest["share"] == pytest.approx(0.6)
    assert rest["label"].startswith("not covered: European Environment Agency")
    assert "Instruments in the market factor" in page.content.decode()


# --- API --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def token(organization):
    def issue(scope, **narrowed):
        _, secret = issue_token(organization_id=organization.id, name=scope, scopes=[scope], **narrowed)
        return {"headers": {"Authorization": f"Bearer {secret}"}}

    return issue


API = "/api/v1/instruments"


def test_the_api_enters_and_lists(organization, consumed, token):
    entered = Client().post(API, [{**FORM, "energy_kwh": 400}], content_type="application/json", **token("admin"))
    derive_dirty_days(organization.id)
    listed = Client().get(API, {"year": YEAR}, **token("read")).json()

    assert entered.status_code == 201
    (row,) = listed["rows"]
    assert ([row["id"]], row["state"], row["used_kwh"], row["left_kwh"]) == (entered.json()["ids"], "used", 400, 0)
    (market,) = listed["markets"]
    assert (market["market"], market["covered_kwh"], market["uncovered_kwh"]) == ("AIB", 400, 600)
    assert (
        Client().get(API, headers=token("read")["headers"] | {"Accept": "text/csv"}).content.startswith(b"id,type,kind")
    )


def test_the_api_takes_csv_and_hours(organization, token):
    admin = token("admin")
    body = "type,kind,energy_kwh,intensity_g_per_kwh,market,vintage\n" + f"contract,PPA,10,0,DE,{YEAR}\n"
    by_csv = Client().post(API, body, content_type="text/csv", **admin)
    hours = [{"hour": f"{YEAR}-07-15T10:00:00Z", "energy_kwh": 5}]
    by_json = Client().post(API, {**FORM, "hours": hours}, content_type="application/json", **admin)

    assert (by_csv.status_code, by_json.status_code) == (201, 201)
    rows = {row["id"]: row["has_hours"] for row in Client().get(API, **admin).json()["rows"]}
    assert rows[by_json.json()["ids"][0]]


@pytest.mark.parametrize(
    ("body", "faults"),
    [
        ([{**FORM, "energy_kwh": 0}, FORM], [(1, "energy_kwh")]),
        ([FORM, FORM], [(2, "serial_first")]),
        ([{**FORM, "hours": [{"hour": "noon", "energy_kwh": 1}]}], [(1, "hours")]),
        ([{**FORM, "energy_kwh": None}], [(1, "energy_kwh")]),
        ([{**FORM, "energy_kwh": {"kwh": 1}}], [(1, "energy_kwh")]),
    ],
)
def test_the_api_refuses_all_with_every_fault(organization, token, body, faults):
    answer = Client().post(API, body, content_type="application/json", **token("admin"))

    assert answer.status_code == 400
    assert [(fault["row"], fault["field"]) for fault in answer.json()["faults"]] == faults
    with organization_scope(organization.id):
        assert not ContractualInstrument.objects.exists()


@pytest.mark.parametrize("body", ["[]", "[1]", "{}", "7", '[{"hours": 3}]', "no JSON"])
def test_a_body_that_is_no_list_of_instruments_is_refused(token, body):
    answer = Client().post(API, body, content_type="application/json", **token("admin"))

    assert answer.status_code == 400
    assert answer["Content-Type"] == "application/problem+json"


def test_a_token_of_a_team_sees_no_instruments(token):
    assert Client().get(API, **token("read", team="Search")).status_code == 403
    assert Client().get(API, {"year": "MMXX"}, **token("read")).status_code == 400
    assert Client().post(API, "[]", content_type="application/json", **token("read")).status_code == 403


def test_the_address_of_the_file_leads_to_the_form(lead):
    assert lead.get("/factors/instruments/import/")["Location"] == "/factors/instruments/add/"
