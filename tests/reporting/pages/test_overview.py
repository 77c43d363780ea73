"""The overview and the way down from it, as people in their roles see them."""

import csv
import io
import re
from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from core.accounting.services import add_register_entries, add_site
from core.organizations import services
from core.organizations.models import Person
from tests.deliver import deliver, metered

pytestmark = [pytest.mark.usefixtures("committed_db"), pytest.mark.slow]

PERIOD = {"period": "2026-Q3", "include": "none"}


@pytest.fixture
def lead(client, organization):
    return sign_in(client, organization, "sustainability_lead")


def sign_in(client, organization, role, team=None):
    person = Person.objects.create_user(f"{role}@example.org", "correct horse battery")
    services.add_member(organization_id=organization.id, person=person, role=role, team=team)
    client.force_login(person, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def activity(organization):
    """Three teams' electricity in July: 1,000, 500 and 100 kWh in Germany, at 329.0 g/kWh (EEA, 2023)."""
    return deliver(
        organization,
        [
            metered("a", 1000.0, team="search", model="atlas", requests=1000),
            metered("b", 500.0, team="vision", model="atlas", stage="training"),
            metered("c", 100.0, model="<script>alert(1)</script>"),
        ],
    )


def text_of(response):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))


def test_the_headline_is_the_sum_worked_out_by_hand(lead, activity):
    page = text_of(lead.get("/", PERIOD))

    assert "526 kg CO 2 e" in page.replace("\u202f", " ")  # 1,600 kWh x 0.329 = 526.4 kg
    assert "unattributed" in page
    assert "provisional" not in page


def test_the_other_booking_stands_beside_the_headline_with_its_bridge(lead, organization, activity):
    """Eight H100 of 164 kg (NVIDIA's product carbon footprint) in a server of 2,500 kg, bought in July: whole as disclosed."""
    add_site(organization_id=organization.id, slug="fra-1", name="Frankfurt", country="DE", zone="DE")
    bought = {"site": "fra-1", "kind": "purchase", "date": "2026-07-02", "hardware": "NVIDIA H100", "count": 8}
    add_register_entries(organization_id=organization.id, rows=[{**bought, "source": "bill"}], today=date(2026, 11, 25))

    here = lead.get("/", {"period": "2026-Q3"})
    there = lead.get("/", {"period": "2026-Q3", "booking": "disclosed"})
    narrowed = text_of(lead.get("/", {"period": "2026-Q3", "scope": "2"}))

    # 1,600 kWh x (329.0 + 34.6) g = 581.8 kg; with 8 x 164 + 2,500 kg 4,394 kg
    assert "as disclosed 4.39 t" in text_of(here).replace("\u202f", " ")
    assert "/bookings/?period=2026-Q3" in here.content.decode()
    assert "4.39 t CO 2 e" in text_of(there).replace("\u202f", " ")
    assert "operations and life cycle, location-based 582 kg" in text_of(there).replace("\u202f", " ")
    assert "as disclosed how the two differ" in narrowed


def test_a_hostile_name_is_text(lead, activity):
    response = lead.get("/", PERIOD)

    assert b"<script>alert(1)" not in response.content
    assert b"&lt;script&gt;alert(1)" in response.content


def test_the_page_asks_few_questions(lead, activity):
    lead.get("/", PERIOD)

    with CaptureQueriesContext(connection) as queries:
        lead.get("/", PERIOD)

    frame = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE", "select set_config", "select current_setting")
    asked = [query["sql"] for query in queries if not query["sql"].startswith(frame)]
    assert len(asked) <= 25, "\n".join(asked)


def test_csv_of_a_table_holds_full_precision(lead, activity):
    response = lead.get("/", PERIOD | {"format": "csv", "tab": "team"})

    rows = {row["team"]: row for row in csv.DictReader(io.StringIO(response.content.decode()))}
    assert float(rows["search"]["total_kg_co2e"]) == pytest.approx(329.0, rel=1e-9)
    assert float(rows["vision"]["total_kg_co2e"]) == pytest.approx(164.5, rel=1e-9)
    assert "attachment" in response["Content-Disposition"]


def test_places_and_stages_sum_to_the_total_and_lead_on(lead, organization, activity):
    deliver(organization, [metered("d", 200.0, zone="FR", hosting="cloud", provider="aws", region="eu-west-3")])
    asked = {"period": "2026-Q3", "cmp": "none", "format": "csv"}

    def kg(tab, *names):
        rows = list(csv.DictReader(io.StringIO(lead.get("/", asked | {"tab": tab}).content.decode())))
        return {tuple(row[name] for name in names): float(row["total_kg_co2e"]) for row in rows}

    places, stages, teams = kg("place", "provider", "region"), kg("stage", "stage"), kg("team", "team")
    page = lead.get("/", {"period": "2026-Q3"}).content.decode()

    assert places[("unattributed", "unattributed")] == pytest.approx(1600 * 0.3636)
    assert set(places) == {("unattributed", "unattributed"), ("aws", "eu-west-3")}
    assert stages[("training",)] == pytest.approx(500 * 0.329)
    assert sum(stages.values()) == pytest.approx(sum(teams.values())) == pytest.approx(sum(places.values()))
    assert "/providers/?period=2026-Q3&amp;provider=aws&amp;region=eu-west-3" in page
    assert "/explain/?impact=upstream_kg_co2e&amp;period=2026-Q3" in page


def test_the_trend_stacks_stages_and_its_csv_adds_up(lead, activity):
    response = lead.get("/", PERIOD | {"format": "csv", "tab": "trend"})

    rows = list(csv.DictReader(io.StringIO(response.content.decode())))
    assert len(rows) == 14  # 1 July is a Wednesday: a part week, twelve whole ones, a part week
    assert sum(float(row["total [kg CO2e]"] or 0) for row in rows) == pytest.approx(526.4, rel=1e-9)
    assert sum(float(row["Training [kg CO2e]"] or 0) for row in rows) == pytest.approx(164.5, rel=1e-9)


def test_the_way_down_ends_at_the_factor(lead, activity):
    teams = lead.get("/teams/", PERIOD)
    models = lead.get("/models/", PERIOD | {"team": "search"})
    records = lead.get("/requests/", PERIOD | {"team": "search", "model": "atlas"})
    why = lead.get("/explain/", {"record": "a", "impact": "location_kg_co2e"})

    assert "search" in text_of(teams)
    assert "atlas" in text_of(models)
    assert "vision" not in text_of(models).split("Evidence")[-1]
    assert "1 record" in text_of(records)
    assert "grid_intensity_annual--eea:DE:2023" in text_of(why)
    assert "329" in text_of(why)


def test_an_empty_organization_is_shown_the_first_steps(lead, organization):
    page = text_of(lead.get("/"))

    assert "api_endpoint" in page
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in page
    assert "Issue a token" not in page  # a sustainability lead may not


def test_an_unknown_filter_is_said_and_the_page_is_shown(lead, activity):
    page = text_of(lead.get("/", PERIOD | {"teem": "search"}))

    assert "There is no filter" in page
    assert "526" in page


def test_a_member_sees_the_own_team_whatever_the_address_says(client, organization, activity):
    team = services.create_team(organization_id=organization.id, name="search", head_count=9)
    sign_in(client, organization, "member", team)

    page = text_of(client.get("/", PERIOD | {"team": "vision"})).replace("\u202f", " ")
    records = client.get("/explain/", {"record": "b"})

    assert "329 kg CO 2 e" in page
    assert "526" not in page
    assert "Only the team search is for you to see." in page
    assert "vision" not in page
    assert records.status_code == 404


def test_a_target_is_held_against_the_days_that_have_passed(lead, organization, activity):
    answer = lead.post("/targets/", {"name": "2026", "limit_t": "1.46", "starts_on": "2026-01-01"})
    page = text_of(lead.get("/", {"period": "2026-Q3"})).replace("\u202f", " ")

    assert answer.status_code == 302
    # 1.46 t a year are 4 kg a day. The first record is of 15 July, so 78 of the 92 days count: 312 kg. The total is
    # 1,600 kWh x (329.0 + 34.6) g = 581.8 kg, upstream included: 86 % more.
    assert "86 % over the target of 312 kg" in page
    assert "for 78 of 92 days" in page
    assert "The target of this period is passed by 270 kg" in page


@pytest.fixture
def steady(organization, time_machine):
    """Twenty days of 10 kWh each in Germany, up to yesterday: 3.636 kg a day at (329.0 + 34.6) g/kWh."""
    time_machine.move_to(datetime(2026, 11, 21, 12, tzinfo=UTC))
    days = [f"2026-11-{day:02}" for day in range(1, 21)]
    records = [
        metered(day, 10.0, started_at=f"{day}T09:00:00Z", ended_at=f"{day}T10:00:00Z", requests=100, model="atlas")
        for day in days
    ]
    return deliver(organization, records)


def test_an_open_period_is_projected_to_its_end(lead, organization, steady):
    lead.post("/targets/", {"name": "2026", "limit_t": "1.46", "starts_on": "2026-01-01"})

    page = text_of(lead.get("/", {"period": "2026-11"})).replace("\u202f", " ")
    rows = list(csv.DictReader(io.StringIO(lead.get("/?period=2026-11&format=csv&tab=trend").content.decode())))

    # 30 days of 3.636 kg against 30 of 4 kg (1.46 t a year): 109.08 of 120 kg, 9.1 % below
    assert "heading for 109 kg (109) of 120 kg" in page
    assert "Emissions are heading for 9.1 % below the target" in page
    assert "like the mean of the last 20 days" in page
    assert len(rows) == 30
    assert float(rows[-1]["projection value [kg CO2e]"]) == pytest.approx(3.636)
    assert rows[-1]["total [kg CO2e]"] == ""  # days to come have no figure


def test_an_open_period_that_will_pass_its_target_needs_attention(lead, organization, steady):
    lead.post("/targets/", {"name": "2026", "limit_t": "1.2775", "starts_on": "2026-01-01"})

    page = text_of(lead.get("/", {"period": "2026-11"})).replace("\u202f", " ")

    # 3.5 kg a day are 105 kg by the end; 72.72 kg until yesterday leave 32.28 kg, 8.88 days of 3.636 kg from 21 November on
    assert (
        "The target of this period will be passed about 29 Nov if it goes on like this: 109 kg (109) of 105 kg" in page
    )


def test_a_leading_figure_is_put_into_the_chart(lead, organization, steady):
    lead.post("/targets/", {"name": "2026", "limit_t": "1.46", "starts_on": "2026-01-01"})

    def table(metric):
        answer = lead.get("/", {"period": "2026-11", "metric": metric, "format": "csv", "tab": "trend"})
        return list(csv.DictReader(io.StringIO(answer.content.decode())))

    path, intensity, evidence = table("target"), table("intensity"), table("measured")
    page = lead.get("/", {"period": "2026-11", "metric": "measured"}).content.decode()

    assert float(path[9]["total [kg CO2e]"]) == pytest.approx(36.36)  # ten days
    assert float(path[9]["target [kg CO2e]"]) == pytest.approx(40)
    assert float(path[29]["projection value [kg CO2e]"]) == pytest.approx(109.08)
    assert float(intensity[0]["Inference [kg CO2e per 1,000 requests]"]) == pytest.approx(36.36)  # 3.636 kg for 100
    assert len(intensity) == 21  # nothing is projected of it
    assert float(evidence[19]["Measured [kg CO2e]"]) == pytest.approx(3.636)
    assert "metric=intensity" in page  # the others can be chosen from here, and filters keep the choice
    assert "metric=measured&amp;period=2026-10" in page


def test_an_unknown_metric_is_said_and_the_chart_is_that_of_emissions(lead, activity):
    page = text_of(lead.get("/", PERIOD | {"metric": "beauty"}))

    assert "metric is one of emissions, target, intensity, measured" in page
    assert "by life-cycle stage" in page


@pytest.mark.parametrize("narrower", [{"basis": "market"}, {"include": "none"}, {"team": "search"}])
def test_a_target_is_not_held_against_what_it_is_not_about(lead, organization, activity, narrower):
    lead.post("/targets/", {"name": "2026", "limit_t": "1.46", "starts_on": "2026-01-01"})

    page = text_of(lead.get("/", {"period": "2026-Q3", **narrower}))

    assert "Against the target" not in page


def test_pages_open_with_a_period_that_has_records(lead, organization, time_machine):
    time_machine.move_to(datetime(2026, 11, 25, 12, tzinfo=UTC))
    deliver(
        organization,
        [metered("new", 10.0, started_at="2026-11-24T09:00:00Z", ended_at="2026-11-24T10:00:00Z", model="atlas")],
    )

    pages = [
        text_of(lead.get(address)).replace("\u202f", " ") for address in ("/", "/teams/", "/models/", "/requests/")
    ]

    assert "3.64 kg CO 2 e" in pages[0]  # 10 kWh x (329.0 + 34.6) g
    assert all("Q4 2026" in page for page in pages)
    assert "once records arrive" not in pages[0]


def test_unequal_coverage_gives_no_percentage(lead, organization, activity):
    deliver(organization, [metered("first", 9.0, started_at="2026-06-20T09:00:00Z", ended_at="2026-06-20T10:00:00Z")])

    page = text_of(lead.get("/", {"period": "2026-Q3"})).replace("\u202f", " ")

    assert "coverage 100 % vs 12 %" in page  # 11 of the 91 days of the quarter before


def test_quarantined_rows_need_attention(lead, organization, activity):
    deliver(organization, [metered("bad", -5.0)])

    assert "1 row in quarantine" in text_of(lead.get("/", PERIOD))


def test_a_source_tied_to_nothing_needs_attention(lead, organization, activity):
    deliver(organization, [metered("again", 1000.0)], source="second agent")

    page = text_of(lead.get("/", PERIOD))

    assert "second agent counts" in page


@pytest.mark.parametrize(
    "query", ["team=a%00b", "from=0001-01-01&to=9999-12-31", "period=9998", "from=2026-01-01&to=9999-12-31"]
)
def test_odd_parameters_are_said_and_the_page_is_shown(lead, activity, query):
    response = lead.get(f"/?{query}")

    assert response.status_code == 200
    assert "banner" in response.content.decode()


def test_a_procurement_person_cannot_set_a_limit(client, organization):
    sign_in(client, organization, "procurement")

    answer = client.post("/targets/", {"name": "x", "limit_t": "1", "starts_on": "2026-01-01"})

    assert answer.status_code == 403
    assert b"Set the limit" not in client.get("/targets/").content
