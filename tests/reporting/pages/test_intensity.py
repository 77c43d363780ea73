"""The intensity page and the page of business figures."""

from __future__ import annotations

import csv
import io
import re
from html import unescape

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from core.organizations import services
from core.organizations.models import Role
from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

QUARTER = {"period": "2026-Q3"}
PAGE, FIGURES = "/intensity/", "/intensity/denominators/"


@pytest.fixture
def lead(client, organization):
    return sign_in(client, organization, Role.SUSTAINABILITY_LEAD)


@pytest.fixture
def activity(organization):
    return deliver(
        organization,
        [
            metered("a", 100.0, team="search", model="atlas", requests=800),
            metered("b", 50.0, team="vision", model="<b>bold</b>"),
        ],
    )


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())).replace("\u202f", " ")


def figure(**fields):
    empty = {"series": "accepted_tasks", "period": "2026-Q3", "value": "1000", "narrowed_by": "", "narrowed_to": ""}
    return empty | fields


def test_the_score_is_shown_with_its_formula_and_what_is_left_out(lead, activity):
    page = text_of(lead.get(PAGE, QUARTER))

    assert "41.1 g CO 2 e" in page  # 100 kWh x 329.0 g / 800
    assert "(100 kWh × 329 g/kWh + M unknown) ÷ 800 requests = 41.1 g CO 2 e" in page
    assert "Left out of both sums: 1 records, 33 % of the known emissions" in page
    assert "No record of these stages reports requests." in page  # of the team vision
    assert "Not in it" in page


def test_the_operation_of_every_scored_row_leads_to_its_tree(lead, organization, activity):
    deliver(organization, [metered("c", 10.0, team="search")])  # without requests: left out of the score of its team
    served = metered("d", 20.0, team="lab", requests=10)
    deliver(organization, [served])

    html = lead.get(PAGE, QUARTER).content.decode()

    links = re.findall(r'href="(/explain/[^"]*impact=location_kg_co2e[^"]*)">', html)
    assert [re.search("team=([a-z]+)", link)[1] for link in links] == ["lab", "search"]
    assert "6.58 kg CO 2 e" in text_of(lead.get(unescape(links[0])))  # 20 kWh x 0.329


def test_both_scores_of_a_business_unit_stand_apart(lead, organization, activity):
    deliver(organization, [metered("made", 300.0, stage="training", team="search")])
    lead.post(FIGURES, figure())

    page = text_of(lead.get(PAGE, QUARTER | {"unit": "accepted_task"}))

    assert "49.4 g CO 2 e" in page  # 150 kWh x 329.0 g / 1,000
    assert "98.7 g CO 2 e" in page  # 300 kWh x 329.0 g / 1,000
    assert page.index("Consumer score") < page.index("Provider score")


def test_a_missing_figure_is_said_with_the_way_to_enter_it(lead, activity):
    response = lead.get(PAGE, QUARTER | {"unit": "active_user_month"})

    assert "No active users are entered for this period." in text_of(response)
    assert f'href="{FIGURES}"' in response.content.decode()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"unit": "banana"}, "There is no functional unit"),
        ({"basis": "market"}, "An SCI is location-based"),
        ({"teem": "search"}, "There is no filter"),
    ],
)
def test_what_cannot_be_honoured_is_said_and_the_page_is_shown(lead, activity, parameters, said):
    response = lead.get(PAGE, QUARTER | parameters)

    assert response.status_code == 200
    assert said in text_of(response)
    assert "41.1 g" in text_of(response)


def test_a_name_is_text(lead, activity):
    page = lead.get(PAGE, QUARTER | {"by": "model"}).content

    assert b"<b>bold" not in page
    assert b"&lt;b&gt;bold" in page


def test_the_files_hold_what_is_shown_at_full_precision(lead, activity):
    table = lead.get(PAGE, QUARTER | {"format": "csv", "tab": "team"}).content.decode()
    months = lead.get(PAGE, QUARTER | {"format": "csv", "tab": "months-consumer"}).content.decode()

    teams = {row["team"]: row for row in csv.DictReader(io.StringIO(table))}
    assert float(teams["search"]["sci_kg_co2e_per_unit"]) == pytest.approx(100 * 0.329 / 800)
    assert teams["vision"]["sci_kg_co2e_per_unit"] == ""
    assert teams["vision"]["reason"]
    rows = list(csv.DictReader(io.StringIO(months)))
    assert len(rows) == 12
    july = next(row for row in rows if row["starts_at"].startswith("2026-07-01"))
    assert float(july["total [kg CO2e per successful request]"]) == pytest.approx(100 * 0.329 / 800)


def test_an_empty_organization_is_told_what_to_do_first(lead, organization):
    page = text_of(lead.get(PAGE))

    assert "Connect a source" in page
    assert "No figure yet" in text_of(lead.get(FIGURES))


def test_a_member_sees_the_own_team_only(client, organization, activity):
    team = services.create_team(organization_id=organization.id, name="vision", head_count=9)
    member = sign_in(client, organization, Role.MEMBER, team)

    page = text_of(member.get(PAGE, QUARTER))

    assert "41.1 g" not in page
    assert "team=search" not in member.get(PAGE, QUARTER).content.decode()
    assert "Enter a figure" not in text_of(member.get(FIGURES))


def test_a_figure_is_entered_corrected_and_withdrawn_by_form(lead, organization):
    for value in ("1000", "1100"):
        assert lead.post(FIGURES, figure(value=value)).status_code == 302

    page = text_of(lead.get(FIGURES))
    assert "1,100" in page
    assert "1,000" not in page
    assert "1,000" in text_of(lead.get(FIGURES, {"replaced": "1"}))
    lead.post(FIGURES, figure(value="withdrawn"))
    assert "No figure yet" in text_of(lead.get(FIGURES))


def test_a_unit_of_their_own_is_entered_by_form_and_offered(lead, organization, activity):
    answer = lead.post(FIGURES, figure(series="own", own_series="claims", unit="claim handled", value="500"))

    page = text_of(lead.get(PAGE, QUARTER | {"unit": "claims"}))

    assert answer.status_code == 302
    assert "Per: claim handled" in page
    assert "98.7 g CO 2 e" in page  # 150 kWh x 329.0 g / 500


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"value": "many"}, "is no number"),
        ({"period": "July"}, "is no period"),
        ({"narrowed_by": "team"}, "Say which one."),
        ({"narrowed_to": "search"}, "Say whether it is a team"),
        ({"series": "revenue"}, "Revenue needs its currency"),
        ({"series": "own", "own_series": "Bad Name"}, "is no name of a series"),
        ({"series": "own", "own_series": "claims"}, "is new: say what one of it is"),
        ({"value": ""}, "This field is required"),
    ],
)
def test_a_fault_stands_beside_its_field_and_the_input_is_kept(lead, fields, said):
    response = lead.post(FIGURES, figure(source="kept", **fields))

    assert response.status_code == 400
    assert said in text_of(response)
    assert 'value="kept"' in response.content.decode()


def test_a_sheet_is_entered_whole_or_shown_with_its_faults(lead):
    def send(text):
        return lead.post(f"{FIGURES}import/", {"file": SimpleUploadedFile("figures.csv", text.encode())})

    refused = send("series,period,value\naccepted_tasks,2026-07,1\naccepted_tasks,soon,1\n")
    odd = send("nothing")
    taken = send("series,period,value\naccepted_tasks,2026-07,1\n")

    assert refused.status_code == 400
    assert "Nothing was entered: 1 fault." in text_of(refused)
    assert "is no period" in text_of(refused)
    assert odd.status_code == 400
    assert taken.status_code == 302


def test_the_address_of_the_sheet_leads_to_the_form(lead):
    assert lead.get(f"{FIGURES}import/")["Location"] == FIGURES


def test_a_figure_of_a_name_without_records_is_entered_with_a_warning(lead, activity):
    sheet = "series,period,value,team\naccepted_tasks,2026-07,1,search\naccepted_tasks,2026-07,1,serach\n"

    answer = lead.post(f"{FIGURES}import/", {"file": SimpleUploadedFile("figures.csv", sheet.encode())}, follow=True)

    assert "2 figures are entered." in text_of(answer)
    assert "No record of 2026-07 has the team “serach”" in text_of(answer)
    assert "team “search”" not in text_of(answer)
    assert "Accepted tasks" in text_of(answer)


def test_the_file_of_all_figures_can_be_sent_back(lead):
    lead.post(FIGURES, figure(value="1000.5", source="=HYPERLINK(1)"))
    lead.post(
        FIGURES, figure(series="own", own_series="claims", unit="claim", narrowed_by="team", narrowed_to="search")
    )

    text = lead.get(FIGURES, {"format": "csv"}).content.decode()
    again = lead.post(f"{FIGURES}import/", {"file": SimpleUploadedFile("figures.csv", text.encode())}, follow=True)

    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["series"]: row["value"] for row in rows} == {"accepted_tasks": "1000.5", "claims": "1000"}
    assert again.status_code == 200


def test_the_template_is_given(lead):
    assert lead.get(f"{FIGURES}template.csv").content.startswith(b"series,period,value,unit,currency,team")


def test_a_procurement_person_enters_nothing(client, organization):
    buyer = sign_in(client, organization, Role.PROCUREMENT)

    assert buyer.post(FIGURES, figure()).status_code == 403
    assert buyer.post(f"{FIGURES}import/", {}).status_code == 403
