"""The API of figures: the same numbers as pages, in three forms."""

import csv
import io
import json

import pyarrow as pa
import pytest

from core.organizations import services
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

PERIOD = {"from": "2026-07-01", "to": "2026-09-30"}


@pytest.fixture
def token(organization):
    deliver(organization, [metered("a", 100.0, team="search"), metered("b", 300.0, team="=cmd|' /C calc'!A0")])
    return services.issue_token(organization_id=organization.id, name="bi", scopes=["read"])[1]


def get(client, path, token, **options):
    return client.get(
        path, headers={"authorization": f"Bearer {token}", **options.pop("headers", {})}, query_params=options
    )


def test_emissions_are_those_worked_out_by_hand(client, token):
    answer = get(client, "/api/v1/emissions", token, **PERIOD, by="team", include="none").json()

    assert answer["filter"]["by"] == ["team"]
    kg = {row["team"]: row["location_kg_co2e"] for row in answer["rows"]}
    assert kg["search"] == pytest.approx(100 * 0.329, rel=1e-9)  # Germany 2023, EEA: 329.0 g/kWh
    assert sum(kg.values()) == pytest.approx(400 * 0.329, rel=1e-9)
    assert all(row["total_kg_co2e_low"] <= row["total_kg_co2e"] <= row["total_kg_co2e_high"] for row in answer["rows"])


def test_csv_and_arrow_say_the_same(client, token):
    expected = get(client, "/api/v1/emissions", token, **PERIOD, by="team").json()["rows"]

    text = get(client, "/api/v1/emissions", token, **PERIOD, by="team", headers={"accept": "text/csv"})
    stream = get(
        client,
        "/api/v1/emissions",
        token,
        **PERIOD,
        by="team",
        headers={"accept": "application/vnd.apache.arrow.stream"},
    )

    rows = list(csv.DictReader(io.StringIO(text.content.decode())))
    assert [float(row["total_kg_co2e"]) for row in rows] == [row["total_kg_co2e"] for row in expected]
    assert pa.ipc.open_stream(stream.content).read_all().to_pylist() == expected


def test_a_hostile_name_cannot_run_as_a_formula(client, token):
    text = get(client, "/api/v1/emissions", token, **PERIOD, by="team", headers={"accept": "text/csv"}).content.decode()

    names = [row["team"] for row in csv.DictReader(io.StringIO(text))]
    assert "'=cmd|' /C calc'!A0" in names


def test_a_parameter_at_fault_is_named(client, token):
    answer = get(client, "/api/v1/emissions", token, period="2026-Q9")

    assert answer.status_code == 400
    assert answer["content-type"] == "application/problem+json"
    assert json.loads(answer.content)["field"] == "period"


def test_the_tree_multiplies_out_to_the_figure(client, token):
    figure = get(client, "/api/v1/emissions", token, **PERIOD).json()["rows"][0]["total_kg_co2e"]

    tree = get(client, "/api/v1/explain", token, **PERIOD).json()

    product_sum = 0.0
    for method in tree["children"]:
        for plan in method["children"]:
            for term in plan["terms"]:
                product = term["amount"] * term["constant"]
                for entry in term["inputs"]:
                    product *= entry["value"] ** entry["power"]
                assert product == pytest.approx(term["value"], rel=1e-12)
                product_sum += product
    assert tree["value"] == pytest.approx(figure, rel=1e-12)
    assert product_sum == pytest.approx(figure, rel=1e-9)


def test_one_record_is_explained_by_its_id(client, token):
    tree = get(client, "/api/v1/explain", token, record="a", impact="location_kg_co2e").json()

    assert tree["value"] == pytest.approx(32.9, rel=1e-9)
    assert [factor["id"] for factor in tree["factors"] if factor["name"] == "grid_location"] == [
        "grid_intensity_annual--eea:DE:2023"
    ]


def test_a_token_of_one_team_sees_that_team_only(client, organization, token):
    narrow = services.issue_token(organization_id=organization.id, name="own", scopes=["read"], team="search")[1]

    rows = get(client, "/api/v1/emissions", narrow, **PERIOD, by="team").json()["rows"]

    assert [row["team"] for row in rows] == ["search"]
    assert get(client, "/api/v1/explain", narrow, record="a").status_code == 200
    assert get(client, "/api/v1/explain", narrow, record="b").status_code == 404


def test_another_organization_sees_nothing_of_it(client, token, other_organization):
    stranger = services.issue_token(organization_id=other_organization.id, name="bi", scopes=["read"])[1]

    assert get(client, "/api/v1/emissions", stranger, **PERIOD).json()["rows"] == []
    assert get(client, "/api/v1/explain", stranger, record="a").status_code == 404
