"""Why a figure changed, on the page, by command and by API: one answer."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.organizations import services
from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

JULY = {"period": "2026-07", "include": "none"}
PAGES = ("/changes/", "/teams/", "/teams/search/", "/models/", "/models/atlas/", "/providers/")
DE_KG_PER_KWH = 0.329  # EEA, 2023


@pytest.fixture
def lead(client, organization):
    return sign_in(client, organization, "sustainability_lead")


def used(record_id: str, kwh: float, tokens: int, month: int, **fields):
    day = "2026-06-01" if month == 6 else "2026-07-31"  # the source covers both months whole
    times = {"started_at": f"{day}T10:00:00Z", "ended_at": f"{day}T11:00:00Z"}
    return metered(record_id, kwh, **times, output_tokens=tokens, requests=tokens // 100, **fields)


@pytest.fixture
def activity(organization):
    """
    June: 1,000 tokens of atlas at 0.1 kWh, 1,000 of iris at 0.02. July: 3,000 and 1,000, atlas at 0.08.

    In kWh: from 120 to 260; a volume of 4,000 instead of 2,000 tokens +120, mix 1,000 tokens x 0.08 +80, efficiency -60.
    """
    return deliver(
        organization,
        [
            used("a6", 100.0, 1000, 6, model="atlas", team="search", project="answers"),
            used("b6", 20.0, 1000, 6, model="iris", team="vision"),
            used("a7", 240.0, 3000, 7, model="atlas", team="search", project="answers"),
            used("b7", 20.0, 1000, 7, model="iris", team="<script>alert(1)</script>"),
        ],
    )


PARTS = {"volume": 120.0, "mix": 80.0, "efficiency": -60.0, "grid": 0.0, "coverage": 0.0, "method": 0.0}


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode())).replace("\u202f", " ")


def token(organization, **limits):
    secret = services.issue_token(organization_id=organization.id, name="bi", scopes=["read"], **limits)[1]
    return {"authorization": f"Bearer {secret}"}


def test_api_command_and_page_give_the_parts_worked_out_by_hand(client, organization, activity):
    answer = client.get("/api/v1/variance", JULY | {"by": "team"}, headers=token(organization)).json()
    out = io.StringIO()
    call_command(
        "variance",
        organization="northwind",
        period="2026-07",
        include="none",
        by="team",
        format="json",
        stdout=out,
    )
    page = text_of(sign_in(client, organization, "sustainability_lead").get("/changes/", JULY))

    expected = {name: kwh * DE_KG_PER_KWH for name, kwh in PARTS.items()}
    assert {part["name"]: part["kg_co2e"] for part in answer["parts"]} == pytest.approx(expected, abs=1e-9)
    assert [part["name"] for part in answer["parts"]] == list(PARTS)
    assert (answer["before_kg_co2e"], answer["after_kg_co2e"]) == pytest.approx(
        (120 * DE_KG_PER_KWH, 260 * DE_KG_PER_KWH)
    )
    assert {name: value for name, value in json.loads(out.getvalue()).items() if name != "as_of"} == {
        name: value for name, value in answer.items() if name != "as_of"
    }
    for shown in ("39.5", "+39.5", "+26.3", "\u221219.7", "85.5"):  # 120, 120, 80, -60 and 260 kWh at 0.329
        assert shown in page
    work = {row["work"]: row for row in answer["contributors"]["work"]}
    assert work["atlas"]["efficiency_kg_co2e"] == pytest.approx(-60 * DE_KG_PER_KWH)


def test_the_table_and_the_file_of_the_command_say_the_same(organization, activity):
    table, file = io.StringIO(), io.StringIO()

    for out, form in ((table, "table"), (file, "csv")):
        call_command(
            "variance", organization="northwind", period="2026-07", include="none", by="team", format=form, stdout=out
        )

    rows = [(row["part"], float(row["kg_co2e"])) for row in csv.DictReader(io.StringIO(file.getvalue()))]
    assert [name for name, _ in rows] == ["2026-06-01 to 2026-06-30", *PARTS, "not_known", "2026-07-01 to 2026-07-31"]
    assert sum(kg for _, kg in rows[:-1]) == pytest.approx(rows[-1][1], abs=1e-9)
    assert "volume" in table.getvalue()
    assert "search" in table.getvalue()


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"by": "person"}, "--by"), ({"cmp": "none"}, "--cmp"), ({"cmp": "never"}, "--cmp")],
)
def test_the_command_refuses_with_the_option_at_fault(organization, options, reason):
    with pytest.raises(CommandError, match=reason):
        call_command("variance", organization="northwind", period="2026-07", **options)


@pytest.mark.parametrize(("wrong", "field"), [({"by": "run"}, "by"), ({"cmp": "none"}, "cmp"), ({"cmp": "x"}, "cmp")])
def test_the_api_refuses_with_the_field_at_fault(client, organization, wrong, field):
    answer = client.get("/api/v1/variance", JULY | wrong, headers=token(organization))

    assert answer.status_code == 400
    assert answer.json()["field"] == field


def test_contributions_of_the_file_add_up_to_its_total(lead, activity):
    file = lead.get("/changes/", JULY | {"format": "csv"}).content.decode()

    total, *rows = list(csv.DictReader(io.StringIO(file)))
    for name in PARTS:
        parts = [float(row[f"{name}_kg_co2e"]) for row in rows]
        assert sum(parts) == pytest.approx(float(total[f"{name}_kg_co2e"]), abs=1e-6)
    assert {row["model"] for row in rows} == {"atlas", "iris"}


def test_without_a_comparison_the_page_says_so(lead, activity):
    assert "Nothing to compare with" in text_of(lead.get("/changes/", JULY | {"cmp": "none"}))


def test_every_change_leads_to_its_variance(lead, activity):
    overview = lead.get("/", JULY).content.decode()
    teams = lead.get("/teams/", JULY).content.decode()

    assert "/changes/?include=none&amp;period=2026-07" in overview
    assert "/changes/?include=none&amp;period=2026-07&amp;team=search" in teams


def test_the_table_of_teams_has_nobody_always(lead, activity):
    page = text_of(lead.get("/teams/", JULY))
    file = lead.get("/teams/", JULY | {"format": "csv"}).content.decode()
    rows = {row["team"]: row for row in csv.DictReader(io.StringIO(file))}

    assert "unattributed" in page
    assert "the rules that place it" in page
    assert float(rows["search"]["total_kg_co2e"]) == pytest.approx(240 * DE_KG_PER_KWH)
    assert float(rows["search"]["kg_co2e_per_1000_requests"]) == pytest.approx(240 * DE_KG_PER_KWH / 30 * 1000)
    assert float(rows["search"]["2026-06_kg_co2e"]) == pytest.approx(100 * DE_KG_PER_KWH)
    assert rows["search"]["2026-05_kg_co2e"] == ""
    assert float(rows["search"]["measured_share"]) == 1.0


def test_a_team_has_a_page_with_its_own_figures_only(lead, organization, activity):
    services.create_team(organization_id=organization.id, name="search", head_count=9)

    page = text_of(lead.get("/teams/search/", JULY))

    assert "79.0 kg" in page  # 240 kWh
    assert "9 people" in page
    assert "answers" in page
    assert "iris" not in page
    assert lead.get("/teams/nobody-of-this-name/", JULY).status_code == 404


def test_a_small_team_has_no_page_of_its_own(lead, organization, activity):
    for name, people in (("search", 2), ("vision", 4), ("nlp", 20)):
        services.create_team(organization_id=organization.id, name=name, head_count=people)

    page = text_of(lead.get("/teams/search/", JULY))
    file = lead.get("/changes/", JULY | {"format": "csv"}).content.decode()

    assert "small groups" in page
    assert "2 people" not in page
    assert "answers" not in page
    teams = {row["team"] for row in csv.DictReader(io.StringIO(file)) if row["row"] == "contribution"}
    assert teams == {"small groups", "<script>alert(1)</script>"}


def test_a_member_sees_the_own_team_only(client, organization, activity):
    team = services.create_team(organization_id=organization.id, name="search", head_count=9)
    services.create_team(organization_id=organization.id, name="vision", head_count=9)
    sign_in(client, organization, "member", team)

    assert client.get("/teams/search/", JULY).status_code == 200
    assert client.get("/teams/vision/", JULY).status_code == 404
    assert "79.0" in text_of(client.get("/teams/", JULY))
    assert "iris" not in text_of(client.get("/models/", JULY))
    assert client.get("/models/iris/", JULY).status_code == 404
    assert "+15.8" not in text_of(client.get("/changes/", JULY | {"team": "vision"}))


def test_models_show_tokens_and_their_intensity(lead, activity):
    file = lead.get("/models/", JULY | {"format": "csv"}).content.decode()

    rows = {row["model"]: row for row in csv.DictReader(io.StringIO(file))}
    atlas = rows["atlas"]
    assert float(atlas["output_tokens"]) == 3000
    assert float(atlas["kg_co2e_per_1000_output_tokens"]) == pytest.approx(80 * DE_KG_PER_KWH)
    assert (
        float(atlas["kg_co2e_per_1000_output_tokens_low"])
        < 80 * DE_KG_PER_KWH
        < float(atlas["kg_co2e_per_1000_output_tokens_high"])
    )


def test_two_meters_on_one_grid_can_be_told_apart(lead, activity):
    """80 and 20 Wh a token: four times, each metered to 5 %, and the grid of both is the same."""
    page = text_of(lead.get("/models/", JULY | {"model": ["atlas", "iris"]}))

    assert "iris emits least per output token: 75 % less than atlas" in page


def test_two_estimates_cannot(lead, organization):
    """Bought models of undisclosed size: each estimate is known to a factor of several."""
    names = ("gpt-4.1-2025-04-14", "gpt-4o-2024-11-20")
    measured = {"energy_kwh", "energy_boundary", "zone"}
    bought = {"evidence": "modelled", "hosting": "api", "provider": "openai"}
    records = [used(name, 0.0, 100_000, 7, model=name, **bought) for name in names]
    deliver(organization, [{key: record[key] for key in record.keys() - measured} for record in records])

    page = text_of(lead.get("/models/", JULY | {"model": names}))

    assert "Not distinguishable: gpt-4" in page


def test_places_are_shown_with_what_is_known_of_them(lead, organization):
    deliver(
        organization,
        [
            metered("own", 100.0, energy_boundary="it"),
            metered(
                "bought", 50.0, hosting="cloud", provider="aws", region="eu-central-1", zone=None, energy_boundary="it"
            ),
        ],
    )

    page = text_of(lead.get("/providers/", JULY))
    rows = list(csv.DictReader(io.StringIO(lead.get("/providers/", JULY | {"format": "csv"}).content.decode())))

    places = {row["region"]: row for row in rows}
    assert float(places["eu-central-1"]["grid_g_co2e_per_kwh"]) == pytest.approx(329.0)
    assert float(places["eu-central-1"]["pue"]) == pytest.approx(1.35)  # GSF real-time cloud, 2024
    assert places[""]["pue"] == ""
    assert "not disclosed 1.58 assumed" in page
    assert "European Environment Agency" in page


@pytest.mark.parametrize("address", PAGES)
def test_pages_ask_few_questions(lead, activity, address):
    lead.get(address, JULY)

    with CaptureQueriesContext(connection) as queries:
        assert lead.get(address, JULY).status_code == 200

    frame = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "select set_config", "select current_setting")
    asked = [query["sql"] for query in queries if not query["sql"].startswith(frame)]
    assert len(asked) <= 25, "\n".join(asked)


@pytest.mark.parametrize("address", PAGES)
def test_pages_take_nonsense_and_show_names_as_text(lead, activity, address):
    nonsense = {"cmp": "99", "by": "<x>", "model": ["a", "\x00"], "sort": "'", "tab": "..", "page": "-1", "unit": "x"}
    for query in (JULY, nonsense, {"from": "2026-07-31", "to": "2026-07-01"}, {"period": "9999-Q9"}):
        response = lead.get(address, query)

        assert response.status_code in {200, 404}
        assert b"<script>alert(1)" not in response.content


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("/changes/", "Nothing in"),
        ("/teams/", "There is no record in this period"),
        ("/models/", "There is no record in this period"),
        ("/providers/", "Nothing in"),
    ],
)
def test_pages_of_nothing_say_so(lead, organization, address, said):
    assert said in text_of(lead.get(address))
