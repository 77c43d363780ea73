"""Factors: browse, one row, compare two sets, names with their aliases, and the same by API."""

from __future__ import annotations

import csv
import io

import pytest

from core.catalog.models import Alias
from core.factors import services as factor_services
from core.factors.models import FactorSet
from core.factors.pack import load_pack
from core.organizations.models import Role
from core.organizations.tenancy import organization_scope
from core.quantification.pack import pack_from_tables
from tests.deliver import deliver, metered
from tests.people import sign_in

pytestmark = pytest.mark.usefixtures("committed_db")
JULY = {"from": "2026-07-01", "to": "2026-07-31"}
EEA = "grid_intensity_annual--eea"
GERMANY = f"{EEA}:DE:2023"


@pytest.fixture
def figures(organization):
    """10 kWh of search and 20 of vision at German facilities, and calls of a model that nobody knows."""
    house = {
        **metered("call", 0.0, team="search"),
        "stage": "inference",
        "hosting": "api",
        "provider": "openai",
        "model": "House-Model",
        "requests": 5,
        "output_tokens": 100,
    }
    for name in ("energy_kwh", "energy_boundary", "zone", "evidence"):
        house.pop(name, None)
    deliver(
        organization,
        [metered("one", 10.0, team="search"), metered("two", 20.0, team="vision"), house | {"evidence": "modelled"}],
    )


@pytest.fixture
def next_set():
    """The shipped set with a tenth less for Germany, France not there, and another note for Austria."""
    pack = load_pack()
    lines = pack.blobs[EEA].decode().splitlines(keepends=True)
    changed = [line.replace(",329.0,", ",296.1,") for line in lines if not line.startswith("FR,")]
    changed = [
        line.replace("three decimals of kg", "read again") if line.startswith("AT,") else line for line in changed
    ]
    new = pack_from_tables("next", {**pack.blobs, EEA: "".join(changed).encode()})
    return factor_services.load_factor_set(new).factor_set


def lines(response) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(response.content.decode())))


def test_the_factor_that_most_rests_on_stands_first_with_its_source(client, organization, figures):
    page = sign_in(client, organization).get("/factors/", JULY)

    first = [item["row"] for item in page.context["rows"][:2]]
    assert {row.id for row in first} == {GERMANY, "calc_defaults--ccf:pue.on_premise"}
    assert [row.use.kg_co2e for row in first] == pytest.approx([30.0 * 0.3636] * 2)  # location and upstream of 30 kWh
    html = page.content.decode()
    assert "https://www.eea.europa.eu/" in html
    assert "CC BY 4.0 (EEA)" in html


@pytest.mark.parametrize(
    ("filters", "editions"),
    [
        ({"table": "hardware", "hardware": "h100-sxm5"}, {"hardware--hardware-compiled"}),
        (
            {"zone": "fr", "year": "2023"},
            {EEA, "grid_intensity_annual--ember-2026-10", "grid_intensity_annual--ember-owid-2026-06"},
        ),
        ({"model": "claude-opus-5", "table": "models"}, {"models--ecologits-0.11.3"}),
        ({"edition": "grid_intensity_annual--uk-desnz"}, {"grid_intensity_annual--uk-desnz"}),
        ({"region": "eu-west-1", "q": "pue"}, {"cloud_region_metrics--gsf-rtc"}),
        ({"zone": "nowhere"}, set()),
    ],
)
def test_filters_narrow_the_list_and_its_file_alike(client, organization, figures, filters, editions):
    page = sign_in(client, organization)

    shown = page.get("/factors/", filters | JULY)
    file = lines(page.get("/factors/", filters | JULY | {"format": "csv"}))

    assert {row["edition"] for row in file} == editions
    assert shown.context["found"] == len(file)
    assert all(row["licence"] and row["source"] and row["unit"] is not None for row in file)


def test_a_file_has_the_numbers_of_the_page_and_their_interval(client, organization, figures):
    page = sign_in(client, organization)

    (row,) = [
        row
        for row in lines(page.get("/factors/", JULY | {"edition": EEA, "zone": "DE", "format": "csv"}))
        if row["year"] == "2023"
    ]

    assert (row["id"], row["value"], row["unit"]) == (GERMANY, "329.0", "g CO2e/kWh")
    assert float(row["low"]) == pytest.approx(329.0 / 1.05**1.96, rel=1e-3)  # 95 % of a GSD of 1.05
    assert float(row["kg_co2e"]) == pytest.approx(10.908)
    assert row["used_as"] == "grid_location, grid_market, grid_upstream"


def test_pages_follow_each_other_and_unknown_filters_are_said(client, organization, figures):
    page = sign_in(client, organization)

    first = page.get("/factors/", {"table": "models"})
    second = page.get("/factors/", {"table": "models", "after": "50"})
    odd = page.get("/factors/", {"colour": "green", "table": "weather"})

    names = [item["row"].id for item in (*first.context["rows"], *second.context["rows"])]
    assert len(names) == len(set(names)) == 100
    assert 'rel="next"' in first.content.decode()
    said = odd.content.decode()
    assert "There is no filter" in said
    assert "There is no table" in said


def test_a_row_shows_everything_and_the_same_in_other_years(client, organization, figures):
    page = sign_in(client, organization).get("/factors/row/", JULY | {"id": GERMANY})

    html = page.content.decode()
    assert "Germany, DE, direct" in html
    assert "European Environment Agency" in html
    assert "read from one public transcription" in html
    assert {item["row"].edition for item in page.context["siblings"]} == {"grid_intensity_annual--eea-2020-edition"}
    assert client.get("/factors/row/", {"id": "grid_intensity_annual--eea:XX:2023"}).status_code == 404


def test_the_older_address_of_an_edition_leads_to_its_rows(client, organization, figures):
    page = sign_in(client, organization)

    answer = page.get(f"/factors/{EEA}/", follow=True)

    assert answer.redirect_chain[-1][0].endswith(f"/factors/?edition={EEA}")
    assert answer.context["found"] == 28
    assert page.get("/factors/nothing--here/").status_code == 404


def test_a_member_sees_what_rests_on_factors_of_the_own_team_only(client, organization, figures):
    page = sign_in(client, organization, Role.MEMBER, "search").get("/factors/", JULY)

    assert page.context["rows"][0]["row"].use.kg_co2e == pytest.approx(10.0 * 0.3636)


def test_two_sets_are_compared_by_their_effect_on_own_figures(client, organization, figures, next_set):
    page = sign_in(client, organization).get("/factors/diff/", JULY)

    (difference,) = [each["difference"] for each in page.context["differences"]]
    assert (len(difference.changed), len(difference.added), len(difference.removed)) == (1, 0, 1)
    assert difference.only_source == 1  # Austria: another note, the same value
    (changed,) = page.context["changed"]
    assert changed["key"] == "DE 2023 direct"
    assert changed["values"][0]["percent"] == "−10\u202f%"
    assert changed["effect"] == "−1.09"  # 10.908 kg x -10 %
    assert "France" not in page.content.decode()  # named by its key
    assert "FR 2023 direct" in page.content.decode()


def test_a_comparison_is_a_file_too_and_unknown_sets_are_said(client, organization, figures, next_set):
    page = sign_in(client, organization)

    file = lines(page.get("/factors/diff/", {"b": "next", "format": "csv"}))

    assert [(line["what"], line["key"], line["old"], line["new"]) for line in file] == [
        ("changed", "DE 2023 direct", "329.0", "296.1"),
        ("removed", "FR 2023 direct", "", ""),
    ]
    assert "no factor set" in page.get("/factors/diff/", {"a": "nothing"}).content.decode()


def test_one_set_has_nothing_to_be_compared_with(client, organization, figures, monkeypatch):
    shipped = FactorSet.objects.filter(name="wattledger-2027.01")
    monkeypatch.setattr("core.factors.selectors.factor_sets", lambda: shipped)

    assert "There is one set only" in sign_in(client, organization).get("/factors/diff/").content.decode()


def test_unknown_names_are_listed_and_an_alias_sets_them_right(client, organization, figures):
    page = sign_in(client, organization)

    listed = page.get("/factors/names/", JULY)
    answer = page.post(
        "/factors/names/alias/", {"kind": "model", "reported": "house-model", "resolves_to": "gpt-4o"}, follow=True
    )

    worst = listed.context["rows"][0]["match"]
    assert (worst.kind, worst.reported, worst.confidence, worst.without_figure) == ("model", "House-Model", "none", 1)
    assert "“house-model” stands for gpt-4o" in answer.content.decode()
    with organization_scope(organization.id):
        assert Alias.objects.get(organization_id=organization.id).resolves_to == "gpt-4o"


@pytest.mark.parametrize(
    ("kind", "name", "said"),
    [
        ("model", "no-such-model", "The catalog knows no such name"),
        ("hardware", "H100", "That would be a guess; did you mean “nvidia-h100-sxm5-80gb”?"),
        ("region", "mars-north-1", "The catalog knows no such name"),
    ],
)
def test_an_alias_to_a_name_that_is_not_known_for_sure_is_refused(client, organization, figures, kind, name, said):
    page = sign_in(client, organization)

    answer = page.post("/factors/names/alias/", {"kind": kind, "reported": "house", "resolves_to": name})

    assert answer.status_code == 400
    assert said in answer.content.decode()
    with organization_scope(organization.id):
        assert not Alias.objects.filter(organization_id=organization.id).exists()


@pytest.mark.parametrize(
    ("kind", "name"), [("region", "eu-west-1"), ("instance_type", "p5.48xlarge"), ("provider", "aws")]
)
def test_names_that_several_clouds_share_can_be_aliased(client, organization, figures, kind, name):
    answer = sign_in(client, organization).post(
        "/factors/names/alias/", {"kind": kind, "reported": "house", "resolves_to": name}
    )

    assert answer.status_code == 302


def test_a_place_is_missed_only_where_energy_could_follow(client, organization):
    cost = {"team": "Cloud", "provider": "aws", "hosting": "api", "cost": 12.0, "currency": "EUR"}
    tokens = {"model": "gpt-4o", "provider": "openai", "hosting": "api", "zone": None, "output_tokens": 500}
    spent = metered("spent", 1.0, zone=None, energy_kwh=None, **cost)
    deliver(organization, [spent, metered("asked", 1.0, energy_kwh=None, **tokens)])

    rows = sign_in(client, organization).get("/factors/names/", JULY | {"all": "1"}).context["rows"]

    placeless = [row["match"] for row in rows if row["match"].reported is None]
    assert [(match.provider, match.records) for match in placeless] == [("openai", 1)]


def test_who_does_not_manage_sources_sees_names_but_no_form(client, organization, figures):
    page = sign_in(client, organization, Role.AUDITOR)

    assert page.get("/factors/names/").context["form"] is None
    assert page.post("/factors/names/alias/", {"kind": "model"}).status_code == 403


def test_the_api_answers_what_the_page_shows_by_cursor(client, organization, figures):
    page = sign_in(client, organization)
    asked = JULY | {"table": "grid_intensity_annual", "zone": "DE", "limit": "40"}
    rows, after = [], "0"

    while after:
        answer = page.get("/api/v1/factors", asked | {"after": after}).json()
        rows += answer["rows"]
        after = answer["next"]

    file = lines(page.get("/factors/", {name: asked[name] for name in asked if name != "limit"} | {"format": "csv"}))
    assert len(rows) == len(file) > 40
    assert {row["id"] for row in rows} == {row["id"] for row in file}
    (germany,) = [row for row in rows if row["id"] == GERMANY]
    assert germany["kg_co2e"] == pytest.approx(10.908)
    assert germany["licence"] == "CC BY 4.0 (EEA)"
    assert answer["set"]["name"] == "wattledger-2027.01"


@pytest.mark.parametrize(
    ("parameters", "field"),
    [
        ({"colour": "green"}, "colour"),
        ({"table": "weather"}, "table"),
        ({"set": "nothing"}, "set"),
        ({"limit": "0"}, "limit"),
        ({"after": "x"}, "after"),
        ({"period": "2026-Q9"}, "period"),
    ],
)
def test_the_api_names_the_parameter_that_it_cannot_read(client, organization, figures, parameters, field):
    answer = sign_in(client, organization).get("/api/v1/factors", parameters)

    assert (answer.status_code, answer.json()["field"]) == (400, field)


def test_before_any_figure_the_newest_set_is_shown_without_use(client, organization):
    factor_services.load_factor_set(load_pack())

    page = sign_in(client, organization).get("/factors/")

    assert page.context["found"] > 13_000
    assert page.context["in_use"] == 0
    assert "No names yet" in client.get("/factors/names/").content.decode()


def test_without_any_set_pages_say_what_to_do(client, organization, monkeypatch):
    monkeypatch.setattr(
        "core.factors.selectors.factor_sets", FactorSet.objects.none
    )  # sets of other tests stay for good
    page = sign_in(client, organization)

    assert "load_factors" in page.get("/factors/").content.decode()
    assert page.get("/api/v1/factors").json()["rows"] == []
    assert page.get("/factors/row/", {"id": "x"}).status_code == 404
