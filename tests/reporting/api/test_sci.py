"""The API of intensities and of business figures, and the command with the same answer."""

from __future__ import annotations

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command

from core.organizations import services
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

JULY = {"period": "2026-07"}
FIGURES = "/api/v1/denominators"


@pytest.fixture
def activity(organization):
    return deliver(
        organization,
        [
            metered("a", 100.0, team="search", requests=1000, failed_requests=200),
            metered("b", 60.0, team="vision", requests=400),
            metered("c", 40.0, team="vision"),
        ],
    )


def token(organization, *scopes, **limits):
    secret = services.issue_token(organization_id=organization.id, name="bi", scopes=list(scopes), **limits)[1]
    return {"authorization": f"Bearer {secret}"}


@pytest.fixture
def reader(organization, activity):
    return token(organization, "read")


@pytest.fixture
def admin(organization):
    return token(organization, "read", "admin")


def post(client, headers, body, content_type="application/json"):
    body = body if isinstance(body, str) else json.dumps(body)
    return client.post(FIGURES, body, content_type=content_type, headers=headers)


def test_scores_are_those_worked_out_by_hand(client, reader):
    answer = client.get("/api/v1/sci", JULY | {"unit": "request", "by": "team"}, headers=reader).json()

    rows = {row["team"]: row for row in answer["rows"]}
    assert rows["search"]["sci_kg_co2e_per_unit"] == pytest.approx(100 * 0.329 / 800)  # Germany 2023, EEA: 329.0 g/kWh
    assert rows["vision"]["sci_kg_co2e_per_unit"] == pytest.approx(60 * 0.329 / 400)
    assert rows["vision"]["left_out_share"] == pytest.approx(0.4)
    assert rows["vision"]["intensity_g_co2e_per_kwh"] == pytest.approx(329.0)
    assert rows["vision"]["embodied_kg_co2e"] is None
    assert answer["unit"] == {"name": "request", "text": "successful request", "given_by": "records"}
    assert answer["scores"]["consumer"]["stages"] == ["inference"]
    assert answer["boundary"]["inside"]
    assert answer["boundary"]["outside"]


def test_the_whole_is_the_ratio_of_the_sums_of_its_teams(client, reader):
    whole = client.get("/api/v1/sci", JULY, headers=reader).json()["rows"][0]
    teams = client.get("/api/v1/sci", JULY | {"by": "team"}, headers=reader).json()["rows"]

    kg = sum(row["carbon_kg_co2e"] for row in teams)
    units = sum(row["functional_units"] for row in teams)
    assert whole["sci_kg_co2e_per_unit"] == pytest.approx(kg / units)
    assert whole["sci_kg_co2e_per_unit"] == pytest.approx(160 * 0.329 / 1200)


def test_csv_has_one_column_for_each_number_with_its_unit(client, reader):
    text = client.get("/api/v1/sci", JULY | {"by": "team"}, headers=reader | {"accept": "text/csv"}).content.decode()

    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["team"] for row in rows] == ["search", "vision"]
    assert float(rows[0]["sci_kg_co2e_per_unit"]) == pytest.approx(100 * 0.329 / 800)


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"unit": "banana"}, "unit"),
        ({"basis": "market"}, "basis"),
        ({"booking": "disclosed"}, "booking"),
        ({"include": "none"}, "include"),
        ({"role": "counted,cross_check"}, "role"),
        ({"unit": ["request", "training_run"]}, "unit"),
    ],
)
def test_what_cannot_be_scored_is_named(client, reader, parameters, field):
    answer = client.get("/api/v1/sci", JULY | parameters, headers=reader)

    assert answer.status_code == 400
    assert answer.json()["field"] == field


def test_a_missing_denominator_is_null_with_its_reason(client, reader):
    rows = client.get("/api/v1/sci", JULY | {"unit": "1000_EUR"}, headers=reader).json()["rows"]

    assert [row["score"] for row in rows] == ["consumer", "provider"]
    assert rows[0]["sci_kg_co2e_per_unit"] is None
    assert rows[0]["reason"] == "No EUR of revenue are entered for this period."
    assert rows[1]["reason"] == "No record of these stages and this period matches the filters."


def test_figures_are_entered_by_json_and_listed(client, organization, admin):
    made = post(
        client,
        admin,
        {"figures": [{"series": "accepted_tasks", "period": "2026-07", "value": 1234.5, "team": "search"}]},
    )
    corrected = post(
        client, admin, [{"series": "accepted_tasks", "period": "2026-07", "value": 1300, "team": "search"}]
    )

    assert (made.status_code, corrected.status_code) == (201, 201)
    first = made.json()["figures"][0]
    assert first | {"id": 0} == {
        "id": 0,
        "series": "accepted_tasks",
        "unit": "accepted task",
        "period": "2026-07",
        "value": 1234.5,
        "team": "search",
    }
    listed = client.get(FIGURES, headers=admin).json()["figures"]
    assert [(row["value"], row["replaces"]) for row in listed] == [(1300, first["id"])]
    assert len(client.get(FIGURES, {"replaced": "true"}, headers=admin).json()["figures"]) == 2


def test_figures_are_entered_by_sheet_and_divide(client, organization, activity, admin):
    sheet = "series;period;value;currency\nrevenue;2026-07;2000000;EUR\naccepted_tasks;2026-07;160;\n"

    assert post(client, admin, sheet, "text/csv").json()["written"] == 2

    for unit, expected in (("1000_EUR", 200 * 0.329 / 2000), ("accepted_task", 200 * 0.329 / 160)):
        row = client.get("/api/v1/sci", JULY | {"unit": unit}, headers=admin).json()["rows"][0]
        assert row["sci_kg_co2e_per_unit"] == pytest.approx(expected)


def test_all_faults_come_back_and_nothing_is_entered(client, admin):
    answer = post(
        client, admin, [{"series": "accepted_tasks", "period": "2026-07", "value": 1}, {"period": "x", "value": -1}]
    )

    assert answer.status_code == 400
    document = answer.json()
    assert document["type"] == "urn:wattledger:problem:faulty-figures"
    assert {(fault["row"], fault["field"]) for fault in document["errors"]} == {
        (2, "series"),
        (2, "period"),
        (2, "value"),
    }
    assert client.get(FIGURES, headers=admin).json()["figures"] == []


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("", "application/json", 400),
        ("{", "application/json", 400),
        ("[1]", "application/json", 400),
        ('{"figures": 1}', "application/json", 400),
        ("[]", "application/json", 400),
        ("", "text/csv", 400),
        ("nothing of ours", "text/csv", 400),
        ("<xml/>", "text/xml", 415),
        ("x" * 2_000_001, "text/csv", 413),
        ("[NaN]", "application/json", 400),
    ],
)
def test_a_body_that_is_no_delivery_is_refused(client, admin, body, content_type, status):
    answer = post(client, admin, body, content_type)

    assert answer.status_code == status
    assert answer["content-type"] == "application/problem+json"


def test_pages_of_figures_follow_each_other(client, admin):
    rows = [{"series": "accepted_tasks", "period": f"2026-07-{day:02}", "value": day} for day in range(1, 6)]
    post(client, admin, rows)

    first = client.get(FIGURES, {"limit": 3}, headers=admin).json()
    second = client.get(FIGURES, {"limit": 3, "after": first["next"]}, headers=admin).json()

    assert [row["value"] for row in first["figures"] + second["figures"]] == [5, 4, 3, 2, 1]
    assert second["next"] is None
    assert len(client.get(FIGURES, {"from": "2026-07-04", "to": "2026-07-04"}, headers=admin).json()["figures"]) == 1


@pytest.mark.parametrize("parameters", [{"after": "x"}, {"limit": "0"}, {"from": "July"}, {"colour": "red"}])
def test_odd_parameters_of_the_list_are_named(client, admin, parameters):
    answer = client.get(FIGURES, parameters, headers=admin)

    assert answer.status_code == 400
    assert answer.json()["field"] == next(iter(parameters))


def test_a_token_of_one_team_sees_the_figures_and_scores_of_that_team(client, organization, activity, admin):
    rows = [
        {"series": "accepted_tasks", "period": "2026-07", "value": 10, "team": team} for team in ("search", "vision")
    ]
    post(client, admin, [*rows, {"series": "revenue", "period": "2026-07", "value": 1, "currency": "EUR"}])
    narrow = token(organization, "read", team="search")

    listed = client.get(FIGURES, headers=narrow).json()["figures"]
    scored = client.get("/api/v1/sci", JULY | {"unit": "accepted_task"}, headers=narrow).json()["rows"][0]

    assert [row["team"] for row in listed] == ["search"]
    assert scored["sci_kg_co2e_per_unit"] == pytest.approx(100 * 0.329 / 10)


def test_another_organization_is_not_there(client, organization, reader, admin, other_organization):
    post(client, admin, [{"series": "accepted_tasks", "period": "2026-07", "value": 10}])
    stranger = token(other_organization, "read")

    assert client.get(FIGURES, headers=stranger).json()["figures"] == []
    row = client.get("/api/v1/sci", JULY, headers=stranger).json()["rows"][0]
    assert row["sci_kg_co2e_per_unit"] is None


def test_the_command_answers_as_the_api_does(client, organization, reader):
    out = io.StringIO()
    call_command("sci", organization=organization.slug, period="2026-07", by=["team"], format="json", stdout=out)

    api = client.get("/api/v1/sci", JULY | {"by": "team"}, headers=reader).json()
    said = json.loads(out.getvalue())
    assert said["rows"] == api["rows"]
    assert said["boundary"] == api["boundary"]


def test_the_command_prints_a_table_and_refuses_what_is_no_unit(organization, activity):
    out = io.StringIO()

    call_command("sci", organization=organization.slug, period="2026-07", stdout=out)

    assert "per successful request, location-based" in out.getvalue()
    with pytest.raises(CommandError, match="no functional unit 'banana'") as refused:
        call_command("sci", organization=organization.slug, period="2026-07", unit="banana")
    assert refused.value.returncode == 2


def test_a_sheet_is_entered_by_command_or_refused_whole(organization, tmp_path):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("series,period,value\naccepted_tasks,2026-07,5\n")
    bad.write_text("series,period,value\naccepted_tasks,2026-08,5\naccepted_tasks,soon,5\n")
    out, err = io.StringIO(), io.StringIO()

    call_command("import_denominators", str(good), organization=organization.slug, stdout=out)

    assert out.getvalue() == "written 1, unchanged 0\n"
    with pytest.raises(CommandError, match="Nothing was entered"):
        call_command("import_denominators", str(bad), organization=organization.slug, stderr=err)
    assert "row 2, period" in err.getvalue()
